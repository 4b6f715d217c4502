"""Taking the mail of one IMAP folder: what is looked at, what is taken, what is acknowledged, in which order.

Rules that hold here:
1. A mail is known by (mailbox, folder, UIDVALIDITY, UID) and by its bytes, never by its flags (L2); no window of time
   limits what is taken (L3).
2. The cursor never passes a mail that is on the server and not committed. What lies below it is found again by a look
   at the whole folder: a UID that came late, a move that failed.
3. The server hears of it only after the commit (L11); of what an earlier life committed, only after its bytes have been
   compared, because a number may stand for another mail by now.
4. A look is complete when every UID that it found is committed; only then may anybody say what has been read through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from mailcase.clock import Clock
from mailcase.config.settings import AfterTaking, ImapSource, Limits
from mailcase.core.case import MailboxName
from mailcase.inbound.accept import Door
from mailcase.inbound.acknowledge import Acknowledger
from mailcase.inbound.arrival import arrived_at
from mailcase.inbound.imap_answers import FetchedMail, MailFacts
from mailcase.inbound.imap_errors import ImapRefused, ImapUnavailable
from mailcase.inbound.imap_line import ImapLine
from mailcase.inbound.intake_plan import Look, Progress, in_portions, in_sets, is_older
from mailcase.log import get_logger
from mailcase.store.port import Mailboxes
from mailcase.store.rows.inbox import NewMail, Outcome, Reason
from mailcase.store.rows.mailboxes import FolderState

log = get_logger()

#: Start of a folder of which everything is taken: no mail is older.
EVERYTHING = datetime(1970, 1, 1, tzinfo=UTC)
#: UIDs asked about, and acknowledged, in one go.
PORTION = 500
#: Known mail that is not acknowledged again: it was never ours, or people shall see it where it is.
_LEFT_ALONE = frozenset({Outcome.BEFORE_START, Outcome.PARKED})


class Intake:
    """Takes the mail of one folder. Outlives connections: it remembers which UIDs need nothing more."""

    def __init__(
        self, mailbox: MailboxName, source: ImapSource, *, door: Door, store: Mailboxes, clock: Clock, limits: Limits
    ) -> None:
        self._mailbox = mailbox
        self._source = source
        self._door = door
        self._store = store
        self._clock = clock
        self._limits = limits
        self._acknowledger = Acknowledger(mailbox, source)
        self._uidvalidity = 0
        #: As saved; None before the first contact.
        self._folder: FolderState | None = None
        #: The last complete look began then; None before the first.
        self._looked_at: datetime | None = None
        #: UIDs of this UIDVALIDITY that are committed and acknowledged, or left alone.
        self._settled: set[int] = set()
        #: UIDs whose mail has been compared with its row over this connection, and is waiting to be acknowledged.
        self._compared: set[int] = set()
        self._taken_count = 0
        #: How often the server failed to give a mail: such a one is asked for last and alone (L5).
        self._failures: dict[int, int] = {}

    async def open(self, line: ImapLine) -> None:
        """Opens the folder on a new connection and finds out how far it was read."""
        is_read_only = self._source.after is AfterTaking.LEAVE
        status = await line.call(partial(line.session.select, self._source.folder, is_read_only=is_read_only))
        states = await self._store.folder_states(self._mailbox)
        self._folder = next((state for state in states if state.folder == self._source.folder), None)
        self._compared.clear()
        if status.uidvalidity != self._uidvalidity:
            self._uidvalidity = status.uidvalidity
            self._settled.clear()
            self._failures.clear()
        if self._folder is not None and self._is_renumbered(self._folder):
            log.warning(
                "folder_renumbered",
                mailbox=self._mailbox,
                folder=self._source.folder,
                uidvalidity=status.uidvalidity,
                messages_count=status.exists_count,
            )

    def _is_renumbered(self, folder: FolderState) -> bool:
        """The UIDs that we know mean nothing any longer (RFC 3501 s. 2.3.1.1).

        Stays true, over a restart too, until a look has compared the whole folder by content.
        """
        return folder.uidvalidity != self._uidvalidity

    async def look(self, line: ImapLine, *, whole: bool, is_stopping: Callable[[], bool]) -> Look:
        """Takes what is new; with `whole`, compares every UID of the folder with what was taken.

        Ends early, between two sets, when `is_stopping` says so; then the look is not complete.
        Raises ImapUnavailable, ImapBroken, StoreUnavailable; what was committed until then stays so.
        """
        seen_at = self._clock.now()
        self._taken_count = 0
        folder = self._folder or await self._first_contact(line, seen_at)
        self._folder = folder
        is_renumbered = self._is_renumbered(folder)
        whole = whole or is_renumbered
        listed = await self._list(line, folder, whole=whole)
        known, unknown = await self._told_apart(listed)
        progress = Progress(listed, unknown, cursor=0 if is_renumbered else folder.last_uid)
        for uids in in_portions(self._in_order(unknown, folder, whole=whole), PORTION):
            if not is_stopping():
                await self._take(line, uids, folder, progress, is_stopping)
        if progress.unread and not is_stopping():
            await self._pass_over_gone(line, progress)
        await self._commit((), progress, is_end=not progress.unread)
        await self._acknowledge_known(line, known)
        if not progress.unread:
            self._looked_at = seen_at - self._limits.clock_tolerance
        return Look(seen_at=seen_at, unread=progress.unread, taken_count=self._taken_count)

    async def _list(self, line: ImapLine, folder: FolderState, *, whole: bool) -> tuple[int, ...]:
        if not whole:
            return await line.call(partial(line.session.uids_after, folder.last_uid))
        listed = await line.call(line.session.all_uids)
        self._settled.intersection_update(listed)
        return listed

    async def _told_apart(self, listed: Sequence[int]) -> tuple[dict[int, Outcome], tuple[int, ...]]:
        """Of the UIDs that are not settled, those that have a row, with its outcome, and those that have none."""
        known: dict[int, Outcome] = {}
        open_uids = tuple(uid for uid in listed if uid not in self._settled)
        for uids in in_portions(open_uids, PORTION):
            sources = {self._source_key(uid): uid for uid in uids}
            outcomes = await self._store.outcomes_of(self._mailbox, tuple(sources))
            known.update({sources[source]: outcome for source, outcome in outcomes.items()})
        return known, tuple(uid for uid in open_uids if uid not in known)

    def _in_order(self, uids: Sequence[int], folder: FolderState, *, whole: bool) -> tuple[int, ...]:
        """New mail comes first, then what lies below the cursor, last what the server failed to give; that, after
        some failures, only with a look at the whole folder.
        """
        willing = (uid for uid in uids if whole or self._failures.get(uid, 0) < self._limits.attempts)
        return tuple(sorted(willing, key=lambda uid: (self._failures.get(uid, 0), uid <= folder.last_uid, uid)))

    # -- first contact

    async def _first_contact(self, line: ImapLine, seen_at: datetime) -> FolderState:
        """Everything that is there is left, unless the operator wants it (L10); committed before anything is taken."""
        present = await line.call(line.session.all_uids)
        takes = self._source.takes_existing
        state = FolderState(
            mailbox=self._mailbox,
            folder=self._source.folder,
            uidvalidity=self._uidvalidity,
            last_uid=0 if takes or not present else present[-1],
            started_at=EVERYTHING if takes else seen_at - self._limits.clock_tolerance,
        )
        left = () if takes else await self._left_with_late_dates(line, state, frozenset(present))
        await self._door.accept(left, folder=state)
        log.info(
            "mailbox_first_contact",
            mailbox=self._mailbox,
            folder=self._source.folder,
            taken_count=len(present) if takes else 0,
            left_count=0 if takes else len(present),
        )
        return state

    async def _left_with_late_dates(
        self, line: ImapLine, state: FolderState, present: Collection[int]
    ) -> tuple[NewMail, ...]:
        """Mail that was there before us although its date does not show it: it is seconds old, or the server's clock is
        ahead. It gets rows, so that no later look takes it for late mail, with the bytes to know it by.
        """
        day = (state.started_at - timedelta(days=1)).date()
        uids = [uid for uid in await line.call(partial(line.session.uids_since, day)) if uid in present]
        facts = await line.call(partial(line.session.facts, uids))
        young = [fact for fact in facts if not is_older(fact, state.started_at) and not self._is_too_large(fact)]
        mails: list[FetchedMail] = []
        for some in self._sets(young):
            mails += await self._fetch(line, some)
        return tuple(self._row(mail, Outcome.BEFORE_START, raw=mail.raw) for mail in mails)

    # -- taking

    async def _take(
        self,
        line: ImapLine,
        uids: Sequence[int],
        folder: FolderState,
        progress: Progress,
        is_stopping: Callable[[], bool],
    ) -> None:
        """Commits these mails in sets, in their order, then acknowledges them together."""
        facts = {fact.uid: fact for fact in await line.call(partial(line.session.facts, uids))}
        left, large, wanted = self._sorted_out([facts[uid] for uid in uids if uid in facts], folder)
        await self._leave(left, folder, progress)
        await self._park(large, progress)
        taken: list[int] = []
        for some in self._sets(wanted):
            if is_stopping():
                break
            mails = await self._within_limit(await self._fetch(line, some), progress)
            repeated = await self._repeated(mails) if self._is_renumbered(folder) else frozenset()
            rows = [
                self._row(mail, Outcome.DUPLICATE if mail.uid in repeated else Outcome.PENDING, raw=mail.raw)
                for mail in mails
            ]
            progress.done(mail.uid for mail in mails)
            await self._commit(rows, progress)
            taken += [mail.uid for mail in mails]
        self._taken_count += len(taken)
        self._compared.update(taken)
        await self._acknowledge(line, sorted(taken))

    def _sorted_out(
        self, facts: Sequence[MailFacts], folder: FolderState
    ) -> tuple[list[MailFacts], list[MailFacts], list[MailFacts]]:
        """The mails to leave, those too large to take, and those to take."""
        left: list[MailFacts] = []
        large: list[MailFacts] = []
        wanted: list[MailFacts] = []
        for fact in facts:
            if self._is_left(fact, folder):
                left.append(fact)
            elif self._is_too_large(fact):
                large.append(fact)
            else:
                wanted.append(fact)
        return left, large, wanted

    def _is_left(self, fact: MailFacts, folder: FolderState) -> bool:
        """Was in the folder before the first contact; certain only of UIDs that are not above the cursor."""
        return not self._is_new(fact, folder) and is_older(fact, folder.started_at)

    def _is_new(self, fact: MailFacts, folder: FolderState) -> bool:
        return fact.uid > folder.last_uid and not self._is_renumbered(folder)

    def _is_too_large(self, fact: MailFacts) -> bool:
        return fact.size_bytes > self._limits.message_bytes

    async def _leave(self, facts: Sequence[MailFacts], folder: FolderState, progress: Progress) -> None:
        """Mail from before the start needs a row only after a renumbering; else the cursor is past it and says so."""
        rows = [self._row(fact, Outcome.BEFORE_START, raw=b"") for fact in facts if self._is_renumbered(folder)]
        progress.done(fact.uid for fact in facts)
        await self._commit(rows, progress)
        self._settled.update(fact.uid for fact in facts)

    async def _park(self, facts: Sequence[MailFacts], progress: Progress) -> None:
        """Mail over the limit is recorded without its bytes and stays on the server, where people can read it."""
        for fact in facts:
            log.warning(
                "mail_too_large",
                mailbox=self._mailbox,
                uid=fact.uid,
                size_bytes=fact.size_bytes,
                limit_bytes=self._limits.message_bytes,
            )
        progress.done(fact.uid for fact in facts)
        await self._commit([self._row(fact, Outcome.PARKED, raw=b"") for fact in facts], progress)
        self._settled.update(fact.uid for fact in facts)

    async def _within_limit(self, mails: Sequence[FetchedMail], progress: Progress) -> Sequence[FetchedMail]:
        """Without those that turn out larger than the server said, which are treated as it should have said."""
        large = [
            replace(mail, size_bytes=len(mail.raw)) for mail in mails if len(mail.raw) > self._limits.message_bytes
        ]
        if large:
            await self._park(large, progress)
        return [mail for mail in mails if len(mail.raw) <= self._limits.message_bytes]

    def _sets(self, facts: Sequence[MailFacts]) -> Iterable[tuple[MailFacts, ...]]:
        return in_sets(
            facts,
            limit_count=self._limits.inbox_batch,
            limit_bytes=self._limits.inbox_batch_bytes,
            alone=self._failures.keys(),
        )

    async def _fetch(self, line: ImapLine, facts: Sequence[MailFacts]) -> tuple[FetchedMail, ...]:
        """What the server gives of this set; remembers what it does not, or what it broke at."""
        uids = [fact.uid for fact in facts]
        size = sum(fact.size_bytes for fact in facts)
        try:
            mails = await line.call(partial(line.session.fetch, uids, size_bytes=size), size_bytes=size)
        except ImapRefused:
            if len(facts) > 1:
                return tuple([mail for fact in facts for mail in await self._fetch(line, (fact,))])
            mails = ()
        except ImapUnavailable:
            self._blame(uids)
            raise
        given = {mail.uid for mail in mails}
        for uid in given:
            self._failures.pop(uid, None)
        self._blame([uid for uid in uids if uid not in given])
        return mails

    def _blame(self, uids: Iterable[int]) -> None:
        for uid in uids:
            self._failures[uid] = self._failures.get(uid, 0) + 1

    async def _repeated(self, mails: Sequence[FetchedMail]) -> frozenset[int]:
        """UIDs of those mails whose very bytes this mailbox has taken before."""
        digests: Mapping[int, str] = {mail.uid: _digest(mail.raw) for mail in mails}
        known = await self._store.knows_content(self._mailbox, tuple(digests.values()))
        return frozenset(uid for uid, digest in digests.items() if digest in known)

    async def _pass_over_gone(self, line: ImapLine, progress: Progress) -> None:
        """Somebody may have removed a mail between our search and our fetch; what is gone can no longer be read."""
        present = frozenset(await line.call(line.session.all_uids))
        gone = [uid for uid in progress.unread if uid not in present]
        if gone:
            log.warning("mail_gone", mailbox=self._mailbox, folder=self._source.folder, mails_count=len(gone))
        progress.done(gone)

    # -- committing and acknowledging

    async def _commit(self, rows: Sequence[NewMail], progress: Progress, *, is_end: bool = False) -> None:
        """Commits mails together with how far the folder is read. While UIDs are being compared by content nothing is
        said of that before the end, so that a restart compares again.
        """
        folder = self._folder
        if folder is None:
            return
        state = replace(folder, uidvalidity=self._uidvalidity, last_uid=progress.cursor)
        if self._is_renumbered(folder) and not is_end:
            state = folder
        if rows or state != folder:
            await self._door.accept(rows, folder=state)
        self._folder = state

    async def _acknowledge_known(self, line: ImapLine, known: Mapping[int, Outcome]) -> None:
        """Makes good what an earlier look committed and could not acknowledge any more."""
        ours = {uid for uid, outcome in known.items() if outcome not in _LEFT_ALONE}
        outstanding = await self._acknowledger.outstanding(line, ours)
        self._settled.update(known.keys() - set(outstanding))
        for uids in in_portions(outstanding, PORTION):
            await self._compare(line, [uid for uid in uids if uid not in self._compared])
            await self._acknowledge(line, [uid for uid in uids if uid in self._compared])

    async def _compare(self, line: ImapLine, uids: Sequence[int]) -> None:
        """A server that makes a folder anew and numbers it as before (against RFC 3501 s. 2.3.1.1) has other mail
        behind numbers that we know. Such a mail is taken under its number and its content.
        """
        facts = await line.call(partial(line.session.facts, uids))
        for some in self._sets([fact for fact in facts if not self._is_too_large(fact)]):
            mails = await self._fetch(line, some)
            known = await self._repeated(mails)
            others = [self._row(mail, Outcome.PENDING, raw=mail.raw) for mail in mails if mail.uid not in known]
            if others:
                log.warning(
                    "uid_used_again", mailbox=self._mailbox, folder=self._source.folder, mails_count=len(others)
                )
                await self._door.accept([replace(row, source=f"{row.source}:{_digest(row.raw)}") for row in others])
                self._taken_count += len(others)
            self._compared.update(mail.uid for mail in mails)

    async def _acknowledge(self, line: ImapLine, uids: Sequence[int]) -> None:
        if await self._acknowledger.acknowledge(line, uids):
            self._settled.update(uids)

    def _row(self, fact: MailFacts, outcome: Outcome, *, raw: bytes) -> NewMail:
        now = self._clock.now()
        return NewMail(
            mailbox=self._mailbox,
            source=self._source_key(fact.uid),
            raw=raw,
            envelope_from=None,
            envelope_to=(),
            arrived_at=arrived_at(fact.internal_date, raw, now=now, not_there_at=self._not_there_at(fact)),
            received_at=now,
            outcome=outcome,
            reason=self._reason(fact, outcome),
        )

    def _not_there_at(self, fact: MailFacts) -> datetime | None:
        """A time at which this mail was not in the folder; known only of those above the cursor of that time."""
        is_new = self._folder is not None and self._is_new(fact, self._folder)
        return self._looked_at if is_new else None

    def _reason(self, fact: MailFacts, outcome: Outcome) -> str | None:
        """Why a mail is recorded here and now, without being handled."""
        if outcome is Outcome.PARKED:
            limit_bytes = self._limits.message_bytes
            return f"{Reason.TOO_LARGE}: {fact.size_bytes} bytes, and at most {limit_bytes} are taken"
        return {Outcome.BEFORE_START: Reason.OLDER_THAN_START, Outcome.DUPLICATE: Reason.SAME_CONTENT}.get(outcome)

    def _source_key(self, uid: int) -> str:
        return f"imap:{self._source.folder}:{self._uidvalidity}:{uid}"


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
