"""What a rule is: conditions over the columns of single events, and correlations of what met them; and the columns it sees.

Stateless but for what is remembered of texts met, which changes no answer. Correlations keep their state in correlation.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sentinel.core.batch import ACTIONS, ACTOR_TYPES, DESTINATIONS, OUTCOMES, EventBatch
from sentinel.core.codes import Codes
from sentinel.core.detector import Mask, Pattern
from sentinel.core.facts.declare import INDEX

TEXTS: Final = (
    "source",
    "id",
    "actor_id",
    "actor_role",
    "actor_unit",
    "actor_rpps",
    "patient_id",
    "resource_type",
    "resource_id",
    "resource_sensitivity",
    "purpose",
    "reason",
    "client_address",
    "device",
    "application",
    "site",
    "session",
)
"""The columns of texts that rules may see."""
CODED: Final = {"action": ACTIONS, "outcome": OUTCOMES, "actor_type": ACTOR_TYPES, "destination": DESTINATIONS}
NUMBERS: Final = ("resource_count", *INDEX)
"""What rules may compare: how many records, and each fact (docs/facts.md)."""
TIME: Final = "occurred_at"
MARKS: Final = "marks"
TEXTS_KEPT: Final = 50_000  # different texts of a column whose answers are remembered
_HOUR_US: Final = 3_600_000_000


class Part(StrEnum):
    """What a rule may ask of an event's time, in the site's time zone."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True, eq=False)
class TextTest:
    """A question about one text of an event: the same text has the same answer, and is asked about once."""

    column: str
    accepts: Callable[[str], bool]


Places = NDArray[np.int64]
Match = Callable[["View", Places], Mask]
"""Tells of each of some rows whether it meets a rule's conditions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Pattern):
    """Conditions on one event. `finds`: whether meeting them is a finding, or only what correlations look for.

    `p_value`: how often chance is taken to give as much on ordinary work, by the rule's level, in (0, 1].
    """

    match: Match
    p_value: float
    fr: str
    en: str
    finds: bool = True
    on_facts: bool = False  # else the columns of the batch are all it looks at


class Kind(StrEnum):
    """What a correlation asks of the events of one group within its span (Sigma correlation rules 2.0)."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation(Pattern):
    """Several events of one person. `of`: the names of the rules and earlier correlations it looks at, in order.

    `by`: columns of texts, the person's among them, that a group's events share. `least`: how many there must be at least
    (of the temporal kinds: all of `of`); `value_of`: the column whose different values count.
    """

    kind: Kind
    of: tuple[str, ...]
    by: tuple[str, ...]
    span_us: int
    p_value: float
    fr: str
    en: str
    least: int = 1
    value_of: str = ""
    finds: bool = True

    @property
    def shape(self) -> str:
        """What its state hangs on: a correlation of another shape begins anew."""
        return f"{self.kind} {self.of} {self.by} {self.span_us} {self.least} {self.value_of}"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules that run, and the correlations of them, each after those it looks at."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules)

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns that correlations group by or count the values of."""
        named = {name for one in self.correlations for name in (*one.by, one.value_of) if name}
        return tuple(sorted(named))

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """All of them that can make a finding."""
        every: tuple[Rule | Correlation, ...] = (*self.rules, *self.correlations)
        return tuple(one for one in every if one.finds)


@dataclass(slots=True)
class _Memory:
    """The texts of one column that were met, numbered, and which of them each test accepts."""

    names: Sequence[str]
    answers: dict[TextTest, NDArray[np.int8]] = field(default_factory=dict)  # by number: 0 no, 1 yes, -1 not asked yet

    def accepted(self, test: TextTest, codes: NDArray[Any]) -> Mask:
        """Return which of the texts of these numbers a test accepts; it is asked once about each."""
        known = self.answers.get(test)
        if known is None or len(known) < len(self.names):
            known = self.answers[test] = _grown(known, len(self.names))
        answers = known[codes]
        if (unasked := answers < 0).any():
            for code in set(codes[unasked].tolist()):
                known[code] = test.accepts(self.names[code])
            answers = known[codes]
        mask: Mask = answers > 0
        return mask


def _grown(known: NDArray[np.int8] | None, least: int) -> NDArray[np.int8]:
    """Return the answers with room for twice as many texts as there are; what is new was not asked yet."""
    grown = np.full(max(16, 2 * least), -1, dtype=np.int8)
    if known is not None:
        grown[: len(known)] = known
    return grown


class Memories:
    """What is remembered of texts from one micro-batch to the next. Bounded; forgetting it changes no answer."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._codes = {name: Codes() for name in (*TEXTS, MARKS)}
        self.of = {name: _Memory(codes.names) for name, codes in self._codes.items()}
        self.of |= {name: _Memory([str(value) for value in values]) for name, values in CODED.items()}
        self._zone = zone

    def encode(self, name: str, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of a column's texts; when there are too many different ones, all are forgotten first."""
        codes = self._codes[name]
        if len(codes) > TEXTS_KEPT:
            codes = self._codes[name] = Codes()
            self.of[name] = _Memory(codes.names)
        return codes.encode(texts)

    def local(self, hour: int) -> datetime:
        """Return the local time at which an hour since 1970 UTC begins."""
        return datetime.fromtimestamp(hour * 3_600, UTC).astimezone(self._zone)


class View:
    """The columns of a micro-batch, as rules see them; each is made when it is first asked for."""

    def __init__(self, batch: EventBatch, facts: NDArray[np.float32], memories: Memories) -> None:
        self._batch, self._facts, self._memories = batch, facts, memories
        self._coded: dict[str, tuple[NDArray[Any], _Memory]] = {}
        self._times: dict[Part, NDArray[np.int64]] = {}

    def accepted(self, test: TextTest, rows: Places) -> Mask:
        """Return at which of some rows the text of a column is one that the test accepts."""
        name = test.column
        if name not in self._coded:
            column = getattr(self._batch, name)
            codes = column if name in CODED else self._memories.encode(name, column)
            self._coded[name] = codes, self._memories.of[name]  # its own: a later batch may make all be forgotten
        codes, memory = self._coded[name]
        return memory.accepted(test, codes[rows])

    def number(self, name: str, rows: Places) -> NDArray[Any]:
        """Return numbers of some rows; NaN is missing."""
        column: NDArray[Any] = self._facts[INDEX[name]] if name in INDEX else getattr(self._batch, name)
        return column[rows]

    def time(self, part: Part, rows: Places) -> NDArray[np.int64]:
        """Return a part of the local time of some rows: weeks as ISO 8601 numbers them, days of the month from 1."""
        if part not in self._times:
            at = self._batch.occurred_at
            hours, where = np.unique(at // _HOUR_US, return_inverse=True)
            moments = [self._memories.local(hour) for hour in hours.tolist()]
            if part is Part.MINUTE:
                found = (at // 60_000_000 + np.array([moment.minute for moment in moments])[where]) % 60
            else:
                found = np.array([_part(moment, part) for moment in moments], dtype=np.int64)[where]
            self._times[part] = found
        return self._times[part][rows]


def _part(moment: datetime, part: Part) -> int:
    return moment.isocalendar().week if part is Part.WEEK else int(getattr(moment, part))


def met(rules: Sequence[Rule], view: View, rows: Places) -> list[tuple[int, int]]:
    """Return what is met at some rows: row and number of the rule, in the rows' order."""
    found = [(row, number) for number, rule in enumerate(rules) for row in rows[rule.match(view, rows)].tolist()]
    return sorted(found)
