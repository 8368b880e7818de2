"""Micro-batches, raw records and alerts as Arrow: what an insert is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from sentinel.core.alert import Alert
from sentinel.core.batch import ACTIONS, ACTOR_TYPES, DESTINATIONS, OUTCOMES, Assessment, EventBatch, Int64s

KEY: Final = pa.binary(16)
MOMENT: Final = pa.timestamp("us", tz="UTC")
LISTED: Final = pa.list_(pa.string())
MOMENTS: Final = ("occurred_at", "received_at")
NUMBERS: Final = ("resource_count", "partition", "offset", "ordinal")
TEXTS: Final = ("id", "actor_id", "actor_rpps", "patient_id", "resource_id", "reason", "client_address", "device", "session")
REPEATED: Final = (  # few values: they go as a dictionary, which halves the work of the insert
    "source",
    "actor_role",
    "actor_unit",
    "resource_type",
    "resource_sensitivity",
    "purpose",
    "application",
    "site",
)
_CODED: Final = {"action": ACTIONS, "outcome": OUTCOMES, "actor_type": ACTOR_TYPES, "destination": DESTINATIONS}
_NAMES: Final = {name: pa.array([str(value) for value in values]) for name, values in _CODED.items()}


def access_rows(batch: EventBatch, assessment: Assessment) -> pa.RecordBatch:
    """Return the rows of table `access`, in the order of the batch."""
    n = len(batch)
    columns: dict[str, Any] = {"tenant": _constant(batch.tenant, n), "key": _keys(batch.key)}
    columns |= {name: texts(getattr(batch, name)) for name in (*TEXTS, *REPEATED)}
    columns |= {name: pa.array(getattr(batch, name), pa.int64()) for name in NUMBERS}
    columns |= {name: moments(getattr(batch, name)) for name in MOMENTS}
    columns |= {name: pa.DictionaryArray.from_arrays(pa.array(getattr(batch, name)), names) for name, names in _NAMES.items()}
    columns["explained_by"] = texts(assessment.explained_by)
    columns["p_value"] = pa.array(assessment.p_value, pa.float32())
    columns["detectors"] = _lists(assessment.detectors, n)
    columns["weighed"] = texts(_weighed(assessment, n))
    return pa.RecordBatch.from_pydict(columns)


def raw_rows(tenant: str, partition: int, records: Sequence[tuple[int, str, bytes, int]]) -> pa.RecordBatch:
    """Return the rows of table `raw_record`, from (offset, source, bytes, received at in µs)."""
    offsets, sources, raws, received = zip(*records, strict=True)
    n = len(records)
    columns = {
        "tenant": _constant(tenant, n),
        "partition": pa.array(np.full(n, partition, dtype=np.int64)),
        "offset": pa.array(offsets, pa.int64()),
        "source": texts(sources),
        "received_at": moments(received),
        "raw": pa.array(raws, pa.binary()),
        "log": texts(sources),
    }
    return pa.RecordBatch.from_pydict(columns)


def alert_rows(alerts: Sequence[Alert], lane: str, sequence: int) -> pa.RecordBatch:
    """Return the rows of table `alert`, numbered from `sequence`."""
    n = len(alerts)
    columns = {
        "tenant": texts([alert.tenant for alert in alerts]),
        "id": texts([alert.id for alert in alerts]),
        "version": pa.array([alert.version for alert in alerts], pa.uint64()),
        "lane": _constant(lane, n),
        "sequence": pa.array(range(sequence, sequence + n), pa.uint64()),
        "priority": pa.array([alert.priority for alert in alerts], pa.float64()),
        "severity": texts([str(alert.severity) for alert in alerts]),
        "detectors": pa.array([list(alert.detectors) for alert in alerts], LISTED),
        "actor": texts([alert.actor for alert in alerts]),
        "patients": pa.array([[_storable(patient) for patient in alert.patients] for alert in alerts], LISTED),
        "event_keys": pa.array([[bytes.fromhex(key) for key in alert.event_keys] for alert in alerts], pa.list_(KEY)),
        "first_seen": moments([alert.first_seen for alert in alerts]),
        "last_seen": moments([alert.last_seen for alert in alerts]),
        "body": texts([alert.to_json() for alert in alerts]),
    }
    return pa.RecordBatch.from_pydict(columns)


def table_of(rows: Sequence[pa.RecordBatch]) -> pa.Table:
    """Return one insert: the rows in one piece, what repeats in them as a dictionary, and nothing that may be missing.

    What may be missing the engine takes apart, into values and which of them are there, and puts together again.
    """
    table = pa.Table.from_batches(rows).unify_dictionaries().combine_chunks()
    for index, column in enumerate(table.schema):
        if column.name in (*REPEATED, "explained_by", "tenant") and not pa.types.is_dictionary(column.type):
            table = table.set_column(index, column.name, table.column(index).dictionary_encode())
    told = pa.schema([column.with_nullable(False) for column in table.schema])
    return pa.Table.from_arrays(table.columns, schema=told)


def texts(values: Sequence[str]) -> pa.Array:
    """Return strings as UTF-8; a lone surrogate, which UTF-8 cannot hold, becomes U+FFFD."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([_storable(value) for value in values], pa.string())


def moments(values: Int64s | Sequence[int]) -> pa.Array:
    """Return µs since 1970 as times."""
    return pa.array(values, pa.int64()).cast(MOMENT)


def _keys(keys: Sequence[bytes]) -> pa.Array:
    return pa.Array.from_buffers(KEY, len(keys), [None, pa.py_buffer(b"".join(keys))])


def _storable(value: str) -> str:
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _constant(value: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype=np.int8)), texts([value]))


def _lists(found: dict[int, tuple[str, ...]], n: int) -> pa.Array:
    lengths = np.zeros(n + 1, dtype=np.int32)
    lengths[[index + 1 for index in found]] = [len(names) for names in found.values()]
    values = [name for index in sorted(found) for name in found[index]]
    return pa.ListArray.from_arrays(pa.array(lengths.cumsum(dtype=np.int32)), pa.array(values, pa.string()))


def _weighed(assessment: Assessment, n: int) -> list[str]:
    told = [""] * n
    for index, facts in assessment.weighed.items():
        told[index] = msgspec.json.encode(facts).decode()
    return told
