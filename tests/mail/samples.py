"""Where the tests find mail: our own hand-written odd ones, and public samples where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

from mailcase.mail import reading
from mailcase.mail.message import Message

CORPUS = Path(__file__).parent / "corpus"
#: Folders `mail-samples` and `bounces` of mail that is not ours to pass on.
SAMPLES = Path(os.environ.get("MAILCASE_SAMPLES", CORPUS.parent / "public"))


def corpus(name: str) -> bytes:
    """The raw bytes of one of our own mails."""
    return (CORPUS / f"{name}.eml").read_bytes()


def read(name: str) -> Message:
    """One of our own mails, read."""
    return reading.read(corpus(name))


def mail(*fields: str, body: str = "hello\n") -> Message:
    """A plain mail with these header lines."""
    return reading.read(("\n".join(fields) + "\n\n" + body).encode())
