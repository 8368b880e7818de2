"""Rules into columns: each field of the event is made for all events at once, and values that come again are looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import CONTROLS, COUNT_MAX, REASON_MAX, TEXT_MAX, EventRow, normal_address
from sentinel.core.ids import derive
from streams.mappings.document import VALUE_SETS, Fields, Like, Rule, TimeRule
from streams.mappings.patterns import extractor, finder
from streams.mappings.table import Table, Where
from streams.mappings.times import DETAILS, Reader, Wrong
from streams.sources.fhir.kept import Kept

Column = Callable[[Table], list[str]]
Pointers = Callable[[str], Where]  # of a selector
Numbers = list[int]

ADDRESSES_MAX: Final = 65_536
UNKNOWN: Final = "\x00unknown"  # what a value becomes that the mapping does not know: no event can hold it
KEEPS_WHOLE: Final = ("id", "actor_id", "patient_id")  # cut short, they would name somebody else
_NEEDED: Final = {"id": Code.MISSING_FIELD, "actor_id": Code.NO_ACTOR}
DEFAULTS: Final = {"outcome": "success", "actor_type": "human"}


def column_of(rule: Rule) -> Column:
    """Return what makes the texts of a field, `UNKNOWN` where the rule has no answer."""
    if rule.value is not None:
        constant = rule.value
        return lambda table: [constant] * len(table)
    origin = _origin(rule)
    if not _changes(rule):
        return origin
    kept: Kept[str, str] = Kept(_change(rule))
    return lambda table: [kept[text] for text in origin(table)]


def _origin(rule: Rule | TimeRule) -> Column:
    if rule.join is not None:
        return _joined(tuple(rule.join), rule.between)
    names = tuple(rule.source or ())
    first = names[0]
    if len(names) == 1:
        return lambda table: table.columns[first]
    return lambda table: _first_told([table.columns[name] for name in names])


def _first_told(columns: Sequence[list[str]]) -> list[str]:
    return [next(filter(None, texts), "") for texts in zip(*columns, strict=True)]


def _joined(names: tuple[str, ...], between: str) -> Column:
    return lambda table: [
        between.join(filter(None, texts)) for texts in zip(*(table.columns[name] for name in names), strict=True)
    ]


def _changes(rule: Rule) -> bool:
    return bool(rule.pattern or rule.lower or rule.map or rule.match or rule.prefix or rule.default)


def _change(rule: Rule) -> Callable[[str], str]:
    """Return what a told text becomes: a part of it, in lower case, what `map` and `match` say, with its prefix."""
    extract = extractor(rule.pattern) if rule.pattern else None
    look_up = _look_up(rule.map, rule.match, keep=rule.keep) if rule.map or rule.match else None
    default, prefix, lower = rule.default, rule.prefix, rule.lower

    def change(text: str) -> str:
        text = extract(text).strip() if extract and text else text
        text = text.lower() if lower else text
        if look_up is not None:
            text = look_up(text)
        if text in ("", UNKNOWN) and default is not None:
            return default
        return prefix + text if text and text is not UNKNOWN else text

    return change


def _look_up(known: dict[str, str], match: Sequence[Like], *, keep: bool) -> Callable[[str], str]:
    table = {key.strip().casefold(): value for key, value in known.items()}
    likes = [(finder(one.like), one.value) for one in match]

    def look_up(text: str) -> str:
        found = table.get(text.casefold())
        if found is None:
            found = next((value for is_like, value in likes if text and is_like(text)), None)
        if found is not None:
            return found
        return text if keep or not text else UNKNOWN

    return look_up


# -- checks: what an event may hold


def checked(name: str, rule: Rule, where: Where) -> Column:
    """Return the column of a field, its complaints put into the table."""
    make, limit = column_of(rule), REASON_MAX if name == "reason" else TEXT_MAX
    allowed = VALUE_SETS.get(name)
    if allowed is not None:
        default = DEFAULTS.get(name, "")
        return lambda table: _in_set(table, make(table), allowed, default, where)
    if name == "client_address":
        address = lru_cache(maxsize=ADDRESSES_MAX)(normal_address)
        return lambda table: [address(text) for text in _texts(table, make(table), limit, where, whole=False)]
    whole, code = name in KEEPS_WHOLE, _NEEDED.get(name)
    return lambda table: _texts(table, make(table), limit, where, whole=whole, needed=code)


def _in_set(table: Table, values: list[str], allowed: frozenset[str], default: str, where: Where) -> list[str]:
    wrong = set(values) - allowed
    if not wrong:
        return values
    values = list(values)
    for at, value in enumerate(values):
        if value not in wrong:
            continue
        values[at] = default
        if value:
            table.complain(at, Code.BAD_VALUE, where, "a value that the mapping does not know")
        elif not default and "" not in allowed:
            table.complain(at, Code.MISSING_FIELD, where, "nothing is told")
    return values


def _texts(table: Table, values: list[str], limit: int, where: Where, *, whole: bool, needed: Code | None = None) -> list[str]:
    """Check texts: those that name somebody are never cut, nor may any hold control characters."""
    if max(map(len, values), default=0) > limit:
        values = [_bounded(table, at, text, limit, where, whole=whole) for at, text in enumerate(values)]
    if not "".join(values).isprintable():
        for at, text in enumerate(values):
            if text is UNKNOWN or text == UNKNOWN:
                table.complain(at, Code.BAD_VALUE, where, "a value that the mapping does not know")
            elif CONTROLS.search(text):
                table.complain(at, Code.BAD_VALUE, where, "control character")
    if needed is not None and "" in values:
        for at in (at for at, text in enumerate(values) if not text):
            table.complain(at, needed, where, "nothing is told")
    return values


def _bounded(table: Table, at: int, text: str, limit: int, where: Where, *, whole: bool) -> str:
    if len(text) > limit and whole:
        table.complain(at, Code.BAD_VALUE, where, f"more than {limit} characters")
    return text[:limit]


def times_of(rule: TimeRule, read: Reader, where: Where) -> Callable[[Table], Numbers]:
    """Return what makes the times, in µs since 1970 UTC."""
    origin = _origin(rule)
    extract = extractor(rule.pattern) if rule.pattern else None

    def times(table: Table) -> Numbers:
        texts = origin(table)
        if extract is not None:
            texts = [extract(text) if text else "" for text in texts]
        found = list(map(read, texts))
        if min(found, default=0) < 0:
            for at, value in enumerate(found):
                if value < 0 and not texts[at]:
                    table.complain(at, Code.MISSING_FIELD, where, "no time at all")
                elif value < 0:
                    table.complain(at, Code.BAD_TIME, where, DETAILS[Wrong(value)])
        return found

    return times


def counts_of(rule: Rule, where: Where) -> Callable[[Table], Numbers]:
    """Return what makes the numbers of records: 1 where none is told."""
    make = column_of(rule)

    def counts(table: Table) -> Numbers:
        values = make(table)
        found = [int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1 for text in values]
        for at in (at for at, value in enumerate(found) if not 0 <= value <= COUNT_MAX):
            found[at] = 1
            if values[at]:
                table.complain(at, Code.BAD_VALUE, where, f"not a whole number in 0..{COUNT_MAX}")
        return found

    return counts


def ids_of(table: Table, beside: Sequence[Sequence[str]]) -> list[str]:
    """Return ids derived from what records say: the same event told again, in other company too, has the same.

    `beside`: columns that tell apart what the content of a record, or of a list's item, does not.
    """
    return [derive("event", *parts) for parts in zip(table.contents, *beside, strict=True)]


def wheres_of(fields: Fields, where: Pointers) -> dict[str, Where]:
    """Return where each field is read, for rejections: the first place that its rule names."""
    told = {name: rule.selectors for name, rule in fields.rules()} | {"occurred_at": fields.occurred_at.selectors}
    return {name: where(selectors[0]) if selectors else Where("") for name, selectors in told.items()}


OPTIONAL: Final = tuple(name for name in EventRow._fields if name not in {"id", "sub", "occurred_at", "resource_count", "marks"})
