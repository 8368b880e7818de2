"""An event in Sentinel's own words: an `AccessEvent` as a JSON object, alone or carried by another format."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import astuple
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import (
    COUNT_MAX,
    REASON_MAX,
    TEXT_MAX,
    TIME_MAX_US,
    TIME_MIN_US,
    AccessEvent,
    EventRow,
    microseconds,
    normal_address,
    row_of,
)

RECORD_BYTES_MAX: Final = 262_144  # three times the longest event, every character of it escaped
ADDRESSES_MAX: Final = 65_536
BOM: Final = b"\xef\xbb\xbf"

Text = Annotated[str, Meta(max_length=TEXT_MAX)]
Name = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
# fmt: off
ActionName = Literal[
    "login", "login-failed", "logout", "search", "read", "create", "update", "delete", "export", "import",
    "print", "share", "permission-change", "break-glass", "execute", "other",
]
# fmt: on
OutcomeName = Literal["success", "minor-failure", "serious-failure", "major-failure", "unknown"]
ActorTypeName = Literal["human", "service", "patient"]
DestinationName = Literal["", "removable", "email", "paper", "link", "other"]


class Line(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """The fields of `AccessEvent`, decoded at C speed, in the order of `EventRow`; the property tests hold them together."""

    id: Name
    occurred_at: Annotated[datetime, Meta(tz=True)]
    action: ActionName
    outcome: OutcomeName = "success"
    actor_id: Name
    actor_type: ActorTypeName = "human"
    actor_role: Text = ""
    actor_unit: Text = ""
    actor_rpps: Text = ""
    patient_id: Text = ""
    resource_type: Text = ""
    resource_id: Text = ""
    resource_sensitivity: Text = ""
    resource_count: Annotated[int, Meta(ge=0, le=COUNT_MAX)] = 1
    purpose: Text = ""
    reason: Annotated[str, Meta(max_length=REASON_MAX)] = ""
    client_address: Text = ""
    device: Text = ""
    application: Text = ""
    site: Text = ""
    session: Text = ""
    destination: DestinationName = ""


_TIME, _ADDRESS = map(Line.__struct_fields__.index, ("occurred_at", "client_address"))
_decode_line: Final = msgspec.json.Decoder(Line).decode
_address: Final = lru_cache(maxsize=ADDRESSES_MAX)(normal_address)
# A control character can only come escaped: raw ones are not JSON. A backslash before may escape this
# one, which costs the slow way and nothing else.
_may_hold_controls: Final = re.compile(rb"\\(?:u00[01]|[bf])").search
_new_row: Final = tuple.__new__  # a third of the time of EventRow(...)


def own_row(record: bytes) -> EventRow:
    """Return the row by the fast way, by the reference model when that has anything to say against it.

    Raises:
        RejectedError: what the model complains about first.
    """
    try:
        line = _decode_line(record)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _row_by_model(record)
    moment = microseconds(line.occurred_at)
    if not TIME_MIN_US <= moment < TIME_MAX_US or (b"\\" in record and _may_hold_controls(record)):
        return _row_by_model(record)
    told = [*astuple(line)]
    told[_TIME] = moment
    told[_ADDRESS] = _address(line.client_address)
    told.insert(_TIME, "")  # for `sub`
    told.append("")  # and for `marks`
    return _new_row(EventRow, told)


def _row_by_model(record: bytes) -> EventRow:
    """Return the row as `AccessEvent` reads it, a byte order mark aside, or its first complaint."""
    if len(record) > RECORD_BYTES_MAX:
        raise RejectedError(Code.TOO_LARGE, detail=f"more than {RECORD_BYTES_MAX} bytes")
    try:
        record.decode()
    except UnicodeDecodeError:
        raise RejectedError(Code.NOT_UTF8) from None
    try:
        return row_of(AccessEvent.model_validate_json(record.removeprefix(BOM)))
    except ValidationError as error:
        raise _rejected(error.errors(include_url=False, include_context=False, include_input=False)[0]) from None


_CODES: Final = {
    "missing": (Code.MISSING_FIELD, "required"),
    "string_type": (Code.WRONG_TYPE, "not a string"),
    "int_type": (Code.WRONG_TYPE, "not a whole number"),
    "finite_number": (Code.WRONG_TYPE, "not a whole number"),
    "model_type": (Code.WRONG_TYPE, "not an object"),
    "string_too_long": (Code.BAD_VALUE, "too long"),
    "string_too_short": (Code.BAD_VALUE, "empty"),
    "enum": (Code.BAD_VALUE, "not in the value set"),
    "greater_than_equal": (Code.BAD_VALUE, f"not in 0..{COUNT_MAX}"),
    "less_than_equal": (Code.BAD_VALUE, f"not in 0..{COUNT_MAX}"),
}


def _rejected(error: ErrorDetails) -> RejectedError:
    """Return pydantic's first complaint as ours: a name is told only when it is one of our own fields."""
    kind, pointer = error["type"], "".join(f"/{part}" for part in error["loc"])
    if kind == "json_invalid":
        deep = "recursion limit" in error["msg"]
        return RejectedError(Code.TOO_DEEP if deep else Code.UNPARSEABLE)
    if kind == "extra_forbidden":
        return RejectedError(Code.UNKNOWN_FIELD, detail="a field that AccessEvent does not have")
    if pointer == "/occurred_at" and kind != "missing":
        return RejectedError(Code.BAD_TIME, pointer, "not an RFC 3339 time with an offset, in 1990..2100")
    code, detail = _CODES.get(kind, (Code.BAD_VALUE, "control character"))
    return RejectedError(code, pointer, detail)


def is_own(told: dict[str, Any]) -> bool:
    """Return whether an object that another format carries is an event in Sentinel's own words."""
    return "actor_id" in told and "action" in told


def carried_row(told: dict[str, Any], **by_carrier: str) -> EventRow:
    """Return the row of an event that another format carries; what it does not say itself the carrier tells.

    Raises:
        RejectedError: as of `own_row`.
    """
    return own_row(msgspec.json.encode({name: value for name, value in by_carrier.items() if value} | told))
