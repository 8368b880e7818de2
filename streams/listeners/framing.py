"""A syslog stream cut into messages: by octet counts or by line ends (RFC 6587, RFC 5425), told apart message by message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_COUNT: Final = re.compile(rb"([1-9][0-9]{0,8}) ")  # nobody sends a gigabyte
_COUNT_BEGUN: Final = re.compile(rb"[1-9][0-9]{0,8} ?\Z")
_ENDS: Final = b"\r\n\0"  # some end a message with CR LF, some with NUL, some after a counted one as well
_OPENING: Final = b"<"


class Framing(StrEnum):
    """How messages stand in a stream. `AUTO`: each as it shows itself, a count being followed by the priority's `<`."""

    AUTO = "auto"
    OCTETS = "octets"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was sent. `is_cut`: it is longer than is taken, and this is its beginning."""

    raw: bytes
    is_cut: bool = False


class Framer:
    """Takes a stream in any pieces and gives its messages, the same whatever the pieces.

    Holds at most one message that is not whole, of at most `bytes_max`, and a piece.
    `is_broken`: counts are asked for and what came is none: where a message begins cannot be told any more.
    """

    def __init__(self, framing: Framing, bytes_max: int) -> None:
        self._framing, self._bytes_max = framing, bytes_max
        self._waiting = bytearray()
        self._searched = 0  # up to here there is no line end
        self._octets_left = 0  # of a message that was cut
        self._is_in_cut_line = False
        self.is_broken = False

    def feed(self, piece: bytes) -> list[Message]:
        """Return the messages that are whole now; blank ones are none."""
        self._waiting += piece
        found: list[Message] = []
        while not self.is_broken and self._is_at_message() and (message := self._next()) is not None:
            found.append(message)
        return [message for message in found if message.raw]

    def end(self) -> list[Message]:
        """Return the line that the stream ended in; a counted message that is not whole is none."""
        is_line = not (self.is_broken or self._octets_left or self._is_in_cut_line or self._count())
        rest = bytes(self._waiting).strip(_ENDS) if is_line and self._framing is not Framing.OCTETS else b""
        self._waiting.clear()
        return [Message(rest)] if rest else []

    def _is_at_message(self) -> bool:
        """Pass over what is left of a cut message and what stands between messages; False: there is no more."""
        if self._octets_left:
            skipped = min(self._octets_left, len(self._waiting))
            self._octets_left -= skipped
            del self._waiting[:skipped]
        if self._is_in_cut_line:
            end = self._waiting.find(b"\n")
            self._is_in_cut_line = end < 0
            del self._waiting[: end + 1 if end >= 0 else len(self._waiting)]
        if self._waiting[:1] and self._waiting[0] in _ENDS:
            del self._waiting[: len(self._waiting) - len(self._waiting.lstrip(_ENDS))]
        return bool(self._waiting)

    def _next(self) -> Message | None:
        if self._may_be_count():
            return None
        count = self._count()
        if count:
            return self._counted(*count)
        if self._framing is Framing.OCTETS:
            self.is_broken = True
            return None
        return self._line()

    def _may_be_count(self) -> bool:
        """Tell whether more has to come before a count can be told from a line."""
        return self._framing is not Framing.LINES and _COUNT_BEGUN.match(self._waiting) is not None

    def _count(self) -> tuple[int, int] | None:
        """Return where the counted message begins and its octets; None: it is not counted."""
        told = None if self._framing is Framing.LINES else _COUNT.match(self._waiting)
        if told is None:
            return None
        begins = told.end()
        is_sure = self._framing is Framing.OCTETS or self._waiting[begins : begins + 1] == _OPENING
        return (begins, int(told[1])) if is_sure else None

    def _counted(self, begins: int, octets: int) -> Message | None:
        taken = min(octets, self._bytes_max)
        if len(self._waiting) < begins + taken:
            return None
        raw = bytes(self._waiting[begins : begins + taken])
        del self._waiting[: begins + taken]
        self._octets_left = octets - taken
        return Message(raw, is_cut=True) if self._octets_left else Message(raw.rstrip(_ENDS))

    def _line(self) -> Message | None:
        end = self._waiting.find(b"\n", self._searched)
        if end < 0 and len(self._waiting) <= self._bytes_max:
            self._searched = len(self._waiting)
            return None
        self._searched = 0
        is_cut = end < 0 or end > self._bytes_max
        taken = self._bytes_max if is_cut else end
        raw = bytes(self._waiting[:taken])
        del self._waiting[:taken]
        self._is_in_cut_line = is_cut
        return Message(raw, is_cut=True) if is_cut else Message(raw.rstrip(_ENDS))
