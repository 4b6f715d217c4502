"""One POST to a token server; the only file that knows `urllib.request`.

The standard library is enough for one small form an hour: it verifies certificates with our context, takes proxies from
the environment (HTTPS_PROXY, NO_PROXY), and follows no redirect when it is given no handler for them, so that no secret
goes to an address that nobody wrote. Its time limit counts per packet; the caller holds the wall-clock one.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.request
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit

from mailcase.config.fields import is_loopback
from mailcase.login.errors import LoginImpossible, TokenUnavailable
from mailcase.login.token_answer import HttpAnswer, words

#: No answer of a token server is as large.
ANSWER_LIMIT_BYTES = 256 * 1024


def post_form(
    url: str,
    form: Mapping[str, str],
    *,
    headers: Mapping[str, str],
    timeout: timedelta,
    ca_file: Path | None,
) -> HttpAnswer:
    """Sends the form and reads the answer, whatever its status. Blocks.

    Raises LoginImpossible when the server cannot be trusted, TokenUnavailable when it cannot be reached or breaks off.
    """
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked when the configuration is read
        url,
        data=urlencode(form).encode("ascii"),
        headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded", **headers},
        method="POST",
    )
    opener = _opener(url, ca_file)
    try:
        with opener.open(request, timeout=timeout.total_seconds()) as response:
            body = response.read(ANSWER_LIMIT_BYTES + 1)
            return HttpAnswer(
                status=response.status,
                body=body if len(body) <= ANSWER_LIMIT_BYTES else None,
                retry_after=response.headers.get("Retry-After"),
            )
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _translated(url, error) from error


def _opener(url: str, ca_file: Path | None) -> urllib.request.OpenerDirector:
    """Without the handlers of redirects and of error statuses: every answer is given back as it came."""
    opener = urllib.request.OpenerDirector()
    # Whoever has a proxy for the world does not mean this machine.
    proxies: dict[str, str] | None = {} if is_loopback(urlsplit(url).hostname or "") else None
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=_verifying(ca_file)),
    ):
        opener.add_handler(handler)
    return opener


def _verifying(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise LoginImpossible(f"the `ca_file` {ca_file} cannot be used: {error}") from error
    return context


def _translated(url: str, error: Exception) -> LoginImpossible | TokenUnavailable:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return LoginImpossible(
            f"the certificate of the token server {url} cannot be verified: {reason.verify_message}; if it is the "
            "right server, set `ca_file` in `oauth` to the certificate of its authority"
        )
    return TokenUnavailable(
        f"the token server {url} cannot be reached: {words(str(reason)) or type(reason).__name__}; with a proxy, check "
        "HTTPS_PROXY and NO_PROXY"
    )
