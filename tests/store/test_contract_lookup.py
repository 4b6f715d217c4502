"""What every filler of the port must do with the look-up of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.store.saved import BOB, FIRST, SECOND, anchor, save

from mailcase.core.case import CaseId, MailId, PartyId
from mailcase.core.process import Notice
from mailcase.store.port import Store
from mailcase.store.rows.cases import Participant, Party, Role, Taken
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.lookup import SentMail, Wanted

if TYPE_CHECKING:
    from tests.store.conftest import Samples


async def test_a_look_up_of_nothing_knows_nothing(store: Store) -> None:
    known = await store.look_up(Wanted())

    assert (known.cases, known.anchors, known.sent, known.parties, known.seen) == ({}, {}, {}, {}, {})


async def test_a_look_up_finds_the_cases_behind_anchors_and_our_own_mail(store: Store, samples: Samples) -> None:
    await save(store, samples, replace(samples.new_case(1001), anchors=(anchor("m1", 1001),)))
    mail = samples.outgoing(1, 1002, "a@example.net", "b@example.net")
    await save(store, samples, replace(samples.new_case(1002), outgoing=(mail,)))
    await save(store, samples, samples.new_case(1003))

    known = await store.look_up(Wanted(message_ids=frozenset({"m1", mail.message_id})))

    assert known.cases == {FIRST: samples.case(1001), SECOND: samples.case(1002)}
    assert known.subjects == {FIRST: "subject of 1001", SECOND: "subject of 1002"}
    assert known.sent == {
        mail.message_id: SentMail(
            id=mail.id, case_id=SECOND, kind=Notice.ACKNOWLEDGEMENT, addresses=("a@example.net", "b@example.net")
        )
    }


async def test_a_look_up_follows_a_closed_case_to_those_that_continue_it(store: Store, samples: Samples) -> None:
    """8.37, also when the first to continue it has been closed and continued in its turn."""
    await save(store, samples, samples.new_case(1001))
    for number, closed in ((1002, 1001), (1003, 1002)):
        case = samples.continuing(samples.case(number), closed)
        await save(store, samples, replace(samples.new_case(number), cases=(samples.saved(case),)))

    known = await store.look_up(Wanted(case_ids=frozenset({FIRST})))

    assert known.continued_by == {FIRST: (SECOND, CaseId(1003))}
    assert set(known.cases) == {FIRST, SECOND, CaseId(1003)}


async def test_a_circle_of_continuations_ends(store: Store, samples: Samples) -> None:
    for number, closed in ((1001, 1002), (1002, 1001)):
        case = samples.continuing(samples.case(number), closed)
        await save(store, samples, replace(samples.new_case(number), cases=(samples.saved(case),)))

    known = await store.look_up(Wanted(case_ids=frozenset({FIRST})))

    assert known.continued_by == {FIRST: (SECOND,)}


async def test_a_look_up_knows_who_is_on_a_case(store: Store, samples: Samples) -> None:
    eve = Party(id=PartyId(2), address="eve@example.net", name="")
    requester = Party(id=PartyId(3), address="req@example.net", name="Req")
    case = samples.asked_by(samples.case(1001), 3)
    people = tuple(
        Participant(case_id=FIRST, party_id=party.id, role=role)
        for party, role in ((BOB, Role.SEEN), (eve, Role.UNCONFIRMED), (BOB, Role.THIRD_PARTY))
    )
    changes = replace(
        samples.new_case(1001), cases=(samples.saved(case),), parties=(BOB, eve, requester), participants=people
    )

    await save(store, samples, changes)

    known = await store.look_up(Wanted(case_ids=frozenset({FIRST})))
    assert known.participants == {FIRST: {BOB.address: Role.THIRD_PARTY, eve.address: Role.UNCONFIRMED}}
    assert known.parties == {party.address: party for party in (BOB, eve, requester)}
    assert known.party_ids[requester.id] == requester


async def test_the_ids_for_references_are_the_first_and_the_last_ten(store: Store, samples: Samples) -> None:
    seen = [anchor(f"m{number:02}", 1001) for number in range(25)]
    named = [anchor(f"n{number}", 1001, is_seen=False) for number in range(3)]
    doubled = anchor("m00", 1001, address="desk@example.org")
    await save(store, samples, replace(samples.new_case(1001), anchors=(*named, *seen, doubled)))
    await save(store, samples, replace(samples.new_case(1002), anchors=(anchor("other", 1002),)))

    known = await store.look_up(Wanted(case_ids=frozenset({FIRST, SECOND})))

    # The doubled id is the last of the last ten, and is shown where it stood first.
    expected = (*(f"m{number:02}" for number in range(10)), *(f"m{number:02}" for number in range(16, 25)))
    assert known.message_ids == {FIRST: expected, SECOND: ("other",)}
    bundle = await store.bundle(FIRST)
    assert bundle is not None
    assert bundle.message_ids == expected


async def test_a_look_up_tells_with_which_content_an_id_was_seen(store: Store, samples: Samples) -> None:
    """L13: a copied Message-ID must not swallow a mail."""
    await store.accept([samples.mail(1), samples.mail(2)])
    outcomes = (replace(samples.ended(1), message_id="same"), replace(samples.ended(2), message_id="bare"))
    unit = Taken(fingerprint="f", address="", mail_id=MailId(1), case_id=None, arrived_at=samples.at(1))
    await save(store, samples, Changes(outcomes=outcomes, taken=(unit,)))

    known = await store.look_up(Wanted(message_ids=frozenset({"same", "bare", "new"})))

    assert known.seen == {"same": frozenset({"f"}), "bare": frozenset()}


async def test_a_look_up_is_not_bounded_by_the_number_of_variables(store: Store, samples: Samples) -> None:
    await save(store, samples, replace(samples.new_case(1001), anchors=(anchor("m1", 1001),)))
    many = frozenset({f"x{number}" for number in range(40_000)} | {"m1"})

    known = await store.look_up(Wanted(message_ids=many, addresses=many, fingerprints=many))

    assert set(known.cases) == {FIRST}
