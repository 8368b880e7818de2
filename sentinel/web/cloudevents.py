"""`POST /v1/cloudevents`: CloudEvents 1.0 over HTTP, binary, structured and batched; their data are the records."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from sentinel.core.errors import Rejection, RejectionCode
from sentinel.web.body import media_type_of
from sentinel.web.carried import Carried, Carrier
from sentinel.web.intake import DEFAULT_FORMAT, Receipt, format_of, known, receipt
from sentinel.web.problem import ProblemError
from sentinel.web.repeats import PARAMETERS

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
REQUIRED: Final = ("specversion", "id", "source", "type")
HEADER_PREFIX: Final = "ce-"


class _Envelope(msgspec.Struct):
    specversion: str = ""
    id: str = ""
    source: str = ""
    type: str = ""
    datacontenttype: str = "application/json"
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    data_base64: str | None = None


_envelope: Final = msgspec.json.Decoder(_Envelope)
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])
_text: Final = msgspec.json.Decoder(str)
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def router(carrier: Carrier) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["intake"])

    @routes.post("/v1/cloudevents", status_code=202, summary="Push CloudEvents", response_model=Receipt, openapi_extra=_BODY)
    async def post_cloudevents(request: Request) -> Response:
        """Take the data of one CloudEvent (binary or structured) or of a batch, as `POST /v1/events` takes records."""
        name = known(carrier.ports, format_of(request) or DEFAULT_FORMAT).name
        media_type, headers = media_type_of(request), request.headers

        def unpack(body: bytes) -> Sequence[Carried]:
            if media_type == STRUCTURED:
                return [_opened(name, body)]
            if media_type == BATCH:
                return [_opened(name, bytes(one)) for one in _batch(body)]
            return [_binary(name, body, headers)]

        return await carrier.take(request, unpack, receipt)

    return routes


def _batch(body: bytes) -> list[msgspec.Raw]:
    try:
        found = _array.decode(body)
    except _BROKEN:
        raise ProblemError(400, "bad-request", "not a JSON array") from None
    if not found:
        raise ProblemError(400, "empty")
    return found


def _binary(name: str, body: bytes, headers: Mapping[str, str]) -> Carried:
    missing = next((one for one in REQUIRED if not headers.get(HEADER_PREFIX + one)), None)
    if missing is not None:
        raise ProblemError(400, "bad-request", f"no {HEADER_PREFIX}{missing}; or say {STRUCTURED}, {BATCH}")
    return Carried(name, body)


def _opened(name: str, raw: bytes) -> Carried:
    """Return the data of an envelope."""
    try:
        envelope = _envelope.decode(raw)
        missing = next((one for one in REQUIRED if not getattr(envelope, one)), None)
        return _refused(name, raw, RejectionCode.MISSING_FIELD, f"/{missing}") if missing else Carried(name, _data(envelope))
    except msgspec.ValidationError:
        return _refused(name, raw, RejectionCode.WRONG_TYPE, "")
    except _BROKEN:
        return _refused(name, raw, RejectionCode.UNPARSEABLE, "")
    except binascii.Error:
        return _refused(name, raw, RejectionCode.BAD_VALUE, "/data_base64")
    except LookupError:
        return _refused(name, raw, RejectionCode.MISSING_FIELD, "/data")


def _data(envelope: _Envelope) -> bytes:
    """Return the record: JSON as it stands, text and bytes as they were before they were put into JSON."""
    if envelope.data_base64 is not None:
        return base64.b64decode(envelope.data_base64, validate=True)
    if envelope.data is msgspec.UNSET:
        raise LookupError
    data = bytes(envelope.data)
    is_json = envelope.datacontenttype.partition(";")[0].strip().lower().endswith("json")
    return data if is_json or not data.startswith(b'"') else _text.decode(data).encode()


def _refused(name: str, raw: bytes, code: RejectionCode, pointer: str) -> Carried:
    return Carried(name, raw, Rejection(0, code, pointer, "not a CloudEvent with data"))


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {media_type: {"schema": {"description": "CloudEvents 1.0"}} for media_type in (STRUCTURED, BATCH)},
    },
    "parameters": PARAMETERS,
}
