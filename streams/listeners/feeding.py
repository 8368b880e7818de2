"""Where feeds of context hand over what they learnt: FHIR resources, made durable with how far the feed is, and waited for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from sentinel.core.errors import RejectedError
from sentinel.core.ids import derive
from streams.faults import report
from streams.judging import ACCEPTED, Intake
from streams.record import CONTEXT_SOURCE, ContextDecoder, DeadLetter, IntakeUnavailableError, Kind, LogRecord, Mark

WAIT_SECONDS_MAX: Final = 5
Name = tuple[str, str]
"""Type and id of a resource."""


class ContextFeed:
    """Takes context of one tenant. `counts`: where resources are counted by listener, source and verdict."""

    def __init__(
        self,
        tenant: str,
        decode: ContextDecoder,
        intake: Intake,
        now_us: Callable[[], int],
        counts: Counter[tuple[str, str, str]],
    ) -> None:
        self._tenant, self._decode, self._intake, self.now_us, self._counts = tenant, decode, intake, now_us, counts

    def check(self, resource: bytes) -> None:
        """Refuse what would not be understood later.

        Raises:
            RejectedError: it cannot be read.
        """
        self._decode(resource)

    async def keep(self, listener: str, resources: Mapping[Name, bytes], marks: Sequence[Mark] = ()) -> None:
        """Return once all are durable, and `marks` with them; wait while there is no room."""
        received_us = self.now_us()
        records = [
            LogRecord(self._tenant, Kind.CONTEXT, CONTEXT_SOURCE, raw, received_us, derive("subject", kind, id_))
            for (kind, id_), raw in resources.items()
        ]
        if records or marks:
            await self._patiently(listener, lambda: self._intake.append(records, marks))
        self._counts[listener, CONTEXT_SOURCE, ACCEPTED] += len(records)

    async def set_aside(self, listener: str, source: str, refused: Sequence[tuple[bytes, RejectedError]]) -> None:
        """Return once what could not be read is among the dead letters; wait while there is no room."""
        received_us = self.now_us()
        letters = [
            DeadLetter(LogRecord(self._tenant, Kind.CONTEXT, source, raw, received_us), why.code, why.pointer, why.detail)
            for raw, why in refused
        ]
        if letters:
            await self._patiently(listener, lambda: self._intake.reject(letters))
        for _, why in refused:
            self._counts[listener, source, str(why.code)] += 1

    def count(self, listener: str, verdict: str, records: int = 1) -> None:
        """Count what no resource was made of."""
        self._counts[listener, "", verdict] += records

    async def _patiently(self, listener: str, do: Callable[[], Awaitable[object]]) -> None:
        is_told = False
        while True:
            try:
                await do()
            except IntakeUnavailableError as full:
                if not is_told:
                    report("listener-waits", listener=listener)
                    is_told = True
                await asyncio.sleep(min(full.retry_after_seconds, WAIT_SECONDS_MAX))
            else:
                return
