"""Servers that the tests of several parts use."""

from __future__ import annotations

pytest_plugins = ["tests.servers.imap_servers"]
