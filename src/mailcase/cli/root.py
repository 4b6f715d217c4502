"""`mailcase`: the commands, and what an error of ours becomes (exit codes: docs/commands.md)."""

from __future__ import annotations

import click

from mailcase import __version__
from mailcase.cli.options import LazyGroup
from mailcase.errors import AppError

COMMANDS = {
    "run": ("mailcase.cli.run:run", "Start the daemon and stay in the foreground."),
    "status": ("mailcase.cli.status:status", "Show on one screen how everything stands, and what wants an operator."),
    "reload": ("mailcase.cli.reload:reload", "Have the running daemon take its configuration over again."),
    "check": ("mailcase.cli.check:check", "Say everything that is wrong with configuration and templates."),
    "demo": ("mailcase.cli.play:demo", "Play the whole life of a case over real SMTP, step by step."),
    "try": ("mailcase.cli.try_:try_", "Write to the running daemon as a customer would; show what came back."),
    "why": ("mailcase.cli.why:why", "Say why a mail went where it went."),
    "case": ("mailcase.cli.case:case", "Make, take, answer, resolve and show cases."),
    "mail": ("mailcase.cli.mail:mail", "List, show and retry mail that came in."),
    "outbox": ("mailcase.cli.outbox:outbox", "List, show, retry and cancel mail that goes out."),
    "mailbox": ("mailcase.cli.mailbox:mailbox", "List and check the mailboxes that are watched."),
    "config": ("mailcase.cli.config:config", "Show the effective configuration, or an example."),
    "store": ("mailcase.cli.store:store", "Look after the database."),
}


class Root(LazyGroup):
    """Turns errors of ours into exit codes; everything else is a bug and keeps its traceback."""

    lazy = COMMANDS

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AppError as error:
            # Imported here, because what it leads to takes longer than a help text should.
            from mailcase.cli.ending import ended_by

            raise ended_by(error) from error


main = Root(
    name="mailcase",
    help="Mail becomes cases, answers reopen them, windows close them.",
    epilog="Exit codes: 0 done, 1 refused, 2 wrong usage, 75 try again later, 78 configuration.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, prog_name="mailcase")(main)
