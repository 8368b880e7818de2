"""What is usual: read only once its period is closed by event time, so that no result hangs on how streams interleave.

At the end of each hour: how often chance gives each trait. At the end of each day: what a day of each person and of
each role looks like, and what chance exceeds once in 10,000 days. Counts have counts' tails: a gamma-Poisson
(negative binomial) law, whose shape is the role's and whose mean is the person's, shrunk towards the role's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sentinel.core.facts.declare import METRICS, RATES
from sentinel.core.facts.state import COUNT_BINS, HOUR_BINS, SHARE_PRIOR, ActorTable, Clock, RoleTable

TAIL: Final = 1e-4
DECAY_A_DAY: Final = 0.98  # roles forget half in five weeks
PERSON_WEIGHT_DAYS: Final = 4.0  # days that the role's mean counts for in a person's
MEMORY_DAYS: Final = 20.0  # a person's mean follows their last weeks
ROLE_DAYS_MIN: Final = 10.0
SHAPE_MIN, SHAPE_MAX = 0.3, 50.0
PERSON_ADDS: Final = 0.1  # what is rare for the person alone is at most ten times rarer than for the role
HOUSE_DAYS: Final = 100.0  # days that the whole house counts for in a role's
SHARE_PRIOR_VISITS: Final = 50.0
RATE_PRIOR: Final = dict.fromkeys(RATES, 0.005) | {
    "coworker": 0.01,
    "care_gap": 0.02,
    "deceased": 0.005,
    "sensitive": 0.05,
    "own_record": 0.0005,
}
RATE_PRIOR_VISITS: Final = 2_000.0
RATE_FLOOR: Final = 1e-5

MEAN_MIN: Final = 1e-3
SUMMED_UP_TO: Final = 1_000.0  # a day, expected: beyond it the law is inverted rather than summed up

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Baselines:
    """Sums over closed periods: they add up over partitions, whatever the order."""

    visits: float = 0.0
    house_share: float = SHARE_PRIOR  # of record openings without an ordinary reason, all roles together
    traits: Floats = field(default_factory=lambda: np.zeros(len(RATES)))
    role_days: Floats = field(default_factory=lambda: np.zeros(32))
    role_sum: Floats = field(default_factory=lambda: np.zeros((32, len(METRICS))))
    role_square: Floats = field(default_factory=lambda: np.zeros((32, len(METRICS))))
    role_visits: Floats = field(default_factory=lambda: np.zeros(32))
    role_unexplained: Floats = field(default_factory=lambda: np.zeros(32))
    role_counts: Floats = field(default_factory=lambda: np.zeros((32, len(METRICS), COUNT_BINS)))
    role_hours: Floats = field(default_factory=lambda: np.zeros((32, HOUR_BINS)))

    def rates(self) -> dict[str, float]:
        """Return, of each trait, the share of ordinary record openings that have it, in (0, 1]."""
        prior = np.array([RATE_PRIOR[name] for name in RATES]) * RATE_PRIOR_VISITS
        shares = (self.traits + prior) / (self.visits + RATE_PRIOR_VISITS)
        return dict(zip(RATES, np.maximum(shares, RATE_FLOOR).tolist(), strict=True))

    def close_hour(self, clock: Clock) -> None:
        """Add the hour that ended."""
        self.visits += float(clock.visits[0])
        self.traits += clock.traits
        clock.visits[0] = 0.0
        clock.traits[:] = 0.0

    def close_day(self, actors: ActorTable, roles: RoleTable, n_actors: int, left_out: NDArray[np.int64]) -> None:
        """Add the day that ended, but for the people `left_out` (with an alert): misuse must not become usual."""
        self._make_room(len(roles.share))
        self._forget()
        days = actors.day_total[:n_actors]
        active: NDArray[np.bool_] = np.any(days, axis=1)
        active[left_out[left_out < n_actors]] = False
        who = np.nonzero(active)[0]
        self._count_days(actors.role[:n_actors], days)
        self._learn_people(actors, who, days[who])
        self._learn_roles(roles, actors.role[who], days[who].astype(np.float64))
        self._publish(actors, roles, n_actors)
        actors.day_total[:n_actors] = 0.0

    def _count_days(self, role: NDArray[np.int64], days: NDArray[Any]) -> None:
        """Count all active days, alerts or not: how often a role has as much is a matter of fact."""
        who = np.nonzero(np.any(days, axis=1))[0]
        counts = days[who].astype(np.float64)
        large = 16 + 8 * np.log2(np.maximum(counts, 16.0) / 16)
        bins = np.where(counts < 16, counts, np.minimum(large, COUNT_BINS - 1)).astype(np.int64)
        np.add.at(self.role_counts, (role[who][:, None], np.arange(len(METRICS))[None, :], bins), 1.0)

    def _forget(self) -> None:
        self.visits *= DECAY_A_DAY
        for sums in (
            self.traits,
            self.role_days,
            self.role_sum,
            self.role_square,
            self.role_visits,
            self.role_unexplained,
            self.role_counts,
            self.role_hours,
        ):
            np.multiply(sums, DECAY_A_DAY, out=sums)

    @staticmethod
    def _learn_people(actors: ActorTable, who: NDArray[np.int64], days: NDArray[Any]) -> None:
        actors.usual_days[who] = np.minimum(actors.usual_days[who] + 1.0, MEMORY_DAYS)
        actors.usual_mean[who] += (days - actors.usual_mean[who]) / actors.usual_days[who][:, None]

    def _learn_roles(self, roles: RoleTable, role: NDArray[np.int64], days: Floats) -> None:
        np.add.at(self.role_days, role, 1.0)
        np.add.at(self.role_sum, role, days)
        np.add.at(self.role_square, role, days * days)
        n = len(roles.share)
        self.role_visits[:n] += roles.open_visits
        self.role_unexplained[:n] += roles.open_unexplained
        self.role_hours[:n] += roles.open_hours
        for open_sums in (roles.open_visits, roles.open_unexplained, roles.open_hours):
            open_sums[:] = 0.0

    def _publish(self, actors: ActorTable, roles: RoleTable, n_actors: int) -> None:
        n = len(roles.share)
        visits, unexplained = float(self.role_visits.sum()), float(self.role_unexplained.sum())
        self.house_share = house = (unexplained + SHARE_PRIOR * SHARE_PRIOR_VISITS) / (visits + SHARE_PRIOR_VISITS)
        roles.share[:] = (self.role_unexplained[:n] + house * SHARE_PRIOR_VISITS) / (self.role_visits[:n] + SHARE_PRIOR_VISITS)
        events = self.role_hours[:n].sum(axis=1)
        roles.events[:] = events
        roles.hour_share[:] = self.role_hours[:n] / np.maximum(events, 1.0)[:, None]
        roles.exceed[:] = exceedance(self.role_counts[:n])
        self._publish_limits(actors, n_actors)

    def _publish_limits(self, actors: ActorTable, n_actors: int) -> None:
        role = actors.role[:n_actors]
        days = self.role_days[role][:, None]
        known = (days[:, 0] >= ROLE_DAYS_MIN) & (actors.last_seen[:n_actors] > 0)  # codes run ahead of the pass
        mean = self.role_sum[role] / np.maximum(days, 1.0)
        variance = self.role_square[role] / np.maximum(days, 1.0) - mean * mean
        shape = np.clip(mean * mean / np.maximum(variance - mean, 1e-9), SHAPE_MIN, SHAPE_MAX)
        own = expected(actors.usual_mean[:n_actors], actors.usual_days[:n_actors][:, None], mean)
        actors.peers_mean[:n_actors] = np.where(known[:, None], mean, np.nan)
        actors.spread[:n_actors] = np.where(known[:, None], shape, np.nan)
        limit = np.where(known[:, None], np.zeros_like(shape), np.nan)
        write_limits(limit, shape, np.maximum(own, MEAN_MIN))
        actors.limit[:n_actors] = limit

    def _make_room(self, n_roles: int) -> None:
        for name in ("role_days", "role_sum", "role_square", "role_visits", "role_unexplained", "role_counts", "role_hours"):
            sums = getattr(self, name)
            if len(sums) < n_roles:
                larger = np.zeros((n_roles, *sums.shape[1:]))
                larger[: len(sums)] = sums
                setattr(self, name, larger)


def write_limits(limit: Floats, shape: Floats, mean: Floats) -> None:
    """Write, where `limit` is not NaN, the least count with P(X > count) <= `TAIL` under the gamma-Poisson law.

    The terms of the law follow from one another, and counts are small: summing them up takes a twentieth of the
    time of inverting the law.
    """
    _sum_up(limit, shape, mean)
    large = ~np.isnan(limit) & (mean > SUMMED_UP_TO)
    if large.any():
        from scipy.special import nbdtrik  # noqa: PLC0415  as below

        limit[large] = np.ceil(nbdtrik(1.0 - TAIL, shape[large], shape[large] / (shape[large] + mean[large])))


@njit(cache=True)
def _sum_up(limit: Any, shape: Any, mean: Any) -> None:
    for i in range(limit.shape[0]):
        for m in range(limit.shape[1]):
            if not np.isnan(limit[i, m]) and mean[i, m] <= SUMMED_UP_TO:
                limit[i, m] = _quantile(shape[i, m], mean[i, m])


@njit(cache=True)
def _quantile(shape: float, mean: float) -> float:
    """Return the least k with P(X <= k) >= 1 - TAIL."""
    share = mean / (shape + mean)
    total = term = (1.0 - share) ** shape
    k = 0
    while total < 1.0 - TAIL:
        term *= share * (k + shape) / (k + 1)
        total += term
        k += 1
    return float(k)


def exceedance(counts: Floats) -> Floats:
    """Return, for (roles, metrics, bins) counts of days, the share of a role's days that reach each bin, in (0, 1].

    A role with few days leans on the whole house; beyond the largest day ever seen, the share falls as the square.
    """
    least = np.where(np.arange(COUNT_BINS) < 16, np.arange(COUNT_BINS), 16 * 2.0 ** ((np.arange(COUNT_BINS) - 16) / 8))
    reached = counts[..., ::-1].cumsum(axis=-1)[..., ::-1]
    house = reached.sum(axis=0, keepdims=True)
    house_share = (house + 1.0) / (house[..., :1] + 1.0)
    share = (reached + HOUSE_DAYS * house_share) / (reached[..., :1] + HOUSE_DAYS)
    largest = np.where(house > 0, least, 1.0).max(axis=-1, keepdims=True)
    beyond = np.minimum(1.0, (largest / np.maximum(least, 1.0)) ** 2)
    exceeded: Floats = np.where(house > 0, share, share * beyond)
    return exceeded


def expected(own_mean: Any, own_days: Any, peers_mean: Any) -> Any:
    """Return a person's expected count a day: their mean shrunk towards their peers', which counts as 4 days."""
    return (PERSON_WEIGHT_DAYS * peers_mean + own_days * own_mean) / (PERSON_WEIGHT_DAYS + own_days)


def tail(count: Any, own_mean: Any, peers_mean: Any, shape: Any) -> Any:
    """Return the probability, in (0, 1], that chance gives `count` or more on an ordinary day."""
    from scipy.special import betainc  # noqa: PLC0415  half a second that who only reads cards need not pay

    mean = np.maximum(expected(own_mean, MEMORY_DAYS / 2, peers_mean), 1e-3)
    least = np.maximum(np.asarray(count, dtype=np.float64), 1.0)  # P(X >= k) = I_(1-p)(k, shape)
    probability = betainc(least, shape, mean / (shape + mean))
    return np.clip(probability, 1e-12, 1.0)


def daily_tail(facts: Any, metric: str) -> Any:
    """Return, for fact columns, the probability that an ordinary day holds as much of a metric.

    The larger of what the person's law gives and of how often the role's days reached it: whoever is like their
    peers at their busiest is not unusual.
    """
    own, peers = facts[f"{metric}_actor"], facts[f"{metric}_peers"]
    person = tail(facts[f"{metric}_24h"], np.where(np.isnan(own), peers, own), peers, facts[f"{metric}_spread"])
    return np.fmax(person, facts[f"{metric}_exceed"] * PERSON_ADDS)
