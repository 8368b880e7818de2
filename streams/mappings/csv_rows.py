"""Rows of delimited text. A record is a row, after the row that names the columns where the mapping doesn't."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import IO, Any, Final

from sentinel.core.errors import RejectedError, Rejection
from sentinel.core.errors import RejectionCode as Code
from streams.mappings.document import Csv
from streams.mappings.encodings import Encoding
from streams.mappings.table import Blocks, Input, Table

ROW_LINES_MAX: Final = 2_000
HEADERS_MAX: Final = 256

Cells = list[str]
NOT_A_ROW: Final = "not a row of the mapping's delimiter and quotes"


def dialect_of(layout: Csv) -> dict[str, Any]:
    """Return what `csv.reader` is told."""
    quoting = csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE
    return {
        "delimiter": layout.delimiter,
        "quotechar": layout.quote or None,
        "escapechar": layout.escape or None,
        "doublequote": not layout.escape,
        "quoting": quoting,
        "strict": True,
        "skipinitialspace": False,
    }


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the inputs stand under one header: an index each, None where an optional one is not there."""

    at: tuple[int | None, ...]
    width: int
    width_min: int
    header: tuple[str, ...]


@dataclass(slots=True)
class _Row:
    """A row still in one text."""

    columns: _Columns
    record: int
    place: str
    text: str


class CsvReader:
    """Rows of delimited text."""

    def __init__(self, layout: Csv, encoding: Encoding, inputs: Sequence[Input], alternatives: Sequence[Sequence[str]]) -> None:
        """`alternatives`: columns of which one at least is needed, for each place that names several."""
        self._layout, self._encoding, self._inputs = layout, encoding, inputs
        self._dialect = dialect_of(layout)
        self._alternatives = alternatives
        self._named = layout.columns is None
        self._quote, self._newline = encoding.encode(layout.quote), encoding.encode("\n")
        self._of_header = lru_cache(maxsize=HEADERS_MAX)(self._columns_of)
        self._fixed = None if layout.columns is None else self._placed(layout.columns, layout.columns_min)

    # -- from a file to records

    def cut(self, stream: IO[bytes]) -> Blocks:
        """Yield rows, each after the file's first one where that names the columns."""
        header = b""
        waiting: list[bytes] = []
        first = 1
        for number, lines in self._encoding.lines(stream):
            first = first if waiting else number
            waiting += lines
            if self._named and not header:
                first, header = self._take_header(first, waiting)
            done, numbers, rows = self._rows(first, waiting, header)
            del waiting[:done]
            first += done
            yield numbers, rows
        while waiting:
            done, numbers, rows = self._rows(first, waiting, header, is_all=True)
            del waiting[:done]
            first += done
            yield numbers, rows

    def _take_header(self, first: int, waiting: list[bytes]) -> tuple[int, bytes]:
        while waiting:
            line = waiting.pop(0)
            first += 1
            if line.strip(b" \t\r\n\0"):
                return first, line + self._newline
        return first, b""

    def _rows(
        self, first: int, lines: Sequence[bytes], header: bytes, *, is_all: bool = False
    ) -> tuple[int, list[int], list[bytes]]:
        """Return how many lines are used, and the rows they are; a row that goes on beyond the lines is left."""
        numbers, rows, at = [], [], 0
        while at < len(lines):
            line, length = lines[at], 1
            if self._quote and line.count(self._quote) & 1:
                length = self._length(lines, at)
                if not length and not is_all and len(lines) - at < ROW_LINES_MAX:
                    break
                length = length or 1
                line = self._newline.join(lines[at : at + length])
            if line.strip(b" \t\r\n\0"):
                numbers.append(first + at)
                rows.append(header + line)
            at += length
        return at, numbers, rows

    def _length(self, lines: Sequence[bytes], at: int) -> int:
        """Return how many lines a row takes that begins at one with an odd quote; 0 when it does not end."""
        some = lines[at : at + ROW_LINES_MAX]
        codec, newline = self._encoding.codec, "\n"
        table = csv.reader((line.decode(codec, "replace") + newline for line in some), **self._dialect)
        try:
            next(table)
        except csv.Error:
            return 0 if table.line_num >= len(some) else 1
        except StopIteration:
            return 0
        return table.line_num

    # -- from records to a table

    def read(self, records: Sequence[bytes]) -> Table:
        """Return a column for each input."""
        table = Table(columns={one.text: [] for one in self._inputs})
        rows = self._texts(records, table.refused)
        for columns, run in groupby(rows, key=attrgetter("columns")):
            self._take(table, columns, list(run))
        return table

    def _texts(self, records: Sequence[bytes], refused: list[Rejection]) -> Iterator[_Row]:
        for index, record in enumerate(records):
            try:
                yield from self._rows_of(index, self._encoding.text(record))
            except RejectedError as error:
                refused.append(Rejection(index, error.code, error.pointer, error.detail))

    def _rows_of(self, index: int, text: str) -> Iterator[_Row]:
        columns, body = self._fixed, text
        if columns is None:
            header, newline, body = text.partition("\n")
            if not newline or not body.strip():
                raise RejectedError(Code.UNPARSEABLE, detail="no row after the one that names the columns")
            columns = self._of_header(header)
        if "\n" not in body.rstrip("\r\n"):
            yield _Row(columns, index, "", body.rstrip("\r\n"))
            return
        several = list(self._several(body))
        for number, row in enumerate(several):
            yield _Row(columns, index, f"/{number}" if len(several) > 1 else "", row)

    def _several(self, body: str) -> Iterator[str]:
        lines = [self._encoding.encode(line.removesuffix("\r")) for line in body.split("\n")]
        while lines:
            done, _, rows = self._rows(1, lines, b"", is_all=True)
            yield from (row.decode(self._encoding.codec) for row in rows)
            del lines[:done]

    def _columns_of(self, header: str) -> _Columns:
        try:
            names = next(csv.reader([header.rstrip("\r")], **self._dialect))
        except (csv.Error, StopIteration):
            raise RejectedError(Code.UNPARSEABLE, detail="the first row does not name columns") from None
        return self._placed(names, None)

    def _placed(self, names: Sequence[str], width_min: int | None) -> _Columns:
        known: dict[str, int] = {}
        for at, name in enumerate(names):
            known.setdefault(_folded(name), at)
        for needed in self._alternatives:
            if not any(_folded(one) in known for one in needed):
                pointer = "/" + needed[0].replace("~", "~0").replace("/", "~1")
                raise RejectedError(Code.MISSING_FIELD, pointer, "no column of this name")
        where = tuple(known.get(_folded(one.text)) for one in self._inputs)
        return _Columns(where, len(names), width_min or len(names), tuple(map(_folded, names)))

    def _take(self, table: Table, columns: _Columns, rows: list[_Row]) -> None:
        parsed = self._parsed([row.text for row in rows])
        good: list[Cells] = []
        for row, cells in zip(rows, parsed, strict=True):
            if cells is not None and len(cells) != columns.width:
                cells = _fitted(cells, columns)  # noqa: PLW2901
            if cells is None:
                table.refused.append(Rejection(row.record, Code.UNPARSEABLE, row.place, NOT_A_ROW))
            elif self._fixed is not None and _folded(cells[0]) == columns.header[0] and _is_header(cells, columns):
                continue
            else:
                good.append(cells)
                table.records.append(row.record)
                table.bases.append(row.place)
                table.places.append(row.place)
        for one, at in zip(self._inputs, columns.at, strict=True):
            table.columns[one.text] += [""] * len(good) if at is None else [cells[at].strip() for cells in good]
        table.contents += map("\x1f".join, good)

    def _parsed(self, texts: list[str]) -> Sequence[Cells | None]:
        """Return the cells of each text, None where it is no row: all at once, one by one when that does not come out even."""
        try:
            rows: list[Cells] = list(csv.reader(texts, **self._dialect))
        except csv.Error:
            rows = []
        return rows if len(rows) == len(texts) else [self._row(text) for text in texts]

    def _row(self, text: str) -> Cells | None:
        try:
            rows = list(csv.reader([text], **self._dialect))
        except csv.Error:
            return None
        return rows[0] if len(rows) == 1 else None


def _folded(name: str) -> str:
    return name.strip().removeprefix("\ufeff").casefold()


def _fitted(cells: Cells, columns: _Columns) -> Cells | None:
    """Return a row as wide as the columns: blank cells too many are dropped, those that may be left out are added."""
    if len(cells) > columns.width:
        return None if any(cell.strip() for cell in cells[columns.width :]) else cells[: columns.width]
    return None if len(cells) < columns.width_min else cells + [""] * (columns.width - len(cells))


def _is_header(cells: Iterable[str], columns: _Columns) -> bool:
    return tuple(map(_folded, cells)) == columns.header
