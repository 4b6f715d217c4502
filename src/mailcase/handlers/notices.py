"""Writes what must go out: effect of the core -> view -> template -> finished bytes in the outbox (DESIGN 1.6).

The Message-ID is fixed here. A template that fails never costs the transaction: the case is saved, and the failure
stands on its timeline and in the log.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailcase.config.settings import (
    OutgoingMode,
    OwnAddress,
    PersonSettings,
    ReplyAddress,
    Settings,
)
from mailcase.core import labels
from mailcase.core.case import SYSTEM, Case, LinkKind, OutgoingId, PersonId, Status, reference
from mailcase.core.commands import AddNote
from mailcase.core.effects import Effect, ToPerson, ToQueue, ToRequester
from mailcase.core.process import Notice, Process
from mailcase.entropy import Entropy, token
from mailcase.errors import CommandRefused
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.read import ReadMail
from mailcase.handlers.workspace import Workspace
from mailcase.log import get_logger
from mailcase.mail import reading, signing
from mailcase.mail.message import Address
from mailcase.mail.signing import KeyRing
from mailcase.outbound.compose import compose
from mailcase.outbound.letter import (
    AutoSubmitted,
    Letter,
    OutgoingAttachment,
    is_writable_address,
    limit_references,
)
from mailcase.outbound.templates import TemplateFailure, Templates, shipped_folder
from mailcase.outbound.view import NoticeView, excerpt, greeting_name
from mailcase.store.rows.cases import Anchor
from mailcase.store.rows.outbox import NewDelivery, OutgoingMail

log = get_logger()

#: Name of the template, and of the kind of mail, for what a person wrote.
ANSWER = "answer"
_BINDABLE = re.compile(r"[a-z0-9_]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipient:
    """One recipient of one mail, with what is known of him."""

    address: str
    name: str
    language: str
    #: Set for agents.
    person: PersonSettings | None = None


class NoticeWriter:
    """Fills `workspace.Writer`."""

    def __init__(
        self,
        *,
        settings: Settings,
        book: AddressBook,
        ring: KeyRing,
        entropy: Entropy,
    ) -> None:
        self._settings = settings
        self._book = book
        self._ring = ring
        self._entropy = entropy
        self._templates = {
            own.address: templates_of(settings, own)
            for mailbox in settings.mailboxes.values()
            for own in mailbox.addresses
        }

    def write(self, workspace: Workspace, case: Case, effect: Effect) -> None:
        """Queues the mails of one effect, one per recipient; no recipient, no mail."""
        sender = self._sender(case)
        if sender is None:
            return
        for recipient in self._recipients(workspace, case, effect, sender):
            if effect.notice is Notice.INFORMATION_WANTED and (case.id, recipient.address) in workspace.answered:
                # The person's own mail asks already; a second one would only confuse (8.39).
                continue
            try:
                self._write_one(workspace, case, effect, sender, recipient)
            except TemplateFailure as failure:
                self._note_failure(workspace, case, effect.notice, str(failure))

    def answer(
        self,
        workspace: Workspace,
        case: Case,
        *,
        by: PersonId,
        text: str,
        to: Address,
        attachments: Sequence[OutgoingAttachment],
    ) -> OutgoingId:
        """Queues what a person wrote on the case, in its thread.

        Raises:
            CommandRefused: there is no address to send it from, it cannot be written to, or the template is broken.
        """
        sender = self._sender(case)
        if sender is None:
            raise CommandRefused("no mailbox is configured that could send it; add one under `mailboxes`")
        if not is_writable_address(to.address):
            raise CommandRefused(f"mail cannot be sent to {to.address!r}; give another address with --to")
        view = replace(
            self._view(workspace, case, sender.language),
            message=text,
            actor_name=self._person_name(by),
            person_name="",
            our_name=sender.name,
            our_address=sender.address,
            signature=sender.signature,
        )
        recipient = _Recipient(address=to.address, name=to.name, language=sender.language)
        try:
            rendered = self._templates[sender.address].render(ANSWER, sender.language, view)
        except TemplateFailure as failure:
            raise CommandRefused(f"the template of answers is broken: {failure}") from failure
        letter = self._letter(workspace, case, sender, recipient, rendered.subject, rendered.text, rendered.html)
        workspace.answered.add((case.id, to.key))
        _add_to_thread(workspace, case, letter)
        return self._queue(workspace, case, ANSWER, letter=replace(letter, attachments=tuple(attachments)))

    # -- who writes to whom

    def _sender(self, case: Case) -> OwnAddress | None:
        """The address that was written to (EM-80), else the one that serves the process."""
        return self._book.own(case.address) or self._book.home_of(case.process)

    def _recipients(
        self, workspace: Workspace, case: Case, effect: Effect, sender: OwnAddress
    ) -> tuple[_Recipient, ...]:
        match effect.audience:
            case ToRequester():
                return self._requester(workspace, case, effect, sender)
            case ToPerson(person=person_id):
                person = self._book.person(person_id)
                if person is not None and not person.is_retired:
                    return (_agent(person),)
                # Whoever has left reads nothing; the queue takes care of what they still have.
                return tuple(_agent(member) for member in self._book.told_of(workspace.process(case).queue, but=None))
            case ToQueue(queue=queue, but=but):
                return tuple(_agent(person) for person in self._book.told_of(queue, but=but))

    def _requester(
        self, workspace: Workspace, case: Case, effect: Effect, sender: OwnAddress
    ) -> tuple[_Recipient, ...]:
        party = workspace.party_of(case.requester)
        if party is None or self._book.own(party.address) is not None:
            return ()
        if not is_writable_address(party.address):
            self._note_failure(workspace, case, effect.notice, "the requester's address cannot be written to")
            return ()
        return (_Recipient(address=party.address, name=party.name, language=sender.language),)

    # -- one mail

    def _write_one(
        self, workspace: Workspace, case: Case, effect: Effect, sender: OwnAddress, recipient: _Recipient
    ) -> None:
        mail = workspace.mail(effect.mail)
        carried, omitted = self._attachments(mail) if recipient.person else ((), ())
        view = replace(
            _with_mail(self._view(workspace, case, recipient.language), mail),
            person_name=recipient.person.name if recipient.person else "",
            note=workspace.text(effect.text) if effect.notice is Notice.ASSIGNED else "",
            message=workspace.text(effect.text) if recipient.person is None else "",
            reason=self._reason(workspace, case, effect, recipient.language),
            attachment_names=tuple(attachment.name for attachment in carried),
            omitted_attachment_names=omitted,
            our_name=sender.name,
            our_address=sender.address,
            signature=sender.signature,
        )
        rendered = self._templates[sender.address].render(effect.notice, recipient.language, view)
        letter = self._letter(workspace, case, sender, recipient, rendered.subject, rendered.text, rendered.html)
        is_reply = effect.notice is Notice.ACKNOWLEDGEMENT
        letter = replace(
            letter,
            auto_submitted=AutoSubmitted.REPLIED if is_reply else AutoSubmitted.GENERATED,
            in_reply_to=mail.message_id if mail and recipient.person is None else letter.in_reply_to,
            attachments=carried,
        )
        self._queue(workspace, case, effect.notice, letter=letter)
        if recipient.person is None:
            _add_to_thread(workspace, case, letter)

    def _view(self, workspace: Workspace, case: Case, language: str) -> NoticeView:
        process = workspace.process(case)
        requester = workspace.party_of(case.requester)
        actor = workspace.actor
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
            actor_name=self._person_name(PersonId(actor)) if actor != SYSTEM else "",
            assignee_name=self._person_name(case.holder.assignee) if case.holder.assignee else "",
            promised_by=_promise(process, case, language),
            reopen_until=labels.moment(case.feedback_until, process.zone, language) if case.feedback_until else "",
            continues_ref=reference(continued) if continued is not None else "",
        )

    def _reason(self, workspace: Workspace, case: Case, effect: Effect, language: str) -> str:
        if effect.notice is Notice.INFORMATION_WANTED:
            return case.wait.reason or "" if case.wait else ""
        if effect.notice is Notice.NEEDS_ATTENTION and case.attention:
            return workspace.text(case.attention.text) or labels.label(case.attention.cause, language)
        return ""

    def _person_name(self, person_id: PersonId) -> str:
        person = self._book.person(person_id)
        return person.name if person else person_id

    def _attachments(self, mail: ReadMail | None) -> tuple[tuple[OutgoingAttachment, ...], tuple[str, ...]]:
        """Files that go with a notice, as long as there is room, and the names of those that do not."""
        carried: list[OutgoingAttachment] = []
        omitted: list[str] = []
        room = self._settings.limits.notice_attachment_bytes
        for attachment in mail.message.attachments if mail else ():
            # By the encoded size first, so that nothing large is decoded in vain: base64 takes four bytes for three.
            may_fit = (attachment.end - attachment.start) * 3 // 4 <= room
            content = reading.attachment_bytes(mail.claimed.raw, attachment) if mail and may_fit else None
            if content is None or len(content) > room:
                omitted.append(attachment.name)
                continue
            room -= len(content)
            carried.append(OutgoingAttachment(name=attachment.name, type=attachment.type, content=content))
        return tuple(carried), tuple(omitted)

    def _letter(
        self,
        workspace: Workspace,
        case: Case,
        sender: OwnAddress,
        recipient: _Recipient,
        subject: str,
        text: str,
        html: str | None,
    ) -> Letter:
        domain = sender.address.rpartition("@")[2]
        seen = workspace.message_ids(case.id)
        # Our signed case id stands beside the ids of the mails, so that threading holds where a provider has replaced
        # our Message-ID and Reply-To is plain.
        chain = (*seen[:-1], signing.thread_name(self._ring, case.id, domain), *seen[-1:])
        message_id = f"{token(self._entropy)}.{case.id}@{domain}"
        return Letter(
            message_id=message_id,
            date=workspace.now,
            from_=Address(name=sender.name, address=sender.address),
            to=(Address(name=recipient.name, address=recipient.address),),
            reply_to=self._reply_to(case, sender, recipient),
            subject=subject,
            text=text,
            html=html,
            in_reply_to=seen[-1] if seen else None,
            references=limit_references(chain),
            mark=signing.own_mark(self._ring, message_id),
            case_ref=reference(case.id),
        )

    def _reply_to(self, case: Case, sender: OwnAddress, recipient: _Recipient) -> Address:
        if sender.reply_address is ReplyAddress.PLAIN:
            return Address(name=sender.name, address=sender.address)
        person = recipient.person
        bound_to = person.id if person and _BINDABLE.fullmatch(person.id) else None
        signed = signing.reply_address(self._ring, sender.address, case.id, bound_to)
        return Address(name=sender.name, address=signed)

    def _queue(self, workspace: Workspace, case: Case, notice: str, *, letter: Letter) -> OutgoingId:
        """Finishes the bytes and puts them into the outbox, held or sent elsewhere where the operator says so."""
        outgoing = self._settings.outgoing
        address = outgoing.redirect_to if outgoing.mode is OutgoingMode.REDIRECT else letter.to[0].address
        mail = OutgoingMail(
            id=workspace.ids.outgoing(),
            case_id=case.id,
            notice=notice,
            message_id=letter.message_id,
            envelope_from=letter.from_.address,
            raw=compose(letter, boundary=token(self._entropy)),
            created_at=workspace.now,
            deliveries=(NewDelivery(id=workspace.ids.delivery(), address=address or letter.to[0].address),),
            is_held=outgoing.mode is OutgoingMode.HOLD,
        )
        workspace.add_outgoing(mail)
        return mail.id

    def _note_failure(self, workspace: Workspace, case: Case, notice: str, why: str) -> None:
        """On the timeline, but for a closed case, to which nothing may be added (ST-5); always in the log."""
        log.error("notice_failed", case=reference(case.id), notice=notice, error=why)
        current = workspace.case(case.id) or case
        if current.status is not Status.CLOSED:
            text = workspace.add_text(case.id, f"The notice {notice} could not be written: {why}")
            workspace.decide(case.id, AddNote(at=current.last_event_at, by=SYSTEM, text=text))


def _add_to_thread(workspace: Workspace, case: Case, letter: Letter) -> None:
    """Answers to it belong to the case, and later mail names it as an ancestor. Not so for notices to agents: the
    requester never saw them, and an agent's answer is known by its signed names.
    """
    workspace.add_anchor(Anchor(message_id=letter.message_id, address=case.address or "", case_id=case.id))


def _promise(process: Process, case: Case, language: str) -> str:
    """By when the requester may be told that it is done; nothing is promised unless the process says so."""
    is_promised = process.due is not None and process.due.is_promised
    return labels.moment(case.due_at, process.zone, language) if is_promised and case.due_at else ""


def templates_of(settings: Settings, own: OwnAddress) -> Templates:
    """The templates of one of our addresses: its own folder first, then the operator's, then ours."""
    folders = [folder for folder in (own.templates, settings.templates, shipped_folder()) if folder]
    return Templates(folders, language=own.language)


def _agent(person: PersonSettings) -> _Recipient:
    return _Recipient(address=person.address, name=person.name, language=person.language, person=person)


def _with_mail(view: NoticeView, mail: ReadMail | None) -> NoticeView:
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
        mail_reply_to=reply_to.address if reply_to and is_elsewhere else "",
        mail_id=mail.id,
        mail_text=text,
        mail_omitted=omitted,
    )
