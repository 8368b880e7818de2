"""Files of HL7 v2 messages as they are kept: one after the other, in batches (FHS, BHS) or framed, ends of lines as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

from sentinel.core.context import ContextRecord
from sentinel.core.errors import RejectedError, RejectionCode
from streams.context.fhir import decode
from streams.context.hl7.memory import Memory
from streams.context.hl7.message import Message
from streams.context.hl7.patients import Site
from streams.context.hl7.reading import read

MESSAGE_BYTES_MAX: Final = 2 << 20
PIECE_BYTES: Final = 1 << 16
FRAME: Final = b"\x0b\x1c"
"""What MLLP puts around a message: files that were written from a connection hold it."""

_ENVELOPE: Final = (b"FHS", b"BHS", b"BTS", b"FTS")
_HEADER: Final = b"MSH"


class Hl7Files:
    """Reads files in order: what one message tells is put together with what others of any of the files told."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._site = Site(zone)
        self._known: dict[tuple[str, str], bytes] = {}

    def results(self, stream: BinaryIO) -> Iterator[tuple[int, list[ContextRecord] | RejectedError]]:
        """Yield for each message the line it begins on, from 1, and what is to be told, or why it was not taken."""
        for line, raw in messages(stream):
            try:
                yield line, self._read(raw)
            except RejectedError as error:
                yield line, error

    def _read(self, raw: bytes) -> list[ContextRecord]:
        if len(raw) > MESSAGE_BYTES_MAX:
            raise RejectedError(RejectionCode.TOO_LARGE, "", "larger than a message may be")
        memory = Memory(lambda kind, id_: self._known.get((kind, id_)))
        read(Message(raw), self._site, memory)
        records = [record for resource in memory.told.values() for record in decode(resource, self._site.zone)]
        self._known |= memory.changed
        return records


def messages(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each message with the number of its first line, from 1: of one that is too long only the beginning.

    What stands before the first MSH is given as a message too, so that it is refused.
    """
    begun, first = bytearray(), 1
    for line, segment in _segments(stream):
        if segment.startswith(_ENVELOPE):
            continue
        if segment.startswith(_HEADER) and begun:
            yield first, bytes(begun)
            begun.clear()
        if not begun:
            first = line
        if len(begun) <= MESSAGE_BYTES_MAX:
            begun += segment + b"\r"
    if begun:
        yield first, bytes(begun)


def _segments(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each segment that is not blank with the number of its line; a line ends in CR, LF or both."""
    rest, line = b"", 0
    while piece := stream.read(PIECE_BYTES):
        data = rest + piece
        held = data[-1:] if data.endswith(b"\r") else b""  # its LF may come with the next piece
        *whole, rest = data.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest += held
        for one in whole:
            line += 1
            if stripped := one.strip(FRAME):
                yield line, stripped
        if len(rest) > MESSAGE_BYTES_MAX:
            yield line + 1, rest[: MESSAGE_BYTES_MAX + 1]
            rest = b""
    if rest.strip(FRAME):
        yield line + 1, rest.strip(FRAME)
