"""What every filler of the port must do with cases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.store.saved import BOB, FIRST, SECOND, anchor, save

from mailcase.core.case import CaseId, Flag, Link, LinkKind, MailId, Status, TextId
from mailcase.core.events import FlagRaised
from mailcase.errors import Conflict, PermanentError
from mailcase.store import migrate
from mailcase.store.port import Store
from mailcase.store.rows.cases import CaseFilter, Participant, Role, SavedCase, Taken, Text
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.lookup import Wanted

if TYPE_CHECKING:
    from tests.store.conftest import OpenStore, Samples

# ---- saving


async def test_a_case_is_found_as_it_was_saved(open_store: OpenStore, samples: Samples) -> None:
    store = await open_store()
    await save(store, samples, samples.new_case(1001))
    await store.close()
    store = await open_store()

    bundle = await store.bundle(FIRST)

    assert bundle is not None
    assert bundle.case == samples.case(1001)
    assert bundle.texts == {TextId(1001): "subject of 1001"}
    assert await store.bundle(SECOND) is None


async def test_the_timeline_keeps_the_order_of_the_events(store: Store, samples: Samples) -> None:
    await save(store, samples, samples.new_case(1001))
    raised = FlagRaised(at=samples.at(2), by=samples.opened(samples.case(1001)).by, rule="T23", flag=Flag.WAIT_ENDED)
    later = SavedCase(
        case=samples.case(1001, version=3),
        loaded_version=1,
        events=(samples.noted(7), raised),
        wake_at=None,
        window_at=None,
    )

    await save(store, samples, Changes(cases=(later,)), minutes=5)

    bundle = await store.bundle(FIRST)
    assert bundle is not None
    assert [(line.seq, line.recorded_at, line.event) for line in bundle.timeline] == [
        (1, samples.at(0), samples.opened(samples.case(1001))),
        (2, samples.at(5), samples.noted(7)),
        (3, samples.at(5), raised),
    ]


async def test_a_case_that_somebody_else_saved_is_a_conflict(store: Store, samples: Samples) -> None:
    await save(store, samples, samples.new_case(1001))
    await save(store, samples, samples.new_case(1002))
    await save(store, samples, Changes(cases=(samples.saved(samples.case(1001, version=2), loaded_version=1),)))
    stale = samples.saved(samples.case(1001, version=2, status=Status.CLOSED), loaded_version=1)
    fine = samples.saved(samples.case(1002, version=2), loaded_version=1)

    with pytest.raises(Conflict):
        await save(store, samples, Changes(cases=(fine, stale)))

    cases = (await store.look_up(Wanted(case_ids=frozenset({FIRST, SECOND})))).cases
    assert [case.version for case in cases.values()] == [2, 1]
    assert cases[FIRST].status is Status.TO_DO


async def test_a_number_is_given_to_one_case(store: Store, samples: Samples) -> None:
    await save(store, samples, samples.new_case(1001))

    with pytest.raises(Conflict):
        await save(store, samples, samples.new_case(1001))


async def test_a_message_id_stands_for_one_case(store: Store, samples: Samples) -> None:
    """Two mails of one thread never make two cases; for another routed address it may (EM-30)."""
    await save(store, samples, replace(samples.new_case(1001), anchors=(anchor("m1", 1001, address="a"),)))
    await save(store, samples, replace(samples.new_case(1002), anchors=(anchor("m1", 1002, address="b"),)))

    with pytest.raises(Conflict):
        await save(store, samples, replace(samples.new_case(1003), anchors=(anchor("m1", 1003, address="a"),)))

    known = await store.look_up(Wanted(message_ids=frozenset({"m1", "m2"})))
    assert known.anchors == {"m1": (anchor("m1", 1001, address="a"), anchor("m1", 1002, address="b"))}
    assert await store.bundle(CaseId(1003)) is None


async def test_an_id_that_was_only_named_becomes_seen_and_stays_so(store: Store, samples: Samples) -> None:
    await save(store, samples, replace(samples.new_case(1001), anchors=(anchor("m1", 1001, is_seen=False),)))
    await save(store, samples, Changes(anchors=(anchor("m1", 1001),)))

    await save(store, samples, Changes(anchors=(anchor("m1", 1001, is_seen=False),)))

    known = await store.look_up(Wanted(message_ids=frozenset({"m1"})))
    assert known.anchors == {"m1": (anchor("m1", 1001),)}


async def test_content_is_taken_once_for_an_address(store: Store, samples: Samples) -> None:
    """EM-7, EM-30."""
    await store.accept([samples.mail(1), samples.mail(2)])
    await save(store, samples, samples.new_case(1001))
    unit = Taken(
        fingerprint="f", address="desk@example.org", mail_id=MailId(1), case_id=FIRST, arrived_at=samples.at(1)
    )
    await save(store, samples, Changes(taken=(unit,)))

    with pytest.raises(Conflict):
        await save(store, samples, Changes(taken=(replace(unit, mail_id=MailId(2)),)))

    later = replace(unit, mail_id=MailId(2), case_id=None, replaces=MailId(1))
    sibling = replace(unit, address="sales@example.org", mail_id=MailId(2), case_id=None, arrived_at=samples.at(2))
    await save(store, samples, Changes(taken=(unit, sibling)))
    known = await store.look_up(Wanted(fingerprints=frozenset({"f", "g"})))
    assert known.taken == {"f": (unit, sibling)}

    await save(store, samples, Changes(taken=(later,)))
    known = await store.look_up(Wanted(fingerprints=frozenset({"f"})))
    assert [(taken.mail_id, taken.case_id) for taken in known.taken["f"]] == [(2, None), (2, None)]


async def test_what_does_not_fit_together_is_nobodys_conflict(store: Store, samples: Samples) -> None:
    """Deciding again would not help: a row of a case that does not exist."""
    with pytest.raises(PermanentError):
        await save(store, samples, Changes(texts=(Text(id=TextId(1), case_id=FIRST, text="of nothing"),)))


async def test_a_party_keeps_its_id_when_its_name_changes(store: Store, samples: Samples) -> None:
    await save(store, samples, Changes(parties=(BOB,)))
    renamed = replace(BOB, name="Robert")

    await save(store, samples, Changes(parties=(renamed,)))

    known = await store.look_up(Wanted(addresses=frozenset({BOB.address, "nobody@example.net"})))
    assert known.parties == {BOB.address: renamed}
    assert known.party_ids == {BOB.id: renamed}


async def test_text_from_outside_is_kept_as_far_as_it_can_be(store: Store, samples: Samples) -> None:
    """S15."""
    text = Text(id=TextId(1001), case_id=FIRST, text="a\0b\ud800 é 🙂")

    await save(store, samples, replace(samples.new_case(1001), texts=(text,)))

    known = await store.look_up(Wanted(case_ids=frozenset({FIRST})))
    assert known.subjects == {FIRST: "a\ufffdb\ufffd é 🙂"}


async def test_the_mails_of_a_closed_case_are_shown_on_the_one_that_continues_it(
    store: Store, samples: Samples
) -> None:
    """EM-25."""
    await store.accept([samples.mail(1), samples.mail(2)])
    await save(store, samples, replace(samples.new_case(1001), outcomes=(samples.ended(1, cases=(1001,)),)))
    continuing = replace(
        samples.new_case(1002), outcomes=(samples.ended(2, cases=(1002,)),), copies=((FIRST, SECOND), (FIRST, SECOND))
    )

    await save(store, samples, continuing)

    bundle = await store.bundle(SECOND)
    assert bundle is not None
    assert bundle.mail_ids == (1, 2)


# ---- numbers


async def test_numbers_go_on_where_they_were(open_store: OpenStore, samples: Samples) -> None:
    store = await open_store()
    assert [store.ids.case(), store.ids.case(), store.ids.text(), store.ids.party()] == [1001, 1002, 1, 1]
    mail = samples.outgoing(4, 1002)
    await save(store, samples, replace(samples.new_case(1002), parties=(BOB,), outgoing=(mail,)))
    await store.close()

    store = await open_store()

    assert [store.ids.case(), store.ids.text(), store.ids.party()] == [1003, 1003, 2]
    assert [store.ids.outgoing(), store.ids.delivery()] == [5, 41]


async def test_a_store_tells_the_shape_of_its_tables(store: Store) -> None:
    assert store.revision == migrate.HEAD


# ---- time


async def test_due_cases_come_earliest_first(store: Store, samples: Samples) -> None:
    await save(store, samples, samples.new_case(1001, wake=30))
    await save(store, samples, samples.new_case(1002, wake=10))
    await save(store, samples, samples.new_case(1003, window=20))
    await save(store, samples, samples.new_case(1004, wake=31))
    await save(store, samples, samples.new_case(1005))

    async def due(
        *, now: float = 30, through: float | None = 30, count: int = 9, after: int | None = None
    ) -> list[int]:
        cases = await store.due_cases(
            now=samples.at(now),
            windows_through=None if through is None else samples.at(through),
            limit_count=count,
            after=None if after is None else CaseId(after),
        )
        return [case.id for case in cases]

    assert await due() == [1002, 1003, 1001]
    assert await due(through=None) == [1002, 1001]
    assert await due(through=19) == [1002, 1001]
    assert await due(count=2) == [1002, 1003]
    assert await due(count=2, after=1003) == [1001]
    assert await due(after=1001) == []
    assert await due(after=1004) == [1002, 1003, 1001]
    assert await due(after=1005) == [1002, 1003, 1001]
    assert await due(now=9, through=19) == []


async def test_a_case_that_is_due_twice_comes_once(store: Store, samples: Samples) -> None:
    await save(store, samples, samples.new_case(1001, wake=20, window=10))
    await save(store, samples, samples.new_case(1002, wake=15))

    cases = await store.due_cases(now=samples.at(30), windows_through=samples.at(30), limit_count=9)

    assert [case.id for case in cases] == [1001, 1002]
    after = await store.due_cases(now=samples.at(30), windows_through=samples.at(30), limit_count=9, after=SECOND)
    assert after == ()


async def test_the_next_wake_is_the_least_of_each_kind(store: Store, samples: Samples) -> None:
    assert await store.next_wake() == (None, None)
    await save(store, samples, samples.new_case(1001, wake=30, window=50))
    await save(store, samples, samples.new_case(1002, wake=20, window=60))

    assert await store.next_wake() == (samples.at(20), samples.at(50))


async def test_windows_that_ended_by_the_clock_are_told(store: Store, samples: Samples) -> None:
    """Held back until the mail was read past their end."""
    await save(store, samples, samples.new_case(1001, window=30))
    await save(store, samples, samples.new_case(1002, window=20))
    await save(store, samples, samples.new_case(1003, window=31))

    assert await store.held_windows(now=samples.at(30)) == ((SECOND, samples.at(20)), (FIRST, samples.at(30)))


async def test_deadlines_computed_anew_hold_only_for_the_version_they_were_computed_for(
    store: Store, samples: Samples
) -> None:
    await save(store, samples, samples.new_case(1001, wake=30))
    await save(store, samples, samples.new_case(1002, wake=40))

    await store.save_deadlines([(FIRST, 1, None, samples.at(50)), (SECOND, 7, samples.at(1), None)])

    assert await store.next_wake() == (samples.at(40), samples.at(50))


async def test_open_cases_are_walked_by_number(store: Store, samples: Samples) -> None:
    for number in (1001, 1002, 1003):
        await save(store, samples, samples.new_case(number))
    closed = samples.saved(samples.case(1002, version=2, status=Status.CLOSED), loaded_version=1)
    await save(store, samples, Changes(cases=(closed,)))

    first = await store.open_cases(after=None, limit_count=1)
    rest = await store.open_cases(after=first[-1].id, limit_count=9)

    assert [case.id for case in (*first, *rest)] == [1001, 1003]
    assert await store.processes_in_use() == {"enquiry": 2}


# ---- the operator's desk


async def test_cases_are_listed_by_what_is_asked_newest_change_first(store: Store, samples: Samples) -> None:
    asked = samples.asked_by(samples.owned_by(samples.case(1001), "ann"), 1)
    mine = samples.held_by(samples.case(1002), "ann")
    closed = samples.case(1003, status=Status.CLOSED)
    for minutes, case in enumerate((asked, mine, closed)):
        await save(
            store,
            samples,
            replace(samples.new_case(case.id), cases=(samples.saved(case),), parties=(BOB,)),
            minutes=minutes,
        )

    async def listed(wanted: CaseFilter) -> list[int]:
        return [bundle.case.id for bundle in await store.list_cases(wanted)]

    assert await listed(CaseFilter()) == [1003, 1002, 1001]
    assert await listed(CaseFilter(limit=2)) == [1003, 1002]
    assert await listed(CaseFilter(after=CaseId(1003))) == [1002, 1001]
    assert await listed(CaseFilter(status="to-do", after=CaseId(1002), limit=5)) == [1001]
    assert await store.count_cases(CaseFilter(limit=1)) == 3
    assert await store.count_cases(CaseFilter(status="to-do", after=CaseId(1002))) == 1
    assert await listed(CaseFilter(status="to-do")) == [1002, 1001]
    assert await listed(CaseFilter(queue="support", status="closed")) == [1003]
    assert await listed(CaseFilter(assignee="ann")) == [1002]
    assert await listed(CaseFilter(owner="ann")) == [1001]
    assert await listed(CaseFilter(requester=BOB.address)) == [1001]
    assert await listed(CaseFilter(requester="nobody@example.net")) == []
    assert await listed(CaseFilter(list_name="inbox")) == [1002]
    assert await listed(CaseFilter(list_name="nonsense")) == []


async def test_the_list_of_a_person_is_his_own_and_that_of_his_queues(store: Store, samples: Samples) -> None:
    """2.4: whoever has the case, else who owns it, else its queue."""
    flagged = replace(samples.case(1001), new_information=True)
    cases = (
        flagged,
        samples.held_by(flagged, "ann"),
        samples.owned_by(flagged, "ann"),
        samples.owned_by(samples.held_by(flagged, "bob"), "ann"),
        samples.owned_by(samples.case(1001), "ann"),
    )
    for number, sample in enumerate(cases, start=1001):
        case = replace(sample, id=CaseId(number), subject=TextId(number))
        await save(store, samples, replace(samples.new_case(number), cases=(samples.saved(case),)), minutes=number)

    async def listed(list_name: str, person: str, *queues: str) -> list[int]:
        wanted = CaseFilter(list_name=list_name, list_of=person, list_queues=queues)
        return [bundle.case.id for bundle in await store.list_cases(wanted)]

    assert await listed("inbox", "ann", "support") == [1003, 1002, 1001]
    assert await listed("inbox", "ann") == [1003, 1002]
    assert await listed("inbox", "bob", "sales") == [1004]
    assert await listed("owned", "ann", "support") == [1005]


async def test_a_case_shows_who_links_to_it(store: Store, samples: Samples) -> None:
    await save(store, samples, samples.new_case(1001))
    case = samples.continuing(samples.case(1002), 1001)
    stranger = replace(case, links=(*case.links, Link(kind=LinkKind.STRANGER, other=FIRST)))
    await save(store, samples, replace(samples.new_case(1002), cases=(samples.saved(stranger),)))

    first, second = await store.bundle(FIRST), await store.bundle(SECOND)

    assert first is not None
    assert second is not None
    assert first.linked_from == ((SECOND, LinkKind.CONTINUES), (SECOND, LinkKind.STRANGER))
    assert second.linked_from == ()


async def test_a_listed_case_has_its_subject_and_its_people(store: Store, samples: Samples) -> None:
    case = samples.asked_by(samples.case(1001), 1)
    people = (Participant(case_id=FIRST, party_id=BOB.id, role=Role.REQUESTER),)
    await save(
        store,
        samples,
        replace(samples.new_case(1001), cases=(samples.saved(case),), parties=(BOB,), participants=people),
    )
    await save(store, samples, samples.new_case(1002))

    second, first = await store.list_cases(CaseFilter())

    assert (first.texts, first.parties, first.participants) == (
        {TextId(1001): "subject of 1001"},
        {BOB.id: BOB},
        ((BOB, Role.REQUESTER),),
    )
    assert (second.texts, second.parties, second.participants) == ({TextId(1002): "subject of 1002"}, {}, ())
    assert first.timeline == ()
