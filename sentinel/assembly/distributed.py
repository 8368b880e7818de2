"""The distributed service: workers of one Faust application on Kafka and ClickHouse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sentinel.assembly.core import context_decoder, detectors, online_model
from sentinel.assembly.embedded import run
from sentinel.assembly.formats import sources
from sentinel.assembly.house_rules import house_rules
from sentinel.assembly.sigma import rule_set
from sentinel.assembly.storage import Store
from sentinel.core.errors import RefusedToStartError
from sentinel.lean import look_for_garbage_rarely

if TYPE_CHECKING:
    import faust

    from sentinel.settings import Settings
    from streams.bus import Bus
    from streams.redriving import RejectedTopic
    from streams.running import Runnable
    from streams.share import AssessorParts
    from streams.topics import Topic, Topics


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

    _check(settings)
    kafka, declared = bus(settings), topics(settings)
    intake, shared = IntakeParts(kafka, declared, settings.tenant, sources(settings)), Shared()
    services: dict[str, Callable[[], Runnable]] = {
        "intake": partial(Normaliser, intake, shared),
        "archive": partial(Archive, intake, shared, partial(Store, settings)),
        "assessor": partial(Assessor, _assessor_parts(settings, kafka, declared)),
    }
    return create(WorkerParts(kafka, declared, settings.tenant, services))


def gateway(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Run the ways in and out of the distributed service until told to stop; `on_ready` is told its address.

    Raises:
        RefusedToStartError: as `worker` and `embedded.serve`, or the topics are not as declared.
    """
    from streams.forwarding import ForwardingParts

    _check(settings)
    work = ForwardingParts(
        tenant=settings.tenant,
        bus=bus(settings),
        topics=topics(settings),
        check=partial(_check_topics_written, settings),
        open_store=partial(Store, settings),
        prepare=look_for_garbage_rarely,
    )
    run(settings, work, on_ready)


def _check(settings: Settings) -> None:
    """Refuse what belongs to a service on one machine."""
    if settings.configuration is not None or settings.shadow is not None:
        raise RefusedToStartError("workers take no configuration and no shadow yet: SENTINEL_CONFIGURATION, SENTINEL_SHADOW")
    if settings.store is None or settings.store.get_secret_value().startswith("chdb:"):
        raise RefusedToStartError("workers and gateways need a store that they can share: SENTINEL_STORE=clickhouse://…")


def _assessor_parts(settings: Settings, kafka: Bus, declared: Topics) -> AssessorParts:
    from sentinel.core.closing import Closing
    from sentinel.core.common import Common
    from sentinel.core.shard import Shard
    from streams.share import AssessorParts

    if settings.kafka_state_key is None:
        raise RefusedToStartError("workers need one key for the state they hand each other: SENTINEL_KAFKA_STATE_KEY")
    found, under, sigma = detectors(settings.detectors), house_rules(settings), rule_set(settings)
    return AssessorParts(
        bus=kafka,
        topics=declared,
        tenant=settings.tenant,
        build_common=lambda: Common(online_model() if settings.model else None, settings.budget),
        build_shard=lambda common: Shard(settings.tenant, found, common, settings.timezone, under, sigma=sigma),
        unpack_closing=Closing.unpack,
        decode_context=context_decoder(),
        open_store=partial(Store, settings),
        key=settings.kafka_state_key.get_secret_value().encode(),
    )


def check_topics(settings: Settings) -> None:
    """Return when a worker finds all topics there, divided as declared.

    Raises:
        RefusedToStartError: one is not, or Kafka does not let us in.
    """
    _check_usable(bus(settings), list(topics(settings)))


def _check_topics_written(settings: Settings) -> None:
    """Return when a gateway finds the topics that it writes to. Raises as `check_topics`."""
    declared = topics(settings)
    _check_usable(bus(settings), [*declared.intake.values(), declared.context, declared.feedback])


def _check_usable(kafka: Bus, wanted: Sequence[Topic]) -> None:
    from streams.topic_admin import unusable

    if wrong := asyncio.run(unusable(kafka, wanted)):
        raise RefusedToStartError(f"not there, or not as declared: {', '.join(wrong)} (`sentinel topics create`, `check`)")


def rejected_topic(settings: Settings) -> RejectedTopic:
    """Return the letters that workers keep in Kafka."""
    from streams.record import guarded
    from streams.redriving import RejectedTopic

    known = {name: guarded(found) for name, found in sources(settings).items()}
    return RejectedTopic(bus(settings), topics(settings), settings.tenant, known, context_decoder())
