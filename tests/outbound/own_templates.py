"""Views to fill templates with, and folders of an operator's own templates."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from mailcase.outbound.templates import Templates, shipped_folder
from mailcase.outbound.view import NoticeView, sample_views

LANGUAGES = ("en", "fr")
FULL, BARE = (view for _, view in sample_views())
OURS = Templates((shipped_folder(),), language="en")


def view(**changes: Any) -> NoticeView:
    """The bare sample with these fields."""
    return dataclasses.replace(BARE, **changes)


def write(folder: Path, name: str, source: str) -> Path:
    """A template file `name`, with its language, in that folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return path


def with_own(tmp_path: Path, **language: str) -> Templates:
    """The templates of that folder before ours."""
    return Templates((tmp_path, shipped_folder()), language=language.get("language", "en"))
