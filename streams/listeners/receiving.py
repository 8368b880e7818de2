"""Where listeners hand over what they received: judged, made durable, and waited for as long as there is no room."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sentinel.core.errors import Rejection, RejectionCode
from streams.faults import report
from streams.judging import Intake, Judged, judge_mixed, keep, set_aside, verdicts
from streams.record import IntakeUnavailableError, Kind, LogRecord, Mark
from streams.sources.contract import Source

RECORD_BYTES_MAX: Final = 2 << 20
OFF_LOOP_BYTES: Final = 64 << 10  # more is judged in a thread, so that others are served meanwhile
WAIT_SECONDS_MAX: Final = 5


class Listener(Protocol):
    """A way in besides HTTP. Whoever makes one may be refused to start; from then on it looks after itself."""

    async def start(self) -> None:
        """Begin to take records."""
        ...

    async def stop(self) -> None:
        """Take no more, and return once what was taken over is durable."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """A record for a source. `is_cut`: it was longer than is taken, and this is its beginning."""

    source: str
    raw: bytes = field(repr=False)
    is_cut: bool = False


class Receiver:
    """Takes records of one tenant for sources by name. `counts`: where records are counted by listener, source and verdict."""

    def __init__(
        self,
        tenant: str,
        sources: Mapping[str, Source],
        intake: Intake,
        now_us: Callable[[], int],
        counts: Counter[tuple[str, str, str]],
    ) -> None:
        self._tenant, self._sources, self._intake, self._now_us, self._counts = tenant, sources, intake, now_us, counts

    async def take(self, listener: str, records: Sequence[Received], marks: Sequence[Mark] = ()) -> None:
        """Return once all are durable, whether they could be read or not, and `marks` with them; wait while there is no room."""
        if not (records or marks):
            return
        is_large = sum(len(one.raw) for one in records) > OFF_LOOP_BYTES
        judged = await asyncio.to_thread(self._judged, records) if is_large else self._judged(records)
        await self._keep(listener, judged, marks)
        for name in {one.record.source for one in judged}:
            for verdict, count in verdicts([one for one in judged if one.record.source == name]).items():
                self._counts[listener, name, verdict] += count

    def count(self, listener: str, verdict: str, records: int = 1) -> None:
        """Count what no source was given."""
        self._counts[listener, "", verdict] += records

    def _judged(self, records: Sequence[Received]) -> list[Judged]:
        received_us = self._now_us()
        logged = [LogRecord(self._tenant, Kind.EVENT, one.source, one.raw, received_us) for one in records]
        judged = judge_mixed(self._sources, logged, RECORD_BYTES_MAX)
        for at, record in enumerate(records):
            if record.is_cut:
                judged[at].reject(Rejection(at, RejectionCode.TOO_LARGE, detail="longer than the listener takes; its beginning"))
        return judged

    async def _keep(self, listener: str, judged: Sequence[Judged], marks: Sequence[Mark]) -> None:
        is_told = False
        while True:
            try:
                await set_aside(self._intake, judged)
                return await keep(self._intake, judged, marks)
            except IntakeUnavailableError as full:
                if not is_told:
                    report("listener-waits", listener=listener)
                    is_told = True
                await asyncio.sleep(min(full.retry_after_seconds, WAIT_SECONDS_MAX))
