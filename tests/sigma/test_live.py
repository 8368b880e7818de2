"""Rules on the live stream: findings in stories, however batches are cut, the state is restored or people are divided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.sigma.loading import SHIPPED_RULES, Loaded, load
from sentinel.core import sigma as seen
from sentinel.core.alert import Alert
from sentinel.core.common import Common
from sentinel.core.correlation import Correlations, Met
from sentinel.core.event import HOUR_US, EventRow
from sentinel.core.pipeline import Pipeline
from sentinel.core.shard import Shard
from sentinel.core.story import EventRef
from tests.builders import a_batch, an_event, on

SHIPPED = load([SHIPPED_RULES])
ALIKE = """
title: Eight reads
name: eight_reads
correlation: {type: event_count, rules: [read], group-by: [actor_id], timespan: 10m, condition: {gte: 8}}
level: high
---
title: Read
name: read
taxonomy: sentinel
logsource: {product: sentinel, service: access}
detection: {selection: {action: read}, condition: selection}
level: low
"""


def _pipeline(loaded: Loaded = SHIPPED) -> Pipeline:
    return Pipeline("ch-test", (), per_day=0.0, sigma=loaded.rule_set)


def _alerts(rows: Sequence[EventRow], cuts: Sequence[int], *, restart: bool = False) -> dict[str, Alert]:
    pipeline, found = _pipeline(), {}
    for start, stop in pairwise([0, *sorted({cut % len(rows) for cut in cuts} - {0}), len(rows)]):
        if restart:
            kept, pipeline = pipeline.snapshot(), _pipeline()
            pipeline.restore(kept)
        found.update((alert.id, alert) for alert in pipeline.process(a_batch(rows[start:stop])).alerts)
    return found


def _hard_day() -> list[EventRow]:
    """Return a day on which most rules find something, some of it late, some far apart."""
    rows = []
    for n in range(10):
        rows.append(an_event("login-failed", on(0, 9, n), actor_id=f"a{n % 2}", outcome="minor-failure"))
        rows.append(an_event("read", on(0, 9, n), actor_id="doors", outcome="minor-failure", patient_id=f"p{n}"))
        rows.append(an_event("login-failed", on(0, 9, 4, n), actor_id="a1", outcome="minor-failure"))
    rows.append(an_event("login", on(0, 9, 10), actor_id="a1"))
    rows.append(an_event("permission-change", on(0, 9, 30), actor_id="admin"))
    rows.append(an_event("export", on(0, 13), actor_id="admin", patient_id="p1"))
    rows.append(an_event("permission-change", on(0, 9, 40), actor_id="late"))
    rows.append(an_event("delete", on(0, 13, 5), actor_id="admin", resource_type="audit-log"))
    rows.append(an_event("export", on(0, 13, 30), actor_id="late", patient_id="p1"))
    return rows


WHOLE = _alerts(_hard_day(), [])


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 200), max_size=6), st.booleans())
def test_cuts_and_restarts_change_nothing(cuts: list[int], restart: bool) -> None:
    """Cut anywhere, stopped and restored between batches, the alerts are the same to the last word."""
    found = _alerts(_hard_day(), cuts, restart=restart)
    told = [(one.priority, one.detectors, one.actor, one.event_ids, one.reasons) for one in found.values()]
    assert told == [(one.priority, one.detectors, one.actor, one.event_ids, one.reasons) for one in WHOLE.values()]


def test_people_divided_among_shards_have_the_same_alerts() -> None:
    """Three shards whose hours close together tell what one does: nothing hangs on what others' people do."""
    common = Common(None, 0.0)
    shards = [Shard("ch-test", (), common, sigma=SHIPPED.rule_set) for _ in range(3)]
    found: dict[str, Alert] = {}
    for row in _hard_day():
        if (hour := row.occurred_at // HOUR_US) > shards[0].hour:
            closings = [shard.closing(hour) for shard in shards]
            common.close(hour, closings)
            for shard in shards:
                shard.close(closings)
        shard = shards[sum(row.actor_id.encode()) % 3]
        work = shard.take(a_batch([row]))
        shard.assess(work, 0, 1)
        found.update((alert.id, alert) for alert in shard.finish(work).alerts)
    assert {alert.actor: (alert.priority, alert.detectors, alert.event_ids) for alert in found.values()} == {
        alert.actor: (alert.priority, alert.detectors, alert.event_ids) for alert in WHOLE.values()
    }


def test_findings_of_a_person_are_one_story() -> None:
    """What rules find on one person within a day is one alert, with each rule's title, level and number."""
    alert = next(one for one in WHOLE.values() if one.actor == "admin")
    assert set(alert.detectors) == {"sigma:rights_granted_then_export", "sigma:audit_trail_tampered"}
    told = {reason.detector: reason for reason in alert.reasons}
    assert told["sigma:rights_granted_then_export"].en.endswith("2 steps in this order within 1 d.")
    assert "Droits accordés, puis dossiers exportés" in told["sigma:rights_granted_then_export"].fr
    assert told["sigma:audit_trail_tampered"].p_value == pytest.approx(1e-5)


def test_an_alert_shows_every_step() -> None:
    """A correlation's alert rests on the events that make it up, not on the last alone."""
    alert = next(one for one in WHOLE.values() if one.actor == "late")
    assert len(alert.event_ids) == 2


def test_rules_only_looked_at_find_nothing(rules: Callable[[str], Loaded]) -> None:
    """A rule that a correlation refers to makes no finding of its own, unless the correlation says `generate`."""
    rows = [an_event("read", on(0, 9, n)) for n in range(8)]
    quiet = _pipeline(rules(ALIKE)).process(a_batch(rows))
    assert quiet.assessment.detectors == {7: ("sigma:eight_reads",)}
    loud = _pipeline(rules(ALIKE.replace("gte: 8}", "gte: 8}, generate: true"))).process(a_batch(rows))
    assert loud.assessment.detectors[0] == ("sigma:read",)


def test_other_rules_leave_the_state_usable(rules: Callable[[str], Loaded]) -> None:
    """A checkpoint made with other rules is restored: what is learnt stays, windows of rules that changed begin anew."""
    before = _pipeline(rules(ALIKE))
    before.process(a_batch([an_event("read", on(0, 9, n)) for n in range(7)]))
    same, changed = _pipeline(rules(ALIKE)), _pipeline(rules(ALIKE.replace("10m", "11m")))
    for after in (same, changed):
        after.restore(before.snapshot())
    last = a_batch([an_event("read", on(0, 9, 8))])
    assert same.process(last).assessment.detectors == {0: ("sigma:eight_reads",)}
    assert changed.process(last).assessment.detectors == {}


def test_texts_met_are_forgotten_and_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of texts is bounded; a batch taken before they were forgotten is answered as before."""
    monkeypatch.setattr(seen, "TEXTS_KEPT", 3)
    memories = seen.Memories(ZoneInfo("UTC"))
    test = seen.TextTest("device", lambda text: text.endswith("7"))
    batches = [a_batch([an_event("read", on(0, 9, n), device=f"{first}{n}") for n in range(10)]) for first in "abc"]
    views = [seen.View(batch, np.zeros((0, 10), np.float32), memories) for batch in batches]
    every = np.arange(10)
    for view in (*views, *views):
        assert view.accepted(test, every).nonzero()[0].tolist() == [7]


def test_windows_are_bounded(rules: Callable[[str], Loaded]) -> None:
    """However many people there are, a correlation keeps so many entries; an ended window is forgotten with its hour."""
    correlations = Correlations(rules(ALIKE).rule_set.correlations, most=800)
    for n in range(850):
        event = EventRef(on(0), str(n), str(n), 0, 0)
        list(correlations.feed(Met(event, ("sigma:read",), {"actor_id": str(n)})))
    windows = correlations.state["sigma:eight_reads"]
    assert windows.kept == len(windows.groups) == 749
    assert ("0",) not in windows.groups
    correlations.close(on(0, 12) // 3_600_000_000)
    assert not windows.groups
    assert windows.kept == 0
