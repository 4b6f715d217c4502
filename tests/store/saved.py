"""Things that the contract tests save."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailcase.core.case import CaseId, PartyId
from mailcase.store.port import Point, Store
from mailcase.store.rows.cases import Anchor, Party
from mailcase.store.rows.changes import Changes

if TYPE_CHECKING:
    from tests.store.conftest import Samples

FIRST = CaseId(1001)
SECOND = CaseId(1002)
BOB = Party(id=PartyId(1), address="bob@example.net", name="Bob")


async def save(store: Store, samples: Samples, changes: Changes, *, minutes: float = 0) -> None:
    await store.save(Point.SAVE_MAIL, changes, now=samples.at(minutes))


def anchor(message_id: str, case_id: int, *, address: str = "", is_seen: bool = True) -> Anchor:
    return Anchor(message_id=message_id, address=address, case_id=CaseId(case_id), is_seen=is_seen)
