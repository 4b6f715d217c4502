"""A person answers from the shell: in the thread, and at once a wait (8.35, 8.39)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.handlers.office import CARL, MARIE, Office, answer_to, body_of, id_of, ids_in, raw_mail

from mailcase.core.case import Status, WaitType
from mailcase.errors import CommandRefused
from mailcase.mail import signing
from mailcase.store.rows.cases import Role
from mailcase.store.rows.inbox import Outcome

THIRD_PARTY = "parts@supplier.example"


async def test_8_35_an_answer_takes_a_case_that_nobody_has(office: Office) -> None:
    await office.receives(raw_mail())

    await office.does("case.reply", ref="1001-C", text="Is it plugged in?")

    case = await office.case()
    assert (case.status, case.holder.assignee) == (Status.IN_PROGRESS, "ann")
    (answer,) = await office.mails_to(MARIE, "answer")
    assert "Is it plugged in?" in body_of(answer)


async def test_an_answer_that_waits_asks_with_one_mail(office: Office) -> None:
    """The person's mail asks; the daemon does not ask a second time."""
    await office.receives(raw_mail())

    await office.does("case.reply", ref="1001-C", text="Which one?", wait="client")

    case = await office.case()
    assert case.wait is not None
    assert (case.status, case.wait.type, case.wait.reason) == (Status.WAITING, WaitType.MORE_INFO, "client")
    assert len(await office.mails_to(MARIE, "answer")) == 1
    assert await office.mails_to(MARIE, "information-wanted") == []


async def test_8_39_a_third_party_is_asked_and_its_answer_ends_the_wait(office: Office) -> None:
    await office.receives(raw_mail())

    await office.does("case.reply", ref="1001-C", text="Do you have the part?", to=THIRD_PARTY, wait="third party")
    (question,) = await office.mails_to(THIRD_PARTY)
    row = await office.receives(answer_to(question, THIRD_PARTY))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001,))
    assert (await office.case()).status is Status.TO_DO
    assert (await office.roles())[THIRD_PARTY] is Role.THIRD_PARTY


async def test_8_39_a_case_that_waits_already_can_be_asked_about_again(office: Office) -> None:
    await office.receives(raw_mail())
    await office.does("case.reply", ref="1001-C", text="Do you have the part?", to=THIRD_PARTY, wait="third party")

    await office.does("case.reply", ref="1001-C", text="And you?", to="other@supplier.example", wait="third party")

    assert len(await office.mails_to("other@supplier.example")) == 1
    assert (await office.case()).status is Status.WAITING


async def test_what_the_only_leader_gives_back_is_told_to_the_others(office: Office) -> None:
    """NT-2: returned work is never announced to nobody."""
    await office.receives(raw_mail())
    await office.does("case.take", ref="1001-C")

    await office.does("case.release", ref="1001-C")

    assert len(await office.mails_to(CARL, "new-in-queue")) == 1


async def test_an_answer_whose_wait_is_refused_sends_nothing(office: Office) -> None:
    """One act, one transaction."""
    await office.receives(raw_mail())

    with pytest.raises(CommandRefused, match="client"):
        await office.does("case.reply", ref="1001-C", text="Which one?", wait="weather")

    assert await office.mails_to(MARIE, "answer") == []
    assert (await office.case()).status is Status.TO_DO


async def test_the_customers_thread_names_no_mail_that_only_agents_got(office: Office) -> None:
    """In-Reply-To of our answer is the customer's last mail or our last to her, never a notice to an agent."""
    await office.receives(raw_mail(message_id="m1@customer.example"))
    (acknowledgement,) = await office.mails_to(MARIE)
    await office.receives(answer_to(acknowledgement, message_id="m2@customer.example"))
    agents = {id_of(await office.written(row)) for row in await office.deliveries() if row.address != MARIE}

    await office.does("case.reply", ref="1001-C", text="We will come.")

    (answer,) = await office.mails_to(MARIE, "answer")
    assert agents
    assert ids_in(answer, "In-Reply-To") == ["m2@customer.example"]
    assert not agents & set(ids_in(answer, "References"))


async def test_mail_to_a_third_party_names_nothing_of_the_requesters_thread(office: Office) -> None:
    """Whom it is for, and through whom the requester's mail went, is none of the supplier's business."""
    await office.receives(raw_mail(message_id="m1@customer.example", refs=["m0@customer.example"]))

    await office.does("case.reply", ref="1001-C", text="Do you have the part?", to=THIRD_PARTY)
    await office.does("case.reply", ref="1001-C", text="And when?", to=THIRD_PARTY)

    for question in await office.mails_to(THIRD_PARTY):
        assert question["In-Reply-To"] is None
        (only,) = ids_in(question, "References")
        assert signing.verify_thread_name(office.ring, only, now=office.now, lifetime=timedelta(days=1)) is not None


async def test_mail_to_the_requester_names_nothing_of_a_third_partys_thread(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@customer.example"))
    (acknowledgement,) = await office.mails_to(MARIE)
    await office.does("case.reply", ref="1001-C", text="Do you have the part?", to=THIRD_PARTY)
    (question,) = await office.mails_to(THIRD_PARTY)
    await office.receives(answer_to(question, THIRD_PARTY, message_id="p1@supplier.example"))

    await office.does("case.reply", ref="1001-C", text="It is on its way.")

    (answer,) = await office.mails_to(MARIE, "answer")
    assert ids_in(answer, "In-Reply-To") == [id_of(acknowledgement)]
    assert not {id_of(question), "p1@supplier.example"} & set(ids_in(answer, "References"))


async def test_8_39_a_third_party_that_answers_by_its_thread_alone_joins(office: Office) -> None:
    await office.receives(raw_mail())
    await office.does("case.reply", ref="1001-C", text="Do you have the part?", to=THIRD_PARTY)
    (question,) = await office.mails_to(THIRD_PARTY)
    first = await office.receives(raw_mail(THIRD_PARTY, irt=id_of(question), message_id="p1@supplier.example"))

    second = await office.receives(raw_mail(THIRD_PARTY, irt="p1@supplier.example"))

    assert (first.reason, first.case_ids) == ("in-reply-to", (1001,))
    assert (second.reason, second.case_ids) == ("in-reply-to", (1001,))


async def test_a_mail_cannot_be_sent_to_what_is_no_address(office: Office) -> None:
    await office.receives(raw_mail())

    with pytest.raises(CommandRefused, match="address"):
        await office.does("case.reply", ref="1001-C", text="Hello", to="x@y>\r\nRCPT TO:<v@x")
