"""What goes out: who gets which notice, in which language, with which headers (NT-1, NT-2, EM-70, EM-71, EM-80)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.handlers.office import (
    ANN,
    BOB,
    CARL,
    MARIE,
    SALES,
    SETTINGS,
    SUPPORT,
    Office,
    OfficeOf,
    addresses,
    answer_to,
    body_of,
    id_of,
    ids_in,
    open_office,
    raw_mail,
)

from mailcase.config.settings import MaildirRelay
from mailcase.core.case import Status
from mailcase.errors import CommandRefused
from mailcase.handlers.delivery import DeliveryHandler
from mailcase.mail import signing
from mailcase.outbound.maildir import MaildirOutbox
from mailcase.store.rows.inbox import Outcome
from mailcase.store.rows.outbox import DeliveryState

# Who gets what


async def test_a_new_case_tells_the_requester_and_the_leader_of_the_queue(office: Office) -> None:
    await office.receives(raw_mail())

    assert await office.notices() == [("acknowledgement", MARIE), ("new-in-queue", ANN)]


async def test_NT_2_a_queue_without_leader_tells_all_its_people(office: Office) -> None:
    await office.receives(raw_mail(to=SALES))

    assert await office.notices() == [("acknowledgement", MARIE), ("new-in-queue", CARL)]


async def test_nobody_is_told_of_what_they_did_themselves(office: Office) -> None:
    await office.receives(raw_mail())
    before = await office.mails_to(ANN)

    await office.does("case.take", ref="1001-C")
    await office.does("case.release", ref="1001-C")

    assert len(await office.mails_to(ANN)) == len(before)


async def test_the_life_of_a_case_in_notices(office: Office) -> None:
    await office.receives(raw_mail())
    await office.does("case.assign", ref="1001-C", person="carl", note="You know it")
    await office.does("case.take", ref="1001-C", as_="carl")
    await office.does("case.wait", ref="1001-C", info="client", as_="carl")
    await office.receives(answer_to((await office.mails_to(MARIE))[-1]))
    await office.does("case.attention", ref="1001-C", reason="No spare part")
    await office.does("case.progress", ref="1001-C", as_="carl")
    await office.does("case.resolve", ref="1001-C", as_="carl")

    assert (await office.notices())[2:] == [
        ("assigned", CARL),
        ("information-wanted", MARIE),
        ("new-information", CARL),
        ("needs-attention", CARL),
        ("resolved", MARIE),
    ]
    assert "You know it" in body_of((await office.mails_to(CARL, "assigned"))[0])
    assert "No spare part" in body_of((await office.mails_to(CARL, "needs-attention"))[0])
    assert "client" in body_of((await office.mails_to(MARIE, "information-wanted"))[0])


async def test_only_reasons_that_ask_the_requester_do_so(office: Office) -> None:
    await office.receives(raw_mail())

    await office.does("case.wait", ref="1001-C", info="third party")

    assert [notice for notice, to in await office.notices() if to == MARIE] == ["acknowledgement"]


async def test_notices_can_be_switched_per_process(office_of: OfficeOf) -> None:
    office = await office_of(
        SETTINGS.replace(
            "    queue: support\n", "    queue: support\n    notices: {acknowledgement: false, closed: true}\n"
        )
    )
    await office.receives(raw_mail())
    await office.closed()

    assert [notice for notice, to in await office.notices() if to == MARIE] == ["resolved", "closed"]


async def test_EM_80_an_answer_leaves_from_the_address_that_was_written_to(office: Office) -> None:
    await office.receives(raw_mail(to=SALES))
    await office.does("case.reply", ref="1001-C", text="Here is our offer", as_="carl")

    answer = (await office.mails_to(MARIE, "answer"))[0]
    assert str(answer["From"]) == "Example Sales <sales@example.org>"
    assert addresses(answer["Reply-To"])[0].startswith("sales+c1001.")


async def test_a_case_made_by_hand_is_acknowledged_when_it_is_submitted(office: Office) -> None:
    await office.does("case.new", process="offer", subject="By phone", requester=MARIE, as_="carl")
    before = await office.notices()
    await office.does("case.submit", ref="1001-C", as_="carl")

    assert before == []
    assert [str(mail["From"]) for mail in await office.mails_to(MARIE)] == ["Example Sales <sales@example.org>"]


async def test_what_somebody_who_has_left_still_has_is_told_to_the_queue(tmp_path: Path, empty_store: Path) -> None:
    async with open_office(tmp_path, empty_store) as office:
        await office.receives(raw_mail(message_id="m1@x"))
        await office.does("case.take", ref="1001-C", as_="carl")

    without_carl = SETTINGS.replace("language: fr}", "language: fr, retired: true}")
    async with open_office(tmp_path, empty_store, without_carl) as office:
        await office.receives(raw_mail(irt="m1@x"))

        assert (await office.notices())[-1] == ("new-information", ANN)


# Languages


async def test_each_address_has_its_language_and_each_person_too(office_of: OfficeOf) -> None:
    office = await office_of(SETTINGS.replace("{name: Example Sales}", "{name: Ventes, language: fr}"))

    await office.receives(raw_mail(to=f"{SUPPORT}", message_id="m1@x"))
    await office.receives(raw_mail(to=SALES, message_id="m2@x"))

    english, french = await office.mails_to(MARIE)
    assert "Thank you for your message" in body_of(english)
    assert "Bonjour" in body_of(french)
    assert "Bonjour" in body_of((await office.mails_to(CARL))[0])


# Hold and redirect: nothing reaches a customer by accident


async def test_with_redirect_every_mail_goes_elsewhere_and_still_says_to_whom_it_was(office_of: OfficeOf) -> None:
    office = await office_of(SETTINGS + "outgoing: {redirect: trial@test.example}\n")

    await office.receives(raw_mail())

    assert {to for _, to in await office.notices()} == {"trial@test.example"}
    assert addresses((await office.mails_to("trial@test.example"))[0]["To"]) == [MARIE]


async def test_with_hold_every_mail_waits_for_the_operator(office_of: OfficeOf) -> None:
    office = await office_of(SETTINGS + "outgoing: hold\n")

    await office.receives(raw_mail())

    rows = await office.deliveries()
    assert {(row.state, row.is_held) for row in rows} == {(DeliveryState.QUEUED, True)}
    claimed = await office.store.claim_outbox(now=office.now, limit_count=10, lease_until=office.now)
    assert claimed == ()


async def test_with_hold_what_was_written_before_the_trial_waits_too(tmp_path: Path, empty_store: Path) -> None:
    async with open_office(tmp_path, empty_store) as before:
        await before.receives(raw_mail())
    async with open_office(tmp_path, empty_store, SETTINGS + "outgoing: hold\n") as office:
        handler = DeliveryHandler(office.app._transactions, limits=office.settings.limits)
        (worker,) = office.app._outbox_workers(handler)  # the daemon makes the same one
        assert isinstance(office.settings.relay, MaildirRelay)
        async with MaildirOutbox(office.settings.relay).session() as session:
            assert not await worker.work_once(session)

        rows = await office.deliveries()
        assert [(row.state, row.is_held) for row in rows] == [(DeliveryState.QUEUED, True)] * 2


# Attachments


async def test_a_notice_carries_the_files_up_to_the_limit_and_names_the_others(office_of: OfficeOf) -> None:
    office = await office_of(SETTINGS + "limits: {notice_attachment_bytes: 1000}\n")

    await office.receives(
        raw_mail(files=[("small.pdf", b"a" * 600), ("big.pdf", b"b" * 600), ("tiny.pdf", b"c" * 300)])
    )

    notice = (await office.mails_to(ANN))[0]
    assert [part.get_filename() for part in notice.iter_attachments()] == ["small.pdf", "tiny.pdf"]
    assert "big.pdf" in body_of(notice)


async def test_a_file_that_is_not_packed_is_measured_as_it_is(office_of: OfficeOf) -> None:
    office = await office_of(SETTINGS + "limits: {notice_attachment_bytes: 1000}\n")
    raw = raw_mail(files=[("x.txt", b"")]).replace(
        b'filename="x.txt"\r\nContent-Transfer-Encoding: base64\r\n\r\n', b'filename="x.txt"\r\n\r\n' + b"a" * 1200
    )

    await office.receives(raw)

    assert [part.get_filename() for part in (await office.mails_to(ANN))[0].iter_attachments()] == []


async def test_the_requester_gets_none_of_his_files_back(office: Office) -> None:
    await office.receives(raw_mail(files=[("smoke.pdf", b"%PDF")]))

    assert list((await office.mails_to(MARIE))[0].iter_attachments()) == []


# Threads


async def test_the_acknowledgement_answers_the_mail_and_says_that_a_machine_wrote_it(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@customer.example"))

    mail = (await office.mails_to(MARIE))[0]
    assert ids_in(mail, "In-Reply-To") == ["m1@customer.example"]
    assert ids_in(mail, "References")[-1] == "m1@customer.example"
    assert (str(mail["Auto-Submitted"]), "[1001-C]" in str(mail["Subject"])) == ("auto-replied", True)


async def test_later_mail_names_the_whole_conversation_and_our_signed_case_id(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@customer.example"))
    acknowledgement = (await office.mails_to(MARIE))[0]
    await office.receives(answer_to(acknowledgement, message_id="m2@customer.example"))

    await office.does("case.reply", ref="1001-C", text="Which one?")

    answer = (await office.mails_to(MARIE, "answer"))[0]
    references = ids_in(answer, "References")
    assert {"m1@customer.example", id_of(acknowledgement), "m2@customer.example"} <= set(references)
    assert references.index("m1@customer.example") < references.index("m2@customer.example")
    assert [ref for ref in references if ref.startswith("c1001.")] != []
    assert answer["Auto-Submitted"] is None


async def test_the_reply_address_of_each_mail_proves_its_case_and_of_agents_the_person_too(office: Office) -> None:
    await office.receives(raw_mail())

    proofs = [
        signing.verify_reply_address(
            office.ring,
            addresses((await office.mails_to(to))[0]["Reply-To"])[0],
            now=office.now,
            lifetime=office.settings.limits.key_lifetime,
        )
        for to in (MARIE, ANN)
    ]

    assert [(proof.case_id, proof.bound_to) for proof in proofs if isinstance(proof, signing.SignedName)] == [
        (1001, None),
        (1001, "ann"),
    ]


async def test_L24_the_subject_does_not_grow_from_turn_to_turn(office: Office) -> None:
    await office.receives(raw_mail())
    await office.receives(answer_to((await office.mails_to(MARIE))[-1]))

    await office.does("case.reply", ref="1001-C", text="And?")

    assert str((await office.mails_to(MARIE))[-1]["Subject"]) == "Re: My printer smokes [1001-C]"


# What cannot be written


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """Settings with a template of the operator's own that fails."""
    folder = tmp_path / "own" / "en"
    folder.mkdir(parents=True)
    for name in ("acknowledgement", "closed", "answer"):
        (folder / f"{name}.txt.j2").write_text("Hello {{ nobody }}\n", encoding="utf-8")
    return (
        SETTINGS.replace("    queue: support\n", "    queue: support\n    notices: {closed: true}\n")
        + "templates: own\n"
    )


async def test_a_broken_template_costs_no_case_and_stands_on_its_timeline(office_of: OfficeOf, broken: str) -> None:
    office = await office_of(broken)

    row = await office.receives(raw_mail())

    assert (row.outcome, await office.mails_to(MARIE)) == (Outcome.NEW_CASE, [])
    assert (await office.notices()) == [("new-in-queue", ANN)]
    note = (await office.notes())[0]
    assert "The notice acknowledgement could not be written" in note
    assert "acknowledgement.txt.j2:1" in note


async def test_a_broken_template_does_not_change_who_is_said_to_have_done_it(office_of: OfficeOf, broken: str) -> None:
    office = await office_of(broken)
    await office.does("case.new", process="enquiry", subject="By hand", requester=MARIE, as_="carl")

    await office.does("case.submit", ref="1001-C", as_="carl")

    assert "Carl Roux" in body_of((await office.mails_to(ANN, "new-in-queue"))[0])


async def test_ST_5_a_broken_template_adds_nothing_to_a_closed_case(office_of: OfficeOf, broken: str) -> None:
    office = await office_of(broken)
    await office.receives(raw_mail())
    notes = await office.notes()

    await office.closed()

    assert (await office.case()).status is Status.CLOSED
    assert await office.notes() == notes


async def test_a_broken_template_of_answers_refuses_the_answer(office_of: OfficeOf, broken: str) -> None:
    office = await office_of(broken)
    await office.receives(raw_mail())
    before = await office.bundle()

    with pytest.raises(CommandRefused, match="the template of answers is broken"):
        await office.does("case.reply", ref="1001-C", text="Hello")

    assert await office.bundle() == before


async def test_T27_the_owner_is_told_that_somebody_else_reopened_the_case_and_only_once(office: Office) -> None:
    await office.receives(raw_mail())
    await office.does("case.take", ref="1001-C")
    await office.resolved()
    count = len(await office.notices())

    await office.does("case.reopen", ref="1001-C", as_="carl")

    assert (await office.notices())[count:] == [("returned", ANN)]
    mail = (await office.mails_to(ANN))[-1]
    assert "Carl Roux has reopened this case" in body_of(mail)


@pytest.mark.parametrize(
    ("operation", "arguments", "words"),
    [
        ("case.take", {"take_over": True}, "Carl Roux has taken this case over from you"),
        ("case.assign", {"person": "dora"}, "Carl Roux has given this case to Dora"),
        ("case.release", {}, "Carl Roux has put this case back into the queue support"),
        ("case.wait", {"info": "client"}, "Carl Roux has taken this case over from you"),
    ],
)
async def test_AS10_whoever_loses_a_case_is_told_by_whom_and_what_became_of_it(
    office_of: OfficeOf, operation: str, arguments: dict[str, Any], words: str
) -> None:
    dora = "queues: {support"
    office = await office_of(SETTINGS.replace(dora, f"  dora: {{name: Dora, address: dora@example.org}}\n{dora}"))
    await office.receives(raw_mail())
    await office.does("case.take", ref="1001-C")
    count = len(await office.mails_to(ANN))

    await office.does(operation, ref="1001-C", as_="carl", **arguments)

    (mail,) = (await office.mails_to(ANN))[count:]
    assert mail["Subject"] == "No longer yours: My printer smokes [1001-C]"
    assert words in " ".join(body_of(mail).split())


async def test_T21_the_end_of_a_wait_by_a_colleague_is_not_called_a_follow_up_date(office: Office) -> None:
    await office.receives(raw_mail())
    await office.does("case.take", ref="1001-C")
    await office.does("case.wait", ref="1001-C")

    await office.does("case.todo", ref="1001-C", as_="carl")

    text = body_of((await office.mails_to(ANN, "wait-over"))[-1])
    assert "Carl Roux has ended the wait of this case." in text
    assert "follow-up date" not in text


async def test_a_requester_whose_address_cannot_be_written_to_is_noted(office: Office) -> None:
    row = await office.receives(raw_mail("Zoé <zoé@customer.example>"))

    assert row.outcome is Outcome.NEW_CASE
    assert [notice for notice, _ in await office.notices()] == ["new-in-queue"]
    assert any("cannot be written to" in note for note in await office.notes())


async def test_S5_text_of_mail_is_never_a_template(office: Office) -> None:
    await office.receives(raw_mail(subject="{{ 7 * 7 }}", text="{% for x in y %}"))

    mail = (await office.mails_to(ANN))[0]
    assert "{{ 7 * 7 }}" in str(mail["Subject"])
    assert "{% for x in y %}" in body_of(mail)


async def test_no_header_is_injected_by_a_subject(office: Office) -> None:
    await office.receives(raw_mail(subject=f"=?utf-8?q?hello=0D=0ABcc:_{BOB}?="))

    for mail in [*await office.mails_to(MARIE), *await office.mails_to(ANN)]:
        assert mail["Bcc"] is None
        assert addresses(mail["To"])[0] in (MARIE, ANN)


async def test_L36_a_reply_to_of_another_domain_is_shown_to_agents(office: Office) -> None:
    await office.receives(raw_mail(headers=[("Reply-To", "phisher@evil.example")]))

    assert "phisher@evil.example" in body_of((await office.mails_to(ANN))[0])
    assert await office.mails_to("phisher@evil.example") == []
