"""The audit record repository (IHE ITI-81): what it can (CapabilityStatement), AuditEvents read and searched for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from fastapi import APIRouter, Request, Response

from sentinel.web.audit_event import VERSION, audit_event
from sentinel.web.body import media_type_of, off_loop, read_body
from sentinel.web.fhir import AUDIT_EVENT, ETAG, EVENT_SOURCE, outcome
from sentinel.web.fhir_form import JSON, XML, form_asked, in_form
from sentinel.web.fhir_search import PAGE, Search, of_id, read
from sentinel.web.ports import Answer, Ports
from sentinel.web.problem import ProblemError

FORM_TYPE: Final = "application/x-www-form-urlencoded"
FORM_BYTES_MAX: Final = 64 << 10
RESOURCE_BYTES: Final = 2_000  # about
CHANGED: Final = "2026-11-22"  # when what is stated here last changed
_STRICT: Final = re.compile(r"(?:^|[,;])\s*handling\s*=\s*\"?strict\b", re.IGNORECASE)

# The parameters of a search, and their types; R4 defines them all.
PARAMETERS: Final = {
    "_id": ("Resource-id", "token", "the key of an access"),
    "_lastUpdated": ("Resource-lastUpdated", "date", "when it was received"),
    "date": ("AuditEvent-date", "date", "when it happened; ITI-81 asks for it"),
    "address": ("AuditEvent-address", "string", "from which address; also :exact, :contains, :missing"),
    "agent": ("AuditEvent-agent", "reference", "who acted; also :identifier and IHE's agent.identifier"),
    "entity": ("AuditEvent-entity", "reference", "the resource or the patient; also :identifier and IHE's entity.identifier"),
    "patient": ("AuditEvent-patient", "reference", "whose record; also :identifier, :missing and IHE's patient.identifier"),
    "source": ("AuditEvent-source", "reference", "the application; also :identifier, :missing and IHE's source.identifier"),
    "type": ("AuditEvent-type", "token", "also :not, :missing"),
    "subtype": ("AuditEvent-subtype", "token", "also :not, :missing"),
    "action": ("AuditEvent-action", "token", "also :not, :missing"),
    "outcome": ("AuditEvent-outcome", "token", "also :not, :missing"),
}
_LEFT_OUT: Final = f"parameters that are not known here were left out; known are {', '.join(PARAMETERS)}"
_UNSYSTEMATIC: Final = "identifiers are kept without their systems: what stands before the | was not compared"


class Repository:
    """Answers what is asked of the AuditEvents, each an access of the store."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def capabilities(self, request: Request) -> Response:
        """Return the CapabilityStatement."""
        return _answer(request, _statement(self._ports, f"{request.base_url}fhir"))

    async def read(self, request: Request, key: str) -> Response:
        """Return one AuditEvent: 404 when there is none of this id, or it is not yet assessed."""
        _check_form(form_asked(request))
        page = await self._page(of_id(key))
        if not page["accesses"]:
            raise ProblemError(404, "not-found")
        [access] = page["accesses"]
        changed = format_datetime(datetime.fromisoformat(access["received_at"]), usegmt=True)
        return _answer(request, audit_event(access), {"ETag": ETAG, "Last-Modified": changed})

    async def search(self, request: Request, pairs: Sequence[tuple[str, str]]) -> Response:
        """Return a page of what is looked for."""
        form = _check_form(form_asked(request, dict(pairs).get("_format", "")))
        asked = read(pairs, count_max=self._ports.limits.page_max)
        if (asked.left_out or asked.unsystematic) and _STRICT.search(request.headers.get("prefer", "")):
            raise ProblemError(400, "bad-parameter", "; ".join(_warnings(asked)))
        page = await self._page(asked)
        size = len(page["accesses"]) * RESOURCE_BYTES
        return await off_loop(size, lambda: in_form(form, _json(_bundle(asked, page, f"{request.base_url}fhir"))))

    async def _page(self, asked: Search) -> Answer:
        if asked.is_void:
            return {"accesses": [], "next": None}
        since, until = asked.periods[0][0], asked.periods[-1][1]
        return await self._ports.questions.search(
            self._ports.tenant,
            asked.tests,
            since=since,
            until=until,
            latest_first=asked.latest_first,
            limit=asked.count,
            after=asked.after,
        )

    async def form_of(self, request: Request) -> list[tuple[str, str]]:
        """Return the parameters of a search that is posted: those of the URL, then those of the body."""
        if media_type_of(request) != FORM_TYPE:
            raise ProblemError(415, "unsupported-media-type", f"take {FORM_TYPE}")
        body = await read_body(request, replace(self._ports.limits, body_bytes_max=FORM_BYTES_MAX))
        try:
            return [*request.query_params.multi_items(), *parse_qsl(body.decode(), keep_blank_values=True)]
        except UnicodeDecodeError:
            raise ProblemError(400, "bad-request", "not UTF-8") from None


def router(ports: Ports) -> APIRouter:
    """Return the routes of the repository."""
    routes = APIRouter(prefix="/fhir", tags=["fhir"])
    repository = Repository(ports)

    @routes.get("/metadata", summary="What the FHIR end points can", responses=_RESPONSES)
    async def get_metadata(request: Request) -> Response:
        """Return the CapabilityStatement."""
        _check_form(form_asked(request))
        return repository.capabilities(request)

    @routes.get(f"/{AUDIT_EVENT}", summary="Search for AuditEvents", responses=_RESPONSES, openapi_extra=_SEARCHED)
    async def get_search(request: Request) -> Response:
        """Return a page of AuditEvents as a Bundle, the latest first unless `_sort=date`; its link `next` leads on.

        The accesses of all systems are searched, whatever they were told in. IHE asks for `date`; without, all there is.
        """
        return await repository.search(request, request.query_params.multi_items())

    @routes.post(
        f"/{AUDIT_EVENT}/_search", summary="Search, with nothing in the URL", responses=_RESPONSES, openapi_extra=_POSTED
    )
    async def post_search(request: Request) -> Response:
        """Do the same, with the parameters as a form in the body."""
        return await repository.search(request, await repository.form_of(request))

    @routes.get(f"/{AUDIT_EVENT}/{{key}}", summary="Read an AuditEvent", responses=_RESPONSES)
    async def get_event(request: Request, key: str) -> Response:
        """Return one access as an R4 AuditEvent, a moment after it was pushed."""
        return await repository.read(request, key)

    @routes.get(f"/{AUDIT_EVENT}/{{key}}/_history/{{version}}", summary="Read its only version", responses=_RESPONSES)
    async def get_version(request: Request, key: str, version: str) -> Response:
        """Return the same under the address that its `Location` told: what was recorded never changes."""
        if version != VERSION:
            raise ProblemError(404, "not-found")
        return await repository.read(request, key)

    return routes


def _check_form(form: str | None) -> str:
    """Raise 406 for a form that is none we write."""
    if form is None:
        raise ProblemError(406, "not-acceptable", f"take {JSON} or {XML}")
    return form


def _answer(request: Request, resource: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return in_form(form_asked(request), _json(resource, headers))


def _json(resource: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(resource), 200, headers, JSON)


def _bundle(asked: Search, page: Answer, base: str) -> dict[str, Any]:
    """Return a page as a Bundle (R4, 3.1.1.2). All there is has a total; how much more there is nobody counts."""
    address = f"{base}/{AUDIT_EVENT}"
    links = [{"relation": "self", "url": _url(address, asked.used + ([(PAGE, asked.after)] if asked.after else []))}]
    if page["next"]:
        links.append({"relation": "next", "url": _url(address, [*asked.used, (PAGE, page["next"])])})
    entries = [_entry(address, access) for access in page["accesses"]] + [_told_so(why) for why in _warnings(asked)]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if not (asked.after or page["next"]):
        bundle["total"] = len(page["accesses"])
    return bundle | {"link": links} | ({"entry": entries} if entries else {})


def _url(address: str, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{address}?{urlencode(parameters)}" if parameters else address


def _entry(address: str, access: Answer) -> dict[str, Any]:
    resource = audit_event(access)
    return {"fullUrl": f"{address}/{resource['id']}", "resource": resource, "search": {"mode": "match"}}


def _warnings(asked: Search) -> list[str]:
    return [_LEFT_OUT] * bool(asked.left_out) + [_UNSYSTEMATIC] * bool(asked.unsystematic)


def _told_so(why: str) -> dict[str, Any]:
    issue = {"severity": "warning", "code": "not-supported", "details": {"text": why}}
    return {"resource": outcome(issue), "search": {"mode": "outcome"}}


def _statement(ports: Ports, base: str) -> dict[str, Any]:
    """Return the CapabilityStatement (R4, http://hl7.org/fhir/capabilitystatement.html)."""
    contexts = [{"type": name, "interaction": _codes("update", "create")} for name in sorted(ports.context_types)]
    rest = {
        "mode": "server",
        "documentation": "Server of audit events (IHE ITI-20 FHIR feed, ITI-81), and taker of what explains them.",
        "resource": [_audit_events(is_taken=EVENT_SOURCE in ports.sources), *contexts],
        "interaction": _codes("transaction", "batch"),
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": CHANGED,
        "kind": "instance",
        "software": {"name": "Sentinel"},
        "implementation": {"description": "Accesses to health records", "url": base},
        "fhirVersion": "4.0.1",
        "format": [JSON, XML, "json", "xml"],
        "rest": [rest],
    }


def _audit_events(*, is_taken: bool) -> dict[str, Any]:
    defined = "http://hl7.org/fhir/SearchParameter"
    parameters = [
        {"name": name, "definition": f"{defined}/{of}", "type": kind, "documentation": text}
        for name, (of, kind, text) in PARAMETERS.items()
    ]
    return {
        "type": AUDIT_EVENT,
        "interaction": _codes("read", "vread", *(["create"] if is_taken else []), "search-type"),
        "versioning": "versioned",
        "readHistory": False,
        "updateCreate": False,
        "searchParam": parameters,
    }


def _codes(*codes: str) -> list[dict[str, str]]:
    return [{"code": code} for code in codes]


_OUTCOME: Final[dict[str, Any]] = {
    "content": {JSON: {"schema": {"type": "object", "description": "OperationOutcome"}}},
    "description": "Why not.",
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = dict.fromkeys((400, 404, 406, 415, 503), _OUTCOME)
_POSTED: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {FORM_TYPE: {"schema": {"type": "object"}}}},
}
_MORE: Final = {"_count": "how many in a page", "_sort": "date or -date", "_format": "json or xml"}
_SEARCHED: Final[dict[str, Any]] = {
    "parameters": [
        {"name": name, "in": "query", "schema": {"type": "string"}, "description": text}
        for name, text in ({name: text for name, (_, _, text) in PARAMETERS.items()} | _MORE).items()
    ]
}
