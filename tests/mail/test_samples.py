"""Public mail as the world sends it, where MAILCASE_SAMPLES says that some is at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.mail.samples import SAMPLES

from mailcase.mail import bounce, classify, reading
from mailcase.mail.kind import Bounce, Kind
from mailcase.mail.signing import KeyRing

MAILS = sorted(path for path in (SAMPLES / "mail-samples").glob("*") if path.suffix in (".eml", ".raw"))
EXPECTED = SAMPLES / "bounces" / "expected.json"
needs_mails = pytest.mark.skipif(not MAILS, reason="no sample mail: MAILCASE_SAMPLES is not set")
needs_bounces = pytest.mark.skipif(not EXPECTED.exists(), reason="no sample bounces: MAILCASE_SAMPLES is not set")


@needs_mails
@pytest.mark.timeout(2 * 103)
@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.name)
def test_each_sample_is_read(path: Path) -> None:
    raw = path.read_bytes()

    message = reading.read(raw)

    for attachment in message.attachments:
        reading.attachment_bytes(raw, attachment)
    assert message == reading.read(raw)


@needs_mails
def test_no_sample_of_other_mail_is_a_bounce() -> None:
    found = [path.name for path in MAILS if bounce.read_bounce(reading.read(raw := path.read_bytes()), raw)]

    assert found == []


def status_classes(found: Bounce | None) -> list[str]:
    by_action = {"failed": "5", "delayed": "4"}
    recipients = found.recipients if found else ()
    return sorted(one.status[:1] or by_action.get(one.action, "?") for one in recipients)


@needs_bounces
def test_nine_of_ten_bounces_are_understood() -> None:
    """Status class and number of recipients; reports of other kinds are not bounces."""
    right: list[str] = []
    wrong: list[str] = []
    for name, recipients in json.loads(EXPECTED.read_text()).items():
        raw = (EXPECTED.parent / name).read_bytes()
        message = reading.read(raw)
        found = bounce.read_bounce(message, raw)
        if recipients[0]["reason"] in ("feedback", "vacation"):
            assert found is None, name
            continue
        is_right = status_classes(found) == sorted(recipient["status"][:1] for recipient in recipients)
        (right if is_right else wrong).append(name)
        kind = classify.classify(
            message, own_addresses=(), ring=KeyRing(keys=()), envelope_from=None, bounce=found
        ).kind
        assert found is None or kind in (Kind.BOUNCE, Kind.DELAY, Kind.RECEIPT), name

    assert len(right) >= 0.9 * (len(right) + len(wrong)), wrong
