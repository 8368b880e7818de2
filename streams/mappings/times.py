"""Times as systems write them, as µs since 1970 UTC: formats, zones, and the hours that a change of clocks doubles or drops."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from sentinel.core.event import EPOCH, TIME_MAX_US, TIME_MIN_US

Ambiguous = Literal["earlier", "later", "refuse"]
Reader = Callable[[str], int]

TIME_LENGTH_MAX: Final = 80
MINUTES_MAX: Final = 8_192
SECOND_US: Final = 1_000_000
EPOCHS: Final = {"epoch": -1, "epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1, "epoch_ns": 0}
NAMED: Final = ("iso", *EPOCHS)
_DAY_1970: Final = date(1970, 1, 1).toordinal()


class Wrong(IntEnum):
    """Why a text names no instant: what a reader returns in place of a time, which is never negative."""

    FORM = -1
    RANGE = -2
    GAP = -3
    AMBIGUOUS = -4
    ZONE = -5


DETAILS: Final = {
    Wrong.FORM: "not a time of the mapping's format",
    Wrong.RANGE: "out of 1990..2100, or no such date",
    Wrong.GAP: "a local time that the change of clocks leaves out",
    Wrong.AMBIGUOUS: "a local time that is there twice",
    Wrong.ZONE: "not a zone name that the mapping's time zone uses then",
}


class Local:
    """Local times of one zone. An hour that is there twice is read as its mapping says."""

    def __init__(self, zone: ZoneInfo, ambiguous: Ambiguous) -> None:
        self.zone, self._ambiguous = zone, ambiguous
        self._offset: Callable[[int, int], int | None] = lru_cache(maxsize=4_096)(self._offset_of_hour)

    def instant(self, day: int, hour: int, in_hour_us: int, name: str = "") -> int:
        """Return the instant of a local time: day since 1970, hour, µs within it, and what the text calls its zone then."""
        local = (day * 24 + hour) * 3_600 * SECOND_US + in_hour_us
        offset = None if name else self._offset(day, hour)
        return local - offset if offset is not None else self._with_care(local, name)

    def _offset_of_hour(self, day: int, hour: int) -> int | None:
        """Return the offset (µs) of all of an hour; None where clocks change in it."""
        start = datetime.fromordinal(_DAY_1970 + day) + timedelta(hours=hour)
        ends = (start, start + timedelta(minutes=59, seconds=59, microseconds=999_999))
        offsets = {end.replace(tzinfo=self.zone, fold=fold).utcoffset() for end in ends for fold in (0, 1)}
        return _us(offsets.pop()) if len(offsets) == 1 else None

    def _with_care(self, local: int, name: str) -> int:
        naive = (EPOCH + timedelta(microseconds=local)).replace(tzinfo=self.zone)
        both = [naive.replace(fold=fold) for fold in (0, 1)]
        if name:
            return next((local - _us(one.utcoffset()) for one in both if one.tzname() == name), Wrong.ZONE)
        earlier, later = (local - _us(one.utcoffset()) for one in both)
        if earlier > later:  # clocks went forward over it: the first reading is past the change
            return Wrong.GAP
        if earlier == later or self._ambiguous == "earlier":
            return earlier
        return later if self._ambiguous == "later" else Wrong.AMBIGUOUS


def _us(offset: timedelta | None) -> int:
    return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * SECOND_US + offset.microseconds


_MONTHS_EN: Final = "january february march april may june july august september october november december"
_MONTHS_FR: Final = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
_MONTHS_OTHER: Final = "janv:1 fevrier:2 fevr:2 févr:2 fev:2 fév:2 avr:4 juil:7 aout:8 aoû:8 sept:9 decembre:12 déc:12"


def _months() -> dict[str, int]:
    known = {word: number for number, word in enumerate(_MONTHS_FR.split(), 1)}
    for number, word in enumerate(_MONTHS_EN.split(), 1):
        known |= {word: number, word[:3]: number}
    return known | {word: int(number) for word, _, number in (one.partition(":") for one in _MONTHS_OTHER.split())}


MONTHS: Final = _months()

_TOKENS: Final = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d\d)",
    "m": r"(?P<m>\d{1,2})",
    "d": r"\s?(?P<d>\d{1,2})",
    "e": r"\s?(?P<d>\d{1,2})",
    "H": r"\s?(?P<H>\d{1,2})",
    "I": r"\s?(?P<I>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})(?:[.,](?P<f>\d{1,9}))?",
    "p": r"(?P<p>[AaPp])\.?\s?[Mm]\.?",
    "b": r"(?P<b>[^\W\d_]{3,10})\.?",
    "B": r"(?P<b>[^\W\d_]{3,10})\.?",
    "a": r"[^\W\d_]{2,10}\.?",
    "A": r"[^\W\d_]{2,10}\.?",
    "z": r"(?P<z>[Zz]|(?:UTC|GMT)|[+-]\d\d(?::?\d\d)?)",
    "Z": r"(?P<Z>[A-Za-z]{1,5}|[+-]\d\d)",
    "o": r"(?:st|nd|rd|th|er|e)?",
    "%": "%",
}
_ONCE: Final = re.compile(r"%(.)|(\s+)|(.)", re.DOTALL)


@lru_cache(maxsize=256)
def expression(pattern: str) -> re.Pattern[str]:
    """Return the expression of a format written with strptime's letters (docs/mappings.md lists them).

    Raises:
        ValueError: a letter that is not taken, one twice, or no day or hour.
    """
    parts = []
    for letter, blank, other in _ONCE.findall(pattern):
        if letter and letter not in _TOKENS:
            raise ValueError(f"a time format has no %{letter} (it has %{' %'.join(_TOKENS)})")
        parts.append(_TOKENS[letter] if letter else r"\s+" if blank else re.escape(other))
    try:
        found = re.compile("".join(parts))
    except re.error:
        raise ValueError("a time format tells the same thing twice") from None
    names = found.groupindex.keys()
    if "d" not in names or not {"m", "b"} & names or not {"H", "I"} & names:
        raise ValueError("a time format needs a month, a day and an hour at least")
    return found


def needs_year(pattern: str) -> bool:
    """Tell whether a format leaves out the year."""
    return pattern not in NAMED and not {"Y", "y"} & expression(pattern).groupindex.keys()


def reader(formats: Sequence[str], local: Local, year: int | None) -> Reader:
    """Return what reads a time in the first of `formats` that takes it: µs since 1970 UTC, or one of `Wrong`."""
    readers = [_reader(one, local, year) for one in formats]
    if len(readers) == 1:
        return readers[0]

    def first(text: str) -> int:
        answers = [read(text) for read in readers]
        return next((one for one in answers if one >= 0), min(answers))

    return first


def _reader(pattern: str, local: Local, year: int | None) -> Reader:
    if pattern == "iso":
        return _Strptime(_ISO, local, None).read
    if pattern in EPOCHS:
        return lambda text: _since_epoch(text, pattern)
    return _Strptime(expression(pattern), local, year).read


_ISO: Final = re.compile(
    r"(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)[Tt ](?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{1,12}))?)?"
    r"\s?(?P<z>[Zz]|UTC|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?",
    re.ASCII,
)


@lru_cache(maxsize=4_096)
def _day(text: str) -> int:
    try:
        return date.fromisoformat(text).toordinal() - _DAY_1970
    except ValueError:
        return -1


def _civil(day: int, hour: int, minute: int, local: Local, name: str) -> int:
    """Return when a minute of a local day and hour began."""
    if day < 0 or hour > 23 or minute > 59:
        return Wrong.RANGE
    instant = local.instant(day, hour, minute * 60 * SECOND_US, name)
    return instant if min(Wrong) <= instant < 0 else _ranged(instant)


def _fraction(digits: str) -> int:
    return (int(f"{digits}0000000"[:7]) + 5) // 10


def _ranged(instant: int) -> int:
    return instant if TIME_MIN_US <= instant < TIME_MAX_US else Wrong.RANGE


_NUMBER: Final = re.compile(r"(\d{1,20})(?:\.(\d{1,20}))?(?:[eE]\+?(\d{1,2}))?", re.ASCII)


def _since_epoch(text: str, unit: str) -> int:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return Wrong.FORM
    whole, fraction, exponent = match.groups("")
    digits = int(exponent or 0)
    whole, fraction = whole + fraction[:digits].ljust(digits, "0"), fraction[digits:]
    if unit == "epoch":  # of our times, seconds have 9 or 10 digits, milliseconds 12 or 13, and so on
        unit = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns")[min(max(len(whole) - 9, 0) // 3, 3)]
    if unit == "epoch_ns":
        return _ranged((int(whole) + 500) // 1_000)
    scale = EPOCHS[unit]
    part = (int(fraction[:18]) * scale * 2 // 10 ** len(fraction[:18]) + 1) // 2 if fraction else 0
    return _ranged(int(whole) * scale + part)


class _Strptime:
    """Reads times of one format. The minute a time is in is looked up, as logs go on in the same one."""

    def __init__(self, found: re.Pattern[str], local: Local, year: int | None) -> None:
        self._match, self._local = found.fullmatch, local
        self._at = found.groupindex
        self._year = year
        second = self._at.get("S", len(self._at) + 1) - 1  # the fraction is the next group
        self._before, self._after = slice(second), slice(second + 2, None)
        self._within = slice(second, second + 2)
        self._minute = lru_cache(maxsize=MINUTES_MAX)(self._start_of_minute)

    def read(self, text: str) -> int:
        """Return the instant, or why there is none."""
        match = self._match(text) if len(text) <= TIME_LENGTH_MAX else None
        if match is None:
            return Wrong.FORM
        told = match.groups()
        start = self._minute(told[self._before] + told[self._after])
        if start < 0 or not (within := told[self._within]):
            return start
        second, fraction = int(within[0] or 0), within[1]
        if second > 60:
            return Wrong.RANGE
        return start + second * SECOND_US + (_fraction(fraction) if fraction else 0)

    def _start_of_minute(self, told: tuple[str | None, ...]) -> int:
        """Return when the minute began that groups, but for the second and its fraction, tell."""
        names = [name for name in self._at if name not in {"S", "f"}]
        parts = {name: text or "" for name, text in zip(names, told, strict=True)}
        zone, minute = parts.get("z") or _fixed(parts.get("Z", "")), int(parts.get("M") or 0)
        local, name = (_UTC, "") if zone else (self._local, parts.get("Z", "").upper())
        there = _civil(self._civil_day(parts), _hour(parts), minute, local, name)
        return _ranged(there - _offset(zone)) if zone and there >= 0 else there

    def _civil_day(self, parts: dict[str, str]) -> int:
        month = parts.get("m") or str(MONTHS.get(parts.get("b", "").lower(), 0))
        year = parts.get("Y") or _century(parts.get("y", "")) or str(self._year or 0)
        return _day(f"{year:0>4}-{month:0>2}-{parts['d']:0>2}")


def _hour(parts: dict[str, str]) -> int:
    half = parts.get("p", "").lower()
    hour = int(parts.get("H") or parts.get("I") or 0)
    if not half:
        return hour
    return hour % 12 + 12 * (half == "p") if 1 <= hour <= 12 else 24


_UTC: Final = Local(ZoneInfo("UTC"), "earlier")


def _century(two: str) -> str:
    return f"{'19' if two > '68' else '20'}{two}" if two else ""


def _fixed(name: str) -> str:
    """Return a zone name that is an offset by itself: UTC, GMT, Z or `+00`; names such as CET are the time zone's to tell."""
    return name if name.upper() in {"UTC", "GMT", "Z"} or name[:1] in {"+", "-"} else ""


@lru_cache(maxsize=256)
def _offset(text: str) -> int:
    if text[0] not in "+-":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3_600 + int(digits[2:]) * 60
    return (-seconds if text[0] == "-" else seconds) * SECOND_US
