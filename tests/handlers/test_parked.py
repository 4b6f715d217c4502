"""A mail that cannot be handled is kept with its reason, and no neighbour is kept with it (L5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.handlers.office import open_office, raw_mail
from tests.handlers.reading_here import reads_here

from mailcase.errors import PermanentError
from mailcase.handlers.read import Reader, ReadMail
from mailcase.store.rows.inbox import ClaimedMail, Outcome


@dataclass
class Stumbling:
    """Reads mail as the reader does, but for poison."""

    reader: Reader
    error: Exception

    def read(self, claimed: ClaimedMail, *, now: datetime) -> ReadMail:
        if b"poison" in claimed.raw:
            raise self.error
        return self.reader.read(claimed, now=now)


MAILS = (raw_mail(text="one"), raw_mail(text="poison"), raw_mail(text="two"))


async def test_L5_a_mail_that_can_never_be_handled_is_parked_at_once_and_alone(
    tmp_path: Path, empty_store: Path
) -> None:
    error = PermanentError("it is poison")
    async with open_office(tmp_path, empty_store, reads=reads_here(lambda reader: Stumbling(reader, error))) as office:
        rows = await office.receives_together(*MAILS)

        assert [row.outcome for row in rows] == [Outcome.NEW_CASE, Outcome.PARKED, Outcome.NEW_CASE]
        assert (rows[1].reason, rows[1].attempts) == ("cannot-be-handled: it is poison", 1)


async def test_L5_a_mail_that_fails_again_and_again_is_parked_after_its_attempts(
    tmp_path: Path, empty_store: Path
) -> None:
    error = ZeroDivisionError("again")
    async with open_office(tmp_path, empty_store, reads=reads_here(lambda reader: Stumbling(reader, error))) as office:
        rows = await office.receives_together(*MAILS)

        assert [row.outcome for row in rows] == [Outcome.NEW_CASE, Outcome.PARKED, Outcome.NEW_CASE]
        assert rows[1].reason == "attempts-used-up: ZeroDivisionError('again')"
        assert rows[1].attempts == office.settings.limits.attempts


async def test_a_parked_mail_is_taken_like_any_other_once_it_can_be_read(tmp_path: Path, empty_store: Path) -> None:
    """L43."""
    error = PermanentError("it is poison")
    async with open_office(tmp_path, empty_store, reads=reads_here(lambda reader: Stumbling(reader, error))) as office:
        parked = await office.receives(MAILS[1])

    async with open_office(tmp_path, empty_store) as office:
        await office.does("mail.retry", id=parked.id)
        await office.handles()

        again = await office.mail(parked.id)
        assert (again.outcome, again.reason, again.arrived_at) == (Outcome.NEW_CASE, "routed", parked.arrived_at)
