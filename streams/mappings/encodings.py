"""Bytes and characters of a mapping's records: its encoding, byte order marks, and the lines of a file."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.files import BLOCK_BYTES
from streams.mappings.table import RECORD_BYTES_MAX

BOM_8: Final = codecs.BOM_UTF8
BOMS_16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoding. Records are bytes in it, also those that were cut out of a file."""

    name: str

    @property
    def _is_wide(self) -> bool:
        return self.name.startswith("utf-16")

    @property
    def codec(self) -> str:
        """The codec of a record without byte order mark."""
        return "utf-16-le" if self.name == "utf-16" else self.name

    def encode(self, text: str) -> bytes:
        """Return the bytes of a text, without byte order mark."""
        return text.encode(self.codec, "surrogatepass" if self._is_wide else "strict")

    def text(self, record: bytes) -> str:
        """Return the characters of a record.

        Raises:
            RejectedError: it is too long, or in another encoding.
        """
        if len(record) > RECORD_BYTES_MAX:
            raise RejectedError(Code.TOO_LARGE, detail=f"more than {RECORD_BYTES_MAX} bytes")
        try:
            if not self._is_wide:
                return record.removeprefix(BOM_8).decode(self.name)
            marked = BOMS_16.get(record[:2])
            return record[2:].decode(marked) if marked else record.decode(self.codec)
        except UnicodeDecodeError:
            code = Code.NOT_UTF8 if self.name == "utf-8" else Code.UNPARSEABLE
            raise RejectedError(code, detail=f"not {self.name}") from None

    def lines(self, stream: IO[bytes]) -> Iterator[tuple[int, list[bytes]]]:
        """Yield a stream's lines in blocks, without their ends: the number (from 1) of the first, and the lines."""
        number = 1
        for lines in self._wide_lines(stream) if self._is_wide else _narrow_lines(stream):
            if number == 1 and lines:
                lines[0] = lines[0].removeprefix(BOM_8)
            yield number, lines
            number += len(lines)

    def _wide_lines(self, stream: IO[bytes]) -> Iterator[list[bytes]]:
        """Yield the lines of UTF-16, of which a newline is two bytes; what breaks it makes the rest one line."""
        head = stream.read(2)
        codec = BOMS_16.get(head, self.codec)
        decoder = codecs.getincrementaldecoder(codec)("surrogatepass")
        rest, chunk = "", b"" if head in BOMS_16 else head
        while chunk or (chunk := stream.read(BLOCK_BYTES)):
            try:
                *whole, rest = (rest + decoder.decode(chunk)).split("\n")
            except UnicodeDecodeError:
                yield [self.encode(rest) + chunk + stream.read(RECORD_BYTES_MAX)]
                return
            yield [self.encode(line.removesuffix("\r")) for line in whole]
            chunk = b""
        left = decoder.getstate()[0]
        if rest or left:
            yield [self.encode(rest.removesuffix("\r")) + left]


def _narrow_lines(stream: IO[bytes]) -> Iterator[list[bytes]]:
    while lines := stream.readlines(BLOCK_BYTES):
        yield [line.rstrip(b"\r\n") for line in lines]
