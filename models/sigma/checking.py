"""The tests inside files of rules (`sentinel.tests`): events that a rule finds something on, and events that it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sigma.correlations import SigmaCorrelationTimespan
from sigma.exceptions import SigmaError

from models.sigma.loading import Loaded
from sentinel.core.batch import EventBatch, Provenance, batch_of
from sentinel.core.correlation import Correlations, Met
from sentinel.core.event import AccessEvent, EventRow, row_of
from sentinel.core.facts.declare import FACTS, INDEX
from sentinel.core.sigma import MARKS, Memories, RuleSet, View
from sentinel.core.story import EventRef

ZONE: Final = "Europe/Paris"
TIMES_MAX: Final = 10_000
_BEGIN: Final = datetime.fromisoformat("2026-03-03T09:00:00+00:00")


class Told(BaseModel):
    """One event of a test, or `times` of them, `every` so often: an access event's fields, and what is different of it.

    Without `occurred_at` it is `after` the event before. `{number}` in a text counts the events from 1. `record`: the
    record as it came, for rules that look at those.
    """

    model_config = ConfigDict(extra="allow")

    times: int = Field(1, ge=1, le=TIMES_MAX)
    every: str = "1s"
    after: str = ""
    facts: dict[str, float] = {}
    source: str = "test"
    record: dict[str, Any] | None = None


class Test(BaseModel):
    """One test: on these events a rule finds something so many times."""

    __test__ = False
    model_config = ConfigDict(extra="forbid")

    test: str
    rule: str
    events: list[Told]
    found: int
    zone: Literal["Europe/Paris", "UTC"] = "Europe/Paris"


@dataclass(frozen=True, slots=True)
class Difference:
    """A test that does not hold, and why."""

    file: Path
    test: str
    what: str


def differences(loaded: Loaded) -> Iterator[Difference]:
    """Yield the tests that do not hold, and what runs without one."""
    tested = set()
    for file, tests in loaded.tests.items():
        for told in tests:
            name = str(told.get("test", "")) if isinstance(told, dict) else ""
            try:
                test = Test.model_validate(told)
                tested.add(f"sigma:{test.rule}")
                found = len(_findings(loaded, test))
            except (ValidationError, SigmaError, ValueError, KeyError) as error:
                yield Difference(file, name, f"cannot be run: {type(error).__name__}: {error}".replace("\n", " ")[:300])
                continue
            if found != test.found:
                yield Difference(file, name, f"found {found} times, not {test.found}")
    for name, file in _finders(loaded).items():
        if name not in tested:
            yield Difference(file, "", f"{name} has no test")


def _finders(loaded: Loaded) -> dict[str, Path]:
    files = {name: one.file for name, one in loaded.rules.items()} | {name: one[0] for name, one in loaded.correlations.items()}
    return {pattern.name: files[pattern.name] for pattern in loaded.rule_set.patterns}


def _findings(loaded: Loaded, test: Test) -> list[int]:
    """Return on which events a rule finds something, by number."""
    wanted = f"sigma:{test.rule}"
    if wanted not in _finders(loaded):
        raise KeyError(f"{test.rule} does not run, or finds nothing itself")
    rows, facts, sources = _rows(loaded, test)
    batch = batch_of("test", rows, Provenance(sources))
    return [at for at, name in found_in(loaded.rule_set, batch, facts, ZoneInfo(test.zone)) if name == wanted]


def found_in(rules: RuleSet, batch: EventBatch, facts: Any, zone: ZoneInfo) -> Iterator[tuple[int, str]]:
    """Yield, in the order of events, on which of them each rule and correlation finds something, by its name."""
    view, every = View(batch, facts, Memories(zone)), np.arange(len(batch))
    masks = {rule.name: rule.match(view, every) for rule in rules.rules}
    correlations = Correlations(rules.correlations)
    finding = {pattern.name for pattern in rules.patterns}
    for at in range(len(batch)):
        met = [name for name, mask in masks.items() if mask[at]]
        event = EventRef(int(batch.occurred_at[at]), batch.id[at], batch.key[at].hex(), 0, 0)
        columns = {name: getattr(batch, name)[at] for name in {"actor_id", *rules.asked}}
        done = [one.correlation.name for one in correlations.feed(Met(event, met, columns))]
        yield from ((at, name) for name in (*met, *done) if name in finding)


def _rows(loaded: Loaded, test: Test) -> tuple[list[EventRow], Any, list[str]]:
    rows: list[EventRow] = []
    columns: list[Mapping[str, float]] = []
    sources: list[str] = []
    markers, at = loaded.markers(), _BEGIN
    for told in test.events:
        at += timedelta(seconds=_seconds(told.after)) if told.after else timedelta()
        for number in range(told.times):
            at += timedelta(seconds=_seconds(told.every)) if number else timedelta()
            rows.append(_row(told, at, len(rows), number + 1, markers))
            columns.append(told.facts)
            sources.append(told.source)
    facts = np.full((len(FACTS), len(rows)), np.nan, dtype=np.float32)
    for row, named in enumerate(columns):
        for name, value in named.items():
            facts[INDEX[name], row] = value
    return rows, facts, sources


def _row(told: Told, at: datetime, index: int, number: int, markers: Mapping[str, Any]) -> EventRow:
    fields = {name: value.replace("{number}", str(number)) if isinstance(value, str) else value for name, value in _fields(told)}
    event = AccessEvent.model_validate({"id": f"e{index}", "occurred_at": at, "action": "other", "actor_id": "a", **fields})
    row = row_of(event)
    if told.record is None:
        return row
    return row._replace(**{MARKS: markers[told.source](msgspec.json.encode(told.record))})


def _fields(told: Told) -> Sequence[tuple[str, Any]]:
    return list((told.model_extra or {}).items())


def _seconds(span: str) -> int:
    return SigmaCorrelationTimespan(span).seconds
