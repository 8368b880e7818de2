"""Google Cloud's audit logs: admin activity, data access, system events and denials, as Cloud Logging writes and exports them."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct, field

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import TEXT_MAX
from sentinel.core.ids import derive
from streams.sources.google.names import meaning_of
from streams.sources.shared.documents import Envelope, carried, json_source
from streams.sources.shared.meanings import (
    BY_VERB,
    CREATE,
    EXECUTE,
    EXPORT,
    IMPORT,
    LINK,
    LOGIN,
    LOGIN_FAILED,
    NAMES_MAX,
    OTHER,
    READ,
    RIGHTS,
    SEARCH,
    SHARE,
    by_pattern,
    patterns,
)
from streams.sources.shared.values import FAILURE, HUMAN, SERIOUS, SERVICE, SUCCESS, address, derived_id, instant, row, told

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

# ruff: noqa: N815 - the names are those of the entries

METHOD_CHARACTERS_MAX: Final = 512


class Principal(Struct, gc=False):
    """Who acts through a service account."""

    principalEmail: Any = None


class Delegation(Struct, gc=False):
    """One step of `serviceAccountDelegationInfo`."""

    firstPartyPrincipal: Principal | None = None
    principalSubject: Any = None


class Authentication(Struct, gc=False):
    """`authenticationInfo`."""

    principalEmail: Any = None
    principalSubject: Any = None
    serviceAccountDelegationInfo: list[Delegation] | None = None


class Metadata(Struct, gc=False):
    """`requestMetadata`."""

    callerIp: Any = None


class Status(Struct, gc=False):
    """`status`: a code of google.rpc.Code, 0 or absent when it went through."""

    code: Any = None
    message: Any = None


class Authorization(Struct, gc=False):
    """One of `authorizationInfo`."""

    granted: Any = None


class Delta(Struct, gc=False):
    """One change of a policy."""

    action: Any = None
    member: Any = None


class PolicyDelta(Struct, gc=False):
    """`serviceData.policyDelta`."""

    bindingDeltas: list[Delta] | None = None


class ServiceData(Struct, gc=False):
    """`serviceData`."""

    policyDelta: PolicyDelta | None = None


class Reported(Struct, gc=False):
    """An event of Workspace inside `metadata`."""

    eventName: Any = None
    parameter: list[Any] | None = None


class Extra(Struct, gc=False):
    """`metadata`: of Workspace its events, of BigQuery the job."""

    event: list[Reported] | None = None
    jobInsertion: Any = None
    jobChange: Any = None


class Payload(Struct, gc=False):
    """`protoPayload`: google.cloud.audit.AuditLog."""

    kind: Any = field(default=None, name="@type")
    serviceName: Any = None
    methodName: Any = None
    resourceName: Any = None
    authenticationInfo: Authentication | None = None
    requestMetadata: Metadata | None = None
    status: Status | None = None
    authorizationInfo: list[Authorization] | None = None
    serviceData: ServiceData | None = None
    metadata: Extra | None = None


class Resource(Struct, gc=False):
    """`resource` of an entry."""

    type: Any = None


class PubSub(Struct, gc=False):
    """`message` of a push."""

    data: Any = None


class Entry(Struct, gc=False):
    """A log entry; or what carries some: a Pub/Sub push, a page of `entries`."""

    insertId: Any = None
    logName: Any = None
    timestamp: str | None = None
    receiveTimestamp: str | None = None
    resource: Resource | None = None
    protoPayload: Payload | None = None
    entries: list[Raw] | None = None
    message: PubSub | str | None = None


_decode_entry: Final = msgspec.json.Decoder(Entry).decode
_NOBODY: Final = Authentication()
_SYSTEM_FAULTS: Final = frozenset({"2", "4", "8", "13", "14", "15"})  # google.rpc.Code: unknown, deadline, exhausted, internal …
_EVERYBODY: Final = frozenset({"allUsers", "allAuthenticatedUsers"})
_LOGINS: Final = "google.login.LoginService."
_ADMINS: Final = "google.admin.AdminService."
_PATTERNS: Final = patterns(
    (r"(?!get|test|list)\w*(?:IamPolicy|IamPermissions|ServiceAccountKey|HmacKey|AccessControls?)$", RIGHTS),
    (r"Generate(?:AccessToken|IdToken)$|SignInWith\w+$", LOGIN),
    (r"(?!get|list)\w*Export\w*$", EXPORT),
    (r"(?!get|list)\w*Import\w*$", IMPORT),
    flags=re.IGNORECASE,
)
_jobs: Final = re.compile(r"(?:.*\.)?(?:jobservice|jobs)\.(?:insert|insertjob|query|jobcompleted)$", re.IGNORECASE).match
_table_rows: Final = re.compile(r"(?:.*\.)?tabledata(?:service)?\.list$", re.IGNORECASE).match
_JOBS: Final = {
    "QUERY": SEARCH,
    "EXPORT": EXPORT,
    "EXTRACT": EXPORT,
    "IMPORT": IMPORT,
    "LOAD": IMPORT,
    "COPY": CREATE,
}
_rights: Final = re.compile(
    r"io\.k8s\.authorization\.rbac\.|.*\.(?:roles|rolebindings|clusterrolebindings)\.(?!get|list|watch)"
).match
_commands: Final = re.compile(r"io\.k8s\.core\.v\d\.pods\.(?:exec|attach|portforward)\.").match
_word: Final = re.compile(r"(?:batch|bulk)?([A-Z]?[a-z]+)").match


def _read(document: bytes) -> list[EventRow] | Envelope:
    entry = _decode_entry(document)
    if entry.protoPayload is not None:
        return [_row(entry, entry.protoPayload, document)]
    if (envelope := _carried(entry)) is not None:
        return envelope
    raise RejectedError(Code.NOT_AN_EVENT, detail="not an audit entry")


def _carried(entry: Entry) -> Envelope | None:
    if entry.entries is not None:
        return carried("/entries", entry.entries)
    message = entry.message
    if isinstance(message, PubSub) and isinstance(message.data, str):
        try:
            return Envelope([("/message/data", base64.b64decode(message.data, validate=True))])
        except binascii.Error:
            raise RejectedError(Code.BAD_VALUE, "/message/data", "not base64") from None
    if isinstance(message, str) and message.startswith("{"):
        return Envelope([("/message", message.encode())])
    return None


def _row(entry: Entry, payload: Payload, document: bytes) -> EventRow:
    method = told(payload.methodName)
    if not method:
        raise RejectedError(Code.NOT_AN_EVENT, "/protoPayload", "no method")
    action, destination = _done(payload, method)
    outcome, reason = _outcome(payload)
    if action in (LOGIN, LOGIN_FAILED):
        action = LOGIN if action == LOGIN and outcome == SUCCESS else LOGIN_FAILED
        outcome = SUCCESS if action == LOGIN else FAILURE
    actor, actor_type, role = _actor(payload)
    time, where = (
        (entry.timestamp, "/timestamp") if entry.timestamp is not None else (entry.receiveTimestamp, "/receiveTimestamp")
    )
    if time is None:
        raise RejectedError(Code.MISSING_FIELD, "/timestamp", "no time at all")
    return row(
        _id(entry, time, document),
        instant(time, where),
        action,
        actor,
        outcome,
        actor_at="/protoPayload/authenticationInfo",
        actor_type=actor_type,
        role=role,
        resource_type=method if action == OTHER else told(entry.resource.type) if entry.resource is not None else "",
        resource_id=told(payload.resourceName),
        reason=reason,
        client=address(told(payload.requestMetadata.callerIp)) if payload.requestMetadata is not None else "",
        application=told(payload.serviceName),
        destination=destination,
    )


def _id(entry: Entry, time: str, document: bytes) -> str:
    """Return an id: an insertId is unique among the entries of one log and time."""
    insert_id = told(entry.insertId)
    return derive("event", told(entry.logName), time, insert_id) if insert_id else derived_id(document)


def _done(payload: Payload, method: str) -> tuple[str, str]:
    """Return what was done, and where data went: what everybody is let into is shared by link."""
    extra = payload.metadata
    if extra is not None and extra.event:
        return meaning_of(told(extra.event[0].eventName)), ""
    if method.startswith((_LOGINS, _ADMINS)):
        return meaning_of(method.rpartition(".")[2]), ""
    if extra is not None and (job := _job(extra.jobChange) or _job(extra.jobInsertion)):
        return _JOBS.get(job.upper(), EXECUTE), ""
    action = _of_method(method[:METHOD_CHARACTERS_MAX])
    if action == RIGHTS and _opens(payload):
        return SHARE, LINK
    return action, ""


def _job(change: Any) -> str:
    """Return the type of a BigQuery job."""
    for key in ("job", "jobConfig", "type"):
        change = change.get(key) if isinstance(change, dict) else None
    return told(change)


def _opens(payload: Payload) -> bool:
    """Return whether a policy's change adds everybody."""
    delta = payload.serviceData.policyDelta if payload.serviceData is not None else None
    changes = delta.bindingDeltas if delta is not None else None
    return any(told(one.action) == "ADD" and told(one.member) in _EVERYBODY for one in changes or ())


@lru_cache(maxsize=NAMES_MAX)
def _of_method(method: str) -> str:
    """Return what a method such as `storage.objects.get` or `google.iam.admin.v1.CreateServiceAccount` does."""
    if _commands(method):
        return EXECUTE
    if _rights(method):
        return RIGHTS
    if _jobs(method):
        return SEARCH
    if _table_rows(method):
        return READ
    name = method.rpartition(".")[2]
    if known := by_pattern(_PATTERNS, name):
        return known
    found = _word(name)
    return BY_VERB.get(found[1].lower(), OTHER) if found else OTHER


def _outcome(payload: Payload) -> tuple[str, str]:
    """Return how it ended, and why not; a right that was not granted is a failure, whatever the status."""
    status = payload.status or Status()
    code, message = told(status.code), told(status.message)
    if code not in ("", "0"):
        return SERIOUS if code in _SYSTEM_FAULTS else FAILURE, f"{code} {message}".strip()
    denied = any(one.granted is False for one in payload.authorizationInfo or ())
    return (FAILURE, message) if denied else (SUCCESS, "")


def _actor(payload: Payload) -> tuple[str, str, str]:
    """Return who acted, whether it is a person, and the service account they took."""
    who = payload.authenticationInfo or _NOBODY
    name = (told(who.principalEmail) or told(who.principalSubject)).lower()
    for step in who.serviceAccountDelegationInfo or ():
        behind = step.firstPartyPrincipal.principalEmail if step.firstPartyPrincipal is not None else step.principalSubject
        if (person := told(behind).lower()) and _type_of(person[:TEXT_MAX]) == HUMAN:
            return person, HUMAN, name
    if not name:
        name = _affected(payload)
    return (name, _type_of(name[:TEXT_MAX]), "") if name else (told(payload.serviceName), SERVICE, "")


@lru_cache(maxsize=NAMES_MAX)
def _type_of(name: str) -> str:
    machine = (
        name.endswith("gserviceaccount.com") or name.startswith(("system:", "serviceaccount:")) or "/serviceaccounts/" in name
    )
    return SERVICE if machine else HUMAN


def _affected(payload: Payload) -> str:
    """Return whom an event of Workspace is about when it names nobody else."""
    events = payload.metadata.event if payload.metadata is not None else None
    for one in (events or [Reported()])[0].parameter or ():
        if isinstance(one, dict) and one.get("name") == "affected_email_address":
            return told(one.get("value")).lower()
    return ""


def _parts(document: bytes) -> Envelope | None:
    entry = _decode_entry(document)
    return carried("/entries", entry.entries) if entry.entries is not None else None


SOURCE: Final = json_source(
    name="gcp_audit",
    title="Google Cloud audit logs",
    read=_read,
    parts=_parts,
)
