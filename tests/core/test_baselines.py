"""What is usual: laws of counts that agree with scipy's, learnt from closed days of people without an alert."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sentinel.core.context import PatientFlag
from sentinel.core.event import Action, EventRow
from sentinel.core.facts.baselines import MEMORY_DAYS, PERSON_WEIGHT_DAYS, TAIL, Baselines, expected, tail
from sentinel.core.facts.declare import RATES
from tests.builders import (
    DAY_US,
    HOUR_US,
    Seen,
    a_batch,
    a_detector,
    a_patient,
    a_person,
    a_pipeline,
    a_probe,
    a_stay,
    an_event,
    an_opening,
    on,
    seen_by,
)

MEANS = st.floats(0.01, 200)
SHAPES = st.floats(0.3, 50)


@settings(max_examples=200)
@given(st.integers(1, 400), MEANS, SHAPES)
def test_the_tail_is_the_negative_binomial_s(count: int, mean: float, shape: float) -> None:
    """The probability of as many or more, of a Poisson law whose mean is gamma distributed."""
    told = float(tail(count, mean, mean, shape))
    law = stats.nbinom(shape, shape / (shape + mean))
    assert told == pytest.approx(max(float(law.sf(count - 1)), 1e-12), rel=1e-6)


@given(st.lists(st.integers(0, 500), min_size=2, max_size=20), MEANS, SHAPES)
def test_more_is_never_more_likely(counts: list[int], mean: float, shape: float) -> None:
    """The tail falls with the count, and stays in (0, 1]."""
    told = tail(np.sort(counts), mean, mean, shape)
    assert np.all(np.diff(told) <= 0)
    assert np.all((told > 0) & (told <= 1))


@given(MEANS, MEANS, st.floats(0, MEMORY_DAYS))
def test_a_person_s_mean_leans_on_their_peers(own: float, peers: float, days: float) -> None:
    """Between the two: the peers' at first, the person's own the more days are known."""
    told = float(expected(own, days, peers))
    assert min(own, peers) - 1e-9 <= told <= max(own, peers) + 1e-9
    assert float(expected(own, 0, peers)) == pytest.approx(peers)
    assert float(expected(own, PERSON_WEIGHT_DAYS, peers)) == pytest.approx((own + peers) / 2)


PEERS = [f"peer-{i}" for i in range(6)]


def days_of(amounts: Sequence[int], people: Sequence[str] = PEERS) -> list[EventRow]:
    """Return days on which everybody makes as many deletions."""
    return [
        an_event(Action.DELETE, on(day, 8, 10 * k, i), actor_id=who, actor_role="infirmier")
        for day, amount in enumerate(amounts)
        for k in range(amount)
        for i, who in enumerate(people)
    ]


def usual(rows: Sequence[EventRow], *facts: str) -> list[float]:
    """Return facts of the last event."""
    seen = seen_by([], rows, names=[])
    return [seen.fact(fact)[-1] for fact in facts]


def test_usual_days_are_the_means_of_closed_days() -> None:
    """Of the person and of the role; the open day is no part of them."""
    own, peers = usual(days_of([4, 4, 4, 4, 50]), "deleted_actor", "deleted_peers")
    assert (own, peers) == (4.0, pytest.approx(4.0, rel=0.01))


def test_days_off_are_no_days() -> None:
    """A day without an event is not a day of nothing: usual is what an active day holds."""
    assert usual(days_of([6, 0, 0, 6, 0, 6, 1]), "deleted_actor") == [6.0]


def test_the_limit_is_what_chance_exceeds_once_in_ten_thousand_days() -> None:
    """Of the law that the role's days follow."""
    amounts = [3, 5, 4, 6, 4, 5, 3, 4, 5, 4, 1]
    limit, shape, own, peers = usual(days_of(amounts), "deleted_limit", "deleted_spread", "deleted_actor", "deleted_peers")
    mean = float(expected(own, len(amounts) - 1, peers))
    law = stats.nbinom(shape, shape / (shape + mean))
    assert law.sf(limit) <= TAIL * 1.01
    assert law.sf(limit - 2) >= TAIL * 0.9


def test_uneven_roles_have_wider_limits() -> None:
    """The same mean, once steady and once not: what is unusual for the one is not for the other."""
    (steady,) = usual(days_of([10] * 12 + [1]), "deleted_limit")
    (uneven,) = usual(days_of([2, 18] * 6 + [1]), "deleted_limit")
    assert uneven > steady > 10


def test_roles_are_compared_with_their_own() -> None:
    """A desk's hundreds of deletions say nothing of a ward."""
    desk = [row._replace(actor_role="accueil", id=f"d{row.id}") for row in days_of([30] * 8, [f"desk-{i}" for i in range(6)])]
    ward = days_of([3] * 8)
    rows = sorted([*desk, *ward, *days_of([0] * 8 + [1])], key=lambda row: row.occurred_at)
    assert usual(rows, "deleted_peers") == [pytest.approx(3.0, rel=0.01)]


def test_people_with_an_alert_are_left_out() -> None:
    """What they do on the days of their alert becomes usual neither for them nor for their peers."""
    theft = a_detector(lambda facts: facts.did(Action.EXPORT), p_value=1e-9)
    rows = days_of([4] * 6)
    burst = [an_event(Action.DELETE, on(3, 12, 0, k), actor_id=PEERS[0], actor_role="infirmier") for k in range(200)]
    export = [an_event(Action.EXPORT, on(3, 13), actor_id=PEERS[0], actor_role="infirmier")]

    def after(more: list[EventRow]) -> list[float]:
        seen = Seen()
        pipeline = a_pipeline([], extra=[theft, a_probe(seen.facts)])
        pipeline.process(a_batch(sorted([*rows, *more], key=lambda row: row.occurred_at)))
        return [seen.fact("deleted_actor")[-len(PEERS)], seen.fact("deleted_peers")[-1]]

    innocent, told, untold = after([]), after([*burst, *export]), after(burst)
    assert told == pytest.approx(innocent, rel=0.02)
    assert untold[1] > 1.5 * innocent[1]


def test_a_day_is_closed_by_the_next_day_s_first_event() -> None:
    """Event time decides: whether that event comes a second or a week later, the same is learnt."""
    soon = usual([*days_of([5, 5]), an_event(Action.DELETE, on(2, 0), actor_id=PEERS[0])], "deleted_actor")
    late = usual([*days_of([5, 5]), an_event(Action.DELETE, on(9, 0), actor_id=PEERS[0])], "deleted_actor")
    assert soon == late == [5.0]


def test_the_time_of_receipt_changes_nothing() -> None:
    """The same events received years later, in any batches, teach the same."""
    rows = days_of([5, 7, 6])
    plain = seen_by([], rows)
    seen = Seen()
    pipeline = a_pipeline([], extra=[a_probe(seen.facts)])
    for start in range(0, len(rows), 17):
        batch = a_batch(rows[start : start + 17])
        batch.received_at = batch.occurred_at + 365 * DAY_US
        seen.add(pipeline.process(batch))
    np.testing.assert_array_equal(seen.matrix(), plain.matrix())


def test_a_day_says_nothing_of_itself() -> None:
    """How often chance gives a trait is read from closed days: the last event of a day is judged like the first."""
    staff = a_person("nurse", "medecine")
    records = [a_patient(f"p{k}", flags=frozenset()) for k in range(40)]
    care = [a_stay("other", "chirurgie")]
    rows = [an_opening(f"p{k}", on(0, 9) + k * HOUR_US // 4, resource_sensitivity="PSY") for k in range(40)]
    rates: list[float] = []
    probe = a_detector(lambda facts: (rates.append(float(facts.rate("sensitive")[0])), facts["vip"] > 0)[1])
    pipeline = a_pipeline([], extra=[probe])
    pipeline.know([*staff, *records, *care])
    for row in [*rows, an_opening("p0", on(1, 10))]:
        pipeline.process(a_batch([row]))
    assert len(set(rates[:-1])) == 1
    assert rates[-1] > rates[0]


def test_rates_are_probabilities_from_the_start() -> None:
    """Before anything is learnt each trait has its prior, in (0, 1), whatever the role."""
    rates = Baselines().rates(["", "infirmier"])
    assert rates.shape == (2, len(RATES))
    assert np.all((rates > 0.0) & (rates < 0.5))
    np.testing.assert_array_equal(rates[0], rates[1])


def test_what_is_rare_for_one_role_is_not_for_another() -> None:
    """Desks open the records of patients long gone, wards do not: the same trait weighs less on a desk."""
    people = [record for i in range(6) for role in ("accueil", "infirmier") for record in a_person(f"{role}-{i}", role, role)]
    flags = frozenset({PatientFlag.RESTRICTED})
    records = [a_patient(f"p-accueil-{i}-{day}", flags=flags) for i in range(6) for day in range(10)]
    rows = [
        an_opening(f"p-{role}-{i}-{day}", on(day, 9, i), f"{role}-{i}")
        for day in range(11)
        for role in ("accueil", "infirmier")
        for i in range(6)
    ]
    shown: list[list[float]] = []
    probe = a_detector(lambda facts: (shown.append(facts.rate("restricted").tolist()), facts["vip"] > 0)[1])
    pipeline = a_pipeline([], extra=[probe])
    pipeline.know([*people, *records, a_stay("other", "chirurgie")])
    pipeline.process(a_batch(sorted(rows, key=lambda row: row.occurred_at)))
    desk, ward = shown[-1][0], shown[-1][-1]
    assert desk > 5 * ward


def test_a_reason_that_often_fails_is_weak_evidence() -> None:
    """In a role of which half the openings find no reason, one more is hardly unusual; in another it is."""
    ward = [*a_person("nurse", "medecine"), *(a_stay(f"known-{k}", "medecine") for k in range(300))]
    floats = [record for i in range(5) for record in a_person(f"float-{i}", "pool", "remplacant")]
    rows = [an_opening(f"p{day}-{i}-{k}", on(day, 9, k), f"float-{i}") for day in range(10) for i in range(5) for k in range(4)]
    rows += [an_opening(f"known-{30 * day + k}", on(day, 9, k), "nurse") for day in range(10) for k in range(30)]
    rows += [an_opening("stranger", on(10, 9), who) for who in ("float-1", "nurse")]
    rows.sort(key=lambda row: row.occurred_at)
    floating, settled = seen_by([*ward, *floats], rows, names=["no_care_relation"]).p_values[-2:]
    assert floating > 3 * settled
