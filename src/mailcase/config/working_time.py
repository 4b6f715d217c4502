"""Working calendars as people write them: days, hours and days off."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache

from mailcase.config.document import quoted
from mailcase.config.mistakes import Mistake, did_you_mean

#: Periods of one day in local time, in order, not touching.
Periods = tuple[tuple[time, time], ...]
#: Periods of Monday to Sunday.
Week = tuple[Periods, ...]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: As the end of a period: the midnight that ends the day.
_MIDNIGHT = time(0)
_DAY_MINUTES = 24 * 60
_DAYS_HINT = "Write days as in `mon-fri` or `[mon, wed, fri]`."
_HOURS_HINT = 'Write hours as in `09:00-17:00`, several as `["09:00-12:00", "13:00-17:00"]`.'
#: ISO 3166-1 alpha-2.
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_PERIOD = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*[-–]\s*([0-9]{1,2}):([0-9]{2})", re.ASCII)


def read_days(value: object) -> frozenset[int]:
    """Weekdays, Monday 0: `mon-fri`, `mon, wed`, a list of such. Raises Mistake."""
    texts = _texts(value, _DAYS_HINT)
    if not texts:
        raise Mistake("names no day", _DAYS_HINT)
    return frozenset(day for text in texts for part in text.split(",") for day in _day_range(part))


def _day_range(text: str) -> list[int]:
    first, dash, last = (part.strip().lower() for part in text.partition("-"))
    start = _day(first)
    end = _day(last) if dash else start
    return [(start + step) % 7 for step in range((end - start) % 7 + 1)]


def _day(text: str) -> int:
    # "monday" too; the short form is what is shown.
    short = text[:3]
    if short not in _DAYS or not _FULL_DAYS[_DAYS.index(short)].startswith(text):
        raise Mistake(f"{quoted(text)} is no day of the week", did_you_mean(text, _DAYS))
    return _DAYS.index(short)


def read_periods(value: object) -> Periods:
    """Working periods of a day, touching ones joined; one that ends with the day ends at 00:00. Raises Mistake."""
    minutes: list[tuple[int, int]] = []
    for start, end in sorted(_period(text) for text in _texts(value, _HOURS_HINT)):
        if minutes and start < minutes[-1][1]:
            raise Mistake("two of the periods overlap", _HOURS_HINT)
        if minutes and start == minutes[-1][1]:
            minutes[-1] = (minutes[-1][0], end)
        else:
            minutes.append((start, end))
    return tuple((_time(start), _time(end)) for start, end in minutes)


def _period(text: str) -> tuple[int, int]:
    """Start and end in minutes since midnight."""
    match = _PERIOD.fullmatch(text.strip())
    if match is None:
        raise Mistake(f"{quoted(text)} is no period of a day", _HOURS_HINT)
    hours, minutes = (int(match[1]), int(match[3])), (int(match[2]), int(match[4]))
    start, end = (hour * 60 + minute for hour, minute in zip(hours, minutes, strict=True))
    if max(minutes) > 59 or end > _DAY_MINUTES:
        raise Mistake(f"{quoted(text)} has a time that no clock shows", _HOURS_HINT)
    if end <= start:
        raise Mistake(f"{quoted(text)} ends before it begins", "Hours over midnight are split: `[22:00-24:00]`.")
    return start, end


def _time(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)


def read_week(days: frozenset[int], hours: object) -> Week:
    """The periods of each weekday; `hours` may be a mapping of days to hours, which then says the days too.

    Raises Mistake.
    """
    if not isinstance(hours, Mapping):
        periods = read_periods(hours)
        return tuple(periods if day in days else () for day in range(7))
    week: list[Periods] = [()] * 7
    for names, value in hours.items():
        periods = read_periods(value)
        for day in read_days(names):
            if week[day]:
                raise Mistake(f"{quoted(_DAYS[day])} has hours twice", "Name each day once.")
            week[day] = periods
    return tuple(week)


def read_date(value: object) -> date:
    """A date written `2026-12-24`. Raises Mistake."""
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise Mistake(f"{quoted(str(value))} is no date", "Write year, month and day as in `2026-12-24`.") from None


def _texts(value: object, hint: str) -> Sequence[str]:
    entries = value if isinstance(value, list) else [value]
    texts = [entry for entry in entries if isinstance(entry, str)]
    if len(texts) < len(entries):
        raise Mistake("needs a value" if value is None else "cannot be read", hint)
    return texts


def week_words(week: Week) -> dict[str, list[str]]:
    """Hours by day, as `read_week` reads them."""
    return {
        _DAYS[day]: [f"{start:%H:%M}-{'24:00' if end == _MIDNIGHT else f'{end:%H:%M}'}" for start, end in periods]
        for day, periods in enumerate(week)
        if periods
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysOff:
    """The public holidays of a country or a part of it, and days of one's own. Answers `day in days_off`."""

    country: str | None = None
    subdivision: str | None = None
    extra: frozenset[date] = frozenset()

    def __contains__(self, day: object) -> bool:
        if not isinstance(day, date):
            return False
        return day in self.extra or (
            self.country is not None and day in _public_holidays(self.country, self.subdivision, day.year)
        )


@lru_cache(maxsize=256)
def _public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    # Imported when a calendar first asks: the package costs as much as all the rest of reading the file.
    import holidays

    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))


def check_country(country: str) -> None:
    """Raises Mistake for a country whose holidays are not known."""
    if not _is_known(country):
        near = [country.upper()] if _is_known(country.upper()) else []
        hint = did_you_mean(country, near) or "Write the two capital letters of the country, as in `FR` or `DE`."
        raise Mistake(f"the holidays of {quoted(country)} are not known", hint)


def check_subdivision(country: str, subdivision: str) -> None:
    """Raises Mistake for a part of a known country whose holidays are not known."""
    if not _is_known(country, subdivision):
        import holidays

        parts = holidays.list_supported_countries()[country]
        message = f"{quoted(subdivision)} is no part of {country} with holidays of its own"
        raise Mistake(message, did_you_mean(subdivision, parts))


def _is_known(country: str, subdivision: str | None = None) -> bool:
    import holidays

    # The package looks any name up among its own; its list of countries is slow to make.
    if not _COUNTRY.fullmatch(country):
        return False
    try:
        holidays.country_holidays(country, subdiv=subdivision)
    except NotImplementedError:
        return False
    return True
