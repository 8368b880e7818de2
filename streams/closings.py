"""What partitions tell each other in a topic that every worker reads whole: what ends with an hour, and where states are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from sentinel.core.errors import SentinelError
from streams.faults import report
from streams.tail import Tail

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    from sentinel.core.closing import Closing

VERSION: Final = b"1"
HEADERS: Final = [("v", VERSION)]
COMMON: Final = -1  # in place of a partition: what all have in common
SLOTS: Final = 2
WAIT_MS: Final = 100


class Closed(msgspec.Struct, frozen=True, array_like=True, tag="closed"):
    """What `partition` adds to the closing of the hours before `hour`; the first told of a kind holds, all are the same.

    `is_checkpoint`: everybody keeps their state when they have closed it. Partition 0 decides.
    """

    hour: int
    partition: int
    packed: bytes
    is_checkpoint: bool


class Manifest(msgspec.Struct, frozen=True, array_like=True, tag="state"):
    """Where the state of `partition` in the hour `hour` is in `checkpoints`: its pieces' offsets, in order, and their MAC."""

    hour: int
    partition: int
    slot: int
    offsets: list[int]
    mac: bytes


_decoder: Final = msgspec.msgpack.Decoder(Closed | Manifest)


class Closings:
    """Closings by hour, and each partition's checkpoints. `partitions`: how many there are in all."""

    def __init__(self, tail: Tail, out: AIOKafkaProducer, partitions: int, unpack: Callable[[bytes], Closing]) -> None:
        self._tail, self._out, self._partitions, self._unpack = tail, out, partitions, unpack
        self._closed: dict[int, dict[int, Closed]] = {}
        self._manifests: dict[int, dict[int, Manifest]] = {partition: {} for partition in range(COMMON, partitions)}
        self._standing = self._forgotten = 0
        self._reading = asyncio.Lock()  # what two read at once may be taken in the wrong order

    @property
    def reader(self) -> AIOKafkaConsumer:
        """What it reads with."""
        return self._tail.reader

    async def read(self, timeout_ms: int = 0) -> None:
        """Take in what was told since."""
        async with self._reading:
            for record in await self._tail.read(timeout_ms):
                self._take(record.value, dict(record.headers))

    async def read_to_end(self) -> None:
        """Take in all that was told up to now."""
        async for record in self._tail.read_to_end():
            self._take(record.value, dict(record.headers))

    async def stand(self, hour: int) -> None:
        """Have ready what was told of the hours after `hour`: all that comes will."""
        self._standing = hour
        if hour < self._forgotten:
            self._forgotten = 0
            self._tail.seek(0)
            await self.read_to_end()
        self._forget()

    async def tell(self, closed: Sequence[Closed]) -> None:
        """Tell of closings that nobody told of yet; they are known here once they come back."""
        await asyncio.gather(*(self._send(f"closed/{one.hour}/{one.partition}", one) for one in closed))
        while not all(self.has(one.hour, one.partition) for one in closed):
            await self.read(WAIT_MS)

    def has(self, hour: int, partition: int) -> bool:
        """Whether the closing of a partition was told: whoever goes that way again adds the same."""
        return partition in self._closed.get(hour, {})

    def of(self, hour: int) -> list[Closing] | None:
        """Return the closings of the hours before `hour`, of all partitions in order; None: some are not told yet."""
        told = self._closed.get(hour, {})
        if len(told) < self._partitions:
            return None
        try:
            return [self._unpack(told[partition].packed) for partition in range(self._partitions)]
        except (SentinelError, ValueError):  # of another version, or damaged: all are told anew
            report("closings-discarded", hour=hour)
            del self._closed[hour]
            return None

    def is_checkpoint(self, hour: int) -> bool:
        """Whether everybody keeps their state when they have opened `hour`."""
        return self._closed[hour][0].is_checkpoint

    def manifests(self, partition: int) -> dict[int, Manifest]:
        """Return the checkpoints of a partition, by hour."""
        return {manifest.hour: manifest for manifest in self._manifests[partition].values()}

    def slot(self, partition: int, hour: int) -> int:
        """Return where the state of `hour` goes: over what is of the same hour, else over the older one."""
        kept = self._manifests[partition]
        return min(
            range(SLOTS), key=lambda slot: (slot in kept and kept[slot].hour != hour, kept[slot].hour if slot in kept else 0)
        )

    async def keep(self, manifest: Manifest) -> None:
        """Tell that a state is kept whole, in place of what was in its slot."""
        offset = await self._send(f"state/{manifest.partition}/{manifest.slot}", manifest)
        while await self._tail.position() <= offset:
            await self.read(WAIT_MS)

    def discard(self, manifest: Manifest) -> None:
        """Forget a checkpoint that cannot be used."""
        report("checkpoint-discarded", partition=manifest.partition, hour=manifest.hour)
        del self._manifests[manifest.partition][manifest.slot]

    async def _send(self, key: str, told: Closed | Manifest) -> int:
        value = msgspec.msgpack.encode(told)
        done = await self._out.send_and_wait(self._tail.topic, value, key=key.encode(), partition=0, headers=HEADERS)
        return int(done.offset)

    def _take(self, value: bytes | None, headers: dict[str, bytes]) -> None:
        if headers.get("v") != VERSION or value is None:
            return
        try:
            told = _decoder.decode(value)
        except msgspec.DecodeError:
            report("closing-unreadable")
            return
        match told:
            case Closed() as closed if closed.hour > self._forgotten:
                self._closed.setdefault(closed.hour, {}).setdefault(closed.partition, closed)
            case Manifest() as manifest if manifest.partition in self._manifests:
                self._manifests[manifest.partition][manifest.slot] = manifest
                self._forget()

    def _forget(self) -> None:
        """Forget the closings that no checkpoint needs."""
        needed = min(self._standing, *self._oldest())
        self._forgotten = max(self._forgotten, needed)
        for hour in [hour for hour in self._closed if hour <= needed]:
            del self._closed[hour]

    def _oldest(self) -> Iterator[int]:
        for kept in self._manifests.values():
            yield min(manifest.hour for manifest in kept.values()) if len(kept) == SLOTS else 0
