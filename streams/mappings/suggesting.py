"""Drafts a mapping from a sample: valid YAML that loads, with a remark wherever a person must decide."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Final

from sentinel.core.event import EventRow
from streams.mappings.guessing import ACTIONS, OUTCOMES, codes_of, fields_of, has_year, meaning_of, time_formats
from streams.mappings.sniffing import Shape, sniff

Remarks = list[str]

_NAME: Final = re.compile(r"[^a-z0-9]+")
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]*")
_ENUMERATED: Final = {"action": ACTIONS, "outcome": OUTCOMES}


@dataclass(frozen=True, slots=True)
class Draft:
    """A mapping's text, and the remarks in it that ask a person."""

    name: str
    text: str
    decide: list[str]


def suggest(stream: IO[bytes], name: str) -> Draft | None:
    """Return a draft for the format of a file's first megabyte. Of its contents it quotes names and codes. None: it is empty."""
    shape = sniff(stream)
    if not shape.lines:
        return None
    drafting = _Drafting(shape, mapping_name(name))
    text = "\n".join(drafting.lines()) + "\n"
    return Draft(drafting.name, text, drafting.decide)


def mapping_name(name: str) -> str:
    """Return a name that a mapping can have."""
    plain = _NAME.sub("_", name.lower()).strip("_")[:60]
    return plain if re.match(r"[a-z].", plain) else f"log_{plain}".rstrip("_")


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


@dataclass(slots=True)
class _Drafting:
    """One draft on its way."""

    shape: Shape
    name: str
    decide: Remarks = field(default_factory=list)

    @property
    def _is_of_words(self) -> bool:
        return self.shape.format == "lines" and not self.shape.holds_json

    def lines(self) -> Iterator[str]:
        """Yield the lines of the file."""
        shape = self.shape
        yield f"mapping: {self.name}  # the file is called {self.name}.yaml"
        yield from self._remark("title", f"title: {self.name.replace('_', ' ')}", "say what it is")
        yield f"format: {shape.format}"
        if shape.encoding != "utf-8" and shape.format != "xml":
            yield f"encoding: {shape.encoding}"
        fields = fields_of(shape.columns) if not self._is_of_words else {}
        yield from self._time_zone(fields)
        yield from self._layout()
        yield "fields:"
        yield from self._fields(fields)
        yield from self._unread(fields)
        yield "tests: []"
        self.decide.append("tests: add lines of your own and what they become; `sentinel sources test` runs them")

    def _remark(self, what: str, line: str, remark: str) -> Iterator[str]:
        self.decide.append(f"{what}: {remark}")
        yield f"{line}  # decide: {remark}"

    def _time_zone(self, fields: dict[str, str]) -> Iterator[str]:
        guess = time_formats(self.shape.columns.get(fields.get("occurred_at", ""), ()))
        bears = guess is not None and (guess.formats[0] == "epoch" or "%z" in guess.formats[0] or self._bears_offset(fields))
        if not bears:
            yield from self._remark("time_zone", "time_zone: site", "the zone of times without an offset, such as Europe/Paris")
        form = _line_time(self.shape.lines)[1] if self._is_of_words else guess.formats[0] if guess else "iso"
        if not has_year(form):
            yield from self._remark("year", "year: 2026", "of times that bear no year")

    def _bears_offset(self, fields: dict[str, str]) -> bool:
        values = self.shape.columns[fields["occurred_at"]]
        return all(re.search(r"(?:[Zz]|[+-]\d\d:?\d\d)$", value) for value in values if value)

    def _layout(self) -> Iterator[str]:
        shape = self.shape
        if shape.format == "csv":
            delimiter = "tab" if shape.delimiter == "\t" else json.dumps(shape.delimiter)
            yield "csv:"
            yield f"  delimiter: {delimiter}"
            if shape.quote != '"':
                yield f"  quote: {json.dumps(shape.quote)}"
            if shape.escape:
                yield f"  escape: {json.dumps(shape.escape)}"
            if not shape.has_header:
                names = ", ".join(shape.columns)
                yield from self._remark("columns", f"  columns: [{names}]", "name the columns, there is no row that does")
        elif shape.holds_json:
            yield from ("lines:", "  kinds:", "    - pattern: '(?P<json>\\{.*\\})'")
            yield from ("parts:", "  - {from: json, as: item, format: json, required: yes}")
        elif shape.split:
            yield "split:"
            yield f"  - {{list: {_quoted(shape.split)}, as: item}}"
        elif self._is_of_words:
            yield from self._pattern()

    def _pattern(self) -> Iterator[str]:
        pattern = _line_pattern(self.shape.lines)
        yield "lines:"
        yield "  kinds:"
        yield from self._remark("lines", f"    - pattern: {json.dumps(pattern)}", "one pattern for each kind of line")

    def _fields(self, fields: dict[str, str]) -> Iterator[str]:
        if self._is_of_words:
            yield from self._fields_of_lines()
            return
        yield f"  id: {_quoted(fields['id'])}" if "id" in fields and self._is_unique(fields["id"]) else "  id: derived"
        yield from self._time(fields)
        for name in EventRow._fields:
            if name in {"id", "sub", "occurred_at", "marks"}:
                continue
            if name in _ENUMERATED:
                yield from self._enumerated(name, fields.get(name))
            elif name in fields and name != "destination":
                yield from self._plain(name, fields[name])
            elif name == "actor_id":
                first = next((place for place in self.shape.columns if place not in fields.values()), "")
                yield from self._remark("actor_id", f"  actor_id: {_quoted(first)}", "who acted: no name told it")

    def _is_unique(self, place: str) -> bool:
        values = self.shape.columns[place]
        return all(values) and len(set(values)) == len(values)

    def _time(self, fields: dict[str, str]) -> Iterator[str]:
        named = (place for place in self.shape.columns if re.search(r"(?i)time|date|heure|when", place))
        place = fields.get("occurred_at") or next(named, next(iter(self.shape.columns)))
        guess = time_formats(self.shape.columns[place])
        if guess is None:
            yield from self._remark("occurred_at", f"  occurred_at: {_quoted(place)}", "no place holds times that are known")
            return
        line = f"  occurred_at: {{from: {_quoted(place)}, format: {json.dumps(guess.formats[0])}}}"
        if guess.is_open:
            yield from self._remark("occurred_at", line, f"the sample fits {' and '.join(guess.formats)}")
        else:
            yield line

    def _plain(self, name: str, place: str) -> Iterator[str]:
        line = f"  {name}: {_quoted(place)}"
        if name == "resource_count" and not all(value.isdigit() for value in self.shape.columns[place] if value):
            return
        if name == "patient_id" and any(re.search(r"[;,| ]", value) for value in self.shape.columns[place]):
            yield from self._remark(name, line, "some hold several: see split")
        else:
            yield line

    def _enumerated(self, name: str, place: str | None) -> Iterator[str]:
        codes = codes_of(self.shape.columns[place]) if place else []
        if not codes or place is None:
            if name == "action":
                yield from self._remark("action", "  action: {value: read}", "what was done: no place tells it by few codes")
            return
        yield f"  {name}:"
        yield f"    from: {_quoted(place)}"
        yield "    map:"
        folded: set[str] = set()
        for code in codes:
            if code.casefold() in folded:
                continue
            folded.add(code.casefold())
            yield from self._code(name, code)

    def _code(self, name: str, code: str) -> Iterator[str]:
        meaning = meaning_of(code, _ENUMERATED[name])
        line = f"      {json.dumps(code, ensure_ascii=False)}: {meaning or ('other' if name == 'action' else 'unknown')}"
        if meaning:
            yield line
        else:
            yield from self._remark(f"{name} {code}", line, "what it means")

    def _fields_of_lines(self) -> Iterator[str]:
        yield "  id: derived"
        form = json.dumps(_line_time(self.shape.lines)[1])
        yield from self._remark("occurred_at", f"  occurred_at: {{from: time, format: {form}}}", "check")
        yield from self._remark("action", "  action: {value: other}", "what was done: give each kind of line its own")
        yield from self._remark("actor_id", "  actor_id: {from: user, default: unknown}", "who acted")
        yield "  client_address: address"

    def _unread(self, fields: dict[str, str]) -> Iterator[str]:
        rest = [place for place in self.shape.columns if place not in fields.values()]
        if rest:
            yield "# not read: " + ", ".join(rest[:60])


_LINE_TIMES: Final = (
    (r"\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?", "iso"),
    (r"\d\d/[A-Z][a-z]{2}/\d{4}:[\d:]+ [+-]\d{4}", "%d/%b/%Y:%H:%M:%S %z"),
    (r"\d{4}/\d\d/\d\d [\d:]+", "%Y/%m/%d %H:%M:%S"),
    (r"\d\d/\d\d/\d{4} [\d:]+", "%d/%m/%Y %H:%M:%S"),
    (r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [\d:]+ \d{4}", "%a %b %d %H:%M:%S %Y"),
    (r"[A-Z][a-z]{2} +\d+ [\d:]{7,8}", "%b %d %H:%M:%S"),
)
_LINE_USER: Final = r"(?i:user(?:name)?|login|utilisateur|compte|account|for)[=: ]+\"?(?P<user>[\w.@\\-]+)"
_LINE_ADDRESS: Final = r"(?P<address>\d{1,3}(?:\.\d{1,3}){3})"


def _line_time(lines: Sequence[str]) -> tuple[str, str]:
    """Return how most lines tell their time: the expression, and the format."""
    counted = [(sum(bool(re.search(one, line)) for line in lines), -rank) for rank, (one, _) in enumerate(_LINE_TIMES)]
    best = max(counted, default=(0, 0))
    return _LINE_TIMES[-best[1]] if best[0] else (r"\S+", "iso")


def _line_pattern(lines: Sequence[str]) -> str:
    """Return a pattern of a time, and a user and an address where most lines have them in that order."""
    time = f"(?P<time>{_line_time(lines)[0]})"
    found = [re.search(_LINE_ADDRESS, line) for line in lines]
    first_is_address = sum(bool(one and one.start() == 0) for one in found) > len(lines) / 2
    if first_is_address:
        return rf"^{_LINE_ADDRESS} \S+ (?P<user>\S+) .*?{time}"
    return rf"{time}(?:.*?{_LINE_USER})?(?:.*?{_LINE_ADDRESS})?"
