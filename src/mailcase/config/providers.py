"""What is the same for everybody at a provider: where tokens come from, and for what they are asked."""

from __future__ import annotations

from enum import StrEnum


class ProviderName(StrEnum):
    """Providers whose settings are known here."""

    GOOGLE = "google"
    MICROSOFT = "microsoft"


def token_url(provider: ProviderName, tenant: str) -> str:
    """The token server; `tenant` counts for Microsoft alone."""
    match provider:
        case ProviderName.GOOGLE:
            return "https://oauth2.googleapis.com/token"
        case ProviderName.MICROSOFT:
            return f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"


def scope(provider: ProviderName, *, has_refresh_token: bool) -> str:
    """What reading by IMAP and sending by SMTP needs."""
    match provider:
        case ProviderName.GOOGLE:
            return "https://mail.google.com/"
        case ProviderName.MICROSOFT if has_refresh_token:
            delegated = ("IMAP.AccessAsUser.All", "SMTP.Send")
            return " ".join([*(f"https://outlook.office.com/{name}" for name in delegated), "offline_access"])
        case ProviderName.MICROSOFT:
            # Application permissions are asked for as a whole; those that an administrator consented to are given.
            return "https://outlook.office365.com/.default"
