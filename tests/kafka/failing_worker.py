"""A worker with a part that fails: `python -m tests.kafka.failing_worker SERVER PREFIX WORDS`."""

from __future__ import annotations

import sys
import time

from faust import Worker

from streams.bus import Bus
from streams.faust_worker import WorkerParts, create
from streams.topics import Layout, declare


class Failing:
    """A part that fails with a message that quotes a record."""

    def __init__(self) -> None:
        self.moved_at = time.monotonic()

    async def run(self) -> None:
        """Fail."""
        raise ValueError(sys.argv[3])

    def stop(self) -> None:
        """Nothing is in hand."""


if __name__ == "__main__":
    topics = declare(Layout(("fhir_auditevent", "sentinel_json"), sys.argv[2], partitions=2, replication=1))
    app = create(WorkerParts(Bus(sys.argv[1]), topics, "chu", {"failing": Failing}))
    Worker(app, quiet=True, loglevel="WARN", redirect_stdouts=False).execute_from_commandline()
