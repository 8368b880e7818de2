"""Entries of LDAP directories as people at work: Active Directory's, inetOrgPerson's, or as the settings name attributes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from streams.context.dates import span
from streams.context.hl7.memory import moment
from streams.context.staff import Person

DISABLED: Final = 0x2  # of Active Directory's userAccountControl
LOCKED_FOR_GOOD: Final = "000001010000Z"  # of OpenLDAP's pwdAccountLockedTime: by an administrator
_NEVER: Final = frozenset({"0", "9223372036854775807", "-1"})
_FILETIME: Final = re.compile(r"\d{17,19}")  # Active Directory's: 100 ns since 1601
_DAYS: Final = re.compile(r"\d{1,6}")  # shadowExpire: days since 1970
_GENERALIZED: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)?(\d\d)?(\d\d)?(?:[.,]\d+)?(Z|[+-]\d{4})?")
_US_1601: Final = -11_644_473_600_000_000
_DAY_US: Final = 86_400_000_000

Values = Mapping[str, Sequence[str]]
"""An entry's attributes by name, in lower case."""


def person_of(entry: Values, attributes: Mapping[str, Sequence[str]], now_us: int, zone: ZoneInfo) -> Person | None:
    """Return the person that an entry is; None when it has none of the attributes that name one."""

    def first(what: str) -> Sequence[str]:
        return next((found for name in attributes[what] if (found := entry.get(name.lower(), ()))), ())

    def every(what: str) -> list[str]:
        return [value for name in attributes[what] for value in entry.get(name.lower(), ())]

    def one(what: str) -> str:
        return next(iter(first(what)), "")

    if not (id_ := one("id")):
        return None
    end = next((told for value in every("end") if (told := time_of(value, zone)) is not None), None)
    start = next((told for value in every("start") if (told := time_of(value, zone)) is not None), None)
    aliases = [alias for alias in every("aliases") if alias != id_]
    return Person(
        id=id_,
        aliases=tuple(dict.fromkeys([*aliases, *(alias.lower() for alias in (id_, *aliases) if alias.lower() != id_)])),
        emails=tuple(dict.fromkeys(every("mail"))),
        rpps=one("rpps"),
        family=one("family"),
        given=one("given"),
        role=one("role"),
        units=tuple(dict.fromkeys(first("units"))),
        start="" if start is None else moment(start),
        end="" if end is None else moment(end),
        active=_is_open(entry) and (end is None or end > now_us),
    )


def _is_open(entry: Values) -> bool:
    """Tell whether an account is neither disabled nor locked by an administrator."""
    control = next(iter(entry.get("useraccountcontrol", ())), "0")
    is_disabled = control.isdigit() and bool(int(control) & DISABLED)
    return not is_disabled and LOCKED_FOR_GOOD not in entry.get("pwdaccountlockedtime", ())


def time_of(text: str, zone: ZoneInfo) -> int | None:
    """Return a time in µs, however directories write it; None when it means never, or cannot be read."""
    if text in _NEVER:
        return None
    if _FILETIME.fullmatch(text):
        return int(text) // 10 + _US_1601
    if match := _GENERALIZED.fullmatch(text):
        return _generalized(match, zone)
    if _DAYS.fullmatch(text):
        return int(text) * _DAY_US
    try:
        return span(text, zone)[0]
    except (ValueError, OverflowError):
        return None


def _generalized(match: re.Match[str], zone: ZoneInfo) -> int | None:
    year, month, day, hour, minute, second, offset = match.groups()
    told = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}{offset or ''}"
    try:
        return span(told, zone)[0]
    except (ValueError, OverflowError):
        return None


def texts(attributes: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return an entry's raw attributes as texts; what is no text is left out."""
    found: dict[str, list[str]] = {}
    for name, values in attributes.items():
        for raw in values if isinstance(values, list) else [values]:
            text = _text(raw)
            if text:
                found.setdefault(name.lower(), []).append(text)
    return found


def _text(raw: object) -> str:
    if isinstance(raw, bytes):
        try:
            return raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            return ""
    return raw.strip() if isinstance(raw, str) else ""
