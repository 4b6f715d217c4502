"""The next number of each kind of row, given before the commit (docs/decisions/0015)."""

from __future__ import annotations

import sqlite3
from itertools import count

from mailcase.core.case import CaseId, MailId, OutgoingId, PartyId, TextId
from mailcase.store.columns import select
from mailcase.store.rows.outbox import DeliveryId

#: Numbers of cases begin after this, so that they look like numbers of cases.
CASES_AFTER = 1000

LAST_IDS = """
SELECT max((SELECT coalesce(max(id), :cases_after) FROM cases),
           (SELECT coalesce(max(cases_after), 0) FROM restores)) AS cases,
       (SELECT coalesce(max(id), 0) FROM texts) AS texts,
       (SELECT coalesce(max(id), 0) FROM parties) AS parties,
       (SELECT coalesce(max(id), 0) FROM inbox) AS mails,
       (SELECT coalesce(max(id), 0) FROM outgoing) AS outgoing,
       (SELECT coalesce(max(id), 0) FROM deliveries) AS deliveries
"""


class IdsInMemory:
    """Numbers counted in memory from the greatest ones in the database; one process per store makes that safe."""

    def __init__(self, database: sqlite3.Connection) -> None:
        (last,) = select(database, LAST_IDS, cases_after=CASES_AFTER)
        self._cases = count(int(last["cases"]) + 1)
        self._texts = count(int(last["texts"]) + 1)
        self._parties = count(int(last["parties"]) + 1)
        self._mails = count(int(last["mails"]) + 1)
        self._outgoing = count(int(last["outgoing"]) + 1)
        self._deliveries = count(int(last["deliveries"]) + 1)

    def case(self) -> CaseId:
        return CaseId(next(self._cases))

    def text(self) -> TextId:
        return TextId(next(self._texts))

    def party(self) -> PartyId:
        return PartyId(next(self._parties))

    def mail(self) -> MailId:
        return MailId(next(self._mails))

    def outgoing(self) -> OutgoingId:
        return OutgoingId(next(self._outgoing))

    def delivery(self) -> DeliveryId:
        return DeliveryId(next(self._deliveries))
