"""The refresh token that a server gave in the place of another: kept across restarts, never in the database (S17).

Providers replace a refresh token when it is used, and end the old one sooner or later (L9). The operator's file is not
written: it may be read-only, a credential of systemd, or under configuration management. The replacement stands in
`tokens/` of the state folder, a file of mode 0600 each.

Which of the two counts after a restart follows from the file's name, a digest of token server, client and the
operator's own token. As long as that file holds the token from which the kept one descends, the kept one is newer and
counts. When the operator puts in another token, no kept one belongs to it, and theirs counts. No times are compared, so
that neither a restored backup, nor `touch`, nor a copy of the same file changes which it is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mailcase.config.settings import OAuthClient
from mailcase.log import get_logger
from mailcase.private_file import write_private

log = get_logger()

FOLDER = "tokens"
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """A refresh token, and its end where the server told it."""

    value: str = field(repr=False)
    expires_at: datetime | None = None


class KeptRefreshTokens:
    """The replacements of one client's refresh token. Blocks; not for two threads at a time."""

    def __init__(self, state_folder: Path, client: OAuthClient) -> None:
        self._folder = state_folder / FOLDER
        self._client = client
        #: By the operator's token: replacements that could not be written yet.
        self._unwritten: dict[str, RefreshToken] = {}

    def newest(self, given: str) -> RefreshToken:
        """The token that counts, where the operator's file holds `given`."""
        if given in self._unwritten:
            self.keep(given, self._unwritten[given])
        return self._unwritten.get(given) or self._read(given) or RefreshToken(value=given)

    def keep(self, given: str, token: RefreshToken) -> None:
        """Writes the replacement. Where that fails it is used all the same, and written at the next opportunity."""
        path = self._path(given)
        content = {
            "version": _VERSION,
            "token_url": self._client.token_url,
            "client_id": self._client.client_id,
            "refresh_token": token.value,
            "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(path, json.dumps(content, indent=1))
        except OSError as error:
            if given not in self._unwritten:
                # Without the traceback: the operator needs the path alone.
                log.error("refresh_token_unsaved", path=str(path), reason=error.strerror)  # noqa: TRY400
            self._unwritten[given] = token
        else:
            self._unwritten.pop(given, None)

    def _read(self, given: str) -> RefreshToken | None:
        path = self._path(given)
        try:
            content = json.loads(path.read_bytes())
            value, expires_at = content["refresh_token"], content["expires_at"]
            if content["version"] == _VERSION and isinstance(value, str) and value:
                return RefreshToken(value=value, expires_at=datetime.fromisoformat(expires_at) if expires_at else None)
            reason = "damaged"
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = error.strerror or type(error).__name__
        except (ValueError, KeyError, TypeError):
            # The text of the error may quote the file, and with it the token.
            reason = "damaged"
        log.warning("kept_token_unusable", path=str(path), reason=reason)
        return None

    def _path(self, given: str) -> Path:
        of = json.dumps([self._client.token_url, self._client.client_id, given])
        return self._folder / f"{hashlib.sha256(of.encode()).hexdigest()[:32]}.json"
