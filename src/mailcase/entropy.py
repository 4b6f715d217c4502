"""The one place that makes something random: ids, tokens, jitter, MIME boundaries."""

from __future__ import annotations

import base64
import random
import secrets
from typing import Protocol


class Entropy(Protocol):
    """A source of unpredictable bytes and of jitter."""

    def bytes(self, count: int) -> bytes:
        """`count` random bytes, fit for keys."""
        ...

    def uniform(self) -> float:
        """A float in [0, 1) for jitter."""
        ...


def token(entropy: Entropy, byte_count: int = 10) -> str:
    """A random lower-case base32 word without padding: 16 characters for 10 bytes, safe in any mail header."""
    return base64.b32encode(entropy.bytes(byte_count)).decode("ascii").rstrip("=").lower()


class SystemEntropy:
    """Randomness of the operating system."""

    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def uniform(self) -> float:
        return secrets.randbelow(1 << 53) / (1 << 53)


class SeededEntropy:
    """The same sequence for the same seed; for tests and simulation, never for keys that guard anything."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible on purpose, see the docstring

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def uniform(self) -> float:
        return self._random.random()
