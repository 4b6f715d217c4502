"""Every operation of the shell on cases: arguments -> commands of the core.

A plan is run on the case as it is loaded; its commands are decided one after the other and saved in one commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from mailcase.core.case import ActorId, Case, CaseId, Origin, PersonId, ProcessName, WaitType
from mailcase.core.commands import (
    AddNote,
    Assign,
    Cancel,
    Command,
    MarkNew,
    MarkRead,
    OpenCase,
    RaiseAttention,
    Release,
    Reopen,
    Resolve,
    SendAnswer,
    SetDue,
    SetInProgress,
    SetToDo,
    StartWait,
    Submit,
    Take,
)
from mailcase.desk.arguments import Arguments
from mailcase.errors import CommandRefused
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.command import Plan
from mailcase.handlers.notices import NoticeWriter
from mailcase.handlers.workspace import Workspace
from mailcase.mail.message import Address
from mailcase.outbound.letter import OutgoingAttachment, is_writable_address
from mailcase.store.rows.cases import Role

#: Makes the plan of one operation from its arguments, for one person.
Planner = Callable[[Arguments, ActorId], Plan]


def _simple(command: Callable[..., Command]) -> Planner:
    """An operation that is one command without arguments of its own."""

    def planner(_arguments: Arguments, by: ActorId) -> Plan:
        return lambda workspace, case: [command(at=_now(workspace, case), by=by)]

    return planner


def _take(arguments: Arguments, by: ActorId) -> Plan:
    return lambda workspace, case: [Take(at=_now(workspace, case), by=by, take_over=arguments.flag("take_over"))]


def _assign(arguments: Arguments, by: ActorId) -> Plan:
    def plan(workspace: Workspace, case: Case) -> Iterator[Command]:
        note = arguments.optional_text("note")
        yield Assign(
            at=_now(workspace, case),
            by=by,
            person=PersonId(arguments.text("person")),
            note=workspace.add_text(case.id, note) if note else None,
        )

    return plan


def _wait(arguments: Arguments, by: ActorId) -> Plan:
    def plan(workspace: Workspace, case: Case) -> Iterator[Command]:
        info, until = arguments.optional_text("info"), arguments.optional_moment("until")
        if info is not None:
            yield StartWait(at=_now(workspace, case), by=by, type=WaitType.MORE_INFO, reason=info)
        elif until is not None:
            yield StartWait(at=_now(workspace, case), by=by, type=WaitType.UNTIL, until=until)
        else:
            yield StartWait(at=_now(workspace, case), by=by, type=WaitType.ON_HOLD)

    return plan


def _resolve(arguments: Arguments, by: ActorId) -> Plan:
    def plan(workspace: Workspace, case: Case) -> Iterator[Command]:
        method = arguments.optional_text("method")
        text = workspace.add_text(case.id, method) if method else None
        yield Resolve(at=_now(workspace, case), by=by, method=text)

    return plan


def _cancel(arguments: Arguments, by: ActorId) -> Plan:
    return lambda workspace, case: [Cancel(at=_now(workspace, case), by=by, is_confirmed=arguments.flag("yes"))]


def _note(arguments: Arguments, by: ActorId) -> Plan:
    def plan(workspace: Workspace, case: Case) -> Iterator[Command]:
        text = workspace.add_text(case.id, arguments.text("text"))
        yield AddNote(at=_now(workspace, case), by=by, text=text)

    return plan


def _attention(arguments: Arguments, by: ActorId) -> Plan:
    def plan(workspace: Workspace, case: Case) -> Iterator[Command]:
        text = workspace.add_text(case.id, arguments.text("reason"))
        yield RaiseAttention(at=_now(workspace, case), by=by, text=text)

    return plan


def _due(arguments: Arguments, by: ActorId) -> Plan:
    return lambda workspace, case: [SetDue(at=_now(workspace, case), by=by, due_at=arguments.moment("at"))]


def _read(arguments: Arguments, by: ActorId) -> Plan:
    command = MarkNew if arguments.flag("undo") else MarkRead
    return lambda workspace, case: [command(at=_now(workspace, case), by=by)]


#: Operation -> what it does to a case.
PLANNERS: dict[str, Planner] = {
    "case.submit": _simple(Submit),
    "case.take": _take,
    "case.release": _simple(Release),
    "case.progress": _simple(SetInProgress),
    "case.todo": _simple(SetToDo),
    "case.cancel": _cancel,
    "case.reopen": _simple(Reopen),
    "case.assign": _assign,
    "case.wait": _wait,
    "case.resolve": _resolve,
    "case.note": _note,
    "case.attention": _attention,
    "case.due": _due,
    "case.read": _read,
}


def reply(arguments: Arguments, by: PersonId, blobs: Sequence[bytes], writer: NoticeWriter) -> Plan:
    """`case reply`: a person's mail on the case, in its thread; `wait` asks and waits in one act (8.39); a case
    that waits for that already goes on waiting."""

    def plan(workspace: Workspace, case: Case) -> Iterator[Command]:
        wait = arguments.optional_text("wait")
        outgoing = writer.answer(
            workspace,
            case,
            by=by,
            text=arguments.text("text"),
            to=_recipient(arguments, workspace, case),
            attachments=_attachments(arguments, blobs),
        )
        actor = ActorId(by)
        yield SendAnswer(at=_now(workspace, case), by=actor, mail=outgoing)
        is_waiting_for_it = case.wait is not None and case.wait.reason == wait
        if wait is not None and not is_waiting_for_it:
            yield StartWait(at=_now(workspace, case), by=actor, type=WaitType.MORE_INFO, reason=wait)

    return plan


def _recipient(arguments: Arguments, workspace: Workspace, case: Case) -> Address:
    """The requester, or the third party that `to` names, who takes part from now on."""
    to = arguments.optional_text("to")
    if to is None:
        requester = workspace.party_of(case.requester)
        if requester is None:
            raise CommandRefused("the case has no requester; say whom to write to with --to ADDRESS")
        return Address(name=requester.name, address=requester.address)
    address = _address(to)
    party = workspace.add_party(address, "")
    workspace.add_participant(case.id, party, Role.THIRD_PARTY)
    return Address(name=party.name, address=party.address)


def _attachments(arguments: Arguments, blobs: Sequence[bytes]) -> tuple[OutgoingAttachment, ...]:
    described = arguments.objects("attachments")
    if len(described) != len(blobs):
        raise CommandRefused("there must be as many attachments as files sent")
    return tuple(
        OutgoingAttachment(name=str(item.get("name") or "file"), type=str(item.get("type") or ""), content=blob)
        for item, blob in zip(described, blobs, strict=True)
    )


def opening(arguments: Arguments, by: PersonId, book: AddressBook) -> Callable[[Workspace, CaseId], OpenCase]:
    """`case new`: a draft (T1), which is answered from the address that serves its process."""
    requester = arguments.optional_text("requester")
    address = _address(requester) if requester else None
    subject = arguments.text("subject")
    home = book.home_of(ProcessName(arguments.text("process")))
    mailbox = book.mailbox_of(home.address) if home else None

    def command(workspace: Workspace, case_id: CaseId) -> OpenCase:
        party = workspace.add_party(address, "") if address else None
        if party is not None:
            workspace.add_participant(case_id, party, Role.REQUESTER)
        return OpenCase(
            at=workspace.now,
            by=ActorId(by),
            case_id=case_id,
            origin=Origin.MANUAL,
            subject=workspace.add_text(case_id, " ".join(subject.split())),
            requester=party.id if party else None,
            mailbox=mailbox.name if mailbox else None,
            address=home.address if home else None,
        )

    return command


def first_note(arguments: Arguments, by: PersonId) -> Plan:
    """`case new --text`: the text as the first note; nothing when none was given."""
    return _note(arguments, ActorId(by)) if arguments.optional_text("text") else lambda _workspace, _case: ()


def _address(text: str) -> str:
    address = text.strip().lower()
    if not is_writable_address(address):
        raise CommandRefused(f"{text!r} is not an address that mail can be sent to")
    return address


def _now(workspace: Workspace, case: Case) -> datetime:
    return workspace.moment(case, workspace.now)
