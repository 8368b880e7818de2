"""What the web asks of the rest: somewhere durable for records, somebody who knows the answers, how things go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import SecretStr

from sentinel.core.errors import SentinelError
from streams import judging
from streams.context.staff import Kept, Person
from streams.record import ContextDecoder, Mark
from streams.sources.contract import Source

Answer = dict[str, Any]


class Clock(Protocol):
    """The only place the web learns the time from."""

    def now_us(self) -> int:
        """Return µs since 1970 UTC."""
        ...


class Intake(judging.Intake, Protocol):
    """Makes records durable, and knows what was answered to requests."""

    def answer(self, name: str) -> Mark | None:
        """Return what was kept of the answer to a request; None: it is new, or long ago."""
        ...


class UnavailableError(SentinelError):
    """Nobody can answer now: the worker is starting, was lost, or took too long."""

    def __init__(self, why: str, retry_after_seconds: int = 2) -> None:
        super().__init__(why)
        self.retry_after_seconds = retry_after_seconds


class Questions(Protocol):
    """The store's named questions (`sentinel.store.questions`), asked without blocking.

    Answers are the store's rows as JSON has them: an object for a dataclass, text for a time.
    `since` and `until` are µs since 1970 UTC; `before` is the `next` of the page before.
    All raise `UnavailableError` when nobody can answer, and `ValueError` for a cursor or time zone
    that is none.
    """

    async def accesses_to_patient(
        self, tenant: str, patient_ids: Sequence[str], *, since: int | None, until: int | None, limit: int, before: str | None
    ) -> Answer:
        """Return `{accesses: [Access], next}`, the latest first."""
        ...

    async def accesses_by_actor(
        self, tenant: str, actor_ids: Sequence[str], *, since: int | None, until: int | None, limit: int, before: str | None
    ) -> Answer:
        """Return `{accesses: [Access], next}`, the latest first."""
        ...

    async def search(
        self,
        tenant: str,
        wanted: Sequence[tuple[str, Sequence[Any]]],
        *,
        since: int | None,
        until: int | None,
        latest_first: bool,
        limit: int,
        after: str | None,
    ) -> Answer:
        """Return `{accesses: [Access], next}` of what passes all tests of `wanted`, each a name and its values.

        The tests are `key`, `action`, `outcome`, `patient_id`, `actor_id`, `actor_type`, `actor_rpps`, `actor_id_or_rpps`,
        `resource_type`, `resource_id`, `patient`, `resource_or_patient_id`, `application`, `address`, `address_begins`,
        `address_holds` (in lower case): any of some texts; `actor_type_and_id`, `type_and_id` (of the resource or the patient,
        an empty type: of any): any of some pairs; `occurred_within`, `received_within`: any of some periods (from, until);
        `empty`, `told`: whether a column, `patient_id`, `client_address` or `application`, is.
        """
        ...

    async def summary_of_patient(
        self, tenant: str, patient_ids: Sequence[str], *, since: int | None, until: int | None
    ) -> list[Answer]:
        """Return `[ActorSummary]`: who opened a patient's record, a line an actor, the most recent first."""
        ...

    async def hour_by_weekday(
        self, tenant: str, actor_ids: Sequence[str], *, since: int | None, until: int | None, timezone: str
    ) -> list[list[int]]:
        """Return an actor's events by hour of the week: 7 rows (Monday first) of 24 counts."""
        ...

    async def alerts(
        self,
        tenant: str,
        *,
        since: int | None,
        until: int | None,
        min_priority: float,
        severity: str | None,
        detector: str | None,
        actor: str | None,
        patient: str | None,
        late: bool | None = None,
        suppressed: bool | None = False,
        order: Literal["priority", "time"],
        limit: int,
        before: str | None,
    ) -> Answer:
        """Return `{alerts: [Alert.to_dict()], next}`. `late`: only those that a backfill found, or only the others.

        `suppressed`: only those that rules keep back, only the others, or (None) all.
        """
        ...

    async def alerts_changed_since(self, tenant: str, cursor: str | None, *, limit: int) -> Answer:
        """Return `{alerts: [Alert.to_dict()], cursor}` of those told, oldest change first."""
        ...

    async def alert(self, tenant: str, alert_id: str) -> Answer | None:
        """Return one alert as it stands; None: there is none of that id."""
        ...

    async def evidence(self, tenant: str, alert_id: str) -> list[Answer]:
        """Return `[{access: Access, raw: text | None}]` of an alert, oldest first."""
        ...

    async def counts(self, tenant: str, *, since: int | None, until: int | None) -> Answer:
        """Return `Counts`: events, accesses, alerts, explained share, and the same by day."""
        ...


class Changes(Protocol):
    """Tells when alerts were written."""

    async def wait(self) -> bool:
        """Return True when alerts may have been written since the last call, False when the service stops."""
        ...


class Staff(Protocol):
    """The people that identity providers push, and the documents they come from. See `streams.listeners.directory`."""

    people: dict[str, Kept]
    documents: dict[tuple[str, str], bytes]
    lock: asyncio.Lock

    def now(self) -> str:
        """Return the time as FHIR writes it."""
        ...

    async def tell(
        self,
        people: Mapping[str, Person],
        documents: Mapping[tuple[str, str], bytes] | None = None,
        units: Mapping[str, bytes] | None = None,
    ) -> None:
        """Return once all is durable; an empty document is forgotten. Raises `RejectedError` when it cannot be told."""
        ...


WorkerState = Literal["starting", "ready", "failing", "lost"]


@dataclass(frozen=True, slots=True)
class OutputVitals:
    """How many alerts one output was told, is to be told, and did not take in the end."""

    name: str
    waiting: int
    told: int
    dead: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the service goes. Counts are since its start; positions count records in the intake log.

    `worker`: `failing` when the store refuses what is written, `lost` while the worker is started again.
    `outputs`: as they stood a moment ago.
    """

    worker: WorkerState
    log_records: int
    log_bytes: int
    log_bytes_max: int
    log_position: int
    processed_position: int
    events: int
    duplicates: int
    alerts: int
    rejected: int
    worker_restarts: int
    dead_letters: int
    outputs: tuple[OutputVitals, ...] = ()

    @property
    def lag_records(self) -> int:
        """Records that are durable and not yet processed."""
        return max(0, self.log_position - self.processed_position)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what one request, and all of them together, may take."""

    body_bytes_max: int = 16 * 2**20  # of a body as sent, and again once decompressed
    bodies_bytes_max: int = 128 * 2**20  # of all bodies in memory at once
    records_max: int = 50_000  # in one body
    record_bytes_max: int = 2 * 2**20
    body_seconds_max: float = 30.0
    page_max: int = 1_000
    stream_clients_max: int = 64
    heartbeat_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Security:
    """Who may come in. Without keys the service is for this machine alone (`check_exposure` refuses otherwise).

    `hosts`: names the service is reached by besides the loopback ones, without port.
    """

    intake_key: SecretStr | None = None
    console_token: SecretStr | None = None
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ports:
    """All that `create_app` needs. `sources`: the enabled formats by name.

    `received`: how many records came in by listeners, by listener, source and verdict. `staff`: where SCIM is taken.
    """

    tenant: str
    intake: Intake
    questions: Questions
    changes: Changes
    vitals: Callable[[], Vitals]
    sources: Mapping[str, Source]
    context_types: frozenset[str]
    decode_context: ContextDecoder
    clock: Clock
    security: Security = field(default_factory=Security)
    limits: Limits = field(default_factory=Limits)
    received: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    staff: Staff | None = None
