"""Events, assessments and alerts to store: handmade ones, and many out of a seed."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from sentinel.core.alert import Alert, Reason, Severity, Usual
from sentinel.core.batch import Assessment, EventBatch, Provenance, batch_of
from sentinel.core.event import Action, ActorType, Destination, EventRow, Outcome

TENANT = "ch-test"
START_US = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z, a Sunday
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def an_event(number: int = 0, **told: Any) -> EventRow:
    """Return an event of which only the id and the time hang on `number`."""
    row: dict[str, Any] = dict.fromkeys(EventRow._fields, "") | {
        "id": f"event-{number}",
        "occurred_at": START_US + number * 1_000_000,
        "action": "read",
        "outcome": "success",
        "actor_id": "nurse",
        "actor_type": "human",
        "resource_count": 1,
    }
    return EventRow(**row | told)


def a_batch(rows: list[EventRow], offset: int = 0, tenant: str = TENANT, partition: int = 0) -> EventBatch:
    """Return events, one a record of the log, from `offset` on."""
    received = np.array([row.occurred_at + 250_000 for row in rows], dtype=np.int64)
    return batch_of(tenant, rows, Provenance("sentinel_json", received, partition, np.arange(offset, offset + len(rows)), 0))


def nothing_found(batch: EventBatch, explained_by: str = "") -> Assessment:
    """Return the assessment of events of which there is nothing to say."""
    return Assessment([explained_by] * len(batch), np.full(len(batch), np.nan, dtype=np.float32))


def some_events(count: int, seed: int = 1, first: int = 0, days: float = 90) -> list[EventRow]:
    """Return events of 7 people on 30 patients, spread over some days, several at one moment."""
    draw = random.Random(seed)
    return [
        an_event(
            number,
            occurred_at=START_US + draw.randrange(int(days * 24)) * HOUR_US,
            action=str(draw.choice(list(Action))),
            outcome=str(draw.choice(list(Outcome))),
            actor_id=f"actor-{draw.randrange(7)}",
            actor_type=str(draw.choice(list(ActorType))),
            actor_role=draw.choice(["nurse", "physician", ""]),
            patient_id=draw.choice(["", *(f"patient-{at}" for at in range(30))]),
            destination=str(draw.choice(list(Destination))),
        )
        for number in range(first, first + count)
    ]


def an_assessment(batch: EventBatch, seed: int = 1) -> Assessment:
    """Return what might have been concluded of a batch."""
    draw = random.Random(seed)
    found = [at for at in range(len(batch)) if draw.random() < 0.1]
    p_value = np.full(len(batch), np.nan, dtype=np.float32)
    p_value[found] = 0.001
    return Assessment(
        [draw.choice(["stay-in-unit", "care-team", ""]) for _ in range(len(batch))],
        p_value,
        {at: ("bulk_export", "vip_record")[: 1 + at % 2] for at in found},
        {at: {"patients_1h": 12.0, "unit": "cardiologie é"} for at in found},
    )


def an_alert(name: str, version: int = 1, batch: EventBatch | None = None, **told: Any) -> Alert:
    """Return an alert that rests on the events of `batch`."""
    seen = batch.occurred_at.tolist() if batch else [START_US]
    values: dict[str, Any] = {
        "id": name,
        "tenant": TENANT,
        "version": version,
        "priority": 1.0,
        "severity": Severity.MEDIUM,
        "detectors": ("vip_record",),
        "actor": "nurse",
        "patients": ("patient-1",),
        "event_ids": tuple(batch.id) if batch else (),
        "event_keys": tuple(key.hex() for key in batch.key) if batch else (),
        "first_seen": min(seen),
        "last_seen": max(seen),
        "reasons": (Reason("vip_record", 3, Usual(0.5, None), 0.01, "trois fois", "three times"),),
        "not_explained_by": ("stay-in-unit",),
    }
    return Alert(**values | told)
