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


@dataclass(frozen=True, slots=True)
class Parts:
    """What the worker is made of: functions known by their module and name, called in the worker's own process."""

    build_pipeline: Callable[[str], Pipeline]
    sources: Callable[[], Mapping[str, Source]]
    context_decoder: Callable[[], ContextDecoder]
    open_store: Callable[[], Store]
    prepare: Callable[[], None]


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
    parts: Parts
    limits: WorkerLimits
    ticks: Ticks
    service: int
