"""What detectors find on ordinary days is measured, role by role: often found is weak evidence, whatever was declared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.event import Action
from sentinel.core.habits import BINS, RAISED_COUNTS, Found, Habits, strength_bin
from tests.builders import Seen, a_batch, a_detector, a_pipeline, an_event, cut, on

P_VALUES = st.floats(1e-12, 1.0)


def after(days: int, people: int, hits: int, p_value: float = 1e-4, *, raised: bool = False, parts: int = 1) -> Habits:
    """Return habits after days on which, of so many people, some had a finding, told in parts."""
    habits = Habits()
    for _ in range(days):
        told = [Found("ward", "d", strength_bin(p_value), raised, 1)] * hits
        habits.close_day({"ward": float(people)}, [told[i::parts] for i in range(parts)], 1.0)
    return habits


@given(P_VALUES, P_VALUES)
def test_a_stronger_finding_is_in_no_lower_bin(one: float, other: float) -> None:
    """Bins follow the p-value and are bounded."""
    assert (strength_bin(one) >= strength_bin(other)) or one > other
    assert 0 <= strength_bin(one) < BINS


@given(P_VALUES)
def test_nothing_measured_is_what_was_declared(p_value: float) -> None:
    """Before the first day closes, a finding weighs what its detector says."""
    assert Habits().chance("ward", "d", p_value) == pytest.approx(p_value)


@given(P_VALUES, st.integers(0, 30), st.integers(0, 20))
def test_it_is_never_less_than_declared(p_value: float, days: int, hits: int) -> None:
    """What is measured weakens a finding, it never strengthens one."""
    assert 1.0 >= after(days, 20, hits).chance("ward", "d", p_value) >= p_value


def test_what_is_found_every_day_says_nothing() -> None:
    """A finding on half of the people each day ends up near one half."""
    assert after(40, 20, 10).chance("ward", "d", 1e-4) == pytest.approx(0.5, abs=0.1)
    assert after(40, 20, 0).chance("ward", "d", 1e-4) == pytest.approx(1e-4, rel=0.1)


def test_weaker_findings_say_nothing_of_stronger_ones() -> None:
    """Those seen every day at one in a hundred leave one in a million what it is."""
    habits = after(40, 20, 10, p_value=1e-2)
    assert habits.chance("ward", "d", 1e-6) < 1e-5
    assert habits.chance("ward", "d", 1e-2) > 0.3


def test_a_role_of_which_little_is_known_leans_on_the_house() -> None:
    """What half of the wards' people show is expected of a new role too, less surely."""
    habits = after(40, 20, 10)
    assert 1e-4 < habits.chance("desk", "d", 1e-4) <= habits.chance("ward", "d", 1e-4)


def test_findings_in_an_alert_count_less() -> None:
    """They may be the misuse that is looked for."""
    plain, told = (after(40, 20, 10, raised=raised).chance("ward", "d", 1e-4) for raised in (False, True))
    assert told == pytest.approx(RAISED_COUNTS * plain, rel=0.1)


@given(st.integers(1, 6))
def test_in_how_many_parts_a_day_is_told_changes_nothing(parts: int) -> None:
    """To the last bit."""
    assert after(5, 20, 7, parts=parts) == after(5, 20, 7)


def test_a_detector_that_is_always_wrong_falls_silent() -> None:
    """The same finding on everybody every day is told in the first days, and not in the third week."""
    detector = a_detector(lambda facts: facts.did(Action.EXPORT), p_value=1e-6, measured=True)
    rows = [an_event(Action.EXPORT, on(day, 9, k), actor_id=f"n{k}-{day % 2}") for day in range(21) for k in range(30)]
    pipeline, seen = a_pipeline([], extra=[detector]), Seen()
    for piece in cut(rows, range(0, len(rows), 100)):
        seen.add(pipeline.process(a_batch(piece)))
    began = sorted(alert.first_seen for alert in seen.alerts.values())
    assert began[0] < on(1)
    assert began[-1] < on(14)
