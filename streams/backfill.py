"""History into the store of a live service: assessed apart from it, kept once, out of the way, its alerts told as late."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from sentinel.core.alert import Alert
from sentinel.core.batch import Assessment, EventBatch, Int64s
from sentinel.core.errors import SentinelError
from streams.replay import Replay, Summary, assess

LANE: Final = "backfill"
"""This writer's name among those that write to one store: one backfill at a time."""

NICE: Final = 19
ROWS_MAX: Final = 30_000  # of one insert
ROWS_MIN: Final = 1_000  # smaller ones cost the store more than they spare it
INSERT_SECONDS: Final = 5.0  # worth of events in one insert
PATIENCE_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0, *repeat(60.0, 60))  # between tries: an hour in all

Tell = Callable[[Sequence[Alert]], None]


class Writer(Protocol):
    """What is kept; `sentinel.store.writer`."""

    def write(self, batch: EventBatch, assessment: Assessment, /) -> None: ...  # noqa: D102
    def write_alerts(self, alerts: Sequence[Alert], /) -> None: ...  # noqa: D102
    def flush(self) -> None: ...  # noqa: D102
    def known(self, keys: Sequence[bytes], occurred_at: Int64s, /) -> set[bytes]: ...  # noqa: D102
    def forget_known(self) -> None: ...  # noqa: D102
    def events_of_alerts(self, ids: Sequence[str], /) -> dict[str, set[str]]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Manners:
    """How far a backfill stays behind what is live.

    `events_per_second`: stored at most, 0: no limit; what was stored already is not held back. `patience_seconds`: the
    pauses between tries while the store or Kafka refuses something, after which it is given up; `on_pause` is told each.
    """

    events_per_second: float = 0.0
    patience_seconds: Sequence[float] = PATIENCE_SECONDS
    on_pause: Callable[[SentinelError, float], None] = lambda _refusal, _seconds: None

    @property
    def rows(self) -> int:
        """Events to gather for one insert."""
        worth = self.events_per_second * INSERT_SECONDS
        return max(ROWS_MIN, min(ROWS_MAX, int(worth))) if worth else ROWS_MAX


@dataclass(frozen=True, slots=True)
class BackfillSummary(Summary):
    """A replay's summary; `alerts` are those told as late.

    `stored`: events that the store had not; `known`: those it had; `left_out`: those outside the period asked for;
    `told_live`: stories that stand in the queue with all their events already.
    """

    stored: int
    known: int
    left_out: int
    told_live: int
    paused_seconds: float


@dataclass(slots=True)
class LateKeeper:
    """`streams.replay.Keeper` on a store that others write to: each event once, alerts beside those that were told live.

    `tell` is given the late alerts once they are stored.
    """

    writer: Writer
    tell: Tell
    manners: Manners = field(default_factory=Manners)
    stored: int = 0
    known: int = 0
    paused_seconds: float = 0.0
    late: set[str] = field(default_factory=set)
    told_live: set[str] = field(default_factory=set)
    _taken: list[tuple[EventBatch, Assessment]] = field(default_factory=list)
    _alerts: dict[str, Alert] = field(default_factory=dict)
    _untold: list[Alert] = field(default_factory=list)
    _began: float = 0.0  # to gather what is pending

    @property
    def pending(self) -> int:
        """Events that wait for `flush`."""
        return sum(len(batch) for batch, _ in self._taken)

    def write(self, batch: EventBatch, assessment: Assessment) -> None:
        """Take a batch with what was concluded of it."""
        if not self._taken:
            self._began = time.monotonic()
        self._taken.append((batch, assessment))

    def write_alerts(self, alerts: Sequence[Alert]) -> None:
        """Take new or changed alerts."""
        self._alerts.update((alert.id, alert) for alert in alerts)

    def flush(self) -> None:
        """Make durable what was taken, tell its alerts, and rest as long as the rate wants it.

        Raises:
            SentinelError: the store or Kafka refused for too long; started again, a backfill stores what is missing.
        """
        before = self.stored
        for step in (self._hand_over_events, self._hand_over_alerts, self.writer.flush, self._tell):
            self._insist(step)
        if self.manners.events_per_second:
            due = self._began + (self.stored - before) / self.manners.events_per_second
            time.sleep(max(0.0, due - time.monotonic()))

    def _insist(self, step: Callable[[], None]) -> None:
        """Do a step, which changes nothing when it is refused, until it is done."""
        for seconds in self.manners.patience_seconds:
            try:
                step()
            except SentinelError as refusal:
                self.manners.on_pause(refusal, seconds)
            else:
                return
            time.sleep(seconds)
            self.paused_seconds += seconds
        step()

    def _hand_over_events(self) -> None:
        if not self.pending:
            return
        keys = [key for batch, _ in self._taken for key in batch.key]
        known = self._known(keys, np.concatenate([batch.occurred_at for batch, _ in self._taken]))
        for batch, assessment in self._taken:
            missing = [at for at, key in enumerate(batch.key) if key not in known]
            self.writer.write(batch.take(missing), assessment.take(missing))
        self.known += len(known)
        self.stored += len(keys) - len(known)
        self._taken.clear()

    def _known(self, keys: Sequence[bytes], occurred_at: Int64s) -> set[bytes]:
        """Return which events are stored. What the writer remembers as stored is; what not may have been stored since."""
        known = self.writer.known(keys, occurred_at)
        if len(known) == len(keys):
            return known
        self.writer.forget_known()
        return self.writer.known(keys, occurred_at)

    def _hand_over_alerts(self) -> None:
        """Leave out the stories that the live service told with all their events: there is nothing to add."""
        live = self.writer.events_of_alerts(list(self._alerts)) if self._alerts else {}
        again = {id_ for id_, alert in self._alerts.items() if live.get(id_, set()) >= set(alert.event_keys)}
        self._untold += [alert.as_late() for id_, alert in self._alerts.items() if id_ not in again]
        self.writer.write_alerts(self._untold)
        self.told_live |= again
        self._alerts.clear()

    def _tell(self) -> None:
        if self._untold:
            self.tell([alert for alert in self._untold if not alert.suppressed])
        self.late.update(alert.id for alert in self._untold if not alert.suppressed)
        self._untold.clear()


def backfill(job: Replay, keeper: LateKeeper, context: Path | None, files: Sequence[str]) -> BackfillSummary:
    """Run a job whose keeper is `keeper`."""
    started = time.monotonic()
    assess(job, context, files)
    told = asdict(job.summary(started)) | {"alerts": len(keeper.late)}
    return BackfillSummary(
        **told,
        stored=keeper.stored,
        known=keeper.known,
        left_out=job.left_out,
        told_live=len(keeper.told_live),
        paused_seconds=round(keeper.paused_seconds, 3),
    )
