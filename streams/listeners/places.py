"""How far a file was read, known again by its bytes: whatever it is called now, copied, compressed or begun anew."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from hashlib import blake2b
from typing import IO, Final, cast

import msgspec
import zstandard

PROOF_BYTES: Final = 1_024
BUFFER_BYTES: Final = 1 << 18
WINDOW_BYTES_MAX: Final = 128 << 20  # of zstd, as its command line takes
GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
CUT_SHORT: Final = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError)
"""What reading a compressed file raises that is damaged, or not written to its end yet."""


class Place(msgspec.Struct, array_like=True):
    """Where reading a file goes on: at `offset` of what it holds once decompressed.

    `head` and `tail`: digests of its first bytes, and of those before `offset`, `PROOF_BYTES` at most.
    `size` and `mtime_ns`: of the file when all of it was read; -1: it was not. Of a file that is taken as a whole `offset` counts
    records, and `head` tells which state of the file they are of.
    `is_in_cut_line`: the line that `offset` is in was too long, and its rest is passed over.
    """

    path: str
    device: int
    inode: int
    offset: int = 0
    head: bytes = b""
    tail: bytes = b""
    size: int = -1
    mtime_ns: int = -1
    is_in_cut_line: bool = False

    def is_done(self, stat: os.stat_result) -> bool:
        """Tell whether nothing happened to the file since all of it was read."""
        return (self.size, self.mtime_ns) == (stat.st_size, stat.st_mtime_ns)

    def finish(self, stat: os.stat_result) -> None:
        """Note that all of the file was read."""
        self.size, self.mtime_ns = stat.st_size, stat.st_mtime_ns


def digest(data: bytes) -> bytes:
    """Return what tells these bytes from others."""
    return blake2b(data, digest_size=16).digest()


def decompressed(raw: IO[bytes]) -> IO[bytes]:
    """Return what a file holds, gzip and zstd decompressed, whatever it is called."""
    magic = raw.read(4)
    raw.seek(0)
    if magic.startswith(GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if magic == ZSTD:
        codec = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
        return io.BufferedReader(codec.stream_reader(raw, read_across_frames=True, closefd=False), BUFFER_BYTES)
    return raw


def read_up_to(text: IO[bytes], size: int) -> tuple[bytes, bool]:
    """Return so many bytes, fewer at the end, and whether compressed data broke off there."""
    parts: list[bytes] = []
    try:
        while size > 0 and (part := text.read1(size)):  # type: ignore[attr-defined]
            parts.append(part)
            size -= len(part)
    except CUT_SHORT:
        return b"".join(parts), True
    return b"".join(parts), False


def tail_before(text: IO[bytes], place: Place) -> bytes | None:
    """Move `text`, open at its beginning, to `place` and return the `PROOF_BYTES` before it; None: it holds something else."""
    proof = min(PROOF_BYTES, place.offset)
    head, _ = read_up_to(text, min(2 * PROOF_BYTES, place.offset))
    tail = head[len(head) - proof :]
    if place.offset > len(head):
        _skip(text, place.offset - proof - len(head))
        tail, _ = read_up_to(text, proof)
    is_same = proof == 0 or (digest(head[:proof]), digest(tail)) == (place.head, place.tail)
    return tail if is_same else None


def _skip(text: IO[bytes], size: int) -> None:
    """Pass over so many bytes; what is compressed is read through."""
    if isinstance(text, io.BufferedReader) and text.seekable():
        text.seek(size, os.SEEK_CUR)
        return
    while size > 0:
        part, _ = read_up_to(text, min(size, BUFFER_BYTES))
        size -= len(part) or size


def proved(place: Place, taken: bytes, text_before: bytes) -> Place:
    """Return where reading goes on after `taken`, which follows on `place`.

    `text_before`: the last bytes before `place`, `PROOF_BYTES` or all that there are.
    """
    offset = place.offset + len(taken)
    tail = (text_before + taken[-PROOF_BYTES:])[-PROOF_BYTES:]
    head = place.head if place.offset >= PROOF_BYTES else digest((text_before + taken)[:PROOF_BYTES])
    return msgspec.structs.replace(place, offset=offset, head=head, tail=digest(tail), size=-1, mtime_ns=-1)
