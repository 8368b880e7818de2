"""The shape of an unknown file: its encoding, how records are written, and a sample of their values by place."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Final

from sentinel.core.errors import RejectedError
from streams.mappings.csv_rows import dialect_of
from streams.mappings.document import Csv, KeyValue
from streams.mappings.encodings import Encoding
from streams.mappings.log_lines import by_pairs
from streams.mappings.selectors import scalar
from streams.mappings.trees import json_documents, xml_documents

SAMPLE_BYTES: Final = 1 << 20
ROWS_MAX: Final = 2_000
PLACES_MAX: Final = 300
DEPTH_MAX: Final = 6
DELIMITERS: Final = ",;\t|"
QUOTES: Final = (('"', ""), ('"', "\\"), ("'", "\\"))  # and what stands before one within
CELLS_MIN: Final = 3
PAIRS_MIN: Final = 4
MOST: Final = 0.9

Columns = dict[str, list[str]]


@dataclass(slots=True)
class Shape:
    """How a file is written. `columns`: by selector, the values of the sample (empty: not told).

    `split`: the list that a document is made of. `holds_json`: each line ends in a document, which `columns` are of.
    """

    format: str
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    has_header: bool = True
    split: str = ""
    holds_json: bool = False
    columns: Columns = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def sniff(stream: IO[bytes]) -> Shape:
    """Return the shape of a file by its first megabyte."""
    data = stream.read(SAMPLE_BYTES)
    whole = len(data) < SAMPLE_BYTES
    encoding = _encoding(data)
    marked = data.removeprefix(codecs.BOM_UTF8)
    text = marked.decode("utf-16" if encoding == "utf-16" else encoding, "replace")
    lines = text.splitlines() if whole else text.splitlines()[:-1]
    lines = [line for line in lines if line.strip()][:ROWS_MAX]
    shape = _of_documents(data, text, lines) or _of_endings(lines) or _of_pairs(lines) or _of_rows(lines) or Shape("lines")
    shape.encoding, shape.lines = encoding, lines
    return shape


def _encoding(data: bytes) -> str:
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(data)
    except UnicodeDecodeError:
        return "windows-1252"
    return "utf-8"


# -- documents


def _of_documents(data: bytes, text: str, lines: Sequence[str]) -> Shape | None:
    first = text.lstrip("\ufeff \t\r\n")[:1]
    if first not in ("{", "[", "<"):
        return None
    documents = list(_xml(data, lines) if first == "<" else _json(text, lines))
    if not documents:
        return None
    shape = Shape("xml" if first == "<" else "json")
    shape.split = _list_of(documents)
    items = [item for document in documents for item in _items(document, shape.split)]
    shape.columns = _flattened(items[:ROWS_MAX], "item." if shape.split else "")
    return shape


def _json(text: str, lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    read = json_documents(Encoding("utf-8"))
    for part in (text, *lines):
        try:
            found = read(part.encode("utf-8", "replace"))
        except RejectedError:
            continue
        yield from (one for one in found if isinstance(one, dict))
        if part is text:
            return


def _xml(data: bytes, lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    for part in (data, *(line.encode() for line in lines)):
        try:
            yield from xml_documents(part)
        except RejectedError:
            continue
        if part is data:
            return


def _list_of(documents: Sequence[dict[str, Any]]) -> str:
    """Return the place of the list that each document is mostly made of; empty when there is none."""
    if len(documents) > 1:
        return ""
    lists = {name: value for name, value in documents[0].items() if isinstance(value, list) and value}
    held = {name: len(value) for name, value in lists.items() if all(isinstance(item, dict) for item in value)}
    return max(held, key=held.__getitem__, default="")


def _items(document: dict[str, Any], name: str) -> list[Any]:
    return document[name] if name else [document]


def _flattened(items: Sequence[Any], prefix: str) -> Columns:
    columns: Columns = {}
    for number, item in enumerate(items):
        for place, value in _leaves(item, "", DEPTH_MAX):
            if place not in columns and len(columns) >= PLACES_MAX:
                continue
            values = columns.setdefault(place, [])
            values += [""] * (number - len(values))
            values.append(value)
    return {prefix + place: values + [""] * (len(items) - len(values)) for place, values in columns.items()}


_PLAIN: Final = re.compile(r'[^.\[\]"=/]+')


def _leaves(item: Any, place: str, depth: int) -> Iterator[tuple[str, str]]:
    if not isinstance(item, dict):
        text = scalar(item)
        if text is not None and place:
            yield place, text.strip()
        return
    for name, value in item.items():
        step = name if _PLAIN.fullmatch(name) else f'"{name}"'
        if depth and '"' not in name and name:
            yield from _leaves(value, f"{place}.{step}" if place else step, depth - 1)


def _of_endings(lines: Sequence[str]) -> Shape | None:
    """Return the shape of lines that end in JSON: of syslog, with a cookie or without."""
    found = [document for line in lines for document in _json(line[line.find("{") :], ())]
    if not lines or len(found) < MOST * len(lines):
        return None
    return Shape("lines", holds_json=True, columns=_flattened(found, "item."))


# -- names and values


def _of_pairs(lines: Sequence[str]) -> Shape | None:
    parse = by_pairs(KeyValue())
    parsed = [parse(line) or {} for line in lines]
    rich = [one for one in parsed if len(one) >= PAIRS_MIN]
    if not lines or len(rich) < MOST * len(lines):
        return None
    names = list(dict.fromkeys(name for one in rich for name in one))[:PLACES_MAX]
    return Shape("key-value", columns={name: [one.get(name, "") for one in parsed] for name in names})


# -- rows


def _of_rows(lines: Sequence[str]) -> Shape | None:
    dialects = [Csv(delimiter=delimiter, quote=quote, escape=escape) for quote, escape in QUOTES for delimiter in DELIMITERS]
    found = [_rows(lines, dialect) for dialect in dialects]
    wide = [(len(rows[0]), -place, rows) for place, rows in enumerate(found) if rows]
    if not wide:
        return None
    _, place, rows = max(wide, key=lambda one: one[:2])
    dialect = dialects[-place]
    named = _names_columns(rows)
    names = [name.strip() for name in rows[0]] if named else [f"c{number}" for number in range(1, len(rows[0]) + 1)]
    body = rows[1:] if named else rows
    columns = {name: [row[at].strip() for row in body] for at, name in enumerate(names) if name}
    return Shape("csv", "utf-8", dialect.delimiter, dialect.quote, dialect.escape, has_header=named, columns=columns)


def _rows(lines: Sequence[str], dialect: Csv) -> list[list[str]]:
    """Return the rows that a dialect gives, when it gives most of them the same width."""
    try:
        told = dialect_of(dialect) | {"strict": False}
        rows = [row for row in csv.reader((line + "\n" for line in lines), **told) if row]
    except csv.Error:
        return []
    if not rows:
        return []
    width, count = Counter(map(len, rows)).most_common(1)[0]
    even = [row for row in rows if len(row) == width]
    return even if width >= CELLS_MIN and count >= MOST * len(rows) and len(rows[0]) == width else []


_DATA: Final = re.compile(r"\d|^$")


def _names_columns(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row names columns: all different, and with less in it that looks like data than in the next."""
    first = [cell.strip().casefold() for cell in rows[0]]
    if len(set(first)) < len(first) or not all(first):
        return False
    like_data = [sum(bool(_DATA.search(cell)) for cell in row) for row in rows[:2]]
    return len(rows) < 2 or like_data[0] < like_data[1] or like_data[0] == 0
