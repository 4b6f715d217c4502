"""What becomes of each recipient of one mail; pure."""

from __future__ import annotations

from collections.abc import Sequence

from mailcase.outbound.port import Attempt
from mailcase.outbound.wire import address_problem
from mailcase.store.rows.outbox import ClaimedDelivery, DeliveryId, DeliveryState

#: These speak of our login or of TLS, not of the mail: an operator puts it right, so no mail may be lost by them.
_ABOUT_OUR_LOGIN = frozenset({530, 534, 535, 538})
_NO_SMTPUTF8 = "the relay does not take addresses with letters outside ASCII (no SMTPUTF8)"


def verdict(code: int) -> DeliveryState:
    """What a reply means for the deliveries it answers; UNKNOWN for a code that answers nothing (RFC 5321 s. 4.2.1)."""
    if code in _ABOUT_OUR_LOGIN:
        return DeliveryState.DEFERRED
    states = {2: DeliveryState.SENT, 4: DeliveryState.DEFERRED, 5: DeliveryState.FAILED}
    return states.get(code // 100, DeliveryState.UNKNOWN)


class Verdicts:
    """Which deliveries of a mail are settled, and how; the first verdict on a delivery is the one to use."""

    def __init__(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        self._deliveries = deliveries
        self._attempts: dict[DeliveryId, Attempt] = {}

    @property
    def open(self) -> tuple[ClaimedDelivery, ...]:
        """Those without a verdict."""
        return tuple(delivery for delivery in self._deliveries if delivery.id not in self._attempts)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """One per delivery, in their order, once all are settled."""
        return tuple(self._attempts[delivery.id] for delivery in self._deliveries)

    def settle(self, delivery_id: DeliveryId, state: DeliveryState, reply: str) -> None:
        """One delivery."""
        self._attempts[delivery_id] = Attempt(id=delivery_id, state=state, reply=reply)

    def settle_open(self, state: DeliveryState, reply: str) -> None:
        """All that are still open."""
        for delivery in self.open:
            self.settle(delivery.id, state, reply)

    def is_ascii(self, envelope_from: str) -> bool:
        """Neither the sender nor an open recipient needs SMTPUTF8."""
        return envelope_from.isascii() and all(delivery.address.isascii() for delivery in self.open)

    def refuse_bad_addresses(self, envelope_from: str) -> None:
        """Fails what may not be put into a command; everything, when that is the sender. The null sender is fine."""
        if envelope_from and (problem := address_problem(envelope_from)):
            self.settle_open(DeliveryState.FAILED, f"sender: {problem}")
        for delivery in self.open:
            if problem := address_problem(delivery.address):
                self.settle(delivery.id, DeliveryState.FAILED, problem)

    def refuse_8_bit_addresses(self, envelope_from: str) -> None:
        """Fails what the server cannot take without SMTPUTF8."""
        if not envelope_from.isascii():
            self.settle_open(DeliveryState.FAILED, f"sender: {_NO_SMTPUTF8}")
        for delivery in self.open:
            if not delivery.address.isascii():
                self.settle(delivery.id, DeliveryState.FAILED, _NO_SMTPUTF8)
