"""The synchronous session against real servers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.servers.fault_proxy import FaultProxy
from tests.servers.imap_servers import Dovecot, ImapServer, connect

from mailcase.clock import SystemClock
from mailcase.config.settings import AfterTaking, SecretFile, Tls
from mailcase.inbound.imap import DONE_FLAG, DONE_KEYWORD, Acknowledged, ImapSession
from mailcase.inbound.imap_errors import FolderRefused, ServerNotTrusted, UnfitForImap
from mailcase.login.errors import LoginImpossible, LoginRefused

RAW = b"From: ann@example.org\r\nSubject: printer\r\n\r\nIt smokes.\r\n"


#: Of this no wait may be left over: each is ended by what it is a test of.
LONG = timedelta(seconds=30)


def wait(session: ImapSession) -> float:
    """Waits for mail; returns for how long."""
    clock = SystemClock()
    begun = clock.monotonic()
    session.wait_for_mail(LONG)
    return clock.monotonic() - begun


@pytest.fixture
def folder(imap_server: ImapServer) -> str:
    return imap_server.new_folder()


@pytest.fixture
def session(imap_server: ImapServer, folder: str) -> Iterator[ImapSession]:
    session = connect(imap_server.source(folder))
    session.select(folder)
    yield session
    session.close()


def put(server: ImapServer, folder: str, *raws: bytes, at: datetime | None = None) -> None:
    with server.program() as program:
        for raw in raws:
            program.put(folder, raw, at=at)


class TestReading:
    def test_the_capabilities_are_those_after_the_login(self, session: ImapSession) -> None:
        """I3: both servers announce MOVE only to a user."""
        assert "MOVE" in session.capabilities

    def test_a_mail_comes_byte_for_byte_with_its_date_in_utc_and_stays_unread(
        self, imap_server: ImapServer, session: ImapSession, folder: str
    ) -> None:
        """I4, I5."""
        at = datetime.fromisoformat("2026-03-01T23:30:00+02:00")
        put(imap_server, folder, RAW, at=at)

        (uid,) = session.all_uids()
        (mail,) = session.fetch([uid], size_bytes=len(RAW))

        assert (mail.uid, mail.raw, mail.size_bytes) == (uid, RAW, len(RAW))
        assert mail.internal_date == datetime(2026, 3, 1, 21, 30, tzinfo=UTC)
        with imap_server.program() as program:
            assert program.search(folder, "UNSEEN") == (uid,)

    def test_nothing_is_above_the_newest_mail(self, imap_server: ImapServer, session: ImapSession, folder: str) -> None:
        """`n:*` names the newest mail even where n is greater (RFC 3501 s. 6.4.8)."""
        put(imap_server, folder, RAW, RAW)

        first, second = session.uids_after(0)

        assert session.uids_after(first) == (second,)
        assert session.uids_after(second) == ()

    def test_facts_tell_size_and_date_of_mail_that_is_still_there(
        self, imap_server: ImapServer, session: ImapSession, folder: str
    ) -> None:
        at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        put(imap_server, folder, RAW, at=at)
        (uid,) = session.all_uids()

        (fact,) = session.facts([uid, uid + 1000])

        assert (fact.uid, fact.size_bytes, fact.internal_date) == (uid, len(RAW), at)
        assert session.facts([]) == ()

    def test_mail_since_a_day_is_found(self, imap_server: ImapServer, session: ImapSession, folder: str) -> None:
        put(imap_server, folder, RAW, at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
        put(imap_server, folder, RAW, at=datetime(2026, 3, 9, 12, 0, tzinfo=UTC))

        _old, young = session.all_uids()

        assert session.uids_since(datetime(2026, 3, 5, tzinfo=UTC).date()) == (young,)


class TestAcknowledging:
    def test_a_move_takes_exactly_these_mails_and_makes_the_folder(
        self, imap_server: ImapServer, session: ImapSession, folder: str
    ) -> None:
        put(imap_server, folder, RAW, RAW, RAW)
        first, second, third = session.all_uids()

        done = session.move([first, third], f"{folder} done")

        assert done is Acknowledged.MOVED
        with imap_server.program() as program:
            assert program.uids(folder) == (second,)
            assert len(program.uids(f"{folder} done")) == 2

    @pytest.mark.parametrize(
        ("hidden", "expected"),
        [
            ([], Acknowledged.MOVED),
            ([b" MOVE"], Acknowledged.MOVED),
            ([b" MOVE", b" UIDPLUS"], Acknowledged.FLAGGED),
        ],
        ids=["move", "uidplus", "neither"],
    )
    def test_no_way_of_acknowledging_expunges_what_somebody_else_deleted(
        self, imap_server: ImapServer, folder: str, hidden: list[bytes], expected: Acknowledged
    ) -> None:
        """I2, I3."""
        put(imap_server, folder, RAW, RAW)
        with imap_server.program() as program:
            deleted, ours = program.uids(folder)
            program.mark(folder, deleted, r"\Deleted")

        with FaultProxy(imap_server.port, hidden=hidden) as proxy:
            session = connect(replace(imap_server.source(folder), port=proxy.port))
            session.select(folder)
            done = session.move([ours], f"{folder} done")
            session.flag([deleted])
            session.close()

        assert done is expected
        with imap_server.program() as program:
            assert program.search(folder, "DELETED") == (deleted,)
            assert program.uids(folder) == ((deleted,) if expected is Acknowledged.MOVED else (deleted, ours))

    def test_the_mark_is_a_keyword_where_the_server_keeps_one(
        self, imap_server: ImapServer, session: ImapSession, folder: str
    ) -> None:
        put(imap_server, folder, RAW, RAW)
        first, second = session.all_uids()

        session.flag([first])

        assert session.unmarked_uids() == (second,)
        with imap_server.program() as program:
            marked = program.search(folder, f"KEYWORD {DONE_KEYWORD}" if imap_server.has_keywords else "FLAGGED")
            assert marked == (first,)
        assert DONE_FLAG == r"\Flagged"

    def test_a_folder_name_may_have_letters_spaces_and_quotes(
        self, imap_server: ImapServer, session: ImapSession, folder: str
    ) -> None:
        put(imap_server, folder, RAW)
        name = f'{folder} Traité & "fait" 完了'

        session.move(session.all_uids(), name)

        assert session.select(name).exists_count == 1


class TestRefusals:
    def test_a_wrong_password_is_a_login_refused_that_does_not_tell_it(
        self, imap_server: ImapServer, folder: str
    ) -> None:
        """S16."""
        source = imap_server.source(folder)
        wrong = imap_server.secret.with_name("wrong")
        wrong.write_text("SECRET_wrong")

        with pytest.raises(LoginRefused) as refused:
            connect(replace(source, login=SecretFile(path=wrong)))

        assert "SECRET_wrong" not in str(refused.value)
        assert str(wrong) in str(refused.value)

    def test_a_password_file_that_cannot_be_read_says_so(self, imap_server: ImapServer, folder: str) -> None:
        source = imap_server.source(folder)
        missing = replace(source, login=SecretFile(path=imap_server.secret / "missing"))

        with pytest.raises(LoginImpossible, match="cannot be read"):
            connect(missing)

    def test_a_folder_that_does_not_exist_is_refused(self, session: ImapSession) -> None:
        with pytest.raises(FolderRefused, match="No such"):
            session.select("No such")

    def test_control_characters_never_reach_the_server(self, session: ImapSession, folder: str) -> None:
        """I12, S14."""
        with pytest.raises(UnfitForImap):
            session.select(f'{folder}"\r\nA1 DELETE {folder}')
        with pytest.raises(UnfitForImap):
            session.move([1], "x\x00y")

        assert session.select(folder).exists_count == 0


class TestWaiting:
    def test_a_new_mail_ends_the_wait(self, imap_server: ImapServer, session: ImapSession, folder: str) -> None:
        writer = threading.Thread(target=put, args=(imap_server, folder, RAW))
        session.all_uids()

        writer.start()
        waited_seconds = wait(session)
        writer.join()

        assert waited_seconds < LONG.total_seconds()
        assert len(session.all_uids()) == 1

    def test_mail_that_came_before_the_wait_ends_it_at_once(
        self, imap_server: ImapServer, session: ImapSession, folder: str
    ) -> None:
        """I8."""
        session.all_uids()
        put(imap_server, folder, RAW)

        assert wait(session) < LONG.total_seconds()

    def test_a_wake_ends_the_wait_also_when_it_came_first(self, session: ImapSession) -> None:
        session.wake()

        assert wait(session) < LONG.total_seconds()

    def test_without_idle_the_wait_ends_by_time_or_by_a_wake(self, pymap: ImapServer) -> None:
        with FaultProxy(pymap.port, hidden=[b" IDLE"]) as proxy:
            session = connect(replace(pymap.source("INBOX"), port=proxy.port))
            session.select("INBOX")

            session.wait_for_mail(timedelta(milliseconds=1))
            session.wake()
            waited_seconds = wait(session)
            session.close()

        assert waited_seconds < LONG.total_seconds()


@pytest.mark.dovecot
class TestTls:
    def test_a_self_signed_certificate_is_refused(self, dovecot: Dovecot) -> None:
        """I1: the library's own default takes any certificate."""
        for tls in (Tls.TLS, Tls.STARTTLS):
            with pytest.raises(ServerNotTrusted, match="cannot be verified"):
                connect(dovecot.tls_source("INBOX", tls=tls, ca_file=None))

    def test_a_certificate_of_a_named_authority_is_accepted(self, dovecot: Dovecot) -> None:
        for tls in (Tls.TLS, Tls.STARTTLS):
            session = connect(dovecot.tls_source("INBOX", tls=tls, ca_file=dovecot.certificate))

            assert session.select("INBOX").uidvalidity > 0
            session.close()

    def test_a_certificate_for_another_host_is_refused(self, dovecot: Dovecot) -> None:
        with pytest.raises(ServerNotTrusted, match="cannot be verified"):
            connect(dovecot.tls_source("INBOX", tls=Tls.TLS, host="localhost", ca_file=dovecot.certificate))

    def test_tls_on_the_plain_port_says_what_to_check(self, dovecot: Dovecot) -> None:
        source = replace(dovecot.tls_source("INBOX", tls=Tls.TLS, ca_file=None), port=dovecot.port)

        with pytest.raises(ServerNotTrusted, match="`port` and `tls`"):
            connect(source)

    def test_mail_is_noticed_and_read_over_tls(self, dovecot: Dovecot) -> None:
        folder = dovecot.new_folder()
        session = connect(dovecot.tls_source(folder, tls=Tls.TLS, ca_file=dovecot.certificate))
        session.select(folder)
        put(dovecot, folder, RAW)

        assert wait(session) < LONG.total_seconds()
        (mail,) = session.fetch(session.all_uids(), size_bytes=len(RAW))
        session.close()

        assert mail.raw == RAW


def test_a_server_without_starttls_gets_no_password(pymap: ImapServer) -> None:
    """S13."""
    with pytest.raises(ServerNotTrusted, match="STARTTLS"):
        connect(replace(pymap.source("INBOX"), tls=Tls.STARTTLS))


class TestCheck:
    def test_a_check_tells_what_is_there_and_changes_nothing(self, imap_server: ImapServer, folder: str) -> None:
        put(imap_server, folder, RAW)

        session = connect(imap_server.source(folder))
        report, again = session.check(), session.check()
        session.close()

        assert (report.messages_count, report.move_to, report.move_folder_exists) == (1, f"{folder} done", False)
        assert "IDLE" in report.capabilities
        assert again == report

    def test_a_check_tells_the_problem(self, imap_server: ImapServer) -> None:
        session = connect(imap_server.source("No such", after=AfterTaking.LEAVE))

        with pytest.raises(FolderRefused, match="No such"):
            session.check()
        session.close()
