"""A generated mailbox: mixed sizes with a mean of about 50 KB, HTML, attachments, charsets, and answers."""

from __future__ import annotations

import base64
import quopri
import random
from collections.abc import Callable
from dataclasses import dataclass

#: The address that all of it is written to.
DESK = "support@example.org"


def _split(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_WORDS = _split(
    "printer invoice delivery please since yesterday the our order number customer broken urgent thank you for your "
    "help we cannot open attached document contract meeting account password reset shipping address wrong again "
    "colleague told number machine floor office warranty question answer regards team service weekend morning"
)
_ACCENTED = _split("déjà reçu à l'équipe où été français Grüße Straße für Änderung señor niño coração")
_CYRILLIC = _split("принтер сломан пожалуйста помогите счёт заказ спасибо")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail of the corpus, as it stands on the wire."""

    raw: bytes
    #: Answers an earlier mail of the corpus: belongs to that one's case and is not acknowledged.
    is_answer: bool = False


class Corpus:
    """`count` mails from a seed; the same seed gives the same mails, another one shares none of them."""

    def __init__(self, count: int, *, seed: int) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._openers: list[int] = []
        self.mails = tuple(self._mail(number) for number in range(count))

    @property
    def mean_bytes(self) -> int:
        return sum(len(mail.raw) for mail in self.mails) // len(self.mails)

    @property
    def openers_count(self) -> int:
        """Mails that open a case, and are acknowledged."""
        return sum(not mail.is_answer for mail in self.mails)

    def _mail(self, number: int) -> Mail:
        # One in twenty answers a mail that lies well before it.
        earlier = self._openers[: -len(self._openers) // 4]
        if earlier and self._random.random() < 0.05:
            opener = self._random.choice(earlier)
            return Mail(raw=self._headed(number, opener, self._answer_body(self._id(opener))), is_answer=True)
        self._openers.append(number)
        makers: tuple[Callable[[], bytes], ...] = (
            self._plain_body,
            self._html_body,
            self._unknown_answer_body,
            self._attachment_body,
            self._latin_body,
            self._cyrillic_body,
        )
        (make,) = self._random.choices(makers, weights=(24, 30, 16, 20, 7, 3))
        return Mail(raw=self._headed(number, number, make()))

    def _id(self, number: int) -> str:
        return f"{number}.{self._seed}@customer{number % 97}.example"

    def _headed(self, number: int, author: int, body: bytes) -> bytes:
        """The headers that mail has after its way over four servers; `author` picks the sender."""
        hops = "".join(
            f"Received: from mx{hop}.customer{author % 97}.example (mx{hop}.customer{author % 97}.example "
            f"[192.0.2.{hop}])\r\n\tby mx{hop + 1}.example.org (Postfix) with ESMTPS id 4F{number:08X}{hop}\r\n\t"
            f"for <{DESK}>; Mon,  2 Mar 2026 09:{number % 60:02d}:0{hop} +0000 (UTC)\r\n"
            for hop in range(4)
        )
        signature = base64.b64encode(self._random.randbytes(256)).decode()
        head = (
            f"Return-Path: <person{author}@customer{author % 97}.example>\r\n{hops}"
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=customer{author % 97}.example; s=mail;\r\n\t"
            f"h=from:to:subject:date:message-id; b={signature[:70]}\r\n\t{signature[70:140]}\r\n\t{signature[140:]}\r\n"
            f"Authentication-Results: mx4.example.org; dkim=pass header.d=customer{author % 97}.example; spf=pass\r\n"
            f"From: Person {author} <person{author}@customer{author % 97}.example>\r\nTo: Example Support <{DESK}>\r\n"
            f"Subject: =?utf-8?q?{'_'.join(self._words(5))}_{number}?=\r\nMessage-ID: <{self._id(number)}>\r\n"
            f"Date: Mon, 2 Mar 2026 09:{number % 60:02d}:00 +0100\r\nMIME-Version: 1.0\r\n"
            f"X-Mailer: Generated {self._seed}\r\n"
        )
        return head.encode() + body

    # -- bodies, each from its Content-Type on

    def _plain_body(self) -> bytes:
        text = self._text(self._random.randint(20, 700))
        return b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text

    def _html_body(self) -> bytes:
        return self._alternative(self._text(self._random.randint(60, 400)), self._random.randint(3_000, 40_000))

    def _answer_body(self, answered: str) -> bytes:
        """An answer with the mail it answers under it, as mail programs write it."""
        quoted = b"".join(b"> " + line + b"\r\n" for line in self._text(300).split(b"\r\n"))
        text = self._text(60) + b"\r\nOn Mon, 2 Mar 2026 at 09:00, Example Support wrote:\r\n" + quoted
        thread = f"In-Reply-To: <{answered}>\r\nReferences: <{answered}>\r\n".encode()
        return thread + self._alternative(text, self._random.randint(5_000, 30_000))

    def _unknown_answer_body(self) -> bytes:
        """An answer to something that was said elsewhere."""
        return self._answer_body(f"{self._random.randbytes(8).hex()}@elsewhere.example")

    def _attachment_body(self) -> bytes:
        """Text, HTML and one to three files."""
        parts = [self._alternative(self._text(80), 4_000)]
        for file in range(self._random.choice((1, 1, 1, 2, 3))):
            content = base64.encodebytes(self._random.randbytes(int(self._random.lognormvariate(11.2, 0.7))))
            head = (
                f'Content-Type: application/pdf; name="scan{file}.pdf"\r\nContent-Disposition: attachment; '
                f'filename="scan{file}.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            )
            parts.append(head.encode() + content.replace(b"\n", b"\r\n"))
        return self._multipart("mixed", parts)

    def _latin_body(self) -> bytes:
        words = " ".join(self._random.choices((*_ACCENTED, *_WORDS), k=400)).encode("cp1252")
        head = b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        return head + quopri.encodestring(words).replace(b"\n", b"\r\n") + b"\r\n"

    def _cyrillic_body(self) -> bytes:
        words = " ".join(self._random.choices(_CYRILLIC, k=300)).encode("koi8-r")
        head = b"Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        return head + base64.encodebytes(words).replace(b"\n", b"\r\n")

    def _alternative(self, text: bytes, html_bytes: int) -> bytes:
        rows = "".join(
            f'<tr style="mso-yfti-irow:0"><td class="MsoNormal" style="padding:0cm 5.4pt">{" ".join(self._words(12))}'
            "</td></tr>\r\n"
            for _ in range(html_bytes // 160)
        )
        html = (
            "<html><head><style>p.MsoNormal{margin:0cm;font-size:11pt}</style></head><body lang=EN><p>Hello,</p>\r\n"
            f"<table>{rows}</table></body></html>"
        )
        plain_head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        html_head = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        encoded = quopri.encodestring(html.replace("\r\n", "\n").encode()).replace(b"\n", b"\r\n")
        return self._multipart("alternative", [plain_head + text, html_head + encoded])

    def _multipart(self, kind: str, parts: list[bytes]) -> bytes:
        boundary = f"=_{self._random.randbytes(12).hex()}".encode()
        head = b"Content-Type: multipart/" + kind.encode() + b'; boundary="' + boundary + b'"\r\n\r\n'
        body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
        return head + body + b"--" + boundary + b"--\r\n"

    def _words(self, count: int) -> list[str]:
        return self._random.choices(_WORDS, k=count)

    def _text(self, words_count: int) -> bytes:
        words = self._words(words_count)
        lines = (" ".join(words[start : start + 11]) for start in range(0, words_count, 11))
        return "\r\n".join(lines).encode() + b"\r\n"
