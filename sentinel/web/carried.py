"""Records inside another protocol's envelopes: taken out, judged by the format that is named, settled as any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fastapi import Request, Response

from sentinel.core.errors import Rejection
from sentinel.web.body import Budget, off_loop, read_body, size_expected
from sentinel.web.intake import count_each
from sentinel.web.metrics import Metrics
from sentinel.web.ports import Ports
from sentinel.web.problem import ProblemError
from sentinel.web.repeats import Repeats, settle
from streams.judging import Judged, judge_mixed
from streams.record import Kind, LogRecord


@dataclass(frozen=True, slots=True)
class Carried:
    """A record for a source; or an envelope, and why there is no record in it."""

    source: str
    raw: bytes = field(repr=False)
    refusal: Rejection | None = None


Unpack = Callable[[bytes], Sequence[Carried]]
Tell = Callable[[Sequence[Judged]], Response]


@dataclass(frozen=True, slots=True)
class Carrier:
    """What an end point of envelopes works with."""

    ports: Ports
    metrics: Metrics
    budget: Budget
    repeats: Repeats

    async def take(self, request: Request, unpack: Unpack, tell: Tell) -> Response:
        """Return what `tell` says once all that `unpack` finds in the body is durable."""
        async with self.budget.hold(size_expected(request, self.ports.limits)):
            body = await read_body(request, self.ports.limits)
            async with self.repeats.once(request, body) as once:
                if once.first is not None:
                    return once.first
                judged = await off_loop(len(body), self._judged, body, unpack)
                answer = await settle(self.ports.intake, judged, lambda: tell(judged), once)
        if not once.is_dry_run:
            count_each(self.metrics, judged)
        return answer

    def _judged(self, body: bytes, unpack: Unpack) -> list[Judged]:
        carried, limits, received_us = unpack(body), self.ports.limits, self.ports.clock.now_us()
        if len(carried) > limits.records_max:
            raise ProblemError(413, "too-large", f"a body takes at most {limits.records_max} records")
        records = [LogRecord(self.ports.tenant, Kind.EVENT, one.source, one.raw, received_us) for one in carried]
        whole = [at for at, one in enumerate(carried) if one.refusal is None]
        judged = [Judged(record) for record in records]
        decoded = judge_mixed(self.ports.sources, [records[at] for at in whole], limits.record_bytes_max)
        for at, found in zip(whole, decoded, strict=True):
            judged[at] = found
        for one, envelope in zip(judged, carried, strict=True):
            if envelope.refusal is not None:
                one.reject(envelope.refusal)
        return judged
