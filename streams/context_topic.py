"""The context as every worker reads it, and verdicts: each record at its time in the one order, bad ones told of once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sentinel.core.context import ContextRecord, Withdrawn
from sentinel.core.errors import RejectedError
from streams.merging import NEVER, ContextSlice, Known, Place
from streams.reading import Refused
from streams.record import CONTEXT_SOURCE, ContextDecoder, DeadLetter, Kind, LogRecord
from streams.tail import Tail

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.structs import ConsumerRecord


Reader = Callable[[bytes, bytes | None], list[ContextRecord]]
"""Gives what a record says by its key and value, of which None takes back what the key names; or raises `RejectedError`."""


def resources(decode: ContextDecoder) -> Reader:
    """Return the reader of the topic `context`."""

    def read(key: bytes, value: bytes | None) -> list[ContextRecord]:
        return [Withdrawn(key.decode("utf-8", "replace"))] if value is None else decode(value)

    return read


class ContextTopic:
    """Reads what all workers learn alike. `until`: all that was appended before (ms) was read, by the brokers' time."""

    def __init__(self, tail: Tail, read: Reader, tenant: str) -> None:
        self._tail, self._read, self._tenant = tail, read, tenant
        self._after = 0
        self._until = NEVER
        self._refused: list[Refused] = []

    @property
    def place(self) -> Place:
        """Where it stands in the one order."""
        return self._tail.topic, 0

    @property
    def reader(self) -> AIOKafkaConsumer:
        """What it reads with."""
        return self._tail.reader

    def seek(self, offset: int) -> None:
        """Read on from `offset`."""
        self._tail.seek(offset)
        self._after, self._until = offset, NEVER
        self._refused.clear()

    def refused_since(self) -> list[Refused]:
        """Return what could not be read since this was last asked."""
        refused, self._refused = self._refused, []
        return refused

    async def read(self, broker_ms: int) -> ContextSlice:
        """Return what was told since. `broker_ms`: a time that the brokers have passed.

        Only once that is known the end is asked for: what comes behind it is of a later time.
        """
        end = await self._tail.end()
        first, rows = self._after, [self._known(record) for record in await self._tail.read()]
        if rows:
            self._after = rows[-1].offset + 1
        if await self._tail.position() >= end:
            self._until = max(self._until, broker_ms)
        return ContextSlice(*self.place, first, self._after, self._until, rows)

    def _known(self, record: ConsumerRecord[bytes, bytes]) -> Known:
        self._until = max(self._until, record.timestamp)
        return Known(self._until, record.offset, self._records(record))

    def _records(self, record: ConsumerRecord[bytes, bytes]) -> list[ContextRecord]:
        key = record.key or b""
        try:
            return self._read(key, record.value)
        except RejectedError as error:
            subject = key.decode("utf-8", "replace")
            told = LogRecord(self._tenant, Kind.CONTEXT, CONTEXT_SOURCE, record.value or b"", self._until * 1_000, subject)
            letter = DeadLetter(told, error.code, error.pointer, error.detail)
            self._refused.append(Refused(*self.place, record.offset, letter))
            return []
