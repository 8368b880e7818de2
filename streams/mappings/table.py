"""Events on their way from a record: a column of texts for each place that the mapping reads, and what is wrong with some."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Final, NamedTuple, Protocol

from sentinel.core.errors import Rejection
from sentinel.core.errors import RejectionCode as Code

RECORD_BYTES_MAX: Final = 1 << 20
EVENTS_MAX: Final = 200_000  # of one record

Blocks = Iterator[tuple[list[int], list[bytes]]]  # lines (from 1) that records begin on, and the records


class Where(NamedTuple):
    """A place that a field is read from: a JSON pointer into the document or row, or (`inner`) into the item of the last list."""

    pointer: str
    inner: bool = False


@dataclass(slots=True)
class Table:
    """Columns of equal length. `columns` go by selector; an empty text is nothing told.

    `bases[i]` leads from the record to the document or row that event i is of, `places[i]` to the item that it is (JSON
    pointers, mostly empty). `contents[i]` is what an id is derived from.
    `bad` tells of events what is wrong with them, `refused` of what gave no event at all.
    """

    columns: dict[str, list[str]] = field(default_factory=dict)
    records: list[int] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)
    bad: dict[int, Rejection] = field(default_factory=dict)
    refused: list[Rejection] = field(default_factory=list)
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.records)

    def complain(self, at: int, code: Code, where: Where, detail: str) -> None:
        """Keep the first thing that is wrong with an event."""
        pointer = (self.places if where.inner else self.bases)[at] + where.pointer
        self.bad.setdefault(at, Rejection(self.records[at], code, pointer, detail))

    def taken(self, order: Sequence[int]) -> Table:
        """Return the table of the events at `order`, one perhaps several times; what is wrong goes along."""
        columns = {name: [values[at] for at in order] for name, values in self.columns.items()}
        bad = {new: self.bad[at] for new, at in enumerate(order) if at in self.bad} if self.bad else {}
        records, contents = [self.records[at] for at in order], [self.contents[at] for at in order]
        bases, places = [self.bases[at] for at in order], [self.places[at] for at in order]
        return Table(columns, records, bases, places, contents, bad, self.refused, self.skipped)


class Reader(Protocol):
    """One shape of records."""

    def read(self, records: Sequence[bytes]) -> Table:
        """Return the events of records, as far as this shape goes."""
        ...

    def cut(self, stream: IO[bytes]) -> Blocks:
        """Yield the records of a file in blocks."""
        ...


@dataclass(frozen=True, slots=True)
class Input:
    """A place that is read: what the mapping calls it, how it is told in a rejection, and what reads it."""

    text: str
    where: Where
    get: Callable[[object], str | None]
