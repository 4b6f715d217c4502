"""What people ask for at the shell: one transaction, or a refusal that changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
from tests.handlers.office import ANN, BOB, CARL, MARIE, SETTINGS, Office, OfficeOf, body_of, open_office, raw_mail

from mailcase.app import App, Ground, World
from mailcase.core.case import Status
from mailcase.entropy import SeededEntropy
from mailcase.errors import CommandRefused, Conflict
from mailcase.handlers.transaction import TRIES
from mailcase.inbound.protocol import Exit, Json, Request
from mailcase.store.port import Store
from mailcase.store.rows.lookup import Known, Wanted


async def test_a_refusal_says_what_is_allowed_and_changes_nothing(office: Office) -> None:
    await office.receives(raw_mail())
    before = await office.bundle()

    with pytest.raises(CommandRefused, match="client, third party"):
        await office.does("case.wait", ref="1001-C", info="the moon")

    assert await office.bundle() == before


async def test_check_10_every_later_command_on_a_cancelled_case_is_refused(office: Office) -> None:
    await office.receives(raw_mail())
    await office.does("case.cancel", ref="1001-C", yes=True)

    for operation in ("take", "release", "progress", "todo", "reopen", "resolve", "read"):
        with pytest.raises(CommandRefused, match="Closed is final"):
            await office.does(f"case.{operation}", ref="1001-C")


@pytest.mark.parametrize("operation", ["resolve", "cancel"])
async def test_AS_10_the_case_of_a_colleague_is_not_ended_past_them(office: Office, operation: str) -> None:
    """With the way to end it all the same, and nothing told to the requester before."""
    await office.receives(raw_mail())
    await office.does("case.take", ref="1001-C", as_="carl")
    before = await office.bundle()

    with pytest.raises(CommandRefused, match=r"carl has the case.*Allowed now: .*take --take-over"):
        await office.does(f"case.{operation}", ref="1001-C", yes=True)

    assert await office.bundle() == before
    await office.does("case.take", ref="1001-C", take_over=True)
    await office.does(f"case.{operation}", ref="1001-C", yes=True)


async def test_a_case_that_does_not_exist_is_a_refusal(office: Office) -> None:
    with pytest.raises(CommandRefused, match="there is no case 77-C"):
        await office.does("case.take", ref="77-C")


async def test_one_command_of_a_plan_refused_saves_none_of_it(office: Office) -> None:
    """8.39: asking and waiting are one act."""
    await office.receives(raw_mail())
    before = await office.bundle()

    with pytest.raises(CommandRefused):
        await office.does("case.reply", ref="1001-C", text="Have you one?", to=BOB, wait="the moon")

    assert await office.bundle() == before
    assert await office.mails_to(BOB) == []
    assert BOB not in await office.roles()


# Somebody else saves the case between our look-up and our commit


class Interfered:
    """The office's store; after each of the first looks of whoever has this one, something else happens."""

    def __init__(self, office: Office, meanwhile: Callable[[int], Awaitable[object]], *, rounds: int) -> None:
        self._office = office
        self._meanwhile = meanwhile
        self._rounds = rounds
        self.looks = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._office.store, name)

    async def look_up(self, wanted: Wanted) -> Known:
        known = await self._office.store.look_up(wanted)
        self.looks += 1
        if self.looks <= self._rounds:
            await self._meanwhile(self.looks)
        return known


async def does_in(office: Office, store: Interfered, operation: str, **arguments: Json) -> None:
    world = World(clock=office.clock, entropy=SeededEntropy(8))
    ground = Ground.over(cast("Store", store), office.ring, office.settings.state_folder, world)
    app = App(office.settings, world, ground)
    await app.desk.answer(Request(operation=operation, arguments=arguments, as_="ann"), uid=None, blobs=())


def carl_adds_a_note(office: Office) -> Callable[[int], Awaitable[object]]:
    return lambda look: office.does("case.note", ref="1001-C", text=f"meanwhile {look}", as_="carl")


async def test_a_conflict_is_decided_again_on_the_case_as_it_is_then(office: Office) -> None:
    await office.receives(raw_mail())
    store = Interfered(office, carl_adds_a_note(office), rounds=2)

    await does_in(office, store, "case.take", ref="1001-C")

    assert (await office.case()).status is Status.IN_PROGRESS
    assert (await office.notes(), store.looks) == (["meanwhile 1", "meanwhile 2"], 3)


async def test_a_conflict_without_end_is_given_up_and_changes_nothing(office: Office) -> None:
    await office.receives(raw_mail())
    store = Interfered(office, carl_adds_a_note(office), rounds=100)

    with pytest.raises(Conflict):
        await does_in(office, store, "case.take", ref="1001-C")

    assert ((await office.case()).status, store.looks) == (Status.TO_DO, TRIES)


async def test_a_new_case_whose_requester_writes_at_the_same_moment_is_made_all_the_same(office: Office) -> None:
    store = Interfered(office, lambda _look: office.receives(raw_mail()), rounds=1)

    await does_in(office, store, "case.new", process="enquiry", subject="By phone", requester=MARIE)

    assert [MARIE in await office.roles(ref) for ref in await office.refs()] == [True, True]


async def test_8_35_an_answer_takes_a_free_case(office: Office) -> None:
    await office.receives(raw_mail())

    await office.does("case.reply", ref="1001-C", text="Switch it off")

    case = await office.case()
    assert (case.status, case.holder.assignee, case.new_information) == (Status.IN_PROGRESS, "ann", False)
    assert "Switch it off" in body_of((await office.mails_to(MARIE, "answer"))[0])


async def test_8_35_an_answer_to_somebody_elses_case_changes_no_assignment(office: Office) -> None:
    await office.receives(raw_mail())
    await office.does("case.take", ref="1001-C", as_="carl")

    await office.does("case.reply", ref="1001-C", text="Switch it off")

    assert (await office.case()).holder.assignee == "carl"


async def test_8_35_the_process_may_switch_that_off(office_of: OfficeOf) -> None:
    office = await office_of(SETTINGS.replace("    queue: support\n", "    queue: support\n    answer_takes: false\n"))
    await office.receives(raw_mail())

    await office.does("case.reply", ref="1001-C", text="Switch it off")

    assert (await office.case()).status is Status.TO_DO


async def test_an_answer_carries_its_files(office: Office) -> None:
    await office.receives(raw_mail())

    await office.does(
        "case.reply",
        ref="1001-C",
        text="As attached",
        attachments=[{"name": "how-to.pdf", "type": "application/pdf"}],
        blobs=[b"%PDF"],
    )

    answer = (await office.mails_to(MARIE, "answer"))[0]
    assert [(part.get_filename(), part.get_content()) for part in answer.iter_attachments()] == [
        ("how-to.pdf", b"%PDF")
    ]


async def test_an_answer_needs_somebody_to_write_to(office: Office) -> None:
    await office.does("case.new", process="enquiry", subject="By hand")

    with pytest.raises(CommandRefused, match="--to"):
        await office.does("case.reply", ref="1001-C", text="Hello")


async def test_T1_T2_a_case_by_hand_is_a_draft_until_it_is_submitted(office: Office) -> None:
    """Check 1 of 9.2."""
    await office.does("case.new", process="enquiry", subject="By phone", requester=MARIE, text="She called")
    draft = await office.case()
    await office.does("case.submit", ref="1001-C")
    submitted = await office.case()
    await office.does("case.take", ref="1001-C")

    taken = await office.case()
    assert [case.status for case in (draft, submitted, taken)] == [Status.DRAFT, Status.TO_DO, Status.IN_PROGRESS]
    assert taken.holder.assignee == "ann"
    assert await office.notes() == ["She called"]


async def test_a_case_by_hand_and_its_first_note_are_one_commit(office: Office) -> None:
    """R5: nothing is left half made."""
    await office.does("case.new", process="enquiry", subject="By phone", requester=MARIE, text="She called")

    timeline = (await office.bundle()).timeline
    assert len({recorded.recorded_at for recorded in timeline}) == 1
    assert (await office.case()).version == len(timeline)


async def test_the_people_of_a_case_by_hand_may_answer_it(office: Office) -> None:
    await office.does("case.new", process="enquiry", subject="By phone", requester=MARIE)
    await office.does("case.submit", ref="1001-C")

    row = await office.receives(raw_mail(subject="[1001-C] more"))

    assert row.case_ids == (1001,)


async def test_T6_who_gets_a_case_is_told_with_the_note(office: Office) -> None:
    await office.receives(raw_mail())
    await office.does("case.take", ref="1001-C")

    await office.does("case.assign", ref="1001-C", person="carl", note="Over to you")

    assert (await office.case()).status is Status.TO_DO
    assert "Over to you" in body_of((await office.mails_to(CARL, "assigned"))[0])
    assert await office.mails_to(ANN, "assigned") == []


# ---- the outbox ------------------------------------------------------------------------------------------------------


async def test_a_delivery_is_released_before_the_daemon_has_looked_at_the_hold(
    tmp_path: Path, empty_store: Path
) -> None:
    async with open_office(tmp_path, empty_store) as before:
        await before.receives(raw_mail())
    async with open_office(tmp_path, empty_store, SETTINGS + "outgoing: hold\n") as office:
        first, second = await office.deliveries()

        await office.does("outbox.retry", id=first.id)

        now = office.now
        (claimed,) = await office.store.claim_outbox(now=now, limit_count=9, lease_until=now, holds_others=True)
        assert [delivery.id for delivery in claimed.deliveries] == [first.id]
        assert await office.store.delivery_ids("held") == (second.id,)


async def test_several_deliveries_are_changed_and_those_that_cannot_be_are_named(office: Office) -> None:
    await office.receives(raw_mail())
    first, second = [row.id for row in await office.deliveries()]

    request = Request(operation="outbox.cancel", arguments={"ids": [first, 99, second]}, as_="ann")
    response = await office.app.desk.answer(request, uid=None, blobs=())

    assert response.exit is Exit.REFUSED
    assert response.data == {"done": [first, second], "left": [99]}
    assert response.error == "there is no delivery 99; `mailcase outbox list` shows those there are"
    with pytest.raises(CommandRefused, match=f"delivery {first} is not waiting"):
        await office.does("outbox.cancel", id=first)
    with pytest.raises(CommandRefused, match="ids must be a list of numbers above 0"):
        await office.does("outbox.cancel", ids=[])


async def test_all_deliveries_of_a_state_are_changed_at_once(office_of: OfficeOf) -> None:
    office = await office_of(SETTINGS + "outgoing: hold\n")
    await office.receives(raw_mail())

    released = await office.does("outbox.retry", state="held")

    assert released == {"done": [row.id for row in await office.deliveries()], "left": []}
    assert await office.does("outbox.retry", state="held") == {"done": [], "left": []}
    assert not any(row.is_held for row in await office.deliveries())


# ---- lists and their filters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "arguments", "said"),
    [
        ("case.list", {"queue": "suport"}, "there is no queue 'suport'; there are: support"),
        ("case.list", {"assignee": "zoe"}, "there is no person 'zoe'; there are: ann"),
        ("case.list", {"status": "todo"}, "there is no status 'todo'; there are: draft, to-do"),
        ("mail.list", {"mailbox": "dsk"}, "there is no mailbox 'dsk'; there are: desk"),
        ("mail.list", {"outcome": "lost"}, "there is no outcome 'lost'; there are: new-case"),
        ("outbox.list", {"state": "lost"}, "there is no state 'lost'; there are: queued"),
        ("outbox.retry", {"state": "lost"}, "there is no state 'lost'; there are: queued"),
    ],
)
async def test_a_mistyped_name_is_not_taken_for_no_work(
    office: Office, operation: str, arguments: dict[str, Json], said: str
) -> None:
    request = Request(operation=operation, arguments=arguments, as_="ann")

    with pytest.raises(CommandRefused) as refused:
        await office.app.desk.answer(request, uid=None, blobs=())

    assert str(refused.value).startswith(said)


async def test_ones_list_is_that_of_whoever_asks_and_narrowed_down_by_the_assignee(office: Office) -> None:
    """AS-6."""
    for number in (1, 2):
        await office.receives(raw_mail(subject=f"Mail {number}", message_id=f"m{number}@c.example"))
    await office.does("case.take", ref="1001-C", as_="carl")

    async def refs(as_: str, *, assignee: str | None = None) -> list[str]:
        rows = await office.does("case.list", as_=as_, list="inbox", assignee=assignee)
        assert isinstance(rows, list)
        return sorted(str(row["ref"]) for row in rows if isinstance(row, dict))

    assert await refs("ann") == ["1002-C"]
    assert await refs("carl") == ["1001-C", "1002-C"]
    assert await refs("carl", assignee="carl") == ["1001-C"]
    assert await refs("ann", assignee="carl") == []
