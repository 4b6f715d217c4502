"""Servers that lie, break off or are slow: nothing wrong is taken, nothing acknowledged that is not ours (R9, R10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.inbound.watched import QUICK, Watched
from tests.servers.imap_servers import connect
from tests.servers.scripted_imap import RAW, ScriptedImap, always, bodies, fetched, in_turn, uids_of

from mailcase.inbound.imap import ImapSession
from mailcase.inbound.imap_errors import ImapBroken, ImapUnavailable
from mailcase.login.errors import LoginRefused


class TestFetch:
    @pytest.mark.parametrize(
        "answer",
        [
            b"* 1 FETCH (UID 7 BODY[] NIL)\r\n{tag} OK done\r\n",
            b"* 1 FETCH (UID 7 FLAGS (\\Seen))\r\n{tag} OK done\r\n",
            b"* 1 FETCH (UID 7 BODY[] {0}\r\n)\r\n{tag} OK done\r\n",
            b"* 1 FETCH (UID 7 BODY[HEADER] {4}\r\nx: y)\r\n{tag} OK done\r\n",
            fetched(8) + b"{tag} OK done\r\n",
            b"{tag} OK done\r\n",
        ],
        ids=["NIL", "flags only", "empty", "another part", "another mail", "nothing"],
    )
    def test_what_is_not_certain_is_not_there(self, secret: Path, answer: bytes) -> None:
        """I6."""
        with ScriptedImap({"UID FETCH": always(answer)}) as server:
            session = opened(server, secret)

            assert session.fetch([7], size_bytes=100) == ()
            session.close()

    def test_a_mail_that_was_not_asked_for_changes_nothing(self, secret: Path) -> None:
        """I6: an unsolicited FETCH among the answers."""
        flags = b"* 3 FETCH (FLAGS (\\Seen))\r\n"
        answer = flags + fetched(9) + fetched(7) + flags + b"{tag} OK done\r\n"
        with ScriptedImap({"UID FETCH": always(answer)}) as server:
            session = opened(server, secret)
            (mail,) = session.fetch([7], size_bytes=100)
            session.close()

        assert (mail.uid, mail.raw, mail.internal_date) == (7, RAW, datetime(2026, 11, 24, 10, tzinfo=UTC))

    def test_a_literal_of_eight_gigabytes_is_not_read(self, secret: Path) -> None:
        with ScriptedImap({"UID FETCH": always(b"* 1 FETCH (UID 7 BODY[] {8000000000}\r\n")}) as server:
            session = opened(server, secret)

            with pytest.raises(ImapUnavailable, match="more than was asked"):
                session.fetch([7], size_bytes=100)
            session.close()

    def test_endless_talk_is_not_listened_to(self, secret: Path) -> None:
        talk = b"* OK " + b"x" * 100_000 + b"\r\n"
        with ScriptedImap({"UID SEARCH": always(talk * 400)}) as server:
            session = opened(server, secret)

            with pytest.raises(ImapUnavailable, match="more than was asked"):
                session.all_uids()
            session.close()

    def test_a_folder_of_two_hundred_thousand_mails_is_listed(self, secret: Path) -> None:
        """One line of 1.4 MB, which the library alone would refuse."""
        uids = range(1_000_000, 1_200_000)
        answer = b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids) + b"\r\n{tag} OK done\r\n"
        with ScriptedImap({"UID SEARCH": always(answer)}) as server:
            session = opened(server, secret)

            assert session.all_uids() == tuple(uids)
            session.close()

    @pytest.mark.parametrize(
        "answer",
        [b"", b"* SEARCH 7 x\r\n", b"* SEARCH 0\r\n", b"* SEARCH " + b"9" * 5000 + b"\r\n"],
        ids=["nothing", "a word", "zero", "no number"],
    )
    def test_a_search_that_is_not_answered_rightly_is_no_empty_folder(self, secret: Path, answer: bytes) -> None:
        with ScriptedImap({"UID SEARCH": always(answer + b"{tag} OK done\r\n")}) as server:
            session = opened(server, secret)

            with pytest.raises(ImapBroken):
                session.all_uids()
            session.close()


def opened(server: ScriptedImap, secret: Path) -> ImapSession:
    session = connect(server.source(secret))
    session.select("INBOX")
    return session


class TestOpening:
    def test_a_password_that_the_server_repeats_is_not_passed_on(self, secret: Path) -> None:
        """S16."""
        answer = always(b"{tag} NO SECRET_imap is not the password of ann\r\n")
        with ScriptedImap({"LOGIN": answer}) as server, pytest.raises(LoginRefused) as refused:
            connect(server.source(secret))

        assert "*** is not the password" in str(refused.value)
        assert "SECRET" not in str(refused.value)
        assert refused.value.__suppress_context__

    def test_a_password_behind_many_words_is_cut_out_before_anything_is_cut_off(self, secret: Path) -> None:
        """S16: a part of it would stay."""
        answer = always(b"{tag} NO " + b"x" * 290 + b" SECRET_imap is wrong\r\n")
        with ScriptedImap({"LOGIN": answer}) as server, pytest.raises(LoginRefused) as refused:
            connect(server.source(secret))

        assert "SECRET" not in str(refused.value)

    def test_a_server_that_cannot_log_in_now_is_tried_again(self, secret: Path) -> None:
        with (
            ScriptedImap({"LOGIN": always(b"{tag} NO [UNAVAILABLE] later\r\n")}) as server,
            pytest.raises(ImapUnavailable, match="later"),
        ):
            connect(server.source(secret))

    @pytest.mark.parametrize("said", [b"", b"* OK [UIDVALIDITY 99999999999999999999]\r\n", b"* OK [UIDVALIDITY x]\r\n"])
    def test_a_folder_without_uidvalidity_is_not_read(self, secret: Path, said: bytes) -> None:
        with ScriptedImap({"SELECT": always(b"* 1 EXISTS\r\n" + said + b"{tag} OK done\r\n")}) as server:
            session = connect(server.source(secret))

            with pytest.raises(ImapBroken, match="UIDVALIDITY"):
                session.select("INBOX")
            session.close()

    def test_what_is_no_imap_server_is_an_error_of_ours(self, secret: Path) -> None:
        for greeting in (b"220 smtp ready\r\n", b"* BYE full\r\n", b"\xff\xfe\r\n", b""):
            with ScriptedImap({}, greeting=greeting) as server:
                source = replace(server.source(secret), command_timeout=timedelta(milliseconds=200))

                with pytest.raises((ImapUnavailable, ImapBroken)):
                    connect(source)


class TestWatching:
    async def test_a_mail_without_content_is_asked_for_again_and_holds_back_what_is_read_through(
        self, watched: Watched, secret: Path
    ) -> None:
        """I6, docs/decisions/0002."""
        nil = b"* 1 FETCH (UID 7 BODY[] NIL)\r\n{tag} OK done\r\n"
        answer = bodies(in_turn(nil, fetched(7) + b"{tag} OK done\r\n"))
        with ScriptedImap({"UID FETCH": answer}) as server:
            watcher = watched.watch(server.moving_source(secret))
            held = await watched.until_failed("UID 7")
            assert await watched.mails() == ()
            assert not any("MOVE" in command for command in server.commands)

            watcher.look_now()
            await watched.until_taken(1)
            state = await watched.until_looked()
            await watched.stop(watcher)

        assert held.read_through_at is None
        assert state.read_through_at is not None
        assert await watched.raws() == [RAW]

    async def test_a_mail_that_the_server_refuses_to_give_keeps_no_neighbour(
        self, watched: Watched, secret: Path
    ) -> None:
        """L5."""

        def answer(rest: str) -> bytes:
            uids = uids_of(rest)
            if 8 in uids:
                return b"{tag} NO cannot read it\r\n"
            return b"".join(fetched(uid, RAW + b"%d" % uid) for uid in uids) + b"{tag} OK done\r\n"

        search = always(b"* SEARCH 7 8 9\r\n{tag} OK done\r\n")
        with ScriptedImap({"UID SEARCH": search, "UID FETCH": bodies(answer)}) as server:
            watcher = watched.watch(server.source(secret))
            await watched.until_taken(2)
            state = await watched.until_failed("UID 8")
            await watched.stop(watcher)

        assert await watched.raws() == [RAW + b"7", RAW + b"9"]
        assert state.read_through_at is None
        (folder,) = await watched.store.folder_states(state.mailbox)
        assert folder.last_uid == 7, "the cursor never passes a mail that is not ours yet"

    async def test_a_mail_at_which_the_server_breaks_off_keeps_no_neighbour(
        self, watched: Watched, secret: Path
    ) -> None:
        """L5."""

        def answer(rest: str) -> bytes | None:
            uids = uids_of(rest)
            if 8 in uids:
                return None
            return b"".join(fetched(uid, RAW + b"%d" % uid) for uid in uids) + b"{tag} OK done\r\n"

        search = always(b"* SEARCH 7 8 9\r\n{tag} OK done\r\n")
        with ScriptedImap({"UID SEARCH": search, "UID FETCH": bodies(answer)}) as server:
            watcher = watched.watch(server.source(secret))
            await watched.until_taken(2)
            await watched.stop(watcher)

        assert await watched.raws() == [RAW + b"7", RAW + b"9"]

    async def test_a_server_that_breaks_off_in_idle_is_not_run_against_in_a_loop(
        self, watched: Watched, secret: Path
    ) -> None:
        """I7: after each time the pause is longer, although every look succeeds."""
        with ScriptedImap({"IDLE": always(None)}) as server, capture_logs() as logs:
            watcher = watched.watch(server.source(secret), pace=replace(QUICK, first_pause=timedelta(seconds=1)))
            for count in (1, 2):
                await watched.until_failed("EOF")
                assert server.connections_count == count
                await watched.until_looked()
            await watched.stop(watcher)

        assert await watched.raws() == [RAW]
        assert "mailbox_failed" in [log["event"] for log in logs]

    async def test_new_mail_told_together_with_the_begin_of_idle_is_seen(self, watched: Watched, secret: Path) -> None:
        """I8: the library looks only at the socket, where it is no longer."""
        nothing, something = (b"* SEARCH%s\r\n{tag} OK done\r\n" % uids for uids in (b"", b" 7"))
        search = in_turn(nothing, nothing, something)
        idle = in_turn(b"+ idling\r\n* 1 EXISTS\r\n", b"+ idling\r\n")
        with ScriptedImap({"UID SEARCH": search, "IDLE": idle}) as server:
            watcher = watched.watch(server.source(secret))
            await watched.until_taken(1)
            await watched.stop(watcher)

        assert await watched.raws() == [RAW]

    async def test_a_server_that_never_finishes_its_greeting_is_left_after_the_deadline(
        self, watched: Watched, secret: Path
    ) -> None:
        """I10."""
        with ScriptedImap({}, greeting=b"* OK") as server:
            source = replace(server.source(secret), command_timeout=timedelta(milliseconds=300))
            watcher = watched.watch(source)
            await watched.until_failed("did not answer")
            await watched.stop(watcher)

        assert await watched.mails() == ()

    async def test_a_mail_that_appears_below_the_cursor_is_found_by_a_look_at_the_whole_folder(
        self, watched: Watched, secret: Path
    ) -> None:
        listed = [b"7"]

        def search(rest: str) -> bytes:
            return b"* SEARCH %s\r\n{tag} OK done\r\n" % (listed[-1] if rest == "ALL" else b"7")

        def answer(rest: str) -> bytes:
            return b"".join(fetched(uid, RAW + b"%d" % uid) for uid in uids_of(rest)) + b"{tag} OK done\r\n"

        with ScriptedImap({"UID SEARCH": search, "UID FETCH": bodies(answer)}) as server:
            watcher = watched.watch(server.source(secret), pace=replace(QUICK, whole_every=timedelta()))
            await watched.until_taken(1)
            listed.append(b"5 7")
            await watched.until_looked()
            await watched.until_looked()
            await watched.stop(watcher)

        assert await watched.raws() == [RAW + b"7", RAW + b"5"]
