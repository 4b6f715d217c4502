"""Where an answer is shown: its width, whether it has colours, the operator's zone and language."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

import click

from mailcase.config.settings import Language, PersonSettings
from mailcase.core.case import PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A terminal, or a pipe: then nothing is cut and nothing is coloured."""

    #: Columns of the terminal; None for a pipe.
    width: int | None
    has_colour: bool
    zone: ZoneInfo
    language: Language
    #: The moment of printing, for "past due".
    now: datetime
    people: Mapping[PersonId, PersonSettings] = field(default_factory=dict)

    @classmethod
    def of_standard_output(
        cls, *, zone: ZoneInfo, language: Language, now: datetime, people: Mapping[PersonId, PersonSettings]
    ) -> Self:
        """What standard output is connected to. NO_COLOR is heeded (no-color.org)."""
        is_terminal = sys.stdout.isatty()
        return cls(
            width=shutil.get_terminal_size().columns if is_terminal else None,
            has_colour=is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
            zone=zone,
            language=language,
            now=now,
            people=people,
        )

    def styled(self, text: str, *, colour: str | None = None, bold: bool = False, dim: bool = False) -> str:
        """`text` in that style where there are colours."""
        if not self.has_colour or not (colour or bold or dim):
            return text
        return click.style(text, fg=colour, bold=bold or None, dim=dim or None)

    def local(self, at: datetime | None) -> str:
        """`2026-03-04 10:00` in the operator's zone, "" for None."""
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M") if at else ""

    def name_of(self, person: str) -> str:
        """The name of a person, or what was given where it is nobody's id."""
        known = self.people.get(PersonId(person))
        return known.name if known and known.name else person
