"""FHIR dates of any precision as µs since 1970 UTC."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from sentinel.core.event import microseconds

PARIS: Final = ZoneInfo("Europe/Paris")
NO_END_YEAR: Final = "2100"  # an end from here on (9999-12-31, 2999-12-31 …) is how files say "none known"

_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_DATE_MAX: Final = 10  # characters; a time has more
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::(\d\d)(?:\.\d+)?)?([Zz]|[+-](?:0\d|1[0-4]):?[0-5]\d)?", re.ASCII)
_MINUTE: Final = 60_000_000
_MIDNIGHTS_MAX: Final = 16_384
_MINUTES: Final = {f"T{hour:02}:{minute:02}": (60 * hour + minute) * _MINUTE for hour in range(24) for minute in range(60)}
_SECONDS: Final = {f":{second:02}": second * 1_000_000 for second in range(60)}


class _Midnights(dict[tuple[str, str], int]):
    """When days begin at offsets from UTC, by how both are spelt: a file tells tens of thousands of times, of few days."""

    def __missing__(self, told: tuple[str, str]) -> int:
        day, offset = told
        if not (offset and _TIME.fullmatch(f"{day}T00:00:00{offset}") and offset[0] != "."):
            raise KeyError
        if len(self) >= _MIDNIGHTS_MAX:
            self.clear()
        self[told] = midnight = microseconds(datetime.fromisoformat(f"{day}T00:00:00{offset}".upper()))
        return midnight


_MIDNIGHTS: Final = _Midnights()


def span(text: str, zone: ZoneInfo = PARIS) -> tuple[int, int]:
    """Return the first µs that a FHIR date, dateTime or instant names, and the first µs after it.

    Both are the same for a time of day. A year, month or day is that of `zone`, and so is a time
    without an offset (FHIR asks for one; exports forget it).

    Raises:
        ValueError: not a FHIR date, or a day that the calendar has not.
    """
    if len(text) <= _DATE_MAX:
        return _civil_span(text, zone)
    try:
        moment = _MIDNIGHTS[text[:10], text[19:]] + _MINUTES[text[10:16]] + _SECONDS[text[16:19]]
    except KeyError:
        moment = _instant(text, zone)
    return moment, moment


def is_date(text: str) -> bool:
    """Tell whether `text` is a FHIR `date`: a year, a month or a day of the calendar, no time of day."""
    try:
        return _DATE.fullmatch(text) is not None and _first_day(text) is not None
    except ValueError:
        return False


@lru_cache(maxsize=65_536)
def _civil_span(text: str, zone: ZoneInfo) -> tuple[int, int]:
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError("not a FHIR date")
    first = _first_day(text)
    return _midnight(first, zone), _midnight(_after(first, match.lastindex or 1), zone)


def _first_day(text: str) -> date:
    """Return the first day of a year, month or day: the parts not told are the first ones."""
    return date.fromisoformat(f"{text}-01-01"[:_DATE_MAX])


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


def _instant(text: str, zone: ZoneInfo) -> int:
    """Return the moment of a time in any spelling."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not a FHIR date")
    second, offset = match.groups()
    leap = second == "60"  # FHIR allows a leap second: it is the start of the next minute
    moment = datetime.fromisoformat(f"{text[:16]}:00{offset or ''}".upper() if leap else text.upper())
    return microseconds(moment if offset else moment.replace(tzinfo=zone)) + _MINUTE * leap
