"""Every word that people see exists in both languages, as the spec spells it (1.2, 1.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from mailcase.core.case import (
    SYSTEM,
    ActorId,
    AttentionCause,
    Case,
    CaseId,
    Flag,
    LinkKind,
    Origin,
    ProcessName,
    ReopeningCause,
    Status,
    StatusReason,
    TextId,
    Wait,
    WaitType,
)
from mailcase.core.events import Event
from mailcase.core.labels import CaseList, actor_label, due_line, event_label, label, moment, status_label
from mailcase.core.process import Notice

ENUMS: tuple[type[Enum], ...] = (
    *(Status, WaitType, Flag, CaseList, Origin, StatusReason, AttentionCause, ReopeningCause, LinkKind, Notice),
)
PARIS = ZoneInfo("Europe/Paris")
NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize("value", [value for enum in ENUMS for value in enum], ids=str)
def test_every_value_has_a_label_in_both_languages(value: Enum) -> None:
    assert label(value, "en")
    assert label(value, "fr")


@pytest.mark.parametrize("event", get_args(Event))
def test_every_event_has_a_label_in_both_languages(event: type[Event]) -> None:
    assert event_label(event, "en")
    assert event_label(event, "fr")


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (Status.DRAFT, "Draft", "Brouillon"),
        (Status.TO_DO, "To Do", "À faire"),
        (Status.IN_PROGRESS, "In Progress", "En cours"),
        (Status.WAITING, "Waiting", "En attente"),
        (Status.RESOLVED, "Resolved", "Résolu"),
        (Status.CLOSED, "Closed", "Fermé"),
        (WaitType.MORE_INFO, "Wait for more information", "En attente de plus d'informations"),
        (WaitType.UNTIL, "Wait Until", "Attendre jusqu'à"),
        (WaitType.ON_HOLD, "Pause", "En pause"),
        (Flag.NEW_INFORMATION, "New information", "Nouvelles informations reçues"),
        (Flag.NEEDS_ATTENTION, "Needs attention", "Nécessite une attention particulière"),
        (CaseList.INBOX, "Work Inbox", "Boîte de réception de travail"),
        (CaseList.OWNED, "Owned Work", "Mes responsabilités"),
    ],
)
def test_labels_are_those_of_the_spec(value: Enum, english: str, french: str) -> None:
    assert (label(value, "en"), label(value, "fr")) == (english, french)


def test_values_of_two_enums_with_one_spelling_keep_their_own_label() -> None:
    assert label(Flag.NEEDS_ATTENTION, "fr") != label(Notice.NEEDS_ATTENTION, "fr")
    assert label(Status.CLOSED, "en") == "Closed"


def test_another_language_reads_english() -> None:
    assert label(Status.TO_DO, "de") == "To Do"


def test_a_cancelled_case_is_shown_as_cancelled() -> None:
    """T29; spec 1.2, Abandonné."""
    assert status_label(Status.CLOSED, StatusReason.CANCELLED, "fr") == "Abandonné"
    assert status_label(Status.CLOSED, StatusReason.COMPLETED, "fr") == "Fermé"


def test_the_system_has_a_name_and_a_person_their_own() -> None:
    assert actor_label(SYSTEM, "", "fr") == "Système"
    assert actor_label("ann", "Ann Lee", "fr") == "Ann Lee"
    assert actor_label("gone", "", "en") == "gone"


@pytest.mark.parametrize(
    ("at", "zone", "english", "french"),
    [
        (
            datetime(2026, 11, 27, 13, 5, tzinfo=UTC),
            PARIS,
            "Friday 27 November 2026 at 14:05 (CET)",
            f"vendredi 27 novembre 2026 à 14{NBSP}h{NBSP}05 (CET)",
        ),
        (
            datetime(2026, 7, 31, 22, 0, tzinfo=UTC),
            PARIS,
            "Saturday 1 August 2026 at 00:00 (CEST)",
            f"samedi 1er août 2026 à 0{NBSP}h{NBSP}00 (CEST)",
        ),
        (
            datetime(2026, 3, 2, 6, 30, tzinfo=UTC),
            ZoneInfo("America/Sao_Paulo"),
            "Monday 2 March 2026 at 03:30 (UTC-03)",
            f"lundi 2 mars 2026 à 3{NBSP}h{NBSP}30 (UTC-03)",
        ),
    ],
)
def test_a_moment_is_told_in_local_time(at: datetime, zone: ZoneInfo, english: str, french: str) -> None:
    assert moment(at, zone, "en") == english
    assert moment(at, zone, "fr") == french


def case_with(*, due_at: datetime | None = None, paused_remaining: timedelta | None = None) -> Case:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    is_paused = paused_remaining is not None
    return Case(
        id=CaseId(1042),
        process=ProcessName("enquiry"),
        origin=Origin.EMAIL,
        created_at=at,
        version=1,
        last_event_at=at,
        subject=TextId(1),
        requester=None,
        original_requester=None,
        address=None,
        mailboxes=(),
        started_by=ActorId("ann"),
        status=Status.WAITING if is_paused else Status.TO_DO,
        status_reason=StatusReason.NEWLY_CREATED,
        status_set_by=SYSTEM,
        status_set_at=at,
        wait=Wait(type=WaitType.MORE_INFO, reason="client", since=at) if is_paused else None,
        due_at=due_at,
        paused_remaining=paused_remaining,
    )


def test_the_due_line_gives_the_date_in_local_time() -> None:
    """SL-9."""
    case = case_with(due_at=datetime(2026, 11, 27, 13, 5, tzinfo=UTC))

    assert due_line(case, PARIS, "en") == "Due: Friday 27 November 2026 at 14:05 (CET)"
    assert due_line(case, PARIS, "fr") == f"Échéance{NBSP}: vendredi 27 novembre 2026 à 14{NBSP}h{NBSP}05 (CET)"


def test_the_due_line_of_a_paused_case_is_the_pause_and_without_a_date_there_is_none() -> None:
    """SL-8, SL-9."""
    paused = case_with(paused_remaining=timedelta(hours=26, minutes=5))

    assert due_line(paused, PARIS, "en") == "Due: Paused 26 h 5 m before due"
    assert due_line(case_with(), PARIS, "en") == ""
