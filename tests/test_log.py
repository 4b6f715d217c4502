"""What reaches the log and the terminal (S7, S16)."""

from __future__ import annotations

import base64

import pytest

from mailcase.log import without_secret

PASSWORD = 'SECRET"pw\\123'


@pytest.mark.parametrize(
    "said",
    [
        f"NO {PASSWORD} is wrong",
        'NO LOGIN "ann" "SECRET\\"pw\\\\123" failed',
        f"NO {base64.b64encode(PASSWORD.encode()).decode()}",
        "NO " + base64.b64encode(f"\0ann\0{PASSWORD}".encode()).decode(),
    ],
    ids=["plain", "quoted for IMAP", "base64", "SASL PLAIN"],
)
def test_S16_a_repeated_password_is_cut_out_in_every_form(said: str) -> None:
    shown = without_secret(said, "ann", PASSWORD)

    assert "***" in shown
    assert "SECRET" not in shown
    assert base64.b64encode(PASSWORD.encode()).decode() not in shown


def test_S16_no_password_cuts_nothing() -> None:
    assert without_secret("NO such user", "ann", "") == "NO such user"
