"""Mail from agents: until they have a desk of their own, a mailed answer is a note and changes no status."""

from __future__ import annotations

from tests.handlers.office import ANN, CARL, MARIE, SETTINGS, Office, OfficeOf, answer_to, raw_mail, rules

from mailcase.core.case import Status
from mailcase.core.events import MailFiled, NoteAdded
from mailcase.store.rows.inbox import Outcome


async def test_an_agents_mailed_answer_is_filed_as_a_note_and_changes_no_status(office: Office) -> None:
    await office.receives(raw_mail())
    before = await office.bundle()
    notices = await office.notices()

    row = await office.receives(answer_to((await office.mails_to(ANN))[0], ANN, text="I know this printer."))

    after = await office.bundle()
    assert (row.outcome, row.reason, row.case_ids) == (Outcome.FILED, "agent-note", (1001,))
    assert [type(each.event) for each in after.timeline[len(before.timeline) :]] == [MailFiled, NoteAdded]
    assert [note.strip() for note in await office.notes()] == ["I know this printer."]
    assert (after.case.status, after.case.holder) == (before.case.status, before.case.holder)
    assert await office.notices() == notices


async def test_an_agents_note_reopens_nothing(office: Office) -> None:
    """8.15."""
    await office.receives(raw_mail())
    await office.resolved()

    await office.receives(raw_mail(ANN, subject="[1001-C]"))

    assert (await office.case()).status is Status.RESOLVED


async def test_an_agents_answer_to_a_closed_case_is_kept_with_the_mail_and_makes_no_case(office: Office) -> None:
    await office.receives(raw_mail())
    await office.closed()
    before = await office.bundle()

    row = await office.receives(raw_mail(ANN, subject="[1001-C]"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.FILED, "agent-note", ())
    assert ("agent-note", "kept with the mail only") in rules(row)
    assert await office.bundle() == before
    assert await office.refs() == ["1001-C"]


async def test_an_agent_who_asks_as_a_customer_is_answered_and_heard_as_one(office: Office) -> None:
    await office.receives(raw_mail(ANN))
    await office.does("case.take", ref="1001-C", as_="carl")
    await office.does("case.wait", ref="1001-C", info="client", as_="carl")

    row = await office.receives(answer_to((await office.mails_to(ANN, "information-wanted"))[0], ANN))

    assert (row.outcome, (await office.case()).status) == (Outcome.APPENDED, Status.TO_DO)
    assert len(await office.mails_to(ANN, "acknowledgement")) == 1


async def test_somebody_who_has_left_writes_as_anybody_from_outside(office_of: OfficeOf) -> None:
    office = await office_of(SETTINGS.replace("language: fr}", "language: fr, retired: true}"))
    await office.receives(raw_mail())

    row = await office.receives(raw_mail(CARL, subject="[1001-C]"))

    assert (row.outcome, row.reason) == (Outcome.NEW_CASE, "stranger")


async def test_mail_with_our_own_address_as_sender_has_no_seat_by_a_tag(office: Office) -> None:
    await office.receives(raw_mail())

    row = await office.receives(raw_mail("support@example.org", to="sales@example.org", subject="[1001-C]"))

    assert (row.outcome, row.reason) == (Outcome.NEW_CASE, "stranger")


async def test_mail_with_our_own_address_as_sender_is_a_note_where_it_may_join(office: Office) -> None:
    await office.receives(raw_mail())
    signed = str((await office.mails_to(MARIE))[0]["Reply-To"])

    row = await office.receives(raw_mail("sales@example.org", to=signed))

    assert (row.outcome, row.reason) == (Outcome.FILED, "agent-note")
