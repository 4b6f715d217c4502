"""One conversation is one case, in whatever order its mails come in (L18, L20)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.handlers.office import (
    BOB,
    MARIE,
    SALES,
    SETTINGS,
    SUPPORT,
    Office,
    answer_to,
    open_office,
    raw_mail,
    rules,
)

from mailcase.core.case import CaseId, Link, LinkKind, parse_reference
from mailcase.store.rows.inbox import Outcome

EVE = "eve@elsewhere.example"
#: Marie wrote to Bob and Eve; both answer to all, and only now is our address among them.
FROM_BOB = raw_mail(BOB, cc=f"{MARIE}, {EVE}", refs=["unseen@x"], message_id="bob@x", text="I think so")
FROM_EVE = raw_mail(EVE, cc=f"{MARIE}, {BOB}", refs=["unseen@x"], message_id="eve@x", text="I do not")


@pytest.mark.parametrize("order", [(FROM_BOB, FROM_EVE), (FROM_EVE, FROM_BOB)])
async def test_L18_two_mails_that_share_an_ancestor_we_never_saw_are_one_case(
    office: Office, order: tuple[bytes, bytes]
) -> None:
    rows = [await office.receives(raw) for raw in order]

    assert [(row.outcome, row.case_ids) for row in rows] == [(Outcome.NEW_CASE, (1001,)), (Outcome.APPENDED, (1001,))]


@pytest.mark.parametrize("order", [(FROM_BOB, FROM_EVE), (FROM_EVE, FROM_BOB)])
async def test_L18_also_within_one_batch(office: Office, order: tuple[bytes, bytes]) -> None:
    rows = await office.receives_together(*order)

    assert [(row.outcome, row.case_ids) for row in rows] == [(Outcome.NEW_CASE, (1001,)), (Outcome.APPENDED, (1001,))]


async def test_L18_the_ancestor_itself_joins_when_it_comes_last(office: Office) -> None:
    await office.receives(FROM_BOB)

    row = await office.receives(raw_mail(MARIE, cc=f"{BOB}, {EVE}", message_id="unseen@x"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.APPENDED, "named-before", (1001,))


async def test_L18_an_ancestor_that_came_last_is_no_promise_any_more(office: Office) -> None:
    """L13: another mail of that Message-ID is another mail."""
    await office.receives(FROM_BOB)
    await office.receives(raw_mail(MARIE, message_id="unseen@x", text="the ancestor"))

    row = await office.receives(raw_mail(MARIE, message_id="unseen@x", text="another one"))

    assert (row.outcome, row.reason) == (Outcome.NEW_CASE, "routed")


async def test_L18_who_was_not_among_them_does_not_join_by_the_ancestor(office: Office) -> None:
    await office.receives(raw_mail(BOB, refs=["unseen@x"], message_id="bob@x"))

    row = await office.receives(raw_mail(EVE, refs=["unseen@x"], message_id="eve@x"))

    assert (row.outcome, row.reason) == (Outcome.NEW_CASE, "stranger")


async def test_L18_an_unseen_ancestor_that_names_two_siblings_names_both(office: Office) -> None:
    both = f"{SUPPORT}, {SALES}"
    await office.receives(raw_mail(to=both, refs=["unseen@x"], message_id="m1@x"))

    row = await office.receives(raw_mail(to=SALES, refs=["unseen@x"], message_id="m2@x"))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1002,))


async def test_two_cases_that_turn_out_to_be_one_thread_are_linked_and_stay_two(office: Office) -> None:
    await office.receives(raw_mail(refs=["a@x"], message_id="m1@x"))
    await office.receives(raw_mail(refs=["b@x"], message_id="m2@x"))

    row = await office.receives(raw_mail(refs=["a@x", "b@x"], message_id="m3@x"))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1002,))
    assert (await office.case("1002-C")).links == (Link(kind=LinkKind.SAME_THREAD, other=CaseId(1001)),)
    assert ("same-thread", "linked to 1002-C") in rules(row)


async def test_a_thread_is_linked_once(office: Office) -> None:
    await office.receives(raw_mail(refs=["a@x"], message_id="m1@x"))
    await office.receives(raw_mail(refs=["b@x"], message_id="m2@x"))
    await office.receives(raw_mail(refs=["a@x", "b@x"], message_id="m3@x"))

    await office.receives(raw_mail(refs=["a@x", "b@x", "m3@x"], message_id="m4@x"))
    await office.receives(raw_mail(refs=["b@x", "a@x"], message_id="m5@x"))

    links = [(await office.case(ref)).links for ref in await office.refs()]
    assert links == [(), (Link(kind=LinkKind.SAME_THREAD, other=CaseId(1001)),)]


async def test_a_stranger_links_no_case_of_others(office: Office) -> None:
    await office.receives(raw_mail(BOB, message_id="bob@x"))
    await office.receives(raw_mail(message_id="m1@x"))

    await office.receives(raw_mail(refs=["bob@x", "m1@x"], message_id="m2@x"))

    assert (await office.case("1002-C")).links == ()


async def test_L20_a_conversation_that_moves_to_another_address_of_ours_stays_in_its_case(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@x"))

    row = await office.receives(raw_mail(to=SALES, irt="m1@x", message_id="m2@x"))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001,))


async def test_an_answer_to_what_an_agent_wrote_joins(office: Office) -> None:
    await office.receives(raw_mail())
    await office.does("case.reply", ref="1001-C", text="Which one?")

    row = await office.receives(answer_to((await office.mails_to(MARIE, "answer"))[0], to=SUPPORT))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.APPENDED, "in-reply-to", (1001,))


# Any order


@dataclass(frozen=True)
class Thread:
    """Mails of one circle of people, each in answer to some earlier ones, of which we may never see some."""

    #: Per mail the numbers of those it names, nearest last.
    ancestors: tuple[tuple[int, ...], ...]
    seen: tuple[int, ...]
    order: tuple[int, ...]

    def raw(self, number: int) -> bytes:
        circle = [MARIE, BOB, EVE]
        return raw_mail(
            circle[number % 3],
            cc=", ".join(circle),
            message_id=f"m{number}@x",
            refs=[f"m{ancestor}@x" for ancestor in self.ancestors[number]],
            text=f"mail {number}",
        )

    def groups(self) -> set[frozenset[int]]:
        """Seen mails that belong together: one names the other, or both name a third."""
        group = {number: {number} for number in range(len(self.ancestors))}
        for number, named in enumerate(self.ancestors):
            for ancestor in named if number in self.seen else ():
                joined = group[number] | group[ancestor]
                group.update(dict.fromkeys(joined, joined))
        return {frozenset(group[number] & set(self.seen)) for number in self.seen}


@st.composite
def threads(draw: st.DrawFn) -> Thread:
    count = draw(st.integers(2, 7))
    ancestors = tuple(
        tuple(sorted(draw(st.sets(st.integers(0, number - 1), max_size=3)))) if number else ()
        for number in range(count)
    )
    seen = tuple(sorted(draw(st.sets(st.integers(0, count - 1), min_size=1))))
    return Thread(ancestors=ancestors, seen=seen, order=tuple(draw(st.permutations(seen))))


@given(threads(), st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_L18_any_order_of_arrival_gives_the_same_groups(
    empty_store: Path, tmp_path: Path, thread: Thread, in_one_batch: bool
) -> None:
    """A group is the cases joined by `same-thread` links."""
    shutil.rmtree(tmp_path / "example", ignore_errors=True)
    (tmp_path / "example").mkdir()
    async with open_office(tmp_path / "example", empty_store, SETTINGS) as office:
        raws = [thread.raw(number) for number in thread.order]
        rows = await office.receives_together(*raws) if in_one_batch else [await office.receives(raw) for raw in raws]

        cases = dict(zip(thread.order, (row.case_ids for row in rows), strict=True))
        assert all(len(case_ids) == 1 for case_ids in cases.values())
        assert await grouped(office, {number: case_ids[0] for number, case_ids in cases.items()}) == thread.groups()


async def grouped(office: Office, case_of: dict[int, CaseId]) -> set[frozenset[int]]:
    group: dict[CaseId, set[CaseId]] = {}
    for ref in await office.refs():
        case = await office.case(ref)
        group[case.id] = {case.id}
    for ref in await office.refs():
        _join(group, parse_reference(ref), (await office.case(ref)).links)
    return {
        frozenset(number for number, case_id in case_of.items() if case_id in group[named])
        for named in case_of.values()
    }


def _join(group: dict[CaseId, set[CaseId]], case_id: CaseId | None, links: Sequence[Link]) -> None:
    assert case_id is not None
    for link in links:
        assert link.kind is LinkKind.SAME_THREAD
        joined = group[case_id] | group[link.other]
        group.update(dict.fromkeys(joined, joined))
