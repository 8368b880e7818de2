"""OCSF events (Open Cybersecurity Schema Framework, 1.0.0-rc.2 to 1.7): who did what in files, APIs, data stores, accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.aws.names import action_of
from streams.sources.shared.documents import json_source
from streams.sources.shared.meanings import (
    BY_VERB,
    CREATE,
    DELETE,
    EMAIL,
    EXECUTE,
    EXPORT,
    IMPORT,
    LOGIN,
    LOGIN_FAILED,
    LOGOUT,
    OTHER,
    READ,
    RIGHTS,
    SEARCH,
    SHARE,
    UPDATE,
    words,
)
from streams.sources.shared.trees import at, branches, first, paths, tree_of
from streams.sources.shared.values import (
    FAILURE,
    HUMAN,
    SERVICE,
    SUCCESS,
    UNKNOWN,
    address,
    derived_id,
    host,
    moment_of,
    row,
    told,
)

if TYPE_CHECKING:
    from sentinel.core.event import EventRow
    from streams.sources.shared.trees import Tree

_API: Final = 6003
_API_OF_RC2: Final = 3005  # of the category "Audit Activity", before 1.0.0; User Access Management since
_AUTHENTICATION: Final = 3002
_IAM: Final = 3  # the category
_SYSTEM: Final = 1
_AWS: Final = ".amazonaws.com"


def _activities(*actions: str) -> dict[int, str]:
    """Return what the activities of a class mean, from 1 on."""
    return dict(enumerate(actions, start=1))


_ACTIVITIES: Final[dict[int, dict[int, str]]] = {
    # Create, Read, Update, Delete, Rename, Set Attributes, Set Security, Get Attributes, Get Security, Encrypt, Decrypt, Open
    1001: _activities(CREATE, READ, UPDATE, DELETE, UPDATE, UPDATE, RIGHTS, READ, READ, UPDATE, UPDATE) | {14: READ},
    1006: _activities(CREATE, UPDATE, DELETE, UPDATE, UPDATE, EXECUTE),  # a scheduled job
    1007: {1: EXECUTE},  # a process
    # Create, Enable, passwords, Disable, Delete, Attach and Detach Policy, Lock, second factors on and off, Unlock
    3001: _activities(CREATE, UPDATE, UPDATE, UPDATE, UPDATE, DELETE, RIGHTS, RIGHTS, UPDATE, RIGHTS, RIGHTS, UPDATE),
    _AUTHENTICATION: {1: LOGIN, 2: LOGOUT, 3: LOGIN},
    3003: _activities(RIGHTS, RIGHTS),
    # Create, Read, Update, Delete, Move, Enroll, Unenroll, Enable, Disable, Activate, Deactivate, Suspend, Resume
    3004: _activities(CREATE, READ, UPDATE, DELETE) | dict.fromkeys(range(5, 14), UPDATE),
    3005: _activities(RIGHTS, RIGHTS),
    3006: _activities(RIGHTS, RIGHTS, RIGHTS, RIGHTS, DELETE, CREATE, RIGHTS, RIGHTS),
    # HTTP: Connect, Delete, Get, Head, Options, Post, Put, Trace, Patch
    4002: {2: DELETE, 3: READ, 4: READ, 6: CREATE, 7: UPDATE, 9: UPDATE},
    4005: {1: LOGIN},  # remote desktop
    4006: _activities(CREATE, READ, CREATE, READ, UPDATE, UPDATE),  # SMB
    4008: _activities(CREATE, READ, READ, DELETE, UPDATE, SEARCH),  # FTP
    4009: {1: SHARE},  # mail
    4014: {1: LOGIN, 2: LOGOUT},  # a tunnel
    6001: _activities(CREATE, READ, UPDATE, DELETE, SEARCH, IMPORT, EXPORT, SHARE),
    _API: _activities(CREATE, READ, UPDATE, DELETE),
    6004: _activities(READ, READ, RIGHTS, READ),  # Access Grant, Access Deny, Access Revoke, Access Error
    # Read, Update, Connect, Query, Write, Create, Delete, List, Encrypt, Decrypt
    6005: _activities(READ, UPDATE, LOGIN, SEARCH, UPDATE, CREATE, DELETE, SEARCH, UPDATE, READ),
    # Upload, Download, Update, Delete, Rename, Copy, Move, Restore, Preview, Lock, Unlock, Share, Unshare, Open, Sync, Unsync
    6006: _activities(
        *(
            CREATE,
            EXPORT,
            UPDATE,
            DELETE,
            UPDATE,
            CREATE,
            UPDATE,
            UPDATE,
            READ,
            UPDATE,
            UPDATE,
            SHARE,
            RIGHTS,
            READ,
            EXPORT,
            OTHER,
        )
    ),
}
_DENIED: Final = ((6004, 2), (6004, 4))

_NAMES: Final = ("name", "email_addr", "full_name", "uid", "uid_alt")
_ACTOR: Final = paths(*(f"actor.user.{name}" for name in _NAMES))
_USER: Final = paths(*(f"user.{name}" for name in _NAMES))
_PROGRAM: Final = paths("actor.invoked_by actor.app_name actor.app_uid actor.process.name actor.process.file.name actor.idp.name")
_CLIENT: Final = paths("src_endpoint.ip actor.session.ip http_request.x_forwarded_for device.ip")
_STATION: Final = paths("src_endpoint.hostname src_endpoint.name")
_DEVICE: Final = paths("device.hostname device.name")
_APPLICATION: Final = paths("api.service.name service.name app.name dst_endpoint.svc_name actor.app_name metadata.product.name")
_SESSION: Final = paths("session.uid actor.session.uid metadata.correlation_uid")
_REASON: Final = paths("status_detail status_code")
_COMMENT: Final = paths("comment")
_OPERATION: Final = paths("api.operation")
_SERVICE: Final = paths("api.service.name")
# What an event is about, the first that is told: where, the kind, which, the kind as told
_THINGS: Final = tuple(
    ((of,), kind, paths(*named), paths("type_name" if kind == "file" else "type"))
    for of, kind, named in (
        ("file", "file", ("path", "name", "uid")),
        ("table", "table", ("name", "uid")),
        ("databucket", "databucket", ("name", "uid")),
        ("database", "database", ("name", "uid")),
        ("web_resources", "web-resource", ("url_string", "name", "uid")),
        ("entity", "entity", ("uid", "name", "email.uid", "user.name", "group.name", "device.hostname", "policy.name")),
        ("group", "group", ("name", "uid")),
        ("resources", "resource", ("uid", "name")),
        ("resource", "resource", ("uid", "name")),
        ("email", "email", ("message_uid", "uid")),
        ("job", "job", ("name",)),
        ("process", "process", ("file.path", "name")),
    )
)
_URL: Final = paths("http_request.url.path http_request.url.url_string")


def _read(document: bytes) -> list[EventRow]:
    event = tree_of(document)
    class_, activity = _class(event)
    action = _action(event, class_, activity)
    outcome = FAILURE if (class_, activity) in _DENIED else _outcome(event)
    if action == LOGIN and outcome == FAILURE:
        action = LOGIN_FAILED
    actor, actor_type = _actor(event, class_)
    resource_type, resource_id, count = _thing(event, class_)
    return [
        row(
            told(at(event, ("metadata", "uid"))) or derived_id(document),
            _occurred_at(event),
            action,
            actor,
            outcome,
            actor_at="/user" if class_ == _AUTHENTICATION else "/actor",
            actor_type=actor_type,
            resource_type=_kind(event, class_) if action == OTHER else resource_type,
            resource_id=resource_id,
            count=count,
            reason=first(event, _REASON if outcome != SUCCESS else _COMMENT),
            client=address(first(event, _CLIENT)),
            device=host(first(event, _STATION) or (first(event, _DEVICE) if class_ // 1_000 == _SYSTEM else "")),
            application=first(event, _APPLICATION),
            session=first(event, _SESSION),
            destination=EMAIL if class_ == 4009 and action == SHARE else "",
        )
    ]


def _class(event: Tree) -> tuple[int, int]:
    """Return the class and the activity, which `type_uid` holds both.

    Raises:
        RejectedError: `not-an-event` without either; `wrong-type` for what is no number.
    """
    type_ = _whole(event, "type_uid")
    class_ = _whole(event, "class_uid") or type_ // 100
    if not class_:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not an event of OCSF")
    if class_ == _API_OF_RC2 and told(event.get("class_name")) == "API Activity":
        class_ = _API
    return class_, _whole(event, "activity_id") if event.get("activity_id") is not None else type_ % 100


def _whole(event: Tree, name: str) -> int:
    """Return a whole number of an enumeration, 0 when it is not told."""
    text = told(event.get(name))
    if event.get(name) is not None and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RejectedError(Code.WRONG_TYPE, f"/{name}", "not a number of an enumeration")
    return int(text or 0)


def _action(event: Tree, class_: int, activity: int) -> str:
    """Return what was done; of a call of an API its name says more than the four activities."""
    action = _ACTIVITIES.get(class_, {}).get(activity, OTHER)
    if class_ != _API:
        return action
    operation = first(event, _OPERATION).rpartition(".")[2][:256]
    if first(event, _SERVICE).endswith(_AWS):
        named = action_of(operation)
    else:
        named = next((BY_VERB[word] for word in words(operation) if word in BY_VERB), OTHER)
    return named if named != OTHER and (action == OTHER or named not in (CREATE, UPDATE)) else action


def _outcome(event: Tree) -> str:
    """Return how it ended: by `status_id`, else by its name; what a control denied or blocked failed."""
    if told(event.get("action_id")) == "2":
        return FAILURE
    status = event.get("status_id")
    name = told(event.get("status")).lower()
    if status is None or told(status) == "99":
        return _BY_STATUS.get(name, UNKNOWN)
    return {"1": SUCCESS, "2": FAILURE}.get(told(status), UNKNOWN)


_BY_STATUS: Final = {"": SUCCESS, "success": SUCCESS, "failure": FAILURE, "failed": FAILURE}


def _actor(event: Tree, class_: int) -> tuple[str, str]:
    """Return who acted, in lower case: of an authentication the user it is about; else the actor, a person or a program.

    Of accounts whose change nobody is told to have made it is the account.
    """
    ways = (_USER, _ACTOR) if class_ == _AUTHENTICATION else (_ACTOR,)
    for among in ways:
        if name := first(event, among):
            return _person(name), _type(event, among[0][:-1], name)
    if program := first(event, _PROGRAM):
        return program.lower(), SERVICE
    name = first(event, _USER)
    return (_person(name), _type(event, ("user",), name)) if name else ("", HUMAN)


def _person(name: str) -> str:
    """Return a name in lower case; of an ARN what stands last: the user, or the session of a role."""
    return (name.rpartition("/")[2] if name.startswith("arn:") else name).lower()


def _type(event: Tree, user: tuple[str, ...], name: str) -> str:
    machine = told(at(event, (*user, "type_id"))) in ("3", "4") or name.endswith("$")
    return SERVICE if machine or told(at(event, (*user, "type"))).lower() in ("system", "service", "awsservice") else HUMAN


def _thing(event: Tree, class_: int) -> tuple[str, str, int]:
    """Return the kind and the name of what an event is about, and of how many of that kind it tells."""
    if class_ == _AUTHENTICATION:
        return "", "", 1
    for path, kind, named, typed in _THINGS:
        several = branches(event, path)
        if several and (name := first(several[0], named)):
            type_ = first(several[0], typed)
            same = sum(first(one, typed) == type_ for one in several)
            return (kind if kind == "file" else type_ or kind), name, same
    if class_ // 1_000 == _IAM and (name := first(event, _USER)):
        return "account", _person(name), 1
    url = first(event, _URL)
    return ("url", url, 1) if url else ("", "", 1)


def _kind(event: Tree, class_: int) -> str:
    """Return what to call an event that is of no kind of ours: its operation, else the names of its class and activity."""
    return first(event, _OPERATION) or told(event.get("type_name")) or f"ocsf-{class_}"


def _occurred_at(event: Tree) -> int:
    value: Any = event.get("time")
    if value is None and event.get("time_dt") is not None:
        return moment_of(event["time_dt"], "/time_dt")
    return moment_of(value, "/time", utc=True)


SOURCE: Final = json_source("ocsf", "OCSF events: files, APIs, data stores, authentication, accounts", _read)
