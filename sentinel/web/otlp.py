"""`POST /v1/logs`: OpenTelemetry's logs over HTTP (OTLP 1, protobuf and JSON); the bodies of log records are the records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response

from sentinel.web.body import media_type_of
from sentinel.web.carried import Carried, Carrier
from sentinel.web.intake import DEFAULT_FORMAT, format_of, known
from sentinel.web.problem import ProblemError
from streams.judging import Judged

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

PATH: Final = "/v1/logs"
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
INVALID_ARGUMENT: Final = 3  # google.rpc.Code
UNAVAILABLE: Final = 14
DEPTH_MAX: Final = 32


def router(carrier: Carrier) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["intake"])

    @routes.post(PATH, summary="Push logs of OpenTelemetry", openapi_extra=_BODY)
    async def post_logs(request: Request) -> Response:
        """Take log records: the text of a body, or what it holds as JSON. 200: all of it is on disk."""
        name = known(carrier.ports, format_of(request) or DEFAULT_FORMAT).name
        media_type = media_type_of(request)
        if media_type not in {PROTOBUF, JSON}:
            raise ProblemError(415, "unsupported-media-type", f"take {PROTOBUF}, {JSON}")
        return await carrier.take(
            request, lambda body: _records(name, _request(body, media_type)), lambda judged: _told(judged, media_type)
        )

    return routes


def answer_of(request: Request, problem: ProblemError) -> Response:
    """Return a problem as a `google.rpc.Status`, as OTLP has it."""
    media_type = PROTOBUF if media_type_of(request) == PROTOBUF else JSON
    code, text = UNAVAILABLE if problem.status == 503 else INVALID_ARGUMENT, problem.detail or problem.code
    content = _status(code, text) if media_type == PROTOBUF else json.dumps({"code": code, "message": text}).encode()
    return Response(content, status_code=problem.status, media_type=media_type, headers=problem.headers)


def _request(body: bytes, media_type: str) -> ExportLogsServiceRequest:
    from google.protobuf import json_format  # type: ignore[import-untyped]  # noqa: PLC0415 - for those who send OTLP alone
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # noqa: PLC0415
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest  # noqa: PLC0415

    asked = ExportLogsServiceRequest()
    try:
        if media_type == PROTOBUF:
            asked.ParseFromString(body)
        else:
            json_format.Parse(body, asked, ignore_unknown_fields=True)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError, RecursionError):
        raise ProblemError(400, "bad-request", "not an ExportLogsServiceRequest") from None
    return asked


def _records(name: str, asked: ExportLogsServiceRequest) -> list[Carried]:
    logs = [log for resource in asked.resource_logs for scope in resource.scope_logs for log in scope.log_records]
    return [Carried(name, _raw(log.body if log.HasField("body") else _attributes(log))) for log in logs]


def _attributes(log: Any) -> Any:
    """Return the attributes as a value: of a log record without body they are what it says."""
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValueList  # noqa: PLC0415

    return AnyValue(kvlist_value=KeyValueList(values=log.attributes))


def _raw(value: Any) -> bytes:
    """Return a text or bytes as they are, anything else as JSON."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return bytes(value.string_value.encode())
    if kind == "bytes_value":
        return bytes(value.bytes_value)
    return json.dumps(_plain(value, 0), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _plain(value: Any, depth: int) -> Any:
    kind = value.WhichOneof("value")
    if kind is None or depth > DEPTH_MAX:
        return None
    if kind == "kvlist_value":
        return {one.key: _plain(one.value, depth + 1) for one in value.kvlist_value.values}
    if kind == "array_value":
        return [_plain(one, depth + 1) for one in value.array_value.values]
    found = getattr(value, kind)
    return found.hex() if isinstance(found, bytes) else found


def _told(judged: Sequence[Judged], media_type: str) -> Response:
    """Return how many could not be read: they are kept aside, and need not come again."""
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service  # noqa: PLC0415

    rejected = sum(not one.readable for one in judged)
    text = f"{rejected} records could not be read; they are kept aside" if rejected else ""
    if media_type == JSON:
        told = {"partialSuccess": {"rejectedLogRecords": str(rejected), "errorMessage": text}} if rejected else {}
        return Response(json.dumps(told), media_type=JSON)
    partial = service.ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=text) if rejected else None
    return Response(service.ExportLogsServiceResponse(partial_success=partial).SerializeToString(), media_type=PROTOBUF)


def _status(code: int, text: str) -> bytes:
    """Return a `google.rpc.Status` in protobuf: field 1 the code, field 2 the message, of fewer than 16,384 bytes."""
    message = text.encode()[:16_000]
    size = len(message)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([0x08, code, 0x12]) + length + message


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {one: {"schema": {"description": "ExportLogsServiceRequest"}} for one in (PROTOBUF, JSON)},
    },
}
