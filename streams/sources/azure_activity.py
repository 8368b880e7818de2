"""Azure's activity log, and what resources log of their own use: Key Vault, Storage, as diagnostic settings write them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.shared.documents import Envelope, carried, json_source
from streams.sources.shared.meanings import (
    BY_VERB,
    CREATE,
    DELETE,
    EXECUTE,
    EXPORT,
    LINK,
    LOGIN,
    LOGIN_FAILED,
    NAMES_MAX,
    OTHER,
    READ,
    RIGHTS,
    UPDATE,
    words,
)
from streams.sources.shared.values import (
    FAILURE,
    HUMAN,
    SERIOUS,
    SERVICE,
    SUCCESS,
    UNKNOWN,
    address,
    derived_id,
    instant,
    row,
    told,
)

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

OPERATION_CHARACTERS_MAX: Final = 512


_SCHEMA: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"


class Record(Struct, rename="camel", gc=False):
    """An event of the log, in the API's shape or in the diagnostic one; or an Event Hub's `records`, a page's `value`."""

    time: str | None = None
    event_timestamp: str | None = None
    event_data_id: Any = None
    id: Any = None
    operation_name: Any = None
    operation_version: Any = None
    category: Any = None
    caller: Any = None
    claims: Any = None
    identity: Any = None
    caller_ip_address: Any = None
    http_request: Any = None
    authorization: Any = None
    resource_id: Any = None
    resource_type: Any = None
    result_type: Any = None
    result_signature: Any = None
    result_description: Any = None
    status: Any = None
    status_code: Any = None
    status_text: Any = None
    correlation_id: Any = None
    properties: Any = None
    uri: Any = None
    records: list[Raw] | None = None
    value: list[Raw] | None = None


_decode_record: Final = msgspec.json.Decoder(Record).decode

_rights: Final = re.compile(
    r".*/(?:roleassignments|roledefinitions|accesspolicies|policyassignments|locks|denyassignments|rolemanagementpolicies|"
    r"roleeligibilityschedulerequests|roleassignmentschedulerequests|federatedidentitycredentials|firewallrules|securityrules)/"
    r"|.*/(?:elevateaccess|regeneratekey|regenerateaccesskey|networksecuritygroups)/|.*/diagnosticsettings/",
).match
_keys: Final = re.compile(
    r".*/(?:list\w*(?:keys?|secrets?|credentials?|connectionstrings?|sas)|get\w*credentials?)/action$"
).match
# A signed address from which whoever has it can fetch a disk or a snapshot.
_signed: Final = re.compile(r".*/(?:begingetaccess|generateexportsas)/action$").match
_exports: Final = re.compile(r".*/\w*export\w*/|.*/(?:backup|capture|copyexport)/action$").match
_runs: Final = re.compile(r".*/(?:runcommand\w*|invoke\w*|execute\w*)/").match
_STORAGE: Final = {
    "setcontaineracl": RIGHTS,
    "setblobserviceproperties": UPDATE,
    "getuserdelegationkey": READ,
    "preflightblobrequest": OTHER,
    "authentication": LOGIN,
    "vaultput": UPDATE,
    "vaultpatch": UPDATE,
}
_SUCCESSES: Final = frozenset(
    {"success", "succeeded", "accept", "accepted", "active", "resolved", "ok", "created", "updated", ""}
)
_STARTS: Final = frozenset({"start", "started", "inprogress", "running"})
_NEW: Final = frozenset({"created", "201"})


def _read(document: bytes) -> list[EventRow] | Envelope:
    record = _decode_record(document)
    if record.records is not None:
        return carried("/records", record.records)
    if record.value is not None and record.operation_name is None:
        return carried("/value", record.value)
    if record.operation_name is None:
        record = _from_table(document)
    return [_row(record, document)]


def _from_table(document: bytes) -> Record:
    """Return a row of Log Analytics' AzureActivity, or of a resource's own table, under the names of the log.

    Raises:
        RejectedError: neither a row nor an event.
    """
    fields = msgspec.json.decode(document, type=dict[str, Any])
    operation = fields.get("OperationNameValue") or fields.get("OperationName")
    if not operation or "TimeGenerated" not in fields:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not an event of Azure")
    named = {
        "operationName": operation,
        "time": fields["TimeGenerated"],
        "eventDataId": fields.get("EventDataId"),
        "caller": fields.get("Caller") or fields.get("RequesterUpn") or fields.get("identity_claim_upn_s"),
        "callerIpAddress": fields.get("CallerIpAddress") or fields.get("CallerIPAddress"),
        "resultType": fields.get("ActivityStatusValue") or fields.get("ResultType") or fields.get("StatusText"),
        "resultSignature": fields.get("ActivitySubstatusValue") or fields.get("ResultSignature"),
        "statusCode": fields.get("StatusCode"),
        "resourceId": fields.get("_ResourceId") or fields.get("ResourceId"),
        "correlationId": fields.get("CorrelationId"),
        "category": fields.get("CategoryValue") or fields.get("Category"),
        "uri": fields.get("Uri"),
    }
    return msgspec.convert(named, Record)


def _row(record: Record, document: bytes) -> EventRow:
    operation = _value(record.operation_name)
    if not operation:
        raise RejectedError(Code.WRONG_TYPE, "/operationName", "not a name")
    action, destination = _of_operation(operation[:OPERATION_CHARACTERS_MAX])
    outcome, reason = _outcome(record)
    if action == LOGIN and outcome == FAILURE:
        action = LOGIN_FAILED
    if action == UPDATE and not _NEW.isdisjoint({_value(record.result_signature).lower(), _sub_status(record)}):
        action = CREATE
    if not destination and _by_link(record):
        destination = LINK
    actor, actor_type = _actor(record)
    where = "/eventTimestamp" if record.event_timestamp is not None else "/time"
    time = record.event_timestamp or record.time
    if time is None:
        raise RejectedError(Code.MISSING_FIELD, "/time", "no time at all")
    resource = told(record.resource_id) or told(record.uri)
    return row(
        told(record.event_data_id) or derived_id(document),
        instant(time, where, utc=True),
        action,
        actor,
        outcome,
        actor_at="/identity",
        actor_type=actor_type,
        resource_type=operation if action == OTHER else _type_of(operation, record),
        resource_id=_object(record) or resource.lower(),
        reason=reason,
        client=_client(record),
        application=_application(operation, resource),
        session=told(record.correlation_id),
        destination=destination,
    )


def _value(value: object) -> str:
    """Return a name, which the API tells with its translation beside it."""
    return told(value.get("value")) if isinstance(value, dict) else told(value)


@lru_cache(maxsize=NAMES_MAX)
def _of_operation(operation: str) -> tuple[str, str]:
    """Return what an operation did: `Microsoft.Compute/disks/delete` by its last part, `SecretGet` by its verb."""
    name = operation.lower()
    if "/" not in name:
        return _of_name(operation), ""
    if _signed(name):
        return EXPORT, LINK
    last = name.rpartition("/")[2]
    if last == "read":
        return READ, ""
    for found, action in ((_rights, RIGHTS), (_keys, READ), (_exports, EXPORT), (_runs, EXECUTE)):
        if found(name):
            return action, ""
    if last in ("write", "delete"):
        return (UPDATE if last == "write" else DELETE), ""
    if last != "action":
        return OTHER, ""
    verbs = words(operation.rpartition("/")[0].rpartition("/")[2])
    return (BY_VERB.get(verbs[0], OTHER) if verbs else OTHER), ""


def _of_name(name: str) -> str:
    """Return what a name such as `GetBlob`, `SecretGet` or `KeyListVersions` did: by the first word that is a verb."""
    if name.lower() in _STORAGE:
        return _STORAGE[name.lower()]
    verbs = (BY_VERB.get(word) for word in words(name))
    return next(filter(None, verbs), OTHER)


def _outcome(record: Record) -> tuple[str, str]:
    """Return how it ended, and why not. What only began is not known: its end is another event."""
    result = (_value(record.result_type) or _value(record.status) or told(record.status_text)).lower()
    code = _http_code(record)
    reason = told(record.result_description) or told(record.result_signature)
    if code >= 500:
        return SERIOUS, f"{code} {reason}".strip()
    if code >= 400:
        return FAILURE, f"{code} {reason}".strip()
    if result in _STARTS:
        return UNKNOWN, ""
    if result in _SUCCESSES or (not record.result_type and 200 <= code < 400):
        return SUCCESS, ""
    return FAILURE, reason or result


def _http_code(record: Record) -> int:
    properties = record.properties if isinstance(record.properties, dict) else {}
    for value in (record.status_code, properties.get("httpStatusCode"), properties.get("statusCode")):
        text = told(value)
        if text.isascii() and text.isdigit() and len(text) == 3:
            return int(text)
    return 0


def _sub_status(record: Record) -> str:
    properties = record.properties if isinstance(record.properties, dict) else {}
    return told(properties.get("statusCode")).lower()


def _actor(record: Record) -> tuple[str, str]:
    """Return who acted, in lower case: a person by UPN; a program by its id; whoever holds a key or a link by its kind."""
    identity = record.identity if isinstance(record.identity, dict) else {}
    claims = next((one for one in (record.claims, identity.get("claims"), identity.get("claim")) if isinstance(one, dict)), {})
    requester = identity.get("requester") if isinstance(identity.get("requester"), dict) else {}
    upn = (
        _first(claims, f"{_SCHEMA}upn", "upn", f"{_SCHEMA}name", "unique_name", "preferred_username")
        or _first(requester or {}, "upn")
        or told(record.caller)
    )
    machine = upn or _first(
        claims, "appid", f"{_SCHEMA}spn", "oid", "http://schemas.microsoft.com/identity/claims/objectidentifier"
    )
    machine = machine or _first(requester or {}, "appId", "objectId") or told(identity.get("type"))
    name = machine or _logged_by(record)
    person = "@" in name or (bool(upn) and told(claims.get("idtyp")) != "app" and f"{_SCHEMA}upn" in claims)
    return name.lower(), HUMAN if person or name == "Anonymous" else SERVICE


def _by_link(record: Record) -> bool:
    """Return whether whoever has the address was let in: a signed one (SAS), or a public one."""
    return isinstance(record.identity, dict) and told(record.identity.get("type")) in ("SAS", "Anonymous")


def _first(fields: dict[str, Any], *names: str) -> str:
    return next(filter(None, (told(fields.get(name)) for name in names)), "")


def _logged_by(record: Record) -> str:
    """Return the service that logs what nobody asked for: an alert, a health event."""
    return _value(record.operation_name).partition("/")[0] if "/" in _value(record.operation_name) else ""


def _client(record: Record) -> str:
    request = record.http_request if isinstance(record.http_request, dict) else {}
    return address(told(record.caller_ip_address) or told(request.get("clientIpAddress")))


def _application(operation: str, resource: str) -> str:
    """Return the provider, such as `microsoft.keyvault`."""
    if "/" in operation:
        return operation.partition("/")[0].lower()
    _, _, after = resource.lower().partition("/providers/")
    return after.partition("/")[0]


def _type_of(operation: str, record: Record) -> str:
    """Return the kind of thing: `microsoft.compute/disks`; of a resource's own log, the kind that its name tells."""
    if "/" in operation:
        parts = operation.lower().split("/")
        return "/".join(parts[: -2 if parts[-1] == "action" else -1])
    kind = next((word for word in words(operation) if word not in BY_VERB), "")
    return kind or _value(record.category).lower()


def _object(record: Record) -> str:
    """Return the thing inside a resource that its own log names: a secret, a blob."""
    properties = record.properties if isinstance(record.properties, dict) else {}
    return told(properties.get("id")) or told(record.uri).partition("?")[0]


def _parts(document: bytes) -> Envelope | None:
    record = _decode_record(document)
    return carried("/records", record.records) if record.records is not None else None


SOURCE: Final = json_source(
    name="azure_activity",
    title="Azure activity log, Key Vault and Storage logs",
    read=_read,
    parts=_parts,
)
