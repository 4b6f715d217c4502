"""What one transaction loads, decides and will save.

A workspace holds the cases of one stimulus or one batch in memory. Each command is decided on the case as the commands
before it left it; what must go out is written at once, so that a notice shows the case as it was at that moment.
Nothing is durable until the store has saved `changes()`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from mailcase.core import deadlines, engine
from mailcase.core.case import (
    SYSTEM,
    ActorId,
    Case,
    CaseId,
    LinkKind,
    MailId,
    PartyId,
    ProcessName,
    Status,
    TextId,
    reference,
)
from mailcase.core.commands import Command, OpenCase
from mailcase.core.effects import Effect
from mailcase.core.events import Event
from mailcase.core.process import Process
from mailcase.core.refusal import Refused
from mailcase.errors import PermanentError
from mailcase.handlers.read import ReadMail
from mailcase.store.port import Ids
from mailcase.store.rows.cases import Anchor, Participant, Party, Role, SavedCase, Taken, Text
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.inbox import MailOutcome
from mailcase.store.rows.lookup import Known
from mailcase.store.rows.outbox import DeliveryResult, OutgoingMail


class Writer(Protocol):
    """Writes what must go out; `notices.py` fills it."""

    def write(self, workspace: Workspace, case: Case, effect: Effect) -> None:
        """Adds the outgoing mails of one effect to the workspace."""
        ...


@dataclass
class _OpenCase:
    loaded_version: int
    case: Case
    events: list[Event] = field(default_factory=list)


class Workspace:
    """The unit of work of the handlers; made for one save and then thrown away."""

    def __init__(
        self,
        known: Known,
        *,
        ids: Ids,
        processes: Mapping[ProcessName, Process],
        writer: Writer,
        now: datetime,
        ran_until: datetime | None = None,
    ) -> None:
        self.known = known
        self.now = now
        self._ran_until = ran_until
        #: The command that is being applied may have been answered before the store was restored.
        self._is_repeated = False
        #: Who asked for the command that is being applied.
        self.actor: ActorId = SYSTEM
        #: Who was written to by a person in this transaction, and on which case.
        self.answered: set[tuple[CaseId, str]] = set()
        #: Mails of this stimulus that joined a case by an address made for somebody else.
        self.unconfirmed: set[tuple[CaseId, MailId]] = set()
        self._ids = ids
        self._processes = processes
        self._writer = writer
        self._cases: dict[CaseId, _OpenCase] = {}
        self._texts: dict[TextId, Text] = {}
        self._parties: dict[str, Party] = {}
        self._changed_parties: dict[PartyId, Party] = {}
        self._participants: dict[tuple[CaseId, PartyId], Participant] = {}
        #: By Message-ID and address; by fingerprint and address.
        self._anchors: defaultdict[str, dict[str, Anchor]] = defaultdict(dict)
        self._taken: defaultdict[str, dict[str, Taken]] = defaultdict(dict)
        #: Per case the ids that `_anchors` adds to its thread, in order.
        self._added_ids: defaultdict[CaseId, dict[str, None]] = defaultdict(dict)
        self._outgoing: list[OutgoingMail] = []
        self._results: list[DeliveryResult] = []
        self._outcomes: list[MailOutcome] = []
        self._mails: dict[MailId, ReadMail] = {}
        self._copies: list[tuple[CaseId, CaseId]] = []

    # -- what is known, with what this transaction has added

    def case(self, case_id: CaseId) -> Case | None:
        """The case as it stands now, None when there is none of that number."""
        opened = self._cases.get(case_id)
        return opened.case if opened else self.known.cases.get(case_id)

    def process(self, case: Case) -> Process:
        """The process of a case. Raises PermanentError when the configuration has lost it."""
        process = self._processes.get(case.process)
        if process is None:
            raise PermanentError(f"process {case.process!r} of case {reference(case.id)} is not in the configuration")
        return process

    def subject(self, case: Case) -> str:
        """The subject of a case."""
        text = self._texts.get(case.subject)
        return text.text if text else self.known.subjects.get(case.id, "")

    def text(self, text_id: TextId | None) -> str:
        """A text written in this transaction, "" when there is none."""
        found = self._texts.get(text_id) if text_id is not None else None
        return found.text if found else ""

    def party(self, address: str) -> Party | None:
        """The party of a lower-case address."""
        return self._parties.get(address) or self.known.parties.get(address)

    def party_of(self, party_id: PartyId | None) -> Party | None:
        """The party of an id."""
        if party_id is None:
            return None
        return self._changed_parties.get(party_id) or self.known.party_ids.get(party_id)

    def role(self, case_id: CaseId, address: str) -> Role | None:
        """How an address is on a case, None when it is not."""
        party = self.party(address)
        added = self._participants.get((case_id, party.id)) if party else None
        if added:
            return added.role
        return self.known.participants.get(case_id, {}).get(address)

    def roles(self, case_id: CaseId) -> dict[str, Role]:
        """Every address on a case with its role."""
        roles = dict(self.known.participants.get(case_id, {}))
        addresses = {party.id: party.address for party in (*self._parties.values(), *self.known.parties.values())}
        for (case, party_id), participant in self._participants.items():
            if case == case_id:
                roles[addresses[party_id]] = participant.role
        return roles

    def anchors(self, message_id: str) -> tuple[Anchor, ...]:
        """The cases that a Message-ID stands for."""
        added = self._anchors.get(message_id, {})
        known = self.known.anchors.get(message_id, ())
        return (*(anchor for anchor in known if anchor.address not in added), *added.values())

    def message_ids(self, case_id: CaseId) -> tuple[str, ...]:
        """The mails of a case by Message-ID, oldest first, for References."""
        known, added = self.known.message_ids.get(case_id, ()), self._added_ids.get(case_id, ())
        return tuple(dict.fromkeys((*known, *added)))

    def taken(self, fingerprint: str) -> tuple[Taken, ...]:
        """The units of intake that this content was taken for."""
        added = self._taken.get(fingerprint, {})
        known = self.known.taken.get(fingerprint, ())
        return (*(unit for unit in known if unit.address not in added), *added.values())

    def continued_by(self, case_id: CaseId) -> Case | None:
        """The case, not closed, that took up the mail for a closed one (8.37)."""
        added = tuple(
            opened.case.id
            for opened in self._cases.values()
            if any(link.kind is LinkKind.CONTINUES and link.other == case_id for link in opened.case.links)
        )
        candidates = [self.case(other) for other in (*self.known.continued_by.get(case_id, ()), *added)]
        alive = [case for case in candidates if case is not None and case.status is not Status.CLOSED]
        return alive[-1] if alive else None

    # -- what happens

    def decide(self, case_id: CaseId, command: Command) -> Refused | None:
        """Applies a command to a loaded case; a refusal leaves everything as it was."""
        case = self.case(case_id)
        if case is None:
            raise PermanentError(f"case {reference(case_id)} is not loaded")
        return self._apply(self.process(case), case, case_id, command)

    def open_case(self, process: ProcessName, command: OpenCase) -> Refused | None:
        """Makes a new case of a process; refused when the process starts no new ones."""
        return self._apply(self._processes[process], None, command.case_id, command)

    def _apply(self, process: Process, before: Case | None, case_id: CaseId, command: Command) -> Refused | None:
        answer = engine.decide(process, before, command)
        if isinstance(answer, Refused):
            return answer
        after = before
        for event in answer:
            after = engine.evolve(after, event)
        if after is None or not answer:
            return None
        loaded_version = before.version if before else 0
        opened = self._cases.setdefault(case_id, _OpenCase(loaded_version=loaded_version, case=after))
        opened.case = after
        opened.events.extend(answer)
        for effect in engine.react(process, before, answer, after):
            # Set for each: a notice that fails is itself noted on the case by a command of ours.
            self.actor = command.by
            self._is_repeated = self._ran_until is not None and command.at <= self._ran_until
            self._writer.write(self, after, effect)
            self._is_repeated = False
        return None

    def moment(self, case: Case, wanted: datetime) -> datetime:
        """`wanted` as a command's `at`: never before the case's last event, never after now."""
        return max(min(wanted, self.now), case.last_event_at)

    # -- what is added

    def new_case_id(self) -> CaseId:
        """The next case number."""
        return self._ids.case()

    def add_text(self, case_id: CaseId, text: str) -> TextId:
        """Stores a free text of a case."""
        text_id = self._ids.text()
        self._texts[text_id] = Text(id=text_id, case_id=case_id, text=text)
        return text_id

    def add_party(self, address: str, name: str) -> Party:
        """The party of a lower-case address, made or renamed as needed; an empty name keeps the known one."""
        known = self.party(address)
        if known and (not name or known.name == name):
            return known
        party = Party(id=known.id if known else self._ids.party(), address=address, name=name)
        self._parties[address] = party
        self._changed_parties[party.id] = party
        return party

    def add_participant(self, case_id: CaseId, party: Party, role: Role) -> None:
        """Puts a party on a case; one who is there already keeps his role unless the new one is stronger."""
        present = self.role(case_id, party.address)
        if present is None or _STRENGTH[role] > _STRENGTH[present]:
            self._participants[(case_id, party.id)] = Participant(case_id=case_id, party_id=party.id, role=role)

    def add_anchor(self, anchor: Anchor) -> None:
        """Remembers a Message-ID for a case; a known pair of id and address keeps its case, and may come to be seen."""
        known = next((other for other in self.anchors(anchor.message_id) if other.address == anchor.address), None)
        if known is not None and (anchor.case_id != known.case_id or known.is_seen or not anchor.is_seen):
            return
        self._anchors[anchor.message_id][anchor.address] = anchor
        if anchor.is_seen and anchor.is_shared:
            self._added_ids[anchor.case_id][anchor.message_id] = None

    def add_taken(self, unit: Taken) -> None:
        """Marks a unit of intake as taken; one that is taken already stays so, unless it is to be replaced."""
        before = next((other for other in self.taken(unit.fingerprint) if other.address == unit.address), None)
        if before is not None and before.mail_id != unit.replaces:
            return
        added = self._taken[unit.fingerprint]
        # What the store has to replace is the unit that it knows, not one of this transaction.
        added[unit.address] = replace(unit, replaces=before.replaces) if before and unit.address in added else unit

    def add_outgoing(self, mail: OutgoingMail) -> None:
        """Queues a finished mail; held, where the same may have gone out already (docs/decisions/0011)."""
        self._outgoing.append(replace(mail, is_held=True) if self._is_repeated else mail)

    def add_result(self, result: DeliveryResult) -> None:
        """Settles a delivery in the same commit."""
        self._results.append(result)

    def add_mail(self, read: ReadMail) -> None:
        """Makes a mail of this stimulus known to the notices that tell about it."""
        self._mails[read.id] = read

    def mail(self, mail_id: MailId | None) -> ReadMail | None:
        """A mail of this stimulus."""
        return self._mails.get(mail_id) if mail_id is not None else None

    def add_outcome(self, outcome: MailOutcome) -> None:
        """Ends a mail."""
        self._outcomes.append(outcome)

    def copy_mails(self, source: CaseId, target: CaseId) -> None:
        """Shows the mails of a closed case on the one that continues it (EM-25)."""
        self._copies.append((source, target))

    @property
    def ids(self) -> Ids:
        """Numbers for outgoing mail and deliveries."""
        return self._ids

    @property
    def outcomes(self) -> tuple[MailOutcome, ...]:
        """The mails ended so far."""
        return tuple(self._outcomes)

    @property
    def outgoing(self) -> tuple[OutgoingMail, ...]:
        """The mails queued so far."""
        return tuple(self._outgoing)

    @property
    def events(self) -> tuple[tuple[Case, Event], ...]:
        """Every event so far with its case, for the log."""
        return tuple((opened.case, event) for opened in self._cases.values() for event in opened.events)

    def changes(self) -> Changes:
        """All of it, for one commit."""
        return Changes(
            cases=tuple(self._saved(opened) for opened in self._cases.values()),
            texts=tuple(self._texts.values()),
            parties=tuple(self._changed_parties.values()),
            participants=tuple(self._participants.values()),
            anchors=tuple(anchor for of_one_id in self._anchors.values() for anchor in of_one_id.values()),
            taken=tuple(unit for of_one_mail in self._taken.values() for unit in of_one_mail.values()),
            outgoing=tuple(self._outgoing),
            results=tuple(self._results),
            outcomes=tuple(self._outcomes),
            copies=tuple(self._copies),
        )

    def _saved(self, opened: _OpenCase) -> SavedCase:
        process = self.process(opened.case)
        return SavedCase(
            case=opened.case,
            loaded_version=opened.loaded_version,
            events=tuple(opened.events),
            wake_at=deadlines.wake_at(process, opened.case),
            window_at=deadlines.window_at(process, opened.case),
        )


#: Which role wins when an address has come onto a case in two ways.
_STRENGTH = {Role.UNCONFIRMED: 0, Role.SEEN: 1, Role.THIRD_PARTY: 2, Role.REQUESTER: 3}
