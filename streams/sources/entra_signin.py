"""Entra ID's sign-ins and directory audit, as Microsoft Graph, diagnostic settings and Log Analytics write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct, field

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.microsoft.directory import INTERRUPTED, activity
from streams.sources.shared.documents import BROKEN, Envelope, carried, json_source, refusal
from streams.sources.shared.meanings import LOGIN, LOGIN_FAILED, OTHER
from streams.sources.shared.values import FAILURE, HUMAN, SERVICE, SUCCESS, UNKNOWN, address, derived_id, host, instant, row, told

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

_RISKS: Final = frozenset({"low", "medium", "high"})
_NOTHING: Final = Raw()


class Status(Struct, rename="camel", gc=False):
    """`status` of a sign-in: 0 when it went through."""

    error_code: Any = None
    failure_reason: Any = None


class Device(Struct, rename="camel", gc=False):
    """`deviceDetail`."""

    display_name: Any = None


class Who(Struct, rename="camel", gc=False):
    """A user or an application, of `initiatedBy`."""

    id: Any = None
    user_principal_name: Any = None
    display_name: Any = None
    ip_address: Any = None
    service_principal_id: Any = None
    service_principal_name: Any = None
    app_id: Any = None


class Initiator(Struct, rename="camel", gc=False):
    """`initiatedBy`."""

    user: Who | None = None
    app: Who | None = None


class Target(Struct, rename="camel", gc=False):
    """One of `targetResources`; old records write `Type`."""

    id: Any = None
    display_name: Any = None
    user_principal_name: Any = None
    type: Any = None
    old_type: Any = field(default=None, name="Type")


class Record(Struct, rename="camel", gc=False):
    """A sign-in or an activity; or what carries them: a page of Graph, an Event Hub's `records`, `properties`."""

    id: Any = None
    created_date_time: str | None = None
    activity_date_time: str | None = None
    time: str | None = None
    time_generated: str | None = None
    operation_name: Any = None
    category: Any = None
    # Sign-ins
    user_principal_name: Any = None
    user_id: Any = None
    user_display_name: Any = None
    service_principal_id: Any = None
    service_principal_name: Any = None
    app_display_name: Any = None
    app_id: Any = None
    resource_display_name: Any = None
    ip_address: Any = None
    caller_ip_address: Any = None
    identity: Any = None
    status: Status | str | None = None
    result_type: Any = None
    result_description: Any = None
    device_detail: Device | str | None = None
    risk_level_during_sign_in: Any = None
    session_id: Any = None
    correlation_id: Any = None
    # Activities
    activity_display_name: Any = None
    result: Any = None
    result_reason: Any = None
    initiated_by: Initiator | str | None = None
    target_resources: list[Target] | str | None = None
    logged_by_service: Any = None
    # What carries
    properties: Raw = _NOTHING
    records: list[Raw] | None = None
    value: list[Raw] | None = None


_decode_record: Final = msgspec.json.Decoder(Record).decode
_NOBODY: Final = Who()


def _read(document: bytes) -> list[EventRow] | Envelope:
    record = _decode_record(document)
    if record.records is not None:
        return carried("/records", record.records)
    if record.value is not None:
        return carried("/value", record.value)
    if not _is_event(record):
        record = _diagnostic(record) if bytes(record.properties).startswith(b"{") else _from_table(document)
    if record.activity_date_time is not None or record.activity_display_name is not None:
        return [_activity(record, document)]
    return [_sign_in(record, document)]


def _diagnostic(record: Record) -> Record:
    """Return what a diagnostic record holds in `properties`; what is not told there is told beside it.

    Raises:
        RejectedError: of another log than the sign-ins' and the directory's; not of their types.
    """
    raw = bytes(record.properties)
    log = f"{told(record.category)} {told(record.operation_name)}".lower()
    if not any(one in log for one in ("signinlogs", "sign-in activity", "auditlogs")):
        raise RejectedError(Code.NOT_AN_EVENT, detail="neither a sign-in nor a directory activity")
    try:
        inner = _decode_record(raw)
    except BROKEN as error:
        raise refusal(error, raw, "/properties") from None
    if "auditlogs" in log:
        inner.activity_display_name = inner.activity_display_name or record.operation_name
        inner.activity_date_time = inner.activity_date_time or record.time
    inner.created_date_time = inner.created_date_time or record.time
    inner.ip_address = inner.ip_address or record.caller_ip_address
    inner.result_type = inner.result_type or record.result_type
    inner.result_description = inner.result_description or record.result_description
    inner.user_display_name = inner.user_display_name or record.identity
    return inner


def _is_event(record: Record) -> bool:
    return record.created_date_time is not None or record.activity_date_time is not None


def _from_table(document: bytes) -> Record:
    """Return a row of Log Analytics under Graph's names; what is JSON in a text is opened.

    Raises:
        RejectedError: neither a row nor a sign-in nor an activity.
    """
    fields = msgspec.json.decode(document, type=dict[str, Any])
    if "TimeGenerated" not in fields or not ("OperationName" in fields or "UserPrincipalName" in fields):
        raise RejectedError(Code.NOT_AN_EVENT, detail="neither a sign-in nor a directory activity")
    named = {_graph_name(name): _opened(value) for name, value in fields.items()}
    if str(named.get("category", "")).lower() == "auditlogs" or "InitiatedBy" in fields:
        named.setdefault("activityDisplayName", named.get("operationName"))
        named.setdefault("activityDateTime", named["timeGenerated"])
    named.setdefault("createdDateTime", named["timeGenerated"])
    return msgspec.convert(named, Record)


def _graph_name(name: str) -> str:
    return "ipAddress" if name == "IPAddress" else name[:1].lower() + name[1:]


def _opened(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return value
    return value


def _sign_in(record: Record, document: bytes) -> EventRow:
    """Return the row of a sign-in; one that was interrupted to ask for more is neither a login nor a failed one."""
    code, reason = _status(record)
    action, outcome = (LOGIN, SUCCESS) if code in ("0", "") else (LOGIN_FAILED, FAILURE)
    if code.isdigit() and int(code[:9]) in INTERRUPTED:
        action, outcome = OTHER, UNKNOWN
    actor, actor_type = _signed_in(record)
    device = record.device_detail
    return row(
        told(record.id) or derived_id(document),
        instant(record.created_date_time or "", "/createdDateTime", utc=True),
        action,
        actor,
        outcome,
        actor_at="/userPrincipalName",
        actor_type=actor_type,
        resource_type="sign-in-interrupted" if action == OTHER else "",
        reason=reason,
        client=address(told(record.ip_address)),
        device=host(told(device.display_name)) if isinstance(device, Device) else "",
        application=told(record.app_display_name) or told(record.resource_display_name) or told(record.app_id),
        session=told(record.session_id) or told(record.correlation_id),
    )


def _status(record: Record) -> tuple[str, str]:
    """Return the code ("0" or empty: it went through) and why not; of a sign-in that did, its risk."""
    status = record.status if isinstance(record.status, Status) else Status()
    code = told(status.error_code) or told(record.result_type)
    text = told(status.failure_reason) or told(record.result_description)
    if code not in ("0", ""):
        return code, f"{code} {text}".strip()
    risk = told(record.risk_level_during_sign_in).lower()
    return code, f"risk {risk}" if risk in _RISKS else ""


def _signed_in(record: Record) -> tuple[str, str]:
    """Return who signed in: a user by UPN in lower case, else by id; a service principal by name."""
    user = told(record.user_principal_name) or told(record.user_id)
    if user:
        return user.lower(), HUMAN
    service = told(record.service_principal_name) or told(record.service_principal_id)
    return (service.lower(), SERVICE) if service else (told(record.user_display_name).lower(), HUMAN)


def _activity(record: Record, document: bytes) -> EventRow:
    name = told(record.activity_display_name) or told(record.operation_name)
    action = activity(name)
    by = record.initiated_by if isinstance(record.initiated_by, Initiator) else Initiator()
    user, app = by.user or _NOBODY, by.app or _NOBODY
    actor = told(user.user_principal_name) or told(user.id) or told(user.display_name)
    service = told(app.display_name) or told(app.service_principal_name) or told(app.service_principal_id) or told(app.app_id)
    resource_type, resource_id, others = _targets(record)
    failed = told(record.result).lower() not in ("success", "")
    return row(
        told(record.id) or derived_id(document),
        instant(record.activity_date_time or record.created_date_time or "", "/activityDateTime", utc=True),
        action,
        (actor or service or told(record.logged_by_service)).lower(),
        FAILURE if failed else SUCCESS,
        actor_at="/initiatedBy",
        actor_type=HUMAN if actor else SERVICE,
        resource_type=name if action == OTHER else resource_type,
        resource_id=resource_id,
        reason=told(record.result_reason) if failed else others,
        client=address(told(user.ip_address) or told(app.ip_address)),
        application=told(record.logged_by_service),
        session=told(record.correlation_id),
    )


def _targets(record: Record) -> tuple[str, str, str]:
    """Return the kind and name of the first thing an activity was done to, and the names of the others."""
    targets = record.target_resources if isinstance(record.target_resources, list) else []
    named = [
        ((told(one.type) or told(one.old_type)).lower(), told(one.user_principal_name) or told(one.display_name) or told(one.id))
        for one in targets
    ]
    if not named:
        return "", "", ""
    others = ", ".join(f"{kind} {name}".strip() for kind, name in named[1:])
    return named[0][0], _folded(*named[0]), f"with {others}" if others else ""


def _folded(kind: str, name: str) -> str:
    return name.lower() if kind == "user" else name


def _parts(document: bytes) -> Envelope | None:
    record = _decode_record(document)
    return carried("", record.records or record.value or ()) if record.records or record.value else None


SOURCE: Final = json_source(
    name="entra_signin",
    title="Entra ID (Azure AD): sign-ins and directory audit",
    read=_read,
    parts=_parts,
)
