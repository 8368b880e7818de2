"""Google Workspace's reports: Drive, login, admin, token, takeout and other activities of the Admin SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.ids import derive
from streams.sources.google.names import meaning_of
from streams.sources.shared.documents import Envelope, carried, json_source
from streams.sources.shared.meanings import EMAIL, LINK, LOGIN_FAILED, OTHER, RIGHTS, SHARE
from streams.sources.shared.values import FAILURE, HUMAN, SERVICE, SUCCESS, address, derived_id, instant, row, told

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

# ruff: noqa: N815 - the names are those of the reports

EVENTS_MAX: Final = 1_000  # of one activity; Google tells a handful


_PUBLIC: Final = frozenset({"people_with_link", "public_on_the_web", "public_in_the_domain", "anyone_with_link"})
_GIVES: Final = frozenset({"change_user_access", "change_document_access_scope", "change_document_visibility"})
_NO_ACCESS: Final = frozenset({"none", "", "private"})
_MAILS: Final = frozenset({"email_as_attachment", "email_collaborators", "email_forwarding_out_of_domain"})
# What an event is about, the first that is told.
_NAMED_BY: Final = (
    *(("doc_id", "document"), ("shared_drive_id", "drive"), ("GROUP_EMAIL", "group"), ("group_email", "group")),
    *(("ROLE_NAME", "role"), ("USER_EMAIL", "user"), ("affected_email_address", "user"), ("target_user", "user")),
    *(
        ("APPLICATION_NAME", "application"),
        ("app_name", "application"),
        ("calendar_id", "calendar"),
        ("ORG_UNIT_NAME", "org-unit"),
    ),
    *(("SETTING_NAME", "setting"), ("DOMAIN_NAME", "domain"), ("EMAIL_LOG_SEARCH_SENDER", "mail"), ("client_id", "application")),
)


class Parameter(Struct, gc=False):
    """A named value of an event."""

    name: Any = None
    value: Any = None
    intValue: Any = None
    boolValue: Any = None
    multiValue: Any = None


class Event(Struct, gc=False):
    """One event of an activity."""

    name: Any = None
    type: Any = None
    parameters: list[Parameter] | dict[str, Any] | None = None


class Actor(Struct, gc=False):
    """Who did it."""

    email: Any = None
    profileId: Any = None
    callerType: Any = None
    key: Any = None


class Id(Struct, gc=False):
    """`id` of an activity: its time, and what tells it apart."""

    time: str | None = None
    uniqueQualifier: Any = None
    applicationName: Any = None
    customerId: Any = None


class Activity(Struct, gc=False):
    """An activity, which holds one or several events; or a page of them."""

    id: Id | str | None = None
    actor: Actor | None = None
    ipAddress: Any = None
    ownerDomain: Any = None
    events: list[Event] | None = None
    items: list[Raw] | None = None


_decode_activity: Final = msgspec.json.Decoder(Activity).decode


def _read(document: bytes) -> list[EventRow] | Envelope:
    activity = _decode_activity(document)
    if activity.items is not None:
        return carried("/items", activity.items)
    if not isinstance(activity.id, Id) or not activity.events:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not an activity")
    if len(activity.events) > EVENTS_MAX:
        raise RejectedError(Code.TOO_LARGE, "/events", f"more than {EVENTS_MAX} events")
    if activity.id.time is None:
        raise RejectedError(Code.MISSING_FIELD, "/id/time", "no time at all")
    return _rows(activity, activity.id, activity.events, document)


def _rows(activity: Activity, id_: Id, events: list[Event], document: bytes) -> list[EventRow]:
    """Return one row an event: `sub` is empty for the first, then counts from 1."""
    occurred_at = instant(id_.time or "", "/id/time")
    qualifier = told(id_.uniqueQualifier)
    application = told(id_.applicationName)
    key = derive("event", told(id_.customerId), application, id_.time or "", qualifier) if qualifier else derived_id(document)
    return [
        _row(activity, one, key, str(number) if number else "", occurred_at, application) for number, one in enumerate(events)
    ]


def _row(activity: Activity, event: Event, key: str, sub: str, occurred_at: int, application: str) -> EventRow:
    name, parameters = told(event.name), _values(event)
    action, destination = _done(name, parameters)
    actor, actor_type = _actor(activity.actor or Actor(), parameters)
    resource_type, resource_id = _resource(parameters)
    target = parameters.get("target_user", "") or parameters.get("target", "") or parameters.get("USER_EMAIL", "")
    failure = parameters.get("login_failure_type", "")
    return row(
        key,
        occurred_at,
        action,
        actor,
        FAILURE if action == LOGIN_FAILED else SUCCESS,
        sub=sub,
        actor_at="/actor",
        actor_type=actor_type,
        resource_type=name if action == OTHER else resource_type,
        resource_id=resource_id,
        reason=f"to {target}" if target not in ("", resource_id) and action in (SHARE, RIGHTS) else failure,
        client=address(told(activity.ipAddress)),
        application=application or "google workspace",
        destination=destination,
    )


def _values(event: Event) -> dict[str, str]:
    """Return the parameters of an event that are one text or number, by name."""
    parameters = event.parameters
    if isinstance(parameters, dict):
        return {name: told(value) for name, value in parameters.items()}
    return {told(one.name): told(one.value) or told(one.intValue) or _first(one.multiValue) for one in parameters or ()}


def _first(values: object) -> str:
    return told(values[0]) if isinstance(values, list) and values else ""


def _done(name: str, parameters: dict[str, str]) -> tuple[str, str]:
    """Return what was done, and where data went. To give access is to share; to let everybody in is to share by link."""
    action = meaning_of(name)
    lowered = name.lower()
    if lowered in _MAILS:
        return SHARE, EMAIL
    if lowered == "publish_change":
        return SHARE, LINK
    if action == RIGHTS and lowered in _GIVES:
        opened = parameters.get("new_value", "").lower(), parameters.get("visibility", "").lower()
        if lowered != "change_user_access" and not _PUBLIC.isdisjoint(opened):
            return SHARE, LINK
        if lowered == "change_user_access" and opened[0] not in _NO_ACCESS:
            return SHARE, ""
    return action, ""


def _actor(actor: Actor, parameters: dict[str, str]) -> tuple[str, str]:
    """Return who acted, in lower case, and whether it is a person; else whom the event is about; else the profile."""
    email = told(actor.email) or parameters.get("affected_email_address", "")
    name = (email or told(actor.key) or told(actor.profileId)).lower()
    machine = told(actor.callerType) == "KEY" or name.endswith("gserviceaccount.com") or (not email and bool(told(actor.key)))
    return name, SERVICE if machine else HUMAN


def _resource(parameters: dict[str, str]) -> tuple[str, str]:
    for name, kind in _NAMED_BY:
        if value := parameters.get(name, ""):
            return parameters.get("doc_type", "") or kind if kind == "document" else kind, value
    return "", ""


def _parts(document: bytes) -> Envelope | None:
    activity = _decode_activity(document)
    return carried("/items", activity.items) if activity.items is not None else None


SOURCE: Final = json_source(
    name="google_workspace",
    title="Google Workspace activity reports",
    read=_read,
    parts=_parts,
)
