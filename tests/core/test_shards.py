"""People divided among shards: what is concluded of each hangs on nothing but what they do and on closed hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import cycle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.online.session_trees import SessionTrees, SessionTreesSettings
from sentinel.core.alert import Alert
from sentinel.core.closing import Closing
from sentinel.core.common import Common
from sentinel.core.context import ContextRecord, Judgement, Verdict
from sentinel.core.event import HOUR_US, EventRow
from sentinel.core.house_rules import NO_RULES, HouseRules, house_rules_of
from sentinel.core.shard import Shard
from sentinel.core.snapshot import SnapshotError
from tests.builders import TENANT, a_batch, a_hospital, a_pipeline, detectors, seen_by
from tests.core.test_house_rules import RULES

QUICK = SessionTreesSettings(window_hours=40, p_max=0.05, role_full=50)  # found in days rather than in weeks


class Worker:
    """Some shards with what is common to all people; `restarted` is what a crash and a checkpoint make of it."""

    def __init__(self, count: int, per_day: float, *, model: bool, rules: HouseRules = NO_RULES) -> None:
        self.common = Common(SessionTrees(settings=QUICK) if model else None, per_day)
        self.shards = [Shard(TENANT, detectors(None), self.common, "UTC", rules) for _ in range(count)]

    def restore(self, other: Worker) -> Worker:
        """Become a copy of another worker, by way of bytes."""
        self.common.restore(other.common.snapshot())
        for mine, theirs in zip(self.shards, other.shards, strict=True):
            mine.restore(theirs.snapshot())
        return self


def divided(
    context: Sequence[ContextRecord],
    rows: Sequence[EventRow],
    division: Sequence[int],
    *,
    per_day: float = 0.0,
    model: bool = False,
    rules: HouseRules = NO_RULES,
    each_hour: Callable[[list[Worker]], list[Worker]] = lambda workers: workers,
) -> tuple[dict[str, Alert], dict[bytes, tuple[str, ...]]]:
    """Return the alerts and findings of several workers with so many shards each; closings travel as bytes."""
    workers = [Worker(count, per_day, model=model, rules=rules) for count in division]
    for shard in (shard for worker in workers for shard in worker.shards):
        shard.know(context)
    alerts: dict[str, Alert] = {}
    found: dict[bytes, tuple[str, ...]] = {}
    for hour, of_hour in _hours(rows):
        alerts |= {alert.id: alert for alert in _close(workers, hour)}
        workers = each_hour(workers)
        shards = [shard for worker in workers for shard in worker.shards]
        for place, shard in enumerate(shards):
            batch = a_batch([row for row in of_hour if _place(shards[0], row, len(shards)) == place])
            work = shard.take(batch)
            shard.assess(work, 0, len(work))
            done = shard.finish(work)
            alerts |= {alert.id: alert for alert in done.alerts}
            found |= {done.kept.key[i]: names for i, names in done.assessment.detectors.items()}
    return alerts, found


def _hours(rows: Sequence[EventRow]) -> list[tuple[int, list[EventRow]]]:
    """Return the rows by the hour that is open when they come: late ones belong to the newest."""
    hours: list[tuple[int, list[EventRow]]] = []
    for row in rows:
        if not hours or row.occurred_at // HOUR_US > hours[-1][0]:
            hours.append((row.occurred_at // HOUR_US, []))
        hours[-1][1].append(row)
    return hours


def _close(workers: list[Worker], hour: int) -> list[Alert]:
    packed = [shard.closing(hour).pack() for worker in workers for shard in worker.shards]
    for worker in workers:
        closings = [Closing.unpack(one) for one in packed]
        worker.common.close(hour, closings)
        for shard in worker.shards:
            shard.close(closings)
    return [alert for worker in workers for shard in worker.shards for alert in shard.changed()]


def _place(shard: Shard, row: EventRow, shards: int) -> int:
    """Return the shard of a person: the same one whatever id they go by."""
    codes = shard.book.actor_codes
    return blake2b(codes.name(codes.code(row.actor_id)).encode(), digest_size=2).digest()[0] % shards


def in_one(
    context: Sequence[ContextRecord], rows: Sequence[EventRow], per_day: float, *, model: bool = False
) -> tuple[dict[str, Alert], dict[bytes, tuple[str, ...]]]:
    """Return the alerts and findings of one pipeline with all people."""
    seen = seen_by(context, rows, per_day=per_day, model=SessionTrees(settings=QUICK) if model else None)
    return seen.alerts, seen.found


def the_same_alerts(one: dict[str, Alert], other: dict[str, Alert]) -> None:
    """Assert that nothing of any alert differs."""
    assert {alert.id: alert.to_json() for alert in one.values()} == {alert.id: alert.to_json() for alert in other.values()}


@settings(max_examples=8)
@given(st.integers(0, 30), st.sampled_from([[1], [2], [5], [1, 1], [3, 2, 1]]), st.sampled_from([0.0, 2.0]))
def test_how_people_are_divided_changes_nothing(seed: int, division: list[int], per_day: float) -> None:
    """One shard or six, on one worker or three: the same findings, and the same alerts to the last byte."""
    hospital = a_hospital(seed)
    alerts, found = in_one(hospital.context, hospital.events, per_day)
    again, found_again = divided(hospital.context, hospital.events, division, per_day=per_day)
    assert found == found_again
    the_same_alerts(alerts, again)
    assert alerts or per_day


@settings(max_examples=2)
@given(st.integers(0, 30), st.sampled_from([[2], [3, 2, 1]]))
def test_rules_hold_the_same_however_people_are_divided(seed: int, division: list[int]) -> None:
    """What is hidden, kept, held up and raised: to the last byte, what the model finds of an hour among it."""
    hospital, rules = a_hospital(seed), house_rules_of(RULES)
    whole = seen_by(hospital.context, hospital.events, model=SessionTrees(settings=QUICK), house_rules=rules)
    again, found = divided(hospital.context, hospital.events, division, model=True, rules=rules)
    assert found == whole.found
    the_same_alerts(whole.alerts, again)


def test_the_model_learns_the_same_from_all_shards() -> None:
    """Its surprises are told by the shard that the person is in."""
    hospital = a_hospital(3)
    alerts, _ = in_one(hospital.context, hospital.events, 0.0, model=True)
    again, _ = divided(hospital.context, hospital.events, [2, 2], model=True)
    the_same_alerts(alerts, again)
    assert any("session_trees" in alert.detectors for alert in alerts.values())


def test_a_worker_that_restores_its_shards_goes_on_as_before() -> None:
    """At any hour, from bytes: nothing of what was common or of anybody's past is missing."""
    hospital = a_hospital(7)

    def restarted(workers: list[Worker]) -> list[Worker]:
        return [Worker(len(worker.shards), 2.0, model=True).restore(worker) for worker in workers]

    alerts, found = divided(hospital.context, hospital.events, [2, 1], per_day=2.0, model=True)
    again, found_again = divided(hospital.context, hospital.events, [2, 1], per_day=2.0, model=True, each_hour=restarted)
    assert found == found_again
    the_same_alerts(alerts, again)


def test_replicas_stay_equal() -> None:
    """What is common is the same at all workers, to the byte, after every closing."""
    hospital = a_hospital(9)
    compared = []

    def compare(workers: list[Worker]) -> list[Worker]:
        compared.append(len({worker.common.snapshot() for worker in workers}))
        return workers

    divided(hospital.context, hospital.events, [1, 2], per_day=2.0, model=True, each_hour=compare)
    assert set(compared) == {1}
    assert len(compared) > 24


def test_closings_survive_the_journey() -> None:
    """The same closing gives the same bytes; damaged bytes are told, not misread."""
    pipeline = a_pipeline()
    hospital = a_hospital(1)
    pipeline.know(hospital.context)
    pipeline.process(a_batch(hospital.events))
    closing = pipeline.shard.closing(pipeline.shard.hour + 24)
    data = closing.pack()
    assert Closing.unpack(data).pack() == data
    assert closing.day is not None
    assert float(np.sum(closing.day.sums.days)) > 0
    with pytest.raises(SnapshotError):
        Closing.unpack(data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.parametrize("division", [[2], [3, 1]])
def test_verdicts_weigh_the_same_in_every_shard(division: list[int]) -> None:
    """They come in with the context, which all shards read; confirmed cases are watched wherever the person's events go."""
    hospital = a_hospital(3)
    alerts, _ = in_one(hospital.context, hospital.events, 0.0)
    judged = [
        Verdict(alert.id, alert.actor, alert.detectors, alert.patients, judgement, hospital.events[0].occurred_at)
        for alert, judgement in zip(sorted(alerts.values(), key=lambda one: one.id), cycle(Judgement), strict=False)
    ]
    context = [*hospital.context, *judged]
    together, found = in_one(context, hospital.events, 0.0)
    apart, found_apart = divided(context, hospital.events, division)
    assert {alert.to_json() for alert in together.values()} != {alert.to_json() for alert in alerts.values()}
    assert any("repeat_after_case" in names for names in found.values())
    the_same_alerts(together, apart)
    assert found == found_apart
