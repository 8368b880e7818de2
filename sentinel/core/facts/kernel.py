"""The one ordered pass: event by event, so that no result hangs on where a batch is cut.

Compiled by numba over codes and arrays; the same functions run uncompiled in tests (`NUMBA_DISABLE_JIT`).
It writes facts and moves state; it knows no names, no thresholds and no detectors. Its stages stand beside it, a file a
subject: `person.py`, `reasons.py`, `opening.py`, `counts.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sentinel.core.event import HOUR_US
from sentinel.core.facts.counts import count_act, count_day, count_hour, turn_ring
from sentinel.core.facts.numbers import (
    E_NONE,
    F_BURST,
    F_DRIFT,
    F_EXPLAINED,
    F_HOUR,
    F_ONCE_HERE,
    F_RHYTHM,
    F_SEARCHED,
    F_SENSITIVE,
    F_SEQUENTIAL,
    F_TRADE,
    HUMAN,
    IS_OPENING,
    N_METRICS,
    PATIENT,
    SEARCH,
    SUCCESS,
    UNKNOWN,
)
from sentinel.core.facts.opening import BURST_HALF_LIFE_H, contact, keep_contact, learn_opening, learn_stranger, runs, ties
from sentinel.core.facts.person import UNITS_MAX, employment, hours_of_work, logins_and_rights, places, tools, who
from sentinel.core.facts.reasons import once_here, reason
from sentinel.core.facts.stage import Columns, Event, Opening, Tables, stage
from sentinel.core.facts.state import ActorTable, Clock


@njit(cache=True)
def hour_end(occurred_at: Any, start: int, hour: int) -> int:
    """Return the index of the first event at or after `start` that opens a later hour than `hour`."""
    i = start
    while i < len(occurred_at) and occurred_at[i] // HOUR_US <= hour:
        i += 1
    return i


@stage
def _event(c: Columns, a: ActorTable, clock: Clock, i: int) -> Event:
    """Return the event at `i`, which moves the stream's clock."""
    at, actor = c.occurred_at[i], c.actor[i]
    hour = at // HOUR_US
    clock.hour[0] = max(clock.hour[0], hour)
    succeeded = c.outcome[i] == SUCCESS or c.outcome[i] == UNKNOWN
    human = c.actor_type[i] == HUMAN and a.is_service[actor] == 0
    return Event(i, at, hour, actor, c.patient[i], c.action[i], succeeded, human)


@njit(cache=True)
def ordered_pass(c: Columns, t: Tables, facts: Any, rows: Any, knows_care: bool) -> None:
    """Write the facts of the events at `rows`, in that order, and move the state past them.

    `facts` is (facts, events) float32, NaN where missing. `knows_care`: any stay or link is on file.
    """
    a, p, roles, pairs, clock = t.actors, t.patients, t.roles, t.pairs, t.clock
    positions, stays, links, units = t.positions, t.stays, t.links, t.units
    family_share, knows_staff = t.family_share, t.knows_staff
    amounts, totals = np.zeros(N_METRICS, np.float32), np.zeros(N_METRICS, np.float32)
    mine = np.zeros(UNITS_MAX, np.int64)
    for i in rows:
        e = _event(c, a, clock, i)
        facts[F_HOUR, i] = clock.hour[0]
        amounts[:] = 0.0
        role, role_class, held, n_mine = who(c, a, positions, e, mine)
        employment(a, clock, knows_staff, facts, e, held)
        turn_ring(a, e.actor, e.hour)
        odd = hours_of_work(a, roles, facts, e, role, c.hour_bin[i])
        new_device, new_application = tools(c, a, facts, amounts, e)
        places(a, facts, e, c.site[i])
        logins_and_rights(a, facts, e)
        count_act(c, a, amounts, e)
        facts[F_SENSITIVE, i] = np.float32(c.sensitive[i])
        facts[F_TRADE, i] = roles.trade[role]
        new_today = False
        if e.patient != 0 and IS_OPENING[e.action]:
            facts[F_SEARCHED, i] = np.float32(e.action != SEARCH and a.searching[e.actor] != 0)
            if e.action != SEARCH:
                a.searching[e.actor] = 0
            pair, last, new_today = contact(pairs, facts, e)
            acted = pairs.explained_act[pair]
            explained = reason(stays, links, units, p, e, c.actor_type[i] == PATIENT, role_class, mine, n_mine, acted, knows_care)
            judged = knows_care and not c.oversight[i]
            if judged or not e.human:
                facts[F_EXPLAINED, i] = explained
            unexplained = e.human and judged and explained == E_NONE
            if unexplained:
                facts[F_ONCE_HERE, i] = np.float32(once_here(stays, p.stay_head[e.patient], units, mine, n_mine, e.at))
            o = Opening(pair, last, new_today, explained, unexplained)
            ties(a, p, positions, units, family_share, facts, e)
            learn_opening(a, roles, facts, amounts, e, o, role)
            if unexplained:
                learn_stranger(p, roles, pairs, facts, amounts, e, pair, role)
                facts[F_DRIFT, i] = a.drift[e.actor]
            quiet = clock.hour[0] - p.burst_hour[e.patient]
            facts[F_BURST, i] = p.burst_closed[e.patient] * 0.5 ** (quiet / BURST_HALF_LIFE_H)
            keep_contact(pairs, amounts, e, o)
            runs(a, e, p.number[e.patient], last)
        facts[F_SEQUENTIAL, i] = a.sequential_run[e.actor]
        facts[F_RHYTHM, i] = a.rhythm_run[e.actor]
        count_day(a, roles, facts, amounts, totals, e, role)
        count_hour(a, amounts, e, odd, new_device, new_application, new_today)
        a.session_hour[e.actor] = clock.hour[0]
