"""Only our own server's word proves a From, and only for the domain that it names (S3)."""

from __future__ import annotations

import pytest

from mailcase.mail.authentication import is_from_its_domain

GOOD = "mx.example.org; spf=pass smtp.mailfrom=ann@example.org; dmarc=pass (p=none) header.from=example.org"


def is_proved(*lines: str, domain: str = "example.org") -> bool:
    head = "".join(f"Authentication-Results: {line}\r\n" for line in lines)
    return is_from_its_domain(
        f"{head}From: ann@example.org\r\n\r\nHi\r\n".encode(), domain, authserv_id="mx.example.org"
    )


@pytest.mark.parametrize(
    "line",
    [
        GOOD,
        "MX.example.org 1; DMARC = pass header.from=Example.ORG",
        "mx.example.org;\r\n dkim=pass header.d=x.example;\r\n\tdmarc=pass header.from=example.org;compauth=pass",
        'mx.example.org; spf=pass smtp.mailfrom="a;dmarc=fail"@x; dmarc=pass (a (b) \\) c) header.from=example.org',
    ],
)
def test_the_servers_pass_for_the_domain_of_from_is_proof(line: str) -> None:
    assert is_proved(line)


@pytest.mark.parametrize(
    "line",
    [
        "mx.example.org; dmarc=fail header.from=example.org",
        "mx.example.org; dmarc=pass header.from=evil.example",
        "mx.example.org; dmarc=pass",
        "mx.example.org; dkim=pass header.d=example.org; spf=pass smtp.mailfrom=example.org",
        "mx.evil.example; dmarc=pass header.from=example.org",
        "mx.example.org.evil.example; dmarc=pass header.from=example.org",
        "dmarc=pass header.from=example.org",
        "",
        # What a sender may write, and a server repeats.
        'mx.example.org; spf=pass smtp.mailfrom="a; dmarc=pass header.from=example.org"@evil.example',
        "mx.example.org; spf=pass (x; dmarc=pass header.from=example.org) smtp.mailfrom=a@evil.example",
        "mx.example.org; spf=pass smtp.mailfrom==?us-ascii?q?a=3Bdmarc=3Dpass_header.from=3Dexample.org?=@evil.example",
        "mx.example.org; dmarc=fail header.from=example.org; dmarc=pass header.from=example.org",
        "mx.example.org; dmarc=pass header.from=example.org (never ended",
        'mx.example.org; dmarc=pass header.from=example.org "never ended',
        "mx.example.org; dmarc=pass header.from=example.org)",
    ],
)
def test_S3_nothing_else_is_proof(line: str) -> None:
    assert not is_proved(line)


def test_S3_only_the_topmost_line_is_the_servers_own() -> None:
    assert is_proved(GOOD, "mx.example.org; dmarc=fail header.from=example.org")
    assert not is_proved("mx.example.org; dmarc=none header.from=example.org", GOOD)
    assert not is_proved("other.example; dmarc=pass header.from=example.org", GOOD)


def test_a_mail_without_such_a_line_proves_nothing() -> None:
    assert not is_proved()
