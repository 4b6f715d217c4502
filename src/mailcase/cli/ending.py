"""How a command ends that did not do what was asked: the reason on standard error and an exit code."""

from __future__ import annotations

from typing import IO, Any

import click

from mailcase.errors import AppError, ConfigError
from mailcase.inbound.protocol import Exit, refusal
from mailcase.safe_text import safe_text


class Ended(click.ClickException):
    """Ends the command line with this exit code; the reason may have several lines."""

    def __init__(self, exit_code: int, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class and reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"mailcase: {safe_text(self.message, keep_lines=True)}", file=file, err=True)


def refused(reason: str) -> Ended:
    """The end of a command that cannot be done as things stand."""
    return Ended(Exit.REFUSED, reason)


def ended_by(error: AppError) -> Ended:
    """The end that an error of ours amounts to."""
    if isinstance(error, ConfigError):
        count = len(error.problems)
        return Ended(Exit.CONFIGURATION, f"{count} problem{'s' if count != 1 else ''} in the configuration\n{error}")
    response = refusal(error)
    return Ended(response.exit, response.error or type(error).__name__)
