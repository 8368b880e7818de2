"""Dates of a FHIR search (R4, 3.1.1.4.4): each is a period, as long as it is exact, and its prefix says what is meant of it."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from sentinel.core.event import TIME_MAX_US, TIME_MIN_US, microseconds, moment

Period = tuple[int, int]  # from, until: µs since 1970 UTC

_DATE: Final = re.compile(
    r"(?P<prefix>eq|ne|ge|gt|le|lt|sa|eb)?"
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:T(?P<clock>\d\d:\d\d)(?P<second>:\d\d(?P<fraction>\.\d+)?)?"
    r"(?P<offset>Z|[+ -]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_MINUTE_US: Final = 60_000_000


def periods_of(value: str) -> list[Period]:
    """Return what a value with its prefix lets pass: for an instant `sa` is `gt` and `eb` is `lt`.

    Raises:
        ValueError: it is no date, or there is no such time.
    """
    match = _DATE.fullmatch(value)
    if match is None:
        raise ValueError("no date")
    begin, end = _exactly(match)
    before, after = (TIME_MIN_US, begin), (end, TIME_MAX_US)
    return {
        "ne": [before, after],
        "ge": [(begin, TIME_MAX_US)],
        "gt": [after],
        "sa": [after],
        "le": [(TIME_MIN_US, end)],
        "lt": [before],
        "eb": [before],
    }.get(match["prefix"] or "eq", [(begin, end)])


def _exactly(match: re.Match[str]) -> Period:
    """Return the period that a date stands for; without an offset it is told in UTC.

    Raises:
        ValueError: there is no such time.
    """
    year, month, day = int(match["year"]), int(match["month"] or 1), int(match["day"] or 1)
    if match["clock"] is None:
        begin = datetime(year, month, day, tzinfo=UTC)
        return microseconds(begin), microseconds(_next_day(begin, match))
    offset = (match["offset"] or "Z").replace(" ", "+")  # a bare + in a URL is a space
    begin_us = microseconds(moment(f"{year:04}-{month:02}-{day:02}T{match['clock']}{match['second'] or ':00'}{offset}"))
    if match["fraction"]:
        return begin_us, begin_us + max(1, 1_000_000 // 10 ** (len(match["fraction"]) - 1))
    return begin_us, begin_us + (1_000_000 if match["second"] else _MINUTE_US)


def _next_day(begin: datetime, match: re.Match[str]) -> datetime:
    """Return the first moment behind a year, a month or a day."""
    last = begin if match["day"] else begin.replace(month=begin.month if match["month"] else 12)
    if not match["day"]:
        last = last.replace(day=monthrange(last.year, last.month)[1])
    return datetime.fromordinal(last.toordinal() + 1).replace(tzinfo=UTC)


def any_of(periods: Iterable[Period]) -> list[Period]:
    """Return the periods as few that lie apart."""
    apart: list[Period] = []
    for begin, end in sorted(one for one in periods if one[0] < one[1]):
        if apart and begin <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(apart[-1][1], end))
        else:
            apart.append((begin, end))
    return apart


def both(ones: Iterable[Period], others: Sequence[Period]) -> list[Period]:
    """Return what lies within both."""
    return any_of((max(one[0], other[0]), min(one[1], other[1])) for one in ones for other in others)
