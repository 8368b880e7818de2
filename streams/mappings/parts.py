"""Parts: values of a record that are written in a format of their own, and texts that hold several values."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from sentinel.core.errors import RejectionCode as Code
from streams.mappings.csv_rows import dialect_of
from streams.mappings.document import Part, Split
from streams.mappings.log_lines import by_pairs
from streams.mappings.patterns import Patterns
from streams.mappings.table import EVENTS_MAX, Input, Table, Where

Parse = Callable[[str], Any]  # None when it cannot be read

PART_MAX: Final = 262_144


@dataclass(frozen=True, slots=True)
class PartReader:
    """Adds the columns of a part to a table."""

    source: str
    where: Where
    parse: Parse
    inputs: Sequence[Input]
    required: bool

    def add(self, table: Table) -> None:
        """Add a column for each input of the part."""
        values = [self.parse(text) if 0 < len(text) <= PART_MAX else None for text in table.columns[self.source]]
        if self.required:
            for at in (at for at, value in enumerate(values) if value is None):
                table.complain(at, Code.UNPARSEABLE, self.where, "a part that the mapping cannot read")
        for one in self.inputs:
            found = [None if value is None else one.get(value) for value in values]
            table.columns[one.text] = [text.strip() if text else "" for text in found]


def parse_of(part: Part) -> Parse:
    """Return what reads the text of a part."""
    if part.pattern is not None:
        return _by_patterns(part.pattern)
    if part.columns is not None:
        return _by_cells(dialect_of(part.csv), part.columns)
    if part.format == "json":
        return _by_json
    return by_pairs(part.key_value)


def _by_patterns(patterns: Sequence[str]) -> Parse:
    kinds = Patterns(patterns)

    def parse(text: str) -> Mapping[str, str] | None:
        which, groups = kinds.take(text.encode("utf-8", "replace"))
        return None if which < 0 else groups

    return parse


def _by_cells(dialect: dict[str, Any], columns: Sequence[str]) -> Parse:
    def parse(text: str) -> Mapping[str, str] | None:
        try:
            cells = next(csv.reader(text.splitlines(keepends=True), **dialect), [])
        except csv.Error:
            return None
        return dict(zip(columns, cells, strict=False))

    return parse


def _by_json(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode("utf-8", "replace"))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class TextSplit:
    """Makes each of the values that a text holds an event of its own."""

    source: str
    where: Where
    split: Split

    def divide(self, table: Table) -> Table:
        """Return the table with an event for each value; a text without any gives one event where that is allowed, else none."""
        order: list[int] = []
        items: list[str] = []
        for at, text in enumerate(table.columns[self.source]):
            values = [value.strip() for value in text.split(self.split.separator) if value.strip()]
            values = values[:EVENTS_MAX] or [""]
            order += [at] * len(values)
            items += values
        divided = table.taken(order)
        divided.columns[self.split.alias] = items
        if not self.split.optional:
            for at in (at for at, value in enumerate(items) if not value):
                divided.complain(at, Code.MISSING_FIELD, self.where, "nothing is told")
        return divided
