"""Rules as questions to the store, in ClickHouse's SQL: the same trees as on the live stream, every text a bound parameter.

The published backend (pysigma-backend-clickhouse) writes literals into its text, asks for Python 3.13, and knows a table of
its own; what is needed here is small. What only the live stream knows, the facts, is refused.
"""

# ruff: noqa: S608  names of columns are of a closed set; all that rules say is bound

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from models.sigma.expressions import All, Compared, Expression, Field, Found, Like, Not, Test, Time, Told, Within
from models.sigma.loading import Loaded
from models.sigma.refusals import Reason, RuleRefusedError
from models.sigma.taxonomy import Format, places_of
from sentinel.core.sigma import CODED, TEXTS, TIME, Correlation, Kind, Part

_COUNT: Final = "resource_count"
_PERIOD: Final = (
    "occurred_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
    "AND occurred_at < fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
)
_PARTS: Final = {
    Part.MINUTE: "toMinute",
    Part.HOUR: "toHour",
    Part.DAY: "toDayOfMonth",
    Part.WEEK: "toISOWeek",
    Part.MONTH: "toMonth",
    Part.YEAR: "toYear",
}


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and what is bound in it. Beside that it takes `tenant`, `since`, `until` (µs, UTC), `timezone`, `limit`.

    It gives, oldest first: the event's key (hex), when (µs), its source, id, actor, patient; of correlations the events that
    complete one.
    """

    text: str
    parameters: dict[str, Any]


@dataclass(slots=True)
class _Bound:
    """What is bound so far. `columns`: what is carried of each event, for the answer and for correlations."""

    columns: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)

    def text(self, value: str) -> str:
        return self._put(value, "String")

    def number(self, value: float) -> str:
        return self._put(value, "Float64")

    def _put(self, value: Any, kind: str) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{kind}}}"


def query(loaded: Loaded, name: str) -> Query:
    """Return what asks history for a rule, or a correlation, by its name.

    Raises:
        RuleRefusedError: it looks at facts, which history does not keep.
    """
    bound = _Bound(tuple(sorted({"source", "id", "actor_id", "patient_id", *loaded.rule_set.asked})))
    found = _events(loaded, name, bound)
    text = f"SELECT k, at, source, id, actor_id, patient_id FROM ({found})\nORDER BY at, k\nLIMIT 1 BY k\nLIMIT {{limit:UInt32}}"
    return Query(text, bound.parameters)


def _row(bound: _Bound) -> str:
    return ", ".join(("lower(hex(key)) AS k", "toUnixTimestamp64Micro(occurred_at) AS at", *bound.columns))


def _kept(bound: _Bound) -> str:
    return ", ".join(("k", "at", *bound.columns))


def _events(loaded: Loaded, name: str, bound: _Bound) -> str:
    """Return the statement that gives the events a rule, or a correlation, is found on."""
    if name in loaded.correlations:
        return _correlated(loaded, loaded.correlations[name][1], bound)
    rule = loaded.rules[name]
    where = f"tenant = {{tenant:String}} AND {_PERIOD}"
    if rule.format is None:
        return f"SELECT {_row(bound)} FROM access WHERE {where} AND {_condition(rule.tree, bound, partial(_about, bound=bound))}"
    source = bound.text(rule.format.source)
    met = _condition(rule.tree, bound, partial(_about_record, bound=bound, found=rule.format))
    places = f"SELECT partition, offset FROM raw_record WHERE tenant = {{tenant:String}} AND source = {source} AND {met}"
    return f"SELECT {_row(bound)} FROM access WHERE {where} AND source = {source} AND (partition, offset) IN ({places})"


def _correlated(loaded: Loaded, one: Correlation, bound: _Bound) -> str:
    kept, names = _kept(bound), dict.fromkeys(one.of)
    met = "\nUNION ALL ".join(
        f"SELECT {kept}, {bound.text(name)} AS rule FROM ({_events(loaded, name, bound)})" for name in names
    )
    span_ms = one.span_us // 1_000  # a frame's bounds are of 32 bits: history counts in whole milliseconds
    frame = f"PARTITION BY {', '.join(one.by)} ORDER BY intDiv(at, 1000) RANGE BETWEEN {span_ms} PRECEDING AND CURRENT ROW"
    if one.kind is Kind.TEMPORAL_ORDERED:
        return _ordered(one, met, frame, bound)
    counted = {Kind.EVENT_COUNT: "k", Kind.VALUE_COUNT: f"nullIf({one.value_of}, '')", Kind.TEMPORAL: "rule"}[one.kind]
    return f"SELECT {kept} FROM (SELECT *, uniqExact({counted}) OVER ({frame}) AS n FROM ({met})) WHERE n >= {one.least}"


def _ordered(one: Correlation, met: str, frame: str, bound: _Bound) -> str:
    """Return the statement that gives each last step: step by step, when the chain that began last up to there began."""
    chain = f"SELECT *, if(rule = {bound.text(one.of[0])}, at, 0) AS began_0 FROM ({met})"
    for step, name in enumerate(one.of[1:]):
        longer = f"if(rule = {bound.text(name)}, max(began_{step}) OVER ({frame}), 0) AS began_{step + 1}"
        chain = f"SELECT {_kept(bound)}, rule, {longer} FROM ({chain})"
    began = f"began_{len(one.of) - 1}"
    return f"SELECT {_kept(bound)} FROM ({chain}) WHERE {began} > 0 AND {began} >= at - {one.span_us}"


def _condition(tree: Expression, bound: _Bound, about: Callable[[Field], str]) -> str:
    match tree:
        case Field():
            return about(tree)
        case Not():
            return f"NOT {_condition(tree.of, bound, about)}"
    word = " AND " if isinstance(tree, All) else " OR "
    return "(" + word.join(_condition(one, bound, about) for one in tree.of) + ")"


def _about(asked: Field, bound: _Bound) -> str:
    name, test = asked.name, asked.test
    if name == TIME and isinstance(test, Time):
        return f"{_PARTS[test.part]}(occurred_at, {{timezone:String}}) = {bound.number(test.number)}"
    if name == _COUNT and isinstance(test, Compared):
        return f"{_COUNT} {test.order or '='} {bound.number(test.number)}"
    if name in TEXTS or name in CODED:
        return _of_text(f"toString({name})", test, bound)
    raise RuleRefusedError(Reason.NOT_STORED, name or "the record's text")


def _about_record(asked: Field, bound: _Bound, found: Format) -> str:
    if not asked.name:
        test = asked.test
        parts = (None, *test.parts, None) if isinstance(test, Like) else ()
        return _of_text("raw", Like(parts, getattr(test, "is_cased", False)), bound)
    places = [_at(place.split("."), bound) for place in places_of(found, asked.name)]
    return _of_text(f"arrayFirst(text -> notEmpty(text), [{', '.join(places)}])", asked.test, bound)


def _at(path: list[str], bound: _Bound) -> str:
    """Return what reads the scalar at a path as text; empty when it is not there."""
    steps = ", ".join(("raw", *map(bound.text, path)))
    other = f"if(JSONType({steps}) = 'Null', '', JSONExtractRaw({steps}))"
    return f"if(JSONType({steps}) = 'String', JSONExtractString({steps}), {other})"


def _of_text(text: str, test: Test, bound: _Bound) -> str:
    match test:
        case Like():
            return _like(text, test, bound)
        case Found():
            return f"match({text}, {bound.text('(?-s)' + test.pattern)})"
        case Within():
            version = "isIPv6String" if test.network.version == 6 else "isIPv4String"
            return f"if({version}({text}), isIPAddressInRange({text}, {bound.text(str(test.network))}), false)"
        case Told():
            return f"notEmpty({text})" if test.is_told else f"empty({text})"
        case Compared():
            return f"ifNull(toFloat64OrNull({text}) {test.order or '='} {bound.number(test.number)}, false)"
    raise RuleRefusedError(Reason.BAD_VALUE, "a part of a time is asked of a field that is none")


def _like(text: str, test: Like, bound: _Bound) -> str:
    folded = text if test.is_cased else f"lowerUTF8({text})"
    fold: Callable[[str], str] = (lambda part: part) if test.is_cased else str.lower
    if test.plain is not None:
        return f"{folded} = {bound.text(fold(test.plain))}"
    if not any(test.parts):
        return f"notEmpty({text})"
    pattern = "".join(_escaped(fold(part)) if isinstance(part, str) else "_" if part == 1 else "%" for part in test.parts)
    return f"{folded} LIKE {bound.text(pattern)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
