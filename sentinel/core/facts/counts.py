"""The stages that count: what the act itself counts for, the last 24 hours beside what is usual, and the hour for the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from sentinel.core.facts.declare import PER_METRIC
from sentinel.core.facts.numbers import (
    DELETE,
    IS_ACT,
    IS_EXPORT,
    M_DELETED,
    M_DISCLOSED,
    M_EMERGENCIES,
    M_EXPORTED,
    M_SEARCHES,
    M_UNEXPLAINED,
    N_METRICS,
    PRINT,
    S_APPLICATIONS,
    S_DEVICES,
    S_EVENTS,
    S_EXPORTS,
    S_OFF_HOURS,
    S_PATIENTS,
    S_PRINTS,
    S_SEARCHES,
    S_UNEXPLAINED,
    S_WRITES,
    SEARCH,
)
from sentinel.core.facts.stage import Columns, Event, stage
from sentinel.core.facts.state import COUNT_BINS, RING_HOURS, ActorTable, RoleTable


@stage
def turn_ring(a: ActorTable, actor: int, hour: int) -> None:
    """Empty the buckets of the hours since the person's last event."""
    gap = hour - a.ring_hour[actor]
    if gap <= 0:
        return
    for h in range(max(a.ring_hour[actor] + 1, hour - RING_HOURS + 1), hour + 1):
        for m in range(N_METRICS):
            a.ring[actor, h % RING_HOURS, m] = 0.0
    a.ring_hour[actor] = hour


@stage
def count_act(c: Columns, a: ActorTable, amounts: Any, e: Event) -> None:
    """Write what the act itself counts for."""
    if e.action == SEARCH:
        amounts[M_SEARCHES] = a.searching[e.actor]
        a.searching[e.actor] = 1
    if e.action == DELETE and e.succeeded:
        amounts[M_DELETED] = max(1, c.records[e.i])
    if IS_EXPORT[e.action] and e.succeeded:
        amounts[M_EXPORTED] = max(1, c.records[e.i])
        amounts[M_DISCLOSED] = c.outward[e.i]
    if c.emergency[e.i] and e.succeeded:
        amounts[M_EMERGENCIES] = 1.0


@stage
def count_bin(count: float) -> int:
    """Return the bin of a daily count: 0 to 15 one by one, then eight to a doubling."""
    if count < 16:
        return int(count)
    return min(COUNT_BINS - 1, int(16 + 8 * np.log2(count / 16)))


@stage
def count_day(a: ActorTable, roles: RoleTable, facts: Any, amounts: Any, e: Event, role: int) -> None:
    """Tell the amounts of the last 24 h, beside what is usual."""
    lag = a.ring_hour[e.actor] - e.hour
    for m in range(N_METRICS):
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


@stage
def count_hour(
    a: ActorTable, amounts: Any, e: Event, odd: bool, new_device: bool, new_application: bool, new_today: bool
) -> None:
    """Add to the person's hour, as the online model will read it."""
    s = a.session[e.actor]
    s[S_EVENTS] += 1.0
    s[S_PATIENTS] += np.float32(new_today)
    s[S_UNEXPLAINED] += np.float32(amounts[M_UNEXPLAINED] > 0.0)
    s[S_SEARCHES] += np.float32(e.action == SEARCH)
    s[S_WRITES] += np.float32(IS_ACT[e.action])
    s[S_EXPORTS] += np.float32(IS_EXPORT[e.action])
    s[S_PRINTS] += np.float32(e.action == PRINT)
    s[S_OFF_HOURS] += np.float32(odd)
    s[S_DEVICES] += np.float32(new_device)
    s[S_APPLICATIONS] += np.float32(new_application)
