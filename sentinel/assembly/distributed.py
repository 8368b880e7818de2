"""The distributed service: workers of one Faust application on Kafka and ClickHouse."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sentinel.assembly.core import context_decoder, detectors, online_model
from sentinel.assembly.formats import sources
from sentinel.assembly.house_rules import house_rules
from sentinel.assembly.storage import Store
from sentinel.core.errors import RefusedToStartError

if TYPE_CHECKING:
    import faust

    from sentinel.settings import Settings
    from streams.bus import Bus
    from streams.redriving import RejectedTopic
    from streams.running import Runnable
    from streams.share import AssessorParts
    from streams.topics import Topics


def bus(settings: Settings) -> Bus:
    """Return how Kafka is reached.

    Raises:
        RefusedToStartError: the settings contradict each other.
    """
    from streams.bus import Bus, Mechanism, SecurityProtocol

    def file(name: str | None) -> Path | None:
        return Path(name) if name else None

    return Bus(
        servers=settings.kafka_servers,
        protocol=SecurityProtocol(settings.kafka_protocol),
        mechanism=Mechanism(settings.kafka_mechanism),
        user=settings.kafka_user or "",
        password=settings.kafka_password.get_secret_value() if settings.kafka_password else "",
        ca_file=file(settings.kafka_ca_file),
        certificate_file=file(settings.kafka_certificate_file),
        key_file=file(settings.kafka_key_file),
    )


def topics(settings: Settings) -> Topics:
    """Return Kafka's topics as they have to be, with one of raw bytes for each format found."""
    from streams.topics import Layout, declare

    found = sorted(sources(settings))
    return declare(Layout(found, settings.kafka_prefix or "", settings.kafka_partitions, settings.kafka_replication))


def worker(settings: Settings) -> faust.App:
    """Return the Faust application that is one worker of the distributed service; nothing connects before it starts.

    Raises:
        RefusedToStartError: there is no store or key that workers could share, or settings contradict each other.
    """
    from streams.archive import Archive
    from streams.assessor import Assessor
    from streams.faust_worker import WorkerParts, create
    from streams.normaliser import IntakeParts, Normaliser
    from streams.sharing import Shared

    if settings.configuration is not None or settings.shadow is not None:
        raise RefusedToStartError("workers take no configuration and no shadow yet: SENTINEL_CONFIGURATION, SENTINEL_SHADOW")
    if settings.store is None or settings.store.get_secret_value().startswith("chdb:"):
        raise RefusedToStartError("a worker needs a store that several processes can write to: SENTINEL_STORE=clickhouse://…")
    kafka, declared = bus(settings), topics(settings)
    intake, shared = IntakeParts(kafka, declared, settings.tenant, sources(settings)), Shared()
    services: dict[str, Callable[[], Runnable]] = {
        "intake": partial(Normaliser, intake, shared),
        "archive": partial(Archive, intake, shared, partial(Store, settings)),
        "assessor": partial(Assessor, _assessor_parts(settings, kafka, declared)),
    }
    return create(WorkerParts(kafka, declared, settings.tenant, services))


def _assessor_parts(settings: Settings, kafka: Bus, declared: Topics) -> AssessorParts:
    from sentinel.core.closing import Closing
    from sentinel.core.common import Common
    from sentinel.core.shard import Shard
    from streams.share import AssessorParts

    if settings.kafka_state_key is None:
        raise RefusedToStartError("workers need one key for the state they hand each other: SENTINEL_KAFKA_STATE_KEY")
    found, under = detectors(settings.detectors), house_rules(settings)
    return AssessorParts(
        bus=kafka,
        topics=declared,
        tenant=settings.tenant,
        build_common=lambda: Common(online_model() if settings.model else None, settings.budget),
        build_shard=lambda common: Shard(settings.tenant, found, common, settings.timezone, under),
        unpack_closing=Closing.unpack,
        decode_context=context_decoder(),
        open_store=partial(Store, settings),
        key=settings.kafka_state_key.get_secret_value().encode(),
    )


async def check_topics(settings: Settings) -> None:
    """Return when all topics are there, divided as declared.

    Raises:
        RefusedToStartError: one is not, or Kafka does not let us in.
    """
    from streams.topic_admin import State, check

    wrong = [
        found.topic
        for found in await check(bus(settings), topics(settings))
        if found.state is State.MISSING or any(difference.what == "partitions" for difference in found.differences)
    ]
    if wrong:
        raise RefusedToStartError(f"not there, or not as declared: {', '.join(wrong)} (`sentinel topics create`, `check`)")


def rejected_topic(settings: Settings) -> RejectedTopic:
    """Return the letters that workers keep in Kafka."""
    from streams.record import guarded
    from streams.redriving import RejectedTopic

    known = {name: guarded(found) for name, found in sources(settings).items()}
    return RejectedTopic(bus(settings), topics(settings), settings.tenant, known, context_decoder())
