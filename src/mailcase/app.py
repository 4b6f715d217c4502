"""Composition root: settings -> wired services; no logic."""
