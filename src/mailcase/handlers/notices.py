"""Writes what must go out: effect of the core -> view -> template -> letter in the outbox.

`showing` says what a template may tell, `post` makes the letter. A template that fails never costs the transaction: the
case is saved, and the failure stands on its timeline and in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mailcase.config.settings import OwnAddress, PersonSettings, Settings
from mailcase.core.case import SYSTEM, Case, OutgoingId, PersonId, Status, reference
from mailcase.core.commands import AddNote
from mailcase.core.effects import Effect, ToPerson, ToQueue, ToRequester
from mailcase.core.process import Notice, Personal
from mailcase.entropy import Entropy
from mailcase.errors import CommandRefused
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.post import Post, Recipient, Side
from mailcase.handlers.showing import files_of, reason_of, view_of, with_mail
from mailcase.handlers.workspace import Workspace
from mailcase.log import get_logger
from mailcase.mail.message import Address
from mailcase.mail.signing import KeyRing
from mailcase.outbound.letter import AutoSubmitted, OutgoingAttachment, is_writable_address
from mailcase.outbound.templates import TemplateFailure, Templates, shipped_folder

log = get_logger()


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
        self._limits = settings.limits
        self._book = book
        self._post = Post(settings=settings, ring=ring, entropy=entropy)
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
        """Queues what a person wrote on the case: in its thread, or in a third party's own.

        Raises:
            CommandRefused: there is no address to send it from, it cannot be written to, or the template is broken.
        """
        sender = self._sender(case)
        if sender is None:
            raise CommandRefused("no mailbox is configured that could send it; add one under `mailboxes`")
        if not is_writable_address(to.address):
            raise CommandRefused(f"mail cannot be sent to {to.address!r}; give another address with --to")
        view = replace(
            view_of(workspace, case, self._book, sender.language),
            message=text,
            actor_name=self._book.name_of(by),
            person_name="",
            our_name=sender.name,
            our_address=sender.address,
            signature=sender.signature,
        )
        requester = workspace.party_of(case.requester)
        side = Side.REQUESTER if requester is not None and requester.address == to.key else Side.THIRD_PARTY
        recipient = Recipient(address=to.address, name=to.name, language=sender.language, side=side)
        try:
            rendered = self._templates[sender.address].render(Personal.ANSWER, sender.language, view)
        except TemplateFailure as failure:
            raise CommandRefused(f"the template of answers is broken: {failure}") from failure
        letter = self._post.letter(workspace, case, sender, recipient, rendered, attachments=attachments)
        workspace.answered.add((case.id, to.key))
        return self._post.send(workspace, case, Personal.ANSWER, letter, side)

    # -- who writes to whom

    def _sender(self, case: Case) -> OwnAddress | None:
        """The address that was written to (EM-80), else the one that serves the process."""
        return self._book.own(case.address) or self._book.home_of(case.process)

    def _recipients(
        self, workspace: Workspace, case: Case, effect: Effect, sender: OwnAddress
    ) -> tuple[Recipient, ...]:
        match effect.audience:
            case ToRequester():
                return self._requester(workspace, case, effect, sender)
            case ToPerson(person=person_id):
                person = self._book.person(person_id)
                if person is not None and not person.is_retired:
                    return (_agent(person),)
                # Whoever has left reads nothing; the queue takes care of what they still have.
                return tuple(_agent(member) for member in self._book.told_of(workspace.process(case).queue))
            case ToQueue(queue=queue, but=but):
                return tuple(_agent(person) for person in self._book.told_of(queue, but=but))

    def _requester(self, workspace: Workspace, case: Case, effect: Effect, sender: OwnAddress) -> tuple[Recipient, ...]:
        party = workspace.party_of(case.requester)
        if party is None or self._book.own(party.address) is not None:
            return ()
        if not is_writable_address(party.address):
            self._note_failure(workspace, case, effect.notice, "the requester's address cannot be written to")
            return ()
        return (Recipient(address=party.address, name=party.name, language=sender.language, side=Side.REQUESTER),)

    # -- one mail

    def _write_one(
        self, workspace: Workspace, case: Case, effect: Effect, sender: OwnAddress, recipient: Recipient
    ) -> None:
        mail, person = workspace.mail(effect.mail), recipient.person
        is_unconfirmed = mail is not None and (case.id, mail.id) in workspace.unconfirmed
        carried, omitted = files_of(mail, room_bytes=self._limits.notice_attachment_bytes) if person else ((), ())
        case_view = view_of(workspace, case, self._book, recipient.language)
        view = replace(
            with_mail(case_view, mail, is_unconfirmed=is_unconfirmed),
            person_name=person.name if person else "",
            note=workspace.text(effect.text) if effect.notice is Notice.ASSIGNED else "",
            message=workspace.text(effect.text) if person is None else "",
            reason=reason_of(workspace, case, effect, recipient.language),
            attachment_names=tuple(attachment.name for attachment in carried),
            omitted_attachment_names=omitted,
            our_name=sender.name,
            our_address=sender.address,
            signature=sender.signature,
        )
        is_reply = effect.notice is Notice.ACKNOWLEDGEMENT
        letter = self._post.letter(
            workspace,
            case,
            sender,
            recipient,
            self._templates[sender.address].render(effect.notice, recipient.language, view),
            answers=mail.message_id if mail and person is None else None,
            auto_submitted=AutoSubmitted.REPLIED if is_reply else AutoSubmitted.GENERATED,
            attachments=carried,
        )
        self._post.send(workspace, case, effect.notice, letter, recipient.side)

    def _note_failure(self, workspace: Workspace, case: Case, notice: Notice, why: str) -> None:
        """On the timeline, but for a closed case, to which nothing may be added (ST-5); always in the log."""
        log.error("notice_failed", case=reference(case.id), notice=notice, error=why)
        current = workspace.case(case.id) or case
        if current.status is not Status.CLOSED:
            text = workspace.add_text(case.id, f"The notice {notice} could not be written: {why}")
            workspace.decide(case.id, AddNote(at=current.last_event_at, by=SYSTEM, text=text))


def templates_of(settings: Settings, own: OwnAddress) -> Templates:
    """The templates of one of our addresses: its own folder first, then the operator's, then ours."""
    folders = [folder for folder in (own.templates, settings.templates, shipped_folder()) if folder]
    return Templates(folders, language=own.language)


def _agent(person: PersonSettings) -> Recipient:
    return Recipient(address=person.address, name=person.name, language=person.language, side=Side.AGENT, person=person)
