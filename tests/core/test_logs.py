"""The logs themselves: what is heard of each source adds up in any order, and what is strange about it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.batch import EventBatch
from sentinel.core.event import Action, EventRow
from sentinel.core.house_rules import Rule, RuleKind, Selector, house_rules_of
from sentinel.core.logs import FORGOTTEN_HOURS, NUMBERS_MAX, SOURCES_MAX, Heard, HeardOf, Logs, heard
from tests.builders import Seen, a_batch, a_detector, a_pipeline, an_event, an_opening, cut, on
from tests.core.test_shards import divided, in_one, the_same_alerts

HOUR = 30 * 24 * 100


def of(batch: EventBatch, rows: Sequence[int]) -> dict[str, Heard]:
    """Return what is heard of the sources of some events of a batch."""
    found: dict[str, Heard] = {}
    heard(batch, np.array(rows, np.int64), found)
    return found


def told(found: dict[str, Heard]) -> list[object]:
    """Return what was heard, in values that can be compared."""
    return [
        (name, replace(one, numbers=None), None if one.numbers is None else one.numbers.tolist())
        for name, one in sorted(found.items())
    ]


AN_EVENT = st.builds(
    lambda number, prefix, application, minute: an_event(
        Action.READ, on(0, 9, minute), id=f"{prefix}{number}", application=application
    ),
    st.integers(0, 40),
    st.sampled_from(["", "", "", "r-", "r-", "x"]),
    st.sampled_from(["dpi", "labo"]),
    st.integers(0, 5),
)


@settings(max_examples=60)
@given(st.lists(AN_EVENT, max_size=12), st.integers(1, 4), st.randoms(use_true_random=False))
def test_what_is_heard_adds_up_however_it_is_divided(rows: list[EventRow], shards: int, chance: object) -> None:
    """One shard or several, in any order: the same counts, newest event, least delay and numbers."""
    delays = {row.id: 1_000_000 * (k % 5) for k, row in enumerate(rows)}
    batch = a_batch(rows, delays=delays)
    parts = [of(batch, [k for k in range(len(rows)) if k % shards == shard]) for shard in range(shards)]
    chance.shuffle(parts)  # type: ignore[attr-defined]
    total: dict[str, Heard] = {}
    for part in parts:
        for name, one in part.items():
            total.setdefault(name, Heard()).add(one)
    assert told(total) == told(of(batch, range(len(rows))))


def test_numbers_too_far_apart_are_no_numbering() -> None:
    """Ids that only end in digits take no memory."""
    rows = [an_event(id=f"r-{k * NUMBERS_MAX}", application="dpi") for k in range(3)]
    assert of(a_batch(rows), range(3))["dpi"].numbers is None


def test_sources_are_bounded_and_forgotten() -> None:
    """However many names come, so many are followed; those silent for a month make room."""
    logs = Logs()

    def close(hour: int, names: Sequence[str]) -> None:
        logs.close(hour, hour + 1, [[HeardOf(name, Heard(1)) for name in names]], [])

    close(HOUR, [f"first-{k}" for k in range(2 * SOURCES_MAX)])
    assert len(logs.known) == SOURCES_MAX
    close(HOUR + FORGOTTEN_HOURS, ["second"])
    assert list(logs.known) == ["second"]


def hourly(days: Sequence[int], each: int = 12) -> list[EventRow]:
    """Return an application's events at all hours of some days."""
    return [
        an_event(Action.EXECUTE, on(day, hour, 60 * k // each), application="dpi", actor_id=f"nurse-{k}")
        for day in days
        for hour in range(24)
        for k in range(each)
    ]


def seen(rows: list[EventRow], *rules: Rule) -> Seen:
    """Return what the detectors of logs, and nothing else, conclude of events under some rules."""
    pipeline, found = a_pipeline(["log_silence", "log_skew", "log_hole"], house_rules=house_rules_of(rules)), Seen()
    for piece in cut(sorted(rows, key=lambda row: row.occurred_at), range(0, len(rows), 300)):
        found.add(pipeline.process(a_batch(piece)))
    return found


def test_a_silence_is_one_alert_on_the_source() -> None:
    """Told while it lasts, once: its evidence is the last event before it, and it names no person and no patient."""
    other = [an_event(Action.EXECUTE, on(0, hour, 1), application="labo") for hour in range(24 * 13)]
    (alert,) = seen([*hourly(range(10)), *other]).alerts.values()
    assert (alert.actor, alert.patients, alert.detectors) == ("log:dpi", (), ("log_silence",))
    assert len(alert.event_ids) == 1
    assert alert.first_seen == on(9, 23, 55)


def test_a_silence_in_a_maintenance_window_is_none() -> None:
    """Of the application that the window names, in its time; another's window excuses nothing."""
    rows = [*hourly(range(10)), *(an_event(Action.EXECUTE, on(0, hour, 1), application="labo") for hour in range(24 * 13))]
    of_it, of_another = (
        Rule(name, RuleKind.MAINTENANCE, on(10, 0), on(14, 0), Selector(applications=frozenset({name})))
        for name in ("dpi", "labo")
    )
    assert not seen(rows, of_it).alerts
    assert [alert.actor for alert in seen(rows, of_another).alerts.values()] == ["log:dpi"]
    past = replace(of_it, since=on(1, 0), until=on(2, 0))
    assert [alert.actor for alert in seen(rows, past).alerts.values()] == ["log:dpi"]


def test_one_shard_of_several_tells_it() -> None:
    """However people are divided, the same alert on a source, once; the one who tells it may change."""
    other = [an_event(Action.EXECUTE, on(0, hour, 1), application="labo") for hour in range(24 * 13)]
    rows = sorted([*hourly(range(9)), *hourly([10]), *other], key=lambda row: row.occurred_at)
    alerts, _ = in_one((), rows, 0.0)
    assert any(alert.actor == "log:dpi" for alert in alerts.values())
    the_same_alerts(alerts, divided((), rows, [2, 1])[0])


def test_a_stream_that_stood_still_is_told_when_it_goes_on() -> None:
    """When all sources were silent, the first event afterwards tells so."""
    assert seen([*hourly(range(10)), *hourly([11])]).alerts
    assert not seen(hourly(range(12))).alerts


def test_the_watcher_leaves_those_whom_an_alert_is_about() -> None:
    """A reader who opens, within the hour of an alert, whom it is about does their work; who opens others is told of."""
    export = a_detector(lambda facts: facts.did(Action.EXPORT), "export", p_value=1e-6)
    pipeline, found = a_pipeline(["watcher"], extra=[export]), Seen()
    bad = an_opening("patient-1", on(0, 9), "nurse", Action.EXPORT)
    look = [
        an_opening("patient-1", on(0, 9, 5), "analyst", application="sentinel"),
        an_event(
            Action.READ,
            on(0, 9, 6),
            actor_id="analyst",
            application="sentinel",
            resource_type="Practitioner",
            resource_id="nurse",
        ),
        an_opening("patient-2", on(0, 9, 7), "curious", application="sentinel"),
    ]
    found.add(pipeline.process(a_batch([*look[2:], bad, *look[:2], an_event(when=on(0, 15))])))
    assert {alert.actor for alert in found.alerts.values() if "watcher" in alert.detectors} == {"curious"}
