"""Values of a database's columns: kept to go on from, and as JSON for the format that reads the row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

import msgspec

Kept = tuple[str, str]
"""A value as a mark holds it: a letter for its type, and its text."""

AHEAD: Final = timedelta(hours=14)  # how far a clock without a zone may seem ahead of UTC
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def kept(value: object) -> Kept:
    """Return a value that rows are ordered by as it is kept.

    Raises:
        TypeError: rows cannot be ordered by such a value.
    """
    if isinstance(value, datetime):
        return "t", value.isoformat()
    if isinstance(value, date):
        return "d", value.isoformat()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "n", str(value)
    if isinstance(value, str):
        return "s", value
    raise TypeError("rows are ordered by times, days, numbers or texts")


def restored(value: Kept) -> Any:
    """Return what was kept."""
    letter, text = value
    if letter == "n":
        return int(text) if text.lstrip("-").isdigit() else Decimal(text)
    if letter == "t":
        return datetime.fromisoformat(text)
    return date.fromisoformat(text) if letter == "d" else text


def shifted(value: Any, overlap: int) -> Any:
    """Return a value so much earlier: seconds of a time, days (begun) of a day, units of a number; a text is as it is."""
    if isinstance(value, datetime):
        return value - timedelta(seconds=overlap)
    if isinstance(value, date):
        return value - timedelta(days=-(-overlap // 86_400))
    return value if isinstance(value, str) else value - overlap


def not_ahead(value: Any, now: datetime) -> Any:
    """Return a time that is not to come: one row with a wrong clock must not hide those that come after it."""
    if not isinstance(value, datetime):
        return value
    return min(value, now) if value.tzinfo else min(value, now.astimezone(UTC).replace(tzinfo=None) + AHEAD)


def digest(values: tuple[object, ...]) -> bytes:
    """Return what tells a row's key from others."""
    return blake2b(repr([plain(one) for one in values]).encode(), digest_size=12).digest()


def document(row: Mapping[str, object]) -> bytes:
    """Return a row as a JSON object: times as ISO 8601, as precise and with or without offset as they are."""
    return _encode({name: plain(value) for name, value in row.items()})


def plain(value: Any) -> Any:
    """Return what JSON has for a value; a text for all that it does not know."""
    if value is None or isinstance(value, bool | int | float | str | Decimal):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return str(value)
