"""Counts are judged beside the person's own days and their peers': as ever is ordinary, far more is not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors import many_patients, name_probing
from tests.builders import HOUR_US, an_event, on, seen_by
from tests.detectors.scenarios import DAYS, PEERS, TEAM, VOLUMES, a_search, ordinary


@pytest.mark.parametrize("name", VOLUMES)
def test_ordinary_days_never_alert(name: str) -> None:
    """Three weeks of days like any other: nothing is found, neither while it learns nor after."""
    amount, act = VOLUMES[name]
    rows = [row for day in range(21) for row in ordinary(day, amount, act)]
    assert not seen_by(TEAM, rows, names=[name]).found


@pytest.mark.parametrize("name", VOLUMES)
def test_a_burst_alerts(name: str) -> None:
    """Ten times as much in an hour is found, and the sentence says how much, beside what is usual."""
    amount, act = VOLUMES[name]
    rows = [row for day in range(DAYS) for row in ordinary(day, amount, act)]
    burst = [act("nurse", k, on(DAYS, 9, k * 50 / (10 * amount))) for k in range(10 * amount)]
    (alert,) = seen_by(TEAM, [*rows, *burst], names=[name]).alerts.values()
    (reason,) = alert.reasons
    assert alert.actor == "nurse"
    assert isinstance(reason.observed, (int, float))
    assert reason.observed > 5 * amount
    assert str(reason.observed) in reason.en
    assert isinstance(reason.usual.actor, float | int)
    assert abs(reason.usual.actor - amount) <= 1.5


@pytest.mark.parametrize("name", VOLUMES)
def test_nothing_is_said_before_enough_days_are_closed(name: str) -> None:
    """On the first day nobody knows what is usual, whatever is done."""
    _, act = VOLUMES[name]
    assert not seen_by(TEAM, [act("nurse", k, on(0, 9, k / 10)) for k in range(300)], names=[name]).found


@settings(max_examples=5)
@given(st.integers(0, 40), st.sampled_from(sorted(VOLUMES)))
def test_any_steady_amount_is_ordinary(amount: int, name: str) -> None:
    """What is much for one role is little for another: the amount alone says nothing."""
    _, act = VOLUMES[name]
    rows = [row for day in range(14) for row in ordinary(day, amount, act)]
    assert not seen_by(TEAM, rows, names=[name]).found


def test_chance_alone_is_seldom_unusual() -> None:
    """Of 600 days drawn from one law, at most a few hold more than chance gives once in 10,000 days."""
    chance = random.Random(11)
    people = ["nurse", *PEERS, *(f"other-{i}" for i in range(24))]
    rows = [
        a_search(who, k, on(day, 8, chance.uniform(0, 600)))
        for day in range(20)
        for who in people
        for k in range(chance.choice((9, 15, 18, 20, 22, 25, 31)))
    ]
    rows.sort(key=lambda row: row.occurred_at)
    found = seen_by(TEAM, list({row.id: row for row in rows}.values()), names=[name_probing.DETECTOR.name])
    assert len({alert.actor for alert in found.alerts.values()}) <= 3


def test_what_is_usual_for_one_is_not_for_another() -> None:
    """A hundred searches are an ordinary day at the desk and an unusual one in the ward, on the same day."""
    desk = [f"desk-{i}" for i in range(5)]
    rows = []
    for day in range(DAYS):
        rows += [a_search(who, k, on(day, 8, 4 * k + i / 10)) for i, who in enumerate(desk) for k in range(100)]
        rows += ordinary(day, 4, a_search)
    rows = [row._replace(actor_role="accueil" if row.actor_id in desk else "infirmier") for row in rows]
    today = [a_search(who, k, on(DAYS, 8, 4 * k)) for who in ("desk-1", "nurse") for k in range(100)]
    rows = sorted([*rows, *today], key=lambda row: row.occurred_at)
    seen = seen_by((), rows, names=["name_probing"])
    who = dict(zip(seen.keys, (row.actor_id for row in rows), strict=True))
    assert {who[key] for key in seen.found} == {"nurse"}


def test_a_small_count_is_never_told() -> None:
    """Where nobody ever does it, twice is rare, and still not worth a person's time."""
    rows = [
        an_event(when=on(day, 9), actor_id=who, patient_id="patient-other") for day in range(DAYS) for who in ("nurse", *PEERS)
    ]
    few = [a_search("nurse", k, on(DAYS, 9) + k * HOUR_US // 60) for k in range(name_probing.MINIMUM - 1)]
    assert not seen_by(TEAM, [*rows, *few], names=["name_probing"]).found
    assert many_patients.MINIMUM > 1
