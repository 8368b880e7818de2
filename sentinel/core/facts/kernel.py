"""The one ordered pass: event by event, so that no result hangs on where a batch is cut.

Compiled by numba over codes and arrays; the same function runs uncompiled in tests (`ordered_pass.py_func`).
It writes facts and moves state; it knows no names, no thresholds and no detectors.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sentinel.core.batch import ACTIONS, ACTOR_TYPES, OUTCOMES
from sentinel.core.context import EVER, FOREVER, PatientFlag
from sentinel.core.event import DAY_US, HOUR_US, Action, ActorType, Outcome
from sentinel.core.explain import AFTER_US, BEFORE_US, ExplanationCode, RoleClass
from sentinel.core.facts.declare import CARE_GAP_DAYS, INDEX, METRICS, OPENING, PER_METRIC, RATES, SESSION
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

MINUTE_US: Final = 60_000_000
DEVICE_WARM_UP: Final = 30  # events of a person before a new device means anything
ROLE_WARM_UP: Final = 50  # hours of a role's people at work before its hours mean anything
BURST_HALF_LIFE_H: Final = 36.0
SHARE_WEIGHT: Final = 30.0  # openings that the role's share counts for in a person's
HOUR_WEIGHT: Final = 15.0  # hours at work that the role's count for in a person's
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
F_DORMANT, F_HOUR_SHARE = _F["dormant_days"], _F["hour_share"]
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


@njit(cache=True)
def ordered_pass(c: Columns, t: Tables, facts: Any, rows: Any, knows_care: bool) -> None:
    """Write the facts of the events at `rows`, in that order, and move the state past them.

    `facts` is (facts, events) float32, NaN where missing. `knows_care`: any stay or link is on file.
    """
    a = t.actors
    p = t.patients
    stays, links, positions, units = t.stays, t.links, t.positions, t.units
    amounts = np.zeros(_M, np.float32)
    mine = np.zeros(UNITS_MAX, np.int64)
    for i in rows:
        at = c.occurred_at[i]
        hour = at // HOUR_US
        actor = c.actor[i]
        patient = c.patient[i]
        action = c.action[i]
        succeeded = c.outcome[i] == _SUCCESS or c.outcome[i] == _UNKNOWN
        human = c.actor_type[i] == _HUMAN and a.is_service[actor] == 0
        t.clock.hour[0] = max(t.clock.hour[0], hour)
        facts[F_HOUR, i] = t.clock.hour[0]
        amounts[:] = 0.0

        # who: role, unit and position at that time
        role, role_class, held, longest = int(c.role[i]), 0, False, at
        mine[0] = c.unit[i]
        n_mine = 1 if c.unit[i] != 0 else 0
        k = a.position_head[actor]
        while k >= 0:
            begins, ends = positions.start[k], positions.end[k]
            if begins <= at <= ends:
                if not held or begins <= longest:  # a duty or a replacement beside it is no other trade
                    longest = begins
                    a.unit[actor] = positions.unit[k]
                    role = positions.role[k] if positions.role[k] != 0 else role
                held = True
                role_class = max(role_class, positions.role_class[k])
            grace = GRACE_MAX_US if begins <= ends - GRACE_MAX_US else max(GRACE_MIN_US, ends - begins)
            if begins - POSITION_EARLY_US <= at <= ends + grace:
                n_mine = _with_unit(mine, n_mine, positions.unit[k])
            k = positions.next[k]
        if role == 0:
            role = a.role[actor]
        a.role[actor] = c.role[i] = role
        if c.unit[i] != 0:
            a.unit[actor] = c.unit[i]
        until = a.employed_until[actor]
        if until != EVER and until < at and not held:
            facts[F_DEPARTED, i] = (at - until) / DAY_US
        elif a.inactive[actor] != 0 and not held:
            facts[F_DEPARTED, i] = 0.0
        elif until < FOREVER and until != EVER and until - at < 30 * DAY_US:
            facts[F_LEAVING, i] = (until - at) / DAY_US

        if human and t.knows_staff:
            facts[F_ORPHAN, i] = np.float32(a.position_head[actor] < 0)

        # the account: rest, hours, place, logins
        seen = a.last_seen[actor]
        since = seen
        if seen == 0 and a.employed_from[actor] != FOREVER:
            since = max(a.employed_from[actor], t.clock.started[0])
        if since > 0:
            facts[F_DORMANT, i] = max(0.0, (at - since) / DAY_US)
        a.last_seen[actor] = max(seen, at)
        _turn_ring(a, actor, hour)
        hour_bin = c.hour_bin[i]
        base = hour_bin - hour_bin % 24
        if t.roles.events[role] >= ROLE_WARM_UP:
            near = np.float32(0.0)
            peers = np.float32(0.0)
            for d in range(-1, 2):
                b = base + (hour_bin - base + d) % 24
                near += a.hour_count[actor, b]
                peers += t.roles.hour_share[role, b]
            now = _hours_just_worked(a, actor, hour)  # what is unusual does not become usual by going on
            total = a.hours[actor] - now + HOUR_WEIGHT
            facts[F_HOUR_SHARE, i] = (max(float(near) - now, 0.0) + HOUR_WEIGHT * peers) / total
        off_hours = facts[F_HOUR_SHARE, i] < 0.02
        if hour > a.active_hour[actor]:
            a.hours_run[actor] = a.hours_run[actor] + 1 if hour == a.active_hour[actor] + 1 else 1
            a.active_hour[actor] = hour
            a.hours[actor] += 1.0
            a.hour_count[actor, hour_bin] += 1.0
            t.roles.open_hours[role, hour_bin] += 1.0
        a.events[actor] += 1
        warm = a.events[actor] > DEVICE_WARM_UP

        if warm:
            facts[F_ACTION, i] = a.actions[actor, action] / (a.events[actor] - 1)
        a.actions[actor, action] += 1.0
        new_device = False
        device = c.device[i]
        if device != 0:
            new_device = _newly_used(a.devices[actor], device)
            facts[F_DEVICE, i] = np.float32(new_device) if warm else np.nan
            if device != a.device[actor]:
                if device == a.previous_device[actor] and at - a.device_at[actor] < 15 * MINUTE_US:
                    amounts[_M_SWITCHES] = 1.0
                a.previous_device[actor] = a.device[actor]
                a.device[actor] = device
            a.device_at[actor] = at
        new_application = False
        if c.application[i] != 0:
            new_application = _newly_used(a.applications[actor], c.application[i])
            facts[F_APPLICATION, i] = np.float32(new_application) if warm else np.nan
        site = c.site[i]
        if site != 0:
            if a.site[actor] != 0 and site != a.site[actor]:
                swift = at - a.site_at[actor] < 15 * MINUTE_US
                a.crossings[actor] = a.crossings[actor] + swift if at - a.other_site_at[actor] < 12 * HOUR_US else swift
                a.other_site_at[actor] = a.site_at[actor]
            if a.other_site_at[actor] > 0 and at - a.other_site_at[actor] < 12 * HOUR_US:
                facts[F_CROSSINGS, i] = a.crossings[actor]
                facts[F_OTHER_SITE, i] = max(0.0, (at - a.other_site_at[actor]) / MINUTE_US)
            a.site[actor] = site
            a.site_at[actor] = at

        if action == _LOGIN_FAILED:
            a.failures[actor] = a.failures[actor] + 1 if at - a.failed_at[actor] < 30 * MINUTE_US else 1
            a.failed_at[actor] = at
        elif action == _LOGIN and succeeded:
            facts[F_FAILURES, i] = a.failures[actor] if at - a.failed_at[actor] < 30 * MINUTE_US else 0
            a.failures[actor] = 0
        elif action == _PERMISSION and succeeded:
            a.privilege_at[actor] = at
        if a.privilege_at[actor] > 0 and 0 <= at - a.privilege_at[actor] < 48 * HOUR_US:
            facts[F_PRIVILEGE, i] = (at - a.privilege_at[actor]) / HOUR_US
        if action == _SEARCH:
            amounts[_M_SEARCHES] = a.searching[actor]
            a.searching[actor] = 1
        if action == _DELETE and succeeded:
            amounts[_M_DELETED] = max(1, c.records[i])
        if _IS_EXPORT[action] and succeeded:
            amounts[_M_EXPORTED] = max(1, c.records[i])
            amounts[_M_DISCLOSED] = c.outward[i]
        if c.emergency[i] and succeeded:
            amounts[_M_EMERGENCIES] = 1.0
        facts[F_SENSITIVE, i] = np.float32(c.sensitive[i])

        # the patient
        unexplained = False
        new_today = False
        if patient != 0 and _IS_OPENING[action]:
            if action != _SEARCH:
                a.searching[actor] = 0
            key = (actor << 32) | patient
            pair = _slot(t.pairs.key, key)
            if t.pairs.key[pair] == 0:
                t.pairs.key[pair] = key
            last = t.pairs.last_open[pair]
            if last > 0:
                facts[F_CONTACT, i] = max(0.0, (at - last) / DAY_US)
            counted = t.pairs.counted_at[pair]
            new_today = counted == 0 or counted <= at - DAY_US
            if new_today:
                t.pairs.counted_at[pair] = at
            if t.pairs.last_act[pair] > 0:
                facts[F_ACT, i] = max(0.0, (at - t.pairs.last_act[pair]) / DAY_US)

            explained = _E_NONE
            if c.actor_type[i] == _PATIENT:
                explained = _E_PATIENT
            elif not human:
                explained = _E_INTERFACE
            elif knows_care:
                explained, present, coding = _cared_for(stays, p.stay_head[patient], units, mine, n_mine, at)
                if explained == _E_NONE:
                    explained, seen_here = _linked(links, p.link_head[patient], actor, at)
                    acted = t.pairs.explained_act[pair]
                    if explained != _E_NONE:
                        pass
                    elif acted > 0 and at - acted <= _AFTER[_E_OWN_ACT]:
                        explained = _E_OWN_ACT
                    elif role_class == _C_TRANSVERSAL and (present or seen_here):
                        explained = _E_TRANSVERSAL
                    elif role_class == _C_CODING and coding:
                        explained = _E_CODING
            if knows_care or not human:
                facts[F_EXPLAINED, i] = explained
            unexplained = human and knows_care and explained == _E_NONE
            if unexplained:
                facts[F_ONCE_HERE, i] = np.float32(_once_here(stays, p.stay_head[patient], units, mine, n_mine, at))

            coworker = p.staff_actor[patient]
            own = coworker == actor
            facts[F_OWN, i] = np.float32(own)
            if coworker != 0 and not own:
                facts[F_COWORKER, i] = 2.0 if _holds(positions, a.position_head[coworker], a.unit[actor], at) else 1.0
            else:
                facts[F_COWORKER, i] = 0.0
            household = a.address[actor] != 0 and a.address[actor] == p.address[patient] and not own
            facts[F_HOUSEHOLD, i] = np.float32(household)
            street = a.street[actor] != 0 and a.street[actor] == p.street[patient] and not own and not household
            facts[F_STREET, i] = np.float32(street)
            name = a.family[actor] != 0 and a.family[actor] == p.family[patient] and not own
            if name:
                facts[F_NAME, i] = t.family_share[a.family[actor]]
            facts[F_VIP, i] = np.float32(p.flags[patient] & _VIP != 0)
            facts[F_RESTRICTED, i] = np.float32(p.flags[patient] & _RESTRICTED != 0)
            if p.deceased_at[patient] < at:
                facts[F_DECEASED, i] = (at - p.deceased_at[patient]) / DAY_US
            if p.care_until[patient] != EVER:
                facts[F_GAP, i] = max(0.0, (at - p.care_until[patient]) / DAY_US)

            # what is usual, learnt after it was told
            if human:
                facts[F_UNEXPLAINED_SHARE, i] = (SHARE_WEIGHT * t.roles.share[role] + a.visits_unexplained[actor]) / (
                    SHARE_WEIGHT + a.visits[actor]
                )
            if human and new_today:
                a.visits[actor] += 1.0
                t.roles.open_visits[role] += 1.0
                t.roles.open_traits[role, _R_OWN] += own
                amounts[_M_PATIENTS] = 1.0
            amounts[_M_OPENS] = 1.0
            if unexplained and new_today:
                a.visits_unexplained[actor] += 1.0
            if unexplained:
                traits = t.roles.open_traits[role]
                stranger = t.pairs.unexplained_at[pair]
                if stranger == 0 or stranger <= at - DAY_US:
                    t.pairs.unexplained_at[pair] = at
                    t.pairs.unexplained_days[pair] = 1 + (t.pairs.unexplained_days[pair] if stranger > at - RETURN_US else 0)
                    amounts[_M_UNEXPLAINED] = 1.0
                    p.burst_open[patient] += 1.0 - facts[F_UNEXPLAINED_SHARE, i]  # who reads for no reason all day is no crowd
                    t.roles.open_unexplained[role] += 1.0
                    traits[_R_COWORKER] += facts[F_COWORKER, i] > 0.0
                    traits[_R_TEAM] += facts[F_COWORKER, i] == 2.0
                    traits[_R_HOUSEHOLD] += household
                    traits[_R_STREET] += street
                    traits[_R_NAME] += name
                    traits[_R_VIP] += facts[F_VIP, i]
                    traits[_R_RESTRICTED] += facts[F_RESTRICTED, i]
                    traits[_R_DECEASED] += facts[F_DECEASED, i] > 7.0
                    traits[_R_GAP] += not facts[F_GAP, i] <= CARE_GAP_DAYS
                    traits[_R_ONCE_HERE] += facts[F_ONCE_HERE, i]
                    traits[_R_RETURNS] += t.pairs.unexplained_days[pair] > 1 and t.pairs.last_act[pair] == 0
                traits[_R_SENSITIVE] += facts[F_SENSITIVE, i]
                facts[F_DRIFT, i] = a.drift[actor]
                facts[F_RETURNS, i] = t.pairs.unexplained_days[pair] - 1
            quiet = t.clock.hour[0] - p.burst_hour[patient]
            facts[F_BURST, i] = p.burst_closed[patient] * 0.5 ** (quiet / BURST_HALF_LIFE_H)

            t.pairs.last_open[pair] = max(last, at)
            if _IS_ACT[action] and succeeded:
                counted = t.pairs.unexplained_at[pair]
                if counted > at - DAY_US and t.pairs.last_act[pair] < counted and amounts[_M_UNEXPLAINED] == 0.0:
                    amounts[_M_UNEXPLAINED] = -1.0  # who writes takes part in the care, and says so
                t.pairs.last_act[pair] = max(t.pairs.last_act[pair], at)
                if explained != _E_NONE:
                    t.pairs.explained_act[pair] = max(t.pairs.explained_act[pair], at)

            # scraping: numbers that follow each other, a machine's rhythm
            number = p.number[patient]
            if number >= 0 and patient != 0 and last != at:
                step = number - a.last_number[actor]
                if a.last_number[actor] >= 0 and 0 < step <= 2:
                    a.sequential_run[actor] += 1
                elif step != 0:
                    a.sequential_run[actor] = 0
                a.last_number[actor] = number
            gap = at - a.last_open_at[actor]
            if gap > 0:
                if a.last_gap[actor] > 0 and gap < 10 * MINUTE_US and abs(gap - a.last_gap[actor]) * 10 <= a.last_gap[actor]:
                    a.rhythm_run[actor] += 1
                else:
                    a.rhythm_run[actor] = 0
                a.last_gap[actor] = gap
                a.last_open_at[actor] = at
        facts[F_SEQUENTIAL, i] = a.sequential_run[actor]
        facts[F_RHYTHM, i] = a.rhythm_run[actor]

        # amounts of the last 24 h, beside what is usual
        lag = a.ring_hour[actor] - hour
        for m in range(_M):
            if amounts[m] != 0.0:
                a.day_total[actor, m] += amounts[m]
                if lag < RING_HOURS:
                    a.ring[actor, hour % RING_HOURS, m] += amounts[m]
            total24 = np.float32(0.0)
            for h in range(RING_HOURS):
                total24 += a.ring[actor, h, m]
            facts[PER_METRIC * m, i] = total24
            if a.usual_days[actor] > 0:
                facts[PER_METRIC * m + 1, i] = a.usual_mean[actor, m]
            facts[PER_METRIC * m + 2, i] = a.peers_mean[actor, m]
            facts[PER_METRIC * m + 3, i] = a.limit[actor, m]
            facts[PER_METRIC * m + 4, i] = a.spread[actor, m]
            if total24 > 0 and t.roles.events[role] > 0:
                facts[PER_METRIC * m + 5, i] = t.roles.exceed[role, m, count_bin(float(total24))]

        # the hour's vector for the online model
        s = a.session[actor]
        s[_S_EVENTS] += 1.0
        s[_S_PATIENTS] += np.float32(new_today)
        s[_S_UNEXPLAINED] += np.float32(amounts[_M_UNEXPLAINED] > 0.0)
        s[_S_SEARCHES] += np.float32(action == _SEARCH)
        s[_S_WRITES] += np.float32(_IS_ACT[action])
        s[_S_EXPORTS] += np.float32(_IS_EXPORT[action])
        s[_S_PRINTS] += np.float32(action == _PRINT)
        s[_S_OFF_HOURS] += np.float32(off_hours)
        s[_S_DEVICES] += np.float32(new_device and warm)
        s[_S_APPLICATIONS] += np.float32(new_application and warm)
        a.session_hour[actor] = t.clock.hour[0]
