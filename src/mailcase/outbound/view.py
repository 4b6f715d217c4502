"""What a template may say: the view of a case for one mail, of plain text and numbers only.

Jinja calls any method of an object it is given; so it is given none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

#: Characters of a mail's text that go into a notice; HTML escaping makes at most five times as many of them.
MAIL_TEXT_LIMIT = 32_000
#: What cannot stand in the name of somebody whom we greet: links and addresses in a display name would make our
#: acknowledgement carry a spammer's message to whomever the mail claims to be from.
_NO_NAME = re.compile(r"[@/\\<>{}\[\]|:;!?=_0-9]|www\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """The fields that every template may use, by these names. "" and 0 mean: there is none. Texts are as people
    read them, in the language of the mail; none holds markup.
    """

    #: `1042-C`.
    ref: str
    #: The case's subject as it came; subject templates pass it through `bare`.
    subject: str
    #: Name of the process.
    process: str
    queue: str = ""
    #: Label of the status, and of each flag that is set.
    status: str = ""
    flags: tuple[str, ...] = ()
    #: `Due: ...` as of SL-8 and SL-9.
    due_text: str = ""

    requester_name: str = ""
    requester_address: str = ""
    #: Who is addressed: set in mail to agents.
    person_name: str = ""
    #: Who caused this; "" when nobody did (time passed, a mail came).
    actor_name: str = ""
    #: Who has the case now; who answers for it, too, where it waits or is resolved.
    assignee_name: str = ""
    keeper_name: str = ""

    #: The mail that it is about: sender as `Name <address>`, its number for `mailcase mail show`, its text.
    mail_from: str = ""
    #: True where its sender joined by a reply address that was made for somebody else.
    mail_is_unconfirmed: bool = False
    #: Only where it would lead answers to another domain than the sender's (L36).
    mail_reply_to: str = ""
    mail_id: int = 0
    mail_text: str = ""
    #: How many characters of the text are left out (`excerpt`).
    mail_omitted: int = 0
    #: Names of its files: those that go with this mail, and those that are too large to.
    attachment_names: tuple[str, ...] = ()
    omitted_attachment_names: tuple[str, ...] = ()

    #: What the actor wrote to the agent: the note of an assignment.
    note: str = ""
    #: Why: the wait reason, or what needs attention.
    reason: str = ""
    #: What a person wrote to the reader: the answer, the question, how it was resolved.
    message: str = ""
    #: When we mean to be done, as `labels.moment` says it; only where the requester is to be told.
    promised_by: str = ""
    #: End of the feedback window, as `labels.moment` says it.
    reopen_until: str = ""
    #: The closed case that this one continues (T30).
    continues_ref: str = ""

    #: The own address it is sent from, its display name and its signature.
    our_name: str = ""
    our_address: str = ""
    signature: str = ""


#: The names that a template may use.
FIELD_NAMES = tuple(field.name for field in fields(NoticeView))


def excerpt(text: str) -> tuple[str, int]:
    """The text up to `MAIL_TEXT_LIMIT` characters, without blank ends, and how many characters were left out."""
    stripped = text.strip()
    return stripped[:MAIL_TEXT_LIMIT].rstrip(), max(0, len(stripped) - MAIL_TEXT_LIMIT)


def greeting_name(name: str) -> str:
    """The name if somebody can be greeted by it, else ""."""
    name = " ".join(name.split())
    return name if len(name) <= 60 and _NO_NAME.search(name) is None else ""


def sample_views() -> tuple[tuple[str, NoticeView], ...]:
    """Views for trying templates, each with a word for it: everything given, and only what is always there."""
    full = NoticeView(
        ref="1042-C",
        subject='Re: Printer <b>"smokes"</b> & burns',
        process="enquiry",
        queue="support",
        status="To Do",
        flags=("New information", "Needs attention"),
        due_text="Due: Friday 27 November 2026 at 14:05 (CET)",
        requester_name="Marie O'Neil",
        requester_address="marie@example.net",
        person_name="Ann Lee",
        actor_name="Bob Ray",
        assignee_name="Ann Lee",
        keeper_name="Ann Lee",
        mail_from="Marie O'Neil <marie@example.net>",
        mail_is_unconfirmed=True,
        mail_reply_to="m@example.com",
        mail_id=7,
        mail_text="Hello,\n\nit smokes <again> & again.\n\nMarie",
        mail_omitted=12_000,
        attachment_names=("smoke.jpg", "<bill>.pdf"),
        omitted_attachment_names=("film.mp4",),
        note="Please have a look.\nThanks",
        reason="client",
        message="Which model is it?\n\nThe number is on the back.",
        promised_by="Friday 27 November 2026 at 14:05 (CET)",
        reopen_until="Friday 4 December 2026 at 14:05 (CET)",
        continues_ref="1001-C",
        our_name="Example Support",
        our_address="support@example.org",
        signature="Example Support\nMonday to Friday, 9 to 5",
    )
    bare = NoticeView(ref="1042-C", subject="", process="enquiry", our_address="support@example.org")
    return (("everything given", full), ("only what is always there", bare))
