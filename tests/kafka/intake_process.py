"""A process that only normalises, for tests to kill: `python -m tests.kafka.intake_process SERVER PREFIX PARTITIONS`."""

from __future__ import annotations

import asyncio
import signal
import sys

from streams.bus import Bus
from streams.normaliser import IntakeLimits, IntakeParts, Normaliser
from streams.topics import Layout, declare
from tests.kafka.intake_feeding import SOURCES

SESSION_MS = 6_000  # the shortest that brokers allow: so long is a killed one's share nobody's


async def main(server: str, prefix: str, partitions: str) -> None:
    """Run until SIGTERM."""
    topics = declare(Layout(sorted(SOURCES), prefix, int(partitions), replication=1))
    limits = IntakeLimits(poll_records=500, session_ms=SESSION_MS)
    normaliser = Normaliser(IntakeParts(Bus(server), topics, "chu", SOURCES, limits))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, normaliser.stop)
    await normaliser.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
