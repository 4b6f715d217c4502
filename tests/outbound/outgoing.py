"""Claimed mail and a relay for the tests of what goes out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mailcase.clock import Clock, SystemClock
from mailcase.config.settings import Relay, Tls
from mailcase.core.case import CaseId, OutgoingId
from mailcase.core.process import Notice
from mailcase.outbound.relay import SmtpRelay
from mailcase.store.rows.outbox import ClaimedDelivery, ClaimedOutgoing, DeliveryId

RAW = b"From: desk@example.org\r\nTo: anna@example.org\r\nSubject: hello\r\n\r\nHello.\r\n.\r\n..two dots\r\n"
#: Long for a server that answers.
PATIENT = timedelta(seconds=10)
MADE_AT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)


def claimed(
    *addresses: str,
    number: int = 1,
    raw: bytes = RAW,
    envelope_from: str = "desk@example.org",
    created_at: datetime = MADE_AT,
) -> ClaimedOutgoing:
    """A mail with those recipients (by default one); their delivery ids are NUMBER * 100, NUMBER * 100 + 1 ..."""
    recipients = addresses or ("anna@example.org",)
    return ClaimedOutgoing(
        id=OutgoingId(number),
        case_id=CaseId(1042),
        kind=Notice.ACKNOWLEDGEMENT,
        message_id=f"{number}@example.org",
        envelope_from=envelope_from,
        raw=raw,
        created_at=created_at,
        deliveries=tuple(
            ClaimedDelivery(id=DeliveryId(number * 100 + index), address=address, attempts=0)
            for index, address in enumerate(recipients)
        ),
    )


def relay_to(
    port: int,
    *,
    timeout: timedelta = PATIENT,
    probe_after: timedelta = timedelta(minutes=1),
    reconnect_after: timedelta = timedelta(),
    clock: Clock | None = None,
) -> SmtpRelay:
    """A relay on 127.0.0.1 without TLS and login, which forgets an outage at once."""
    settings = Relay(
        host="127.0.0.1",
        port=port,
        tls=Tls.NONE,
        ca_file=None,
        user=None,
        login=None,
        helo="desk.example.org",
        timeout=timeout,
    )
    return SmtpRelay(
        settings,
        clock=clock or SystemClock(),
        credentials=None,
        probe_after=probe_after,
        reconnect_after=reconnect_after,
    )


class Journal:
    """What was journaled, call by call."""

    def __init__(self) -> None:
        self.entries: list[tuple[DeliveryId, ...]] = []

    async def __call__(self, ids: Sequence[DeliveryId]) -> None:
        self.entries.append(tuple(ids))
