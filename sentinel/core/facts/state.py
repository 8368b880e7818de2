"""What the ordered pass remembers: named tuples of arrays, indexed by the codes of people, patients and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentinel.core.context import EVER, FOREVER, PatientFlag
from sentinel.core.event import Action
from sentinel.core.facts.declare import METRICS, RATES, SESSION

Array = NDArray[Any]
RING_HOURS: Final = 24
COUNT_BINS: Final = 64  # of daily counts: 0 to 15 one by one, then eight to a doubling
HOUR_BINS: Final = 48  # 24 of working days, 24 of week-ends and nights of them
DEVICES_KEPT: Final = 12
APPLICATIONS_KEPT: Final = 6
LEVELS_MAX: Final = 4  # of units: bed, room, ward, department
FLAG_BITS: Final = {PatientFlag.VIP: 1, PatientFlag.RESTRICTED: 2, PatientFlag.STAFF: 4, PatientFlag.TEST: 8}


class ActorTable(NamedTuple):
    """One row a person or service. Times in µs since 1970 UTC, hours since 1970."""

    position_head: Array  # first of the person's positions in the pool, -1 none
    employed_from: Array  # earliest start of a position; FOREVER: none known
    employed_until: Array  # latest end of a position; EVER: none known
    inactive: Array
    is_service: Array
    role: Array
    unit: Array
    address: Array
    street: Array
    family: Array
    last_seen: Array  # 0: never
    events: Array
    ring_hour: Array
    ring: Array  # (24, metrics) sums an hour
    day_total: Array  # (metrics,) of the open day
    usual_mean: Array  # (metrics,) of closed active days
    usual_days: Array
    drift: Array  # evidence, in nats, that the strangers of the last days are too many
    limit: Array  # (metrics,)
    peers_mean: Array  # (metrics,)
    spread: Array  # (metrics,)
    visits: Array  # record openings, once a day and patient
    visits_unexplained: Array
    hour_count: Array  # (48,) hours at work
    hours: Array  # their sum
    hours_run: Array  # hours at work one after the other, up to the last
    active_hour: Array  # the last one, since 1970
    actions: Array  # (actions,) events of each kind
    searching: Array  # 1: searched, and opened nothing since
    device: Array
    device_at: Array
    previous_device: Array
    devices: Array
    applications: Array
    site: Array
    site_at: Array
    other_site_at: Array
    crossings: Array  # from site to site within minutes, since 12 h without
    failures: Array
    failed_at: Array
    last_number: Array
    last_open_at: Array
    last_gap: Array
    sequential_run: Array
    rhythm_run: Array
    privilege_at: Array
    confirmed_at: Array  # misuse by the person, the last time; 0: never
    session: Array  # (session features,) of the open hour
    session_hour: Array


class PatientTable(NamedTuple):
    """One row a patient."""

    stay_head: Array
    link_head: Array
    staff_actor: Array  # the person at work who is this patient, 0 none
    address: Array
    street: Array
    family: Array
    flags: Array  # FLAG_BITS
    deceased_at: Array
    born_at: Array  # FOREVER: not known
    care_until: Array  # latest end of care on file; EVER: none
    number: Array  # the number at the end of the patient's id, -1 none
    burst_open: Array  # people without reason in the open hour
    burst_closed: Array  # in closed hours, halved each 36 h
    burst_hour: Array


class UnitTable(NamedTuple):
    """One row a unit."""

    parent: Array
    whole_house: Array  # too wide to explain anything


class StayPool(NamedTuple):
    """Stays and planned visits, a linked list a patient."""

    unit: Array
    start: Array
    end: Array
    planned: Array
    next: Array


class LinkPool(NamedTuple):
    """Links by name between a patient and a person, a linked list a patient."""

    actor: Array
    start: Array
    end: Array
    explanation: Array
    next: Array


class PositionPool(NamedTuple):
    """Who works where and when, a linked list a person."""

    unit: Array
    role: Array
    role_class: Array
    leads: Array  # 1: the people of the unit
    start: Array
    end: Array
    next: Array


class PairTable(NamedTuple):
    """What a person and a patient had to do with each other: open addressing, key 0 free."""

    key: Array
    last_open: Array
    counted_at: Array  # when it last counted among the distinct records of a day
    unexplained_at: Array  # when it last counted among those without an ordinary reason
    unexplained_days: Array  # on how many days it did, none over a month after the one before
    last_act: Array
    explained_act: Array


class RoleTable(NamedTuple):
    """One row a role; closed periods only, but for `open_*`."""

    trade: Array  # Trade, by the role's text
    share: Array  # of record openings without an ordinary reason
    hour_share: Array  # (48,)
    events: Array  # in closed days
    exceed: Array  # (metrics, bins) share of closed days with as much, extrapolated beyond the largest
    open_visits: Array
    open_unexplained: Array
    open_traits: Array  # (RATES,)
    open_hours: Array  # (48,)


class Clock(NamedTuple):
    """The stream's time: one-element arrays, so that the pass can move them."""

    hour: Array  # newest hour seen, since 1970
    started: Array  # time of the first event, µs


ACTOR_FILLS: Final = {
    "position_head": -1,
    "employed_from": FOREVER,
    "employed_until": EVER,
    "limit": np.nan,
    "peers_mean": np.nan,
    "spread": np.nan,
    "last_number": -1,
}
PATIENT_FILLS: Final = {
    "stay_head": -1,
    "link_head": -1,
    "deceased_at": FOREVER,
    "born_at": FOREVER,
    "care_until": EVER,
    "number": -1,
}

_M, _S = len(METRICS), len(SESSION)
_Shape = tuple[tuple[int, ...], str]
_CODE: Final[_Shape] = ((), "i4")  # or an hour since 1970, a run, a row of a pool
_FLAG: Final[_Shape] = ((), "i1")
_ACTOR_SHAPES: Final[dict[str, _Shape]] = {
    "ring": ((RING_HOURS, _M), "f4"),
    "day_total": ((_M,), "f4"),
    "usual_mean": ((_M,), "f4"),
    "usual_days": ((), "f4"),
    "drift": ((), "f4"),
    "limit": ((_M,), "f4"),
    "peers_mean": ((_M,), "f4"),
    "spread": ((_M,), "f4"),
    "visits": ((), "f4"),
    "visits_unexplained": ((), "f4"),
    "hour_count": ((HOUR_BINS,), "f4"),
    "hours": ((), "f4"),
    "actions": ((len(Action),), "f4"),
    "devices": ((DEVICES_KEPT,), "i4"),
    "applications": ((APPLICATIONS_KEPT,), "i4"),
    "session": ((_S,), "f4"),
    **dict.fromkeys(
        (
            *("position_head", "role", "unit", "address", "street", "family"),
            *("device", "previous_device", "site", "crossings", "failures", "sequential_run", "rhythm_run"),
            *("ring_hour", "active_hour", "hours_run", "session_hour"),
        ),
        _CODE,
    ),
    **dict.fromkeys(("inactive", "is_service", "searching"), _FLAG),
}
_PATIENT_SHAPES: Final = {
    **dict.fromkeys(("stay_head", "link_head", "staff_actor", "address", "street", "family", "burst_hour"), _CODE),
    "flags": _FLAG,
    **dict.fromkeys(("burst_open", "burst_closed"), ((), "f4")),
}
_POOL_SHAPES: Final = {
    **dict.fromkeys(("unit", "actor", "role", "next"), _CODE),
    **dict.fromkeys(("planned", "explanation", "role_class", "leads"), _FLAG),
}
_ROLE_SHAPES: Final[dict[str, _Shape]] = {
    "share": ((), "f4"),
    "hour_share": ((HOUR_BINS,), "f4"),
    "exceed": ((_M, COUNT_BINS), "f4"),
    "events": ((), "f4"),
    "open_visits": ((), "f4"),
    "open_unexplained": ((), "f4"),
    "open_traits": ((len(RATES),), "f4"),
    "open_hours": ((HOUR_BINS,), "f4"),
}
SHARE_PRIOR: Final = 0.05


def _table(cls: type[Any], rows: int, shapes: dict[str, _Shape], fills: Mapping[str, float]) -> Any:
    def column(name: str) -> Array:
        shape, kind = shapes.get(name, ((), "i8"))
        return np.full((rows, *shape), fills.get(name, 0), dtype=kind)

    return cls(*(column(name) for name in cls._fields))


def actors(rows: int = 64) -> ActorTable:
    """Return an empty table of people."""
    table: ActorTable = _table(ActorTable, rows, _ACTOR_SHAPES, ACTOR_FILLS)
    return table


def patients(rows: int = 256) -> PatientTable:
    """Return an empty table of patients."""
    table: PatientTable = _table(PatientTable, rows, _PATIENT_SHAPES, PATIENT_FILLS)
    return table


def roles(rows: int = 32) -> RoleTable:
    """Return an empty table of roles."""
    table: RoleTable = _table(RoleTable, rows, _ROLE_SHAPES, {"share": SHARE_PRIOR})
    return table


def units(rows: int = 64) -> UnitTable:
    """Return an empty table of units."""
    table: UnitTable = _table(UnitTable, rows, {}, {})
    return table


def pairs(slots: int = 4_096) -> PairTable:
    """Return an empty table of pairs; `slots` is a power of two."""
    table: PairTable = _table(PairTable, slots, {}, {})
    return table


def pool(cls: type[Any], rows: int = 256) -> Any:
    """Return an empty pool of stays, links or positions."""
    return _table(cls, rows, _POOL_SHAPES, {"next": -1})


def clock() -> Clock:
    """Return a clock before its first event."""
    return Clock(np.zeros(1, np.int64), np.zeros(1, np.int64))


def layout() -> tuple[str, ...]:
    """Return what every row of every table is made of: a state of another layout cannot be gone on with."""
    every = (actors(1), patients(1), roles(1), units(1), pairs(1), *map(pool, (StayPool, LinkPool, PositionPool)))
    return tuple(
        f"{type(table).__name__}.{name} {column.dtype} {column.shape[1:]}"
        for table in every
        for name, column in zip(table._fields, table, strict=True)
    )
