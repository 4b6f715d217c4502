"""Events and the case they give."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest
from tests.core.desk import ANN, BOB, DAY, Desk, closed, draft, in_progress, mailed, outgoing, resolved, waiting

from mailcase.core import engine
from mailcase.core.case import (
    SYSTEM,
    AttentionCause,
    CaseId,
    Link,
    LinkKind,
    MailboxName,
    MailId,
    TextId,
    WaitType,
)
from mailcase.core.commands import AddNote, FileMail, LinkCase, ReportUndelivered, SendAnswer, SetDue, Take
from mailcase.core.events import Event, MailFiled, NoteAdded

LINK = Link(kind=LinkKind.CONTINUES, other=CaseId(3))


def test_a_timeline_begins_with_the_opening_and_has_only_one() -> None:
    desk = mailed()
    opened = desk.timeline[0]

    with pytest.raises(ValueError, match="one CaseOpened"):
        engine.evolve(desk.case, opened)
    with pytest.raises(ValueError, match="one CaseOpened"):
        engine.evolve(None, desk.timeline[1])
    with pytest.raises(ValueError, match="at least one event"):
        engine.replay([])


def test_every_event_names_its_rule_its_time_and_its_author() -> None:
    for kind in get_args(Event):
        assert {"at", "by", "rule"} <= {field.name for field in fields(kind)}


def test_replaying_the_timeline_gives_the_case() -> None:
    desk = resolved()
    desk.mail()

    assert engine.replay(desk.timeline) == desk.case
    assert desk.case.version == len(desk.timeline)
    assert desk.case.last_event_at == desk.timeline[-1].at


def test_the_case_remembers_who_updated_it_newest_first() -> None:
    """AS-4, 4: remarks, reading and machines are no update."""
    desk = in_progress()
    desk.do(SendAnswer, BOB, mail=outgoing())
    desk.mail()
    desk.do(AddNote, ANN, text=TextId(1))
    assert desk.case.updaters == (BOB, ANN)

    desk.do(SetDue, ANN, due_at=desk.now + DAY)
    assert desk.case.updaters == (ANN, BOB)
    desk.do(Take, BOB, take_over=True)

    assert desk.case.updaters == (BOB, ANN)


def test_a_remark_and_a_filed_mail_change_nothing_but_the_record() -> None:
    """8.12, 8.15."""
    desk = waiting(WaitType.MORE_INFO)
    before = desk.case

    (note,) = desk.do(AddNote, BOB, text=TextId(1))
    (filed,) = desk.do(FileMail, SYSTEM, mail=MailId(4), mailbox=MailboxName("sales"))

    assert (type(note), type(filed)) == (NoteAdded, MailFiled)
    assert (desk.case.status, desk.case.holder, desk.case.flags) == (before.status, before.holder, before.flags)
    assert desk.case.mailboxes == ("support", "sales")


def test_links_are_recorded_once_in_every_status() -> None:
    for desk in (draft(), mailed(), closed()):
        assert len(desk.do(LinkCase, SYSTEM, link=LINK)) == 1
        assert desk.do(LinkCase, SYSTEM, link=LINK) == ()
        assert desk.case.links == (LINK,)


def test_the_links_of_a_new_case_are_part_of_its_opening() -> None:
    """T30: the new case names the closed one that it continues."""
    desk = Desk()

    desk.open_from_mail(links=(LINK,))

    assert desk.case.links == (LINK,)


def test_a_case_without_mail_has_no_mailbox_yet() -> None:
    desk = draft()
    assert not desk.case.mailboxes

    desk.mail()

    assert desk.case.mailboxes == ("support",)


@pytest.mark.parametrize("desk", [draft(), closed()], ids=["draft", "closed"])
def test_t31_failed_mail_of_a_draft_or_closed_case_is_nothing_to_the_case(desk: Desk) -> None:
    before = desk.case

    assert desk.do(ReportUndelivered, SYSTEM, mail=outgoing()) == ()
    assert desk.case == before


def test_t31_a_mail_of_unknown_fate_is_nothing_to_a_resolved_case() -> None:
    """T31: recorded on the mail only."""
    desk = resolved()
    before = desk.case

    assert desk.do(ReportUndelivered, SYSTEM, mail=outgoing(), cause=AttentionCause.MAIL_UNKNOWN) == ()
    assert desk.case == before


def test_the_original_requester_is_the_first_one() -> None:
    """EM-43."""
    assert mailed().case.original_requester == 1
    assert draft().case.original_requester is None
