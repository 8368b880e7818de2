"""Sends what could not be read to the topic `rejected`: the bytes, and beside them why and where they were.

What went through after all is told by a record of the same key without bytes, and the header `status`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from streams.reading import Refused

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

STATUS: Final = "status"
FAILED: Final = "processing failed on this record"
"""The `detail` of an event on which the core failed: the bytes are those of the event, not of the record of intake."""


async def send(out: AIOKafkaProducer, topic: str, refused: Sequence[Refused]) -> None:
    """Return once all are acknowledged. The key is derived from what was refused: sent again, it is the same letter."""
    sent = [await out.send(topic, one.letter.record.raw, key=one.letter.id.encode(), headers=one.headers) for one in refused]
    await asyncio.gather(*sent)
