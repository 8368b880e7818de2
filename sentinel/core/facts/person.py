"""The stages that follow a person or program through the day: who they are, when, with what and from where they work."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sentinel.core.context import EVER, FOREVER
from sentinel.core.event import DAY_US, HOUR_US
from sentinel.core.facts.numbers import (
    F_ACTION,
    F_APPLICATION,
    F_CONFIRMED,
    F_CROSSINGS,
    F_DEPARTED,
    F_DEVICE,
    F_DORMANT,
    F_FAILURES,
    F_HOUR_SHARE,
    F_LEAVING,
    F_ORPHAN,
    F_OTHER_SITE,
    F_PRIVILEGE,
    LOGIN,
    LOGIN_FAILED,
    M_SWITCHES,
    PERMISSION,
)
from sentinel.core.facts.stage import MINUTE_US, Columns, Event, stage
from sentinel.core.facts.state import ActorTable, Clock, PositionPool, RoleTable

DEVICE_WARM_UP: Final = 30  # events of a person before a new device means anything
ROLE_WARM_UP: Final = 50  # hours of a role's people at work before its hours mean anything
HOUR_WEIGHT: Final = 15.0  # hours at work that the role's count for in a person's
ODD_HOUR: Final = 0.02  # share of the hours at work under which an hour is odd, for the online model
POSITION_EARLY_US: Final = 3 * DAY_US
UNITS_MAX: Final = 16  # units that one person works in around one moment
GRACE_MIN_US: Final = 3 * DAY_US  # work on one's former unit's patients goes on for as long as one was there …
GRACE_MAX_US: Final = 30 * DAY_US  # … within bounds: a night's duty leaves little to finish


@stage
def _with_unit(mine: Any, n: int, unit: int) -> int:
    """Add a unit to the person's `n` own, once, while there is room; return how many there are."""
    for k in range(n):
        if mine[k] == unit:
            return n
    if unit != 0 and n < UNITS_MAX:
        mine[n] = unit
        n += 1
    return n


@stage
def who(c: Columns, a: ActorTable, positions: PositionPool, e: Event, mine: Any) -> tuple[int, int, bool, int]:
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


@stage
def employment(a: ActorTable, clock: Clock, knows_staff: bool, facts: Any, e: Event, held: bool) -> None:
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


@stage
def _hours_just_worked(a: ActorTable, actor: int, hour: int) -> int:
    """Return how many of this hour, the one before and the one after it are part of the person's present stretch of work."""
    if a.active_hour[actor] == hour:
        return min(int(a.hours_run[actor]), 2)
    return 1 if a.active_hour[actor] == hour - 1 else 0


@stage
def hours_of_work(a: ActorTable, roles: RoleTable, facts: Any, e: Event, role: int, hour_bin: int) -> bool:
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


@stage
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


@stage
def tools(c: Columns, a: ActorTable, facts: Any, amounts: Any, e: Event) -> tuple[bool, bool]:
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
                amounts[M_SWITCHES] = 1.0
            a.previous_device[e.actor] = a.device[e.actor]
            a.device[e.actor] = device
        a.device_at[e.actor] = e.at
    new_application = False
    if c.application[e.i] != 0:
        new_application = _newly_used(a.applications[e.actor], c.application[e.i])
        facts[F_APPLICATION, e.i] = np.float32(new_application) if warm else np.nan
    return new_device and warm, new_application and warm


@stage
def places(a: ActorTable, facts: Any, e: Event, site: int) -> None:
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


@stage
def logins_and_rights(a: ActorTable, facts: Any, e: Event) -> None:
    """Count failed logins up to the one that works, and the time since rights were changed."""
    if e.action == LOGIN_FAILED:
        a.failures[e.actor] = a.failures[e.actor] + 1 if e.at - a.failed_at[e.actor] < 30 * MINUTE_US else 1
        a.failed_at[e.actor] = e.at
    elif e.action == LOGIN and e.succeeded:
        facts[F_FAILURES, e.i] = a.failures[e.actor] if e.at - a.failed_at[e.actor] < 30 * MINUTE_US else 0
        a.failures[e.actor] = 0
    elif e.action == PERMISSION and e.succeeded:
        a.privilege_at[e.actor] = e.at
    if a.privilege_at[e.actor] > 0 and 0 <= e.at - a.privilege_at[e.actor] < 48 * HOUR_US:
        facts[F_PRIVILEGE, e.i] = (e.at - a.privilege_at[e.actor]) / HOUR_US
