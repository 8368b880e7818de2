"""The stage that looks for an ordinary reason (`explain.py`) among the patient's stays and links."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sentinel.core.explain import AFTER_US, BEFORE_US
from sentinel.core.facts.numbers import (
    C_CODING,
    C_TRANSVERSAL,
    E_CODING,
    E_INTERFACE,
    E_NONE,
    E_OWN_ACT,
    E_PATIENT,
    E_PLANNED,
    E_STAY,
    E_TRANSVERSAL,
)
from sentinel.core.facts.stage import Event, stage
from sentinel.core.facts.state import LEVELS_MAX, LinkPool, PatientTable, StayPool, UnitTable

_BEFORE: Final = np.array(BEFORE_US)
_AFTER: Final = np.array(AFTER_US)


@stage
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


@stage
def _cared_for(s: StayPool, head: int, units: UnitTable, mine: Any, n: int, at: int) -> tuple[int, bool, bool]:
    """Return the reason that a stay or planned visit gives; whether the patient is in the house, and may be coded."""
    present = coding = False
    found = E_NONE
    k = head
    while k >= 0:
        start, end = s.start[k], s.end[k]
        code = E_PLANNED if s.planned[k] != 0 else E_STAY
        better = found == E_NONE or code < found
        if better and start - _BEFORE[code] <= at <= end + _AFTER[code] and _works_in(mine, n, units, s.unit[k]):
            found = code
        present = present or (start - _BEFORE[E_TRANSVERSAL] <= at <= end + _AFTER[E_TRANSVERSAL])
        coding = coding or (start - _BEFORE[E_CODING] <= at <= end + _AFTER[E_CODING])
        k = s.next[k]
    return found, present, coding


@stage
def once_here(s: StayPool, head: int, units: UnitTable, mine: Any, n: int, at: int) -> bool:
    """Whether the patient once stayed in one of the person's `n` units, and left."""
    k = head
    while k >= 0:
        if s.planned[k] == 0 and s.end[k] < at and _works_in(mine, n, units, s.unit[k]):
            return True
        k = s.next[k]
    return False


@stage
def _linked(links: LinkPool, head: int, actor: int, at: int) -> tuple[int, bool]:
    """Return the reason that a link by name gives; whether any link tells that the patient is in the house."""
    present = False
    found = E_NONE
    k = head
    while k >= 0:
        code, start, end = int(links.explanation[k]), links.start[k], links.end[k]
        better = found == E_NONE or code < found
        if better and links.actor[k] == actor and start - _BEFORE[code] <= at <= end + _AFTER[code]:
            found = code
        present = present or (start - _BEFORE[E_TRANSVERSAL] <= at <= end + _AFTER[E_TRANSVERSAL])
        k = links.next[k]
    return found, present


@stage
def reason(
    stays: StayPool,
    links: LinkPool,
    units: UnitTable,
    p: PatientTable,
    e: Event,
    is_patient: bool,
    role_class: int,
    mine: Any,
    n: int,
    acted: int,
    knows_care: bool,
) -> int:
    """Return the first ordinary reason that holds. `acted`: when the person last wrote there with a reason, µs, 0: never."""
    if is_patient:
        return E_PATIENT
    if not e.human:
        return E_INTERFACE
    if not knows_care:
        return E_NONE
    explained, present, coding = _cared_for(stays, p.stay_head[e.patient], units, mine, n, e.at)
    if explained != E_NONE:
        return explained
    explained, seen_here = _linked(links, p.link_head[e.patient], e.actor, e.at)
    if explained != E_NONE:
        return explained
    if acted > 0 and e.at - acted <= _AFTER[E_OWN_ACT]:
        return E_OWN_ACT
    if role_class == C_TRANSVERSAL and (present or seen_here):
        return E_TRANSVERSAL
    if role_class == C_CODING and coding:
        return E_CODING
    return E_NONE
