"""A mailbox behind a server that lies or breaks off: nothing is lost, taken twice, taken empty or acknowledged too
early, and nobody is asked in a loop (I6-I10, R7-R10, R19).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.inbound.watched import DESK, QUICK, Watched
from tests.servers.eventually import eventually
from tests.servers.scripted_imap import (
    RAW,
    Pieces,
    Said,
    ScriptedImap,
    always,
    bodies,
    cut,
    dribbled,
    facts,
    fetched,
    in_turn,
    uids_of,
)

from mailcase.clock import SystemClock
from mailcase.config.settings import AfterTaking, ImapSource, Limits
from mailcase.store.rows.inbox import Outcome

OK = b"{tag} OK done\r\n"
TRUTH = fetched(7) + OK
OTHER = RAW.replace(b"smokes", b"burns!")
#: Of a watcher that is to be seen waiting.
FIRST_PAUSE = timedelta(seconds=0.05)


def impatient(source: ImapSource) -> ImapSource:
    """Waits half a second for an answer, and looks again without being told."""
    return replace(source, command_timeout=timedelta(seconds=0.5), poll_every=timedelta(seconds=0.1))


#: What a server may say in place of a mail, and what must not be believed of it.
LIES: dict[str, Said] = {
    "NIL": b"* 1 FETCH (UID 7 BODY[] NIL)\r\n" + OK,
    "flags only": b"* 1 FETCH (UID 7 FLAGS (\\Seen))\r\n" + OK,
    "an empty literal": b"* 1 FETCH (UID 7 BODY[] {0}\r\n)\r\n" + OK,
    "an empty string": b'* 1 FETCH (UID 7 BODY[] "")\r\n' + OK,
    "only the header": b"* 1 FETCH (UID 7 BODY[HEADER] {4}\r\nx: y)\r\n" + OK,
    "another mail": fetched(8) + OK,
    "a mail without its number": fetched(7).replace(b"UID 7 ", b"") + OK,
    "a number beyond all numbers": fetched(7).replace(b"UID 7 ", b"UID 99999999999 ") + OK,
    "two mails in one answer": fetched(7).replace(b")\r\n", b" BODY[] {2}\r\nhi)\r\n") + OK,
    "OK without data": OK,
    "NO": b"{tag} NO not now\r\n",
    "BAD": b"{tag} BAD what\r\n",
    "BYE": b"* BYE going down\r\n",
    "eight gigabytes": b"* 1 FETCH (UID 7 BODY[] {8000000000}\r\n" + RAW,
    "a literal of no size": b"* 1 FETCH (UID 7 BODY[] {-1}\r\n)\r\n" + OK,
    "a literal longer than what comes": cut(fetched(7).replace(b"{%d}" % len(RAW), b"{9999}") + OK, 200),
    "an end in the middle of the mail": cut(TRUTH, 130),
    "an end before the closing bracket": cut(TRUTH, len(fetched(7)) - 3),
    "an end before the OK": cut(TRUTH, len(fetched(7))),
    "an end at once": None,
    "half a line, then nothing": b"* 1 FETCH (UID 7 BO",
    "half a mail, then nothing": Pieces(text=fetched(7)[:130]),
    "silence": b"",
    "a byte now and then": dribbled(TRUTH * 20, gap_seconds=0.02),
    "no protocol": b"\xff\xfe\x00 HTTP/1.1 200 OK\r\n\r\n" + OK,
    "the answer of another command": b"* SEARCH 7\r\nA999 OK done\r\n" + OK,
    "a hundred foreign mails": b"".join(fetched(uid) for uid in range(100, 200)) + OK,
}


@pytest.mark.parametrize("lie", LIES)
async def test_what_a_server_lies_about_is_taken_once_it_tells_the_truth(
    watched: Watched, secret: Path, lie: str
) -> None:
    """R9, I6, I9, I10, R19: whole, once, and moved only when it is ours."""

    def search(_rest: str) -> bytes:
        return b"* SEARCH" + (b"" if server.count("UID MOVE") else b" 7") + b"\r\n" + OK

    answers = {"UID FETCH": bodies(in_turn(LIES[lie], TRUTH)), "UID SEARCH": search}
    with ScriptedImap(answers) as server:
        watched.watch(impatient(server.moving_source(secret)))
        await until(lambda: server.count("UID MOVE") > 0)
        raws_at_move = await watched.raws()
        await watched.until_looked()
        await watched.close_watchers()

    assert raws_at_move == await watched.raws() == [RAW]
    assert server.count("UID MOVE") == 1
    assert server.connections_count <= 2


@pytest.mark.parametrize("lie", LIES)
async def test_a_server_that_never_tells_the_truth_gets_no_row_and_no_acknowledgement(
    watched: Watched, secret: Path, lie: str
) -> None:
    """R9: and what could have been answered stays open (docs/decisions/0002)."""
    with ScriptedImap({"UID FETCH": bodies(always(LIES[lie]))}) as server:
        watched.watch(impatient(server.moving_source(secret)))
        await until(lambda: fetches_of_mail(server) >= 2)
        await eventually(lambda: error_of(watched), "an error for the operator")
        await watched.close_watchers()
        state = await watched.state()

    assert await watched.mails() == ()
    assert server.count("UID MOVE") == 0
    assert state.read_through_at is None


@pytest.mark.parametrize("command", ["CAPABILITY", "LOGIN", "SELECT", "NOOP", "UID SEARCH", "UID FETCH", "IDLE"])
@pytest.mark.parametrize("said", [None, b"\xff\xfe\r\n", b"* BYE\r\n"], ids=["an end", "no protocol", "BYE"])
async def test_a_server_that_breaks_off_is_asked_more_and_more_rarely(
    watched: Watched, secret: Path, command: str, said: Said
) -> None:
    """R9, R10, I7: no busy loop, wherever it breaks off."""
    with ScriptedImap({command: always(said)}) as server:
        source = replace(server.moving_source(secret), command_timeout=timedelta(seconds=0.2))
        watched.watch(source, pace=replace(QUICK, first_pause=FIRST_PAUSE, refused_pause=FIRST_PAUSE))
        await until(lambda: server.connections_count >= 4)
        await watched.close_watchers()

    assert_slower_and_slower(server.connected_at)


async def test_a_server_that_has_news_all_the_time_is_asked_more_and_more_rarely(
    watched: Watched, secret: Path
) -> None:
    """R9: an EXISTS at every IDLE, and never a mail."""
    looked_at: list[float] = []

    def search(_rest: str) -> bytes:
        looked_at.append(SystemClock().monotonic())
        return b"* SEARCH\r\n" + OK

    with ScriptedImap({"UID SEARCH": search, "IDLE": always(b"+ idling\r\n* 1 EXISTS\r\n")}) as server:
        watched.watch(server.source(secret), pace=replace(QUICK, first_pause=FIRST_PAUSE))
        await until(lambda: len(looked_at) >= 9)
        await watched.close_watchers()

    # The first contact and four looks; from then on hints are not believed at once.
    assert_slower_and_slower(looked_at[4:])
    assert server.connections_count == 1


async def test_mail_is_found_at_once_however_much_a_server_talks(watched: Watched, secret: Path) -> None:
    """Hints that are followed by mail are always believed."""
    uids = iter(range(7, 20))

    def search(_rest: str) -> bytes:
        return b"* SEARCH %d\r\n" % next(uids) + OK

    def mails(rest: str) -> bytes:
        return b"".join(fetched(uid, RAW + b"%d" % uid) for uid in uids_of(rest)) + OK

    answers = {"UID SEARCH": search, "UID FETCH": bodies(mails), "IDLE": always(b"+ idling\r\n* 1 EXISTS\r\n")}
    with ScriptedImap(answers) as server:
        watched.watch(server.source(secret), pace=replace(QUICK, first_pause=timedelta(hours=1)))
        await watched.until_taken(10)
        await watched.close_watchers()


async def test_a_mail_in_pieces_is_one_mail(watched: Watched, secret: Path) -> None:
    """I9: every line and the mail itself come a byte at a time."""
    answers = {"UID FETCH": lambda rest: dribbled((fetched(7) if "BODY" in rest else facts(7)) + OK, gap_seconds=0.001)}
    with ScriptedImap(answers) as server:
        watched.watch(server.moving_source(secret))
        await watched.until_taken(1)
        await watched.close_watchers()

    assert await watched.raws() == [RAW]


@pytest.mark.parametrize("at", range(0, len(TRUTH), 9))
async def test_a_connection_that_ends_at_any_byte_of_a_mail_leads_to_the_whole_mail(
    watched: Watched, secret: Path, at: int
) -> None:
    """R8."""
    with ScriptedImap({"UID FETCH": bodies(in_turn(cut(TRUTH, at), TRUTH))}) as server:
        watched.watch(server.source(secret))
        await watched.until_taken(1)
        await watched.close_watchers()

    assert await watched.raws() == [RAW]


async def test_a_mail_whose_hint_was_lost_is_found_when_the_wait_is_over(watched: Watched, secret: Path) -> None:
    """R10, I8: IDLE is a hint."""
    nothing, something = b"* SEARCH\r\n" + OK, b"* SEARCH 7\r\n" + OK
    with ScriptedImap({"UID SEARCH": in_turn(nothing, nothing, something)}) as server:
        watched.watch(replace(server.source(secret), poll_every=timedelta(seconds=0.1)))
        await watched.until_taken(1)
        await watched.close_watchers()

    assert server.count("IDLE") >= 1


class Folder:
    """A folder that somebody makes anew; answers to the commands about it."""

    def __init__(self) -> None:
        self.uidvalidity = 5
        self.mails = {7: RAW}
        self.moved: list[bytes] = []

    def select(self, _rest: str) -> bytes:
        return b"* %d EXISTS\r\n* OK [UIDVALIDITY %d]\r\n" % (len(self.mails), self.uidvalidity) + OK

    def search(self, rest: str) -> bytes:
        first = int(rest.split()[1].split(":")[0]) if rest.startswith("UID ") else 0
        return b"* SEARCH" + b"".join(b" %d" % uid for uid in sorted(self.mails) if uid >= first) + b"\r\n" + OK

    def fetch(self, rest: str) -> bytes:
        known = [uid for uid in uids_of(rest) if uid in self.mails]
        one: Callable[[int], bytes] = lambda uid: (  # noqa: E731 - two ways to tell of one mail
            fetched(uid, self.mails[uid]) if "BODY" in rest else facts(uid, len(self.mails[uid]))
        )
        return b"".join(map(one, known)) + OK

    def move(self, rest: str) -> bytes:
        self.moved += [self.mails.pop(uid) for uid in uids_of(rest) if uid in self.mails]
        return OK

    def server(self, *, acknowledges: bool = True) -> ScriptedImap:
        refusal = always(b"{tag} NO not now\r\n")
        answers = {
            "UID MOVE": refusal,
            "UID STORE": refusal,
            "LIST": always(OK),
            "CREATE": refusal,
            "SELECT": self.select,
            "EXAMINE": self.select,
            "UID SEARCH": self.search,
            "UID FETCH": self.fetch,
        }
        acknowledging = {"UID MOVE": self.move, "UID STORE": always(OK)}
        return ScriptedImap({**answers, **(acknowledging if acknowledges else {})})


async def test_a_folder_made_anew_in_mid_run_loses_nothing_and_repeats_nothing(watched: Watched, secret: Path) -> None:
    """R7: another UIDVALIDITY, the old numbers for other mail, and one mail that was there before."""
    folder = Folder()
    with folder.server() as server:
        watcher = watched.watch(server.source(secret))
        await watched.until_taken(1)
        folder.uidvalidity, folder.mails = 6, {7: OTHER, 8: RAW}
        server.hang_up()
        await watched.until_taken(2)
        await watched.until_looked()
        await watched.stop(watcher)

    assert await watched.raws(Outcome.PENDING) == [RAW, OTHER]
    assert await watched.raws(Outcome.DUPLICATE) == [RAW]


@pytest.mark.parametrize("after", [AfterTaking.MOVE, AfterTaking.FLAG])
async def test_a_number_that_stands_for_another_mail_acknowledges_nothing_that_is_not_ours(
    watched: Watched, secret: Path, after: AfterTaking
) -> None:
    """R1, R7: the folder was made anew under the same UIDVALIDITY, before the first mail could be acknowledged."""
    folder = Folder()
    with folder.server(acknowledges=False) as server:
        watcher = watched.watch(replace(server.source(secret), after=after))
        await watched.until_taken(1)
        await watched.stop(watcher)
    folder.mails = {7: OTHER}
    with folder.server() as server, capture_logs() as logs:
        watched.watch(replace(server.source(secret), after=after))
        await watched.until_taken(2)
        await watched.until_looked()
        await watched.close_watchers()

    assert await watched.raws() == [RAW, OTHER]
    assert folder.moved == ([OTHER] if after is AfterTaking.MOVE else [])
    assert "uid_used_again" in [log["event"] for log in logs]


async def test_a_mail_that_could_not_be_acknowledged_is_read_once_more_and_not_taken_twice(
    watched: Watched, secret: Path
) -> None:
    folder = Folder()
    with folder.server(acknowledges=False) as server:
        watcher = watched.watch(server.moving_source(secret))
        await watched.until_failed("", DESK)
        await watched.until_taken(1)
        await watched.stop(watcher)
    with folder.server() as server:
        watched.watch(server.moving_source(secret))
        await until(lambda: bool(folder.moved))
        await watched.close_watchers()

    assert await watched.raws() == folder.moved == [RAW]


async def test_a_mail_over_the_limit_counts_as_read_and_its_bytes_are_not_asked_for(
    watched: Watched, secret: Path
) -> None:
    """S10: kept on the server, with a row that says why."""
    folder = Folder()
    folder.mails = {7: b"x" * 2000, 8: RAW}
    with folder.server() as server:
        watched.watch(server.moving_source(secret), limits=Limits(message_bytes=1000))
        await watched.until_taken(1)
        state = await watched.until_looked()
        await watched.close_watchers()

    (parked,) = await watched.mails(Outcome.PARKED)
    assert (parked.reason or "").startswith("too-large")
    assert await watched.store.raw(parked.id) in (None, b"")
    assert folder.moved == [RAW]
    assert state.read_through_at is not None
    assert [line for line in server.commands if line.startswith("UID FETCH 7 ") and "BODY" in line] == []


async def test_a_mail_that_turns_out_over_the_limit_is_recorded_without_its_bytes(
    watched: Watched, secret: Path
) -> None:
    """S10: the server had said that it is small."""
    large = fetched(7, b"x" * 2000).replace(b"RFC822.SIZE 2000", b"RFC822.SIZE 10") + OK
    with ScriptedImap({"UID FETCH": bodies(always(large))}) as server:
        watched.watch(server.moving_source(secret), limits=Limits(message_bytes=1000))
        await watched.until_looked()
        await watched.close_watchers()

    (parked,) = await watched.mails()
    assert (parked.outcome, (parked.reason or "")[:9]) == (Outcome.PARKED, "too-large")
    assert "2000 bytes" in (parked.reason or "")
    assert server.count("UID MOVE") == 0


async def test_a_mail_that_is_larger_than_the_server_says_is_not_read_without_end(
    watched: Watched, secret: Path
) -> None:
    """R9: 100 MB announced as a hundred bytes."""
    lie = b"* 1 FETCH (UID 7 BODY[] {104857600}\r\n" + b"x" * 1_000_000
    with ScriptedImap({"UID FETCH": bodies(in_turn(lie, TRUTH))}) as server:
        watched.watch(server.source(secret))
        await watched.until_taken(1)
        await watched.close_watchers()

    assert await watched.raws() == [RAW]


async def until(condition: Callable[[], bool]) -> None:
    async def found() -> bool:
        return condition()

    await eventually(found)


async def error_of(watched: Watched) -> str | None:
    state = (await watched.store.mailbox_states()).get(DESK)
    return state.last_error if state else None


def fetches_of_mail(server: ScriptedImap) -> int:
    return sum("BODY" in line for line in tuple(server.commands))


def assert_slower_and_slower(at: Sequence[float]) -> None:
    """The nth pause is at least half of the doubled one: jitter leaves no less."""
    gaps = [later - earlier for earlier, later in pairwise(at)]
    least = [FIRST_PAUSE.total_seconds() * 2**index / 2 for index in range(len(gaps))]
    assert all(gap >= bound for gap, bound in zip(gaps, least, strict=True)), gaps
