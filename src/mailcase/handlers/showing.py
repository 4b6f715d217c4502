"""What a mail of ours may say: the case, and the mail that it tells about, as the plain text that templates get."""

from __future__ import annotations

from dataclasses import replace

from mailcase.core import assignment, labels
from mailcase.core.case import SYSTEM, Case, LinkKind, PersonId, reference
from mailcase.core.effects import Effect
from mailcase.core.process import Notice, Process
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.read import ReadMail
from mailcase.handlers.workspace import Workspace
from mailcase.mail import reading
from mailcase.outbound.letter import OutgoingAttachment
from mailcase.outbound.view import NoticeView, excerpt, greeting_name


def view_of(workspace: Workspace, case: Case, book: AddressBook, language: str) -> NoticeView:
    """The case as it stands now."""
    process = workspace.process(case)
    requester = workspace.party_of(case.requester)
    actor = workspace.actor
    keeper = assignment.keeper(case)
    continued = next((link.other for link in case.links if link.kind is LinkKind.CONTINUES), None)
    return NoticeView(
        ref=reference(case.id),
        subject=workspace.subject(case),
        process=case.process,
        queue=case.holder.queue or process.queue,
        status=labels.status_label(case.status, case.status_reason, language),
        flags=tuple(labels.label(flag, language) for flag in case.flags),
        due_text=labels.due_line(case, process.zone, language),
        requester_name=greeting_name(requester.name) if requester else "",
        requester_address=requester.address if requester else "",
        actor_name=book.name_of(PersonId(actor)) if actor != SYSTEM else "",
        assignee_name=book.name_of(case.holder.assignee) if case.holder.assignee else "",
        keeper_name=book.name_of(keeper) if keeper else "",
        promised_by=_promise(process, case, language),
        reopen_until=labels.moment(case.feedback_until, process.zone, language) if case.feedback_until else "",
        continues_ref=reference(continued) if continued is not None else "",
    )


def with_mail(view: NoticeView, mail: ReadMail | None, *, is_unconfirmed: bool) -> NoticeView:
    """The view with the mail that it tells about."""
    if mail is None:
        return view
    text, omitted = excerpt(mail.message.text)
    author = mail.author
    named = f"{author.name} <{author.address}>" if author and author.name else author.address if author else ""
    reply_to = next(iter(mail.message.reply_to), None)
    is_elsewhere = reply_to and author and reply_to.key.rpartition("@")[2] != author.key.rpartition("@")[2]
    return replace(
        view,
        mail_from=named,
        mail_is_unconfirmed=is_unconfirmed,
        mail_reply_to=reply_to.address if reply_to and is_elsewhere else "",
        mail_id=mail.id,
        mail_text=text,
        mail_omitted=omitted,
    )


def reason_of(workspace: Workspace, case: Case, effect: Effect, language: str) -> str:
    """What the case waits for, or what needs attention; "" for other notices."""
    if effect.notice is Notice.INFORMATION_WANTED:
        return case.wait.reason or "" if case.wait else ""
    if effect.notice is Notice.NEEDS_ATTENTION and case.attention:
        return workspace.text(case.attention.text) or labels.label(case.attention.cause, language)
    return ""


def files_of(mail: ReadMail | None, *, room_bytes: int) -> tuple[tuple[OutgoingAttachment, ...], tuple[str, ...]]:
    """The files of a mail that go with a notice, as long as there is room, and the names of those that do not."""
    carried: list[OutgoingAttachment] = []
    omitted: list[str] = []
    for attachment in mail.message.attachments if mail else ():
        # By the encoded size first, so that nothing large is decoded in vain: base64 takes four bytes for three.
        may_fit = (attachment.end - attachment.start) * 3 // 4 <= room_bytes
        content = reading.attachment_bytes(mail.claimed.raw, attachment) if mail and may_fit else None
        if content is None or len(content) > room_bytes:
            omitted.append(attachment.name)
            continue
        room_bytes -= len(content)
        carried.append(OutgoingAttachment(name=attachment.name, type=attachment.type, content=content))
    return tuple(carried), tuple(omitted)


def _promise(process: Process, case: Case, language: str) -> str:
    """By when the requester may be told that it is done; nothing is promised unless the process says so."""
    is_promised = process.due is not None and process.due.is_promised
    return labels.moment(case.due_at, process.zone, language) if is_promised and case.due_at else ""
