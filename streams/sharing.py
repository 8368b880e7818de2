"""Hands what one part of a worker read of intake to another part of it, so that nothing is fetched twice."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiokafka import TopicPartition
    from aiokafka.structs import ConsumerRecord

WAITING_BYTES_MAX: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Read:
    """Records of one partition: all that there are from the offset `first` up to `after`, exclusive."""

    where: TopicPartition
    first: int
    after: int
    records: Sequence[ConsumerRecord[bytes, bytes]]


class Shared:
    """What the intake side reads. `ours`: the partitions that it has, each with the offset at which it began.

    `missed`: partitions of which something was not handed over: whoever takes has to read it from Kafka.
    `bytes_max`: that wait; one read may be more, unless it is 0: nobody takes.
    """

    def __init__(self, bytes_max: int = WAITING_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._waiting: deque[Read] = deque()
        self._bytes = 0
        self._came = asyncio.Event()
        self.ours: Mapping[TopicPartition, int] = {}
        self.missed: set[TopicPartition] = set()

    def put(self, read: Read) -> None:
        """Hand records over; nobody waits for one who is slow to take them."""
        size = sum(len(record.value or b"") for record in read.records)
        if self._bytes + size > self._bytes_max and (self._waiting or not self._bytes_max):
            self.missed.add(read.where)
            return
        self._waiting.append(read)
        self._bytes += size
        self._came.set()

    async def take(self, seconds: float) -> Sequence[Read]:
        """Return what was handed over since; wait for as long when it is nothing."""
        if not self._waiting and seconds:
            self._came.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), seconds)
        taken, self._waiting, self._bytes = self._waiting, deque(), 0
        return taken
