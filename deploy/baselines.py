"""What else one could run on the same log: four other ways to rank accesses, held to the same budget on the same cases.

Each ranks days of people with the whole period in hand, which Sentinel never has: an alert is a person's day, its priority the
highest score of that day, and of those days the budget's number is told, each with its events that score as high as the last.
They are given what an access log holds, and no context: none of them could read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from river.anomaly import HalfSpaceTrees
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]

from sentinel import assembly
from sentinel.core.alert import rfc3339
from sentinel.core.batch import ACTIONS, EventBatch, Provenance, batch_of
from sentinel.core.codes import Codes
from sentinel.core.event import DAY_US, HOUR_US, Action, ActorType
from sentinel.core.facts.declare import OPENING
from sentinel.core.work import EMERGENCY, SENSITIVE
from streams.files import cut, opened

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

SEED: Final = 1
NIGHT: Final = (22, 6)  # from, to: local hours
RECORDS_BITS: Final = 10.0  # 1,000 records in one act are as many as a feature tells
RANK: Final = 10  # of the factors, as SynapseML's default
ROUNDS: Final = 5  # of alternating least squares, each from where the day before ended
TRUST: Final = 40.0  # Hu, Koren and Volinsky's alpha: what a further access adds to the confidence in a pair
RIDGE: Final = 1.0
MEMORY_DAYS: Final = 28  # of accesses that the factors are fitted to
_HUMAN: Final = list(ActorType).index(ActorType.HUMAN)


@dataclass(frozen=True, slots=True)
class Log:
    """An access log as columns, one element an event, in order of time; codes from 1, 0: not told."""

    id: list[str]
    at: Ints  # µs since 1970 UTC
    hour: Ints  # local, 0..23
    weekend: Mask
    actor: Ints
    patient: Ints
    device: Ints
    action: Ints  # index into ACTIONS
    human: Mask
    failed: Mask
    records: Ints
    sensitive: Mask
    outward: Mask
    emergency: Mask

    def __len__(self) -> int:
        return len(self.id)

    def did(self, *actions: Action) -> Mask:
        """Return where one of the actions was done."""
        return np.isin(self.action, [ACTIONS.index(action) for action in actions])

    @property
    def day(self) -> Ints:
        """UTC days since 1970, one an event."""
        return self.at // DAY_US


def read(events: Path, zone: ZoneInfo) -> Log:
    """Return a file of FHIR AuditEvents as columns."""
    codes = (Codes(), Codes(), Codes())
    parts = [_part(batch, zone, codes) for batch in _batches(events)]
    order = np.argsort(np.concatenate([part["at"] for part in parts]), kind="stable")
    ids = [one for part in parts for one in part["id"]]
    columns = {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0] if name != "id"}
    return Log(id=[ids[i] for i in order.tolist()], **columns)


def _batches(events: Path) -> Iterator[EventBatch]:
    source = assembly.source("fhir_auditevent")
    with opened(str(events)) as stream:
        for _, lines in cut(stream):
            yield batch_of("", source.decode(lines).rows, Provenance("fhir_auditevent"))


def _part(batch: EventBatch, zone: ZoneInfo, codes: tuple[Codes, Codes, Codes]) -> dict[str, Any]:
    hours, where = np.unique(batch.occurred_at // HOUR_US, return_inverse=True)
    local = [datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone) for hour in hours.tolist()]
    actors, patients, devices = codes
    return {
        "id": batch.id,
        "at": batch.occurred_at,
        "hour": np.array([moment.hour for moment in local])[where],
        "weekend": np.array([moment.weekday() >= 5 for moment in local])[where],
        "actor": actors.encode(batch.actor_id),
        "patient": patients.encode(batch.patient_id),
        "device": devices.encode(batch.device),
        "action": batch.action.astype(np.int64),
        "human": batch.actor_type == _HUMAN,
        "failed": batch.outcome != 0,
        "records": batch.resource_count,
        "sensitive": np.array([label in SENSITIVE for label in batch.resource_sensitivity], dtype=np.bool_),
        "outward": batch.destination > 0,
        "emergency": (batch.action == ACTIONS.index(Action.BREAK_GLASS))
        | np.array([purpose in EMERGENCY for purpose in batch.purpose], dtype=np.bool_),
    }


# --- the ways ----------------------------------------------------------------------------------------


def half_space_trees(log: Log) -> Floats:
    """Score with river's half-space trees alone, on each event as it comes: 25 trees of height 8, as Sentinel's model."""
    features = _event_features(log)
    model: Any = HalfSpaceTrees(n_trees=25, height=8, window_size=1_000, seed=SEED)
    scores = np.zeros(len(log))
    names = range(features.shape[1])
    for i, row in enumerate(features.tolist()):
        x: dict[Any, float] = dict(zip(names, row, strict=True))
        scores[i] = model.score_one(x)
        model.learn_one(x)
    return scores


def _event_features(log: Log) -> Floats:
    """Return (events, features), each in [0, 1]."""
    _, habit = _seen_before(log.actor, log.device)
    _, met = _seen_before(log.actor, log.patient)
    kinds = [
        log.did(Action.SEARCH),
        log.did(Action.CREATE, Action.UPDATE),
        log.did(Action.DELETE),
        log.did(Action.EXPORT, Action.PRINT, Action.SHARE),
        log.did(Action.PERMISSION_CHANGE),
        log.did(Action.LOGIN, Action.LOGIN_FAILED, Action.LOGOUT),
    ]
    columns = [
        log.hour / 23.0,
        log.weekend,
        log.failed,
        log.sensitive,
        log.outward,
        log.emergency,
        np.minimum(np.log2(np.maximum(log.records, 1)) / RECORDS_BITS, 1.0),
        ~habit,
        ~met,
        *kinds,
    ]
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def _seen_before(left: Ints, right: Ints) -> tuple[Ints, Mask]:
    """Return a number for each pair, and whether an earlier event had the same."""
    _, first, pair = np.unique((left << 32) | right, return_index=True, return_inverse=True)
    return pair, first[pair] != np.arange(len(pair))


def isolation_forest(log: Log) -> Floats:
    """scikit-learn's isolation forest on each hour of each person, fitted to the whole period: what most SIEMs offer."""
    _, hour = np.unique((log.actor << 32) | (log.at // HOUR_US), return_inverse=True)
    n = int(hour.max()) + 1
    counts = [
        np.ones(len(log), dtype=np.bool_),
        log.did(Action.SEARCH),
        log.did(Action.CREATE, Action.UPDATE),
        log.did(Action.DELETE),
        log.did(Action.LOGIN_FAILED),
        log.did(Action.PERMISSION_CHANGE),
        log.sensitive,
        log.outward,
        log.emergency,
        _first_in(hour, log.patient),
        _first_in(hour, log.device),
    ]
    sums = [np.bincount(hour, weights=count, minlength=n) for count in counts]
    exported = np.bincount(
        hour, weights=np.where(log.did(Action.EXPORT, Action.PRINT, Action.SHARE), log.records, 0), minlength=n
    )
    when = [np.bincount(hour, weights=part, minlength=n) / sums[0] for part in (log.hour, log.weekend)]
    table = np.stack([*(np.log1p(one) for one in (*sums, exported)), *when], axis=1)
    forest = IsolationForest(n_estimators=100, random_state=SEED).fit(table)
    scores: Floats = -forest.score_samples(table)[hour]
    return scores


def _first_in(group: Ints, value: Ints) -> Mask:
    """Return where a value that was told comes up for the first time in its group."""
    first: Mask = ~_seen_before(group, value)[1] & (value != 0)
    return first


def collaborative_filter(log: Log) -> Floats:
    """Factors of people and patients in the manner of SynapseML's AccessAnomaly: score = −affinity, standardised.

    Implicit feedback (Hu, Koren and Volinsky, ICDM 2008), fitted at the end of each day to the last four weeks. A patient or
    person nobody has met yet has no factors and is given no score, as there.
    """
    opens = np.isin(log.action, [ACTIONS.index(action) for action in OPENING]) & log.human & (log.patient != 0)
    scores = np.zeros(len(log))
    rng = np.random.default_rng(SEED)
    people = rng.normal(0, 0.1, (int(log.actor.max()) + 1, RANK))
    patients = rng.normal(0, 0.1, (int(log.patient.max()) + 1, RANK))
    first, last = int(log.day.min()), int(log.day.max())
    for today in range(first + 1, last + 1):
        past = opens & (log.day < today) & (log.day >= today - MEMORY_DAYS)
        pairs, times = np.unique((log.actor[past] << 32) | log.patient[past], return_counts=True)
        who, whom = pairs >> 32, pairs & 0xFFFFFFFF
        for _ in range(ROUNDS):
            _fit(people, patients, who, whom, TRUST * times)
            _fit(patients, people, whom, who, TRUST * times)
        affinity = (people[who] * patients[whom]).sum(axis=1)
        now = opens & (log.day == today) & np.isin(log.actor, who) & np.isin(log.patient, whom)
        told = (people[log.actor[now]] * patients[log.patient[now]]).sum(axis=1)
        scores[now] = (affinity.mean() - told) / max(float(affinity.std()), 1e-9)
    return scores


def _fit(factors: Floats, others: Floats, who: Ints, whom: Ints, trust: NDArray[np.floating[Any]]) -> None:
    """Solve for the factors of all in `who`, given the others': one least-squares problem each, at once."""
    order = np.argsort(who, kind="stable")
    rows, starts = np.unique(who[order], return_index=True)
    theirs, weight = others[whom[order]], trust[order]
    left = np.add.reduceat(weight[:, None, None] * theirs[:, :, None] * theirs[:, None, :], starts, axis=0)
    right = np.add.reduceat((1.0 + weight)[:, None] * theirs, starts, axis=0)
    every = others[np.unique(whom)]
    factors[rows] = np.linalg.solve(left + every.T @ every + RIDGE * np.eye(RANK), right[:, :, None])[:, :, 0]


LIMITS: Final[Mapping[str, float]] = {
    "patients": 60,
    "searches": 40,
    "exported": 50,
    "deleted": 20,
    "failures": 5,
    "emergencies": 3,
    "rights": 3,
    "outward": 1,
    "at_night": 30,
    "devices": 4,
}
"""A day: what an officer would write down without having looked at the hospital's figures."""


def thresholds(log: Log) -> Floats:
    """Fixed limits on a person's day. The score is by how much the day is over the one it breaks most, 0 under all of them."""
    _, day = np.unique((log.actor << 32) | log.day, return_inverse=True)
    night = (log.hour >= NIGHT[0]) | (log.hour < NIGHT[1])
    told: dict[str, Any] = {
        "patients": _first_in(day, log.patient),
        "searches": log.did(Action.SEARCH),
        "exported": np.where(log.did(Action.EXPORT, Action.PRINT, Action.SHARE), log.records, 0),
        "deleted": log.did(Action.DELETE),
        "failures": log.did(Action.LOGIN_FAILED),
        "emergencies": log.emergency,
        "rights": log.did(Action.PERMISSION_CHANGE),
        "outward": log.outward,
        "at_night": night,
        "devices": _first_in(day, log.device),
    }
    scores = np.zeros(len(log))
    for name, counted in told.items():
        over = np.bincount(day, weights=counted)[day] / LIMITS[name]
        scores = np.maximum(scores, np.where((over > 1.0) & (np.asarray(counted) > 0) & log.human, over, 0.0))
    return scores


WAYS: Final[Mapping[str, tuple[str, Callable[[Log], Floats]]]] = {
    "half_space_trees": ("river HalfSpaceTrees on each event", half_space_trees),
    "isolation_forest": ("scikit-learn IsolationForest on hours of people", isolation_forest),
    "collaborative_filter": ("factors of people and patients, as SynapseML's AccessAnomaly", collaborative_filter),
    "thresholds": ("fixed limits a day", thresholds),
}
"""By name: what it is, and the score of each event, higher first, 0: no opinion."""


def alerts(log: Log, scores: Floats, told_max: int) -> list[dict[str, Any]]:
    """Return the people's days of highest score, `told_max` of them at most, as `alerts.ndjson` has alerts."""
    _, day = np.unique((log.actor << 32) | log.day, return_inverse=True)
    best = np.full(int(day.max()) + 1, -np.inf)
    np.maximum.at(best, day, np.where(scores > 0, scores, -np.inf))
    first = np.argsort(-best, kind="stable")[:told_max]
    first = first[np.isfinite(best[first])]
    if not len(first):
        return []
    shown = np.nonzero(np.isin(day, first) & (scores >= best[first[-1]]))[0]
    of_day: dict[int, list[int]] = {}
    for i in shown.tolist():
        of_day.setdefault(int(day[i]), []).append(i)
    return [_alert(log, where, float(best[one])) for one, where in sorted(of_day.items())]


def _alert(log: Log, where: list[int], priority: float) -> dict[str, Any]:
    begins, ends = (rfc3339(int(log.at[i])) for i in (where[0], where[-1]))
    events = list(dict.fromkeys(log.id[i] for i in where))
    return {"id": events[0], "priority": priority, "event_ids": events, "first_seen": begins, "last_seen": ends}
