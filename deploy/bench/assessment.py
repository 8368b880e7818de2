"""What the assessment alone costs: from normalised micro-batches to findings and alerts, and the bytes it remembers.

Speed is told without decoding, columns for the store and the store. Size is told by growth: of what is really allocated
with twice the people, and with twice the patients, on the same events; fixed and bounded room drops out.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from sentinel import assembly
from sentinel.core.batch import EventBatch, Provenance, batch_of
from sentinel.core.context import (
    ActorAlias,
    CareLink,
    ContextRecord,
    Identity,
    PatientAlias,
    PatientRecord,
    Position,
    StaffMember,
    Stay,
)
from sentinel.core.event import EventRow
from sentinel.core.pipeline import Pipeline
from sentinel.lean import look_for_garbage_rarely
from sentinel.settings import Settings
from streams.context.folder import FileRejection, load
from streams.files import blocks, opened
from streams.ordering import in_order
from streams.replay import BATCH_ROWS

TIMES: Final = 3
STATE_ROWS: Final = 50_000  # some days: what is kept of a person's last ones is there
COPY: Final = "~2"
OF_ACTORS, OF_PATIENTS = (StaffMember, Position, ActorAlias), (PatientRecord, Stay, CareLink, PatientAlias)

Rows = Iterable[EventRow]


@dataclass(frozen=True, slots=True)
class Assessed:
    """Events a CPU-second, and bytes of state a further one of each."""

    events: int
    events_per_cpu_second: int
    actor_bytes: int
    patient_bytes: int
    patient_on_file_bytes: int
    pair_bytes: int


class State(NamedTuple):
    """What a pipeline remembers, in bytes without its pairs of person and patient, and how many it has of each."""

    bytes: int
    actors: int
    patients: int
    pair_bytes: float


def rows_of(file: Path, rows_max: int) -> Iterator[EventRow]:
    """Yield the first rows of a file of Sentinel's own format, in order of time."""
    with opened(str(file)) as stream:
        source = assembly.source("sentinel_json")
        decoded = (source.decode([line for line in lines if line.strip()]).rows for _, lines in blocks(stream))
        yield from islice(in_order([decoded]), rows_max)


def records_of(context: Path) -> Iterator[ContextRecord]:
    """Yield what a folder of context tells."""
    return (record for record in load(context) if not isinstance(record, FileRejection))


def batches(rows: Rows) -> Iterator[EventBatch]:
    """Yield micro-batches, of the size of a replay's."""
    left = iter(rows)
    while chunk := list(islice(left, BATCH_ROWS)):
        yield batch_of("default", chunk, Provenance("sentinel_json"))


def speed(file: Path, context: Path, rows_max: int) -> tuple[int, int]:
    """Return how many events were assessed, and how many in a CPU-second: the middle of three runs."""
    assembly.prepare()
    look_for_garbage_rarely()
    made = list(batches(rows_of(file, rows_max)))
    events = sum(map(len, made))
    return events, round(events / median(_seconds(made, context) for _ in range(TIMES)))


def _seconds(made: list[EventBatch], context: Path) -> float:
    pipeline = _pipeline(records_of(context))
    started = time.process_time()
    for batch in made:
        pipeline.process(batch)
    return time.process_time() - started


def _pipeline(records: Iterable[ContextRecord]) -> Pipeline:
    pipeline = assembly.pipeline(Settings.read(budget=4))
    pipeline.know(records)
    return pipeline


def remembered(records: Callable[[], Iterable[ContextRecord]], rows: Callable[[], Rows]) -> State:
    """Return what a pipeline that was told all this allocated and still holds."""
    gc.collect()
    tracemalloc.start()
    pipeline = _pipeline(records())
    for batch in batches(rows()):
        pipeline.process(batch)
    del batch
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    shard, model = pipeline.shard, pipeline.common.model
    assert model is not None
    learnt = sum(value.nbytes for value in model.snapshot().values() if isinstance(value, np.ndarray))
    pairs = sum(column.nbytes for column in shard.pairs)
    apart = pairs + shard.duplicates.current.nbytes + shard.duplicates.before.nbytes
    book = pipeline.book
    met = int(np.count_nonzero(shard.pairs.key))
    return State(held - apart + learnt, len(book.actor_codes), len(book.patient_codes), pairs / max(met, 1))


def twice(records: Iterable[ContextRecord], kinds: tuple[type, ...]) -> Iterator[ContextRecord]:
    """Yield records, those of the kinds again under other names."""
    return chain.from_iterable((record, _again(record)) if isinstance(record, kinds) else (record,) for record in records)


def _again(record: Any) -> Any:
    changed: dict[str, Any] = {}
    for name in (field.name for field in fields(record)):
        value = getattr(record, name)
        if name in {"id", "actor_id", "patient_id", "alias", "rpps"} and value:
            changed[name] = value + COPY
        elif name == "aliases":
            changed[name] = tuple(alias + COPY for alias in value)
        elif isinstance(value, Identity):
            changed[name] = replace(value, given=value.given + COPY)
    return replace(record, **changed)


def by_twice_the_actors(rows: Rows) -> Iterator[EventRow]:
    """Yield each event twice, by two people."""
    for row in rows:
        yield row
        yield row._replace(id=row.id + COPY, actor_id=row.actor_id + COPY)


def on_twice_the_patients(rows: Rows) -> Iterator[EventRow]:
    """Yield the events, every other one on another patient."""
    for at, row in enumerate(rows):
        yield row._replace(patient_id=row.patient_id + COPY) if at % 2 and row.patient_id else row


def growth(few: State, many: State, of: Literal["actors", "patients"]) -> int:
    """Return the bytes of each further one."""
    further: int = getattr(many, of) - getattr(few, of)
    return round((many.bytes - few.bytes) / further)


def sizes(file: Path, context: Path, rows_max: int) -> dict[str, int]:
    """Return bytes a further actor (with positions on file), patient met, patient on file, and pair of the two."""
    rows, on_file, nothing = partial(rows_of, file, rows_max), partial(records_of, context), tuple
    some = remembered(on_file, rows)
    more_actors = remembered(lambda: twice(on_file(), OF_ACTORS), lambda: by_twice_the_actors(rows()))
    filed = remembered(on_file, lambda: islice(rows(), 1))
    filed_twice = remembered(lambda: twice(on_file(), OF_PATIENTS), lambda: islice(rows(), 1))
    met, more_met = remembered(nothing, rows), remembered(nothing, lambda: on_twice_the_patients(rows()))
    return {
        "actor_bytes": growth(some, more_actors, "actors"),
        "patient_bytes": growth(met, more_met, "patients"),
        "patient_on_file_bytes": growth(filed, filed_twice, "patients"),
        "pair_bytes": round(more_actors.pair_bytes),
    }


def measure(file: Path, context: Path, rows_max: int) -> Assessed:
    """Return speed and size of the assessment of a file's first rows."""
    events, per_cpu_second = speed(file, context, rows_max)
    return Assessed(events, per_cpu_second, **sizes(file, context, min(rows_max, STATE_ROWS)))


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))))
