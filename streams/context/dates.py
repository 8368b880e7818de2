"""FHIR dates of any precision as µs since 1970 UTC."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from sentinel.core.event import microseconds

PARIS: Final = ZoneInfo("Europe/Paris")
LAST_YEAR: Final = 2100  # an end from here on (9999-12-31, 2999-12-31 …) is how files say "none known"

_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_DATE_MAX: Final = 10  # characters; a time has more
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::(\d\d)(?:\.\d+)?)?([Zz]|[+-](?:0\d|1[0-4]):?[0-5]\d)?", re.ASCII)
_MINUTE: Final = 60_000_000


@lru_cache(maxsize=65_536)
def span(text: str, zone: ZoneInfo = PARIS) -> tuple[int, int]:
    """Return the first µs that a FHIR date, dateTime or instant names, and the first µs after it.

    Both are the same for a time of day. A year, month or day is that of `zone`, and so is a time
    without an offset (FHIR asks for one; exports forget it).

    Raises:
        ValueError: not a FHIR date, or a day that the calendar has not.
    """
    if len(text) > _DATE_MAX:
        if match := _TIME.fullmatch(text):
            moment = _instant(text, match, zone)
            return moment, moment
    elif match := _DATE.fullmatch(text):
        return _civil_span(match, zone)
    raise ValueError("not a FHIR date")


def end_of(text: str, zone: ZoneInfo = PARIS) -> int | None:
    """Return where a period that ends with `text` is over; None when the year means "no end known"."""
    after = span(text, zone)[1]
    return None if int(text[:4]) >= LAST_YEAR else after


def is_date(text: str) -> bool:
    """Tell whether `text` is a FHIR `date`: a year, a month or a day of the calendar, no time of day."""
    try:
        match = _DATE.fullmatch(text)
        return match is not None and _first_day(match) is not None
    except ValueError:
        return False


def _civil_span(match: re.Match[str], zone: ZoneInfo) -> tuple[int, int]:
    first = _first_day(match)
    return _midnight(first, zone), _midnight(_after(first, match.lastindex or 1), zone)


def _first_day(match: re.Match[str]) -> date:
    year, month, day = match.groups("1")
    return date(int(year), int(month), int(day))


def _after(first: date, precision: int) -> date:
    """Return the first day after the year (precision 1), month (2) or day (3) that begins with `first`."""
    if first.year == date.max.year:
        return date.max
    if precision == 3:
        return first + timedelta(days=1)
    if precision == 2 and first.month < 12:
        return first.replace(month=first.month + 1)
    return date(first.year + 1, 1, 1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return microseconds(datetime(day.year, day.month, day.day, tzinfo=zone))


def _instant(text: str, match: re.Match[str], zone: ZoneInfo) -> int:
    second, offset = match.groups()
    leap = second == "60"  # FHIR allows a leap second: it is the start of the next minute
    moment = datetime.fromisoformat(f"{text[:16]}:00{offset or ''}".upper() if leap else text.upper())
    return microseconds(moment if offset else moment.replace(tzinfo=zone)) + _MINUTE * leap
