"""The FHIR end points: AuditEvents and context resources, alone or in a Bundle (FHIR R4 and R5, RESTful API)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Request, Response

from sentinel.core.errors import RejectedError, Rejection, RejectionCode
from sentinel.core.ids import derive
from sentinel.web.audit_event import VERSION
from sentinel.web.body import JSON_TYPES, Budget, media_type_of, off_loop, read_body, size_expected
from sentinel.web.fhir_form import JSON as MEDIA_TYPE
from sentinel.web.fhir_form import XML, XML_TYPES, form_asked, in_form
from sentinel.web.intake import SYNTAX, count
from sentinel.web.metrics import Metrics
from sentinel.web.ports import Ports
from sentinel.web.problem import ProblemError
from sentinel.web.repeats import PARAMETERS, Repeats, settle
from streams.judging import Judged, judge
from streams.record import CONTEXT_SOURCE, Kind, LogRecord
from streams.sources.fhir import xml_form

AUDIT_EVENT: Final = "AuditEvent"
EVENT_SOURCE: Final = "fhir_auditevent"
ETAG: Final = f'W/"{VERSION}"'
BUNDLE_TYPES: Final = frozenset({"batch", "transaction", "collection"})
CODE_SYSTEM: Final = "urn:sentinel:rejection-code"

# http://hl7.org/fhir/issue-type
ISSUE_TYPES: Final = {
    RejectionCode.UNPARSEABLE: "structure",
    RejectionCode.NOT_UTF8: "structure",
    RejectionCode.WRONG_TYPE: "structure",
    RejectionCode.UNKNOWN_FIELD: "structure",
    RejectionCode.MISSING_FIELD: "required",
    RejectionCode.BAD_VALUE: "value",
    RejectionCode.BAD_TIME: "value",
    RejectionCode.NO_ACTOR: "required",
    RejectionCode.NOT_AN_EVENT: "not-supported",
    RejectionCode.TOO_LARGE: "too-long",
    RejectionCode.TOO_DEEP: "too-costly",
}
_HTTP_ISSUE_TYPES: Final = {
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    408: "timeout",
    413: "too-long",
    415: "not-supported",
    503: "transient",
}


class _Peek(msgspec.Struct):
    """What must be known of a resource before somebody decodes it."""

    resourceType: str  # noqa: N815 - FHIR's name
    id: str = ""


class _EntryRequest(msgspec.Struct):
    method: str = ""
    url: str = ""


class _Entry(msgspec.Struct):
    resource: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    request: _EntryRequest | None = None


class _Bundle(msgspec.Struct):
    resourceType: str  # noqa: N815 - FHIR's name
    type: str = ""
    entry: list[_Entry] = msgspec.field(default_factory=list)


_peek: Final = msgspec.json.Decoder(_Peek)
_bundle: Final = msgspec.json.Decoder(_Bundle)


def outcome(*issues: dict[str, Any]) -> dict[str, Any]:
    """Return an OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def issue_of(rejection: Rejection, where: str = "") -> dict[str, Any]:
    """Return the issue that tells of a rejection: its code, its JSON pointer and, in a Bundle, the entry."""
    told: dict[str, Any] = {
        "severity": "error",
        "code": ISSUE_TYPES[rejection.code],
        "details": _details(str(rejection.code), rejection.detail),
    }
    if rejection.pointer:
        told["diagnostics"] = f"at {rejection.pointer}"
    return told | ({"expression": [where]} if where else {})


def _details(code: str, text: str) -> dict[str, Any]:
    return {"coding": [{"system": CODE_SYSTEM, "code": code}], "text": text or code}


def outcome_of(problem: ProblemError, title: str) -> Response:
    """Return a problem as an OperationOutcome, as FHIR clients expect."""
    issue = {
        "severity": "error",
        "code": _HTTP_ISSUE_TYPES.get(problem.status, "invalid" if problem.status < 500 else "exception"),
        "details": _details(problem.code, problem.detail or title),
    }
    return _response(outcome(issue), problem.status, problem.headers)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A resource, and what the URL or the Bundle's request says it is (empty: nothing).

    `is_xml`: it is XML; `was_xml`: it came in a Bundle of XML, and is JSON by now.
    """

    raw: bytes
    type: str = ""
    id: str = ""
    put: bool = False
    is_xml: bool = False
    was_xml: bool = False
    refusal: Rejection | None = None


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a body held, what is kept of it, and what is answered then."""

    judged: Sequence[Judged]
    kept: Sequence[Judged]
    tell: Callable[[], Response]


def _with_bytes(judged: Sequence[Judged]) -> list[Judged]:
    return [one for one in judged if one.record.raw]


class FhirIntake:
    """Takes resources: judges each, makes it durable, then tells."""

    def __init__(self, ports: Ports, metrics: Metrics, budget: Budget, repeats: Repeats) -> None:
        self._ports, self._metrics, self._budget, self._repeats = ports, metrics, budget, repeats

    async def bundle(self, request: Request) -> Response:
        """Take a Bundle entry by entry; a transaction whole or not at all."""

        async def taken(body: bytes) -> _Taken:
            return await self._bundle(body, is_xml=_is_xml(request))

        return await self._taken(request, taken)

    async def resource(self, request: Request, resource_type: str, resource_id: str = "") -> Response:
        """Take one resource: 201 when posted, 200 when put."""

        async def taken(body: bytes) -> _Taken:
            asked = _Asked(body, resource_type, resource_id, is_xml=_is_xml(request))
            [one] = await off_loop(len(body), self._judged, [asked])
            return _Taken([one], [one], lambda: _told(request, one, resource_type, is_put=bool(resource_id)))

        return await self._taken(request, taken)

    async def _taken(self, request: Request, take: Callable[[bytes], Awaitable[_Taken]]) -> Response:
        async with self._budget.hold(size_expected(request, self._ports.limits)):
            body = await self._body(request)
            async with self._repeats.once(request, body) as once:
                if once.first is not None:
                    return await _in_form(request, once.first)
                taken = await take(body)
                answer = await settle(self._ports.intake, taken.kept, taken.tell, once)
        if not once.is_dry_run:
            count(self._metrics, CONTEXT_SOURCE, taken.judged)
        return await _in_form(request, answer)

    async def _bundle(self, body: bytes, *, is_xml: bool) -> _Taken:
        kind, asked = await off_loop(len(body), self._entries, body, is_xml=is_xml)
        judged = await off_loop(len(body), self._judged, asked)
        bad = [one for one in judged if one.rejection is not None]
        if bad and kind in {"", "transaction"}:  # "": the body is no Bundle
            return _Taken(judged, _with_bytes(bad), lambda: _refused(judged, in_bundle=bool(kind)))
        return _Taken(judged, _with_bytes(judged), lambda: _response(_answer(kind, asked, judged), 200, {}))

    async def _body(self, request: Request) -> bytes:
        if media_type_of(request) not in JSON_TYPES | XML_TYPES:
            raise ProblemError(415, "unsupported-media-type", f"take {', '.join(sorted(JSON_TYPES | XML_TYPES))}")
        body = await read_body(request, self._ports.limits)
        if not body.strip():
            raise ProblemError(400, "empty")
        return body

    def _entries(self, body: bytes, *, is_xml: bool) -> tuple[str, list[_Asked]]:
        """Return the Bundle's type and what it asks; an empty type and the body itself when it is no such Bundle."""
        try:
            bundle = _bundle.decode(xml_form.to_json(body) if is_xml else body)
        except _UNREADABLE as error:
            return "", [_Asked(body, refusal=_why(error))]
        if bundle.resourceType != "Bundle":
            return "", [_Asked(body, refusal=_bad_value("/resourceType", "not a Bundle"))]
        if bundle.type not in BUNDLE_TYPES:
            return "", [_Asked(body, refusal=_bad_value("/type", f"take {', '.join(sorted(BUNDLE_TYPES))}"))]
        if len(bundle.entry) > self._ports.limits.records_max:
            raise ProblemError(413, "too-large", f"a Bundle takes at most {self._ports.limits.records_max} entries")
        return bundle.type, [replace(_asked(entry), was_xml=is_xml) for entry in bundle.entry]

    def _judged(self, asked: Sequence[_Asked]) -> list[Judged]:
        """Judge each; AuditEvents are decoded together."""
        received_us = self._ports.clock.now_us()
        judged = [self._placed(one, received_us) for one in asked]
        events = [at for at, one in enumerate(judged) if one.open and one.record.kind is Kind.EVENT]
        if events:
            source, bytes_max = self._ports.sources[EVENT_SOURCE], self._ports.limits.record_bytes_max
            for at, one in zip(events, judge(source, [judged[at].record for at in events], bytes_max), strict=True):
                judged[at] = one
        for one in judged:
            if one.open and one.record.kind is Kind.CONTEXT:
                self._decode_context(one)
        return judged

    def _placed(self, asked: _Asked, received_us: int) -> Judged:
        """Say by its type what a resource is for; refuse one that is not what it was said to be."""
        record = LogRecord(self._ports.tenant, Kind.EVENT, EVENT_SOURCE, asked.raw, received_us)
        try:
            peek = _peek.decode(_json_of(asked)) if asked.refusal is None else _Peek("")
            refusal = asked.refusal or _mismatch(asked, peek)
        except _UNREADABLE as error:
            refusal = _why(error)
        if refusal is not None:
            return _rejected(record, refusal)
        if peek.resourceType == AUDIT_EVENT and EVENT_SOURCE in self._ports.sources:
            return Judged(record)
        if peek.resourceType not in self._ports.context_types:
            return Judged(record, unused=True)
        subject = derive("subject", peek.resourceType, peek.id)
        return Judged(replace(record, kind=Kind.CONTEXT, source=CONTEXT_SOURCE, subject=subject), id=peek.id)

    def _decode_context(self, one: Judged) -> None:
        try:
            self._ports.decode_context(one.record.raw)
        except RejectedError as error:
            one.reject(Rejection(0, error.code, error.pointer, error.detail))


def router(ports: Ports, metrics: Metrics, budget: Budget, repeats: Repeats) -> APIRouter:
    """Return the FHIR routes."""
    routes = APIRouter(prefix="/fhir", tags=["fhir"])
    intake = FhirIntake(ports, metrics, budget, repeats)
    posted = ports.context_types | ({AUDIT_EVENT} if EVENT_SOURCE in ports.sources else set())

    @routes.post("", summary="Push a Bundle", responses=_RESPONSES, openapi_extra=_BODY)
    async def post_bundle(request: Request) -> Response:
        """Take a batch, transaction or collection of AuditEvents and context resources; answer entry by entry.

        A transaction is taken whole or not at all. Resources of other types are left out, and the entry says so.
        """
        return await intake.bundle(request)

    @routes.post("/{resource_type}", status_code=201, summary="Push a resource", responses=_RESPONSES, openapi_extra=_BODY)
    async def post_resource(request: Request, resource_type: str) -> Response:
        """Take one AuditEvent, or one resource that tells who works where or who is in whose care."""
        _check_type(resource_type, posted)
        return await intake.resource(request, resource_type)

    @routes.put("/{resource_type}/{resource_id}", summary="Put a resource", responses=_RESPONSES, openapi_extra=_BODY)
    async def put_resource(request: Request, resource_type: str, resource_id: str) -> Response:
        """Take the state of one context resource, in place of what was known under its id."""
        if resource_type == AUDIT_EVENT:
            raise ProblemError(405, "method-not-allowed", "what was recorded stays as it is", headers={"Allow": "GET"})
        _check_type(resource_type, ports.context_types)
        return await intake.resource(request, resource_type, resource_id)

    return routes


def _check_type(resource_type: str, taken: frozenset[str]) -> None:
    if resource_type not in taken:
        raise ProblemError(404, "not-found", f"take {', '.join(sorted(taken))}")


def _asked(entry: _Entry) -> _Asked:
    asked = entry.request or _EntryRequest()
    if asked.method not in {"", "POST", "PUT"}:
        return _Asked(b"", refusal=_bad_value("/request/method", "take POST or PUT"))
    if isinstance(entry.resource, msgspec.UnsetType):
        return _Asked(b"", refusal=Rejection(0, RejectionCode.MISSING_FIELD, "/resource", "there is no resource"))
    resource_type, _, resource_id = asked.url.partition("/") if asked.method == "PUT" and "?" not in asked.url else ("", "", "")
    return _Asked(bytes(entry.resource), resource_type, resource_id, put=asked.method == "PUT")


def _is_xml(request: Request) -> bool:
    return media_type_of(request) in XML_TYPES


def _json_of(asked: _Asked) -> bytes:
    return xml_form.to_json(asked.raw) if asked.is_xml else asked.raw


async def _in_form(request: Request, answer: Response) -> Response:
    return await off_loop(len(answer.body), in_form, form_asked(request), answer)


_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, RejectedError)


def _why(error: Exception) -> Rejection:
    if isinstance(error, RejectedError):  # it was XML
        return Rejection(0, error.code, error.pointer, error.detail)
    if isinstance(error, RecursionError):
        return Rejection(0, RejectionCode.TOO_DEEP)
    if isinstance(error, msgspec.ValidationError):
        return Rejection(0, RejectionCode.WRONG_TYPE, detail="not the shape of a FHIR resource")
    return Rejection(0, RejectionCode.UNPARSEABLE, detail="not JSON")


def _mismatch(asked: _Asked, peek: _Peek) -> Rejection | None:
    if asked.type and peek.resourceType != asked.type:
        return _bad_value("/resourceType", "not the type the URL says")
    if asked.id and peek.id != asked.id:
        return _bad_value("/id", "not the id the URL says")
    if (asked.is_xml or asked.was_xml) and peek.resourceType != AUDIT_EVENT:
        return Rejection(0, RejectionCode.NOT_AN_EVENT, "/resourceType", "of XML AuditEvents alone are taken, context is JSON")
    return None


def _bad_value(pointer: str, detail: str) -> Rejection:
    return Rejection(0, RejectionCode.BAD_VALUE, pointer, detail)


def _rejected(record: LogRecord, why: Rejection) -> Judged:
    one = Judged(record)
    one.reject(why)
    return one


def _told(request: Request, one: Judged, resource_type: str, *, is_put: bool) -> Response:
    if one.rejection is not None:
        return _refused([one], in_bundle=False)
    headers = {"Location": f"{request.base_url}fhir/{_place(one, resource_type)}"}
    if one.record.kind is Kind.EVENT:
        headers["ETag"] = ETAG
    told = outcome({"severity": "information", "code": "informational", "details": {"text": "kept"}})
    return _response(told, 200 if is_put else 201, headers)


def _place(one: Judged, resource_type: str) -> str:
    """Return where a resource is: an event, of several patients the first one's, by its key, under which it can be read."""
    if one.record.kind is Kind.EVENT:
        return f"{AUDIT_EVENT}/{one.keys[0]}/_history/{VERSION}"
    return f"{resource_type}/{quote(one.id, safe='')}"


def _refused(judged: Sequence[Judged], *, in_bundle: bool) -> Response:
    bad = [(at, one.rejection) for at, one in enumerate(judged) if one.rejection is not None]
    issues = [issue_of(why, f"Bundle.entry[{at}]" if in_bundle else "") for at, why in bad]
    return _response(outcome(*issues), _status({why.code for _, why in bad}), {})


def _status(codes: set[RejectionCode]) -> int:
    return 400 if codes <= SYNTAX else 422


def _answer(kind: str, asked: Sequence[_Asked], judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the response Bundle: an entry for each that was sent."""
    entries = [{"response": _entry(one, put=ask.put)} for ask, one in zip(asked, judged, strict=True)]
    response = "transaction-response" if kind == "transaction" else "batch-response"
    return {"resourceType": "Bundle", "type": response, "entry": entries}


def _entry(one: Judged, *, put: bool) -> dict[str, Any]:
    if one.unused:
        why = {"text": "no use is made of this type; it was not kept"}
        return {"status": "200 OK", "outcome": outcome({"severity": "warning", "code": "not-supported", "details": why})}
    if one.rejection is not None:
        status = _status({one.rejection.code})
        return {"status": f"{status} {HTTPStatus(status).phrase}", "outcome": outcome(issue_of(one.rejection))}
    if one.record.kind is Kind.EVENT:
        return {"status": "201 Created", "location": _place(one, AUDIT_EVENT), "etag": ETAG}
    kind = _peek.decode(one.record.raw).resourceType
    return {"status": "200 OK" if put else "201 Created", "location": _place(one, kind)}


def _response(content: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    return Response(msgspec.json.encode(content), status_code=status, media_type=MEDIA_TYPE, headers=headers)


_OUTCOME: Final[dict[str, Any]] = {
    "content": {MEDIA_TYPE: {"schema": {"type": "object", "description": "OperationOutcome"}}},
    "description": "Why it was refused.",
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = dict.fromkeys((400, 404, 409, 413, 415, 422, 503), _OUTCOME)
_RESOURCE: Final = {"type": "object", "description": "A FHIR R4 or R5 resource"}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": _RESOURCE}, XML: {"schema": _RESOURCE}}},
    "parameters": PARAMETERS,
}
