"""What the same bytes cost without Sentinel: parsed and forgotten, or read out of Kafka and forgotten."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import BinaryIO, Final

TOPIC: Final = "bench"
LINGER_MS: Final = 50
BATCH_BYTES: Final = 1 << 20
IN_FLIGHT: Final = 20_000
SILENCE_MS: Final = 30_000


def parse(file: str) -> int:
    """Parse each line with orjson; return how many."""
    import orjson  # noqa: PLC0415 - one yardstick does not pay for the other's imports

    count = 0
    with Path(file).open("rb") as lines:
        for line in lines:
            orjson.loads(line)
            count += 1
    return count


async def produce(address: str, file: BinaryIO) -> int:
    """Send each line as a record; return how many."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415

    producer = AIOKafkaProducer(
        bootstrap_servers=address, linger_ms=LINGER_MS, max_batch_size=BATCH_BYTES, max_request_size=4 * BATCH_BYTES
    )
    await producer.start()
    try:
        count, sent = 0, []
        for line in file:
            sent.append(await producer.send(TOPIC, line.rstrip(b"\n")))
            count += 1
            if len(sent) == IN_FLIGHT:
                await asyncio.gather(*sent)
                sent.clear()
        await asyncio.gather(*sent)
        return count
    finally:
        await producer.stop()


async def consume(address: str, wanted: int) -> int:
    """Read records and do nothing with them until `wanted` have come, or none comes any more; return how many."""
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415

    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=address, auto_offset_reset="earliest", max_partition_fetch_bytes=4 * BATCH_BYTES
    )
    await consumer.start()
    try:
        count = 0
        while count < wanted and (found := await consumer.getmany(timeout_ms=SILENCE_MS)):
            count += sum(map(len, found.values()))
        return count
    finally:
        await consumer.stop()


def main(what: str, *arguments: str) -> int:
    """Run the yardstick of that name; return how many records it took."""
    if what == "parse":
        return parse(arguments[0])
    if what == "produce":
        with Path(arguments[1]).open("rb") as file:
            return asyncio.run(produce(arguments[0], file))
    return asyncio.run(consume(arguments[0], int(arguments[1])))


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
