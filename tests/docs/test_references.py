"""What the documents point to is there: commands parse, links and paths lead somewhere, configurations load."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from mailcase.cli import main
from mailcase.config import reader

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Folders that stand at the beginning of a path in this repository, or in the package.
_PATH = re.compile(
    r"`((?:src|docs|tests|templates|core|handlers|inbound|outbound|mail|store|config|workers|cli|desk)/[\w./-]*)`"
)
#: The rest of a configuration, for snippets that show a part of one.
_REST = {
    "processes": {"enquiry": {}},
    "mailboxes": {
        "desk": {
            "receive": {"kind": "smtp", "listen": "127.0.0.1:2525"},
            "addresses": ["support@example.org"],
            "fallback": "enquiry",
        }
    },
}


def _cases(found: Iterator[tuple[Path, str]]) -> list[object]:
    return [pytest.param(path, text, id=f"{path.relative_to(ROOT)}: {text[:60]}") for path, text in found]


# ---- commands --------------------------------------------------------------------------------------------------------


def command_lines() -> Iterator[tuple[Path, str]]:
    """Every `mailcase ...` in code spans, and every line of a code block that calls it."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        spans = re.findall(r"`((?:mailcase|case|mail|outbox|mailbox|store|config) [a-z][^`\n]*)`", text)
        lines = re.findall(r"^[ $]*(?:\.venv/bin/|/opt/mailcase/bin/)?(mailcase [^\n]*)$", text, re.MULTILINE)
        in_blocks = [line for line in lines if any(line in block for block in _blocks(text))]
        yield from ((path, line) for line in dict.fromkeys((*spans, *in_blocks)))


def _blocks(text: str) -> list[str]:
    return re.findall(r"(?:^ *```.*?^ *```|(?:^    [^\n]*\n)+)", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("document", "line"), _cases(command_lines()))
def test_a_command_is_one_that_the_command_line_has(
    document: Path, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.pdf").write_bytes(b"%PDF")
    words = shlex.split(re.sub(r"\s[<>#].*", "", line))
    words = words[1:] if words[0] == "mailcase" else words
    # The places of arguments, as prose has them.
    words = [
        {"ID": "7", "NUMBER": "7", "MAIL": "7", "MESSAGE-ID": "a@b", "ADDRESS": "a@example.net"}.get(w, w)
        for w in words
    ]

    command: click.Command = main
    context = click.Context(main, info_name="mailcase")
    while isinstance(command, click.Group) and words:
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        context = click.Context(command, info_name=command.name, parent=context)

    if not words:
        # Named in prose, without its arguments.
        return
    try:
        command.make_context(command.name, words, parent=context.parent)
    except (click.MissingParameter, click.BadOptionUsage):
        assert line.startswith(("case ", "mail ", "outbox ")), "a whole command line has its arguments"


# ---- links and paths -------------------------------------------------------------------------------------------------


def links() -> Iterator[tuple[Path, str]]:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target):
                yield path, target


@pytest.mark.parametrize(("document", "target"), _cases(links()))
def test_a_relative_link_leads_to_a_file(document: Path, target: str) -> None:
    name, _, heading = target.partition("#")

    assert (document.parent / name).exists() if name else heading in _headings(document)


def _headings(document: Path) -> set[str]:
    lines = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def paths() -> Iterator[tuple[Path, str]]:
    for path in DOCUMENTS:
        yield from ((path, name) for name in dict.fromkeys(_PATH.findall(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("document", "name"), _cases(paths()))
def test_a_path_that_is_named_exists(document: Path, name: str) -> None:
    assert (ROOT / name).exists() or (ROOT / "src" / "mailcase" / name).exists()


def cited() -> Iterator[tuple[Path, str]]:
    """Every page of docs that source, tests or benchmarks name."""
    for part in ("src", "tests", "benchmarks"):
        for path in sorted((ROOT / part).rglob("*.py")):
            pages = re.findall(r"\bdocs/(?:decisions/\d{4}|[\w-]+\.md)", path.read_text(encoding="utf-8"))
            yield from ((path, page) for page in dict.fromkeys(pages))


@pytest.mark.parametrize(("source", "page"), _cases(cited()))
def test_a_page_that_the_source_cites_exists(source: Path, page: str) -> None:
    assert list(ROOT.glob(f"{page}*")), source


def test_every_document_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [path.name for path in sorted((ROOT / "docs").glob("*.md")) if f"(docs/{path.name})" not in readme] == []


# ---- configurations --------------------------------------------------------------------------------------------------


def snippets() -> Iterator[tuple[Path, str]]:
    for path in DOCUMENTS:
        blocks = re.findall(r"^( *)```yaml\n(.*?)^\1```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        yield from ((path, re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)) for indent, block in blocks)


@pytest.mark.parametrize(("document", "snippet"), _cases(snippets()))
def test_a_configuration_that_is_shown_loads(document: Path, snippet: str, tmp_path: Path) -> None:
    shown = yaml.safe_load(snippet)
    rest = {key: value for key, value in _REST.items() if key not in shown}
    file = tmp_path / "config.yaml"
    file.write_text(snippet + yaml.safe_dump(rest) if rest else snippet)
    for name in ("desk.secret", "app.secret", "google.secret", "google.refresh"):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text("secret\n")

    assert reader.check(file, environment={}) == ()


def test_the_configurations_of_the_readme_and_of_operating_are_among_them() -> None:
    assert {path.name for path, _ in snippets()} >= {"README.md", "operating.md", "configuration.md"}


def test_settings_named_with_their_section_exist() -> None:
    """`limits.message_bytes` and the like."""
    from mailcase.config.keys import known_keys

    known = {str(path[1]) for path in known_keys() if len(path) == 2 and path[0] == "limits"}
    named = {
        (path.name, key)
        for path in DOCUMENTS
        for key in re.findall(r"`limits\.(\w+)`", path.read_text(encoding="utf-8"))
    }

    assert {(name, key) for name, key in named if key not in known} == set()
