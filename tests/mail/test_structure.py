"""The parts of a mail, found by their boundaries."""

from __future__ import annotations

import pytest

from mailcase.mail import headers, limits
from mailcase.mail.structure import Scan, scan


def parts(raw: bytes) -> Scan:
    return scan(raw, headers.split(raw, 0, len(raw)))


def bodies(raw: bytes) -> list[bytes]:
    return [raw[leaf.start : leaf.end] for leaf in parts(raw).leaves]


HEADER = b'Content-Type: multipart/mixed; boundary="b"\n\n'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"--b\n\none\n--b\n\ntwo\n--b--\n", [b"one", b"two"]),
        (b"preamble\n--b\n\none\n--b--\nepilogue", [b"one"]),
        (b"--b  \n\none\r\n--b-- \t\n", [b"one"]),
        (b"--b\r\n\r\none\r\n\r\n--b--", [b"one\r\n"]),
        (b"--b\n\none\n--bx\n x--b\n--b--", [b"one\n--bx\n x--b"]),
        (b"--b\n\none", [b"one"]),
        (b"--b\n\none\n", [b"one\n"]),
        (b"--b\n\n--b--", [b""]),
        (b"--b\n--b\n\ntwo\n--b--", [b"", b"two"]),
        (b"--b\nno header at all\n--b--", [b"no header at all"]),
        (b"--b\n\none\n--b--\n--b\n\nafter the end\n", [b"one", b"after the end\n"]),
    ],
)
def test_delimiters_stand_on_lines_of_their_own(body: bytes, expected: list[bytes]) -> None:
    assert bodies(HEADER + body) == expected


def test_the_line_end_before_a_delimiter_belongs_to_it() -> None:
    assert bodies(HEADER + b"--b\n\n\n--b--") == [b""]


def test_inner_and_outer_with_one_boundary_become_siblings() -> None:
    body = b"--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n"

    assert bodies(HEADER + body)[-1] == b"one"


def test_a_boundary_that_is_never_used_is_taken_from_the_body() -> None:
    raw = b'Content-Type: multipart/mixed; boundary="wrong"\n\n--right\nContent-Type: text/plain\n\none\n--right--'

    assert bodies(raw) == [b"one"]


def test_a_multipart_without_parts_is_text() -> None:
    result = parts(HEADER + b"just text")

    assert [leaf.type for leaf in result.leaves] == ["text/plain"]
    assert result.defects == ["multipart without parts, read as text"]


def test_multiparts_below_the_depth_limit_are_kept_unread() -> None:
    depth = limits.MULTIPART_DEPTH + 5
    raw = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth))

    result = parts(raw + b"\ndeep")

    assert [leaf.type for leaf in result.leaves] == ["multipart/mixed"]
    assert len(result.leaves[0].inside) == limits.MULTIPART_DEPTH
    assert "multiparts too deep, the innermost are kept unread" in result.defects


def test_parts_over_the_limit_are_not_read() -> None:
    result = parts(HEADER + b"--b\n\nx\n" * 600)

    assert len(result.leaves) <= limits.PARTS
    assert "too many parts, the rest is not read" in result.defects


def test_a_flood_of_lines_like_a_boundary_ends_the_search() -> None:
    result = parts(HEADER + b"--b\n\none\n" + b"--bx\n" * (limits.FALSE_BOUNDARIES + 1) + b"--b\n\ntwo\n--b--")

    assert len(result.leaves) == 1
    assert "too many lines like a boundary, the rest is one part" in result.defects


@pytest.mark.parametrize(
    ("raw", "names", "defect"),
    [
        (b"A: 1\n" * 1500 + b"\nx", 1000, "too many header fields, the rest is not read"),
        (b"A: " + b"x" * 300_000 + b"\nB: 2\n\nx", 1, "header block too long, the rest is not read"),
    ],
)
def test_a_header_over_the_limit_is_cut_and_the_body_found(raw: bytes, names: int, defect: str) -> None:
    block = headers.split(raw, 0, len(raw))

    assert len(block.fields) == names
    assert raw[block.body :] == b"x"
    assert defect in block.defects
