"""The worker's steps: from the log through the pipelines into the store, and from a checkpoint back to where it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from sentinel.core.batch import EventBatch, Provenance, batch_of
from sentinel.core.context import ContextRecord
from sentinel.core.errors import RejectedError, RejectionCode, SentinelError
from sentinel.core.event import EventRow
from streams.checkpoint import Checkpoint, Checkpoints
from streams.dead_letters import DeadLetters
from streams.faults import report
from streams.intake_log import POSITION_MAX, Logged, LogReader
from streams.parts import Done, Parts, Pipeline, Processed, WorkerLimits, Writer
from streams.record import NO_SOURCE, DeadLetter, IntakeUnavailableError, Kind, LogRecord, guarded
from streams.trouble import Trouble
from streams.verdicts import SOURCE as VERDICT
from streams.verdicts import decode as decode_verdict

PARTITION: Final = 0  # the embedded log is one partition
AHEAD: Final = 1_000_000  # positions asked about at once on the way from a checkpoint


@dataclass(slots=True)
class _Rows:
    """Rows of several sources in the order of the log."""

    rows: list[EventRow] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)

    def batch(self, tenant: str) -> EventBatch:
        """Return them as columns."""
        where = Provenance(
            source=self.sources,
            received_at=np.array(self.received, dtype=np.int64),
            partition=PARTITION,
            offset=np.array(self.positions, dtype=np.int64),
            ordinal=np.array(self.ordinals, dtype=np.int64),
        )
        return batch_of(tenant, self.rows, where)


class Steps:
    """Takes the log's records through the pipelines into the store, and the state into checkpoints."""

    def __init__(self, folder: Path, key: bytes, parts: Parts, limits: WorkerLimits, writer: Writer) -> None:
        self._limits, self._writer = limits, writer
        self._build = parts.build_pipeline
        self._sources = {name: guarded(source) for name, source in parts.sources().items()}
        self._decode_context = parts.context_decoder()
        self._log = LogReader(folder)
        self._dead = DeadLetters(folder, limits.dead_letter_bytes_max)
        self._checkpoints = Checkpoints(folder, key)
        self._trouble = Trouble(folder)
        self._pipelines: dict[str, Pipeline] = {}
        self._stored: set[tuple[int, int]] = set()
        self._replayed_to = 0  # what is at or before was perhaps kept before a crash
        self._stored_to = 0  # and up to here `_stored` tells
        self._checkpointed = self._oldest = 0
        self._has_alerts = False
        self.position = 0
        self.done = Done()
        self.is_dirty = False
        self.wrote_alerts = False

    def recover(self) -> None:
        """Restore the newest checkpoint that can be used, or begin with the log's first record."""
        if not self._restored():
            for tenant, logged in groupby(self._log.kept_context(), key=lambda logged: logged.record.tenant):
                self._know(tenant, (one.record for one in logged))
        self._checkpointed = self.position
        self._replayed_to = self._log.last()
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Ask the store which of the next events it has, until all are new."""
        self._stored_to = min(self.position + AHEAD, self._replayed_to)
        asked = (PARTITION, self.position, self._stored_to)
        self._stored = self._writer.stored_beyond(*asked) if self._is_replaying else set()

    def _restored(self) -> bool:
        for kept in self._checkpoints.kept():
            if self._restore(kept.checkpoint):
                return True
            self._checkpoints.discard(kept.path)
        return False

    def _restore(self, checkpoint: Checkpoint) -> bool:
        try:
            pipelines = {tenant: self._build(tenant) for tenant in checkpoint.snapshots}
            for tenant, pipeline in pipelines.items():
                pipeline.restore(checkpoint.snapshots[tenant])
        except (SentinelError, ValueError):
            report("checkpoint-discarded", position=checkpoint.position)
            return False
        self._pipelines, self.position = pipelines, checkpoint.position
        return True

    def step(self) -> bool:
        """Process the next records; False: there are none. Safe to call again when it raised `SentinelError`.

        Raises:
            SentinelError: the store did not answer.
            Exception: a plug-in or the core failed; the next start of the worker finds on which record.
        """
        logged = self._next()
        if not logged:
            return self._is_replaying and self._reached(self._stored_to)
        try:
            self._take([one for one in logged if not self._is_set_aside(one)])
        except SentinelError:
            raise
        except Exception:
            self._trouble.note(logged[0].position, logged[-1].position)
            raise
        return self._reached(logged[-1].position)

    @property
    def _is_replaying(self) -> bool:
        return self.position < self._stored_to

    def _next(self) -> list[Logged]:
        limits = self._limits
        upto = self._stored_to if self._is_replaying else POSITION_MAX
        records_max = self._trouble.records_max(self.position, limits.batch_records)
        return self._log.read(self.position, upto, records_max, limits.batch_bytes)

    def _reached(self, position: int) -> bool:
        self.position = position
        if position == self._stored_to:
            self._look_ahead()
        return True

    def _take(self, logged: list[Logged]) -> None:
        """Process records tenant by tenant, each tenant's in the order of the log."""
        for tenant in dict.fromkeys(one.record.tenant for one in logged):
            own = [one for one in logged if one.record.tenant == tenant]
            for kind, run in groupby(own, key=lambda one: one.record.kind):
                if kind is Kind.CONTEXT:
                    self._know(tenant, [one.record for one in run])
                else:
                    self._process(tenant, list(run))

    def _is_set_aside(self, one: Logged) -> bool:
        is_bad = self._trouble.is_bad(one.position)
        if is_bad:
            self._reject([DeadLetter(one.record, RejectionCode.UNPARSEABLE, detail="processing failed on this record")])
        return is_bad

    def flush(self) -> None:
        """Make durable what was concluded; raise `SentinelError` when the store does not take it, nothing being lost."""
        self._writer.flush()
        self.is_dirty = False
        self.wrote_alerts, self._has_alerts = self.wrote_alerts or self._has_alerts, False

    def checkpoint(self) -> int:
        """Flush, then keep the state; return up to where no checkpoint needs the log any more."""
        if self.is_dirty:
            self.flush()
        if self.position > self._checkpointed:
            snapshots = {tenant: pipeline.snapshot() for tenant, pipeline in self._pipelines.items()}
            self._checkpoints.save(Checkpoint(self.position, snapshots))
            self._oldest, self._checkpointed = self._checkpointed, self.position
            self._trouble.forget(self.position)
        return self._oldest

    def is_due(self, seconds: float) -> bool:
        """Tell whether `flush` is due, `seconds` after the last one."""
        return self.is_dirty and (seconds >= self._limits.flush_seconds or self._writer.pending >= self._limits.flush_rows)

    def close(self) -> None:
        """Close the files."""
        self._log.close()
        self._dead.close()

    def _pipeline(self, tenant: str) -> Pipeline:
        if tenant not in self._pipelines:
            self._pipelines[tenant] = self._build(tenant)
        return self._pipelines[tenant]

    def _know(self, tenant: str, records: Iterable[LogRecord]) -> None:
        self._pipeline(tenant).know(found for record in records for found in self._context(record))

    def _context(self, record: LogRecord) -> list[ContextRecord]:
        try:
            return (decode_verdict if record.source == VERDICT else self._decode_context)(record.raw)
        except RejectedError as error:
            self._reject([DeadLetter(record, error.code, error.pointer, error.detail)])
            return []

    def _process(self, tenant: str, logged: list[Logged]) -> None:
        batch = self._fresh(self._decoded(logged).batch(tenant))
        processed = self._pipeline(tenant).process(batch)
        self.done.events += len(processed.kept)
        self.done.duplicates += len(batch) - len(processed.kept)
        self.done.alerts += len(processed.alerts)
        self._keep(tenant, logged, processed)

    def _decoded(self, logged: list[Logged]) -> _Rows:
        """Decode each source's records together, then put the rows back in the order of the log."""
        by_source: dict[str, list[int]] = {}
        for at, one in enumerate(logged):
            by_source.setdefault(one.record.source, []).append(at)
        found: list[tuple[int, int, EventRow]] = []
        for name, places in by_source.items():
            found.extend(self._rows_of(name, places, logged))
        if len(by_source) > 1:
            found.sort(key=lambda row: row[:2])
        together = _Rows()
        for at, ordinal, row in found:
            together.rows.append(row)
            together.sources.append(logged[at].record.source)
            together.received.append(logged[at].record.received_us)
            together.positions.append(logged[at].position)
            together.ordinals.append(ordinal)
        return together

    def _rows_of(self, name: str, places: list[int], logged: list[Logged]) -> Iterator[tuple[int, int, EventRow]]:
        """Yield the rows of one source's records: which record, which of its rows, the row."""
        decoded = self._sources.get(name, NO_SOURCE).decode([logged[at].record.raw for at in places])
        refused = [(logged[places[bad.index]].record, bad) for bad in decoded.rejections]
        self._reject([DeadLetter(record, bad.code, bad.pointer, bad.detail) for record, bad in refused])
        ordinal, last = 0, -1
        for index, row in zip(decoded.records, decoded.rows, strict=True):
            ordinal, last = (ordinal + 1 if index == last else 0), index
            yield places[index], ordinal, row

    def _fresh(self, batch: EventBatch) -> EventBatch:
        """Leave out events that came so late that only the store can tell whether they are known.

        On the way from a checkpoint the store knows the events themselves: those stay.
        """
        late = np.nonzero(batch.received_at - batch.occurred_at > self._limits.late_seconds * 1_000_000)[0]
        keys = [batch.key[at] for at in late.tolist()]
        known = self._writer.known(keys, batch.occurred_at[late]) if keys else set()
        again = {at for at in late.tolist() if batch.key[at] in known and self._place(batch, at) not in self._stored}
        self.done.duplicates += len(again)
        return batch.take([at for at in range(len(batch)) if at not in again]) if again else batch

    def _keep(self, tenant: str, logged: list[Logged], processed: Processed) -> None:
        kept, assessment = processed.kept, processed.assessment
        if self._stored:
            missing = [at for at in range(len(kept)) if self._place(kept, at) not in self._stored]
            kept, assessment = kept.take(missing), assessment.take(missing)
        if len(kept):
            self._writer.write(kept, assessment)
        positions = set(kept.offset.tolist())
        records = [(one.position, one.record) for one in logged if one.position in positions]
        self._writer.write_raw(tenant, PARTITION, [(at, record.source, record.raw, record.received_us) for at, record in records])
        self._writer.write_alerts(processed.alerts)
        self._has_alerts = self._has_alerts or bool(processed.alerts)
        self.is_dirty = True

    @staticmethod
    def _place(batch: EventBatch, at: int) -> tuple[int, int]:
        return int(batch.offset[at]), int(batch.ordinal[at])

    def _reject(self, letters: list[DeadLetter]) -> None:
        """Keep what could not be read. Losing a letter to a full disk must not stop the others."""
        self.done.rejected += len(letters)
        try:
            if letters:
                self._dead.put(letters)
        except IntakeUnavailableError:
            report("dead-letters-not-kept", letters=len(letters), intentional=False)
