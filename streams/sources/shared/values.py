"""What a log's texts mean: instants, addresses, ids; and the row they make."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import (
    CONTROLS,
    COUNT_MAX,
    EPOCH,
    REASON_MAX,
    TEXT_MAX,
    TIME_MAX_US,
    TIME_MIN_US,
    ActorType,
    EventRow,
    Outcome,
    moment,
    normal_address,
)
from sentinel.core.ids import derive

HUMAN: Final = ActorType.HUMAN.value
SERVICE: Final = ActorType.SERVICE.value
SUCCESS: Final = Outcome.SUCCESS.value
FAILURE: Final = Outcome.MINOR_FAILURE.value  # refused: wrong password, no right
SERIOUS: Final = Outcome.SERIOUS_FAILURE.value  # the system failed
UNKNOWN: Final = Outcome.UNKNOWN.value

NUMBER_CHARACTERS_MAX: Final = 32
ADDRESS_CHARACTERS_MAX: Final = 128  # an IPv6 address with its zone and port is shorter

_new_row: Final[Any] = tuple.__new__  # half the time of EventRow(...)
_REPLACEMENT: Final = "\ufffd"


def row(
    id_: str,
    occurred_at: int,
    action: str,
    actor_id: str,
    outcome: str = SUCCESS,
    *,
    sub: str = "",
    actor_at: str = "",
    actor_type: str = HUMAN,
    role: str = "",
    resource_type: str = "",
    resource_id: str = "",
    count: int = 1,
    reason: str = "",
    client: str = "",
    device: str = "",
    application: str = "",
    session: str = "",
    destination: str = "",
    patient: str = "",
) -> EventRow:
    """Return the row of an access. Texts that describe are cut; control characters are replaced by U+FFFD.

    `actor_at` is the JSON pointer to where the actor is named.

    Raises:
        RejectedError: `no-actor` for an empty actor; `bad-value` for an id of more than 256 characters.
    """
    if not actor_id:
        raise RejectedError(Code.NO_ACTOR, actor_at, "nobody is named")
    if len(id_) > TEXT_MAX or len(actor_id) > TEXT_MAX or len(patient) > TEXT_MAX:
        where = actor_at if len(actor_id) > TEXT_MAX else ""
        raise RejectedError(Code.BAD_VALUE, where, f"an id of more than {TEXT_MAX} characters")
    values = (
        id_,
        sub,
        occurred_at,
        action,
        outcome,
        actor_id,
        actor_type,
        role[:TEXT_MAX],
        "",
        "",
        patient,
        resource_type[:TEXT_MAX],
        resource_id[:TEXT_MAX],
        "",
        count if 0 <= count <= COUNT_MAX else 1,
        "",
        reason[:REASON_MAX],
        client,
        device[:TEXT_MAX],
        application[:TEXT_MAX],
        "",
        session[:TEXT_MAX],
        destination,
        "",
    )
    texts = f"{id_}{actor_id}{role}{resource_type}{resource_id}{reason}{device}{application}{session}{patient}"
    if not texts.isprintable():
        values = tuple(CONTROLS.sub(_REPLACEMENT, one) if isinstance(one, str) else one for one in values)  # type: ignore[assignment]
    made: EventRow = _new_row(EventRow, values)
    return made


def told(value: object) -> str:
    """Return a scalar as text without blanks around it; what is absent, a dash or no scalar is empty."""
    if value is None:
        return ""
    if type(value) is str:
        text = value.strip()
        return "" if text in _NOTHING else text
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


_NOTHING: Final = frozenset({"", "-", "null", "NULL", "(null)", "N/A"})


def instant(text: str, pointer: str, *, utc: bool = False) -> int:
    """Return a time in µs since 1970 UTC: RFC 3339, to any fraction of a second.

    `utc`: the format says that a time without an offset is UTC.

    Raises:
        RejectedError: `bad-time`, with `pointer`.
    """
    try:
        time = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        time = _rare(text, pointer)
    if time.tzinfo is None:
        if not utc:
            raise RejectedError(Code.BAD_TIME, pointer, "a time without an offset names no instant")
        time = time.replace(tzinfo=EPOCH.tzinfo)
    return in_range(_since(time - _epoch(time.tzinfo)), pointer)


def _rare(text: str, pointer: str) -> datetime:
    """Return a leap second."""
    try:
        return moment(text)
    except ValueError:
        raise RejectedError(Code.BAD_TIME, pointer, "not an RFC 3339 time with an offset") from None


@lru_cache(maxsize=64)
def _epoch(offset: tzinfo | None) -> datetime:
    """Return the epoch as told with an offset: times of one offset are subtracted in a tenth of the time."""
    return EPOCH.astimezone(offset)


def _since(delta: timedelta) -> int:
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def in_range(micros: int, pointer: str) -> int:
    """Return µs since 1970 when they lie in 1990..2100.

    Raises:
        RejectedError: `bad-time`.
    """
    if not TIME_MIN_US <= micros < TIME_MAX_US:
        raise RejectedError(Code.BAD_TIME, pointer, "out of 1990..2100")
    return micros


def since_epoch(number: float, pointer: str) -> int:
    """Return a number of seconds, milliseconds, µs or ns since 1970 (its size tells which) in µs.

    Raises:
        RejectedError: `bad-time` out of 1990..2100.
    """
    if not -1e20 < number < 1e20:  # NaN too
        raise RejectedError(Code.BAD_TIME, pointer, "out of 1990..2100")
    for unit in (1_000_000, 1_000, 1):
        if TIME_MIN_US <= number * unit < TIME_MAX_US:
            return round(number * unit)
    return in_range(int(number) // 1_000, pointer)


def moment_of(value: object, pointer: str, *, utc: bool = False) -> int:
    """Return a time in µs since 1970 UTC, told as a number of seconds or of their parts, or as an RFC 3339 text.

    `utc`: as for `instant`.

    Raises:
        RejectedError: `missing-field` for none, `bad-time` for any other value.
    """
    if value is None or value == "":
        raise RejectedError(Code.MISSING_FIELD, pointer, "no time at all")
    if isinstance(value, str):
        number = _number(value)
        return instant(value, pointer, utc=utc) if number is None else since_epoch(number, pointer)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return since_epoch(value, pointer)
    raise RejectedError(Code.BAD_TIME, pointer, "neither a number nor a text")


def _number(text: str) -> int | float | None:
    """Return the number that a text is; whole ones exactly, as nanoseconds need it."""
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()) or len(text) > NUMBER_CHARACTERS_MAX:
        return None
    return int(text) if digits == text else float(text)


def utc_text(micros: int) -> str:
    """Return µs since 1970 as an RFC 3339 text in UTC."""
    return (EPOCH + timedelta(microseconds=micros)).isoformat()


def address(text: str) -> str:
    """Return the IP address that a text is, with or without a port; empty when it is none."""
    return _address(text) if len(text) <= ADDRESS_CHARACTERS_MAX else ""


@lru_cache(maxsize=65_536)
def _address(text: str) -> str:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return normal_address(text)


def host(name: str) -> str:
    """Return a machine's name without its domain, in lower case: logs write both. An address stays whole."""
    return _host(name[: TEXT_MAX + 1])


@lru_cache(maxsize=65_536)
def _host(name: str) -> str:
    name = name.strip().lstrip("\\").lower()
    return name if address(name) else name.partition(".")[0]


def derived_id(document: bytes) -> str:
    """Return an id that depends on what a JSON document says, not on the order of its keys or its blanks."""
    content = msgspec.json.decode(document)
    return derive("event", msgspec.json.encode(content, order="sorted").decode())
