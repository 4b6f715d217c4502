"""The example configuration: what `config example` prints."""

from __future__ import annotations

from importlib import resources


def example() -> str:
    """A commented file that works as it stands; the same as `config.example.yaml` of the source."""
    return resources.files("mailcase.config").joinpath("config.example.yaml").read_text(encoding="utf-8")
