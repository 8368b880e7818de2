"""The one ordered pass: event by event, so that no result hangs on where a batch is cut.

Compiled by numba over codes and arrays; the same functions run uncompiled in tests (`NUMBA_DISABLE_JIT`).
It writes facts and moves state; it knows no names, no thresholds and no detectors. Its stages stand in this file, as
numba's cache compiles anew what calls a changed function only if both stand in one (`sentinel/compiled.py` sees to the rest).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sentinel.core.batch import ACTIONS, ACTOR_TYPES, OUTCOMES
from sentinel.core.context import EVER, FOREVER, PatientFlag
from sentinel.core.event import DAY_US, HOUR_US, Action, ActorType, Outcome
from sentinel.core.explain import AFTER_US, BEFORE_US, ExplanationCode, RoleClass
from sentinel.core.facts.declare import ADULT_YEARS, CARE_GAP_DAYS, INDEX, METRICS, OPENING, PER_METRIC, RATES, SESSION
from sentinel.core.facts.state import (
    COUNT_BINS,
    RING_HOURS,
    ActorTable,
    Clock,
    LinkPool,
    PairTable,
    PatientTable,
    PositionPool,
    RoleTable,
    StayPool,
    UnitTable,
)
from sentinel.lean import without

with without("scipy.linalg"):  # numba asks once whether it could multiply matrices with it, a sixth of a second for nothing here
    import_module("numba.np.arraymath")

F = TypeVar("F", bound=Callable[..., Any])

MINUTE_US: Final = 60_000_000
YEAR_US: Final = 365.2425 * DAY_US
DEVICE_WARM_UP: Final = 30  # events of a person before a new device means anything
ROLE_WARM_UP: Final = 50  # hours of a role's people at work before its hours mean anything
BURST_HALF_LIFE_H: Final = 36.0
SHARE_WEIGHT: Final = 30.0  # openings that the role's share counts for in a person's
HOUR_WEIGHT: Final = 15.0  # hours at work that the role's count for in a person's
ODD_HOUR: Final = 0.02  # share of the hours at work under which an hour is odd, for the online model
RETURN_US: Final = 30 * DAY_US  # opened again within so long, without a reason either, it is a return
POSITION_EARLY_US: Final = 3 * DAY_US
UNITS_MAX: Final = 16  # units that one person works in around one moment
LEVELS_MAX: Final = 4  # bed, room, ward, department
GRACE_MIN_US: Final = 3 * DAY_US  # work on one's former unit's patients goes on for as long as one was there …
GRACE_MAX_US: Final = 30 * DAY_US  # … within bounds: a night's duty leaves little to finish
FLAG_BITS: Final = {PatientFlag.VIP: 1, PatientFlag.RESTRICTED: 2, PatientFlag.STAFF: 4, PatientFlag.TEST: 8}

_IS_OPENING: Final = np.array([action in OPENING for action in ACTIONS])
_IS_ACT: Final = np.array([action in (Action.CREATE, Action.UPDATE, Action.DELETE) for action in ACTIONS])
_IS_EXPORT: Final = np.array([action in (Action.EXPORT, Action.PRINT, Action.SHARE) for action in ACTIONS])
_LOGIN: Final = ACTIONS.index(Action.LOGIN)
_LOGIN_FAILED: Final = ACTIONS.index(Action.LOGIN_FAILED)
_SEARCH: Final = ACTIONS.index(Action.SEARCH)
_PRINT: Final = ACTIONS.index(Action.PRINT)
_DELETE: Final = ACTIONS.index(Action.DELETE)
_PERMISSION: Final = ACTIONS.index(Action.PERMISSION_CHANGE)
_SUCCESS: Final = OUTCOMES.index(Outcome.SUCCESS)
_UNKNOWN: Final = OUTCOMES.index(Outcome.UNKNOWN)
_HUMAN: Final = ACTOR_TYPES.index(ActorType.HUMAN)
_PATIENT: Final = ACTOR_TYPES.index(ActorType.PATIENT)
_BEFORE: Final = np.array(BEFORE_US)
_AFTER: Final = np.array(AFTER_US)
_VIP, _RESTRICTED = FLAG_BITS[PatientFlag.VIP], FLAG_BITS[PatientFlag.RESTRICTED]

_M: Final = len(METRICS)
_M_PATIENTS, _M_UNEXPLAINED, _M_EXPORTED, _M_DELETED, _M_SEARCHES, _M_SWITCHES, _M_EMERGENCIES, _M_OPENS, _M_DISCLOSED = range(_M)
(
    _R_COWORKER,
    _R_TEAM,
    _R_HOUSEHOLD,
    _R_NAME,
    _R_VIP,
    _R_RESTRICTED,
    _R_DECEASED,
    _R_GAP,
    _R_ONCE_HERE,
    _R_STREET,
    _R_SENSITIVE,
    _R_RETURNS,
    _R_OWN,
    _R_HIERARCHY,
    _R_MINOR,
    _R_SEARCHED,
) = range(len(RATES))
(
    _S_EVENTS,
    _S_PATIENTS,
    _S_UNEXPLAINED,
    _S_SEARCHES,
    _S_WRITES,
    _S_EXPORTS,
    _S_PRINTS,
    _S_OFF_HOURS,
    _S_DEVICES,
    _S_APPLICATIONS,
) = range(len(SESSION))
_E_NONE: Final = int(ExplanationCode.NONE)
_E_PATIENT: Final = int(ExplanationCode.PATIENT_REQUEST)
_E_STAY: Final = int(ExplanationCode.STAY_IN_UNIT)
_E_PLANNED: Final = int(ExplanationCode.PLANNED_IN_UNIT)
_E_OWN_ACT: Final = int(ExplanationCode.OWN_ACT)
_E_TRANSVERSAL: Final = int(ExplanationCode.TRANSVERSAL_ROLE)
_E_CODING: Final = int(ExplanationCode.CODING_BILLING)
_E_INTERFACE: Final = int(ExplanationCode.INTERFACE)
_C_TRANSVERSAL: Final = int(RoleClass.TRANSVERSAL)
_C_CODING: Final = int(RoleClass.CODING)

_F: Final = INDEX
F_EXPLAINED, F_UNEXPLAINED_SHARE, F_OWN, F_COWORKER = _F["explained"], _F["unexplained_share"], _F["own_record"], _F["coworker"]
F_HOUSEHOLD, F_STREET, F_NAME = _F["same_household"], _F["same_street"], _F["same_name"]
F_VIP, F_RESTRICTED, F_SENSITIVE = _F["vip"], _F["restricted"], _F["sensitive"]
F_DECEASED, F_GAP, F_DEPARTED, F_LEAVING = _F["deceased_days"], _F["care_gap_days"], _F["departed_days"], _F["leaving_days"]
F_ONCE_HERE, F_ORPHAN = _F["once_here"], _F["no_position"]
F_DORMANT, F_HOUR_SHARE, F_CONFIRMED = _F["dormant_days"], _F["hour_share"], _F["confirmed_days"]
F_CROSSINGS, F_DEVICE, F_APPLICATION, F_ACTION, F_OTHER_SITE = (
    _F["site_crossings"],
    _F["device_new"],
    _F["application_new"],
    _F["action_share"],
    _F["other_site_minutes"],
)
F_FAILURES, F_SEQUENTIAL, F_RHYTHM = _F["failures_before"], _F["sequential_run"], _F["rhythm_run"]
F_DRIFT, F_RETURNS, F_BURST, F_PRIVILEGE, F_CONTACT, F_ACT, F_HOUR = (
    _F["strangers_drift"],
    _F["returns"],
    _F["burst_actors"],
    _F["privilege_hours"],
    _F["contact_days"],
    _F["act_days"],
    _F["hour"],
)


F_HIERARCHY, F_AGE, F_SEARCHED, F_TRADE = _F["hierarchy"], _F["age_years"], _F["after_search"], _F["trade"]


class Columns(NamedTuple):
    """A micro-batch as the pass reads it: one element an event."""

    occurred_at: NDArray[np.int64]  # µs since 1970 UTC
    hour_bin: NDArray[np.int64]  # 0..47 in the site's time zone
    action: NDArray[np.int8]
    outcome: NDArray[np.int8]
    actor_type: NDArray[np.int8]
    actor: NDArray[np.int64]
    role: NDArray[np.int64]  # as told; the pass writes the one held
    unit: NDArray[np.int64]
    patient: NDArray[np.int64]
    device: NDArray[np.int64]
    application: NDArray[np.int64]
    site: NDArray[np.int64]
    records: NDArray[np.int64]
    sensitive: NDArray[np.bool_]
    outward: NDArray[np.bool_]  # to an open link or a removable device
    emergency: NDArray[np.bool_]  # break-glass, as an action or as a purpose
    oversight: NDArray[np.bool_]  # in Sentinel itself, where care is no reason and none is looked for


class Tables(NamedTuple):
    """All the state that the pass reads and moves."""

    actors: ActorTable
    patients: PatientTable
    units: UnitTable
    stays: StayPool
    links: LinkPool
    positions: PositionPool
    pairs: PairTable
    roles: RoleTable
    clock: Clock
    family_share: NDArray[np.float64]  # share of people with a family name
    knows_staff: bool  # anybody's position is on file


@njit(cache=True, inline="always")
def _slot(keys: Any, key: int) -> int:
    """Return where a pair is, or the free slot where it would be."""
    mask = len(keys) - 1
    mixed = (key ^ (key >> 31)) * 0x1E3779B97F4A7C15  # actor and patient sit in different halves
    i = (mixed ^ (mixed >> 29)) & mask
    while keys[i] != 0 and keys[i] != key:
        i = (i + 1) & mask
    return i


@njit(cache=True)
def count_bin(count: float) -> int:
    """Return the bin of a daily count: 0 to 15 one by one, then eight to a doubling."""
    if count < 16:
        return int(count)
    return min(COUNT_BINS - 1, int(16 + 8 * np.log2(count / 16)))


@njit(cache=True)
def rehash(old: PairTable, new: PairTable, oldest: int) -> int:
    """Move the pairs last open at or after `oldest` (µs) into an empty, larger table; return how many."""
    moved = 0
    for i in range(len(old.key)):
        if old.key[i] != 0 and old.last_open[i] >= oldest:
            j = _slot(new.key, old.key[i])
            new.key[j] = old.key[i]
            new.last_open[j] = old.last_open[i]
            new.counted_at[j] = old.counted_at[i]
            new.unexplained_at[j] = old.unexplained_at[i]
            new.unexplained_days[j] = old.unexplained_days[i]
            new.last_act[j] = old.last_act[i]
            new.explained_act[j] = old.explained_act[i]
            moved += 1
    return moved


@njit(cache=True)
def hour_end(occurred_at: Any, start: int, hour: int) -> int:
    """Return the index of the first event at or after `start` that opens a later hour than `hour`."""
    i = start
    while i < len(occurred_at) and occurred_at[i] // HOUR_US <= hour:
        i += 1
    return i


@njit(cache=True)
def _with_unit(mine: Any, n: int, unit: int) -> int:
    """Add a unit to the person's `n` own, once, while there is room; return how many there are."""
    for k in range(n):
        if mine[k] == unit:
            return n
    if unit != 0 and n < UNITS_MAX:
        mine[n] = unit
        n += 1
    return n


@njit(cache=True)
def _works_in(mine: Any, n: int, units: UnitTable, stay_unit: int) -> bool:
    """Whether the unit of a stay, or one above it, is among the person's `n` own."""
    unit = stay_unit
    for _ in range(LEVELS_MAX):
        if unit == 0 or units.whole_house[unit] != 0:
            return False
        for k in range(n):
            if mine[k] == unit:
                return True
        unit = units.parent[unit]
    return False


@njit(cache=True)
def _cared_for(s: StayPool, head: int, units: UnitTable, mine: Any, n: int, at: int) -> tuple[int, bool, bool]:
    """Return the reason that a stay or planned visit gives; whether the patient is in the house, and may be coded."""
    present = coding = False
    found = _E_NONE
    k = head
    while k >= 0:
        start, end = s.start[k], s.end[k]
        code = _E_PLANNED if s.planned[k] != 0 else _E_STAY
        better = found == _E_NONE or code < found
        if better and start - _BEFORE[code] <= at <= end + _AFTER[code] and _works_in(mine, n, units, s.unit[k]):
            found = code
        present = present or (start - _BEFORE[_E_TRANSVERSAL] <= at <= end + _AFTER[_E_TRANSVERSAL])
        coding = coding or (start - _BEFORE[_E_CODING] <= at <= end + _AFTER[_E_CODING])
        k = s.next[k]
    return found, present, coding


@njit(cache=True)
def _once_here(s: StayPool, head: int, units: UnitTable, mine: Any, n: int, at: int) -> bool:
    """Whether the patient once stayed in one of the person's `n` units, and left."""
    k = head
    while k >= 0:
        if s.planned[k] == 0 and s.end[k] < at and _works_in(mine, n, units, s.unit[k]):
            return True
        k = s.next[k]
    return False


@njit(cache=True)
def _linked(links: LinkPool, head: int, actor: int, at: int) -> tuple[int, bool]:
    """Return the reason that a link by name gives; whether any link tells that the patient is in the house."""
    present = False
    found = _E_NONE
    k = head
    while k >= 0:
        code, start, end = int(links.explanation[k]), links.start[k], links.end[k]
        better = found == _E_NONE or code < found
        if better and links.actor[k] == actor and start - _BEFORE[code] <= at <= end + _AFTER[code]:
            found = code
        present = present or (start - _BEFORE[_E_TRANSVERSAL] <= at <= end + _AFTER[_E_TRANSVERSAL])
        k = links.next[k]
    return found, present


@njit(cache=True)
def _holds(positions: PositionPool, head: int, unit: int, at: int) -> bool:
    """Whether a person, whose positions begin at `head`, works in a unit at that time."""
    k = head
    while k >= 0 and unit != 0:
        if positions.unit[k] == unit and positions.start[k] <= at <= positions.end[k]:
            return True
        k = positions.next[k]
    return False


@njit(cache=True)
def _leads(positions: PositionPool, leader: int, led: int, units: UnitTable, at: int) -> bool:
    """Whether one person leads a unit, or one above it, in which another works at that time; heads of their positions."""
    k = leader
    while k >= 0:
        if positions.leads[k] != 0 and positions.start[k] <= at <= positions.end[k] and units.whole_house[positions.unit[k]] == 0:
            j = led
            while j >= 0:
                unit = positions.unit[j] if positions.start[j] <= at <= positions.end[j] else 0
                for _ in range(LEVELS_MAX):
                    if unit != 0 and unit == positions.unit[k]:
                        return True
                    unit = units.parent[unit]
                j = positions.next[j]
        k = positions.next[k]
    return False


@njit(cache=True)
def pair_of(pairs: PairTable, key: int) -> int:
    """Return the slot of a pair of person and patient, -1 when they never met."""
    slot = _slot(pairs.key, key)
    return slot if pairs.key[slot] == key else -1


@njit(cache=True)
def close_bursts(p: PatientTable, patients: Any, strangers: Any, hour: int) -> None:
    """Add to each of the `patients`, all different, how many people opened their record without a reason in `hour`."""
    for i in range(len(patients)):
        patient = patients[i]
        quiet = hour - p.burst_hour[patient]
        p.burst_closed[patient] = p.burst_closed[patient] * 0.5 ** (quiet / BURST_HALF_LIFE_H) + strangers[i]
        p.burst_hour[patient] = hour


@njit(cache=True)
def _hours_just_worked(a: ActorTable, actor: int, hour: int) -> int:
    """Return how many of this hour, the one before and the one after it are part of the person's present stretch of work."""
    if a.active_hour[actor] == hour:
        return min(int(a.hours_run[actor]), 2)
    return 1 if a.active_hour[actor] == hour - 1 else 0


@njit(cache=True)
def _turn_ring(a: ActorTable, actor: int, hour: int) -> None:
    """Empty the buckets of the hours since the person's last event."""
    gap = hour - a.ring_hour[actor]
    if gap <= 0:
        return
    for h in range(max(a.ring_hour[actor] + 1, hour - RING_HOURS + 1), hour + 1):
        for m in range(_M):
            a.ring[actor, h % RING_HOURS, m] = 0.0
    a.ring_hour[actor] = hour


@njit(cache=True)
def _newly_used(kept: Any, value: int) -> bool:
    """Whether `value` is not among the last ones used; puts it in front."""
    n = len(kept)
    place = n - 1
    found = False
    for j in range(n):
        if kept[j] == value:
            place, found = j, True
            break
    for j in range(place, 0, -1):
        kept[j] = kept[j - 1]
    kept[0] = value
    return not found


# A stage allocates nothing, and the pass holds every table while it runs: counting references to the hundred arrays
# again at each of its calls, which numba does unless told, would take fifteen times as long as the pass itself.
_OPTIONS: Final[dict[str, Any]] = {"cache": True, "_nrt": False}
_stage: Final[Callable[[F], F]] = njit(**_OPTIONS)


class _Event(NamedTuple):
    """The event at hand, as every stage reads it; `i`: its place in the batch."""

    i: int
    at: int
    hour: int
    actor: int
    patient: int
    action: int
    succeeded: bool
    human: bool


class _Opening(NamedTuple):
    """What the stages of a record's opening found of it. `pair`: the slot of person and patient; `last`: µs, 0: never."""

    pair: int
    last: int
    new_today: bool
    explained: int
    unexplained: bool


@_stage
def _who(c: Columns, a: ActorTable, positions: PositionPool, e: _Event, mine: Any) -> tuple[int, int, bool, int]:
    """Return the role held at that time, its class, whether any position is, and in how many units (`mine`) the person works."""
    role, role_class, held, longest = int(c.role[e.i]), 0, False, e.at
    mine[0] = c.unit[e.i]
    n_mine = 1 if c.unit[e.i] != 0 else 0
    k = a.position_head[e.actor]
    while k >= 0:
        begins, ends = positions.start[k], positions.end[k]
        if begins <= e.at <= ends:
            if not held or begins <= longest:  # a duty or a replacement beside it is no other trade
                longest = begins
                a.unit[e.actor] = positions.unit[k]
                role = positions.role[k] if positions.role[k] != 0 else role
            held = True
            role_class = max(role_class, positions.role_class[k])
        grace = GRACE_MAX_US if begins <= ends - GRACE_MAX_US else max(GRACE_MIN_US, ends - begins)
        if begins - POSITION_EARLY_US <= e.at <= ends + grace:
            n_mine = _with_unit(mine, n_mine, positions.unit[k])
        k = positions.next[k]
    if role == 0:
        role = a.role[e.actor]
    a.role[e.actor] = c.role[e.i] = role
    if c.unit[e.i] != 0:
        a.unit[e.actor] = c.unit[e.i]
    return role, role_class, held, n_mine


@_stage
def _employment(a: ActorTable, clock: Clock, knows_staff: bool, facts: Any, e: _Event, held: bool) -> None:
    """Tell people who left, who leave, and who never came; and since when the account rested."""
    until = a.employed_until[e.actor]
    if until != EVER and until < e.at and not held:
        facts[F_DEPARTED, e.i] = (e.at - until) / DAY_US
    elif a.inactive[e.actor] != 0 and not held:
        facts[F_DEPARTED, e.i] = 0.0
    elif until < FOREVER and until != EVER and until - e.at < 30 * DAY_US:
        facts[F_LEAVING, e.i] = (until - e.at) / DAY_US
    if e.human and knows_staff:
        facts[F_ORPHAN, e.i] = np.float32(a.position_head[e.actor] < 0)
    confirmed = a.confirmed_at[e.actor]
    if confirmed > 0:
        facts[F_CONFIRMED, e.i] = max(0.0, (e.at - confirmed) / DAY_US)
    seen = a.last_seen[e.actor]
    since = seen
    if seen == 0 and a.employed_from[e.actor] != FOREVER:
        since = max(a.employed_from[e.actor], clock.started[0])
    if since > 0:
        facts[F_DORMANT, e.i] = max(0.0, (e.at - since) / DAY_US)
    a.last_seen[e.actor] = max(seen, e.at)


@_stage
def _hours_of_work(a: ActorTable, roles: RoleTable, facts: Any, e: _Event, role: int, hour_bin: int) -> bool:
    """Tell how usual the hour is, count it as worked, and return whether it is an odd one."""
    base = hour_bin - hour_bin % 24
    if roles.events[role] >= ROLE_WARM_UP:
        near = np.float32(0.0)
        peers = np.float32(0.0)
        for d in range(-1, 2):
            b = base + (hour_bin - base + d) % 24
            near += a.hour_count[e.actor, b]
            peers += roles.hour_share[role, b]
        now = _hours_just_worked(a, e.actor, e.hour)  # what is unusual does not become usual by going on
        total = a.hours[e.actor] - now + HOUR_WEIGHT
        facts[F_HOUR_SHARE, e.i] = (max(float(near) - now, 0.0) + HOUR_WEIGHT * peers) / total
    if e.hour > a.active_hour[e.actor]:
        a.hours_run[e.actor] = a.hours_run[e.actor] + 1 if e.hour == a.active_hour[e.actor] + 1 else 1
        a.active_hour[e.actor] = e.hour
        a.hours[e.actor] += 1.0
        a.hour_count[e.actor, hour_bin] += 1.0
        roles.open_hours[role, hour_bin] += 1.0
    odd: bool = facts[F_HOUR_SHARE, e.i] < ODD_HOUR
    return odd


@_stage
def _tools(c: Columns, a: ActorTable, facts: Any, amounts: Any, e: _Event) -> tuple[bool, bool]:
    """Tell how usual the act, the workstation and the application are; return whether these two are new to a known person."""
    a.events[e.actor] += 1
    warm = a.events[e.actor] > DEVICE_WARM_UP
    if warm:
        facts[F_ACTION, e.i] = a.actions[e.actor, e.action] / (a.events[e.actor] - 1)
    a.actions[e.actor, e.action] += 1.0
    new_device = False
    device = c.device[e.i]
    if device != 0:
        new_device = _newly_used(a.devices[e.actor], device)
        facts[F_DEVICE, e.i] = np.float32(new_device) if warm else np.nan
        if device != a.device[e.actor]:
            if device == a.previous_device[e.actor] and e.at - a.device_at[e.actor] < 15 * MINUTE_US:
                amounts[_M_SWITCHES] = 1.0
            a.previous_device[e.actor] = a.device[e.actor]
            a.device[e.actor] = device
        a.device_at[e.actor] = e.at
    new_application = False
    if c.application[e.i] != 0:
        new_application = _newly_used(a.applications[e.actor], c.application[e.i])
        facts[F_APPLICATION, e.i] = np.float32(new_application) if warm else np.nan
    return new_device and warm, new_application and warm


@_stage
def _places(a: ActorTable, facts: Any, e: _Event, site: int) -> None:
    """Tell how the person goes from site to site."""
    if site == 0:
        return
    if a.site[e.actor] != 0 and site != a.site[e.actor]:
        swift = e.at - a.site_at[e.actor] < 15 * MINUTE_US
        a.crossings[e.actor] = a.crossings[e.actor] + swift if e.at - a.other_site_at[e.actor] < 12 * HOUR_US else swift
        a.other_site_at[e.actor] = a.site_at[e.actor]
    if a.other_site_at[e.actor] > 0 and e.at - a.other_site_at[e.actor] < 12 * HOUR_US:
        facts[F_CROSSINGS, e.i] = a.crossings[e.actor]
        facts[F_OTHER_SITE, e.i] = max(0.0, (e.at - a.other_site_at[e.actor]) / MINUTE_US)
    a.site[e.actor] = site
    a.site_at[e.actor] = e.at


@_stage
def _logins_and_rights(a: ActorTable, facts: Any, e: _Event) -> None:
    """Count failed logins up to the one that works, and the time since rights were changed."""
    if e.action == _LOGIN_FAILED:
        a.failures[e.actor] = a.failures[e.actor] + 1 if e.at - a.failed_at[e.actor] < 30 * MINUTE_US else 1
        a.failed_at[e.actor] = e.at
    elif e.action == _LOGIN and e.succeeded:
        facts[F_FAILURES, e.i] = a.failures[e.actor] if e.at - a.failed_at[e.actor] < 30 * MINUTE_US else 0
        a.failures[e.actor] = 0
    elif e.action == _PERMISSION and e.succeeded:
        a.privilege_at[e.actor] = e.at
    if a.privilege_at[e.actor] > 0 and 0 <= e.at - a.privilege_at[e.actor] < 48 * HOUR_US:
        facts[F_PRIVILEGE, e.i] = (e.at - a.privilege_at[e.actor]) / HOUR_US


@_stage
def _amounts(c: Columns, a: ActorTable, amounts: Any, e: _Event) -> None:
    """Write what the act itself counts for."""
    if e.action == _SEARCH:
        amounts[_M_SEARCHES] = a.searching[e.actor]
        a.searching[e.actor] = 1
    if e.action == _DELETE and e.succeeded:
        amounts[_M_DELETED] = max(1, c.records[e.i])
    if _IS_EXPORT[e.action] and e.succeeded:
        amounts[_M_EXPORTED] = max(1, c.records[e.i])
        amounts[_M_DISCLOSED] = c.outward[e.i]
    if c.emergency[e.i] and e.succeeded:
        amounts[_M_EMERGENCIES] = 1.0


@_stage
def _contact(pairs: PairTable, facts: Any, e: _Event) -> tuple[int, int, bool]:
    """Return the slot of person and patient, when they last met (µs, 0: never), and whether it is their first time in a day."""
    key = (e.actor << 32) | e.patient
    pair = _slot(pairs.key, key)
    if pairs.key[pair] == 0:
        pairs.key[pair] = key
    last = pairs.last_open[pair]
    if last > 0:
        facts[F_CONTACT, e.i] = max(0.0, (e.at - last) / DAY_US)
    counted = pairs.counted_at[pair]
    new_today = counted == 0 or counted <= e.at - DAY_US
    if new_today:
        pairs.counted_at[pair] = e.at
    if pairs.last_act[pair] > 0:
        facts[F_ACT, e.i] = max(0.0, (e.at - pairs.last_act[pair]) / DAY_US)
    return pair, last, new_today


@_stage
def _reason(
    stays: StayPool,
    links: LinkPool,
    units: UnitTable,
    p: PatientTable,
    e: _Event,
    is_patient: bool,
    role_class: int,
    mine: Any,
    n: int,
    acted: int,
    knows_care: bool,
) -> int:
    """Return the first ordinary reason that holds. `acted`: when the person last wrote there with a reason, µs, 0: never."""
    if is_patient:
        return _E_PATIENT
    if not e.human:
        return _E_INTERFACE
    if not knows_care:
        return _E_NONE
    explained, present, coding = _cared_for(stays, p.stay_head[e.patient], units, mine, n, e.at)
    if explained != _E_NONE:
        return explained
    explained, seen_here = _linked(links, p.link_head[e.patient], e.actor, e.at)
    if explained != _E_NONE:
        return explained
    if acted > 0 and e.at - acted <= _AFTER[_E_OWN_ACT]:
        return _E_OWN_ACT
    if role_class == _C_TRANSVERSAL and (present or seen_here):
        return _E_TRANSVERSAL
    if role_class == _C_CODING and coding:
        return _E_CODING
    return _E_NONE


@_stage
def _ties(
    a: ActorTable, p: PatientTable, positions: PositionPool, units: UnitTable, family_share: Any, facts: Any, e: _Event
) -> None:
    """Tell what ties the person to the patient, and what of the patient asks for more care."""
    coworker = p.staff_actor[e.patient]
    own = coworker == e.actor
    facts[F_OWN, e.i] = np.float32(own)
    if coworker != 0 and not own:
        facts[F_COWORKER, e.i] = 2.0 if _holds(positions, a.position_head[coworker], a.unit[e.actor], e.at) else 1.0
    else:
        facts[F_COWORKER, e.i] = 0.0
    facts[F_HIERARCHY, e.i] = 0.0
    if coworker != 0 and not own:
        if _leads(positions, a.position_head[e.actor], a.position_head[coworker], units, e.at):
            facts[F_HIERARCHY, e.i] = 1.0
        elif _leads(positions, a.position_head[coworker], a.position_head[e.actor], units, e.at):
            facts[F_HIERARCHY, e.i] = 2.0
    household = a.address[e.actor] != 0 and a.address[e.actor] == p.address[e.patient] and not own
    facts[F_HOUSEHOLD, e.i] = np.float32(household)
    street = a.street[e.actor] != 0 and a.street[e.actor] == p.street[e.patient] and not own and not household
    facts[F_STREET, e.i] = np.float32(street)
    if a.family[e.actor] != 0 and a.family[e.actor] == p.family[e.patient] and not own:
        facts[F_NAME, e.i] = family_share[a.family[e.actor]]
    facts[F_VIP, e.i] = np.float32(p.flags[e.patient] & _VIP != 0)
    facts[F_RESTRICTED, e.i] = np.float32(p.flags[e.patient] & _RESTRICTED != 0)
    if p.deceased_at[e.patient] < e.at:
        facts[F_DECEASED, e.i] = (e.at - p.deceased_at[e.patient]) / DAY_US
    if p.born_at[e.patient] != FOREVER:
        facts[F_AGE, e.i] = max(0.0, (e.at - p.born_at[e.patient]) / YEAR_US)
    if p.care_until[e.patient] != EVER:
        facts[F_GAP, e.i] = max(0.0, (e.at - p.care_until[e.patient]) / DAY_US)


@_stage
def _learn_opening(a: ActorTable, roles: RoleTable, facts: Any, amounts: Any, e: _Event, o: _Opening, role: int) -> None:
    """Tell the person's usual share of openings without a reason; then count this one."""
    if e.human:
        facts[F_UNEXPLAINED_SHARE, e.i] = (SHARE_WEIGHT * roles.share[role] + a.visits_unexplained[e.actor]) / (
            SHARE_WEIGHT + a.visits[e.actor]
        )
    if e.human and o.new_today:
        a.visits[e.actor] += 1.0
        roles.open_visits[role] += 1.0
        roles.open_traits[role, _R_OWN] += facts[F_OWN, e.i]
        amounts[_M_PATIENTS] = 1.0
    amounts[_M_OPENS] = 1.0
    if o.unexplained and o.new_today:
        a.visits_unexplained[e.actor] += 1.0


@_stage
def _learn_stranger(
    p: PatientTable, roles: RoleTable, pairs: PairTable, facts: Any, amounts: Any, e: _Event, pair: int, role: int
) -> None:
    """Count an opening without a reason, once a day and patient, with its traits."""
    traits = roles.open_traits[role]
    stranger = pairs.unexplained_at[pair]
    if stranger == 0 or stranger <= e.at - DAY_US:
        pairs.unexplained_at[pair] = e.at
        pairs.unexplained_days[pair] = 1 + (pairs.unexplained_days[pair] if stranger > e.at - RETURN_US else 0)
        amounts[_M_UNEXPLAINED] = 1.0
        # who reads for no reason all day is no crowd
        p.burst_open[e.patient] += 1.0 - facts[F_UNEXPLAINED_SHARE, e.i]
        roles.open_unexplained[role] += 1.0
        traits[_R_COWORKER] += facts[F_COWORKER, e.i] > 0.0
        traits[_R_TEAM] += facts[F_COWORKER, e.i] == 2.0
        traits[_R_HOUSEHOLD] += facts[F_HOUSEHOLD, e.i]
        traits[_R_STREET] += facts[F_STREET, e.i]
        traits[_R_NAME] += facts[F_NAME, e.i] >= 0.0
        traits[_R_VIP] += facts[F_VIP, e.i]
        traits[_R_RESTRICTED] += facts[F_RESTRICTED, e.i]
        traits[_R_DECEASED] += facts[F_DECEASED, e.i] > 7.0
        traits[_R_GAP] += not facts[F_GAP, e.i] <= CARE_GAP_DAYS
        traits[_R_ONCE_HERE] += facts[F_ONCE_HERE, e.i]
        traits[_R_HIERARCHY] += facts[F_HIERARCHY, e.i] > 0.0
        traits[_R_MINOR] += facts[F_AGE, e.i] < ADULT_YEARS
        traits[_R_SEARCHED] += facts[F_SEARCHED, e.i]
        traits[_R_RETURNS] += pairs.unexplained_days[pair] > 1 and pairs.last_act[pair] == 0
    traits[_R_SENSITIVE] += facts[F_SENSITIVE, e.i]
    facts[F_RETURNS, e.i] = pairs.unexplained_days[pair] - 1


@_stage
def _keep_contact(pairs: PairTable, amounts: Any, e: _Event, o: _Opening) -> None:
    """Remember that they met, and whether the person wrote."""
    pairs.last_open[o.pair] = max(o.last, e.at)
    if _IS_ACT[e.action] and e.succeeded:
        counted = pairs.unexplained_at[o.pair]
        if counted > e.at - DAY_US and pairs.last_act[o.pair] < counted and amounts[_M_UNEXPLAINED] == 0.0:
            amounts[_M_UNEXPLAINED] = -1.0  # who writes takes part in the care, and says so
        pairs.last_act[o.pair] = max(pairs.last_act[o.pair], e.at)
        if o.explained != _E_NONE:
            pairs.explained_act[o.pair] = max(pairs.explained_act[o.pair], e.at)


@_stage
def _runs(a: ActorTable, e: _Event, number: int, last: int) -> None:
    """Follow numbers that come one after the other, and a machine's rhythm."""
    if number >= 0 and last != e.at:
        step = number - a.last_number[e.actor]
        if a.last_number[e.actor] >= 0 and 0 < step <= 2:
            a.sequential_run[e.actor] += 1
        elif step != 0:
            a.sequential_run[e.actor] = 0
        a.last_number[e.actor] = number
    gap = e.at - a.last_open_at[e.actor]
    if gap > 0:
        if a.last_gap[e.actor] > 0 and gap < 10 * MINUTE_US and abs(gap - a.last_gap[e.actor]) * 10 <= a.last_gap[e.actor]:
            a.rhythm_run[e.actor] += 1
        else:
            a.rhythm_run[e.actor] = 0
        a.last_gap[e.actor] = gap
        a.last_open_at[e.actor] = e.at


@_stage
def _counts(a: ActorTable, roles: RoleTable, facts: Any, amounts: Any, e: _Event, role: int) -> None:
    """Tell the amounts of the last 24 h, beside what is usual."""
    lag = a.ring_hour[e.actor] - e.hour
    for m in range(_M):
        if amounts[m] != 0.0:
            a.day_total[e.actor, m] += amounts[m]
            if lag < RING_HOURS:
                a.ring[e.actor, e.hour % RING_HOURS, m] += amounts[m]
        total24 = np.float32(0.0)
        for h in range(RING_HOURS):
            total24 += a.ring[e.actor, h, m]
        facts[PER_METRIC * m, e.i] = total24
        if a.usual_days[e.actor] > 0:
            facts[PER_METRIC * m + 1, e.i] = a.usual_mean[e.actor, m]
        facts[PER_METRIC * m + 2, e.i] = a.peers_mean[e.actor, m]
        facts[PER_METRIC * m + 3, e.i] = a.limit[e.actor, m]
        facts[PER_METRIC * m + 4, e.i] = a.spread[e.actor, m]
        if total24 > 0 and roles.events[role] > 0:
            facts[PER_METRIC * m + 5, e.i] = roles.exceed[role, m, count_bin(float(total24))]


@_stage
def _session(a: ActorTable, amounts: Any, e: _Event, odd: bool, new_device: bool, new_application: bool, new_today: bool) -> None:
    """Add to the person's hour, as the online model will read it."""
    s = a.session[e.actor]
    s[_S_EVENTS] += 1.0
    s[_S_PATIENTS] += np.float32(new_today)
    s[_S_UNEXPLAINED] += np.float32(amounts[_M_UNEXPLAINED] > 0.0)
    s[_S_SEARCHES] += np.float32(e.action == _SEARCH)
    s[_S_WRITES] += np.float32(_IS_ACT[e.action])
    s[_S_EXPORTS] += np.float32(_IS_EXPORT[e.action])
    s[_S_PRINTS] += np.float32(e.action == _PRINT)
    s[_S_OFF_HOURS] += np.float32(odd)
    s[_S_DEVICES] += np.float32(new_device)
    s[_S_APPLICATIONS] += np.float32(new_application)


@_stage
def _event(c: Columns, a: ActorTable, clock: Clock, i: int) -> _Event:
    """Return the event at `i`, which moves the stream's clock."""
    at, actor = c.occurred_at[i], c.actor[i]
    hour = at // HOUR_US
    clock.hour[0] = max(clock.hour[0], hour)
    succeeded = c.outcome[i] == _SUCCESS or c.outcome[i] == _UNKNOWN
    human = c.actor_type[i] == _HUMAN and a.is_service[actor] == 0
    return _Event(i, at, hour, actor, c.patient[i], c.action[i], succeeded, human)


@njit(cache=True)
def ordered_pass(c: Columns, t: Tables, facts: Any, rows: Any, knows_care: bool) -> None:
    """Write the facts of the events at `rows`, in that order, and move the state past them.

    `facts` is (facts, events) float32, NaN where missing. `knows_care`: any stay or link is on file.
    """
    a, p, roles, pairs, clock = t.actors, t.patients, t.roles, t.pairs, t.clock
    positions, stays, links, units = t.positions, t.stays, t.links, t.units
    family_share, knows_staff = t.family_share, t.knows_staff
    amounts = np.zeros(_M, np.float32)
    mine = np.zeros(UNITS_MAX, np.int64)
    for i in rows:
        e = _event(c, a, clock, i)
        facts[F_HOUR, i] = clock.hour[0]
        amounts[:] = 0.0
        role, role_class, held, n_mine = _who(c, a, positions, e, mine)
        _employment(a, clock, knows_staff, facts, e, held)
        _turn_ring(a, e.actor, e.hour)
        odd = _hours_of_work(a, roles, facts, e, role, c.hour_bin[i])
        new_device, new_application = _tools(c, a, facts, amounts, e)
        _places(a, facts, e, c.site[i])
        _logins_and_rights(a, facts, e)
        _amounts(c, a, amounts, e)
        facts[F_SENSITIVE, i] = np.float32(c.sensitive[i])
        facts[F_TRADE, i] = roles.trade[role]
        new_today = False
        if e.patient != 0 and _IS_OPENING[e.action]:
            facts[F_SEARCHED, i] = np.float32(e.action != _SEARCH and a.searching[e.actor] != 0)
            if e.action != _SEARCH:
                a.searching[e.actor] = 0
            pair, last, new_today = _contact(pairs, facts, e)
            acted = pairs.explained_act[pair]
            explained = _reason(
                stays, links, units, p, e, c.actor_type[i] == _PATIENT, role_class, mine, n_mine, acted, knows_care
            )
            judged = knows_care and not c.oversight[i]
            if judged or not e.human:
                facts[F_EXPLAINED, i] = explained
            unexplained = e.human and judged and explained == _E_NONE
            if unexplained:
                facts[F_ONCE_HERE, i] = np.float32(_once_here(stays, p.stay_head[e.patient], units, mine, n_mine, e.at))
            o = _Opening(pair, last, new_today, explained, unexplained)
            _ties(a, p, positions, units, family_share, facts, e)
            _learn_opening(a, roles, facts, amounts, e, o, role)
            if unexplained:
                _learn_stranger(p, roles, pairs, facts, amounts, e, pair, role)
                facts[F_DRIFT, i] = a.drift[e.actor]
            quiet = clock.hour[0] - p.burst_hour[e.patient]
            facts[F_BURST, i] = p.burst_closed[e.patient] * 0.5 ** (quiet / BURST_HALF_LIFE_H)
            _keep_contact(pairs, amounts, e, o)
            _runs(a, e, p.number[e.patient], last)
        facts[F_SEQUENTIAL, i] = a.sequential_run[e.actor]
        facts[F_RHYTHM, i] = a.rhythm_run[e.actor]
        _counts(a, roles, facts, amounts, e, role)
        _session(a, amounts, e, odd, new_device, new_application, new_today)
        a.session_hour[e.actor] = clock.hour[0]
