"""Room on the disk of the store: where it becomes scarce no more mail is taken, so that what was taken can still be
handled, answered and looked at (S19). Mail waits where it is, and is taken when there is room again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mailcase.errors import StoreFull
from mailcase.log import get_logger

log = get_logger()

#: What is kept free where the operator has not said: this part of the file system, or this many bytes if that is less.
_DEFAULT_PART = 20
_DEFAULT_BYTES = 500 * 10**6
#: There is room again with a tenth more than that; else it would come and go with every mail.
_MARGIN = 10


class Usage(Protocol):
    """A file system: `shutil.disk_usage`."""

    @property
    def total(self) -> int: ...
    @property
    def free(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Less is free than is to be kept free."""

    folder: Path
    free_bytes: int
    reserve_bytes: int


class FreeSpace:
    """The file system of one folder, measured whenever somebody asks."""

    def __init__(self, folder: Path, measure: Callable[[Path], Usage]) -> None:
        self._folder = folder
        self._measure = measure
        #: What is to be kept free; 0: nothing. None: as above.
        self.reserve_bytes: int | None = None
        self._is_short = False

    def shortage(self) -> Shortage | None:
        """None while there is room. That it begins or ends is logged once."""
        try:
            usage = self._measure(self._folder)
        except OSError:
            # Whoever writes will hear of it.
            return None
        reserve_bytes = self.reserve_bytes
        if reserve_bytes is None:
            reserve_bytes = min(usage.total // _DEFAULT_PART, _DEFAULT_BYTES)
        wanted_bytes = reserve_bytes + (reserve_bytes // _MARGIN if self._is_short else 0)
        was_short, self._is_short = self._is_short, usage.free < wanted_bytes
        if self._is_short and not was_short:
            log.error("space_short", folder=str(self._folder), free_bytes=usage.free, reserve_bytes=reserve_bytes)
        if was_short and not self._is_short:
            log.info("space_again", folder=str(self._folder), free_bytes=usage.free)
        if not self._is_short:
            return None
        return Shortage(folder=self._folder, free_bytes=usage.free, reserve_bytes=reserve_bytes)

    def refuse_mail(self) -> None:
        """Raises StoreFull while there is a shortage."""
        found = self.shortage()
        if found is not None:
            raise StoreFull(
                f"no mail is taken while less than {megabytes(found.reserve_bytes)} MB are free in {found.folder} "
                f"({megabytes(found.free_bytes)} MB are): make room, and it goes on by itself"
            )


def megabytes(size_bytes: int) -> int:
    """For people."""
    return size_bytes // 10**6
