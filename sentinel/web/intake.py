"""`POST /v1/events`: records in any enabled format, each with its own verdict, durable before it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from sentinel.core.errors import Rejection, RejectionCode
from sentinel.web.body import (
    JSON_TYPES,
    LINES_TYPES,
    Budget,
    media_type_of,
    off_loop,
    read_body,
    size_expected,
    split_array,
    split_lines,
)
from sentinel.web.metrics import Metrics
from sentinel.web.ports import Limits, Ports
from sentinel.web.problem import Problem, ProblemError, problem_response
from sentinel.web.repeats import FORMAT_HEADER, PARAMETERS, Repeats, settle
from streams.judging import Judged, judge, verdicts
from streams.record import Kind, LogRecord
from streams.sources.contract import Source

DEFAULT_FORMAT: Final = "sentinel_json"
SYNTAX: Final = frozenset({RejectionCode.UNPARSEABLE, RejectionCode.NOT_UTF8})


class Verdict(BaseModel):
    """What became of one record of the body. Members without a value are left out.

    `partly-accepted`: a record of several events, of which some could be read; `code` tells of the first that could not.
    """

    index: int
    status: Literal["accepted", "partly-accepted", "rejected"]
    id: str = ""
    keys: list[str] = Field(default_factory=list)
    code: RejectionCode | None = None
    pointer: str = ""
    detail: str = ""
    dead_letter: str = ""


class Receipt(BaseModel):
    """What became of a body: all that is `accepted` is on disk."""

    accepted: int
    rejected: int
    verdicts: list[Verdict]


class Refusal(Problem):
    """The problem when no record could be taken, with each record's verdict."""

    accepted: int = 0
    rejected: int = 0
    verdicts: list[Verdict] = Field(default_factory=list)


def verdict_of(one: Judged, index: int) -> dict[str, Any]:
    """Return the verdict on a record as `Verdict` describes it."""
    told: dict[str, Any] = {"index": index, "status": one.status}
    if one.readable:
        told |= {"id": one.id, "keys": one.keys}
    if one.rejection is not None:
        told |= {"code": one.rejection.code, "pointer": one.rejection.pointer, "detail": one.rejection.detail}
        told |= {"dead_letter": one.letter} if one.letter else {}
    return told


def receipt(judged: Sequence[Judged]) -> Response:
    """Return 202 when all were taken, 207 when some were, 400 or 422 when none was; with the verdicts."""
    told_of = [verdict_of(one, index) for index, one in enumerate(judged)]
    rejected = sum(not one.readable for one in judged)
    told = {"accepted": len(judged) - rejected, "rejected": rejected, "verdicts": told_of}
    if rejected == len(judged):
        codes = {one.rejection.code for one in judged if one.rejection is not None}
        status = 400 if codes <= SYNTAX else 422
        return problem_response(ProblemError(status, "rejected", "each verdict says why", extra=told))
    whole = all(one.rejection is None for one in judged)
    return Response(msgspec.json.encode(told), status_code=202 if whole else 207, media_type="application/json")


def count_each(metrics: Metrics, judged: Sequence[Judged]) -> None:
    """Count verdicts by each record's source and code."""
    for name in {one.record.source for one in judged}:
        count(metrics, name, [one for one in judged if one.record.source == name])


def count(metrics: Metrics, name: str, judged: Sequence[Judged]) -> None:
    """Count verdicts by source and code."""
    for verdict, records in verdicts(judged).items():
        metrics.records.labels(name, verdict).inc(records)


def router(ports: Ports, metrics: Metrics, budget: Budget, repeats: Repeats) -> APIRouter:
    """Return the routes of the intake."""
    routes = APIRouter(tags=["intake"])

    @routes.post(
        "/v1/events",
        status_code=202,
        summary="Push events",
        response_model=Receipt,
        responses=_RESPONSES,
        openapi_extra=_request_body(ports),
    )
    async def post_events(request: Request) -> Response:
        """Take one record, a JSON array or one record a line; answer once what was taken is on disk.

        202: all were taken. 207: some were. 422, 400: none was. Sending again changes nothing: an
        event is known by its id.
        """
        source = _source(ports, request)
        async with budget.hold(size_expected(request, ports.limits)):
            body = await read_body(request, ports.limits)
            async with repeats.once(request, body) as once:
                if once.first is not None:
                    return once.first
                judged = await off_loop(len(body), _judged, ports, source, media_type_of(request), body)
                answer = await settle(ports.intake, judged, lambda: receipt(judged), once)
        if not once.is_dry_run:
            count(metrics, source.name, judged)
        return answer

    return routes


def _judged(ports: Ports, source: Source, media_type: str, body: bytes) -> list[Judged]:
    received_us = ports.clock.now_us()
    try:
        raws = _split(source, media_type, body)
    except ValueError:
        whole = LogRecord(ports.tenant, Kind.EVENT, source.name, body, received_us)
        refused = Judged(whole)
        refused.reject(Rejection(0, RejectionCode.UNPARSEABLE, detail="not a JSON array"))
        return [refused]
    _check_count(raws, ports.limits)
    records = [LogRecord(ports.tenant, Kind.EVENT, source.name, raw, received_us) for raw in raws]
    return judge(source, records, ports.limits.record_bytes_max)


def _split(source: Source, media_type: str, body: bytes) -> list[bytes]:
    if media_type in JSON_TYPES:
        return split_array(body)
    if media_type in LINES_TYPES or source.split is None:
        return split_lines(body)
    return source.split(body)


def _check_count(raws: Sequence[bytes], limits: Limits) -> None:
    if not raws:
        raise ProblemError(400, "empty")
    if len(raws) > limits.records_max:
        raise ProblemError(413, "too-large", f"a body takes at most {limits.records_max} records")


def format_of(request: Request) -> str:
    """Return the format that a request names; empty: none."""
    return request.query_params.get("format") or request.headers.get(FORMAT_HEADER) or ""


def known(ports: Ports, name: str) -> Source:
    """Return the source of a name: 400 when there is none."""
    source = ports.sources.get(name)
    if source is None:
        raise ProblemError(400, "bad-parameter", f"format is one of {', '.join(sorted(ports.sources))}")
    return source


def _source(ports: Ports, request: Request) -> Source:
    """Return the source asked for: 400 when there is no such format, 415 when it is not sent as this media type."""
    source = known(ports, format_of(request) or DEFAULT_FORMAT)
    taken = (JSON_TYPES | LINES_TYPES if "application/json" in source.media_types else frozenset()) | {*source.media_types}
    if media_type_of(request) not in taken:
        raise ProblemError(415, "unsupported-media-type", f"take {', '.join(sorted(taken))}")
    return source


_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    207: {"model": Receipt, "description": "Some records were taken; each has its verdict."},
    400: {"model": Refusal, "description": "The body cannot be read."},
    409: {"model": Problem, "description": "The first request with this Idempotency-Key is still under way."},
    408: {"model": Problem, "description": "The body took too long to arrive."},
    413: {"model": Problem, "description": "The body is larger than is taken."},
    415: {"model": Problem, "description": "The media type or content coding is not taken."},
    422: {"model": Refusal, "description": "No record could be taken, or the key came with another request."},
    503: {"model": Problem, "description": "The log is full or behind; Retry-After says when to come back."},
}


def _request_body(ports: Ports) -> dict[str, Any]:
    names = sorted(ports.sources)
    schema = {"schema": {"description": "See docs/formats.md for the fields of each format."}}
    return {
        "requestBody": {
            "required": True,
            "description": "One record, a JSON array of records, or one record a line; Content-Encoding gzip or zstd is taken.",
            "content": {"application/json": schema, "application/x-ndjson": schema},
        },
        "parameters": [
            *PARAMETERS,
            {
                "name": "format",
                "in": "query",
                "schema": {"type": "string", "enum": names, "default": DEFAULT_FORMAT},
                "description": f"The format; the header {FORMAT_HEADER} says it as well.",
            },
        ],
    }
