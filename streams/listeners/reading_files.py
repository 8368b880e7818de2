"""What is new in one file, in batches, each with where reading goes on once it is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

import msgspec

from streams import files as documents
from streams.listeners.places import (
    BUFFER_BYTES,
    CUT_SHORT,
    PROOF_BYTES,
    Place,
    decompressed,
    digest,
    proved,
    read_up_to,
    tail_before,
)
from streams.listeners.receiving import RECORD_BYTES_MAX, Received
from streams.sources.contract import Source

BOM: Final = b"\xef\xbb\xbf"
BATCH_RECORDS: Final = 1_000
DELIVERY_BYTES_MAX: Final = 64 << 20  # of a file that is taken as a whole


FileKey = tuple[int, int]


def key_of(stat: os.stat_result) -> FileKey:
    """Return what tells a file from others while it lives: device and inode."""
    return stat.st_dev, stat.st_ino


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is there; `path` opens it, `name` is what it is called."""

    path: Path
    name: str
    stat: os.stat_result

    @property
    def key(self) -> FileKey:
        """Return what tells it from other files while it lives."""
        return key_of(self.stat)

    @contextmanager
    def text(self) -> Iterator[IO[bytes]]:
        """Open it, decompressing.

        Raises:
            FileNotFoundError: it is not there any more, or another is called so by now.
        """
        with self.path.open("rb") as raw:
            if key_of(os.fstat(raw.fileno())) != self.key:
                raise FileNotFoundError
            with decompressed(raw) as text:
                yield text

    def place(self) -> Place:
        """Return its beginning."""
        return Place(self.name, *self.key)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one file, and where reading it goes on once they are kept. `is_broken`: compressed data broke off."""

    place: Place
    records: Sequence[Received] = ()
    is_broken: bool = False


def grown(source: Source, one: Found, place: Place, *, is_quiet: bool) -> Iterator[Batch]:
    """Yield the lines that are whole behind `place`; from the beginning when the file does not hold what was read of it.

    `is_quiet`: nobody writes to it any more, so that its last line needs no end.
    """
    with one.text() as text:
        before = tail_before(text, place)
        if before is not None:
            header = _header(one) if source.has_header else b""
            yield from _Lines(source.name, header, place, before).of(text, one.stat, is_quiet=is_quiet)
            return
    yield from grown(source, one, one.place(), is_quiet=is_quiet)


def _header(one: Found) -> bytes:
    """Return the first line that is not blank; nothing while there is none."""
    with one.text() as text, suppress(*CUT_SHORT):
        lines = iter(lambda: text.readline(BUFFER_BYTES), b"")
        return next((line.rstrip(b"\r\n") for line in lines if line.strip()), b"").removeprefix(BOM)
    return b""


class _Lines:
    """Cuts what follows on a place into lines, and knows where it stands."""

    def __init__(self, source: str, header: bytes, place: Place, before: bytes) -> None:
        self._source, self._header, self._place, self._before = source, header, place, before

    def of(self, text: IO[bytes], stat: os.stat_result, *, is_quiet: bool) -> Iterator[Batch]:
        """Yield a batch for each piece that holds a line's end, the last with the note that all was read."""
        rest, piece, is_broken = b"", b"-", False
        while piece and not is_broken:
            piece, is_broken = read_up_to(text, BUFFER_BYTES)
            rest += piece
            whole = rest.rfind(b"\n") + 1
            if not whole and len(rest) > RECORD_BYTES_MAX:
                yield self._cut_line(rest)
                rest = b""
            elif whole:
                yield self._lines(rest[:whole])
                rest = rest[whole:]
        if rest and is_quiet and not is_broken:
            yield self._lines(rest)
            rest = b""
        if is_broken or not rest:
            yield Batch(msgspec.structs.replace(self._place, size=stat.st_size, mtime_ns=stat.st_mtime_ns), is_broken=is_broken)

    def _lines(self, whole: bytes) -> Batch:
        lines = whole.split(b"\n")
        if self._place.is_in_cut_line:
            del lines[0]
        lines = [line for line in lines if line.strip()]
        if self._header:
            is_first = self._place.offset <= len(self._before) and not self._before.strip()
            lines = [self._header + b"\n" + line for line in lines[int(is_first) :]]
        return self._moved(whole, [Received(self._source, line.rstrip(b"\r")) for line in lines])

    def _cut_line(self, begun: bytes) -> Batch:
        """Return the beginning of a line that is too long; nothing when it was returned before."""
        records = [] if self._place.is_in_cut_line else [Received(self._source, begun[:RECORD_BYTES_MAX], is_cut=True)]
        return self._moved(begun, records, is_in_cut_line=True)

    def _moved(self, taken: bytes, records: Sequence[Received], *, is_in_cut_line: bool = False) -> Batch:
        self._place = proved(self._place, taken, self._before)
        self._place.is_in_cut_line = is_in_cut_line
        self._before = (self._before + taken[-PROOF_BYTES:])[-PROOF_BYTES:]
        return Batch(self._place, records)


def delivered(source: Source, one: Found, place: Place) -> Iterator[Batch]:
    """Yield the records of a finished file that were not taken of it, as it is now."""
    version = digest(f"{one.stat.st_size} {one.stat.st_mtime_ns}".encode())
    taken = place.offset if place.head == version else 0
    place = msgspec.structs.replace(one.place(), head=version, offset=taken)
    is_broken = False
    try:
        with one.text() as text:
            records = islice(_records_of(source, text), taken, None)
            while some := [Received(source.name, raw) for raw in islice(records, BATCH_RECORDS)]:
                place = msgspec.structs.replace(place, offset=place.offset + len(some))
                yield Batch(place, some)
    except CUT_SHORT:
        is_broken = True
    yield Batch(msgspec.structs.replace(place, size=one.stat.st_size, mtime_ns=one.stat.st_mtime_ns), is_broken=is_broken)


def _records_of(source: Source, text: IO[bytes]) -> Iterator[bytes]:
    if source.cut is None and source.split is not None:
        data = text.read(DELIVERY_BYTES_MAX + 1)
        if len(data) > DELIVERY_BYTES_MAX:
            raise EOFError
        yield from source.split(data)
        return
    for _, records in (source.cut or documents.cut)(text):
        yield from records
