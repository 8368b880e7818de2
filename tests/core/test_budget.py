"""The budget: about as many alerts a day as people can read, the most telling ones, over any week."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.alert import Alert
from sentinel.core.budget import FLOOR, Budget
from sentinel.core.detector import Detector, Facts
from sentinel.core.event import Action, EventRow
from tests.builders import DAY_US, a_batch, a_detector, a_pipeline, an_event, cut, on

STRENGTH = 1_000  # records exported for each order of magnitude of the p-value


def of_any_strength() -> Detector:
    """Return a detector of exports: the more records, the smaller its p-value."""

    def p_value(facts: Facts) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.clip(10.0 ** -(facts["exported_24h"] / STRENGTH), 1e-12, 1.0)

    return replace(a_detector(lambda facts: facts.did(Action.EXPORT)), p_value=p_value)


GRAVE_SIGN = a_detector(lambda facts: facts.did(Action.DELETE), "grave_sign", p_value=1e-12)


def noise(days: int, a_day: int, scale: Callable[[int], float], seed: int = 5) -> list[EventRow]:
    """Return exports of people who each do one, whose strength chance draws: exponential, of mean `scale(day)`."""
    chance = random.Random(seed)
    rows = [
        an_event(
            Action.EXPORT,
            on(day, chance.uniform(6, 22)),
            actor_id=f"{day}-{i}",
            resource_count=int(STRENGTH * chance.expovariate(1 / scale(day))),
        )
        for day in range(days)
        for i in range(a_day)
    ]
    return sorted(rows, key=lambda row: row.occurred_at)


def raised(rows: list[EventRow], per_day: float) -> list[Alert]:
    """Return the alerts, once each, as they were first told."""
    pipeline = a_pipeline([], extra=[of_any_strength(), GRAVE_SIGN], per_day=per_day)
    first: dict[str, Alert] = {}
    for piece in cut(rows, range(0, len(rows), 200)):
        for alert in pipeline.process(a_batch(piece)).alerts:
            first.setdefault(alert.id, alert)
    return [*first.values()]


def weeks(alerts: list[Alert], days: int, since: int = 0) -> list[int]:
    """Return how many alerts each seven days hold, from each day on."""
    by_day = Counter((alert.last_seen - on(0, 0)) // DAY_US for alert in alerts)
    return [sum(by_day[day + i] for i in range(7)) for day in range(since, days - 6)]


STREAMS: dict[str, Callable[[int], float]] = {
    "steady": lambda _: 1.2,
    "louder-by-the-day": lambda day: 1.0 + day / 30,
    "twice-as-loud-in-the-third-week": lambda day: 1.0 if day < 14 else 2.0,
    "loud-on-mondays": lambda day: 2.0 if day % 7 == 0 else 1.0,
}


@pytest.mark.parametrize("scale", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("per_day", [2.0, 8.0])
def test_any_week_holds_about_the_budget(scale: Callable[[int], float], per_day: float) -> None:
    """However noisy the stream is, and however it changes."""
    held = weeks(raised(noise(32, 80, scale), per_day), 32)
    assert max(held) <= (1.5 if scale is STREAMS["steady"] else 2.25) * 7 * per_day
    assert min(held[10:]) >= 0.3 * 7 * per_day
    assert sum(held) / len(held) <= 1.25 * 7 * per_day


def test_a_flood_within_an_hour_does_not_fill_the_queue() -> None:
    """When a feed of context dies, a thousand people look suspicious at once: the week still holds about its lines."""
    rows = noise(10, 60, STREAMS["steady"])
    flood = [
        an_event(Action.EXPORT, on(10, 9, k / 20), actor_id=f"flood-{k}", resource_count=int(9.5 * STRENGTH))
        for k in range(1_000)
    ]
    assert max(weeks(raised([*rows, *flood], 5.0), 17)) <= 3 * 7 * 5


def test_the_most_telling_ones_are_told() -> None:
    """Whoever shows two grave signs on one day is told, although the week is used up."""
    rows = noise(21, 60, STREAMS["steady"])
    grave = [
        an_event(action, on(day, 22 + k), actor_id=f"grave-{day}", resource_count=11 * STRENGTH)
        for day in (5, 12, 19)
        for k, action in enumerate((Action.EXPORT, Action.DELETE))
    ]
    alerts = raised(sorted([*rows, *grave], key=lambda row: row.occurred_at), 2.0)
    assert {f"grave-{day}" for day in (5, 12, 19)} <= {alert.actor for alert in alerts}


def test_a_larger_budget_tells_more() -> None:
    """And none at all the most."""
    rows = noise(21, 60, STREAMS["steady"])
    few, more, every = (len(raised(rows, per_day)) for per_day in (2.0, 10.0, 0.0))
    assert few < more < every


def test_zero_tells_everything_above_the_floor() -> None:
    """From the first day on, whatever came before; and nothing below it."""
    rows = noise(7, 60, STREAMS["steady"])
    told = {alert.actor for alert in raised(rows, 0.0)}
    assert told == {row.actor_id for row in rows if row.resource_count >= FLOOR * STRENGTH}


def test_a_quiet_stream_is_told_as_it_is() -> None:
    """Fewer findings than the budget are all told once the stream has shown what is ordinary."""
    rows = [an_event(Action.EXPORT, on(day, 9), actor_id=f"{day}", resource_count=4 * STRENGTH) for day in range(30)]
    assert {alert.actor for alert in raised(rows, 10.0)} >= {str(day) for day in range(5, 30)}


def test_what_was_told_is_not_withdrawn() -> None:
    """A raised alert goes on being told when the threshold has risen above it."""
    weak = [an_event(Action.EXPORT, on(0, 9), resource_count=6 * STRENGTH)]
    loud = [
        an_event(Action.EXPORT, on(0, 10, k / 10), actor_id=f"loud-{k}", resource_count=int(11.5 * STRENGTH)) for k in range(400)
    ]
    again = [an_event(Action.EXPORT, on(2, 9), resource_count=STRENGTH)]
    pipeline = a_pipeline([], extra=[of_any_strength()], per_day=1.0)
    (first,) = pipeline.process(a_batch(weak)).alerts
    pipeline.process(a_batch(loud))
    (last,) = pipeline.process(a_batch(again)).alerts
    assert pipeline.budget.threshold > first.priority
    assert (last.id, last.version) == (first.id, 2)


@settings(max_examples=20)
@given(st.floats(0.5, 50), st.lists(st.lists(st.floats(0, 30), max_size=8), max_size=60))
def test_the_threshold_never_falls_below_the_floor(per_day: float, hours: list[list[float]]) -> None:
    """Evidence of less than one in a thousand is nobody's morning."""
    budget = Budget(per_day)
    for hour, scores in enumerate(hours, 1):
        budget.ended.extend((hour, score) for score in scores)
        budget.close_hour(hour, scores)
        assert budget.threshold >= FLOOR


def test_the_threshold_hangs_on_closed_hours_alone() -> None:
    """Within an hour it stands still: the first and the last event of an hour are judged alike."""
    pipeline = a_pipeline([], extra=[of_any_strength()], per_day=1.0)
    seen = []
    for k in range(50):
        pipeline.process(a_batch([an_event(Action.EXPORT, on(0, 9, k), actor_id=f"{k}", resource_count=9 * STRENGTH)]))
        seen.append(pipeline.budget.threshold)
    assert len(set(seen)) == 1
