"""`mailcase status` over a real store and a running daemon: what it counts, and what it calls an operator for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.house import START, House, house, imap_mailbox, living, mail_text, settings_in
from tests.servers.eventually import eventually
from tests.servers.imap_servers import ImapServer

from mailcase.clock import SteppedClock
from mailcase.core.case import MailboxName
from mailcase.inbound.protocol import Exit
from mailcase.store.rows.inbox import NewMail
from mailcase.store.rows.mailboxes import MailboxState

DESK = MailboxName("desk")
IMAP = """\
desk:
  receive: {kind: imap, host: 127.0.0.1, port: 1, tls: none, user: me, password_file: secret}
  addresses: [support@example.org]
  fallback: enquiry
"""


async def screen(here: House) -> tuple[Exit, dict[str, Any]]:
    response = await here.answer("status", as_=None)
    assert isinstance(response.data, dict)
    return Exit(response.exit), response.data


def problems(told: dict[str, Any]) -> list[str]:
    return [problem["what"] for problem in told["problems"]]


async def test_a_daemon_at_work_with_nothing_amiss_is_well(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        await here.writes(mail_text(1))
        await here.until_handled(1)
        await here.until_sent(2)
        here.clock.step(timedelta(minutes=5))
        ended, told = await screen(here)

    assert (ended, told["problems"]) == (Exit.DONE, [])
    assert told["cases"] == {"draft": 0, "to-do": 1, "in-progress": 0, "waiting": 0, "resolved": 0, "closed": 0}
    assert told["daemon"]["uptime_s"] == 300
    assert told["mailboxes"] == [
        {
            "name": "desk",
            "kind": "smtp",
            "enabled": True,
            "listening": True,
            "last_read_at": None,
            "backlog": 0,
            "backlog_oldest_at": None,
            "last_error": None,
            "login": None,
        }
    ]


async def test_mail_that_nobody_handles_and_mail_that_nobody_takes_are_alarms_with_their_age(tmp_path: Path) -> None:
    """The relay refuses every connection; the backlog is left by a daemon that was down."""
    settings = settings_in(tmp_path, relay_port=1)
    async with living(settings, clock=SteppedClock(START)) as here:
        await here.writes(mail_text(1))
        await here.until_handled(1)

        async def is_deferred() -> bool:
            return len(await here.deliveries("deferred")) == 2

        await eventually(is_deferred, "deferred deliveries")
        early = problems((await screen(here))[1])
        here.clock.step(timedelta(hours=1, minutes=1))
        ended, told = await screen(here)

    (problem,) = [each for each in told["problems"] if each["what"] == "outbox-waits"]
    assert early == []
    assert ended is Exit.REFUSED
    assert (problem["count"], problem["since"]) == (2, "2026-03-02T09:00:00Z")
    assert "mailcase outbox list --state deferred" in problem["advice"]
    assert told["outbox"]["waiting"]["oldest_age_s"] == 3660


async def test_mail_for_no_case_is_an_alarm_for_a_week(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        await here.app.store.accept([unaddressed(here)])
        here.app.wakes.inbox.set()
        assert await here.until_handled(1) == ["unhandled"]
        news = await screen(here)
        here.clock.step(timedelta(days=7, seconds=1))
        old = await screen(here)

    assert (news[0], problems(news[1])) == (Exit.REFUSED, ["unhandled"])
    assert (old[0], old[1]["mail"]["unhandled"]) == (Exit.DONE, 1)


def unaddressed(here: House) -> NewMail:
    return NewMail(
        mailbox=DESK,
        source="smtp:1",
        raw=mail_text(1).replace(b"support@example.org", b"others@example.net"),
        envelope_from=None,
        envelope_to=(),
        arrived_at=here.clock.now(),
        received_at=here.clock.now(),
    )


async def test_a_mailbox_that_cannot_be_read_is_an_alarm_with_the_words_of_its_failure(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x\n")
    secret.chmod(0o600)
    async with living(settings_in(tmp_path, mailboxes=IMAP), clock=SteppedClock(START)) as here:

        async def is_told() -> bool:
            return problems((await screen(here))[1]) == ["mailbox-failing"]

        await eventually(is_told, "a failing mailbox")
        ended, told = await screen(here)

    (problem,) = told["problems"]
    assert ended is Exit.REFUSED
    assert problem["about"] == "desk"
    assert told["mailboxes"][0]["last_error"] in problem["text"]
    assert problem["advice"].startswith("mailcase mailbox check desk")


@pytest.mark.parametrize("operation", ["mailbox.check", "reload"])
async def test_a_mended_password_is_used_at_once_when_somebody_checks_or_reloads(
    tmp_path: Path, imap_server: ImapServer, operation: str
) -> None:
    """After a refused login the mailbox pauses for a minute and more, and nobody waits for that."""
    mailbox = imap_mailbox(tmp_path, imap_server, imap_server.new_folder())
    (tmp_path / "secret").write_text("wrong\n")
    async with living(settings_in(tmp_path, mailboxes=mailbox), clock=SteppedClock(START)) as here:

        async def is_refused() -> bool:
            return problems((await screen(here))[1]) == ["mailbox-failing"]

        async def is_well() -> bool:
            return (await screen(here))[0] is Exit.DONE

        await eventually(is_refused, "a refused login")
        (tmp_path / "secret").write_text(imap_server.secret.read_text())
        answer = await (here.daemon.reload() if operation == "reload" else here.answer(operation))
        await eventually(is_well, "a mailbox that is read")

    assert answer.exit is Exit.DONE


async def test_a_mailbox_that_is_silent_without_an_error_is_an_alarm(tmp_path: Path) -> None:
    """L8: hung connections look like quiet mailboxes."""
    secret = tmp_path / "secret"
    secret.write_text("x\n")
    secret.chmod(0o600)
    async with living(settings_in(tmp_path, mailboxes=IMAP), clock=SteppedClock(START)) as here:
        state = MailboxState(mailbox=DESK, account=None, read_through_at=START, checked_at=START, last_error=None)

        async def told_after(wait: timedelta) -> list[str]:
            # The watcher writes its failure down, once; as if it had never come to that.
            await here.app.store.save_mailbox(state)
            here.clock.step_to(START + wait)
            return problems((await screen(here))[1])

        async def has_failed() -> bool:
            found = (await here.app.store.mailbox_states()).get(DESK)
            return found is not None and found.last_error is not None

        await eventually(has_failed, "a failure that is written down")
        early, late = await told_after(timedelta(minutes=16)), await told_after(timedelta(minutes=16, seconds=1))

    assert early == []
    assert late == ["mailbox-silent"]


OAUTH = """\
desk:
  receive:
    kind: imap
    host: 127.0.0.1
    port: 1
    tls: none
    login:
      oauth: {token_url: "http://127.0.0.1:1/", client_id: a, client_secret_file: secret, secret_expires: 2026-03-20}
  addresses: [support@example.org]
  fallback: enquiry
"""


async def test_the_end_of_a_login_is_shown_and_is_an_alarm_two_weeks_ahead(tmp_path: Path) -> None:
    """L9."""
    secret = tmp_path / "secret"
    secret.write_text("x\n")
    secret.chmod(0o600)
    async with living(settings_in(tmp_path, mailboxes=OAUTH), clock=SteppedClock(START)) as here:
        early = (await screen(here))[1]
        here.clock.step(timedelta(days=4))
        late = (await screen(here))[1]

    assert early["mailboxes"][0]["login"]["secret_ends_on"] == "2026-03-20"
    assert "login-ending" not in problems(early)
    assert [each["text"] for each in late["problems"] if each["what"] == "login-ending"] == [
        "The login of desk ends on 2026-03-20"
    ]


async def test_a_reload_that_was_refused_stays_an_alarm_until_one_succeeds(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        path = tmp_path / "config.yaml"
        right = path.read_text()
        path.write_text(right.replace("fallback: enquiry", "fallback: enqiury"))
        await here.daemon.reload()
        ended, told = await screen(here)
        path.write_text(right)
        await here.daemon.reload()
        mended = await screen(here)

    assert (ended, problems(told)) == (Exit.REFUSED, ["reload-refused"])
    assert "enqiury" in told["problems"][0]["text"]
    assert "\n" not in told["problems"][0]["text"]
    assert mended[0] is Exit.DONE
