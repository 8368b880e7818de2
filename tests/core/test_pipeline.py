"""What the pipeline promises: the same input gives the same alerts, whatever happened on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.batch import EventBatch
from sentinel.core.context import Withdrawn
from sentinel.core.duplicates import Duplicates
from sentinel.core.facts.declare import INDEX
from sentinel.core.pipeline import Pipeline
from tests.builders import (
    DAY_US,
    WEEK_US,
    Hospital,
    Seen,
    a_batch,
    a_hospital,
    a_patient,
    a_person,
    a_pipeline,
    a_stay,
    an_event,
    an_opening,
    by_id,
    cut,
    on,
    renamed,
    seen_by,
    shifted,
    the_same,
)

SEEDS = st.integers(0, 30)
CUTS = st.lists(st.integers(0, 2_000), max_size=30)
BUDGETS = st.sampled_from([0.0, 2.0])


def test_small_hospitals_have_much_to_find() -> None:
    """What the properties below compare is not empty: over a few hospitals most detectors find something."""
    seen = [seen_by(hospital.context, hospital.events) for hospital in map(a_hospital, range(4))]
    assert len(set().union(*(s.detectors() for s in seen))) >= 24
    assert len({name for s in seen for name in s.explained_by}) >= 8
    assert all(5 <= len(s.alerts) <= 60 for s in seen)


@settings(max_examples=8)
@given(SEEDS, CUTS, BUDGETS)
def test_where_batches_are_cut_changes_nothing(seed: int, cuts: list[int], per_day: float) -> None:
    """Facts, explanations, findings and alerts are those of one large batch, to the last bit."""
    hospital = a_hospital(seed)
    whole = seen_by(hospital.context, hospital.events, per_day=per_day)
    the_same(whole, seen_by(hospital.context, hospital.events, cuts, per_day=per_day))


def test_events_one_by_one_give_what_one_batch_gives() -> None:
    """A micro-batch may hold a single event, or none."""
    hospital = a_hospital(2, days=4)
    whole = seen_by(hospital.context, hospital.events)
    the_same(whole, seen_by(hospital.context, hospital.events, [*range(len(hospital.events)), 0, 7, 7]))


@settings(max_examples=6)
@given(SEEDS, CUTS, BUDGETS)
def test_stopping_and_going_on_from_a_snapshot_changes_nothing(seed: int, cuts: list[int], per_day: float) -> None:
    """A fresh pipeline that restores a snapshot goes on as if nothing had happened, as often as that may be."""

    def restarted(pipeline: Pipeline) -> Pipeline:
        fresh = replace(a_pipeline(per_day=per_day), detectors=pipeline.detectors)
        fresh.restore(pipeline.snapshot())
        return fresh

    hospital = a_hospital(seed)
    whole = seen_by(hospital.context, hospital.events, per_day=per_day)
    the_same(whole, seen_by(hospital.context, hospital.events, cuts, between=restarted, per_day=per_day))


@settings(max_examples=8)
@given(SEEDS, st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 2_000)), min_size=1, max_size=30), CUTS)
def test_events_sent_again_change_nothing(seed: int, again: list[tuple[int, int]], cuts: list[int]) -> None:
    """A duplicate is dropped, however much later it comes and whatever batch it comes in."""
    hospital = a_hospital(seed)
    rows = list(hospital.events)
    for first, later in again:
        original = hospital.events[first % len(hospital.events)]
        rows.insert(rows.index(original) + 1 + later % (len(rows) - rows.index(original)), original)
    the_same(seen_by(hospital.context, hospital.events), seen_by(hospital.context, rows, cuts))


def test_a_redelivered_batch_is_dropped_whole() -> None:
    """Nothing of it is kept, nothing is told again."""
    hospital = a_hospital(1)
    pipeline = a_pipeline()
    pipeline.know(hospital.context)
    assert pipeline.process(a_batch(hospital.events)).alerts
    again = pipeline.process(a_batch(hospital.events))
    assert (len(again.kept), again.alerts, again.assessment.explained_by) == (0, [], [])


def test_an_empty_batch_is_taken() -> None:
    """Before the first event and after it."""
    pipeline = a_pipeline()
    for rows in ([], [an_event()], []):
        assert len(pipeline.process(a_batch(rows)).kept) == len(rows)


def test_the_same_stream_gives_the_same_bytes_twice() -> None:
    """Alerts as lines and the state as a snapshot: both equal, byte for byte."""
    hospital = a_hospital(4)
    pipelines = a_pipeline(), a_pipeline()
    for pipeline in pipelines:
        pipeline.know(hospital.context)
    one, other = ([alert.to_json() for alert in p.process(a_batch(hospital.events)).alerts] for p in pipelines)
    assert one == other != []
    assert pipelines[0].snapshot() == pipelines[1].snapshot()


def test_the_order_of_hash_tables_changes_nothing() -> None:
    """A process with other string hashes tells the same alerts: no result hangs on the order of a set."""
    program = "from tests.core.test_pipeline import lines; print(lines(5))"
    environment = os.environ | {"PYTHONHASHSEED": "4000"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == lines(5)


def lines(seed: int) -> str:
    """Return the alerts of a small hospital as one text."""
    hospital = a_hospital(seed)
    return "|".join(alert.to_json() for alert in seen_by(hospital.context, hospital.events).told)


@settings(max_examples=4)
@given(SEEDS)
def test_other_names_give_the_same_alerts_under_these_names(seed: int) -> None:
    """Names carry no meaning: all people and patients renamed, the alerts say the same of the renamed."""
    hospital = a_hospital(seed)
    plain = seen_by(hospital.context, hospital.events)
    other = seen_by(*_parts(renamed(hospital, "x-")))
    np.testing.assert_array_equal(plain.matrix(), other.matrix())
    assert [_renamed(alert.to_dict(), "x-") for alert in by_id(plain)] == [alert.to_dict() for alert in by_id(other)]


@settings(max_examples=4)
@given(SEEDS, st.integers(-300, 300).filter(bool))
def test_whole_weeks_later_the_same_alerts(seed: int, weeks: int) -> None:
    """Context and events moved by whole weeks give the same findings, moved alike: no date is special."""
    hospital, by_us = a_hospital(seed), weeks * WEEK_US
    plain, moved = seen_by(hospital.context, hospital.events), seen_by(*_parts(shifted(hospital, by_us)))
    rows = np.arange(len(INDEX)) != INDEX["hour"]
    np.testing.assert_array_equal(plain.matrix()[rows], moved.matrix()[rows])
    back = [replace(a, first_seen=a.first_seen - by_us, last_seen=a.last_seen - by_us) for a in by_id(moved)]
    assert by_id(plain) == back


def test_the_same_week_of_days_off_is_not_the_same_hour() -> None:
    """Days moved by less than a week are other days of the week: the property above is not empty."""
    hospital = a_hospital(6)
    plain, moved = seen_by(hospital.context, hospital.events), seen_by(*_parts(shifted(hospital, 3 * DAY_US)))
    assert plain.fact("hour_share") != moved.fact("hour_share")


def test_tenants_never_mix() -> None:
    """Two controllers' streams, turn by turn in one process, give what each gives alone; nothing of one is told of the other."""
    hospitals = {"north": a_hospital(7), "south": renamed(a_hospital(8), "south-")}
    alone = {name: _alerts_of(name, hospital) for name, hospital in hospitals.items()}
    pipelines = {name: a_pipeline(tenant=name) for name in hospitals}
    together: dict[str, dict[str, str]] = {name: {} for name in hospitals}
    for name, hospital in hospitals.items():
        pipelines[name].know(hospital.context)
    for pieces in zip_longest(*(cut(h.events, range(0, 2_000, 50)) for h in hospitals.values()), fillvalue=()):
        for (name, pipeline), rows in zip(pipelines.items(), pieces, strict=True):
            told = pipeline.process(a_batch(rows, name)).alerts
            together[name] |= {alert.id: alert.to_json() for alert in told}
    assert together == alone
    assert "south-" not in "".join(alone["north"].values())


def test_two_tenants_give_one_event_two_ids() -> None:
    """The same events in two hospitals are told under ids that nobody can put together."""
    hospital = a_hospital(7)
    north, south = (seen_by(hospital.context, hospital.events, tenant=name) for name in ("north", "south"))
    assert len(north.alerts) == len(south.alerts) > 0
    assert not set(north.keys) & set(south.keys)
    assert not north.alerts.keys() & south.alerts.keys()


def test_the_state_does_not_grow_with_what_the_same_people_do() -> None:
    """Ten times the events of the same people on the same patients: the state is as large as after the first times."""
    hospital = a_hospital(3, days=5)
    pipeline = a_pipeline(per_day=2)
    pipeline.shard.duplicates = Duplicates(keys_max=1 << 10)
    pipeline.know(hospital.context)
    sizes = []
    for week in range(14):
        later = shifted(Hospital((), hospital.events), week * WEEK_US).events
        pipeline.process(a_batch([event._replace(id=f"{week}-{event.id}") for event in later]))
        sizes.append(len(pipeline.snapshot()))
    assert max(sizes[8:]) <= 1.1 * max(sizes[2:5])


def test_what_one_resource_says_again_takes_no_more_room() -> None:
    """A stay told thousands of times, each time in place of the last, is one stay."""
    pipeline = a_pipeline()
    pipeline.know([a_patient("p"), *a_person("nurse", "medecine"), a_stay("p", "medecine")])
    again = [Withdrawn("Encounter/p-medecine"), a_stay("p", "medecine")]
    pipeline.know(again * 500)
    before = len(pipeline.snapshot())
    pipeline.know(again * 5_000)
    assert len(pipeline.snapshot()) <= 1.1 * before


def test_context_holds_for_the_events_that_follow() -> None:
    """A stay on file before an event explains it; the one told after it does not reach back."""
    context = [a_patient("p"), a_patient("q"), *a_person("nurse", "medecine"), a_stay("q", "medecine")]
    pipeline = a_pipeline()
    pipeline.know(context)
    before = pipeline.process(a_batch([an_opening("p", on(1))]))
    pipeline.know([a_stay("p", "medecine")])
    after = pipeline.process(a_batch([an_opening("p", on(1, 10))]))
    assert (before.assessment.explained_by, after.assessment.explained_by) == ([""], ["stay-in-unit"])


def test_what_is_kept_is_what_came_but_for_duplicates() -> None:
    """Explained or suppressed, no event is left out, and none is changed."""
    hospital = a_hospital(9)
    pipeline = a_pipeline()
    pipeline.know(hospital.context)
    batch = a_batch([*hospital.events, *hospital.events[:40]])
    kept = pipeline.process(batch).kept
    assert _columns(kept) == _columns(a_batch(hospital.events))


def _columns(batch: EventBatch) -> dict[str, Any]:
    values = {name: getattr(batch, name) for name in EventBatch.__slots__}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def _parts(hospital: Hospital) -> tuple[Any, Any]:
    return hospital.context, hospital.events


def _alerts_of(tenant: str, hospital: Hospital) -> dict[str, str]:
    seen: Seen = seen_by(hospital.context, hospital.events, tenant=tenant)
    return {alert.id: alert.to_json() for alert in by_id(seen)}


def _renamed(alert: dict[str, Any], prefix: str) -> dict[str, Any]:
    return alert | {"actor": prefix + alert["actor"], "patients": [prefix + patient for patient in alert["patients"]]}
