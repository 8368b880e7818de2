"""Log records of OpenTelemetry in OTLP's JSON: those that tell an access in semantic conventions, or in Sentinel's own words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.elastic.schema import has_kind, rows_of
from streams.sources.shared.documents import BROKEN, Envelope, json_source
from streams.sources.shared.own import carried_row, is_own
from streams.sources.shared.trees import Tree, at, branches, first, paths, tree_of, undotted
from streams.sources.shared.values import derived_id, moment_of, told, utc_text

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

VALUES_DEPTH_MAX: Final = 16

_ID: Final = paths("log.record.uid event.id")
# Before OTLP 0.9 scopes were called instrumentation libraries, and their records `logs` until 0.16.
_SCOPES: Final = ("scopeLogs", "instrumentationLibraryLogs")
_RECORDS: Final = ("logRecords", "logs")
_RESOURCE: Final = "resource"
_is_whole: Final = re.compile(r"-?[0-9]{1,19}").fullmatch
_TIMES: Final = ("timeUnixNano", "observedTimeUnixNano")


def _read(document: bytes) -> list[EventRow] | Envelope:
    record = tree_of(document)
    if "resourceLogs" in record:
        return _records(record)
    if not any(name in record for name in (*_TIMES, "body", "attributes")):
        raise RejectedError(Code.NOT_AN_EVENT, detail="not a log record of OTLP")
    attributes = _named(record.get("attributes"), VALUES_DEPTH_MAX)
    body = _body(record)
    event = _told(record, body, attributes)
    id_ = first(event, _ID) or derived_id(document)
    for own in (body, attributes):
        if is_own(own):
            logged = "" if "occurred_at" in own else utc_text(_occurred_at(record))
            return [carried_row(own, id=id_, occurred_at=logged)]
    occurred_at = _occurred_at(record)
    if not has_kind(event):
        raise RejectedError(Code.NOT_AN_EVENT, "/attributes", "neither an event's name nor a request")
    return rows_of(event, id_, occurred_at, "/attributes")


def _records(request: Tree) -> Envelope:
    """Return the log records of a request, each with what is told of its resource."""
    found = []
    for number, logs in enumerate(branches(request, ("resourceLogs",))):
        attributes = at(logs, (_RESOURCE, "attributes"))
        for scopes in _SCOPES:
            for place, scope in enumerate(branches(logs, (scopes,))):
                for records in _RECORDS:
                    where = f"/resourceLogs/{number}/{scopes}/{place}/{records}"
                    for index, record in enumerate(branches(scope, (records,))):
                        found.append((f"{where}/{index}", msgspec.json.encode(record | {_RESOURCE: attributes})))
    return Envelope(found)


def _told(record: Tree, body: Tree, attributes: Tree) -> Tree:
    """Return what a record tells: its resource, its body, its attributes, its event's name; the later counts."""
    fields = _named(record.get(_RESOURCE), VALUES_DEPTH_MAX) | body | attributes
    if name := told(record.get("eventName")):
        fields.setdefault("event.name", name)
    return undotted(fields)


def _body(record: Tree) -> Tree:
    """Return a body of names and values, or of JSON in a text; nothing of any other."""
    body = _value(record.get("body"), VALUES_DEPTH_MAX)
    if isinstance(body, str) and body.startswith("{"):
        try:
            body = msgspec.json.decode(body)
        except BROKEN:
            return {}
    return body if isinstance(body, dict) else {}


def _named(pairs: object, depth: int) -> Tree:
    """Return a list of keys with their values by key."""
    listed = pairs if isinstance(pairs, list) else []
    return {told(one.get("key")): _value(one.get("value"), depth) for one in listed if isinstance(one, dict)}


def _value(value: object, depth: int) -> Any:
    """Return an AnyValue; bytes, and what is nested without end, tell nothing."""
    if not isinstance(value, dict) or depth == 0:
        return None
    for kind, held in value.items():
        if kind == "intValue" and isinstance(held, str) and _is_whole(held):  # JSON's numbers are too small for it
            return int(held)
        if kind in ("stringValue", "boolValue", "intValue", "doubleValue"):
            return held
        if kind == "arrayValue":
            return [_value(one, depth - 1) for one in branches(value, (kind, "values"))]
        if kind == "kvlistValue":
            return _named(at(value, (kind, "values")), depth - 1)
    return None


def _occurred_at(record: Tree) -> int:
    """Return when it happened, else when it was collected. 0 is not known."""
    for name in _TIMES:
        if (value := record.get(name)) is not None and told(value) != "0":
            return moment_of(value, f"/{name}")
    raise RejectedError(Code.MISSING_FIELD, f"/{_TIMES[0]}", "no time at all")


SOURCE: Final = json_source("otlp_logs", "OpenTelemetry: log records in OTLP's JSON", _read)
