"""Mail from agents: until they have a desk of their own, a mailed answer is a note and changes no status."""

from __future__ import annotations

import pytest
from tests.handlers.office import ANN, CARL, MARIE, SETTINGS, Office, OfficeOf, answer_to, id_of, raw_mail, rules

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


async def test_an_agents_answer_to_a_closed_case_is_shown_as_unhandled_and_makes_no_case(office: Office) -> None:
    await office.receives(raw_mail())
    await office.closed()
    before = await office.bundle()

    row = await office.receives(raw_mail(ANN, subject="[1001-C]"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.UNHANDLED, "agent-on-closed", ())
    assert await office.bundle() == before
    assert await office.refs() == ["1001-C"]


async def test_an_agents_answer_to_a_closed_case_is_a_note_once_another_case_continues_it(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@x"))
    await office.closed()
    row = await office.receives(raw_mail(ANN, subject="[1001-C]"))
    await office.receives(raw_mail(irt="m1@x"))

    await office.does("mail.retry", id=row.id)
    await office.handles()

    again = await office.mail(row.id)
    assert (again.outcome, again.reason, again.case_ids) == (Outcome.FILED, "agent-note", (1002,))


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


# From proves nothing


async def timeline_of(office: Office) -> list[str]:
    shown = await office.does("case.show", ref="1001-C")
    assert isinstance(shown, dict)
    entries = shown["timeline"]
    assert isinstance(entries, list)
    return [str(entry["text"]) for entry in entries if isinstance(entry, dict)]


async def test_S3_a_note_in_an_agents_name_by_a_subject_tag_is_marked_as_unproved(office: Office) -> None:
    await office.receives(raw_mail())

    row = await office.receives(raw_mail(ANN, subject="[1001-C]", text="Close it."))

    assert (row.outcome, row.reason) == (Outcome.FILED, "agent-note")
    assert ("agent-note", "filed as a note, changes no status, marked: From unproved") in rules(row)
    assert (await timeline_of(office))[-1].startswith("(From unproved) Close it.")


async def test_S3_a_note_by_the_reply_address_of_another_is_marked_as_unproved(office: Office) -> None:
    """The requester, too, has had a signed address and our signed case id."""
    await office.receives(raw_mail())

    await office.receives(answer_to((await office.mails_to(MARIE))[0], ANN, text="Close it."))

    assert (await timeline_of(office))[-1].startswith("(From unproved) Close it.")


async def test_a_note_by_the_agents_own_reply_address_is_proved(office: Office) -> None:
    await office.receives(raw_mail())
    signed = str((await office.mails_to(ANN))[0]["Reply-To"])

    await office.receives(raw_mail(ANN, to=signed, text="I know it."))

    assert (await timeline_of(office))[-1].startswith("I know it.")


async def test_a_note_that_answers_our_mail_to_the_agent_is_proved(office: Office) -> None:
    """Where the reply address is plain, the id of a mail that nobody else has had says as much."""
    await office.receives(raw_mail())
    told = (await office.mails_to(ANN))[0]

    await office.receives(raw_mail(ANN, subject="[1001-C]", irt=id_of(told), text="I know it."))

    assert (await timeline_of(office))[-1].startswith("I know it.")


@pytest.mark.parametrize(
    ("server", "text"), [("mx.example.org", "Close it."), ("mx.evil.example", "(From unproved) Close it.")]
)
async def test_S3_a_note_that_our_own_mail_server_vouches_for_is_proved(
    office_of: OfficeOf, server: str, text: str
) -> None:
    office = await office_of(SETTINGS.replace("    addresses:\n", "    authserv_id: mx.example.org\n    addresses:\n"))
    await office.receives(raw_mail())

    verdict = ("Authentication-Results", f"{server}; dmarc=pass header.from=example.org")
    await office.receives(raw_mail(ANN, subject="[1001-C]", text="Close it.", headers=[verdict]))

    assert (await timeline_of(office))[-1].startswith(text)
