"""Kinds of arguments that several commands take."""

from __future__ import annotations

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
