"""The example file: it works as it stands, and is shipped as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from mailcase.config import reader
from mailcase.config.example import example
from mailcase.config.settings import ListenerKind, ListenerSource, MaildirRelay
from mailcase.core.case import MailboxName

ROOT = Path(__file__).parents[2]


def test_the_example_works_as_it_stands() -> None:
    settings = reader.load(ROOT / "config.example.yaml", environment={})

    desk = settings.mailboxes[MailboxName("desk")]
    assert desk.source == ListenerSource(kind=ListenerKind.SMTP, host="127.0.0.1", port=2525)
    assert desk.addresses[0].address == "support@example.org"
    assert settings.store == ROOT / "var" / "mailcase.db"
    assert settings.relay == MaildirRelay(path=ROOT / "var" / "outgoing")
    assert set(settings.people) == {"ann", "bob"}
    assert set(settings.processes) == {"enquiry", "billing"}


def test_the_package_carries_the_same_file() -> None:
    assert example() == (ROOT / "config.example.yaml").read_text(encoding="utf-8")


def test_what_the_example_has_in_comments_works_too(tmp_path: Path) -> None:
    text = example().replace("    receive:\n      kind: smtp\n      listen: 127.0.0.1:2525\n", "")
    text = re.sub(r"^( *)# (receive:|  \w+: .*|relay:|login: .*)$", r"\1\2", text, flags=re.MULTILINE)
    path = tmp_path / "m.yaml"
    path.write_text(text)
    secret = tmp_path / "desk.secret"
    secret.touch(mode=0o600)
    secret.write_text("x")

    assert reader.check(path, environment={}) == ()
    assert text.count("password_file") == 2
    assert "# login" not in text
