"""The JSON shapes of `--json`: keys are always there, null where empty; times are ISO 8601 UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from mailcase.config.settings import ImapSource, MailboxSettings, Settings
from mailcase.core import assignment, labels
from mailcase.core.case import MailboxName, Wait, reference
from mailcase.desk.timeline import Storyteller
from mailcase.inbound.protocol import Json
from mailcase.store.rows.cases import CaseBundle, Role
from mailcase.store.rows.inbox import MailRow
from mailcase.store.rows.mailboxes import MailboxState
from mailcase.store.rows.outbox import DeliveryRow, DeliveryState


def time_json(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with a Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None


def case_row(bundle: CaseBundle, settings: Settings, language: str) -> dict[str, Json]:
    """A case as `case list` has it."""
    case = bundle.case
    process = settings.processes.get(case.process)
    zone = process.zone if process else settings.zone
    requester = bundle.parties.get(case.requester) if case.requester is not None else None
    remaining = case.paused_remaining
    return {
        "ref": reference(case.id),
        "status": case.status.value,
        "wait": _wait(case.wait),
        "flags": [flag.value for flag in case.flags],
        "subject": bundle.texts.get(case.subject, ""),
        "process": case.process,
        "mailbox": next(iter(case.mailboxes), None),
        "queue": case.holder.queue,
        "assignee": case.holder.assignee,
        "owner": case.holder.owner,
        "requester": requester.address if requester else None,
        "participants": [party.address for party, _ in bundle.participants],
        "lists": list(assignment.lists(case)),
        "created_at": time_json(case.created_at),
        "origin": case.origin.value,
        "due_at": time_json(case.due_at),
        "due_text": labels.due_line(case, zone, language) or None,
        "paused_remaining_s": int(remaining.total_seconds()) if remaining is not None else None,
        "feedback_until": time_json(case.feedback_until),
        "status_reason": case.status_reason.value,
        "links": _links(bundle),
    }


def case_object(bundle: CaseBundle, settings: Settings, language: str) -> dict[str, Json]:
    """A case as `case show` has it: the row, with history."""
    case = bundle.case
    process = settings.processes.get(case.process)
    unconfirmed = [party for party, role in bundle.participants if role is Role.UNCONFIRMED]
    storyteller = Storyteller(
        texts=bundle.texts,
        parties=bundle.parties,
        unconfirmed=frozenset(party.id for party in unconfirmed),
        zone=process.zone if process else settings.zone,
        language=language,
    )
    return {
        **case_row(bundle, settings, language),
        "unconfirmed": [party.address for party in unconfirmed],
        "resolutions": [
            {
                "by": entry.by,
                "at": time_json(entry.at),
                "method": bundle.texts.get(entry.method) if entry.method is not None else None,
                "reason": entry.reason.value,
            }
            for entry in case.resolutions
        ],
        "reopenings": [
            {"by": entry.by, "at": time_json(entry.at), "cause": entry.cause.value} for entry in case.reopenings
        ],
        "mails": list(bundle.mail_ids),
        "timeline": [
            {
                "at": time_json(recorded.event.at),
                "type": _event_type(type(recorded.event)),
                "by": recorded.event.by,
                "text": storyteller.tell(recorded.event),
                "rule": recorded.event.rule,
            }
            for recorded in bundle.timeline
        ],
    }


def mail_row(mail: MailRow) -> dict[str, Json]:
    """A mail as `mail list` has it."""
    return {
        "id": mail.id,
        "mailbox": mail.mailbox,
        "message_id": mail.message_id,
        "from": mail.from_address,
        "subject": mail.subject,
        "received_at": time_json(mail.arrived_at),
        "size_bytes": mail.size_bytes,
        "kind": mail.kind,
        "outcome": mail.outcome.value,
        "reason": mail.reason,
        "cases": [reference(case_id) for case_id in mail.case_ids],
    }


def mail_object(mail: MailRow) -> dict[str, Json]:
    """A mail as `mail show` and `why` have it: the row, with the rules that were tried."""
    trace: list[Json] = [
        {"rule": step.rule, "evidence": step.evidence, "result": step.result, "decisive": step.is_decisive}
        for step in mail.trace
    ]
    return {**mail_row(mail), "trace": trace}


def delivery_row(row: DeliveryRow) -> dict[str, Json]:
    """A delivery as `outbox list` has it."""
    return {
        "id": row.id,
        "mail_id": row.outgoing_id,
        "case": reference(row.case_id),
        "notice": row.kind.value,
        "message_id": row.message_id,
        "to": row.address,
        "state": row.state.value,
        "held": row.is_held and row.state in (DeliveryState.QUEUED, DeliveryState.DEFERRED),
        "attempts": row.attempts,
        "next_at": time_json(row.next_at),
        "last_reply": row.last_reply,
    }


def mailbox_row(
    name: MailboxName, settings: MailboxSettings, state: MailboxState | None, read_through_at: datetime | None
) -> dict[str, Json]:
    """A mailbox as `mailbox list` has it."""
    source = settings.source
    return {
        "name": name,
        "kind": "imap" if isinstance(source, ImapSource) else source.kind.value,
        "account": f"{source.user}@{source.host}" if isinstance(source, ImapSource) else f"{source.host}:{source.port}",
        "enabled": settings.is_enabled,
        "addresses": [own.address for own in settings.addresses],
        "read_through_at": time_json(read_through_at),
        "checked_at": time_json(state.checked_at) if state else None,
        "last_error": state.last_error if state else None,
    }


def _wait(wait: Wait | None) -> Json:
    if wait is None:
        return None
    return {
        "type": wait.type.value,
        "reason": wait.reason,
        "until": time_json(wait.until),
        "since": time_json(wait.since),
    }


def _links(bundle: CaseBundle) -> list[Json]:
    own: list[Json] = [{"ref": reference(link.other), "kind": link.kind.value} for link in bundle.case.links]
    return own + [
        {"ref": reference(other), "kind": f"{kind.value}-by" if kind.is_directed else kind.value}
        for other, kind in bundle.linked_from
    ]


def _event_type(event: type) -> str:
    """`StatusChanged` -> `status-changed`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", event.__name__).lower()
