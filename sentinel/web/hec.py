"""Splunk's HTTP Event Collector (`/services/collector`): the events that senders of Splunk push are the records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from types import MappingProxyType
from typing import Final

import msgspec
from fastapi import APIRouter, Request, Response

from sentinel.web.body import Budget, read_body, size_expected, split_lines
from sentinel.web.carried import Carried, Carrier
from sentinel.web.intake import DEFAULT_FORMAT, format_of
from sentinel.web.ports import Ports
from sentinel.web.problem import ProblemError
from streams.judging import Judged

ROOT: Final = "/services/collector"
CHANNEL: Final = "x-splunk-request-channel"

# Splunk's codes, and its words for them
SUCCESS: Final = (0, "Success")
HEALTHY: Final = (17, "HEC is healthy")
_TEXTS: Final = {2: "Token is required", 5: "No data", 6: "Invalid data format", 8: "Internal server error", 9: "Server is busy",
                 12: "Event field is required"}  # fmt: skip
_CODES: Final = {401: 2, 413: 6, 500: 8, 503: 9}


class _Envelope(msgspec.Struct):
    event: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    sourcetype: str = ""


class _Asked(msgspec.Struct):
    acks: list[int]


_envelope: Final = msgspec.json.Decoder(_Envelope)
_asked: Final = msgspec.json.Decoder(_Asked)
_text: Final = msgspec.json.Decoder(str)
_BLANKS: Final = re.compile(r"\s*")
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)


def answer_of(problem: ProblemError) -> Response:
    """Return a problem as Splunk's senders read it."""
    code = problem.extra.get("splunk") or (5 if problem.code == "empty" else _CODES.get(problem.status, 6))
    return _answer(problem.status, code, problem.detail or _TEXTS[code], headers=problem.headers)


def router(carrier: Carrier) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["intake"])
    acks = count()

    def tell(request: Request, _judged: Sequence[Judged]) -> Response:
        has_channel = request.headers.get(CHANNEL) or request.query_params.get("channel")
        return _answer(200, *SUCCESS, more={"ackId": next(acks)} if has_channel else {})

    async def post_events(request: Request) -> Response:
        """Take events, each in an envelope: JSON objects one behind the other. 200: all of it is on disk."""
        unpack = partial(_events, carrier.ports, format_of(request))
        return await carrier.take(request, unpack, partial(tell, request))

    async def post_raw(request: Request) -> Response:
        """Take one record a line. 200: all of it is on disk."""
        name = _format(carrier.ports, format_of(request), request.query_params.get("sourcetype", ""))
        return await carrier.take(request, partial(_lines, name), partial(tell, request))

    for path in (ROOT, f"{ROOT}/event", f"{ROOT}/event/1.0"):
        routes.post(path, summary="Push events as to Splunk", include_in_schema=path == f"{ROOT}/event")(post_events)
    for path in (f"{ROOT}/raw", f"{ROOT}/raw/1.0"):
        routes.post(path, summary="Push lines as to Splunk", include_in_schema=path == f"{ROOT}/raw")(post_raw)

    @routes.post(f"{ROOT}/ack", summary="Ask what is on disk")
    async def post_ack(request: Request) -> Response:
        """Say yes: what was answered with an `ackId` was on disk by then."""
        return await _acknowledged(request, carrier.ports, carrier.budget)

    @routes.get(f"{ROOT}/health", summary="Ask whether events are taken")
    async def get_health() -> Response:
        """Say yes."""
        return _answer(200, *HEALTHY)

    return routes


async def _acknowledged(request: Request, ports: Ports, budget: Budget) -> Response:
    async with budget.hold(size_expected(request, ports.limits)):
        body = await read_body(request, ports.limits)
    try:
        asked = _asked.decode(body)
    except _BROKEN:
        raise ProblemError(400, "bad-request", _TEXTS[6]) from None
    return Response(json.dumps({"acks": {str(one): True for one in asked.acks}}), media_type="application/json")


def _events(ports: Ports, default: str, body: bytes) -> list[Carried]:
    """Return the events of all envelopes: none is taken when one of them cannot be read."""
    try:
        found = [_carried(ports, default, one) for one in _envelopes(body)]
    except _BROKEN:
        raise ProblemError(400, "bad-request", _TEXTS[6]) from None
    if not found:
        raise ProblemError(400, "empty", _TEXTS[5])
    return found


def _envelopes(body: bytes) -> list[_Envelope]:
    try:
        return [_envelope.decode(line) for line in split_lines(body)]
    except _BROKEN:  # not one a line: whatever stands between them
        return [_envelope.decode(one) for one in _apart(body.decode())]


def _apart(text: str) -> Iterator[str]:
    decoder, at = json.JSONDecoder(), 0
    while (begins := _BLANKS.match(text, at)) and (at := begins.end()) < len(text):
        _, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = end


def _carried(ports: Ports, default: str, envelope: _Envelope) -> Carried:
    if isinstance(envelope.event, msgspec.UnsetType):
        raise ProblemError(400, "bad-request", _TEXTS[12], extra={"splunk": 12})
    raw = bytes(envelope.event)
    return Carried(_format(ports, default, envelope.sourcetype), _text.decode(raw).encode() if raw.startswith(b'"') else raw)


def _lines(name: str, body: bytes) -> list[Carried]:
    found = [Carried(name, line) for line in split_lines(body)]
    if not found:
        raise ProblemError(400, "empty", _TEXTS[5])
    return found


def _format(ports: Ports, told: str, sourcetype: str) -> str:
    """Return the format: the one that the address names, else the sourcetype when a format is called so, else our own."""
    name = told or (sourcetype if sourcetype in ports.sources else DEFAULT_FORMAT)
    if name not in ports.sources:
        raise ProblemError(400, "bad-parameter", f"format is one of {', '.join(sorted(ports.sources))}")
    return name


def _answer(
    status: int, code: int, text: str, *, more: Mapping[str, int] = MappingProxyType({}), headers: dict[str, str] | None = None
) -> Response:
    told = {"text": text, "code": code, **more}
    return Response(json.dumps(told), status_code=status, media_type="application/json", headers=headers)
