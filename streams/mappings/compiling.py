"""A mapping into a source: selectors, rules and conditions become closures over columns, once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from sentinel.core.event import EventRow
from streams.mappings.conditions import any_holds, selectors_of
from streams.mappings.csv_rows import CsvReader
from streams.mappings.document import FLAT, Mapping, Split
from streams.mappings.encodings import Encoding
from streams.mappings.fields import OPTIONAL, checked, counts_of, ids_of, times_of, wheres_of
from streams.mappings.log_lines import LinesReader, by_pairs, by_patterns
from streams.mappings.parts import PartReader, TextSplit, parse_of
from streams.mappings.patterns import names_of
from streams.mappings.selectors import Selector, getter, selector
from streams.mappings.table import Input, Reader, Table, Where
from streams.mappings.times import Local, reader
from streams.mappings.trees import List, TreesReader, json_cut, json_documents, xml_cut, xml_documents
from streams.mappings.zones import SITE
from streams.sources.contract import Decoded, Source

DEFAULT_ZONE: Final = "Europe/Paris"
MEDIA_TYPES: Final = {
    "csv": ("text/csv", "text/plain", "text/tab-separated-values"),
    "json": ("application/json", "application/x-ndjson"),
    "xml": ("application/xml", "text/xml"),
    "lines": ("text/plain",),
    "key-value": ("text/plain",),
}

_new_row: Final = partial(tuple.__new__, EventRow)
_BLANKS: Final = dict.fromkeys(OPTIONAL, "") | {"outcome": "success", "actor_type": "human", "marks": ""}


class UnknownPlaceError(ValueError):
    """A selector that leads nowhere in records of this mapping; `text` is the selector."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text}: {why}")
        self.text = text


class Places:
    """All that a mapping reads: its selectors, each with whose it is."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._flat = mapping.format in FLAT
        self._aliases = [*(one.alias for one in mapping.split), *(one.alias for one in mapping.parts)]
        self._flat_parts = [one.alias for one in mapping.parts if one.format != "json"]
        self.selectors = {text: self._selector(text) for text in self._texts()}
        for one in self.selectors.values():
            self._check(one)

    def _texts(self) -> list[str]:
        mapping, fields = self._mapping, self._mapping.fields
        rules = [*fields.occurred_at.selectors, *(text for _, rule in fields.rules() for text in rule.selectors)]
        lists = [one.list for one in mapping.split if one.separator]
        return list(dict.fromkeys((*lists, *(one.source for one in mapping.parts), *selectors_of(mapping.skip), *rules)))

    def _selector(self, text: str, aliases: Sequence[str] | None = None) -> Selector:
        known = self._aliases if aliases is None else aliases
        try:
            return selector(text, known, flat=self._flat, flat_aliases=self._flat_parts)
        except ValueError as error:
            raise UnknownPlaceError(text, str(error)) from None

    def list_of(self, one: Split) -> Selector:
        """Return the selector of a list, which may be in an item of those before it."""
        before = self._mapping.split[: self._mapping.split.index(one)]
        return self._selector(one.list, [other.alias for other in before])

    def _check(self, one: Selector) -> None:
        known = self._known(one.root)
        name = str(one.steps[0]) if one.steps else ""
        if known is not None and (name.casefold() if self._mapping.format == "csv" and not one.root else name) not in known:
            raise UnknownPlaceError(one.text, "there is no such column, group or name")

    def _known(self, root: str) -> frozenset[str] | None:
        """Return the names that a flat record or part has; None when only records tell."""
        mapping = self._mapping
        if root:
            part = next((one for one in mapping.parts if one.alias == root), None)
            if part is None or (part.pattern is None and part.columns is None):
                return None
            names = part.columns or [name for one in part.pattern or () for name in names_of(one)]
        elif mapping.lines is not None:
            names = ["kind", *(name for one in mapping.lines.kinds for name in (*names_of(one.pattern), *one.set))]
        elif mapping.csv.columns is not None:
            names = [name.casefold() for name in mapping.csv.columns]
        else:
            return None
        return frozenset(names)

    def where(self, text: str) -> Where:
        """Return where a place is, for rejections: within a part, that of the part's text."""
        one = self.selectors[text]
        part = next((part for part in self._mapping.parts if part.alias == one.root), None)
        if part is not None:
            return self.where(part.source)
        lists = [one for one in self._mapping.split if not one.separator]
        split = next((split for split in self._mapping.split if split.alias == one.root), None)
        if split is None or (lists and split is lists[-1]):
            return Where(one.pointer, inner=split is not None)
        return Where(self.list_of(split).pointer + one.pointer)

    def inputs(self, root: str) -> list[Input]:
        """Return the inputs of the record (empty), a list's item or a part."""
        own = [one for one in self.selectors.values() if one.root == root]
        return [Input(one.text, self.where(one.text), getter(one.steps)) for one in own]


def compiled(mapping: Mapping, site_zone: str = DEFAULT_ZONE) -> Source:
    """Return the source that a mapping describes. `site_zone`: the zone of a mapping whose `time_zone` is the site's.

    Raises:
        UnknownPlaceError: a selector leads nowhere.
    """
    decoder = Decoder(mapping, site_zone)
    return Source(
        name=mapping.mapping,
        title=mapping.title,
        decode=decoder.decode,
        media_types=MEDIA_TYPES[mapping.format],
        split=decoder.split,
        cut=decoder.reader.cut,
        has_header=mapping.format == "csv" and mapping.csv.columns is None,
    )


class Decoder:
    """Records of one mapping into event rows."""

    def __init__(self, mapping: Mapping, site_zone: str) -> None:
        places = Places(mapping)
        self.reader = _reader(mapping, places)
        self._not_told = frozenset(mapping.not_told)
        self._splits = [TextSplit(one.list, places.where(one.list), one) for one in mapping.split if one.separator]
        self._parts = [
            PartReader(one.source, places.where(one.source), parse_of(one), places.inputs(one.alias), one.required)
            for one in mapping.parts
        ]
        self._skips = any_holds(mapping.skip) if mapping.skip else None
        self._is_divided = bool(mapping.split)
        self._is_of_items = any(not one.separator for one in mapping.split)
        self._make_columns(mapping, places, site_zone)

    def _make_columns(self, mapping: Mapping, places: Places, site_zone: str) -> None:
        fields = mapping.fields
        wheres = wheres_of(fields, places.where)
        zone = site_zone if mapping.time_zone == SITE else mapping.time_zone
        read = reader(fields.occurred_at.format, Local(ZoneInfo(zone), mapping.ambiguous), mapping.year)
        self._times = times_of(fields.occurred_at, read, wheres["occurred_at"])
        told = dict(fields.rules())
        self._texts = {name: checked(name, told[name], wheres[name]) for name in ("id", *OPTIONAL) if name in told}
        count = fields.resource_count
        self._counts = counts_of(count, wheres["resource_count"]) if count else None

    def split(self, data: bytes) -> list[bytes]:
        """Return the records of a file that is in memory."""
        return [record for _, records in self.reader.cut(io.BytesIO(data)) for record in records]

    def decode(self, records: Sequence[bytes]) -> Decoded:
        """Return the rows of all good records in their order, and why the others were refused."""
        table = self.table(records)
        rows = self._rows(table)
        decoded = Decoded(rows, table.records, table.refused, table.skipped)
        if table.bad:
            decoded.rejections += table.bad.values()
            good = [at for at in range(len(table)) if at not in table.bad]
            decoded.rows, decoded.records = [rows[at] for at in good], [table.records[at] for at in good]
        decoded.rejections.sort(key=lambda one: one.index)
        return decoded

    def table(self, records: Sequence[bytes]) -> Table:
        """Return all that is read of records, before it becomes fields."""
        table = self.reader.read(records)
        self._drop_words(table, tuple(table.columns))
        for split in self._splits:
            table = split.divide(table)
        for part in self._parts:
            before = set(table.columns)
            part.add(table)
            self._drop_words(table, [name for name in table.columns if name not in before])
        if self._skips is not None and len(table):
            flags = self._skips(table)
            if any(flags):
                table.skipped += sum(flags)
                table = table.taken([at for at, skip in enumerate(flags) if not skip])
        return table

    def _drop_words(self, table: Table, names: Sequence[str]) -> None:
        words = self._not_told
        for name in names:
            values = table.columns[name]
            if not words.isdisjoint(values):
                table.columns[name] = ["" if text in words else text for text in values]

    def _rows(self, table: Table) -> list[EventRow]:
        n = len(table)
        if not n:
            return []
        columns: dict[str, Sequence[Any]] = {"occurred_at": self._times(table)}
        for name, make in self._texts.items():
            columns[name] = make(table)
        columns["resource_count"] = self._counts(table) if self._counts else [1] * n
        if "id" not in columns:
            beside: list[Sequence[str]] = [table.columns[one.split.alias] for one in self._splits]
            if self._is_of_items:  # which say what is done to each, and the document around them when and by whom
                beside += [list(map(str, columns["occurred_at"])), columns["actor_id"]]
            columns["id"] = ids_of(table, beside)
        columns["sub"] = _subs(table, columns["id"]) if self._is_divided else [""] * n
        ordered = [columns[name] if name in columns else [_BLANKS[name]] * n for name in EventRow._fields]
        return list(map(_new_row, zip(*ordered, strict=True)))


def _subs(table: Table, ids: Sequence[str]) -> list[str]:
    """Return what tells apart the events of one record that share an id: nothing for the first, then 1, 2 and so on."""
    met: dict[tuple[int, str], int] = {}
    subs = []
    for key in zip(table.records, ids, strict=True):
        number = met.get(key, 0)
        met[key] = number + 1
        subs.append(str(number) if number else "")
    return subs


def _reader(mapping: Mapping, places: Places) -> Reader:
    encoding = Encoding(mapping.encoding)
    inputs = places.inputs("")
    if mapping.format == "csv":
        return CsvReader(mapping.csv, encoding, inputs, _alternatives(mapping, places))
    if mapping.format == "lines" and mapping.lines is not None:
        return LinesReader(by_patterns(mapping.lines), encoding, inputs, "a line of no kind that the mapping knows")
    if mapping.format == "key-value":
        return LinesReader(by_pairs(mapping.key_value), encoding, inputs, "no names and values")
    return _trees(mapping, places, encoding)


def _alternatives(mapping: Mapping, places: Places) -> list[list[str]]:
    """Return the columns that a header must have: of several that one field may be read from, one."""
    fields = mapping.fields
    sources = [fields.occurred_at.source, *(rule.source for _, rule in fields.rules())]
    together = [one for one in sources if one and len(one) > 1]
    several = {name for one in together for name in one}
    optional = {name.casefold() for name in mapping.csv.optional}
    alone = [[one.text] for one in places.selectors.values() if not one.root and one.text not in several]
    wanted = [*alone, *([name for name in one if not places.selectors[name].root] for one in together)]
    return [one for one in wanted if one and not any(name.casefold() in optional for name in one)]


def _trees(mapping: Mapping, places: Places, encoding: Encoding) -> TreesReader:
    lists = [one for one in mapping.split if not one.separator]
    scopes = {"": 0} | {one.alias: number for number, one in enumerate(lists, 1)}
    inputs = [(scope, one) for alias, scope in scopes.items() for one in places.inputs(alias)]
    is_json = mapping.format == "json"
    trees = TreesReader(
        json_documents(encoding) if is_json else xml_documents, json_cut(encoding) if is_json else xml_cut, inputs
    )
    found = [(one, places.list_of(one)) for one in lists]
    trees.lists = [List(scopes[where.root], where, one.optional) for one, where in found]
    return trees
