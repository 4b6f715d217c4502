"""What can go wrong between us and a login, by who must act. No text holds a secret."""

from __future__ import annotations

from datetime import timedelta

from mailcase.errors import PermanentError, TransientError


class LoginRefused(PermanentError):
    """The mail server does not accept user name and password, or user name and access token."""


class LoginImpossible(PermanentError):
    """There is nothing to log in with, and trying again does not help: a file, a setting or a consent is missing."""


class TokenUnavailable(TransientError):
    """No access token can be had now; a later attempt may succeed."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        """`retry_after` is how long the server wants to be left alone."""
        super().__init__(message)
        self.retry_after = retry_after
