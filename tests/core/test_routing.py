"""Which route takes a mail (EM-31...EM-34)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailcase.core.case import ProcessName
from mailcase.core.routing import (
    Condition,
    ConditionField,
    Route,
    Routed,
    RoutingFacts,
    choose_route,
    choose_wildcard,
)

ENQUIRY, BILLING, VIP = ProcessName("enquiry"), ProcessName("billing"), ProcessName("vip")
HOME = "support@example.org"
FACTS = RoutingFacts(
    sender="marie@customer.example",
    recipients=(HOME, "boss@customer.example"),
    subject="your invoice 17, please",
    importance="normal",
    attachments=("invoice.pdf", "smoke.jpg"),
)


def when(field: ConditionField, *values: str) -> Condition:
    return Condition(field=field, values=values)


def route(*conditions: Condition, to: str = HOME, process: ProcessName = BILLING) -> Route:
    return Route(to=to, conditions=conditions, process=process)


def chosen(*routes: Route, facts: RoutingFacts = FACTS, address: str = HOME, is_primary: bool = True) -> Routed | None:
    return choose_route(routes, address=address, is_primary=is_primary, fallback=ENQUIRY, facts=facts)


def by(routed: Routed | None) -> str | None:
    return routed.by if routed else None


def test_EM_31_the_first_route_that_fits_wins() -> None:
    never = route(when(ConditionField.SUBJECT, "refund"), process=VIP)

    assert by(chosen(never, route(), route(process=VIP))) == "route 2"


def test_EM_31_every_condition_must_hold() -> None:
    both = route(when(ConditionField.SUBJECT, "invoice"), when(ConditionField.IMPORTANCE, "high"))

    assert by(chosen(both)) == "fallback"
    assert by(chosen(both, facts=replace(FACTS, importance="high"))) == "route 1"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (when(ConditionField.SENDER, "marie@customer.example"), True),
        (when(ConditionField.SENDER, "*@customer.example"), True),
        (when(ConditionField.SENDER, "*@example"), False),
        (when(ConditionField.SENDER, "*@omer.example"), False),
        (when(ConditionField.SENDER, "bob@customer.example", "marie@customer.example"), True),
        (when(ConditionField.RECIPIENT, "boss@customer.example"), True),
        (when(ConditionField.RECIPIENT, "*@customer.example"), True),
        (when(ConditionField.RECIPIENT, "marie@customer.example"), False),
        (when(ConditionField.SUBJECT, "invoice"), True),
        (when(ConditionField.SUBJECT, "invoic"), False),
        (when(ConditionField.SUBJECT, "voice"), False),
        (when(ConditionField.SUBJECT, "invoice 17"), True),
        (when(ConditionField.SUBJECT, "please"), True),
        (when(ConditionField.SUBJECT, "refund", "your"), True),
        (when(ConditionField.IMPORTANCE, "high", "normal"), True),
        (when(ConditionField.IMPORTANCE, "high"), False),
        (when(ConditionField.ATTACHMENTS, "pdf"), True),
        (when(ConditionField.ATTACHMENTS, "df"), False),
        (when(ConditionField.ATTACHMENTS, "zip", "jpg"), True),
    ],
)
def test_EM_32_a_condition_is_true_when_any_of_its_values_matches(condition: Condition, *, holds: bool) -> None:
    assert by(chosen(route(condition))) == ("route 1" if holds else "fallback")


def test_EM_32_a_word_is_looked_for_behind_its_first_place_too() -> None:
    facts = replace(FACTS, subject="invoiced, but no invoice")

    assert by(chosen(route(when(ConditionField.SUBJECT, "invoice")), facts=facts)) == "route 1"


def test_EM_36_a_condition_on_the_sender_cannot_match_a_mail_that_names_none() -> None:
    facts = replace(FACTS, sender="")

    assert by(chosen(route(when(ConditionField.SENDER, "*@customer.example")), facts=facts)) == "fallback"


def test_EM_33_wildcard_routes_come_after_the_others_wherever_they_stand() -> None:
    wildcard = route(when(ConditionField.SENDER, "*@customer.example"), to="*", process=VIP)

    assert by(chosen(wildcard, route())) == "route 2"
    assert by(chosen(wildcard)) == "wildcard route 1"


def test_EM_33_a_wildcard_route_needs_its_conditions_too() -> None:
    wildcard = route(when(ConditionField.SENDER, "*@other.example"), to="*")

    assert by(chosen(wildcard)) == "fallback"
    assert choose_wildcard((wildcard,), facts=FACTS) is None


def test_EM_33_a_mail_without_any_address_of_ours_goes_by_wildcard_routes_alone() -> None:
    wildcard = route(when(ConditionField.SENDER, "*@customer.example"), to="*", process=VIP)

    assert by(choose_wildcard((route(), wildcard), facts=FACTS)) == "wildcard route 2"
    assert choose_wildcard((route(),), facts=FACTS) is None


def test_EM_34_the_fallback_serves_the_primary_address_only() -> None:
    assert by(chosen()) == "fallback"
    assert chosen(address="jobs@example.org", is_primary=False) is None


def test_EM_35_a_route_says_whether_it_acknowledges() -> None:
    silent = replace(route(), acknowledge=False)

    assert chosen(silent) == Routed(process=BILLING, acknowledge=False, by="route 1")
