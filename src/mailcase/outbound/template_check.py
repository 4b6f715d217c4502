"""Everything that is wrong with the templates of a configuration, before one of them is needed."""

from __future__ import annotations

from pathlib import Path

from mailcase.config.settings import Settings
from mailcase.errors import Problem
from mailcase.outbound.templates import Templates, shipped_folder


def template_problems(settings: Settings) -> tuple[Problem, ...]:
    """What is wrong with the templates, as each of our addresses would use them."""
    languages = {settings.language, *(person.language for person in settings.people.values())}
    own_folders: dict[Path | None, None] = {None: None}
    for mailbox in settings.mailboxes.values():
        for own in mailbox.addresses:
            languages.add(own.language)
            own_folders[own.templates] = None
    found: list[Problem] = []
    for own_folder in own_folders:
        folders = [folder for folder in (own_folder, settings.templates, shipped_folder()) if folder is not None]
        found += Templates(folders, language=settings.language).check(sorted(languages))
    return tuple(dict.fromkeys(found))
