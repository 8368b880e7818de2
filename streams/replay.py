"""Files through the same core, as fast as it can: the offline runtime. Its contract is in docs/replay.md."""

from __future__ import annotations

import gc
import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, TextIO

from sentinel.core.alert import Alert
from sentinel.core.batch import Assessment, EventBatch, Provenance, batch_of
from sentinel.core.event import TIME_MAX_US, TIME_MIN_US, EventRow
from sentinel.core.explain import EXPLANATIONS
from sentinel.core.pipeline import Pipeline
from streams.context.folder import FileRejection, load
from streams.files import cut, opened
from streams.ordering import in_order
from streams.sources.contract import Source

BATCH_ROWS: Final = 2_000
CONTEXT_RECORDS: Final = 10_000
ORDINARY_P: Final = 0.05  # of the findings on an access: what more than one ordinary day in twenty holds is ordinary

Progress = Callable[[int, int], None]  # events, bytes since the last call


class Keeper(Protocol):
    """Where events are kept: the store's writer."""

    @property
    def pending(self) -> int:
        """Rows that wait for `flush`."""
        ...

    def write(self, batch: EventBatch, assessment: Assessment) -> None:
        """Take a batch with what was concluded of it."""
        ...

    def write_alerts(self, alerts: Sequence[Alert]) -> None:
        """Take new or changed alerts."""
        ...

    def flush(self) -> None:
        """Make what was taken durable."""
        ...


@dataclass(frozen=True, slots=True)
class Summary:
    """What `summary.json` holds: counts, the share of patient accesses with an explanation, and what the process cost.

    `alerts`: those told; `suppressed`: those that rules keep back. `silent_detectors`, `reasons_off`: those that can find, or
    explain, nothing, each with what has to be on file for it.
    """

    events: int
    rejected: int
    skipped: int
    alerts: int
    suppressed: int
    explained: float
    ordinary: float
    seconds: float
    cpu_seconds: float
    events_per_cpu_second: int
    peak_rss_bytes: int
    days: float
    first_event: int | None
    last_event: int | None
    silent_detectors: list[str]
    reasons_off: list[str]


@dataclass(slots=True)
class Replay:
    """One run over context and files. `shadow`: assesses the same, and its alerts are kept apart.

    `keep_rows`: how many rows the keeper gathers before it writes.

    `suppressed`: whether the alerts that rules keep back are written too.
    `received_at` (µs): when the events came, 0: nobody knows. Events before `since`, or at or after `until` (µs), are left out.
    """

    pipeline: Pipeline
    source: Source
    rejected_to: TextIO
    keeper: Keeper | None = None
    on_progress: Progress = lambda _events, _bytes: None
    shadow: Pipeline | None = None
    keep_rows: int = 30_000
    received_at: int = 0
    since: int = TIME_MIN_US
    until: int = TIME_MAX_US
    suppressed: bool = False
    events: int = 0
    rejected: int = 0
    skipped: int = 0
    left_out: int = 0
    patient_accesses: int = 0
    explained: int = 0
    ordinary: int = 0
    first_event: int | None = None
    last_event: int | None = None
    alerts: dict[str, Alert] = field(default_factory=dict)
    shadow_alerts: dict[str, Alert] = field(default_factory=dict)

    def know(self, folder: Path) -> None:
        """Load a folder of context; what cannot be read of it is reported and left out."""
        records = load(folder)
        while some := list(islice(records, CONTEXT_RECORDS)):
            told = [record for record in some if not isinstance(record, FileRejection)]
            for pipeline in (self.pipeline, self.shadow):
                if pipeline is not None:
                    pipeline.know(told)
            for record in some:
                if isinstance(record, FileRejection):
                    self._report("context", record)

    def run(self, files: Sequence[str]) -> None:
        """Replay the files, merged by time; `alerts` then holds each alert's last version."""
        rows = in_order([self._rows(file) for file in files])
        where = Provenance(self.source.name, self.received_at)
        while chunk := list(islice(rows, BATCH_ROWS)):
            self._process(batch_of(self.pipeline.tenant, chunk, where))
        if self.keeper is not None:
            self.keeper.flush()

    def _process(self, batch: EventBatch) -> None:
        done = self.pipeline.process(batch)
        self._count(done.kept, done.assessment)
        self.alerts.update((alert.id, alert) for alert in done.alerts)
        if self.shadow is not None:
            self.shadow_alerts.update((alert.id, alert) for alert in self.shadow.process(batch).alerts)
        if self.keeper is not None:
            self.keeper.write(done.kept, done.assessment)
            self.keeper.write_alerts(done.alerts)
            if self.keeper.pending >= self.keep_rows:
                self.keeper.flush()

    def _count(self, kept: EventBatch, assessment: Assessment) -> None:
        self.events += len(kept)
        self.patient_accesses += len(kept) - kept.patient_id.count("")
        self.explained += len(kept) - assessment.explained_by.count("")
        strange = (assessment.p_value < ORDINARY_P).nonzero()[0].tolist()
        unlike = sum(bool(kept.patient_id[i]) and not assessment.explained_by[i] for i in strange)
        self.ordinary += len(kept) - kept.patient_id.count("") - unlike
        if len(kept):
            first, last = int(kept.occurred_at.min()), int(kept.occurred_at.max())
            self.first_event = first if self.first_event is None else min(first, self.first_event)
            self.last_event = last if self.last_event is None else max(last, self.last_event)

    def _rows(self, file: str) -> Iterator[list[EventRow]]:
        """Yield the rows of a file in blocks; what cannot be read is reported with its line."""
        with opened(file) as stream:
            for numbers, records in (self.source.cut or cut)(stream):
                decoded = self.source.decode(records)
                for refused in decoded.rejections:
                    where = FileRejection(Path(file).name, numbers[refused.index], refused.code, refused.pointer, refused.detail)
                    self._report(self.source.name, where)
                self.skipped += decoded.skipped
                self.on_progress(len(decoded.rows), sum(map(len, records)))
                yield self._wanted(decoded.rows)

    def _wanted(self, rows: list[EventRow]) -> list[EventRow]:
        if (self.since, self.until) == (TIME_MIN_US, TIME_MAX_US):
            return rows
        wanted = [row for row in rows if self.since <= row.occurred_at < self.until]
        self.left_out += len(rows) - len(wanted)
        return wanted

    def _report(self, source: str, refused: FileRejection) -> None:
        self.rejected += 1
        line = {"source": source, **asdict(refused)}
        self.rejected_to.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

    def summary(self, started: float) -> Summary:
        """Return the run's summary; `started` is `time.monotonic()` when the command began."""
        cpu = time.process_time()
        return Summary(
            events=self.events,
            rejected=self.rejected,
            skipped=self.skipped,
            alerts=sum(not alert.suppressed for alert in self.alerts.values()),
            suppressed=sum(alert.suppressed for alert in self.alerts.values()),
            explained=round(self.explained / max(1, self.patient_accesses), 4),
            ordinary=round(self.ordinary / max(1, self.patient_accesses), 4),
            seconds=round(time.monotonic() - started, 3),
            cpu_seconds=round(cpu, 3),
            events_per_cpu_second=round(self.events / cpu),
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            days=round(((self.last_event or 0) - (self.first_event or 0)) / 86_400_000_000, 3),
            first_event=self.first_event,
            last_event=self.last_event,
            silent_detectors=self._silent_detectors(),
            reasons_off=self._reasons_off(),
        )

    def _silent_detectors(self) -> list[str]:
        known = self.pipeline.book.known() | {"AuditEvent.entity.securityLabel"}  # of that the events decide, one by one
        missing = {d.name: [need for need in d.card.needs if need not in known] for d in self.pipeline.detectors}
        return [f"{name}: {', '.join(needs)}" for name, needs in missing.items() if needs]

    def _reasons_off(self) -> list[str]:
        there = self.pipeline.book.explanations()
        return [f"{reason.name}: {reason.needs}" for reason in EXPLANATIONS if reason.needs and reason.code not in there]


@contextmanager
def _made_to_stay() -> Iterator[None]:
    """Look for no garbage among what is made here, now or later: there is none, and much to look through."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def write_alerts(alerts: Sequence[Alert], to: Path) -> None:
    """Write the alerts in order of their first event: the same alerts always give the same bytes."""
    with to.open("w", encoding="utf-8") as out:
        for alert in sorted(alerts, key=lambda alert: (alert.first_seen, alert.id)):
            out.write(alert.to_json() + "\n")


def assess(job: Replay, context: Path | None, files: Sequence[str]) -> None:
    """Run a job over a folder of context, then over files."""
    with _made_to_stay():
        if context is not None:
            job.know(context)
    job.run(files)


def replay(job: Replay, context: Path | None, files: Sequence[str], out: Path) -> Summary:
    """Run a job and write `alerts.ndjson` and `summary.json` into `out`; rejections go where the job says."""
    started = time.monotonic()
    assess(job, context, files)
    for alerts, name in ((job.alerts, "alerts.ndjson"), *(((job.shadow_alerts, "shadow.ndjson"),) if job.shadow else ())):
        write_alerts([alert for alert in alerts.values() if job.suppressed or not alert.suppressed], out / name)
    summary = job.summary(started)
    (out / "summary.json").write_text(json.dumps(asdict(summary), indent=1) + "\n", encoding="utf-8")
    return summary
