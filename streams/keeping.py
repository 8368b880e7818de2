"""Keeps what was concluded, once, whatever comes again: the store says what it has of the events on the way from a checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentinel.core.alert import Alert
    from sentinel.core.batch import Assessment, EventBatch, Int64s
    from sentinel.core.work import Processed

Place = tuple[str, int]
"""A source, and the partition of its topic."""

WINDOW: Final = 50_000  # offsets of one place asked about at once
ORDINALS: Final = 1 << 20  # more than one record has events


class Writer(Protocol):
    """What is kept; `sentinel.store.writer`."""

    @property
    def pending(self) -> int: ...  # noqa: D102
    def claim(self, partitions: Collection[int], /) -> None: ...  # noqa: D102
    def write(self, batch: EventBatch, assessment: Assessment, /) -> None: ...  # noqa: D102
    def write_alerts(self, alerts: Sequence[Alert], /) -> None: ...  # noqa: D102
    def seal(self) -> None: ...  # noqa: D102
    def store(self) -> None: ...  # noqa: D102
    def leave(self) -> None: ...  # noqa: D102
    def stored_beyond(self, partition: int, offset: int, until: int, source: str, /) -> set[tuple[int, int]]: ...  # noqa: D102
    def last_stored(self, offset: int, /) -> dict[Place, int]: ...  # noqa: D102
    def known(self, keys: list[bytes], occurred_at: Int64s, /) -> set[bytes]: ...  # noqa: D102


class Store(Protocol):
    """The store, opened for one who writes."""

    @property
    def writer(self) -> Writer: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@dataclass(slots=True)
class _Window:
    """What the store has of one place from `first` to `last`: offset and ordinal as one number, sorted."""

    first: int
    last: int
    places: Int64s


@dataclass(slots=True)
class Stored:
    """Tells which events the store had when `last` was asked: of each place the highest offset it had."""

    writer: Writer
    last: Mapping[Place, int]
    _windows: dict[Place, _Window] = field(default_factory=dict, init=False)

    def among(self, batch: EventBatch) -> NDArray[np.bool_]:
        """Return which events of the batch were stored, each at its very place.

        Raises:
            SentinelError: the store does not answer.
        """
        stored = np.zeros(len(batch), dtype=np.bool_)
        for place, rows in _by_place(batch) if self.last else ():
            for row in rows[batch.offset[rows] <= self.last.get(place, -1)].tolist():
                stored[row] = self._has(place, int(batch.offset[row]), int(batch.ordinal[row]))
        return stored

    def _has(self, place: Place, offset: int, ordinal: int) -> bool:
        window = self._windows.get(place)
        if window is None or not window.first <= offset <= window.last:
            window = self._windows[place] = self._ask(place, offset)
        code = offset * ORDINALS + ordinal
        at = int(np.searchsorted(window.places, code))
        return at < len(window.places) and int(window.places[at]) == code

    def _ask(self, place: Place, first: int) -> _Window:
        source, partition = place
        last = first + WINDOW - 1
        found = self.writer.stored_beyond(partition, first - 1, last, source)
        places = np.fromiter((offset * ORDINALS + ordinal for offset, ordinal in found), np.int64, len(found))
        return _Window(first, last, np.sort(places))


def _by_place(batch: EventBatch) -> Iterator[tuple[Place, Int64s]]:
    rows: dict[Place, list[int]] = {}
    for row, place in enumerate(zip(batch.source, batch.partition.tolist(), strict=True)):
        rows.setdefault(place, []).append(row)
    yield from ((place, np.array(found, dtype=np.int64)) for place, found in rows.items())


@dataclass(slots=True)
class Done:
    """How much was done since the worker's start, what came again counted again; `hour`: the open one, since 1970 UTC."""

    events: int = 0
    duplicates: int = 0
    alerts: int = 0
    hour: int = 0


class Keeper:
    """Hands the writer what is new. `late_us`: how long (µs) the core remembers events, so as to know duplicates itself."""

    def __init__(self, writer: Writer, late_us: int, done: Done) -> None:
        self._writer, self._late_us, self.done = writer, late_us, done
        self._alerts: dict[str, Alert] = {}  # since they were last sealed
        self._sealed: dict[str, Alert] = {}

    @property
    def pending(self) -> int:
        """Events that are not stored yet."""
        return self._writer.pending

    def take_over(self, partitions: Collection[int], offset: int) -> Stored:
        """Claim partitions of people; return what tells which events the store has, of those at or behind `offset` in any place.

        Whoever had them before stores nothing more of them: what is not there now is ours to store.

        Raises:
            SentinelError: the store does not answer.
        """
        self._writer.claim(partitions)
        return Stored(self._writer, self._writer.last_stored(offset))

    def fresh(self, batch: EventBatch, stored: Stored | None) -> tuple[EventBatch, set[bytes]]:
        """Return the events that are no late duplicates, and the keys of those that are stored already.

        Of what comes later than the core remembers, only the store can tell. On the way from a checkpoint it knows the
        events themselves: those stay.

        Raises:
            SentinelError: the store does not answer.
        """
        themselves = stored.among(batch) if stored else np.zeros(len(batch), dtype=np.bool_)
        late = np.nonzero((batch.received_at - batch.occurred_at > self._late_us) & ~themselves)[0].tolist()
        known = self._writer.known([batch.key[at] for at in late], batch.occurred_at[late]) if late else set()
        again = [at for at in late if batch.key[at] in known]
        self.done.duplicates += len(again)
        keys = {batch.key[at] for at in np.nonzero(themselves)[0].tolist()}
        return (batch.take(np.setdiff1d(np.arange(len(batch)), again)) if again else batch), keys

    def keep(self, processed: Processed, stored: Collection[bytes]) -> None:
        """Take what became of a batch, but for the events whose keys are `stored`."""
        kept, assessment = processed.kept, processed.assessment
        self.done.events += len(kept)
        if stored:
            missing = [at for at, key in enumerate(kept.key) if key not in stored]
            kept, assessment = kept.take(missing), assessment.take(missing)
        self._writer.write(kept, assessment)
        self.keep_alerts(processed.alerts)

    def keep_alerts(self, alerts: Sequence[Alert]) -> None:
        """Take alerts, new or changed."""
        for alert in alerts:
            self._alerts[alert.id] = alert
        self._writer.write_alerts(alerts)

    def seal(self) -> None:
        """Hand to `store` what was taken up to now. Not while that runs."""
        self._writer.seal()
        self._sealed |= self._alerts
        self._alerts = {}

    def store(self) -> list[Alert]:
        """Make durable what was sealed, and return the alerts among it; more may be taken meanwhile.

        Raises:
            SentinelError: the store does not take it; nothing is lost, and the next call goes on.
        """
        self._writer.store()
        alerts, self._sealed = list(self._sealed.values()), {}
        self.done.alerts += len(alerts)
        return alerts
