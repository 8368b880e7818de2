"""A shadow assesses the same events and tells nothing; it takes over what is known, and keeps it when it is promoted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from sentinel.assembly import detectors
from sentinel.core.alert import Alert, shadow_of
from sentinel.core.event import Action
from sentinel.core.pipeline import Pipeline
from sentinel.core.snapshot import SnapshotError
from sentinel.core.twin import Twin
from tests.builders import TENANT, Hospital, a_batch, a_hospital

FEW = [name for name in (d.name for d in detectors()) if name not in ("no_care_relation", "break_glass_no_act")]


def build(names: list[str] | None = None, per_day: float = 0.0, version: str = "") -> Pipeline:
    """Return a pipeline of a configuration."""
    return Pipeline(TENANT, detectors(names), None, per_day, "UTC", configuration=version)


CHAMPION, SHADOW = partial(build), partial(build, FEW, 4.0, "few@1")


def told(one: Pipeline | Twin, hospital: Hospital, start: int = 0, stop: int | None = None) -> dict[tuple[str, str], str]:
    """Return the alerts, by tenant and id, of some of the events."""
    if start == 0:
        one.know(hospital.context)
    alerts: list[Alert] = []
    rows = hospital.events[start:stop]
    for at in range(0, len(rows), 200):
        alerts += one.process(a_batch(rows[at : at + 200])).alerts
    return {(alert.tenant, alert.id): alert.to_json() for alert in alerts}


def of(tenant: str, alerts: dict[tuple[str, str], str]) -> dict[str, str]:
    """Return one tenant's alerts as if they were everybody's."""
    return {id_: body.replace(shadow_of(TENANT), TENANT) for (whose, id_), body in alerts.items() if whose == tenant}


def test_each_says_what_it_would_say_alone() -> None:
    """Neither hears of the other; the shadow's alerts are another tenant's, whom no settings can name."""
    hospital = a_hospital(3, days=5)
    both = told(Twin(CHAMPION, SHADOW), hospital)
    assert of(TENANT, both) == of(TENANT, told(CHAMPION(), hospital))
    assert of(shadow_of(TENANT), both) == of(TENANT, told(SHADOW(), hospital)) != {}
    assert all('"configuration":"few@1"' in body for body in of(shadow_of(TENANT), both).values())


def _stopped(builds: tuple[Callable[[], Pipeline], Callable[[], Pipeline] | None], hospital: Hospital, at: int = 600) -> bytes:
    twin = Twin(*builds)
    told(twin, hospital, 0, at)
    return twin.snapshot()


def test_a_shadow_that_is_promoted_goes_on_as_it_stood() -> None:
    """The champion of its version takes its state over: the alerts go on as if it had told them from the first."""
    hospital = a_hospital(3, days=5)
    promoted = Twin(SHADOW)
    promoted.restore(_stopped((CHAMPION, SHADOW), hospital))
    alone = SHADOW()
    told(alone, hospital, 0, 600)
    assert of(TENANT, told(promoted, hospital, 600)) == of(TENANT, told(alone, hospital, 600)) != {}


def test_a_new_shadow_begins_with_what_the_champion_knows() -> None:
    """People, patients and what is usual, though its detectors are others; the champion goes on unmoved."""
    hospital = a_hospital(3, days=5)
    at = 1 + next(i for i, row in enumerate(hospital.events) if i > 300 and row.action == Action.BREAK_GLASS)
    state = _stopped((CHAMPION, None), hospital, at)
    twin, alone = Twin(CHAMPION, SHADOW), Twin(CHAMPION)
    twin.restore(state)
    alone.restore(state)
    assert twin.shadow is not None
    assert len(twin.shadow.book.actor_codes) == len(twin.champion.book.actor_codes)
    assert len(twin.shadow.shard.watched) < len(twin.champion.shard.watched)
    after = told(twin, hospital, at)
    assert of(TENANT, after) == of(TENANT, told(alone, hospital, at))
    assert of(shadow_of(TENANT), after)


def test_a_champion_does_not_go_on_from_what_does_not_fit() -> None:
    """With other detectors that no state is of, it is refused, as it is without a shadow."""
    hospital = a_hospital(3, days=5)
    with pytest.raises(SnapshotError):
        Twin(partial(build, FEW, 0.0, "other@1")).restore(_stopped((CHAMPION, SHADOW), hospital))
