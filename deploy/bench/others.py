"""Other ways to read the same topic: each parses every record with orjson, keeps reads of records, and forgets them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

TOPIC: Final = "bench"
SILENCE_SECONDS: Final = 30.0
BATCH_BYTES: Final = 4 << 20


def _is_read(value: bytes) -> bool:
    import orjson  # noqa: PLC0415

    return bool(orjson.loads(value)["action"] == "read")


async def getmany(address: str, wanted: int) -> int:
    """Read batches with aiokafka; return how many records came."""
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415

    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=address, auto_offset_reset="earliest", max_partition_fetch_bytes=BATCH_BYTES
    )
    await consumer.start()
    try:
        count = 0
        while count < wanted and (found := await consumer.getmany(timeout_ms=int(SILENCE_SECONDS * 1_000))):
            for records in found.values():
                count += len(records)
                sum(_is_read(record.value) for record in records)
        return count
    finally:
        await consumer.stop()


def faust_agent(address: str, wanted: int, folder: str) -> int:
    """Read with a plain Faust agent, one record at a time; the process ends with the last one."""
    faust: Any = import_module("faust")
    app = faust.App(
        "sentinel-bench", broker=f"kafka://{address}", datadir=folder, web_enabled=False, consumer_auto_offset_reset="earliest"
    )
    topic = app.topic(TOPIC, value_type=bytes, value_serializer="raw")
    count = 0

    async def read(stream: Any) -> None:
        nonlocal count
        async for value in stream:
            _is_read(value)
            count += 1
            if count == wanted:
                _told(count)

    app.agent(topic)(read)
    faust.Worker(app, loglevel="ERROR", override_logging=False).execute_from_commandline()
    return count


def quix(address: str, wanted: int) -> int:
    """Read with Quix Streams."""
    streams: Any = import_module("quixstreams")
    app = streams.Application(
        broker_address=address, consumer_group="sentinel-quix", auto_offset_reset="earliest", loglevel="ERROR"
    )
    frame = app.dataframe(app.topic(TOPIC, value_deserializer="bytes"))
    frame.filter(_is_read)
    app.run(count=wanted, timeout=SILENCE_SECONDS)
    return wanted


def _told(count: int) -> None:
    """Say the count and end here: a frame's own shutdown is no part of reading."""
    print(count, flush=True)
    os._exit(0)


def main(what: str, address: str, wanted: str, *more: str) -> int:
    """Run one of them; return how many records it read."""
    if what == "getmany":
        return asyncio.run(getmany(address, int(wanted)))
    others: dict[str, Callable[..., int]] = {"faust_agent": faust_agent, "quix": quix}
    return others[what](address, int(wanted), *more)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
