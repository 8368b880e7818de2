"""What is usual: read only once its period is closed by event time, so that no result hangs on how streams interleave.

At the end of each day: how often chance gives each trait, what a day of each person and of each role looks like, and
what chance exceeds once in 10,000 days. Counts have counts' tails: a gamma-Poisson
(negative binomial) law, whose shape is the role's and whose mean is the person's, shrunk towards the role's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentinel.core.arrays import grow
from sentinel.core.codes import NOBODY, Codes
from sentinel.core.facts import law
from sentinel.core.facts.declare import METRICS, RATES
from sentinel.core.facts.state import COUNT_BINS, HOUR_BINS, SHARE_PRIOR, ActorTable, RoleTable

TAIL: Final = 1e-4
SERVICE_ROLE: Final = "(service)"  # of programs that tell none: they are nobody's peers
DECAY_A_DAY: Final = 0.98  # roles forget half in five weeks
PERSON_WEIGHT_DAYS: Final = 4.0  # days that the role's mean counts for in a person's
MEMORY_DAYS: Final = 20.0  # a person's mean follows their last weeks
ROLE_DAYS_MIN: Final = 10.0
SHAPE_MIN, SHAPE_MAX = 0.3, 50.0
PERSON_ADDS: Final = 0.1  # what is rare for the person alone is at most ten times rarer than for the role
NEVER_YET: Final = 0.1  # days that what a role never did counts as
DRIFT: Final = 2.5  # times the usual: what a slow start is told from
DRIFT_USUAL_MIN: Final = 0.2  # strangers a day
DRIFT_MAX: Final = 30.0
HOUSE_DAYS: Final = 100.0  # days that the whole house counts for in a role's
SHARE_PRIOR_VISITS: Final = 50.0
RATE_PRIOR: Final = dict.fromkeys(RATES, 0.002) | {
    "coworker": 0.01,
    "deceased": 0.01,
    "restricted": 0.01,
    "care_gap": 0.2,
    "once_here": 0.05,
    "sensitive": 0.1,
    "returns": 0.05,
    "own_record": 1e-5,
    "minor": 0.15,
    "after_search": 0.2,
}
RATE_PRIOR_VISITS: Final = 200.0  # openings that the prior counts for in the whole house's shares …
RATE_HOUSE_VISITS: Final = 50.0  # … and the whole house in a role's
RATE_FLOOR: Final = 1e-6
MEAN_MIN: Final = 1e-3
OTHER_DAYS: Final = 0.1  # who works on Saturday at ten does what others do on Friday at ten

Floats = NDArray[np.float64]


class RoleSums(NamedTuple):
    """What active days add up to, a row a role. `days`, `sums` and `squares` leave out people with an alert."""

    days: Floats  # of people at work
    sums: Floats  # (roles, METRICS)
    squares: Floats  # (roles, METRICS)
    counts: Floats  # (roles, METRICS, COUNT_BINS) days that hold as much, alerts or not: a matter of fact
    visits: Floats  # record openings, once a day and patient
    unexplained: Floats  # of them without an ordinary reason
    traits: Floats  # (roles, RATES) of these
    hours: Floats  # (roles, HOUR_BINS) hours at work


def role_sums(rows: int) -> RoleSums:
    """Return empty sums."""
    m = len(METRICS)
    shapes: tuple[tuple[int, ...], ...] = ((), (m,), (m,), (m, COUNT_BINS), (), (), (len(RATES),), (HOUR_BINS,))
    return RoleSums(*(np.zeros((rows, *shape)) for shape in shapes))


@dataclass(frozen=True, slots=True)
class Day:
    """A day that ended, of some of the people: a row of `sums` for each of `roles`, which are told by name."""

    roles: list[str]
    sums: RoleSums


def end_day(actors: ActorTable, n_actors: int, roles: RoleTable, names: list[str], left_out: NDArray[np.int64]) -> Day:
    """Learn each person's day that ends, return what it adds up to by role, and begin the next.

    People `left_out` have an alert: misuse must not become usual.
    """
    role, days = actors.role[:n_actors], actors.day_total[:n_actors].astype(np.float64)
    at_work: NDArray[np.bool_] = np.any(days, axis=1)
    sums = role_sums(len(names))
    _count_days(sums.counts, role[at_work], days[at_work])
    at_work[left_out[left_out < n_actors]] = False
    _follow_drift(actors, np.nonzero(np.any(days, axis=1))[0])
    _learn_people(actors, np.nonzero(at_work)[0], days[at_work])
    np.add.at(sums.days, role[at_work], 1.0)
    np.add.at(sums.sums, role[at_work], days[at_work])
    np.add.at(sums.squares, role[at_work], days[at_work] ** 2)
    opened = (roles.open_visits, roles.open_unexplained, roles.open_traits, roles.open_hours)
    for total, of_day in zip((sums.visits, sums.unexplained, sums.traits, sums.hours), opened, strict=True):
        total[:] = of_day[: len(names)]
        of_day[:] = 0.0
    actors.day_total[:n_actors] = 0.0
    return Day(names, sums)


def at_work(days: Sequence[Day]) -> dict[str, float]:
    """Return how many people of each role were at work on a day that is told in parts, those with an alert among them."""
    people: dict[str, float] = {}
    for day in days:
        for role, counts in zip(day.roles, day.sums.counts[:, 0].sum(axis=1).tolist(), strict=True):
            people[role] = people.get(role, 0.0) + counts
    return people


def _count_days(counts: Floats, role: NDArray[np.int64], days: Floats) -> None:
    large = 16 + 8 * np.log2(np.maximum(days, 16.0) / 16)
    bins = np.where(days < 16, days, np.minimum(large, COUNT_BINS - 1)).astype(np.int64)
    np.add.at(counts, (role[:, None], np.arange(len(METRICS))[None, :], bins), 1.0)


def _follow_drift(actors: ActorTable, who: NDArray[np.int64]) -> None:
    """Add a day to each person's cumulative sum of log-likelihood ratios (Page 1954): `DRIFT` times the usual strangers, or not.

    By chance it passes h once with a probability of at most exp(-h); uneven days are given less weight.
    """
    strangers = METRICS.index("unexplained")
    peers, shape = actors.peers_mean[who, strangers], actors.spread[who, strangers]
    usual = np.maximum(expected(actors.usual_mean[who, strangers], actors.usual_days[who], peers), DRIFT_USUAL_MIN)
    gain = (actors.day_total[who, strangers] * np.log(DRIFT) - (DRIFT - 1.0) * usual) / (1.0 + usual / shape)
    actors.drift[who] = np.clip(actors.drift[who] + np.nan_to_num(gain), 0.0, DRIFT_MAX)


def _learn_people(actors: ActorTable, who: NDArray[np.int64], days: Floats) -> None:
    actors.usual_days[who] = np.minimum(actors.usual_days[who] + 1.0, MEMORY_DAYS)
    actors.usual_mean[who] += (days.astype(np.float32) - actors.usual_mean[who]) / actors.usual_days[who][:, None]


@dataclass(slots=True)
class Baselines:
    """What the closed days of everybody add up to, by role, and what follows from it.

    `codes` numbers the roles; all arrays have a row a role.
    """

    codes: Codes = field(default_factory=Codes)
    sums: RoleSums = field(default_factory=lambda: role_sums(32))
    house_share: float = SHARE_PRIOR  # of record openings without an ordinary reason, all roles together
    exceed: Floats = field(default_factory=lambda: np.zeros((32, len(METRICS), COUNT_BINS)))

    def rates(self, names: Sequence[str]) -> Floats:
        """Return (roles, RATES): of the openings of each role that could have a trait, the share that have it, in (0, 1].

        A role leans on the whole house, and this on what was declared.
        """
        prior = np.array([RATE_PRIOR[name] for name in RATES])
        house = (self.sums.traits.sum(axis=0) + prior * RATE_PRIOR_VISITS) / (
            _openings(self.sums).sum(axis=0) + RATE_PRIOR_VISITS
        )
        of = self._of(names)
        shares: Floats = (of.traits + house * RATE_HOUSE_VISITS) / (_openings(of) + RATE_HOUSE_VISITS)
        return np.clip(shares, RATE_FLOOR, 1.0)

    def close_day(self, days: Sequence[Day]) -> None:
        """Add a day that ended, told in parts."""
        self._forget()
        for day in days:
            where = self.codes.encode(day.roles)
            self.sums = grow(self.sums, len(self.codes) + 1, {})  # the last is nobody's
            for total, part in zip(self.sums, day.sums, strict=True):
                total[where] += part
        visits, unexplained = float(self.sums.visits.sum()), float(self.sums.unexplained.sum())
        self.house_share = (unexplained + SHARE_PRIOR * SHARE_PRIOR_VISITS) / (visits + SHARE_PRIOR_VISITS)
        people = np.ones(len(self.sums.days), dtype=np.bool_)
        people[self._rows([SERVICE_ROLE])] = False
        self.exceed = exceedance(self.sums.counts, people)

    def _forget(self) -> None:
        for sums in self.sums:
            np.multiply(sums, DECAY_A_DAY, out=sums)

    def publish(self, roles: RoleTable, names: Sequence[str]) -> None:
        """Write what is usual of the roles called `names` into the first rows of `roles`."""
        n, of = len(names), self._of(names)
        events = of.hours.sum(axis=1)
        roles.share[:n] = (of.unexplained + self.house_share * SHARE_PRIOR_VISITS) / (of.visits + SHARE_PRIOR_VISITS)
        roles.events[:n] = events
        roles.hour_share[:n] = _profile(of.hours) / np.maximum(events, 1.0)[:, None]
        roles.exceed[:n] = self.exceed[self._rows(names)]

    def publish_limits(self, actors: ActorTable, n_actors: int, names: Sequence[str]) -> None:
        """Write what a day of each of the first `n_actors` people is expected to hold, and what chance exceeds."""
        role = actors.role[:n_actors]
        by_role = self._of(names)
        days = by_role.days[role][:, None]
        known = (days[:, 0] >= ROLE_DAYS_MIN) & (actors.last_seen[:n_actors] > 0)  # codes run ahead of the pass
        mean = by_role.sums[role] / np.maximum(days, 1.0)
        variance = by_role.squares[role] / np.maximum(days, 1.0) - mean * mean
        shape = np.clip(mean * mean / np.maximum(variance - mean, 1e-9), SHAPE_MIN, SHAPE_MAX)
        own = expected(actors.usual_mean[:n_actors], actors.usual_days[:n_actors][:, None], mean)
        actors.peers_mean[:n_actors] = np.where(known[:, None], mean, np.nan)
        actors.spread[:n_actors] = np.where(known[:, None], shape, np.nan)
        limit = np.where(known[:, None], np.zeros_like(shape), np.nan)
        law.write_limits(limit, shape, np.maximum(own, MEAN_MIN), TAIL)
        actors.limit[:n_actors] = limit

    def _rows(self, names: Sequence[str]) -> list[int]:
        """Return the row of each role; one that nobody has had yet has the last, which is empty."""
        return [-1 if code == NOBODY and name else code for name, code in zip(names, map(self.codes.find, names), strict=True)]

    def _of(self, names: Sequence[str]) -> RoleSums:
        where = self._rows(names)
        return RoleSums(*(sums[where] for sums in self.sums))


def _profile(hours: Floats) -> Floats:
    """Return (roles, HOUR_BINS) hours at work: a part of those of working days counts as of week-ends, and back."""
    other = np.roll(hours, HOUR_BINS // 2, axis=1)
    profile: Floats = (1.0 - OTHER_DAYS) * hours + OTHER_DAYS * other
    return profile


def _openings(sums: RoleSums) -> Floats:
    """Return (roles, RATES): how many openings could have had each trait."""
    among = np.repeat(sums.unexplained[:, None], len(RATES), axis=1)
    among[:, RATES.index("own_record")] = sums.visits
    return among


def exceedance(counts: Floats, people: NDArray[np.bool_]) -> Floats:
    """Return, for (roles, metrics, bins) counts of days, the share of a role's days that reach each bin, in (0, 1].

    A role with few days leans on the whole house, which is the roles of `people`, not of programs; beyond the largest
    day ever seen, the share falls as the square.
    """
    least = np.where(np.arange(COUNT_BINS) < 16, np.arange(COUNT_BINS), 16 * 2.0 ** ((np.arange(COUNT_BINS) - 16) / 8))
    reached = counts[..., ::-1].cumsum(axis=-1)[..., ::-1]
    house = (reached * people[:, None, None]).sum(axis=0, keepdims=True)
    # the roles' geometric mean: what one role does every day is no reason to expect it of another
    weight = people[:, None, None] * reached[..., :1] / (reached[..., :1] + HOUSE_DAYS)
    logs = np.log((reached + NEVER_YET) / (reached[..., :1] + NEVER_YET))
    house_share = np.exp((weight * logs).sum(axis=0, keepdims=True) / np.maximum(weight.sum(axis=0, keepdims=True), 1e-9))
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
    mean = np.maximum(expected(own_mean, MEMORY_DAYS / 2, peers_mean), 1e-3)
    probability = law.tail(np.maximum(count, 1.0), shape, mean / (shape + mean))
    return np.clip(probability, 1e-12, 1.0)


def daily_tail(facts: Any, metric: str) -> Any:
    """Return, for fact columns, the probability that an ordinary day holds as much of a metric.

    The larger of what the person's law gives and of how often the role's days reached it: whoever is like their
    peers at their busiest is not unusual.
    """
    own, peers = facts[f"{metric}_actor"], facts[f"{metric}_peers"]
    person = tail(facts[f"{metric}_24h"], np.where(np.isnan(own), peers, own), peers, facts[f"{metric}_spread"])
    return np.fmax(person, facts[f"{metric}_exceed"] * PERSON_ADDS)
