"""One call of the command line: its options, the settings it works with, who acts, and how the answer is printed."""

from __future__ import annotations

import json
import os
import pwd
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from mailcase.cli.ending import Ended
from mailcase.cli.options import Options
from mailcase.cli.screen import Screen
from mailcase.clock import SystemClock
from mailcase.config.settings import Language, PersonSettings, Settings
from mailcase.errors import ConfigError, Problem

if TYPE_CHECKING:
    from mailcase.config.glance import ShellSettings
    from mailcase.inbound.protocol import Json, Request, Response

#: Where the configuration is looked for when nobody names it, in this order.
PLACES = (Path("config.yaml"), Path("config.example.yaml"), Path("/etc/mailcase/config.yaml"))
VARIABLE = "MAILCASE_CONFIG"
#: Rows of a list that a person is shown who says nothing else.
LIST_ROWS = 200

#: Turns what was answered into the lines that a person reads.
View = Callable[["Json", Screen], Iterable[str]]


def settings_file(
    named: Path | None, environment: Mapping[str, str] = os.environ, places: Sequence[Path] = PLACES
) -> Path:
    """The configuration file to use. Raises ConfigError that says which were tried when there is none."""
    if named is None and (variable := environment.get(VARIABLE)):
        named = Path(variable)
    places = (named,) if named else places
    barred: list[Path] = []
    for place in places:
        try:
            if stat.S_ISREG(place.stat().st_mode):
                return place
        except PermissionError:
            # Of a folder on the way, often the one that a daemon's user was started in: the next place may do.
            barred.append(place)
        except OSError:
            continue
    tried = ", ".join(str(place) for place in places)
    file, message = places[0], "there is no such file" if named else f"no configuration file; tried {tried}"
    hint = f"Name one with --config FILE or {VARIABLE}; `mailcase config example` prints one to begin with."
    if barred:
        file, message = barred[-1], "this user may not look for it there"
        hint = "Work as the daemon's user, join the group that may read it, or name another with --config FILE."
    raise ConfigError((Problem(file=str(file), line=None, column=None, where="", message=message, hint=hint),))


class Session:
    """Everything is found when it is first needed, so that a command pays only for what it uses."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = SystemClock()

    @classmethod
    def current(cls) -> Self:
        """The session of the command that is running."""
        return cls(click.get_current_context().ensure_object(Options))

    @cached_property
    def settings(self) -> Settings:
        """The effective settings, for a command that opens no mailbox and no relay itself. Raises ConfigError."""
        return self.load_settings(needs_secrets=False)

    def load_settings(self, *, needs_secrets: bool) -> Settings:
        """The effective settings; `needs_secrets` where secret files must be there. Raises ConfigError."""
        from mailcase.config.reader import load

        return load(settings_file(self.options.config), needs_secrets=needs_secrets)

    @cached_property
    def shell(self) -> ShellSettings:
        """What a command needs that a running daemon carries out; of a file that is wrong elsewhere, too."""
        from mailcase.config.glance import glance

        return glance(settings_file(self.options.config)) or self.settings

    @cached_property
    def person(self) -> PersonSettings | None:
        """Who sits at the shell: the one named by --as, else the one whose login is the user of this process."""
        people = self.shell.people.values()
        if self.options.person is not None:
            found = next((person for person in people if person.id == self.options.person), None)
            if found is None:
                raise click.UsageError(f"there is no person {self.options.person!r}. {self._people()}")
            return found
        login = _login()
        return next((person for person in people if person.login == login and not person.is_retired), None)

    def acting_person(self) -> PersonSettings:
        """The person, where somebody has to answer for what is done. Raises click.UsageError, exit 2."""
        if self.person is None:
            raise click.UsageError(
                f"nobody in the configuration has the login {_login()!r}: say who acts with --as PERSON. "
                f"{self._people()}"
            )
        return self.person

    def _people(self) -> str:
        names = ", ".join(person.id for person in self.shell.people.values() if not person.is_retired)
        return f"People: {names or 'none is configured'}."

    @property
    def language(self) -> Language:
        """The language of labels: --lang, else that of the person, else that of the configuration."""
        if self.options.language is not None:
            return Language(self.options.language)
        return self.person.language if self.person else self.shell.language

    @cached_property
    def screen(self) -> Screen:
        """Where the answer is shown."""
        return Screen.of_standard_output(
            zone=self.shell.zone, language=self.language, now=self.clock.now(), people=self.shell.people
        )

    def ask(
        self,
        operation: str,
        arguments: Mapping[str, Json],
        *,
        acts: bool,
        blobs: Sequence[bytes] = (),
    ) -> Response:
        """Has the operation carried out, by the daemon or here; `acts` when somebody must answer for it."""
        from mailcase.cli.ask import ask

        request = self._request(operation, arguments, self.acting_person() if acts else self.person)
        return ask(self.shell.socket, request, blobs, self.clock, load=lambda: self.settings)

    def ask_running(self, operation: str) -> Response | None:
        """The answer of a running daemon; None when there is none."""
        from mailcase.cli.ask import ask_running

        return ask_running(self.shell.socket, self._request(operation, {}, self.person))

    def _request(self, operation: str, arguments: Mapping[str, Json], person: PersonSettings | None) -> Request:
        from mailcase.inbound.protocol import Request

        _refuse_broken_text(arguments)
        return Request(
            operation=operation,
            arguments=dict(arguments),
            as_=person.id if person else None,
            language=self.language,
        )

    def print(self, response: Response, view: View) -> None:
        """Prints what was answered, as JSON or as `view` shows it. Raises Ended unless all went well."""
        if self.options.json:
            # A refusal that has nothing to show prints nothing: no document is better than `null`.
            if response.data is not None or not response.exit:
                print_json(response.data)
        elif response.data is not None:
            for line in view(response.data, self.screen):
                click.echo(line)
            if response.more:
                click.echo(f"and {response.more} more; --limit N shows so many")
        if response.exit:
            raise Ended(response.exit, response.error or "refused without a reason")


def perform(
    operation: str,
    arguments: Mapping[str, Json] | None = None,
    *,
    view: View,
    acts: bool,
    blobs: Sequence[bytes] = (),
) -> None:
    """The whole of most commands: have it done, print what came of it."""
    session = Session.current()
    session.print(session.ask(operation, arguments or {}, acts=acts, blobs=blobs), view)


def perform_list(
    operation: str, arguments: Mapping[str, Json], *, key: str, limit: int | None, view: View, acts: bool
) -> None:
    """The whole of a list, which says what its limit leaves out; without one, JSON has every row."""
    session = Session.current()
    if limit is None and session.options.json:
        session.print(_whole_list(session, operation, arguments, key, acts=acts), view)
    else:
        arguments = {**arguments, "limit": limit or LIST_ROWS}
        session.print(session.ask(operation, arguments, acts=acts), view)


def _whole_list(session: Session, operation: str, arguments: Mapping[str, Json], key: str, *, acts: bool) -> Response:
    """Page after page, each after the last row of the one before. A row that moves meanwhile is not shown twice."""
    rows: dict[str, Json] = {}
    after: Json = None
    while True:
        response = session.ask(operation, {**arguments, "after": after}, acts=acts)
        page = response.data
        if response.exit or not isinstance(page, list):
            return response
        rows |= {str(row[key]): row for row in page if isinstance(row, dict)}
        if not response.more or not isinstance(last := page[-1], dict):
            return replace(response, data=list(rows.values()), more=0)
        after = last[key]


def print_json(data: object) -> None:
    """Whatever JSON can say, as one ASCII document: no text from outside can move a cursor (rule 11)."""
    click.echo(json.dumps(data, indent=2))


def _refuse_broken_text(arguments: Mapping[str, Json]) -> None:
    """What a shell passes may not be UTF-8; nobody could read it later."""
    try:
        json.dumps(dict(arguments), ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise click.UsageError("an argument is not UTF-8 text; is the locale of the terminal right?") from error


def _login() -> str:
    # Not the environment's LOGNAME: anybody may set that.
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
