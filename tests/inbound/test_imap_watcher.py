"""The worker of a mailbox against real servers and the real store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

import pytest
from structlog.testing import capture_logs
from tests.inbound.watched import DESK, QUICK, Died, OpenWatched, Watched
from tests.servers.fault_proxy import FaultProxy
from tests.servers.imap_servers import Dovecot, ImapServer, free_port

from mailcase.clock import SystemClock
from mailcase.config.settings import AfterTaking, Limits
from mailcase.core.case import MailboxName
from mailcase.inbound.imap import DONE_KEYWORD
from mailcase.store.port import Point
from mailcase.store.rows.inbox import Outcome

OTHER = MailboxName("other")


def mail(number: int, *, size_bytes: int = 0) -> bytes:
    head = f"From: ann{number}@example.org\r\nMessage-ID: <{number}@example.org>\r\nSubject: {number}\r\n\r\n"
    return head.encode() + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (size_bytes // 72)


@pytest.fixture
def folder(imap_server: ImapServer) -> str:
    return imap_server.new_folder()


def put(server: ImapServer, folder: str, *raws: bytes, at: datetime | None = None) -> None:
    with server.program() as program:
        for raw in raws:
            program.put(folder, raw, at=at)


class TestFirstContact:
    """L10."""

    async def test_mail_that_was_there_is_left_and_counted(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        put(imap_server, folder, mail(1), mail(2), at=datetime(2020, 1, 1, tzinfo=UTC))

        with capture_logs() as logs:
            watched.watch(imap_server.source(folder))
            await watched.until_looked()
        put(imap_server, folder, mail(3))
        await watched.until_taken(1)
        await watched.until_looked()

        assert await watched.raws() == [mail(3)]
        assert [(log["left_count"], log["taken_count"]) for log in logs if log["event"] == "mailbox_first_contact"] == [
            (2, 0)
        ]
        with imap_server.program() as program:
            assert len(program.uids(folder)) == 2

    async def test_mail_of_the_last_seconds_is_left_too_also_over_a_restart(
        self, imap_server: ImapServer, folder: str, open_watched: OpenWatched
    ) -> None:
        """Its date does not show that it was there before us."""
        put(imap_server, folder, mail(0), at=datetime(2020, 1, 1, tzinfo=UTC))
        put(imap_server, folder, mail(1))
        first = await open_watched()
        first.watch(imap_server.source(folder))
        await first.until_looked()
        await first.close()

        second = await open_watched()
        second.watch(imap_server.source(folder))
        await second.until_looked()

        assert await second.raws() == await second.raws(Outcome.BEFORE_START) == [mail(1)]
        with imap_server.program() as program:
            assert len(program.uids(folder)) == 2

    async def test_with_start_all_everything_is_taken_in_order(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        put(imap_server, folder, mail(1), mail(2), at=datetime(2020, 1, 1, tzinfo=UTC))

        watched.watch(imap_server.source(folder, takes_existing=True))
        await watched.until_taken(2)

        assert await watched.raws() == [mail(1), mail(2)]
        assert {row.arrived_at for row in await watched.mails()} == {datetime(2020, 1, 1, tzinfo=UTC)}

    async def test_another_account_is_refused_until_it_is_set_back(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        source = imap_server.source(folder)
        await watched.stop(watched.watch(source))
        watcher = watched.watch(source)
        await watched.until_looked()
        await watched.stop(watcher)
        put(imap_server, folder, mail(1))

        changed = watched.watch(replace(source, host="localhost"))
        state = await watched.until_failed("give the mailbox another name")
        await watched.stop(changed)

        assert await watched.mails() == ()
        assert f"{source.user}@127.0.0.1" in (state.last_error or "")
        watched.watch(source)
        await watched.until_taken(1)


class TestTaking:
    @pytest.fixture
    async def source_folder(self, imap_server: ImapServer, folder: str, watched: Watched) -> str:
        """A folder that is being watched."""
        watched.watch(imap_server.source(folder))
        await watched.until_looked()
        return folder

    async def test_a_new_mail_is_taken_when_it_comes_and_then_moved(
        self, imap_server: ImapServer, source_folder: str, watched: Watched
    ) -> None:
        begun = SystemClock().monotonic()
        put(imap_server, source_folder, mail(1))

        (row,) = await watched.until_taken(1)
        waited_seconds = SystemClock().monotonic() - begun
        await watched.until_looked()

        poll_seconds = imap_server.source(source_folder).poll_every.total_seconds()
        assert waited_seconds < poll_seconds / 2, "IDLE did not tell"
        assert row.source.startswith(f"imap:{source_folder}:")
        assert await watched.store.raw(row.id) == mail(1)
        with imap_server.program() as program:
            assert program.uids(source_folder) == ()
            assert len(program.uids(f"{source_folder} done")) == 1

    async def test_mail_that_somebody_has_read_is_taken_all_the_same(
        self, imap_server: ImapServer, folder: str, open_watched: OpenWatched
    ) -> None:
        """L2."""
        first = await open_watched()
        first.watch(imap_server.source(folder))
        await first.until_looked()
        await first.close()
        put(imap_server, folder, mail(1))
        with imap_server.program() as program:
            program.mark(folder, program.uids(folder)[0], r"\Seen \Flagged")

        second = await open_watched()
        second.watch(imap_server.source(folder))

        assert len(await second.until_taken(1)) == 1

    async def test_a_folder_name_may_have_any_letters(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        name = f"{folder} Boîte & 受信"
        with imap_server.program() as program:
            program.make(name)
        put(imap_server, name, mail(1))

        watched.watch(imap_server.source(name, takes_existing=True))
        (row,) = await watched.until_taken(1)
        await watched.until_looked()

        assert row.source.startswith(f"imap:{name}:")
        with imap_server.program() as program:
            assert len(program.uids(f"{name} done")) == 1

    async def test_three_hundred_mails_are_taken_once_each_and_moved(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        raws = [mail(number) for number in range(300)]
        put(imap_server, folder, *raws)

        watched.watch(imap_server.source(folder, takes_existing=True), limits=Limits(inbox_batch=50))
        await watched.until_taken(300)
        await watched.until_looked()

        assert await watched.raws() == raws
        with imap_server.program() as program:
            assert program.uids(folder) == ()
            assert len(program.uids(f"{folder} done")) == 300

    async def test_a_mail_over_the_limit_is_recorded_and_stays_where_people_can_read_it(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        put(imap_server, folder, mail(1, size_bytes=50_000), mail(2))

        with capture_logs() as logs:
            watched.watch(imap_server.source(folder, takes_existing=True), limits=Limits(message_bytes=20_000))
            await watched.until_taken(1)
            state = await watched.until_looked()

        assert [row.outcome for row in await watched.mails()] == [Outcome.PARKED, Outcome.PENDING]
        assert (await watched.mails())[0].reason.startswith("too-large: ")  # type: ignore[union-attr]  # it has one
        assert [log["event"] for log in logs].count("mail_too_large") == 1
        assert state.last_error is None
        with imap_server.program() as program:
            assert len(program.uids(folder)) == 1

    async def test_a_mail_that_somebody_removes_before_it_is_read_does_not_hold_up_the_look(
        self, imap_server: ImapServer, source_folder: str, watched: Watched
    ) -> None:
        put(imap_server, source_folder, mail(1))
        await watched.until_taken(1)
        with imap_server.program() as program:
            program.put(source_folder, mail(2))
            for uid in program.uids(source_folder):
                program.take_away(source_folder, uid)

        state = await watched.until_looked()

        assert state.last_error is None


class TestReadThrough:
    """docs/decisions/0002."""

    async def test_it_is_the_instant_before_a_complete_look_less_the_tolerance(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        before = SystemClock().now()
        watched.watch(imap_server.source(folder))

        state = await watched.until_looked()

        tolerance = Limits().clock_tolerance
        assert state.read_through_at is not None
        assert before <= state.read_through_at + tolerance <= SystemClock().now()

    async def test_it_stands_still_while_the_server_cannot_be_reached(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        source = imap_server.source(folder)
        watcher = watched.watch(source)
        await watched.until_looked()
        await watched.stop(watcher)
        reached = await watched.state()

        watched.watch(replace(source, port=free_port()))
        state = await watched.until_failed("refused")

        assert state == replace(reached, last_error=state.last_error)


class TestAcknowledging:
    async def test_a_crash_between_commit_and_move_takes_nothing_twice_and_the_move_is_made_good(
        self, imap_server: ImapServer, folder: str, open_watched: OpenWatched
    ) -> None:
        """L11."""
        put(imap_server, folder, mail(1))

        def die(point: Point, when: str) -> None:
            if (point, when) == (Point.ACCEPT, "after") and next(accepts) == 1:
                raise Died

        # The first commit is the first contact, the second one the mail.
        accepts = iter(range(10))
        first = await open_watched(die)
        await first.until_died(first.watch(imap_server.source(folder, takes_existing=True)))
        await first.close()
        with imap_server.program() as program:
            assert len(program.uids(folder)) == 1

        second = await open_watched()
        second.watch(imap_server.source(folder, takes_existing=True))
        await second.until_looked()

        assert await second.raws() == [mail(1)]
        with imap_server.program() as program:
            assert program.uids(folder) == ()
            assert len(program.uids(f"{folder} done")) == 1

    @pytest.mark.parametrize("after", [AfterTaking.FLAG, AfterTaking.LEAVE])
    async def test_mail_that_stays_in_the_folder_is_taken_once_also_over_a_restart(
        self, imap_server: ImapServer, folder: str, open_watched: OpenWatched, after: AfterTaking
    ) -> None:
        put(imap_server, folder, mail(1), mail(2))
        source = imap_server.source(folder, after=after, takes_existing=True)
        for _life in range(2):
            watched = await open_watched()
            watched.watch(source)
            await watched.until_looked()
            await watched.close()

        watched = await open_watched()

        assert await watched.raws() == [mail(1), mail(2)]
        mark = f"KEYWORD {DONE_KEYWORD}" if imap_server.has_keywords else "FLAGGED"
        with imap_server.program() as program:
            assert len(program.search(folder, mark)) == (2 if after is AfterTaking.FLAG else 0)
            assert len(program.search(folder, "UNSEEN")) == 2

    @pytest.mark.dovecot
    async def test_a_move_that_the_server_refuses_is_tried_again_when_it_can_be(
        self, dovecot: Dovecot, open_watched: OpenWatched
    ) -> None:
        folder = dovecot.new_folder()
        source = dovecot.source(folder, takes_existing=True)
        put(dovecot, folder, mail(1))
        first = await open_watched()
        with capture_logs() as logs:
            first.watch(replace(source, move_to="not//allowed"))
            await first.until_looked()
            await first.until_looked()
        await first.close()

        second = await open_watched()
        second.watch(source)
        await second.until_looked()

        assert [log["event"] for log in logs].count("mail_not_acknowledged") == 1
        assert await second.raws() == [mail(1)]
        with dovecot.program() as program:
            assert len(program.uids(f"{folder} done")) == 1


async def test_a_date_that_cannot_be_true_makes_no_mail_older_than_the_last_look(
    watched: Watched, imap_server: ImapServer, folder: str
) -> None:
    """A window would be open for ever for whatever a server dates to 1970."""
    watched.watch(imap_server.source(folder, after=AfterTaking.LEAVE))
    looked = await watched.until_looked()
    put(imap_server, folder, mail(1), at=datetime(1970, 1, 2, tzinfo=UTC))
    put(imap_server, folder, CARRIED + mail(2), at=datetime(2020, 1, 1, tzinfo=UTC))
    await watched.until_looked()

    alone, carried = [row.arrived_at for row in await watched.mails()]
    assert looked.read_through_at is not None
    assert alone >= looked.read_through_at
    assert carried == datetime(2020, 3, 2, 9, 0, 5, tzinfo=UTC)


#: A line that a server wrote a while before somebody moved the mail.
CARRIED = b"Received: from a by mx.example.org; Mon, 02 Mar 2020 10:00:05 +0100\r\n"


class TestRenumbering:
    """R7: UIDVALIDITY has changed."""

    async def test_known_mail_is_not_handled_again_old_mail_is_left_and_new_mail_is_taken(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        source = imap_server.source(folder, after=AfterTaking.LEAVE)
        put(imap_server, folder, mail(1), at=datetime(2020, 1, 1, tzinfo=UTC))
        watcher = watched.watch(source)
        await watched.until_looked()
        put(imap_server, folder, mail(2))
        await watched.until_taken(1)
        await watched.stop(watcher)
        with imap_server.program() as program:
            program.remove(folder)
            program.make(folder)
        put(imap_server, folder, mail(1), at=datetime(2020, 1, 1, tzinfo=UTC))
        put(imap_server, folder, mail(2), mail(3))

        watched.watch(source)
        await watched.until_taken(2)
        state = await watched.until_looked()

        assert await watched.raws(Outcome.PENDING) == [mail(2), mail(3)]
        assert sorted(row.outcome for row in await watched.mails()) == [
            Outcome.BEFORE_START,
            Outcome.DUPLICATE,
            Outcome.PENDING,
            Outcome.PENDING,
        ]
        assert state.last_error is None

    @pytest.mark.dovecot
    async def test_a_crash_in_the_middle_of_the_comparison_begins_it_anew(
        self, dovecot: Dovecot, open_watched: OpenWatched
    ) -> None:
        folder = dovecot.new_folder()
        source = dovecot.source(folder, after=AfterTaking.LEAVE)
        first = await open_watched()
        first.watch(source)
        await first.until_looked()
        put(dovecot, folder, *(mail(number) for number in range(6)))
        await first.until_taken(6)
        await first.close()
        dovecot.renumber(folder, 4711)

        def die(point: Point, when: str) -> None:
            if (point, when) == (Point.ACCEPT, "after"):
                raise Died

        for hook in (die, None):
            life = await open_watched(hook)
            watcher = life.watch(source, limits=Limits(inbox_batch=2))
            if hook is None:
                await life.until_looked()
            else:
                await life.until_died(watcher)
                await life.close()

        assert len(await life.mails(Outcome.PENDING)) == 6
        assert len(await life.mails(Outcome.DUPLICATE)) == 6
        (state,) = await life.store.folder_states(DESK)
        assert state.uidvalidity == 4711


class TestTrouble:
    async def test_a_mailbox_that_always_fails_stops_no_other(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        """L7."""
        source = imap_server.source(folder)
        with capture_logs() as logs:
            watched.watch(replace(source, port=free_port()), OTHER)
            watched.watch(replace(source, folder="No such"), MailboxName("third"))
            watched.watch(source)
            await watched.until_failed("refused", OTHER)
            await watched.until_failed("No such", MailboxName("third"))
            await watched.until_looked()
            put(imap_server, folder, mail(1))
            await watched.until_taken(1)

        failures = [log["mailbox"] for log in logs if log["event"] == "mailbox_failed"]
        assert sorted(failures) == ["other", "third"], "logged once, not at every attempt"

    async def test_a_connection_that_breaks_anywhere_in_a_fetch_leads_to_the_whole_mail_later(
        self, imap_server: ImapServer, folder: str, open_watched: OpenWatched
    ) -> None:
        """R8."""
        watched = await open_watched()
        raws = [mail(number, size_bytes=20_000) for number in range(3)]
        put(imap_server, folder, *raws)

        allowances = chain(range(300, 64_000, 1_900), repeat(None))
        with FaultProxy(imap_server.port, allowances=allowances) as proxy:
            source = replace(imap_server.source(folder, takes_existing=True), port=proxy.port)
            watched.watch(source, pace=replace(QUICK, longest_pause=timedelta(milliseconds=20)))
            await watched.until_taken(3)
            await watched.until_looked()
            await watched.close()
        again = await open_watched()

        assert proxy.connections_count > 10
        assert sorted(raw or b"" for raw in await again.raws()) == raws

    async def test_without_idle_mail_is_found_by_looking(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        with FaultProxy(imap_server.port, hidden=[b" IDLE"]) as proxy:
            source = replace(imap_server.source(folder), port=proxy.port, poll_every=timedelta(milliseconds=200))
            watcher = watched.watch(source)
            await watched.until_looked()
            put(imap_server, folder, mail(1))
            await watched.until_taken(1)
            await watched.stop(watcher)

        assert proxy.connections_count == 1

    async def test_a_stop_waits_for_nothing(self, imap_server: ImapServer, folder: str, watched: Watched) -> None:
        """Neither for mail nor for the end of a pause."""
        clock = SystemClock()
        pace = replace(QUICK, first_pause=timedelta(minutes=1), longest_pause=timedelta(minutes=1))
        waiting = watched.watch(imap_server.source(folder))
        pausing = watched.watch(replace(imap_server.source(folder), port=free_port()), OTHER, pace=pace)
        await watched.until_looked()
        await watched.until_failed("refused", OTHER)

        begun = clock.monotonic()
        await watched.stop(waiting)
        await watched.stop(pausing)

        assert clock.monotonic() - begun < Limits().stop_within.total_seconds() / 2

    async def test_a_server_that_falls_silent_is_left_after_the_deadline(
        self, imap_server: ImapServer, folder: str, watched: Watched
    ) -> None:
        """L8."""
        with FaultProxy(imap_server.port) as proxy:
            source = replace(imap_server.source(folder), port=proxy.port, command_timeout=timedelta(milliseconds=700))
            watcher = watched.watch(source)
            await watched.until_looked()

            proxy.fall_silent()
            watcher.look_now()
            await watched.until_failed("did not answer")
            proxy.speak_again()
            put(imap_server, folder, mail(1))
            await watched.until_taken(1)
            await watched.stop(watcher)

        assert proxy.connections_count >= 2
