"""What the source logs, read from its syntax trees: every event with its levels and keys."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "mailcase"
LEVELS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})
#: structlog turns both into the text of the traceback.
_TRACEBACK_KEY = "exception"


@dataclass
class LogEvent:
    """One event name, over all calls that use it."""

    levels: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class LogCall:
    """One call of the logger. `names` are the constants that its first argument can be."""

    where: str
    names: tuple[str, ...]
    levels: frozenset[str]
    keys: frozenset[str]


def logged_events(folder: Path = SOURCE) -> dict[str, LogEvent]:
    """Every event by its name."""
    found: dict[str, LogEvent] = {}
    for path in sorted(folder.rglob("*.py")):
        for call in log_calls(path.read_text(encoding="utf-8"), path.name):
            for name in call.names:
                event = found.setdefault(name, LogEvent())
                event.levels |= call.levels
                event.keys |= call.keys
    return found


def log_calls(source: str, file: str) -> Iterator[LogCall]:
    """Every call of `log` in a module.

    Raises:
        ValueError: a call cannot be read, because its name is no constant or its keys stand elsewhere.
    """
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        local = _assignments(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and (methods := _methods(node.func, local)):
                yield _call(node, methods, local, f"{file}:{node.lineno}")


def _assignments(function: ast.AST) -> dict[str, ast.expr]:
    """What a function gives names to, by plain assignment."""
    return {
        target.id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _methods(function: ast.expr, local: dict[str, ast.expr]) -> frozenset[str]:
    """The methods of `log` that are called: several where a choice between them was given a name first."""
    if isinstance(function, ast.Name):
        function = local.get(function.id, function)
    choices = [function.body, function.orelse] if isinstance(function, ast.IfExp) else [function]
    return frozenset(
        choice.attr
        for choice in choices
        if isinstance(choice, ast.Attribute)
        and isinstance(choice.value, ast.Name)
        and choice.value.id == "log"
        and choice.attr in LEVELS
    )


def _call(node: ast.Call, methods: frozenset[str], local: dict[str, ast.expr], where: str) -> LogCall:
    if len(node.args) != 1:
        raise ValueError(f"{where}: an event has one name and keys")
    keys = {key for keyword in node.keywords for key in _keys(keyword, local, where)}
    if "exception" in methods or "exc_info" in keys:
        keys = (keys - {"exc_info"}) | {_TRACEBACK_KEY}
    levels = frozenset("error" if method == "exception" else method for method in methods)
    return LogCall(where=where, names=_names(node.args[0], where), levels=levels, keys=frozenset(keys))


def _names(name: ast.expr, where: str) -> tuple[str, ...]:
    if isinstance(name, ast.IfExp):
        return (*_names(name.body, where), *_names(name.orelse, where))
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return (name.value,)
    raise ValueError(f"{where}: the name of an event is a constant")


def _keys(keyword: ast.keyword, local: dict[str, ast.expr], where: str) -> tuple[str, ...]:
    if keyword.arg is not None:
        return (keyword.arg,)
    spread = local.get(keyword.value.id) if isinstance(keyword.value, ast.Name) else keyword.value
    if not isinstance(spread, ast.Dict):
        raise ValueError(f"{where}: the keys of an event stand in the call")  # noqa: TRY004 - wrong source, not type
    return tuple(str(key.value) for key in spread.keys if isinstance(key, ast.Constant))
