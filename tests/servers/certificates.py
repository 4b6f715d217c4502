"""Certificates for servers in tests, made by the `openssl` command."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import warnings
from pathlib import Path

import pytest


def make_certificate(folder: Path, name: str, *, is_expired: bool = False) -> Path:
    """A self-signed certificate with its key in one PEM file; `name` is the subject alternative name, `IP:127.0.0.1`
    or `DNS:...`. Skips the test where there is no openssl.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command is not installed")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=test", "-addext", f"subjectAltName={name}"]
    command = [openssl, "req", *kind, *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    if is_expired:
        # `req` makes none that has ended.
        again = ["-in", str(certificate), "-signkey", str(key), "-days", "-1", "-out", str(certificate)]
        subprocess.run([openssl, "x509", *again], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both


def server_context(pem: Path, *, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """For a server that shows that certificate and speaks nothing newer than `newest`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    if newest is not None:
        # Old protocols need old hashes, which OpenSSL offers on its lowest level only.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = newest
    return context
