"""How much of one mail is read. What lies beyond a limit stays in the raw bytes and is named as a defect (S10).

The message as a whole is limited where it comes in (size), not here.
"""

from __future__ import annotations

HEADER_BYTES = 256 * 1024
HEADER_FIELDS = 1000
#: Characters of one decoded header value.
HEADER_VALUE = 16 * 1024
ADDRESSES_PER_HEADER = 200
REFERENCES = 100
#: Cases that a subject may name; who answers two threads at once names two.
SUBJECT_TAGS = 5
MESSAGE_ID_BYTES = 998
#: A mail that passed more relays than this goes round in circles.
RECEIVED = 50
MULTIPART_DEPTH = 20
PARTS = 500
#: Lines that begin like a boundary but are none; more of them than any sane mail has end the scan.
FALSE_BOUNDARIES = 20_000
PARAMETERS = 50
FILENAME_BYTES = 120
#: Characters of text, and of HTML, that are kept.
TEXT = 1024 * 1024
#: Bytes of one text part that are decoded: what TEXT characters may need in any charset, and that in any encoding.
TEXT_BYTES = 4 * TEXT
ENCODED_TEXT_BYTES = 13 * TEXT
#: Pieces of base64, each with its padding, and uuencoded lines of one part: as many as a mail has of usual length.
ENCODED_PIECES = 500_000
DEFECTS = 50
