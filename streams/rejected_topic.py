"""Sends what could not be read to the topic `rejected`: the bytes, and beside them why and where they were."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.reading import Refused

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer


async def send(out: AIOKafkaProducer, topic: str, refused: Sequence[Refused]) -> None:
    """Return once all are acknowledged. The key is derived from what was refused: sent again, it is the same letter."""
    sent = [await out.send(topic, one.letter.record.raw, key=one.letter.id.encode(), headers=one.headers) for one in refused]
    await asyncio.gather(*sent)
