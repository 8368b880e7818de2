"""CloudEvents (0.3, 1.0) in JSON, alone or in batches, that carry an access in Sentinel's own words or in ECS."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.ids import derive
from streams.sources.elastic.schema import has_kind, rows_of
from streams.sources.shared.documents import BROKEN, json_source, refusal
from streams.sources.shared.own import carried_row, is_own
from streams.sources.shared.trees import Tree, at, tree_of, undotted
from streams.sources.shared.values import moment_of, told

if TYPE_CHECKING:
    from sentinel.core.event import EventRow


_MEDIA_TYPES: Final = ("application/cloudevents+json", "application/cloudevents-batch+json")


def _read(document: bytes) -> list[EventRow]:
    event = tree_of(document)
    for name in ("specversion", "id", "source"):
        if not told(event.get(name)):
            code = Code.NOT_AN_EVENT if name == "specversion" else Code.MISSING_FIELD
            raise RejectedError(code, "" if name == "specversion" else f"/{name}", "an attribute of every CloudEvent")
    data = _data(event)
    try:
        return _rows(event, data)
    except RejectedError as error:
        raise RejectedError(error.code, "/time" if error.pointer == "/time" else f"/data{error.pointer}", error.detail) from None


def _rows(event: Tree, data: Tree) -> list[EventRow]:
    """Return the rows of what an event carries. A CloudEvent is told apart by its source and id together."""
    id_ = derive("event", told(event["source"]), told(event["id"]))
    if is_own(data):
        time = event.get("time")
        return [carried_row(data, id=id_, occurred_at=time if isinstance(time, str) else "")]
    fields = undotted(data)
    if not has_kind(fields):
        raise RejectedError(Code.NOT_AN_EVENT, detail="neither an event of Sentinel nor of ECS")
    logged: Any = fields.get("@timestamp")
    occurred_at = moment_of(event.get("time"), "/time") if logged is None else moment_of(logged, "/@timestamp", utc=True)
    return rows_of(fields, told(at(fields, ("event", "id"))) or id_, occurred_at, "/user")


def _data(event: Tree) -> Tree:
    """Return the data: an object, JSON in a text, or either in base64.

    Raises:
        RejectedError: at `/data` or `/data_base64`.
    """
    data = event.get("data")
    if data is None and isinstance(encoded := event.get("data_base64"), str):
        try:
            return _opened(base64.b64decode(encoded, validate=True), "/data_base64")
        except (binascii.Error, ValueError):
            raise RejectedError(Code.BAD_VALUE, "/data_base64", "not base64") from None
    if isinstance(data, str):
        return _opened(data.encode(), "/data")
    if not isinstance(data, dict):
        raise RejectedError(Code.NOT_AN_EVENT, "/data", "no object")
    return data


def _opened(text: bytes, pointer: str) -> Tree:
    try:
        return msgspec.json.decode(text, type=Tree)
    except BROKEN as error:
        raise refusal(error, text, pointer) from None


SOURCE: Final = json_source("cloudevents", "CloudEvents that carry Sentinel's own events, or ECS", _read, also=_MEDIA_TYPES)
