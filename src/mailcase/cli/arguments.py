"""Kinds of arguments that several commands take, and text from standard input."""

from __future__ import annotations

import sys
from typing import Final

import click

from mailcase.core.case import CaseId, parse_reference, reference


class _Reference(click.ParamType[str]):
    """`1042-C`, in either letter case; the bare number will do."""

    name = "reference"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = value.strip().removeprefix("[").removesuffix("]")
        case_id = parse_reference(f"{text}-C" if text.isascii() and text.isdigit() else text)
        if case_id is None:
            self.fail(f"{value!r} is not the name of a case; names look like {reference(CaseId(1042))}.", param, ctx)
        return reference(case_id)


REFERENCE: Final = _Reference()


def standard_input() -> str:
    """All of standard input, lines ended by LF. Raises click.UsageError unless it is UTF-8: a guess could garble it."""
    try:
        return sys.stdin.buffer.read().decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise click.UsageError("standard input is not UTF-8 text; convert it first, as with iconv.") from error
