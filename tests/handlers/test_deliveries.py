"""What became of our mail, and what the case hears of it (T9, T9p, T31)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.handlers.office import ANN, MARIE, SETTINGS, Office, OfficeOf, raw_mail

from mailcase.core.case import AttentionCause, Status, WaitType
from mailcase.handlers.delivery import Attempted, DeliveryHandler
from mailcase.store.rows.outbox import DeliveryResult, DeliveryRow, DeliveryState


async def ends(office: Office, row: DeliveryRow, state: DeliveryState, reply: str = "550 no such user") -> None:
    """The relay has answered. As in the loop: claimed first, then settled."""
    await office.store.claim_outbox(now=office.now, limit_count=100, lease_until=office.now)
    attempted = Attempted(
        result=DeliveryResult(id=row.id, state=state, reply=reply),
        outgoing_id=row.outgoing_id,
        case_id=row.case_id,
        address=row.address,
    )
    await DeliveryHandler(office.app._transactions, limits=office.settings.limits).handle([attempted])


async def to_marie(office: Office) -> DeliveryRow:
    return (await office.deliveries(MARIE))[-1]


async def test_a_delivery_that_went_out_changes_nothing(office: Office) -> None:
    await office.receives(raw_mail())
    before = await office.bundle()

    await ends(office, await to_marie(office), DeliveryState.SENT, "250 ok")

    assert await office.bundle() == before
    assert (await to_marie(office)).state is DeliveryState.SENT


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (DeliveryState.FAILED, AttentionCause.MAIL_UNDELIVERABLE),
        (DeliveryState.UNKNOWN, AttentionCause.MAIL_UNKNOWN),
    ],
)
async def test_T9_mail_that_did_not_reach_the_requester_needs_attention(
    office: Office, state: DeliveryState, cause: AttentionCause
) -> None:
    await office.receives(raw_mail())
    await office.does("case.take", ref="1001-C")
    await office.does("case.wait", ref="1001-C", info="client")

    await ends(office, await to_marie(office), state)

    case = await office.case()
    assert (case.status, case.attention and case.attention.cause) == (Status.TO_DO, cause)
    assert ((await to_marie(office)).state, (await to_marie(office)).last_reply) == (state, "550 no such user")
    assert (await office.notices())[-1] == ("needs-attention", ANN)


async def test_T31_mail_refused_for_good_reopens_a_resolved_case(office: Office) -> None:
    await office.receives(raw_mail())
    await office.resolved()

    await ends(office, await to_marie(office), DeliveryState.FAILED)

    case = await office.case()
    assert (case.status, len(case.reopenings), len(case.resolutions)) == (Status.TO_DO, 1, 1)


async def test_T31_mail_of_unknown_fate_reopens_nothing(office: Office) -> None:
    """Nor does it stand on the timeline: it is recorded on the mail only (T31)."""
    await office.receives(raw_mail())
    await office.resolved()
    before = await office.bundle()

    await ends(office, await to_marie(office), DeliveryState.UNKNOWN)

    assert (await office.bundle()).timeline == before.timeline
    assert (await to_marie(office)).state is DeliveryState.UNKNOWN


async def test_T9p_a_case_on_hold_stays_on_hold(office: Office) -> None:
    await office.receives(raw_mail())
    await office.does("case.wait", ref="1001-C", hold=True)

    await ends(office, await to_marie(office), DeliveryState.FAILED)

    case = await office.case()
    assert (case.wait and case.wait.type, case.attention is not None) == (WaitType.ON_HOLD, True)


async def test_T31_a_closed_case_hears_nothing(office: Office) -> None:
    await office.receives(raw_mail())
    await office.closed()
    before = await office.bundle()

    await ends(office, await to_marie(office), DeliveryState.FAILED)

    assert await office.bundle() == before
    assert (await to_marie(office)).state is DeliveryState.FAILED


async def test_failed_mail_to_an_agent_never_moves_a_case(office: Office) -> None:
    await office.receives(raw_mail())
    await office.resolved()
    before = await office.bundle()

    await ends(office, (await office.deliveries(ANN))[0], DeliveryState.FAILED)

    assert await office.bundle() == before


async def test_a_failure_at_the_address_of_a_trial_says_nothing_about_the_requester(office_of: OfficeOf) -> None:
    office = await office_of(SETTINGS + "outgoing: {redirect: trial@test.example}\n")
    await office.receives(raw_mail())
    before = await office.bundle()

    await ends(office, (await office.deliveries())[0], DeliveryState.FAILED)

    assert await office.bundle() == before


async def test_several_ends_are_settled_in_one_commit(office: Office) -> None:
    await office.receives(raw_mail())
    rows = await office.deliveries()
    await office.store.claim_outbox(now=office.now, limit_count=100, lease_until=office.now)
    results = [DeliveryResult(id=row.id, state=DeliveryState.SENT, reply="250 ok") for row in rows]
    results[0] = replace(results[0], state=DeliveryState.FAILED)

    await DeliveryHandler(office.app._transactions, limits=office.settings.limits).handle(
        [
            Attempted(result=result, outgoing_id=row.outgoing_id, case_id=row.case_id, address=row.address)
            for row, result in zip(rows, results, strict=True)
        ]
    )

    assert [row.state for row in (await office.deliveries())[:2]] == [DeliveryState.FAILED, DeliveryState.SENT]
    assert (await office.case()).attention is not None
