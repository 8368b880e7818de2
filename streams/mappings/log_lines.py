"""Lines of text: of known kinds, by patterns, or of names and values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import IO, Final

from sentinel.core.errors import RejectedError, Rejection
from sentinel.core.errors import RejectionCode as Code
from streams.mappings.document import KeyValue, Lines
from streams.mappings.encodings import Encoding
from streams.mappings.patterns import Patterns
from streams.mappings.table import Blocks, Input, Table

Named = dict[str, str]
PAIRS_MAX: Final = 1_000
QUOTED_MAX: Final = 8_192


class LinesReader:
    """Lines, each of which gives names and values, or None: nothing of ours, or an empty dictionary: to be passed over."""

    def __init__(self, parse: Callable[[str], Named | None], encoding: Encoding, inputs: Sequence[Input], why: str) -> None:
        """`why`: what is said of a line that gives nothing."""
        self._parse, self._encoding, self._inputs, self._why = parse, encoding, inputs, why

    def cut(self, stream: IO[bytes]) -> Blocks:
        """Yield the lines that are not blank."""
        for first, lines in self._encoding.lines(stream):
            told = [(number, line) for number, line in enumerate(lines, first) if line.strip(b" \t\0")]
            yield [number for number, _ in told], [line for _, line in told]

    def read(self, records: Sequence[bytes]) -> Table:
        """Return a column for each input."""
        table = Table(columns={one.text: [] for one in self._inputs})
        for index, record in enumerate(records):
            try:
                for place, line in self._lines_of(record):
                    self._take(table, index, place, line)
            except RejectedError as error:
                table.refused.append(Rejection(index, error.code, error.pointer, error.detail))
        return table

    def _lines_of(self, record: bytes) -> Iterator[tuple[str, str]]:
        text = self._encoding.text(record).strip("\r\n")
        if "\n" not in text:
            yield "", text
            return
        for number, line in enumerate(text.split("\n")):
            if line.strip():
                yield f"/{number}", line.removesuffix("\r")

    def _take(self, table: Table, index: int, place: str, line: str) -> None:
        named = self._parse(line)
        if named is None:
            table.refused.append(Rejection(index, Code.UNPARSEABLE, place, self._why))
        elif not named:
            table.skipped += 1
        else:
            for name, values in table.columns.items():
                values.append(named.get(name, "").strip())
            table.records.append(index)
            table.bases.append(place)
            table.places.append(place)
            table.contents.append(line)


def by_patterns(lines: Lines) -> Callable[[str], Named | None]:
    """Return what takes a line apart by its kind."""
    kinds = Patterns([one.pattern for one in lines.kinds])
    otherwise: Named | None = {} if lines.otherwise == "skip" else None
    constants = [{**one.set, "kind": one.set.get("kind", str(number))} for number, one in enumerate(lines.kinds, 1)]

    def parse(line: str) -> Named | None:
        which, groups = kinds.take(line.encode("utf-8", "replace"))
        return otherwise if which < 0 else groups | constants[which]

    return parse


def by_pairs(layout: KeyValue) -> Callable[[str], Named | None]:
    """Return what takes the names and values out of a line; what else is in it is passed over."""
    find, quote = _pairs(layout.sign, layout.between, layout.quote).finditer, layout.quote

    def parse(text: str) -> Named | None:
        named: Named = {}
        for match in find(text):
            name, value = match.groups()
            if value is None:
                continue
            value = value.strip()
            if quote and len(value) > 1 and value[0] == value[-1] == quote:
                value = value[1:-1].replace(f"\\{quote}", quote).replace("\\\\", "\\")
            named.setdefault(name.strip(), value)
            if len(named) > PAIRS_MAX:
                return None
        return named or None

    return parse


@lru_cache(maxsize=64)
def _pairs(sign: str, between: str, quote: str) -> re.Pattern[str]:
    """Return the expression of a name with or without a value. Each match uses up what it looked at: a text is gone over once."""
    no_name = re.escape(sign[0] + (between[:1] or " \t\r\n") + quote)
    quoted = rf"{re.escape(quote)}(?:[^{re.escape(quote)}\\]|\\.){{0,{QUOTED_MAX}}}{re.escape(quote)}|" if quote else ""
    value = rf"\s*({quoted}[^{re.escape(between[0])}]*)" if between else rf"({quoted}\S*)"
    return re.compile(rf"([^{no_name}]+)(?:{re.escape(sign)}{value})?", re.DOTALL)
