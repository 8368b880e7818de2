"""The stages of a record's opening: what person and patient have to do with each other, before it and by it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from sentinel.core.context import EVER, FOREVER, PatientFlag
from sentinel.core.event import DAY_US
from sentinel.core.facts.declare import ADULT_YEARS, CARE_GAP_DAYS
from sentinel.core.facts.numbers import (
    E_NONE,
    F_ACT,
    F_AGE,
    F_CONTACT,
    F_COWORKER,
    F_DECEASED,
    F_GAP,
    F_HIERARCHY,
    F_HOUSEHOLD,
    F_NAME,
    F_ONCE_HERE,
    F_OWN,
    F_RESTRICTED,
    F_RETURNS,
    F_SEARCHED,
    F_SENSITIVE,
    F_STREET,
    F_UNEXPLAINED_SHARE,
    F_VIP,
    IS_ACT,
    M_OPENS,
    M_PATIENTS,
    M_UNEXPLAINED,
    R_COWORKER,
    R_DECEASED,
    R_GAP,
    R_HIERARCHY,
    R_HOUSEHOLD,
    R_MINOR,
    R_NAME,
    R_ONCE_HERE,
    R_OWN,
    R_RESTRICTED,
    R_RETURNS,
    R_SEARCHED,
    R_SENSITIVE,
    R_STREET,
    R_TEAM,
    R_VIP,
)
from sentinel.core.facts.pairs import slot_of
from sentinel.core.facts.stage import MINUTE_US, Event, Opening, stage
from sentinel.core.facts.state import (
    FLAG_BITS,
    LEVELS_MAX,
    ActorTable,
    PairTable,
    PatientTable,
    PositionPool,
    RoleTable,
    UnitTable,
)

YEAR_US: Final = 365.2425 * DAY_US
BURST_HALF_LIFE_H: Final = 36.0
SHARE_WEIGHT: Final = 30.0  # openings that the role's share counts for in a person's
RETURN_US: Final = 30 * DAY_US  # opened again within so long, without a reason either, it is a return
_VIP, _RESTRICTED = FLAG_BITS[PatientFlag.VIP], FLAG_BITS[PatientFlag.RESTRICTED]


@stage
def contact(pairs: PairTable, facts: Any, e: Event) -> tuple[int, int, bool]:
    """Return the slot of person and patient, when they last met (µs, 0: never), and whether it is their first time in a day."""
    key = (e.actor << 32) | e.patient
    pair = slot_of(pairs.key, key)
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


@stage
def _holds(positions: PositionPool, head: int, unit: int, at: int) -> bool:
    """Whether a person, whose positions begin at `head`, works in a unit at that time."""
    k = head
    while k >= 0 and unit != 0:
        if positions.unit[k] == unit and positions.start[k] <= at <= positions.end[k]:
            return True
        k = positions.next[k]
    return False


@stage
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


@stage
def ties(
    a: ActorTable, p: PatientTable, positions: PositionPool, units: UnitTable, family_share: Any, facts: Any, e: Event
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


@stage
def learn_opening(a: ActorTable, roles: RoleTable, facts: Any, amounts: Any, e: Event, o: Opening, role: int) -> None:
    """Tell the person's usual share of openings without a reason; then count this one."""
    if e.human:
        facts[F_UNEXPLAINED_SHARE, e.i] = (SHARE_WEIGHT * roles.share[role] + a.visits_unexplained[e.actor]) / (
            SHARE_WEIGHT + a.visits[e.actor]
        )
    if e.human and o.new_today:
        a.visits[e.actor] += 1.0
        roles.open_visits[role] += 1.0
        roles.open_traits[role, R_OWN] += facts[F_OWN, e.i]
        amounts[M_PATIENTS] = 1.0
    amounts[M_OPENS] = 1.0
    if o.unexplained and o.new_today:
        a.visits_unexplained[e.actor] += 1.0


@stage
def learn_stranger(
    p: PatientTable, roles: RoleTable, pairs: PairTable, facts: Any, amounts: Any, e: Event, pair: int, role: int
) -> None:
    """Count an opening without a reason, once a day and patient, with its traits."""
    traits = roles.open_traits[role]
    stranger = pairs.unexplained_at[pair]
    if stranger == 0 or stranger <= e.at - DAY_US:
        pairs.unexplained_at[pair] = e.at
        pairs.unexplained_days[pair] = 1 + (pairs.unexplained_days[pair] if stranger > e.at - RETURN_US else 0)
        amounts[M_UNEXPLAINED] = 1.0
        # who reads for no reason all day is no crowd
        p.burst_open[e.patient] += 1.0 - facts[F_UNEXPLAINED_SHARE, e.i]
        roles.open_unexplained[role] += 1.0
        traits[R_COWORKER] += facts[F_COWORKER, e.i] > 0.0
        traits[R_TEAM] += facts[F_COWORKER, e.i] == 2.0
        traits[R_HOUSEHOLD] += facts[F_HOUSEHOLD, e.i]
        traits[R_STREET] += facts[F_STREET, e.i]
        traits[R_NAME] += facts[F_NAME, e.i] >= 0.0
        traits[R_VIP] += facts[F_VIP, e.i]
        traits[R_RESTRICTED] += facts[F_RESTRICTED, e.i]
        traits[R_DECEASED] += facts[F_DECEASED, e.i] > 7.0
        traits[R_GAP] += not facts[F_GAP, e.i] <= CARE_GAP_DAYS
        traits[R_ONCE_HERE] += facts[F_ONCE_HERE, e.i]
        traits[R_HIERARCHY] += facts[F_HIERARCHY, e.i] > 0.0
        traits[R_MINOR] += facts[F_AGE, e.i] < ADULT_YEARS
        traits[R_SEARCHED] += facts[F_SEARCHED, e.i]
        traits[R_RETURNS] += pairs.unexplained_days[pair] > 1 and pairs.last_act[pair] == 0
    traits[R_SENSITIVE] += facts[F_SENSITIVE, e.i]
    facts[F_RETURNS, e.i] = pairs.unexplained_days[pair] - 1


@stage
def keep_contact(pairs: PairTable, amounts: Any, e: Event, o: Opening) -> None:
    """Remember that they met, and whether the person wrote."""
    pairs.last_open[o.pair] = max(o.last, e.at)
    if IS_ACT[e.action] and e.succeeded:
        counted = pairs.unexplained_at[o.pair]
        if counted > e.at - DAY_US and pairs.last_act[o.pair] < counted and amounts[M_UNEXPLAINED] == 0.0:
            amounts[M_UNEXPLAINED] = -1.0  # who writes takes part in the care, and says so
        pairs.last_act[o.pair] = max(pairs.last_act[o.pair], e.at)
        if o.explained != E_NONE:
            pairs.explained_act[o.pair] = max(pairs.explained_act[o.pair], e.at)


@stage
def runs(a: ActorTable, e: Event, number: int, last: int) -> None:
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


@njit(cache=True)
def close_bursts(p: PatientTable, patients: Any, strangers: Any, hour: int) -> None:
    """Add to each of the `patients`, all different, how many people opened their record without a reason in `hour`."""
    for i in range(len(patients)):
        patient = patients[i]
        quiet = hour - p.burst_hour[patient]
        p.burst_closed[patient] = p.burst_closed[patient] * 0.5 ** (quiet / BURST_HALF_LIFE_H) + strangers[i]
        p.burst_hour[patient] = hour
