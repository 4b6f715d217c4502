"""Who has a case: assignee, owner, queue, and in which list it stands (spec 2.4).

The table of AS-1 with three readings: flags beat the status, and an ended wait counts as one; an assignment by hand
stays until the case is given back, waits, is resolved or closed (AS-2, 8.1); the queue stays as long as nobody is
assignee (8.31), so that others can take the case. An assignee leaves no room for an owner: whoever sets it waiting owns
it next (8.30).
"""

from __future__ import annotations

from collections.abc import Iterable

from mailcase.core.case import ActorId, Case, Holder, PersonId, QueueName, Status
from mailcase.core.process import Person, Process

INBOX = "inbox"
OWNED = "owned"

_RESTING = frozenset({Status.WAITING, Status.RESOLVED})


def place(process: Process, case: Case, *, is_acknowledgement: bool = False) -> Holder:
    """Re-evaluates who has the case after a change of status, wait or flag (AS-1, ST-9).

    With `is_acknowledgement` only a flag was taken away: then whoever had it by rule goes on as its owner (AS-8, 8.34),
    before the last person who updated it.
    """
    had = case.holder
    if case.status is Status.CLOSED:
        return Holder()
    if case.is_highlighted or case.status is Status.DRAFT:
        assignee = had.assignee or _first(process, (had.owner, *_by_history(process, case)))
        queue = _queue(process, case) if case.is_highlighted or assignee is None else None
        return Holder(assignee=assignee, queue=queue, by_hand=had.by_hand)
    if had.by_hand and case.status not in _RESTING:
        return Holder(assignee=had.assignee, by_hand=True)
    heirs = (had.assignee,) if is_acknowledgement else ()
    owner = had.owner or _first(process, (*heirs, *_by_history(process, case)))
    is_queued = owner is None or case.status not in _RESTING
    return Holder(owner=owner, queue=_queue(process, case) if is_queued else None)


def take(process: Process, case: Case, person: PersonId) -> Holder:
    """The person has it by hand from now on (T4-T6, T10)."""
    return Holder(assignee=person, queue=_queue(process, case) if case.is_highlighted else None, by_hand=True)


def give(process: Process, case: Case, person: PersonId) -> Holder:
    """The person gets it from somebody: as assignee, or as owner where there is nothing to do now.

    A highlighted wait is to be looked at, so the person is its assignee; read, it rests with them as owner.
    """
    if case.status not in _RESTING:
        return take(process, case, person)
    if case.is_highlighted:
        return Holder(assignee=person, queue=_queue(process, case))
    return Holder(owner=person)


def give_back(process: Process, case: Case) -> Holder:
    """Nobody has it any longer; everybody in its queue may take it (T6, T7, AS-11).

    Work that nothing calls for keeps an owner, as AS-1 wants it; the next event may assign anew.
    """
    is_plain_work = not case.is_highlighted and case.status in {Status.TO_DO, Status.IN_PROGRESS}
    owner = (case.holder.owner or _first(process, _by_history(process, case))) if is_plain_work else None
    return Holder(owner=owner, queue=_queue(process, case))


def keeper(case: Case) -> PersonId | None:
    """Who has the case, so that others must ask for it: its assignee, or the owner of one that rests.

    The owner of open work does not keep it from others: it lies in its queue to be taken (8.31).
    """
    return case.holder.assignee or (case.holder.owner if case.status in _RESTING else None)


def lists(case: Case) -> tuple[str, ...]:
    """The list that shows the case: `("inbox",)`, `("owned",)`, or `()` when closed (AS-6).

    No open case is shown nowhere: one without a person stands in the list of its queue.
    """
    if list_holder(case) is None:
        return ()
    is_to_be_seen = case.holder.assignee is not None or case.is_highlighted or case.status is Status.DRAFT
    return (INBOX,) if is_to_be_seen else (OWNED,)


def list_holder(case: Case) -> PersonId | QueueName | None:
    """Whose list it stands in: a person's, else its queue's (the team's)."""
    return case.holder.assignee or case.holder.owner or case.holder.queue


def valid_person(process: Process, person_id: ActorId | PersonId | None) -> Person | None:
    """The person, if a case may be given to them (AS-5)."""
    person = process.person(person_id) if person_id is not None else None
    return person if person is not None and not person.is_retired else None


def valid_people(process: Process) -> tuple[PersonId, ...]:
    """Everybody whom a case may be given to, in the order of the process."""
    return tuple(person.id for person in process.people if not person.is_retired)


def settlers(process: Process, case: Case) -> tuple[PersonId, ...]:
    """Who may settle what needs attention: whoever has it, and whoever had it when the problem arose (T10, T12, 8.36).

    Empty means anybody: nobody had it, or those who did are gone.
    """
    settler = case.attention.settler if case.attention is not None else None
    named = (case.holder.assignee, case.holder.owner, settler)
    return tuple(dict.fromkeys(person.id for name in named if (person := valid_person(process, name)) is not None))


def _queue(process: Process, case: Case) -> QueueName:
    return case.holder.queue or process.queue


def _by_history(process: Process, case: Case) -> tuple[ActorId | PersonId | None, ...]:
    """AS-4, 4 to 6: who updated it last, who has it, who is to get cases, who started it."""
    return (*case.updaters, case.holder.assignee, *process.allocation, case.started_by)


def _first(process: Process, candidates: Iterable[ActorId | PersonId | None]) -> PersonId | None:
    return next((person.id for name in candidates if (person := valid_person(process, name)) is not None), None)
