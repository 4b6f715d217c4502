"""Days, hours and days off as people write them."""

from __future__ import annotations

import pickle
from datetime import date, time

import pytest

from mailcase.config.mistakes import Mistake
from mailcase.config.working_time import DaysOff, read_date, read_days, read_periods, read_week, week_words

NINE, NOON, ONE, FIVE = time(9), time(12), time(13), time(17)


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("mon, wed-thu", {0, 2, 3}),
        (["mon", "sat-sun"], {0, 5, 6}),
        ("fri-mon", {4, 5, 6, 0}),
        ("Monday", {0}),
        ("thur", {3}),
    ],
)
def test_days_are_read(written: object, days: set[int]) -> None:
    assert read_days(written) == days


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("mon-fry", "`fry` is no day of the week"),
        ("m", "`m` is no day of the week"),
        ("monk", "`monk` is no day of the week"),
        ("", "`` is no day of the week"),
        ([], "names no day"),
        (None, "needs a value"),
        (3, "cannot be read"),
        (["mon", 3], "cannot be read"),
    ],
)
def test_other_days_are_refused(written: object, message: str) -> None:
    with pytest.raises(Mistake, match=message):
        read_days(written)


@pytest.mark.parametrize(
    ("written", "periods"),
    [
        ("09:00-17:00", ((NINE, FIVE),)),
        ("9:00 – 17:00", ((NINE, FIVE),)),
        (["13:00-17:00", "09:00-12:00"], ((NINE, NOON), (ONE, FIVE))),
        (["09:00-12:00", "12:00-17:00"], ((NINE, FIVE),)),
        ("22:00-24:00", ((time(22), time(0)),)),
        ("00:00-24:00", ((time(0), time(0)),)),
        ([], ()),
    ],
)
def test_periods_are_put_in_order_and_touching_ones_joined(written: object, periods: object) -> None:
    assert read_periods(written) == periods


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("9-17", "`9-17` is no period of a day"),
        ("09:00-25:00", "a time that no clock shows"),
        ("09:00-24:01", "a time that no clock shows"),
        ("09:00-10:60", "a time that no clock shows"),
        ("17:00-09:00", "ends before it begins"),
        ("09:00-09:00", "ends before it begins"),
        (["09:00-12:00", "11:00-13:00"], "two of the periods overlap"),
        (900, "cannot be read"),
    ],
)
def test_other_periods_are_refused(written: object, message: str) -> None:
    with pytest.raises(Mistake, match=message):
        read_periods(written)


def test_hours_may_differ_from_day_to_day() -> None:
    week = read_week(frozenset(), {"mon-thu": "09:00-17:00", "fri": ["09:00-12:00"]})

    assert week == (((NINE, FIVE),),) * 4 + (((NINE, NOON),), (), ())


def test_a_day_has_its_hours_once() -> None:
    with pytest.raises(Mistake, match="`mon` has hours twice"):
        read_week(frozenset(), {"mon-fri": "09:00-17:00", "mon": "09:00-12:00"})


def test_words_read_back_as_the_same_week() -> None:
    week = read_week(frozenset({0, 6}), ["00:00-12:00", "20:00-24:00"])

    assert read_week(frozenset(), week_words(week)) == week


def test_public_holidays_of_a_country_and_its_parts() -> None:
    assert date(2026, 7, 14) in DaysOff(country="FR")
    assert date(2026, 7, 15) not in DaysOff(country="FR")
    assert date(2026, 1, 6) in DaysOff(country="DE", subdivision="BY")
    assert date(2026, 1, 6) not in DaysOff(country="DE")


def test_days_off_of_ones_own() -> None:
    days_off = DaysOff(extra=frozenset({date(2026, 12, 24)}))

    assert date(2026, 12, 24) in days_off
    assert date(2026, 12, 25) not in days_off
    assert "2026-12-24" not in days_off


def test_days_off_are_a_value() -> None:
    days_off = DaysOff(country="FR", extra=frozenset({date(2026, 12, 24)}))

    assert pickle.loads(pickle.dumps(days_off)) == days_off
    assert hash(days_off) == hash(DaysOff(country="FR", extra=frozenset({date(2026, 12, 24)})))


def test_dates_are_read() -> None:
    assert read_date("2026-12-24") == date(2026, 12, 24)
    with pytest.raises(Mistake, match=r"`24\.12\.2026` is no date"):
        read_date("24.12.2026")
