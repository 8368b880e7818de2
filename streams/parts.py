"""What the worker of the embedded service is made of and told to do. Light: the service imports it before all else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streams.record import ContextDecoder
from streams.sources.contract import Source

if TYPE_CHECKING:
    from sentinel.core.alert import Alert
    from sentinel.core.batch import Assessment, EventBatch, Int64s
    from sentinel.core.context import ContextRecord


class Processed(Protocol):
    """What became of a micro-batch: the events kept (duplicates dropped), what was concluded, alerts new or changed."""

    @property
    def kept(self) -> EventBatch: ...  # noqa: D102
    @property
    def assessment(self) -> Assessment: ...  # noqa: D102
    @property
    def alerts(self) -> list[Alert]: ...  # noqa: D102


class Pipeline(Protocol):
    """The core of one tenant: deterministic, however batches are cut.

    It drops duplicates of at least the events received in `WorkerLimits.late_seconds`; the store tells later ones.
    """

    def know(self, records: Iterable[ContextRecord], /) -> None:
        """Take context in: it holds for the events that follow."""
        ...

    def process(self, batch: EventBatch, /) -> Processed:
        """Assess a micro-batch."""
        ...

    def snapshot(self) -> bytes:
        """Return the state, versioned."""
        ...

    def restore(self, snapshot: bytes, /) -> None:
        """Become the pipeline that `snapshot` describes; raise `ValueError` or `SentinelError` when it cannot be used."""
        ...


class Writer(Protocol):
    """What is kept; `sentinel.store.writer`."""

    @property
    def pending(self) -> int: ...  # noqa: D102
    def write(self, batch: EventBatch, assessment: Assessment, /) -> None: ...  # noqa: D102
    def write_raw(self, tenant: str, partition: int, records: Sequence[tuple[int, str, bytes, int]], /) -> None: ...  # noqa: D102
    def write_alerts(self, alerts: Sequence[Alert], /) -> None: ...  # noqa: D102
    def flush(self) -> None: ...  # noqa: D102
    def stored_beyond(self, partition: int, offset: int, until: int, /) -> set[tuple[int, int]]: ...  # noqa: D102
    def known(self, keys: Sequence[bytes], occurred_at: Int64s, /) -> set[bytes]: ...  # noqa: D102


class Store(Protocol):
    """The store as its owner has it: one writer, and a `Questions` for each thread that answers."""

    @property
    def writer(self) -> Writer: ...  # noqa: D102
    def questions(self) -> object: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Ticks(Protocol):
    """The worker's only clock: how long ago something was."""

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        ...


@dataclass(slots=True)
class Done:
    """How much was done since the worker's start."""

    events: int = 0
    duplicates: int = 0
    alerts: int = 0
    rejected: int = 0


class Steps(Protocol):
    """What a worker does with the log, step by step."""

    position: int
    done: Done
    wrote_alerts: bool

    @property
    def is_dirty(self) -> bool:
        """Whether `flush` would make anything durable."""
        ...

    def recover(self) -> None:
        """Go on where the work was left."""
        ...

    def step(self) -> bool:
        """Process the next records; False: there are none. Safe to call again when it raised `SentinelError`."""
        ...

    def is_due(self, seconds: float) -> bool:
        """Tell whether `flush` is due, `seconds` after the last one."""
        ...

    def flush(self) -> None:
        """Make durable what was done."""
        ...

    def checkpoint(self) -> int:
        """Keep what it takes to go on from here; return up to where the log is not needed any more."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class Work(Protocol):
    """What a worker is made of: functions known by their module and name, called in the worker's own process."""

    @property
    def open_store(self) -> Callable[[], Store]: ...  # noqa: D102
    @property
    def prepare(self) -> Callable[[], None]: ...  # noqa: D102

    def steps(self, order: Order, store: Store) -> Steps:
        """Return what is done with the log."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What the worker that assesses is made of; `Work`."""

    build_pipeline: Callable[[str], Pipeline]
    sources: Callable[[], Mapping[str, Source]]
    context_decoder: Callable[[], ContextDecoder]
    open_store: Callable[[], Store]
    prepare: Callable[[], None]

    def steps(self, order: Order, store: Store) -> Steps:
        """Return the assessing of what is in the log."""
        from streams.steps import Steps  # noqa: PLC0415 - in the worker's process alone

        return Steps(order.folder, order.key, self, order.limits, store.writer)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How much the worker takes at once, and how often it keeps."""

    batch_records: int = 1_000
    batch_bytes: int = 32 * 2**20
    flush_rows: int = 100_000
    flush_seconds: float = 1.0
    checkpoint_seconds: float = 30.0
    checkpoint_events: int = 1_000_000
    late_seconds: int = 3_600
    answering_threads: int = 3
    answers_waiting_max: int = 200
    poll_seconds: float = 0.25
    retry_seconds: float = 1.0
    dead_letter_bytes_max: int = 2**30


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is started with. `key`: of the checkpoints' MAC; `service`: the process it lives and dies with."""

    folder: Path
    key: bytes = field(repr=False)
    parts: Work
    limits: WorkerLimits
    ticks: Ticks
    service: int
