"""A micro-batch of one tenant's events as columns, and what was concluded of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sentinel.core.event import Action, ActorType, Destination, EventRow, Outcome
from sentinel.core.ids import event_keys

Int8s = NDArray[np.int8]
Int64s = NDArray[np.int64]
Floats = NDArray[np.float32]

ACTIONS: Final = tuple(Action)
OUTCOMES: Final = tuple(Outcome)
ACTOR_TYPES: Final = tuple(ActorType)
DESTINATIONS: Final = tuple(Destination)
_ACTION_CODE: Final = {str(value): code for code, value in enumerate(ACTIONS)}
_OUTCOME_CODE: Final = {str(value): code for code, value in enumerate(OUTCOMES)}
_ACTOR_TYPE_CODE: Final = {str(value): code for code, value in enumerate(ACTOR_TYPES)}
_DESTINATION_CODE: Final = {str(value): code for code, value in enumerate(DESTINATIONS)}


@dataclass(slots=True)
class EventBatch:
    """Columns of equal length, in the order of arrival. Enumerations are codes into the tuples above.

    `key` (16 bytes) names the event: a duplicate has its original's key. `partition`, `offset` and
    `ordinal` say where the source message lies in the durable log and which of its events this is
    (offset -1: not from a log). Times are µs since 1970 UTC.
    """

    tenant: str
    key: list[bytes]
    source: list[str]
    id: list[str]
    occurred_at: Int64s
    received_at: Int64s
    action: Int8s
    outcome: Int8s
    actor_id: list[str]
    actor_type: Int8s
    actor_role: list[str]
    actor_unit: list[str]
    actor_rpps: list[str]
    patient_id: list[str]
    resource_type: list[str]
    resource_id: list[str]
    resource_sensitivity: list[str]
    resource_count: Int64s
    purpose: list[str]
    reason: list[str]
    client_address: list[str]
    device: list[str]
    application: list[str]
    site: list[str]
    session: list[str]
    destination: Int8s
    marks: list[str]
    partition: Int64s
    offset: Int64s
    ordinal: Int64s

    def __len__(self) -> int:
        return len(self.key)

    def take(self, indices: Sequence[int] | Int64s) -> EventBatch:
        """Return the batch of the events at `indices`, in that order."""
        where = np.asarray(indices, dtype=np.int64)
        order = where.tolist()
        picked: dict[str, Any] = {
            column.name: value[where] if isinstance(value, np.ndarray) else [value[i] for i in order]
            for column in fields(self)
            if column.name != "tenant"
            for value in (getattr(self, column.name),)
        }
        return EventBatch(tenant=self.tenant, **picked)


@dataclass(slots=True)
class Provenance:
    """Where the rows of a batch come from: each a column as long as the rows, or one value for all."""

    source: str | list[str]
    received_at: int | Int64s = 0
    partition: int | Int64s = 0
    offset: int | Int64s = -1
    ordinal: int | Int64s = 0


def batch_of(tenant: str, rows: Sequence[EventRow], provenance: Provenance) -> EventBatch:
    """Transpose rows into a batch."""
    n = len(rows)
    transposed = zip(*rows, strict=True) if rows else ((),) * len(EventRow._fields)
    columns: dict[str, Any] = dict(zip(EventRow._fields, transposed, strict=True))
    sources = provenance.source if isinstance(provenance.source, list) else [provenance.source] * n
    keys = event_keys(tenant, sources, columns["id"], columns["sub"])
    coded: dict[str, Any] = {
        "action": _codes(columns["action"], _ACTION_CODE),
        "outcome": _codes(columns["outcome"], _OUTCOME_CODE),
        "actor_type": _codes(columns["actor_type"], _ACTOR_TYPE_CODE),
        "destination": _codes(columns["destination"], _DESTINATION_CODE),
        "occurred_at": np.array(columns["occurred_at"], dtype=np.int64),
        "resource_count": np.array(columns["resource_count"], dtype=np.int64),
        "received_at": _column(provenance.received_at, n),
        "partition": _column(provenance.partition, n),
        "offset": _column(provenance.offset, n),
        "ordinal": _column(provenance.ordinal, n),
    }
    texts: dict[str, Any] = {name: list(values) for name, values in columns.items() if name not in coded and name != "sub"}
    return EventBatch(tenant=tenant, key=keys, source=sources, **texts, **coded)


def _codes(values: Sequence[str], code: dict[str, int]) -> Int8s:
    return np.fromiter(map(code.__getitem__, values), np.int8, len(values))


def _column(value: int | Int64s, n: int) -> Int64s:
    return value if isinstance(value, np.ndarray) else np.full(n, value, dtype=np.int64)


@dataclass(slots=True)
class Assessment:
    """What was concluded of each event of a batch, kept beside it so that a later question has the same answer.

    `explained_by`: the name of the ordinary reason, empty when none was found or none is needed.
    `p_value`: of the event's most unusual finding, in (0, 1]; NaN: no opinion.
    `detectors` and `weighed` hold only the events with findings, by index: the detectors' names,
    and what each observed as `{detector: observed}`. Findings that wait (`Detector.after_hours`) are not among
    them: they stand in the alert they lead to.
    """

    explained_by: list[str]
    p_value: Floats
    detectors: dict[int, tuple[str, ...]] = field(default_factory=dict)
    weighed: dict[int, dict[str, float | str]] = field(default_factory=dict)

    def take(self, indices: Sequence[int]) -> Assessment:
        """Return what was concluded of the events at `indices`, in that order."""
        return Assessment(
            explained_by=[self.explained_by[at] for at in indices],
            p_value=self.p_value[np.asarray(indices, dtype=np.int64)],
            detectors={new: self.detectors[at] for new, at in enumerate(indices) if at in self.detectors},
            weighed={new: self.weighed[at] for new, at in enumerate(indices) if at in self.weighed},
        )
