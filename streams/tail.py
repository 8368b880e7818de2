"""Reads a topic of one partition as a whole, alone: what every worker reads alike needs no group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from streams.bus import Bus, consumer, started

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

END_MS: Final = 200  # a poll's patience on the way to the end


class Tail:
    """A reader of one topic; from its first record on, until told otherwise."""

    def __init__(self, kafka: AIOKafkaConsumer, asker: AIOKafkaConsumer, where: TopicPartition) -> None:
        self._kafka, self._asker, self._where = kafka, asker, where

    @property
    def topic(self) -> str:
        """The topic's name."""
        return str(self._where.topic)

    @property
    def reader(self) -> AIOKafkaConsumer:
        """What it reads with."""
        return self._kafka

    async def read(self, timeout_ms: int = 0) -> Sequence[Any]:
        """Return the next records; none: there was none for so long."""
        read: dict[TopicPartition, Sequence[Any]] = await self._kafka.getmany(self._where, timeout_ms=timeout_ms)
        return read.get(self._where, ())

    async def read_to_end(self) -> AsyncIterator[Any]:
        """Yield the records up to what is the end now."""
        end = await self.end()
        while await self.position() < end:
            for record in await self.read(END_MS):
                yield record

    async def end(self) -> int:
        """Return the offset that the next record will have."""
        return int((await self._asker.end_offsets([self._where]))[self._where])

    async def position(self) -> int:
        """Return the offset that is read next."""
        return int(await self._kafka.position(self._where))

    def seek(self, offset: int) -> None:
        """Read on from `offset`; what is not kept any more is left out."""
        self._kafka.seek(self._where, offset)


@asynccontextmanager
async def tail(bus: Bus, topic: str) -> AsyncIterator[Tail]:
    """Open a reader; it is closed at the end.

    Raises:
        RefusedToStartError: Kafka does not let us in.
    """
    kafka, asker = consumer(bus), consumer(bus)  # a question would wait behind a fetch that waits for records
    async with started(bus, kafka), started(bus, asker):
        from aiokafka import TopicPartition  # noqa: PLC0415

        where = TopicPartition(topic, 0)
        kafka.assign([where])
        yield Tail(kafka, asker, where)
