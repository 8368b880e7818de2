"""Requests that come again under one `Idempotency-Key`, and those that only try (`?dry_run=1`).

The header is the IETF's draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec
import zstandard
from fastapi import Request, Response

from sentinel.core.ids import derive
from sentinel.web.body import media_type_of
from sentinel.web.ports import Clock, Intake
from sentinel.web.problem import ProblemError
from streams.judging import Judged, keep, set_aside
from streams.marks import ANSWER_SECONDS
from streams.record import Mark, MarkKind

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
FORMAT_HEADER: Final = "X-Sentinel-Format"
DRY_RUN_HEADER: Final = "X-Sentinel-Dry-Run"
KEY_LENGTH_MAX: Final = 256
_SWITCH: Final = {"": False, "0": False, "false": False, "1": True, "true": True}


class _Answer(msgspec.Struct, array_like=True):
    """An answer as it is kept. `request`: a digest of what was asked; `body`: compressed."""

    request: bytes
    status: int
    headers: dict[str, str]
    body: bytes


_answers: Final = msgspec.msgpack.Decoder(_Answer)


@dataclass(slots=True)
class Once:
    """One request. `first`: what was answered when it came before; None: it is new, or bears no key."""

    name: str = ""
    request: bytes = b""
    now_us: int = 0
    is_dry_run: bool = False
    first: Response | None = None

    def marks(self, answer: Response) -> Sequence[Mark]:
        """Return what is kept of the answer, so that a repeat gets the same."""
        if not self.name:
            return ()
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        kept = _Answer(self.request, answer.status_code, headers, zstandard.compress(bytes(answer.body)))
        return (Mark(MarkKind.ANSWER, self.name, msgspec.msgpack.encode(kept), self.now_us),)


class Repeats:
    """Knows the answers of the last day, and which requests are under way."""

    def __init__(self, tenant: str, intake: Intake, clock: Clock) -> None:
        self._tenant, self._intake, self._clock = tenant, intake, clock
        self._under_way: set[str] = set()

    @asynccontextmanager
    async def once(self, request: Request, body: bytes) -> AsyncIterator[Once]:
        """Hold a request's key while it is seen to.

        Raises:
            ProblemError: 400 for a key or a switch that is none, 409 when its first request is still under way,
                422 when it came with another request.
        """
        key, is_dry_run = _key(request), _is_dry_run(request)
        if not key or is_dry_run:
            yield Once(is_dry_run=is_dry_run)
            return
        once = Once(derive("answer", self._tenant, key), _digest(request, body), self._clock.now_us())
        if once.name in self._under_way:
            raise ProblemError(409, "in-progress", headers={"Retry-After": "1"})
        self._under_way.add(once.name)
        try:
            once.first = self._first(once)
            yield once
        finally:
            self._under_way.discard(once.name)

    def _first(self, once: Once) -> Response | None:
        found = self._intake.answer(once.name)
        if found is None or once.now_us - found.written_us > ANSWER_SECONDS * 1_000_000:
            return None
        answer = _answers.decode(found.value)
        if answer.request != once.request:
            raise ProblemError(422, "key-reused")
        return Response(zstandard.decompress(answer.body), answer.status, answer.headers | {REPLAYED: "true"})


async def settle(intake: Intake, judged: Sequence[Judged], tell: Callable[[], Response], once: Once) -> Response:
    """Make `judged` durable and return the answer that `tell` makes of it; of a dry run nothing is kept."""
    if once.is_dry_run:
        return _tried(tell())
    await set_aside(intake, judged)
    answer = tell()
    await keep(intake, judged, once.marks(answer))
    return answer


def _tried(answer: Response) -> Response:
    """Return an answer without what would say that something was kept."""
    answer.headers[DRY_RUN_HEADER] = "1"
    if answer.status_code in {201, 202}:
        answer.status_code = 200
    for name in ("location", "etag"):
        if name in answer.headers:
            del answer.headers[name]
    return answer


def _key(request: Request) -> str:
    """Return the key, as a Structured Field string or bare; empty: there is none."""
    told = request.headers.get(HEADER)
    if told is None:
        return ""
    key = told[1:-1] if len(told) > 1 and told[0] == told[-1] == '"' else told
    if not (key and len(key) <= KEY_LENGTH_MAX and key.isascii() and key.isprintable()):
        raise ProblemError(400, "bad-parameter", f"{HEADER} is a text of 1 to {KEY_LENGTH_MAX} ASCII characters")
    return key


def _is_dry_run(request: Request) -> bool:
    told = _SWITCH.get(request.query_params.get("dry_run", "").lower())
    if told is None:
        raise ProblemError(400, "bad-parameter", "dry_run is 1 or 0")
    return told


def _digest(request: Request, body: bytes) -> bytes:
    """Return what tells this request from others: where it went, what it said it was, and what it held once decompressed."""
    digest = blake2b(body, digest_size=32, person=b"request")
    asked = map(repr, sorted(request.query_params.multi_items()))
    told = (media_type_of(request), request.headers.get(FORMAT_HEADER, ""))
    for part in (request.method, request.url.path, *told, *asked):
        digest.update(b"\x1f" + part.encode("utf-8", "surrogatepass"))
    return digest.digest()


PARAMETERS: Final[list[dict[str, Any]]] = [
    {
        "name": "dry_run",
        "in": "query",
        "schema": {"type": "boolean", "default": False},
        "description": "1: say what would become of each record, and keep nothing.",
    },
    {
        "name": HEADER,
        "in": "header",
        "schema": {"type": "string", "maxLength": KEY_LENGTH_MAX},
        "description": "A repeat within a day gets the first answer; 422: it is another request; 409: the first is under way.",
    },
]
