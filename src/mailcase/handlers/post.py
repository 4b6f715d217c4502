"""A letter of a case: its addresses and its place in the thread, then its finished bytes in the outbox.

The Message-ID is fixed here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from mailcase.config.settings import OutgoingMode, OwnAddress, PersonSettings, ReplyAddress, Settings
from mailcase.core.case import Case, OutgoingId, reference
from mailcase.core.process import OutgoingKind
from mailcase.entropy import Entropy, token
from mailcase.handlers.workspace import Workspace
from mailcase.mail import signing
from mailcase.mail.message import Address
from mailcase.mail.signing import KeyRing
from mailcase.outbound.compose import compose
from mailcase.outbound.letter import AutoSubmitted, Letter, OutgoingAttachment, limit_references
from mailcase.outbound.templates import Rendered
from mailcase.store.rows.cases import Anchor
from mailcase.store.rows.outbox import NewDelivery, OutgoingMail

_BINDABLE = re.compile(r"[a-z0-9_]{1,20}", re.ASCII)


class Side(Enum):
    """From where somebody looks at a case."""

    REQUESTER = auto()
    #: Asked by an agent (8.39); learns nothing of the requester's thread, nor the requester of his.
    THIRD_PARTY = auto()
    AGENT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One recipient of one mail, with what is known of him."""

    address: str
    name: str
    language: str
    side: Side
    #: Set for agents.
    person: PersonSettings | None = None


class Post:
    """Makes letters and posts them."""

    def __init__(self, *, settings: Settings, ring: KeyRing, entropy: Entropy) -> None:
        self._outgoing = settings.outgoing
        self._ring = ring
        self._entropy = entropy

    def letter(
        self,
        workspace: Workspace,
        case: Case,
        sender: OwnAddress,
        recipient: Recipient,
        rendered: Rendered,
        *,
        answers: str | None = None,
        auto_submitted: AutoSubmitted | None = None,
        attachments: Sequence[OutgoingAttachment] = (),
    ) -> Letter:
        """A letter in the case's thread; `answers` is the Message-ID of the mail it answers, else the newest."""
        domain = sender.address.rpartition("@")[2]
        seen = workspace.message_ids(case.id) if recipient.side is not Side.THIRD_PARTY else ()
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
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            in_reply_to=answers or (seen[-1] if seen else None),
            references=limit_references(chain),
            auto_submitted=auto_submitted,
            mark=signing.own_mark(self._ring, message_id),
            case_ref=reference(case.id),
            attachments=tuple(attachments),
        )

    def _reply_to(self, case: Case, sender: OwnAddress, recipient: Recipient) -> Address:
        if sender.reply_address is ReplyAddress.PLAIN:
            return Address(name=sender.name, address=sender.address)
        person = recipient.person
        bound_to = person.id if person and _BINDABLE.fullmatch(person.id) else None
        signed = signing.reply_address(self._ring, sender.address, case.id, bound_to)
        return Address(name=sender.name, address=signed)

    def send(self, workspace: Workspace, case: Case, kind: OutgoingKind, letter: Letter, side: Side) -> OutgoingId:
        """Finishes the bytes and puts them into the outbox, held or sent elsewhere where the operator says so."""
        address = self._outgoing.redirect_to or letter.to[0].address
        mail = OutgoingMail(
            id=workspace.ids.outgoing(),
            case_id=case.id,
            kind=kind,
            message_id=letter.message_id,
            envelope_from=letter.from_.address,
            raw=compose(letter, boundary=token(self._entropy)),
            created_at=workspace.now,
            deliveries=(NewDelivery(id=workspace.ids.delivery(), address=address),),
            is_held=self._outgoing.mode is OutgoingMode.HOLD,
        )
        workspace.add_outgoing(mail)
        if side is not Side.AGENT:
            # Answers to it belong to the case. Not so for notices to agents: an agent's answer is known by its signed
            # names, and the requester never saw them.
            anchor = Anchor(
                message_id=letter.message_id,
                address=case.address or "",
                case_id=case.id,
                is_shared=side is Side.REQUESTER,
            )
            workspace.add_anchor(anchor)
        return mail.id
