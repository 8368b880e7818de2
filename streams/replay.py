"""Files through the same core, as fast as it can: the offline runtime."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

from sentinel.core.alert import Alert
from sentinel.core.batch import Assessment, EventBatch, Provenance, batch_of
from sentinel.core.errors import Rejection
from sentinel.core.event import EventRow
from sentinel.core.pipeline import Pipeline
from streams.files import blocks, opened
from streams.sources.contract import Source

BATCH_ROWS: Final = 2_000
REORDER_ROWS: Final = 16_000  # rows held back to put files and late records in order of time


class Keeper(Protocol):
    """Where events are kept: the store's writer."""

    def write(self, batch: EventBatch, assessment: Assessment) -> None:
        """Keep a batch with what was concluded of it."""
        ...


@dataclass(frozen=True, slots=True)
class FileRejection:
    """A record of a file that could not be read."""

    file: str
    line: int
    rejection: Rejection


@dataclass(slots=True)
class Replay:
    """One run over files. `alerts` holds each alert's last version once `run` has returned."""

    source: Source
    pipeline: Pipeline
    on_rejection: Callable[[FileRejection], None]
    on_progress: Callable[[int, int], None] = lambda _events, _bytes: None
    keeper: Keeper | None = None
    events: int = 0
    rejected: int = 0
    patient_accesses: int = 0
    explained: int = 0
    alerts: dict[str, Alert] = field(default_factory=dict)

    def run(self, files: Sequence[str]) -> None:
        """Replay the files, merged by time."""
        rows = in_order([self._rows(file) for file in files])
        while chunk := list(islice(rows, BATCH_ROWS)):
            self._process(chunk)

    def _process(self, rows: list[EventRow]) -> None:
        batch = batch_of(self.pipeline.tenant, rows, Provenance(self.source.name))
        done = self.pipeline.process(batch)
        self.events += len(done.kept)
        self._count(done.kept, done.assessment)
        self.alerts.update((alert.id, alert) for alert in done.alerts)
        if self.keeper is not None:
            self.keeper.write(done.kept, done.assessment)

    def _count(self, kept: EventBatch, assessment: Assessment) -> None:
        self.patient_accesses += len(kept) - kept.patient_id.count("")
        self.explained += len(kept) - assessment.explained_by.count("")

    def _rows(self, file: str) -> Iterator[list[EventRow]]:
        """Yield the rows of a file in blocks; what cannot be read is reported with its line."""
        with opened(file) as stream:
            for first, lines in blocks(stream):
                numbered = [(number, line) for number, line in enumerate(lines, first) if line.strip()]
                decoded = self.source.decode([line for _, line in numbered])
                for rejection in decoded.rejections:
                    self.rejected += 1
                    self.on_rejection(FileRejection(file, numbered[rejection.index][0], rejection))
                self.on_progress(len(decoded.rows), sum(map(len, lines)) + len(lines))
                yield decoded.rows


def _time_then_id(row: EventRow) -> tuple[int, str, str]:
    return row.occurred_at, row.id, row.sub


def in_order(files: Sequence[Iterator[list[EventRow]]], held_back: int = REORDER_ROWS) -> Iterator[EventRow]:
    """Merge files by event time, then id, whatever their order within `held_back` rows.

    Reads on in the file that lags behind, and holds `held_back` to twice as many rows. A row that comes later than
    that is given as it comes: late, as it would be on a live stream.
    """
    frontier = dict.fromkeys(range(len(files)), -(2**63))
    waiting: list[EventRow] = []
    while frontier:
        lagging = min(frontier, key=lambda i: (frontier[i], i))
        rows = next(files[lagging], None)
        if rows is None:
            del frontier[lagging]
            continue
        if rows:
            frontier[lagging] = max(frontier[lagging], rows[-1].occurred_at)
            waiting += rows
        if len(waiting) >= 2 * held_back:
            waiting.sort(key=_time_then_id)
            yield from waiting[:-held_back]
            del waiting[:-held_back]
    waiting.sort(key=_time_then_id)
    yield from waiting


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost this process: wall and CPU seconds, peak memory in bytes."""

    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int


def cost(started: float) -> Cost:
    """Return what this process has cost since it began; `started` is `time.monotonic()` at the run's start."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Cost(round(time.monotonic() - started, 3), round(time.process_time(), 3), peak)
