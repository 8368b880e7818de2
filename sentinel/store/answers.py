"""What the store answers: plain values, so that an answer can travel between processes and become JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Access:
    """One access as it is kept, with what was concluded of it. `key` in hex; `p_value` None: no opinion."""

    key: str
    source: str
    id: str
    occurred_at: str
    received_at: str
    action: str
    outcome: str
    actor_id: str
    actor_type: str
    actor_role: str
    actor_unit: str
    actor_rpps: str
    patient_id: str
    resource_type: str
    resource_id: str
    resource_sensitivity: str
    resource_count: int
    purpose: str
    reason: str
    client_address: str
    device: str
    application: str
    site: str
    session: str
    destination: str
    partition: int
    offset: int
    ordinal: int
    explained_by: str
    p_value: float | None
    detectors: list[str]
    weighed: dict[str, float | str]


@dataclass(frozen=True, slots=True)
class AccessPage:
    """Accesses, the latest first; `next` continues as `before`, None at the end."""

    accesses: list[Access]
    next: str | None


@dataclass(frozen=True, slots=True)
class ActorSummary:
    """What one person or service did with a patient's record: how often, and how often with an ordinary reason.

    The type, role and unit are those of their last access.
    """

    actor_id: str
    actor_type: str
    actor_role: str
    actor_unit: str
    first: str
    last: str
    count: int
    explained: int


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts as `alerts.ndjson` gives them; `next` continues as `before`, None at the end."""

    alerts: list[dict[str, Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """Alerts new or changed since a cursor, the oldest change first; `cursor` for the next time."""

    alerts: list[dict[str, Any]]
    cursor: str


@dataclass(frozen=True, slots=True)
class Evidence:
    r"""An access an alert rests on, and the record it came in; None: that was not kept.

    Bytes of the record that are not UTF-8 are shown as `\xNN`.
    """

    access: Access
    raw: str | None


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What happened on one day (UTC, ISO 8601). `accesses`: events on a patient; `explained`: of these."""

    day: str
    events: int
    accesses: int
    explained: int
    alerts: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What is kept. `explained`: share of the accesses to patients with an ordinary reason; None: there are none."""

    events: int
    accesses: int
    alerts: int
    explained: float | None
    days: list[DayCounts]
