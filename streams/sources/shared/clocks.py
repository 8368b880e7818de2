"""Times as security products write them in lines: epochs, RFC 3339, month names; zones by offset, abbreviation or place."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.shared.values import instant, moment_of

ZONE_CHARACTERS_MAX: Final = 64

_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_CLOCK: Final = r"(?P<clock>\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?)"
# `Mar 01 2021 21:06:06.123 UTC`, `Tue Aug 12 08:26:30 2025`, `01 Mar 2021 21:06:06 +0100`, `01/Mar/2021:21:06:06 +0100`
_FORMS: Final = tuple(
    re.compile(rf"(?:[A-Za-z]{{3}},? )?{form}(?: ?(?P<zone>[A-Za-z0-9+:/_-]{{1,64}}))?").fullmatch
    for form in (
        rf"(?P<month>[A-Za-z]{{3}}) +(?P<day>\d\d?),? (?P<year>\d{{4}}) {_CLOCK}",
        rf"(?P<month>[A-Za-z]{{3}}) +(?P<day>\d\d?) {_CLOCK} (?P<year>\d{{4}})",
        rf"(?P<day>\d\d?)[ /-](?P<month>[A-Za-z]{{3}})[ /-](?P<year>\d{{4}})[ :]{_CLOCK}",
    )
)
_offset: Final = re.compile(r"(?:UTC|GMT|Z)?([+-])(\d\d):?(\d\d)").fullmatch


def clock_time(text: str, pointer: str, zone: str = "") -> int:
    """Return a time in µs since 1970 UTC. `zone` is told apart from it, and used when the time has none.

    Raises:
        RejectedError: `missing-field` for no time; `bad-time` for what is none, or names no instant.
    """
    text = text.strip().strip('"')
    found = next((match for form in _FORMS if (match := form(text[:ZONE_CHARACTERS_MAX]))), None)
    if found is None:
        moved = text.replace("/", "-", 2) if text[4:5] == "/" else text
        placed = zone_of(zone) if zone and _bare(moved) else None
        return instant(_local(moved, placed, pointer), pointer) if placed is not None else moment_of(moved, pointer)
    month = found["month"].lower()
    if month not in _MONTHS:
        raise RejectedError(Code.BAD_TIME, pointer, "no month")
    bare = f"{found['year']}-{_MONTHS.index(month) + 1:02}-{int(found['day']):02}T{found['clock'].replace(',', '.'):0>8}"
    placed = zone_of(found["zone"] or zone)
    if placed is None:
        raise RejectedError(Code.BAD_TIME, pointer, "a time without a zone names no instant")
    return instant(_local(bare, placed, pointer), pointer)


_bare: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?").fullmatch


def _local(bare: str, zone: tzinfo, pointer: str) -> str:
    """Return a time with the offset that its zone has then; of an hour that comes twice, the first."""
    try:
        offset = zone.utcoffset(datetime.fromisoformat(bare[:19])) or timedelta()
    except (ValueError, OverflowError):
        raise RejectedError(Code.BAD_TIME, pointer, "no time of the calendar") from None
    minutes = int(offset.total_seconds()) // 60
    return f"{bare.replace(',', '.')}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo | None:
    """Return a zone told by an offset or by its IANA name; None for any other text: abbreviations mean several zones."""
    name = name.strip()
    if name.upper() in ("UTC", "GMT", "Z"):
        return UTC
    if found := _offset(name.upper()):
        minutes = int(found[2]) * 60 + int(found[3])
        return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes)) if minutes < 24 * 60 else None
    try:
        return ZoneInfo(name) if "/" in name and len(name) <= ZONE_CHARACTERS_MAX else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
