"""What one part of a worker hands to another: all of it in order, or it is said of which partition something is missing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from aiokafka import TopicPartition

from streams.sharing import Read, Shared

ONE, OTHER = TopicPartition("intake.x", 0), TopicPartition("intake.x", 1)


def a_read(where: TopicPartition, first: int, size: int) -> Read:
    """Return a record of some bytes, as it is handed over."""
    return Read(where, first, first + 1, [SimpleNamespace(value=b"x" * size)])


def test_what_was_handed_over_is_taken_once_in_order() -> None:
    """And who waits is woken by it."""

    async def run() -> None:
        shared, reads = Shared(), [a_read(ONE, 0, 5), a_read(OTHER, 0, 5)]
        asyncio.get_running_loop().call_soon(lambda: [shared.put(read) for read in reads])
        assert list(await shared.take(60)) == reads
        assert list(await shared.take(0)) == []
        assert not shared.missed

    asyncio.run(run())


def test_what_does_not_fit_is_said_to_be_missed() -> None:
    """A single read may be larger than what may wait, so that large records come through; with no room nothing waits."""

    async def run() -> None:
        shared, nobody = Shared(10), Shared(0)
        for read in (a_read(ONE, 0, 50), a_read(OTHER, 0, 1)):
            shared.put(read)
        assert [read.where for read in await shared.take(0)] == [ONE]
        assert shared.missed == {OTHER}
        nobody.put(a_read(ONE, 0, 1))
        assert list(await nobody.take(0)) == []

    asyncio.run(run())
