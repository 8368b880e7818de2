"""One HL7 v2 message (2.3 to 2.8) as text by field, component and subcomponent, in its own character set and separators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import hl7  # type: ignore[import-untyped]

from sentinel.core.errors import RejectedError, RejectionCode
from sentinel.core.event import microseconds
from streams.context import dates

DELETED: Final = '""'
"""What a field says that shall be emptied; one that says nothing leaves what is known (HL7 v2, 2.5.3.7)."""

SEGMENTS_MAX: Final = 5_000
_CHARSETS: Final = {  # HL7 table 0211
    "ASCII": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
}
_UNTOLD: Final = "iso8859-15"  # of a message that tells no character set and is not UTF-8
_TIME: Final = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6})\d*)?)?)?)?)?)?([+-]\d{4})?", re.ASCII
)
_ENDS: Final = re.compile(rb"\r\n|\n")
_HEX: Final = re.compile(r"X(?:[0-9A-Fa-f]{2})+")
_LINE_BREAKS: Final = (".br", ".sp", ".ce")


class Segment:
    """One segment; fields, components and subcomponents count from 1, and what is not there is an empty text."""

    def __init__(self, name: str, fields: hl7.Segment, message: Message) -> None:
        self.name, self._fields, self._message = name, fields, message

    def text(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """Return a part of the first repetition of a field."""
        told = self.repetitions(field)
        return told[0].text(component, subcomponent) if told else ""

    def is_deleted(self, field: int) -> bool:
        """Tell whether a field says that it shall be emptied."""
        return self._raw(field) == DELETED

    def is_told(self, field: int) -> bool:
        """Tell whether a field says anything: a value, or that it shall be emptied."""
        return bool(self._raw(field))

    def repetitions(self, field: int) -> list[Part]:
        """Return what a field says, each repetition that is neither empty nor to be emptied."""
        if field >= len(self._fields):
            return []
        return [Part(one, self._message) for one in self._fields[field] if str(one) not in ("", DELETED)]

    def span(self, field: int, zone: ZoneInfo, component: int = 1) -> tuple[int, int] | None:
        """Return the first µs that a time names and the first after it; None when it is not told.

        Raises:
            RejectedError: it is no time of HL7's.
        """
        text = self.text(field, component)
        try:
            return span(text, zone) if text else None
        except (ValueError, OverflowError):
            raise RejectedError(RejectionCode.BAD_TIME, self.pointer(field), "not a time of HL7's") from None

    def pointer(self, field: int) -> str:
        """Return where a field is."""
        return f"/{self.name}/{field}"

    def _raw(self, field: int) -> str:
        return str(self._fields[field]) if field < len(self._fields) else ""


class Part:
    """One repetition of a field."""

    def __init__(self, told: hl7.Repetition | str, message: Message) -> None:
        self._told, self._message = told, message

    def text(self, component: int = 1, subcomponent: int = 1) -> str:
        """Return a component or subcomponent without its escapes; empty when it is not there."""
        told = self._told
        for wanted in (component, subcomponent):
            parts = [told] if isinstance(told, str) else told
            told = parts[wanted - 1] if wanted <= len(parts) else ""
        text = str(told)
        return "" if text == DELETED else self._message.unescape(text).strip()


class Message:
    """A message. `charset`: in which it came, for the answer."""

    def __init__(self, raw: bytes) -> None:
        """Take it apart.

        Raises:
            RejectedError: it is none, or its character set is none that is read.
        """
        raw = _ENDS.sub(b"\r", raw).strip()
        if raw[:3] != b"MSH" or len(raw) < 8:
            raise RejectedError(RejectionCode.UNPARSEABLE, "", "a message begins with MSH and its separators")
        if raw.count(b"\r") > SEGMENTS_MAX:
            raise RejectedError(RejectionCode.TOO_LARGE, "", f"a message has at most {SEGMENTS_MAX} segments")
        self.charset = _charset(raw)
        try:
            text = raw.decode(self.charset)
            parsed = hl7.parse(text)
        except UnicodeDecodeError:
            raise RejectedError(RejectionCode.NOT_UTF8, "/MSH/18", "not in the character set that it tells") from None
        except Exception:  # noqa: BLE001 - the library's errors are of many kinds, and may quote the message
            raise RejectedError(RejectionCode.UNPARSEABLE, "", "not an HL7 v2 message") from None
        self._escape, self._marks = str(parsed.esc), _marks(text)
        self.segments = [Segment(str(one[0]), one, self) for one in parsed]
        self.header = self.segments[0]

    def first(self, name: str) -> Segment | None:
        """Return the first segment of a name."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[Segment]:
        """Yield the segments of a name."""
        return (one for one in self.segments if one.name == name)

    def need(self, name: str) -> Segment:
        """Return the first segment of a name.

        Raises:
            RejectedError: there is none.
        """
        found = self.first(name)
        if found is None:
            raise RejectedError(RejectionCode.MISSING_FIELD, f"/{name}", "the segment is not there")
        return found

    def unescape(self, text: str) -> str:
        """Return what a text with escape sequences says; sequences of other kinds, such as highlighting, say nothing."""
        if not self._escape or self._escape not in text:
            return text
        parts = text.split(self._escape)
        if len(parts) % 2 == 0:  # an escape that is not closed stands for itself
            parts[-2:] = [parts[-2] + self._escape + parts[-1]]
        return "".join(part if at % 2 == 0 else self._sequence(part) for at, part in enumerate(parts))

    def _sequence(self, sequence: str) -> str:
        if sequence in self._marks:
            return self._marks[sequence]
        if _HEX.fullmatch(sequence):
            return bytes.fromhex(sequence[1:]).decode(self.charset, "replace")
        return " " if sequence.startswith(_LINE_BREAKS) else ""


def _charset(raw: bytes) -> str:
    """Return Python's name of the character set that MSH-18 tells."""
    fields = raw.partition(b"\r")[0].split(raw[3:4])
    told = fields[17].decode("latin-1") if len(fields) > 17 else ""
    name = told.split(chr(raw[5]))[0].strip().upper()
    if not name:
        return _guessed(raw)
    if name not in _CHARSETS:
        raise RejectedError(RejectionCode.BAD_VALUE, "/MSH/18", "a character set that is not read")
    return _CHARSETS[name]


def _guessed(raw: bytes) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return _UNTOLD
    return "utf-8"


def _marks(text: str) -> dict[str, str]:
    """Return the separators by the letters that stand for them in escape sequences."""
    return dict(zip("FSRET", (text[3], *text[4:8]), strict=False))


def span(text: str, zone: ZoneInfo) -> tuple[int, int]:
    """Return the first µs that a time of HL7's (`YYYY[MM[DD[HH[MM[SS[.S…]]]]]][±ZZZZ]`) names, and the first after it.

    Both are the same for a time of day. One without an offset is of `zone`.

    Raises:
        ValueError: it is none, or a day that the calendar has not.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not a time of HL7's")
    year, month, day, hour, minute, second, part, offset = match.groups()
    if hour is not None:
        moment = datetime.fromisoformat(
            f"{year}-{month}-{day}T{hour}:{minute or '00'}:{second or '00'}.{part or '0':0<6}{offset or ''}"
        )
        told = microseconds(moment if offset else moment.replace(tzinfo=zone))
        return told, told
    return dates.span("-".join(filter(None, (year, month, day))), zone)
