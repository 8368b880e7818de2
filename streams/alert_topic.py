"""Tells alerts on the bus: within an event loop, and from where none runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sentinel.core.alert import Alert
from sentinel.core.errors import SentinelError
from streams.bus import Bus, producer, reach, reason, started
from streams.topics import Topic

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

HEADERS: Final = [("v", b"1")]


async def send(out: AIOKafkaProducer, topic: str, alerts: Sequence[Alert]) -> None:
    """Return once all are acknowledged."""
    sent = [await out.send(topic, alert.to_json().encode(), key=alert.id.encode(), headers=HEADERS) for alert in alerts]
    await asyncio.gather(*sent)


class AlertTopic:
    """The topic `alerts`, which keeps the newest version of each: told again, an alert is the same."""

    def __init__(self, bus: Bus, topic: Topic) -> None:
        self._bus, self._name = bus, topic.name

    def reach(self) -> None:
        """Return once a broker lets us in.

        Raises:
            RefusedToStartError: none does.
        """
        asyncio.run(reach(self._bus))

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Return once all are acknowledged.

        Raises:
            SentinelError: they are not; some of them may have been taken.
        """
        asyncio.run(self._send(alerts))

    async def _send(self, alerts: Sequence[Alert]) -> None:
        from aiokafka.errors import KafkaError  # noqa: PLC0415

        try:
            async with started(self._bus, producer(self._bus)) as out:
                await send(out, self._name, alerts)
        except KafkaError as error:
            raise SentinelError(f"Kafka does not take alerts: {reason(error)}") from None
