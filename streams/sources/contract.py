"""What a source is: a format's name and how its bytes become event rows. How bytes travel is not its business."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from sentinel.core.errors import Rejection
from sentinel.core.event import EventRow


@dataclass(slots=True)
class Decoded:
    """Rows in the order of their records, the record each came from, and what was refused.

    `records[i]` is the index, in what was handed to the source, of the record that gave `rows[i]`;
    it never decreases, and one record may give several rows (one a patient). `skipped`: how many events were
    passed over on purpose.
    """

    rows: list[EventRow] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    skipped: int = 0


Decode = Callable[[Sequence[bytes]], Decoded]
Mark = Callable[[bytes], str]
"""Tells what a row is marked with, given the document that gave it."""


@dataclass(frozen=True, slots=True)
class Source:
    """One format.

    `decode` takes whole records (a JSON document, an XML message, a line) and never raises for
    what they hold: a bad record becomes a `Rejection`, the others go on.
    `split` cuts a file's bytes into records for formats that are not one record a line; None: NDJSON.
    `has_header`: a file's first line names its columns, and a record is a line behind that one.
    `marking` returns a `decode` that marks rows by the documents they come from; None: the format has no such documents.
    `cut` does so with an open file, in blocks of records and the lines (from 1) they begin on; None: see `streams.files`.
    """

    name: str
    title: str
    decode: Decode
    media_types: tuple[str, ...] = ("application/json",)
    split: Callable[[bytes], list[bytes]] | None = None
    cut: Callable[[IO[bytes]], Iterator[tuple[list[int], list[bytes]]]] | None = None
    has_header: bool = False
    marking: Callable[[Mark], Decode] | None = None
