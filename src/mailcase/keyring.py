"""The file with the signing keys: made at first start, renewed by itself, never replaced behind the operator's back.

`keys.json` in the state folder, mode 0600. Losing it makes every reply address ever sent unprovable; mail still threads
by its headers. It belongs into every backup of the state folder.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailcase.clock import Clock
from mailcase.entropy import Entropy, token
from mailcase.errors import ConfigError, Problem
from mailcase.mail.signing import Key, KeyRing
from mailcase.private_file import write_private

FILE_NAME = "keys.json"
_VERSION = 1
_SECRET_BYTES = 32
_ID_LENGTH = 2


def load_or_create(folder: Path, *, clock: Clock, entropy: Entropy, lifetime: timedelta, renewal: timedelta) -> KeyRing:
    """The ring of this installation, with a new key when the newest is older than `renewal`.

    Keys past their lifetime stay in the file for as long again, so that a late answer is known as such (`retired-key`).
    Raises ConfigError when the file cannot be read or written, or does not hold keys.
    """
    path = folder / FILE_NAME
    try:
        known = _load(path) if path.exists() else ()
        keys = _renewed(known, clock.now(), entropy, lifetime=lifetime, renewal=renewal)
        if keys != known:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(path, keys)
    except OSError as error:
        raise _problem(path, f"cannot be used: {error.strerror}", "Let the daemon's user read and write it.") from error
    return KeyRing(keys=keys)


def put_back(folder: Path, content: bytes) -> None:
    """Adds the keys of a backup's ring to those that are there; of two with one id, the one that is there stays.

    Raises ConfigError when one of the rings is damaged, OSError when the file cannot be written.
    """
    path = folder / FILE_NAME
    present = _load(path) if path.exists() else ()
    taken = {key.id for key in present}
    added = tuple(key for key in _parse(path, content) if key.id not in taken)
    if added:
        _write(path, tuple(sorted((*present, *added), key=lambda key: key.created_at, reverse=True)))


def _renewed(
    known: tuple[Key, ...], now: datetime, entropy: Entropy, *, lifetime: timedelta, renewal: timedelta
) -> tuple[Key, ...]:
    kept = tuple(key for key in known if now - key.created_at <= 2 * lifetime)
    if kept and now - kept[0].created_at <= renewal:
        return kept
    taken = {key.id for key in kept}
    while (key_id := token(entropy)[:_ID_LENGTH]) in taken:
        pass
    return (Key(id=key_id, secret=entropy.bytes(_SECRET_BYTES), created_at=now), *kept)


def _load(path: Path) -> tuple[Key, ...]:
    return _parse(path, path.read_bytes())


def _parse(path: Path, content: bytes) -> tuple[Key, ...]:
    try:
        document = json.loads(content)
        if document["version"] != _VERSION:
            raise _problem(path, f"has version {document['version']!r}", "It was written by a newer mailcase.")
        keys = [_key(entry) for entry in document["keys"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # The text of the error may quote the file, and with it a secret.
        raise _problem(
            path,
            f"is damaged ({type(error).__name__})",
            "Restore it from a backup. If there is none, move it away: a new one is made, and the signed reply"
            " addresses in mail already sent prove nothing any more.",
        ) from None
    return tuple(sorted(keys, key=lambda key: key.created_at, reverse=True))


def _key(entry: dict[str, str]) -> Key:
    created_at = datetime.fromisoformat(entry["created_at"])
    secret = bytes.fromhex(entry["secret"])
    if created_at.tzinfo is None or len(secret) < _SECRET_BYTES or len(entry["id"]) != _ID_LENGTH:
        raise ValueError
    return Key(id=entry["id"], secret=secret, created_at=created_at.astimezone(UTC))


def _write(path: Path, keys: tuple[Key, ...]) -> None:
    entries = [{"id": k.id, "secret": k.secret.hex(), "created_at": k.created_at.isoformat()} for k in keys]
    write_private(path, json.dumps({"version": _VERSION, "keys": entries}, indent=1))


def _problem(path: Path, message: str, hint: str) -> ConfigError:
    return ConfigError((Problem(file=str(path), line=None, column=None, where="", message=message, hint=hint),))
