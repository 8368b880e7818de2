"""Makes the topics that are missing and holds all of them against what is declared. Deletes, shrinks and alters nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sentinel.core.errors import SentinelError
from streams.bus import Bus, admin, reason, started
from streams.topics import Topic

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient

VISIBLE_POLLS: Final = 100  # ten seconds between a topic's making and the brokers' knowing of it
POLL_SECONDS: Final = 0.1
_ALREADY_THERE: Final = 36  # TOPIC_ALREADY_EXISTS: somebody else made it meanwhile


class State(StrEnum):
    """How a topic was found, or what was done about it."""

    CREATED = "created"
    RIGHT = "right"
    DIFFERENT = "different"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Difference:
    """What of a topic is not as declared, by Kafka's name for it."""

    what: str
    declared: str
    found: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A topic, how it was found, and what differs."""

    topic: str
    state: State
    differences: tuple[Difference, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether nothing is left to mend."""
        return self.state in (State.CREATED, State.RIGHT)


async def check(bus: Bus, topics: Iterable[Topic]) -> list[Finding]:
    """Return how each topic is found, in their order.

    Raises:
        RefusedToStartError: Kafka does not let us in.
        SentinelError: it does not let us look.
    """
    async with _asking(bus) as kafka:
        return await _findings(kafka, list(topics))


async def unusable(bus: Bus, topics: Iterable[Topic]) -> list[str]:
    """Return the names of the topics that are missing, to this user at least, or not divided as declared.

    Whoever may read or write a topic may ask this of it: `check`, which asks for settings too, is the administrator's.

    Raises:
        RefusedToStartError: Kafka does not let us in.
        SentinelError: it does not let us look.
    """
    async with _asking(bus) as kafka:
        there = await _descriptions(kafka)
    return [t.name for t in topics if t.name not in there or len(there[t.name]["partitions"]) != t.partitions]


async def create(bus: Bus, topics: Iterable[Topic]) -> list[Finding]:
    """Make the topics that are missing, then return how each is found: a second time there is nothing to make.

    Raises:
        RefusedToStartError: Kafka does not let us in.
        SentinelError: a topic cannot be made; the message says which and why. Those before it may have been.
    """
    declared = list(topics)
    async with _asking(bus) as kafka:
        there = await _descriptions(kafka)
        missing = [topic for topic in declared if topic.name not in there]
        await _make(kafka, missing)
        await _wait_visible(kafka, {topic.name for topic in missing})
        made = {topic.name for topic in missing}
        return [_told_created(finding, made) for finding in await _findings(kafka, declared)]


def _told_created(finding: Finding, made: set[str]) -> Finding:
    is_new = finding.topic in made and finding.state is State.RIGHT
    return replace(finding, state=State.CREATED) if is_new else finding


@asynccontextmanager
async def _asking(bus: Bus) -> AsyncIterator[AIOKafkaAdminClient]:
    async with started(bus, admin(bus)) as kafka:
        from aiokafka.errors import KafkaError  # noqa: PLC0415

        try:
            yield kafka
        except (KafkaError, TimeoutError) as error:
            raise SentinelError(f"Kafka: {reason(error)}") from None


async def _make(kafka: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    from aiokafka.admin import NewTopic  # noqa: PLC0415
    from aiokafka.errors import for_code  # noqa: PLC0415

    if not topics:
        return
    new = [NewTopic(t.name, t.partitions, t.replication, topic_configs=t.configs) for t in topics]
    answer = await kafka.create_topics(new)
    refused = [(name, code, why) for name, code, why in answer.topic_errors if code not in (0, _ALREADY_THERE)]
    for name, code, why in refused:
        raise SentinelError(f"Kafka does not make topic {name}: {for_code(code).__name__}: {why}")


async def _wait_visible(kafka: AIOKafkaAdminClient, names: set[str]) -> None:
    for _ in range(VISIBLE_POLLS):
        if names <= set(await _descriptions(kafka)):
            return
        await asyncio.sleep(POLL_SECONDS)


async def _descriptions(kafka: AIOKafkaAdminClient) -> dict[str, Any]:
    """Return all topics that the user may see. All: asking for one by name would make it, should the brokers be set so."""
    return {told["topic"]: told for told in await kafka.describe_topics() if not told["error_code"]}


async def _findings(kafka: AIOKafkaAdminClient, topics: Sequence[Topic]) -> list[Finding]:
    there = await _descriptions(kafka)
    configs = await _configs(kafka, [topic for topic in topics if topic.name in there])
    return [_finding(topic, there.get(topic.name), configs.get(topic.name, {})) for topic in topics]


async def _configs(kafka: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # noqa: PLC0415
    from aiokafka.errors import for_code  # noqa: PLC0415

    if not topics:
        return {}
    found = {}
    for answer in await kafka.describe_configs([ConfigResource(ConfigResourceType.TOPIC, t.name, t.configs) for t in topics]):
        for code, _, _, name, entries in answer.resources:
            if code:
                raise for_code(code)(name)
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _finding(topic: Topic, told: dict[str, Any] | None, configs: dict[str, str]) -> Finding:
    if told is None:
        return Finding(topic.name, State.MISSING)
    differences = tuple(_differences(topic, told["partitions"], configs))
    return Finding(topic.name, State.DIFFERENT if differences else State.RIGHT, differences)


def _differences(topic: Topic, partitions: Sequence[dict[str, Any]], configs: dict[str, str]) -> Iterator[Difference]:
    if len(partitions) != topic.partitions:
        yield Difference("partitions", str(topic.partitions), str(len(partitions)))
    copies = min(len(partition["replicas"]) for partition in partitions)
    if copies < topic.replication:
        yield Difference("replication.factor", str(topic.replication), str(copies))
    for name, declared in topic.configs.items():
        found = configs.get(name, "")
        if sorted(found.split(",")) != sorted(declared.split(",")):
            yield Difference(name, declared, found)
