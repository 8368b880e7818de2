"""An access told in fields of the Elastic Common Schema (1 to 9) or of OpenTelemetry's semantic conventions."""

from __future__ import annotations

from typing import Final

from sentinel.core.event import Action, EventRow
from streams.sources.shared.meanings import (
    CREATE,
    DELETE,
    EMAIL,
    EXECUTE,
    LOGIN,
    LOGIN_FAILED,
    LOGOUT,
    OTHER,
    READ,
    RIGHTS,
    SHARE,
    UPDATE,
    by_verb,
    by_word,
    words,
)
from streams.sources.shared.trees import Tree, at, first, paths
from streams.sources.shared.values import FAILURE, HUMAN, SERIOUS, SERVICE, SUCCESS, UNKNOWN, address, host, row, told

PATIENTS_MAX: Final = 1_000  # of one event

_ACTION: Final = paths("event.action event.name")
_ACTOR: Final = paths(
    "user.name user.email user.id client.user.name source.user.name enduser.id process.user.name user.full_name"
)
_ROLE: Final = paths("user.roles user.role enduser.role")
_CLIENT: Final = paths("client.ip source.ip client.address source.address network.peer.address")
_STATION: Final = paths("client.domain source.domain")
_HOST: Final = paths("host.hostname host.name")
_APPLICATION: Final = paths("service.name event.provider observer.product event.module event.dataset")
_SESSION: Final = paths("session.id transaction.id trace.id")
_REASON: Final = paths("event.reason error.code error.type")
_TARGET: Final = paths("user.target.name user.target.email user.target.id")
_METHOD: Final = paths("http.request.method")
_STATUS: Final = paths("http.response.status_code")
_PATIENT: Final = (("patient", "id"), ("labels", "patient_id"))  # not of the schema: what a sender adds
_THINGS: Final = (
    ("file", paths("file.path file.name")),
    ("table", paths("db.collection.name db.sql.table")),
    ("database", paths("db.namespace db.name")),
    ("group", paths("group.name group.id")),
    ("email", paths("email.message_id")),
    ("registry-value", paths("registry.path")),
    ("url", paths("url.path url.full url.original")),
)
_PROGRAM: Final = paths("process.executable process.name")

_TYPES: Final = (("creation", CREATE), ("deletion", DELETE), ("change", UPDATE), ("access", READ))
_METHODS: Final = {
    "get": READ,
    "head": READ,
    "post": CREATE,
    "put": UPDATE,
    "patch": UPDATE,
    "delete": DELETE,
}
_TRAFFIC: Final = frozenset({"network", "intrusion_detection", "malware", "threat", "vulnerability"})
_OWN: Final = frozenset(Action) - {Action.OTHER}


def has_kind(event: Tree) -> bool:
    """Return whether an event tells what was done."""
    return bool(first(event, _ACTION) or first(event, _METHOD)) or bool(_set(event, "category"))


def rows_of(event: Tree, id_: str, occurred_at: int, actor_at: str) -> list[EventRow]:
    """Return the row of an event, one a patient when a sender tells patients, told apart by `sub`.

    Raises:
        RejectedError: as of `row`.
    """
    action, outcome = _done(event)
    kind, thing = _thing(event, action)
    client, actor = address(first(event, _CLIENT)), first(event, _ACTOR)
    patients = _patients(event) or [""]
    return [
        row(
            id_,
            occurred_at,
            action,
            actor.lower(),
            outcome,
            sub=str(number) if number else "",
            actor_at=actor_at,
            actor_type=SERVICE if actor.endswith("$") else HUMAN,
            role=_scalar(at(event, _ROLE[0])) or first(event, _ROLE[1:]),
            resource_type=first(event, _ACTION) if action == OTHER else kind,
            resource_id=thing,
            reason=first(event, _REASON),
            client=client,
            device=host(first(event, _STATION) or ("" if client else first(event, _HOST))),
            application=first(event, _APPLICATION),
            session=first(event, _SESSION),
            destination=EMAIL if action == SHARE and "email" in _set(event, "category") else "",
            patient=patient,
        )
        for number, patient in enumerate(patients)
    ]


def _scalar(value: object) -> str:
    return told(value[0] if isinstance(value, list) and value else value)


def _patients(event: Tree) -> list[str]:
    for path in _PATIENT:
        value = at(event, path)
        found = [told(one) for one in (value if isinstance(value, list) else [value])]
        if patients := list(dict.fromkeys(filter(None, found)))[:PATIENTS_MAX]:
            return patients
    return []


def _set(event: Tree, name: str) -> set[str]:
    """Return the values of `event.category` or `event.type`, of which there may be several."""
    value = at(event, ("event", name))
    return {told(one).lower() for one in (value if isinstance(value, list) else [value])} - {""}


def _done(event: Tree) -> tuple[str, str]:
    """Return what was done and how it ended."""
    categories, types = _set(event, "category"), _set(event, "type")
    outcome = _outcome(event, types)
    action = _action(event, categories, types)
    if action == LOGIN and outcome in (FAILURE, SERIOUS):
        return LOGIN_FAILED, FAILURE
    return action, FAILURE if action == LOGIN_FAILED else outcome


def _outcome(event: Tree, types: set[str]) -> str:
    result = told(at(event, ("event", "outcome"))).lower()
    if result == "failure" or "denied" in types:
        return FAILURE
    status = first(event, _STATUS)
    if not result and status[:1] in ("4", "5") and len(status) == 3:
        return FAILURE if status < "5" else SERIOUS
    return SUCCESS if result in ("success", "") else UNKNOWN


def _action(event: Tree, categories: set[str], types: set[str]) -> str:
    """Return what was done: by its name when that is one of ours, by words, by category and type, by method."""
    name = first(event, _ACTION)
    if name.lower() in _OWN:
        return name.lower()
    if categories & {"authentication", "session"}:
        return _session(name, types)
    if categories and categories <= _TRAFFIC:
        return OTHER
    if "email" in categories and not {"send", "sent"}.isdisjoint(words(name)):
        return SHARE
    if word := by_word(name):
        return word
    if "iam" in categories or "configuration" in categories:
        return _administered(categories, types)
    if "process" in categories:
        return EXECUTE if "start" in types else OTHER
    if action := next((action for kind, action in _TYPES if kind in types), ""):
        return _METHODS.get(first(event, _METHOD).lower(), action) if "web" in categories else action
    return by_verb(name) or _METHODS.get(first(event, _METHOD).lower(), OTHER)


def _session(name: str, types: set[str]) -> str:
    """Return whether a session began or ended; a step in between is neither."""
    word = by_word(name)
    if word == LOGOUT or ("end" in types and word != LOGIN):
        return LOGOUT
    return LOGIN if word == LOGIN or "start" in types or not name else OTHER


def _administered(categories: set[str], types: set[str]) -> str:
    """Return what was done to an account or a setting: of groups and administrators it is about rights."""
    made = next((action for kind, action in _TYPES if kind in types), OTHER)
    return RIGHTS if made == UPDATE and "iam" in categories and types & {"group", "admin"} else made


def _thing(event: Tree, action: str) -> tuple[str, str]:
    """Return the kind and the name of what an event is about."""
    if target := first(event, _TARGET):
        return "account", target.lower()
    if action == EXECUTE and (program := first(event, _PROGRAM)):
        return "process", program
    if action in (LOGIN, LOGOUT, LOGIN_FAILED):
        return "", ""
    return next(((kind, name) for kind, among in _THINGS if (name := first(event, among))), ("", ""))
