"""The worker as a Faust application: what is large in volume runs as services in it, what is small as agents."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import faust
from faust.auth import SASLCredentials, SSLCredentials
from mode import Service
from mode.supervisors import CrashingSupervisor

from sentinel.core.errors import RefusedToStartError, RejectedError, SentinelError
from streams.bus import Bus
from streams.faults import report
from streams.feedback import SOURCE, reader
from streams.reading import Refused
from streams.record import DeadLetter, Kind, LogRecord
from streams.running import Runnable, is_away, watch
from streams.topics import Topics

STOP_SECONDS: Final = 30.0
SESSION_SECONDS: Final = 10.0  # Faust's minute is how long a worker that was killed would keep the others from starting
REBALANCE_SECONDS: Final = 30.0
RAW: Final[dict[str, Any]] = {"key_serializer": "raw", "value_serializer": "raw"}


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker is made of. `services` make, by name, the parts that run from its start to its stop."""

    bus: Bus
    topics: Topics
    tenant: str
    services: Mapping[str, Callable[[], Runnable]] = field(default_factory=dict)


class App(faust.App):
    """Starts its services at once, where Faust lets them wait until its own group has met and its tables are read."""

    async def on_started(self) -> None:
        """Start the services, then do as Faust does."""
        await self.on_started_init_extra_services()
        await super().on_started()


def create(parts: WorkerParts) -> faust.App:
    """Return the application; nothing connects before it starts. One that stops to work ends its process with code 1."""
    app = App(
        parts.topics.group("faust"),
        broker=";".join(f"kafka://{server}" for server in parts.bus.connection()["bootstrap_servers"]),
        broker_credentials=_credentials(parts.bus),
        broker_client_id=parts.bus.client_id,
        broker_session_timeout=SESSION_SECONDS,
        broker_rebalance_timeout=REBALANCE_SECONDS,
        consumer_auto_offset_reset="earliest",
        datadir=Path(tempfile.gettempdir()),  # nothing is written there: tables are in memory and in Kafka
        store="memory://",
        stream_wait_empty=False,  # with True, an event that nobody acknowledges keeps Faust from ever stopping
        topic_allow_declare=False,  # `sentinel topics create` makes them
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    for name, build in parts.services.items():
        app.service(_hosted(name, build, parts.bus))
    _read_feedback(app, parts)
    return app


def _credentials(bus: Bus) -> SASLCredentials | SSLCredentials | None:
    tls = bus.tls()
    if bus.protocol.has_sasl:
        return SASLCredentials(username=bus.user, password=bus.password, mechanism=str(bus.mechanism), ssl_context=tls)
    return None if tls is None else SSLCredentials(tls)


def _read_feedback(app: faust.App, parts: WorkerParts) -> None:
    topics = parts.topics
    # as Faust makes one of its own
    told: dict[str, Any] = {"acks": False, "allow_empty": True, "compacting": True, "internal": True}
    kept = app.topic(topics.verdicts.name, key_type=str, key_serializer="json", value_serializer="json", **told)
    last = app.Table(f"{topics.feedback.name}-last", key_type=str, partitions=topics.verdicts.partitions, changelog_topic=kept)
    rejected = app.topic(topics.rejected.name, **RAW)

    async def reject(message: Any, bad: RejectedError) -> None:
        raw, key = message.value or b"", (message.key or b"").decode("utf-8", "replace")
        kept = LogRecord(parts.tenant, Kind.EVENT, SOURCE, raw, int(message.timestamp * 1_000_000), key)
        letter = DeadLetter(kept, bad.code, detail=bad.detail)
        refused = Refused(message.topic, message.partition, message.offset, letter)
        await (await rejected.send(key=letter.id.encode(), value=raw, headers=refused.headers))

    feedback = app.topic(topics.feedback.name, **RAW)
    app.agent(feedback, name="feedback", supervisor_strategy=CrashingSupervisor)(reader(last, reject))


class Hosted(Service):
    """A part of the worker, run with it: what fails in it ends the worker, and no log quotes why."""

    build: Callable[[], Runnable]
    is_away: Callable[[], bool]

    async def on_start(self) -> None:
        """Make the part, and watch it."""
        self.part = self.build()
        self.call_off = watch(self.part, self.is_away)
        self.running = self.add_future(self._run())

    async def _run(self) -> None:
        try:
            await self.part.run()
        except RefusedToStartError:
            raise
        except Exception as error:  # noqa: BLE001 - Faust would log its message, which may quote a record
            report("worker-part-failed", error, part=type(self.part).__name__)
            raise SentinelError("a part of the worker failed") from None

    async def on_stop(self) -> None:
        """Let the part finish what is in hand."""
        self.part.stop()
        with suppress(TimeoutError, SentinelError):
            await asyncio.wait_for(asyncio.shield(self.running), STOP_SECONDS)
        self.call_off()


def _hosted(name: str, build: Callable[[], Runnable], bus: Bus) -> type[Service]:
    return type(name, (Hosted,), {"build": staticmethod(build), "is_away": staticmethod(partial(is_away, bus))})
