"""Keycloak's login and admin events: as the REST API and webhooks tell them, and as `org.keycloak.events` logs them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct, field

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.ids import derive
from streams.sources.shared.documents import Envelope, json_source, split_documents
from streams.sources.shared.meanings import CREATE, DELETE, EXECUTE, IMPORT, LOGIN, LOGIN_FAILED, LOGOUT, OTHER, RIGHTS, UPDATE
from streams.sources.shared.values import (
    FAILURE,
    HUMAN,
    SERVICE,
    SUCCESS,
    address,
    derived_id,
    instant,
    moment_of,
    row,
    told,
)

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

# ruff: noqa: N815 - the names are those of the events

LINE_BYTES_MAX: Final = 262_144


# org.keycloak.events.EventType, without the `_ERROR` of those that failed.
_TYPES: Final = {
    **dict.fromkeys(("LOGIN", "CLIENT_LOGIN", "IDENTITY_PROVIDER_LOGIN", "IMPERSONATE"), (LOGIN, "")),
    **dict.fromkeys(("LOGOUT", "USER_SESSION_DELETED"), (LOGOUT, "")),
    "REGISTER": (CREATE, "account"),
    **dict.fromkeys(("UPDATE_PASSWORD", "RESET_PASSWORD", "UPDATE_CREDENTIAL", "REMOVE_CREDENTIAL"), (UPDATE, "credentials")),
    **dict.fromkeys(("UPDATE_TOTP", "REMOVE_TOTP"), (UPDATE, "credentials")),
    **dict.fromkeys(("UPDATE_PROFILE", "UPDATE_EMAIL", "VERIFY_EMAIL", "VERIFY_PROFILE"), (UPDATE, "account")),
    **dict.fromkeys(("FEDERATED_IDENTITY_LINK", "REMOVE_FEDERATED_IDENTITY"), (UPDATE, "account")),
    **dict.fromkeys(("USER_DISABLED_BY_PERMANENT_LOCKOUT", "USER_DISABLED_BY_TEMPORARY_LOCKOUT"), (UPDATE, "account")),
    "DELETE_ACCOUNT": (DELETE, "account"),
    **dict.fromkeys(("GRANT_CONSENT", "UPDATE_CONSENT", "REVOKE_GRANT"), (RIGHTS, "consent")),
    "CLIENT_REGISTER": (CREATE, "client"),
    "CLIENT_UPDATE": (UPDATE, "client"),
    "CLIENT_DELETE": (DELETE, "client"),
}
_OPERATIONS: Final = {"CREATE": CREATE, "UPDATE": UPDATE, "DELETE": DELETE, "ACTION": EXECUTE}
_grants: Final = re.compile(r".*(?:ROLE|GROUP_MEMBERSHIP|AUTHORIZATION|IDENTITY_PROVIDER_MAPPER|PERMISSION)").match
# The last step of the path of an ACTION says what it did.
_ACTIONS: Final = {
    "reset-password": UPDATE,
    "disable-credential-types": UPDATE,
    "impersonation": LOGIN,
    "logout": LOGOUT,
    "logout-all": LOGOUT,
    "partialImport": IMPORT,
}


class Details(Struct, gc=False):
    """`details` of an event."""

    username: Any = None
    impersonator: Any = None
    reason: Any = None


class AuthDetails(Struct, gc=False):
    """Who did an admin event."""

    userId: Any = None
    username: Any = None
    clientId: Any = None
    ipAddress: Any = None


class Event(Struct, gc=False):
    """An event of a user or an administrator; or a log record that holds one in its message."""

    id: Any = None
    uid: Any = None
    time: Any = None
    createdTimestamp: Any = None
    timestamp: Any = None
    logged: Any = field(default=None, name="@timestamp")
    type: Any = None
    clientId: Any = None
    userId: Any = None
    username: Any = None
    sessionId: Any = None
    ipAddress: Any = None
    error: Any = None
    details: Details | str | None = None
    operationType: Any = None
    resourceType: Any = None
    resourcePath: Any = None
    authDetails: AuthDetails | None = None
    impersonator: Any = None
    message: Any = None
    log: Any = None


_decode_event: Final = msgspec.json.Decoder(Event).decode
# A name that begins at a word, so that a long word is looked at once; a value in quotes, or up to the comma.
_pairs: Final = re.compile(r'(?<!\w)(\w++)=(?:"((?:[^"\\]|\\.)*+)"|([^,"]*+))').finditer
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:[Zz]|[+-]\d\d:?\d\d)?")
_KINDS: Final = ("type=", "operationType=")
_EMBEDDED: Final = b"::{"


def _read(document: bytes) -> list[EventRow] | Envelope:
    if document.lstrip()[:1] not in (b"{", b"["):
        return _read_line(document)
    event = _decode_event(document)
    if event.type is None and event.operationType is None:
        return [_row_of_line(event)]
    return [_row(event, _time(event), told(event.id) or told(event.uid) or derived_id(document))]


def _read_line(document: bytes) -> list[EventRow] | Envelope:
    """Return the event of a line of the log, or the JSON that a listener put there after `::`."""
    at = document.find(_EMBEDDED)
    if at >= 0:
        return Envelope([("/message", document[at + 2 :].strip())])
    if len(document) > LINE_BYTES_MAX:
        raise RejectedError(Code.TOO_LARGE, detail=f"more than {LINE_BYTES_MAX} bytes")
    return [_row_of_line(Event(message=document.decode()))]


def _row_of_line(record: Event) -> EventRow:
    """Return the row of `key=value` pairs in a record's message."""
    text = (told(record.message) or told(record.log))[:LINE_BYTES_MAX]
    begins = min((at for at in map(text.find, _KINDS) if at >= 0), default=-1)
    if begins < 0:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not an event of Keycloak")
    pairs: dict[str, str] = {}
    for found in _pairs(text, begins):
        pairs.setdefault(found[1], _value(found))  # the first: what users typed comes after, and may look like a pair
    occurred_at = _logged_at(record, text[:begins])
    return _row(_event_of(pairs), occurred_at, derive("event", str(occurred_at), text[begins:]))


def _value(found: re.Match[str]) -> str:
    quoted = found[2]
    return quoted.replace('\\"', '"') if quoted is not None else found[3].strip()


def _event_of(pairs: dict[str, str]) -> Event:
    own = ("type", "clientId", "userId", "sessionId", "ipAddress", "error", "operationType", "resourceType", "resourcePath")
    fields: dict[str, object] = {name: pairs[name] for name in own if name in pairs}
    return msgspec.convert(fields | {"details": pairs}, Event)


def _logged_at(record: Event, prefix: str) -> int:
    """Return the time of the record, else the first one in the line before the event."""
    for value, where in ((record.logged, "/@timestamp"), (record.timestamp, "/timestamp"), (record.time, "/time")):
        if value is not None:
            return moment_of(value, where)
    found = _TIME.search(prefix)
    if found is None:
        raise RejectedError(Code.MISSING_FIELD, "", "no time at all")
    return instant(found[0].replace(",", "."), "")


def _time(event: Event) -> int:
    for value, where in (
        (event.time, "/time"),
        (event.createdTimestamp, "/createdTimestamp"),
        (event.timestamp, "/timestamp"),
        (event.logged, "/@timestamp"),
    ):
        if value is not None:
            return moment_of(value, where)
    raise RejectedError(Code.MISSING_FIELD, "/time", "no time at all")


def _row(event: Event, occurred_at: int, id_: str) -> EventRow:
    kind = told(event.operationType)
    action, resource_type, resource_id = _administered(event, kind) if kind else _done(event)
    error = told(event.error)
    failed = bool(error) or told(event.type).endswith("_ERROR")
    if failed and action == LOGIN:
        action = LOGIN_FAILED
    who = event.authDetails or AuthDetails()
    actor, actor_type = _actor(event, who)
    return row(
        id_,
        occurred_at,
        action,
        actor,
        FAILURE if failed else SUCCESS,
        actor_at="/authDetails/userId" if kind else "/userId",
        actor_type=actor_type,
        resource_type=resource_type,
        resource_id=resource_id,
        reason=error,
        client=address(told(event.ipAddress) or told(who.ipAddress)),
        application=told(event.clientId) or told(who.clientId),
        session=told(event.sessionId),
    )


def _done(event: Event) -> tuple[str, str, str]:
    """Return what a user's event did: the action, the kind of thing and which; of another type, its name."""
    name = told(event.type).rpartition(".")[2]
    action, resource = _TYPES.get(name.removesuffix("_ERROR"), (OTHER, name.removesuffix("_ERROR").lower()))
    impersonated = name == "IMPERSONATE"
    return action, "account" if impersonated else resource, (_username(event) or told(event.userId)) if impersonated else ""


def _administered(event: Event, operation: str) -> tuple[str, str, str]:
    """Return what an administrator did: to roles and memberships it is about rights."""
    kind, path = told(event.resourceType), told(event.resourcePath)
    action = _OPERATIONS.get(operation.upper(), OTHER)
    if action == EXECUTE:
        action = _ACTIONS.get(path.rpartition("/")[2], EXECUTE)
    elif _grants(kind.upper()):
        action = RIGHTS
    return action, kind.lower() or operation.lower(), path


def _username(event: Event) -> str:
    details = event.details if isinstance(event.details, Details) else Details()
    return told(details.username) or told(event.username)


def _actor(event: Event, who: AuthDetails) -> tuple[str, str]:
    """Return who acted: by login, which Keycloak keeps in lower case; else by id; else the client on its own."""
    name = told(event.type).rpartition(".")[2]
    details = event.details if isinstance(event.details, Details) else Details()
    if name == "IMPERSONATE" and (impersonator := told(details.impersonator)):
        return impersonator.lower(), HUMAN
    client = told(event.clientId) or told(who.clientId)
    login = told(who.username) or _username(event)
    if name.startswith("CLIENT_LOGIN") or login.startswith("service-account-"):
        return (client or login).lower(), SERVICE
    person = login or told(who.userId) or told(event.userId)
    return (person.lower(), HUMAN) if person else (client.lower(), SERVICE)


def split(data: bytes) -> list[bytes]:
    """Return the events of a file: NDJSON, the REST API's array, or a log, of which other loggers' lines are left out."""
    if data.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"["):
        return split_documents(data, lambda _: None)
    lines = data.removeprefix(b"\xef\xbb\xbf").splitlines()
    return [line for line in lines if any(kind.encode() in line for kind in _KINDS) or _EMBEDDED in line]


SOURCE: Final = json_source(
    name="keycloak",
    title="Keycloak: login and admin events, in JSON and as logged",
    read=_read,
    split=split,
    also=("text/plain",),
)
