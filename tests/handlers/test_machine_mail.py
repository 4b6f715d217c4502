"""Auto-replies and delivery reports change nothing but what T31 and T9 say (L22, L33; EM-27...EM-29; 8.12)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from email.message import EmailMessage

import pytest
from tests.handlers.office import (
    ANN,
    BOB,
    MARIE,
    SUPPORT,
    Office,
    answer_to,
    bounce_of,
    id_of,
    raw_mail,
    rules,
)

from mailcase.core.case import AttentionCause, Case, Flag, ReopeningCause, Status, StatusReason, WaitType
from mailcase.core.events import MailFiled
from mailcase.store.port import Point
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.inbox import MailRow, Outcome
from mailcase.store.rows.outbox import DeliveryResult, DeliveryState

AUTOMATIC = [("Auto-Submitted", "auto-replied")]


def absence(irt: str = "", number: int = 1) -> bytes:
    return raw_mail(
        subject="Out of office", text=f"I am away. {number}", irt=irt, headers=AUTOMATIC, message_id=f"away{number}@x"
    )


async def draft(office: Office) -> None:
    await office.does("case.new", process="enquiry", subject="By hand", requester=MARIE)


async def to_do(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@x"))
    await office.does("case.read", ref="1001-C")


async def in_progress(office: Office) -> None:
    await to_do(office)
    await office.does("case.take", ref="1001-C")


async def waiting_for_info(office: Office) -> None:
    await in_progress(office)
    await office.does("case.wait", ref="1001-C", info="client")


async def waiting_until(office: Office) -> None:
    await in_progress(office)
    await office.does("case.wait", ref="1001-C", until=(office.now + timedelta(days=9)).isoformat())


async def on_hold(office: Office) -> None:
    await in_progress(office)
    await office.does("case.wait", ref="1001-C", hold=True)


async def resolved(office: Office) -> None:
    await in_progress(office)
    await office.resolved()


async def closed(office: Office) -> None:
    await in_progress(office)
    await office.closed()


Bring = Callable[[Office], Awaitable[None]]
OPEN_STATES: list[Bring] = [draft, to_do, in_progress, waiting_for_info, waiting_until, on_hold, resolved]


# Auto-replies


@pytest.mark.parametrize("bring", OPEN_STATES)
async def test_L22_an_auto_reply_is_filed_and_changes_nothing(office: Office, bring: Bring) -> None:
    """Check 15 of 9.2."""
    await bring(office)
    before, notices = await office.bundle(), await office.notices()
    office.later(hours=1)

    row = await office.receives(raw_mail(subject="Automatic reply: [1001-C]", headers=AUTOMATIC))

    after = await office.bundle()
    assert (row.outcome, row.reason, row.case_ids) == (Outcome.FILED, "machine-mail", (1001,))
    assert [type(recorded.event) for recorded in after.timeline[len(before.timeline) :]] == [MailFiled]
    assert facts(after.case) == facts(before.case)
    assert await office.notices() == notices


def facts(case: Case) -> dict[str, object]:
    """Everything of a case but how many events it has had, and when."""
    return {name: value for name, value in asdict(case).items() if name not in {"version", "last_event_at"}}


async def test_L22_an_auto_reply_to_a_closed_case_stays_on_the_mail_alone(office: Office) -> None:
    await closed(office)
    before = await office.bundle()

    row = await office.receives(absence(irt="m1@x"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.FILED, "machine-mail", ())
    assert await office.bundle() == before
    assert await office.refs() == ["1001-C"]


async def test_L22_an_auto_reply_after_a_held_window_makes_no_case(office: Office) -> None:
    await resolved(office)
    office.later(days=6)

    row = await office.receives(absence(irt="m1@x"))

    assert (row.outcome, (await office.case()).status) == (Outcome.FILED, Status.RESOLVED)
    assert await office.refs() == ["1001-C"]


async def test_EM_29_an_unmatched_auto_reply_makes_a_case_without_acknowledgement(office: Office) -> None:
    row = await office.receives(absence())

    assert (row.outcome, row.reason, row.kind) == (Outcome.NEW_CASE, "routed", "auto-reply")
    assert await office.mails_to(MARIE) == []


# Auto-replies from an address that has no seat on the case


@pytest.mark.parametrize("bring", [to_do, waiting_for_info, resolved])
async def test_EM_27_a_machines_answer_from_another_address_is_filed_and_gives_no_seat(
    office: Office, bring: Bring
) -> None:
    """The mail goes to support@customer.example and the machine answers as noreply@: no case of a stranger's."""
    await bring(office)
    ours = (await office.mails_to(MARIE))[-1]
    before, roles, notices = await office.bundle(), await office.roles(), await office.notices()

    row = await office.receives(answer_to(ours, BOB, to=SUPPORT, headers=AUTOMATIC, message_id="away@elsewhere"))

    after = await office.bundle()
    assert (row.outcome, row.reason, row.case_ids) == (Outcome.FILED, "machine-mail", (1001,))
    assert facts(after.case) == facts(before.case)
    assert (await office.roles(), await office.notices()) == (roles, notices)
    assert after.message_ids == before.message_ids
    assert await office.refs() == ["1001-C"]


async def test_EM_27_an_auto_reply_from_outside_is_filed_by_the_number_in_its_subject(office: Office) -> None:
    await to_do(office)

    row = await office.receives(raw_mail(BOB, subject="Automatic reply: printer [1001-C]", headers=AUTOMATIC))

    assert (row.outcome, row.case_ids, await office.refs()) == (Outcome.FILED, (1001,), ["1001-C"])
    assert BOB not in await office.roles()


async def test_a_machine_that_only_has_such_a_number_in_its_subject_makes_work_of_its_own(office: Office) -> None:
    """Another system may mean a number of its own: its alarm is not put on a case where nobody would see it."""
    await to_do(office)

    alarm = [("Auto-Submitted", "auto-generated")]
    row = await office.receives(raw_mail(BOB, subject="Disk full, see [1001-C]", headers=alarm))

    assert (row.outcome, row.reason, row.kind) == (Outcome.NEW_CASE, "stranger", "notification")


async def test_EM_27_a_machines_answer_from_outside_to_a_closed_case_stays_on_the_mail_alone(office: Office) -> None:
    await closed(office)
    before = await office.bundle()

    row = await office.receives(raw_mail(BOB, irt="m1@x", headers=AUTOMATIC))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.FILED, "machine-mail", ())
    assert await office.bundle() == before
    assert await office.refs() == ["1001-C"]


async def test_L23_a_list_mail_of_a_person_is_appended_and_not_answered(office: Office) -> None:
    listed = [("List-Id", "<printers.example>"), ("Precedence", "list")]
    first = await office.receives(raw_mail(message_id="m1@x", headers=listed))
    second = await office.receives(raw_mail(irt="m1@x", headers=listed))

    assert (first.outcome, second.outcome) == (Outcome.NEW_CASE, Outcome.APPENDED)
    assert await office.mails_to(MARIE) == []


async def test_a_mail_with_our_mark_from_somebody_else_is_never_answered(office: Office) -> None:
    """L24: another address that sends our own notices back to us."""
    await office.receives(raw_mail())
    ours = (await office.mails_to(ANN))[0]
    ours.replace_header("From", BOB)
    ours.replace_header("Message-ID", "<again@elsewhere.example>")

    row = await office.receives(ours.as_bytes())

    assert row.outcome is not Outcome.APPENDED
    assert await office.mails_to(BOB) == []


# Delivery reports


async def bounced(office: Office, *, action: str = "failed", status: str = "5.1.1", to: str = MARIE) -> MailRow:
    mail = (await office.mails_to(to))[-1]
    return await office.receives(bounce_of(mail, to, action=action, status=status), envelope_from="")


async def test_T31_a_bounce_of_our_mail_to_the_requester_reopens_a_resolved_case(office: Office) -> None:
    await resolved(office)

    await bounced(office)

    case = await office.case()
    assert (case.status, case.status_reason) == (Status.TO_DO, StatusReason.MAIL_UNDELIVERABLE)
    assert case.attention is not None
    assert case.attention.cause is AttentionCause.MAIL_UNDELIVERABLE
    assert [entry.cause for entry in case.reopenings] == [ReopeningCause.MAIL_UNDELIVERABLE]
    assert len(case.resolutions) == 1
    assert (await office.notices())[-1] == ("needs-attention", ANN)


@pytest.mark.parametrize("bring", [to_do, in_progress, waiting_for_info, waiting_until])
async def test_T9_a_bounce_stops_the_work(office: Office, bring: Bring) -> None:
    await bring(office)

    await bounced(office)

    case = await office.case()
    assert (case.status, case.flags) == (Status.TO_DO, (Flag.NEEDS_ATTENTION,))


async def test_T9p_a_bounce_flags_a_case_on_hold_which_stays_on_hold(office: Office) -> None:
    await on_hold(office)

    await bounced(office)

    case = await office.case()
    assert (case.wait and case.wait.type, case.flags) == (WaitType.ON_HOLD, (Flag.NEEDS_ATTENTION,))


async def test_T31_a_bounce_on_a_closed_case_is_recorded_on_the_mail_alone(office: Office) -> None:
    await closed(office)
    before = await office.bundle()

    row = await bounced(office)

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.FILED, "bounce-of-ours", ())
    assert await office.bundle() == before


async def test_T31_a_bounce_on_a_draft_changes_nothing(office: Office) -> None:
    await draft(office)
    await office.does("case.reply", ref="1001-C", text="Hello Marie")

    await bounced(office)

    case = await office.case()
    assert (case.status, case.attention) == (Status.DRAFT, None)


async def test_a_bounce_is_never_answered_and_its_trace_says_what_it_was(office: Office) -> None:
    await to_do(office)
    before = len(await office.mails_to(MARIE))

    row = await bounced(office)

    assert (row.outcome, row.reason, row.kind) == (Outcome.FILED, "bounce-of-ours", "bounce")
    assert ("bounce", "the requester cannot be reached") in rules(row)
    assert len(await office.mails_to(MARIE)) == before


async def test_a_bounce_for_an_agent_moves_nothing(office: Office) -> None:
    await resolved(office)
    before = await office.case()

    row = await bounced(office, to=ANN)

    assert (row.outcome, row.case_ids) == (Outcome.FILED, (1001,))
    assert facts(await office.case()) == facts(before)


async def test_L33_a_delay_is_only_filed(office: Office) -> None:
    await resolved(office)

    row = await bounced(office, action="delayed", status="4.4.7")

    assert (row.outcome, row.reason, row.kind) == (Outcome.FILED, "delay-of-ours", "delay")
    assert (await office.case()).status is Status.RESOLVED


def with_another_id(report: bytes, ours: EmailMessage, *, references: bool = True) -> bytes:
    """The report as it comes where a provider has put its own Message-ID into our mail on its way."""
    line = f"References: {ours['References']}\r\n".encode() if references else b""
    replaced = b"Message-ID: <0102018f@eu-west-1.provider.example>\r\n" + line
    return report.replace(f"Message-ID: <{id_of(ours)}>\r\n".encode(), replaced)


async def test_L33_a_bounce_of_a_mail_whose_id_was_replaced_is_known_by_our_signed_case_id(office: Office) -> None:
    await resolved(office)
    mail = (await office.mails_to(MARIE))[-1]
    await sent(office)

    row = await office.receives(with_another_id(bounce_of(mail, MARIE), mail), envelope_from="")

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.FILED, "bounce-of-ours", (1001,))
    assert (await office.case()).status_reason is StatusReason.MAIL_UNDELIVERABLE


async def test_a_bounce_that_is_known_by_the_case_alone_tells_of_nobody_else(office: Office) -> None:
    await resolved(office)
    mail = (await office.mails_to(MARIE))[-1]
    await sent(office)

    row = await office.receives(with_another_id(bounce_of(mail, BOB), mail), envelope_from="")

    assert (row.outcome, row.case_ids, (await office.case()).status) == (Outcome.FILED, (1001,), Status.RESOLVED)


async def test_a_bounce_of_a_mail_whose_id_was_replaced_and_that_names_no_case_is_unhandled(office: Office) -> None:
    await resolved(office)
    mail = (await office.mails_to(MARIE))[-1]

    row = await office.receives(with_another_id(bounce_of(mail, MARIE), mail, references=False), envelope_from="")

    assert (row.outcome, row.reason) == (Outcome.UNHANDLED, "bounce-unmatched")


async def sent(office: Office) -> None:
    """Everything in the outbox has gone out."""
    results = [DeliveryResult(id=row.id, state=DeliveryState.SENT, reply="250 ok") for row in await office.deliveries()]
    await office.store.save(Point.SETTLE, Changes(results=tuple(results)), now=office.now)


async def test_a_report_that_it_was_delivered_is_only_filed(office: Office) -> None:
    await resolved(office)

    row = await bounced(office, action="delivered", status="2.0.0")

    assert (row.outcome, row.reason) == (Outcome.FILED, "machine-mail")
    assert (await office.case()).status is Status.RESOLVED


async def test_S18_a_report_about_a_mail_that_we_never_sent_is_unhandled(office: Office) -> None:
    await resolved(office)
    mail = (await office.mails_to(MARIE))[-1]

    row = await office.receives(bounce_of(mail, MARIE, original_id="never@example.org"))

    assert (row.outcome, row.reason) == (Outcome.UNHANDLED, "bounce-unmatched")
    assert (await office.case()).status is Status.RESOLVED


async def test_S18_a_report_about_another_recipient_moves_nothing(office: Office) -> None:
    await resolved(office)
    mail = (await office.mails_to(MARIE))[-1]

    row = await office.receives(bounce_of(mail, "ceo@customer.example"))

    assert (row.outcome, (await office.case()).status) == (Outcome.FILED, Status.RESOLVED)


async def test_S18_a_report_that_names_the_requester_for_a_mail_to_an_agent_moves_nothing(office: Office) -> None:
    await resolved(office)
    mail = (await office.mails_to(ANN))[-1]

    await office.receives(bounce_of(mail, MARIE))

    assert (await office.case()).status is Status.RESOLVED


async def test_S18_a_customer_who_quotes_a_bounce_writes_a_mail(office: Office) -> None:
    await to_do(office)
    mail = (await office.mails_to(MARIE))[-1]
    quoted = "550 5.1.1 <marie@customer.example>: Recipient address rejected: User unknown"

    row = await office.receives(answer_to(mail, text=quoted))

    assert (row.outcome, (await office.case()).attention) == (Outcome.APPENDED, None)


@pytest.mark.parametrize("action", ["failed", "delayed", "delivered"])
async def test_an_unmatched_report_is_unhandled_and_makes_no_case(office: Office, action: str) -> None:
    await office.receives(raw_mail())
    mail = (await office.mails_to(MARIE))[0]

    row = await office.receives(bounce_of(mail, BOB, action=action, original_id="elsewhere@other.example"))

    assert (row.outcome, row.reason) == (Outcome.UNHANDLED, "bounce-unmatched")
    assert await office.refs() == ["1001-C"]
