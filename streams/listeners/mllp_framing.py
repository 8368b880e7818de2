"""A stream of MLLP cut into its blocks: VT, a message or a batch, FS, CR (HL7 MLLP release 1)."""

from __future__ import annotations

from typing import Final

START: Final = b"\x0b"
END: Final = b"\x1c"
_BLANK: Final = b"\r\n \x00" + END


def framed(content: bytes) -> bytes:
    """Return a block."""
    return START + content + END + b"\r"


class Blocks:
    """Takes a stream in any pieces and gives its blocks, the same whatever the pieces.

    Holds at most one block that is not whole, of at most `bytes_max`, and a piece. `strays`: how often something else than a
    block came, or a block broke off. `is_broken`: a block is longer than is taken; what follows cannot be understood.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._waiting = bytearray()
        self.strays = 0
        self.is_broken = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the blocks that are whole now, without their frame; the CR behind a block is not waited for."""
        self._waiting += piece
        found = []
        while not self.is_broken and self._is_at_block():
            end = self._waiting.find(END)
            begun = self._waiting.rfind(START, 1, end if end > 0 else len(self._waiting))
            if begun > 0:  # the one before broke off
                self.strays += 1
                del self._waiting[:begun]
            elif end < 0:
                self.is_broken = len(self._waiting) > self._bytes_max
                break
            else:
                found.append(bytes(self._waiting[1:end]))
                del self._waiting[: end + 1]
        return found

    def _is_at_block(self) -> bool:
        """Pass over what is no block; False: no block begins in what is left."""
        start = self._waiting.find(START)
        passed = self._waiting[: start if start >= 0 else len(self._waiting)]
        self.strays += bool(passed.strip(_BLANK))
        del self._waiting[: len(passed)]
        return start >= 0
