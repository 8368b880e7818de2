"""Where the time goes: each stage of a replay on the same rows, timed one after the other in one process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from deploy.bench.report import READ_FHIR, READ_OWN
from sentinel import assembly
from sentinel.core.batch import Assessment, EventBatch, Provenance, batch_of
from sentinel.core.event import EventRow
from sentinel.lean import look_for_garbage_rarely
from sentinel.settings import Settings
from streams.files import blocks, opened
from streams.ordering import in_order
from streams.replay import BATCH_ROWS, Replay
from streams.sources.contract import Source

T = TypeVar("T")

WINDOW_ROWS: Final = 32_000  # what a replay holds back to put in order
ORDER, BATCH = "order", "batch"
FACTS, DETECT, MODEL = "facts", "detectors and stories", "model"
COLUMNS, INSERT = "columns for the store", "insert"
_DETECTED, _WHOLE = "with detectors", "with the model"


class Stopwatch:
    """Sums CPU-seconds of the whole process by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, stage: str, work: Callable[[], T]) -> T:
        """Do the work and count its time to `stage`."""
        started = time.process_time()
        result = work()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - started
        return result


class Pipelines:
    """Three with the same context: facts alone, with detectors, and with the model. Their differences are stages."""

    def __init__(self, settings: Settings, context: Path | None) -> None:
        variants: dict[str, dict[str, object]] = {
            FACTS: {"detectors": (), "model": False},
            _DETECTED: {"model": False},
            _WHOLE: {},
        }
        self._by_name = {name: assembly.pipeline(settings.model_copy(update=changed)) for name, changed in variants.items()}
        for pipeline in self._by_name.values():
            if context is not None:
                Replay(pipeline, assembly.source("sentinel_json"), sys.stderr).know(context)

    def process(self, batch: EventBatch, watch: Stopwatch) -> tuple[EventBatch, Assessment]:
        """Assess a batch with each of them, and return what the whole one concluded."""
        done = [watch.time(name, partial(pipeline.process, batch)) for name, pipeline in self._by_name.items()]
        return done[-1].kept, done[-1].assessment


def windows(file: Path, source: Source, rows_max: int, watch: Stopwatch, stage: str) -> Iterator[list[list[EventRow]]]:
    """Yield a file's rows as the blocks they are read in, a window of blocks at a time, `rows_max` rows in all."""
    window: list[list[EventRow]] = []
    total = 0
    with opened(str(file)) as stream:
        found = blocks(stream)
        while total < rows_max and (rows := watch.time(stage, partial(_next_rows, found, source))) is not None:
            total += len(rows)
            window.append(rows)
            if sum(map(len, window)) >= WINDOW_ROWS:
                yield window
                window = []
    if window:
        yield window


def _next_rows(found: Iterator[tuple[int, list[bytes]]], source: Source) -> list[EventRow] | None:
    block = next(found, None)
    return None if block is None else source.decode([line for line in block[1] if line.strip()]).rows


def _ordered(window: list[list[EventRow]]) -> list[EventRow]:
    return list(in_order([iter(window)]))


def _assessed(rows: list[EventRow], pipelines: Pipelines, watch: Stopwatch) -> Iterator[tuple[EventBatch, Assessment]]:
    for start in range(0, len(rows), BATCH_ROWS):
        chunk = rows[start : start + BATCH_ROWS]
        batch = watch.time(BATCH, partial(batch_of, "default", chunk, Provenance("sentinel_json")))
        yield pipelines.process(batch, watch)


def _store(settings: Settings, done: list[tuple[EventBatch, Assessment]], watch: Stopwatch) -> None:
    keep_rows = Replay(assembly.pipeline(settings), assembly.source("sentinel_json"), sys.stderr).keep_rows
    with assembly.store_writer(settings) as writer:
        writer.merge_late()
        for kept, assessment in done:
            watch.time(COLUMNS, partial(writer.write, kept, assessment))
            if writer.pending >= keep_rows:
                watch.time(INSERT, writer.flush)
        watch.time(INSERT, writer.flush)


def measure(own: Path, fhir: Path, context: Path, store: Path, rows_max: int) -> dict[str, float]:
    """Return µs of CPU an event by stage; the first call of compiled code is not among them."""
    settings = Settings.read(budget=4, store=f"chdb://{store}")
    look_for_garbage_rarely()  # as a replay does
    source = assembly.source("sentinel_json")
    watch = Stopwatch()
    first = next(windows(own, source, BATCH_ROWS, Stopwatch(), READ_OWN))
    list(_assessed(_ordered(first)[:BATCH_ROWS], Pipelines(settings, None), Stopwatch()))
    pipelines = Pipelines(settings, context)
    done: list[tuple[EventBatch, Assessment]] = []
    for window in windows(own, source, rows_max, watch, READ_OWN):
        done += _assessed(watch.time(ORDER, partial(_ordered, window)), pipelines, watch)
    _store(settings, done, watch)
    for _ in windows(fhir, assembly.source("fhir_auditevent"), rows_max, watch, READ_FHIR):
        pass
    return _by_stage(watch.seconds, sum(len(kept) for kept, _ in done))


def _by_stage(seconds: dict[str, float], events: int) -> dict[str, float]:
    own = {**seconds, DETECT: seconds[_DETECTED] - seconds[FACTS], MODEL: seconds[_WHOLE] - seconds[_DETECTED]}
    order = (READ_FHIR, READ_OWN, ORDER, BATCH, FACTS, DETECT, MODEL, COLUMNS, INSERT)
    return {stage: round(1e6 * own[stage] / events, 2) for stage in order}


if __name__ == "__main__":
    own, fhir, context, store = map(Path, sys.argv[1:5])
    print(json.dumps(measure(own, fhir, context, store, int(sys.argv[5]))))
