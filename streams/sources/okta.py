"""Okta's System Log: sessions, factors, users, groups, applications, administrators' rights."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import TEXT_MAX
from streams.sources.shared.documents import Envelope, carried, json_source
from streams.sources.shared.meanings import (
    BY_VERB,
    CREATE,
    DELETE,
    EXPORT,
    IMPORT,
    LOGIN,
    LOGIN_FAILED,
    LOGOUT,
    NAMES_MAX,
    OTHER,
    READ,
    RIGHTS,
    UPDATE,
    by_pattern,
    each,
    patterns,
)
from streams.sources.shared.values import FAILURE, HUMAN, SERVICE, SUCCESS, UNKNOWN, address, derived_id, host, instant, row, told

if TYPE_CHECKING:
    from sentinel.core.event import EventRow


class Actor(Struct, rename="camel", gc=False):
    """Who did it, or a target."""

    id: Any = None
    type: Any = None
    alternate_id: Any = None
    display_name: Any = None


class Client(Struct, rename="camel", gc=False):
    """`client`."""

    ip_address: Any = None


class Hop(Struct, gc=False):
    """One of `request.ipChain`."""

    ip: Any = None


class Request(Struct, rename="camel", gc=False):
    """`request`."""

    ip_chain: list[Hop] | None = None


class Outcome(Struct, gc=False):
    """`outcome`."""

    result: Any = None
    reason: Any = None


class Context(Struct, rename="camel", gc=False):
    """`authenticationContext`."""

    external_session_id: Any = None


class Device(Struct, gc=False):
    """`device` of Okta Verify."""

    name: Any = None


class Data(Struct, gc=False):
    """`data` of an event hook or of EventBridge."""

    events: list[Raw] | None = None


class Event(Struct, rename="camel", gc=False):
    """An event of the System Log; or what carries some: an event hook, EventBridge."""

    uuid: Any = None
    published: str | None = None
    event_type: str | None = None
    actor: Actor | None = None
    client: Client | None = None
    request: Request | None = None
    outcome: Outcome | None = None
    target: list[Actor] | None = None
    authentication_context: Context | None = None
    device: Device | None = None
    data: Data | None = None
    detail: Raw = Raw()
    events: list[Raw] | None = None


_decode_event: Final = msgspec.json.Decoder(Event).decode
_NOTHING: Final = Raw()
_NOBODY: Final = Actor()
_FACTOR: Final = "user.authentication.auth_via_mfa"
_PEOPLE: Final = frozenset({"User", "AppUser", "Admin", ""})
_SUCCESSES: Final = frozenset({"SUCCESS", "ALLOW", ""})
_FAILURES: Final = frozenset({"FAILURE", "DENY"})


_BY_NAME: Final = {
    **each(LOGIN, "user.session.start user.authentication.sso user.authentication.auth_via_AD_agent"),
    **each(
        LOGIN,
        "user.authentication.auth_via_IDP user.authentication.auth_via_LDAP_agent user.authentication.auth_via_social",
    ),
    **each(
        LOGIN,
        "user.authentication.auth_via_radius user.authentication.auth_via_iwa app.oauth2.signon app.oauth2.as.authorize",
    ),
    **each(LOGIN, "user.session.impersonation.initiate user.authentication.auth_unconfigured_identifier"),
    **each(LOGOUT, "user.session.end user.session.expire user.session.clear user.authentication.slo"),
    **each(LOGOUT, "user.session.impersonation.end"),
    **each(RIGHTS, "user.session.impersonation.grant user.session.impersonation.extend"),
    **each(RIGHTS, "user.session.impersonation.revoke"),
    # The factor is a step of a session: its start says whether the person got in.
    **each(
        OTHER,
        "user.authentication.auth_via_mfa user.authentication.verify policy.evaluate_sign_on user.session.context.change",
    ),
    **each(OTHER, "user.session.access_admin_app security.threat.detected user.risk.detect user.mfa.attempt_bypass"),
    **each(UPDATE, "user.account.lock user.account.lock.limit user.account.unlock user.account.update_password"),
    **each(
        UPDATE,
        "user.account.reset_password user.account.update_profile user.account.report_suspicious_activity_by_enduser",
    ),
    **each(DELETE, "user.lifecycle.delete.initiated user.lifecycle.delete.completed"),
    **each(UPDATE, "user.lifecycle.activate user.lifecycle.deactivate user.lifecycle.suspend user.lifecycle.unsuspend"),
    **each(READ, "app.access_request.request app.user_management.password.read"),
    **each(CREATE, "system.log_stream.lifecycle.create"),
}
_PATTERNS: Final = patterns(
    (r".*(?:export|download|report)", EXPORT),
    (
        r".*\b(?:privilege|user_membership|group_membership|admin_role|role|iam|api_token|grant|consent|policy|zone)\b",
        RIGHTS,
    ),
    (r"user\.mfa\.|user\.credential\.|user\.account\.", UPDATE),
    (r".*\.import", IMPORT),
    (r"system\.org\.rate_limit", OTHER),
)


def _read(document: bytes) -> list[EventRow] | Envelope:
    event = _decode_event(document)
    if event.event_type is None or event.published is None:
        if (envelope := _carried(event)) is not None:
            return envelope
        if event.event_type is None:
            raise RejectedError(Code.NOT_AN_EVENT, detail="not an event of the System Log")
        raise RejectedError(Code.MISSING_FIELD, "/published", "no time at all")
    return [_row(event, event.event_type, event.published, document)]


def _carried(event: Event) -> Envelope | None:
    if event.data is not None and event.data.events is not None:
        return carried("/data/events", event.data.events)
    if event.events is not None:
        return carried("/events", event.events)
    return Envelope([("/detail", bytes(event.detail))]) if event.detail != _NOTHING else None


def _row(event: Event, name: str, published: str, document: bytes) -> EventRow:
    action = _of_type(name[:TEXT_MAX])
    outcome, reason = _outcome(event)
    if name == _FACTOR and outcome == FAILURE:
        action = LOGIN_FAILED
    if action == LOGIN:
        action = {FAILURE: LOGIN_FAILED, UNKNOWN: OTHER}.get(outcome, LOGIN)
    actor, actor_type = _actor(event.actor or _NOBODY)
    resource_type, resource_id, application, others = _targets(event)
    context = event.authentication_context
    return row(
        told(event.uuid) or derived_id(document),
        instant(published, "/published", utc=True),
        action,
        actor,
        outcome,
        actor_at="/actor",
        actor_type=actor_type,
        resource_type=name if action == OTHER else resource_type,
        resource_id=resource_id,
        reason=reason or others,
        client=_client(event),
        device=host(told(event.device.name)) if event.device is not None else "",
        application=application or "okta",
        session=told(context.external_session_id) if context is not None else "",
    )


@lru_cache(maxsize=NAMES_MAX)
def _of_type(name: str) -> str:
    """Return what an event type such as `group.user_membership.add` means: by name, by its words, by its last verb."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    if known := by_pattern(_PATTERNS, name):
        return known
    words = re.split(r"[._]", name)
    return next((BY_VERB[word] for word in reversed(words) if word in BY_VERB), OTHER)


def _outcome(event: Event) -> tuple[str, str]:
    """Return how it ended and why; a challenge, or what was skipped, has not ended."""
    told_ = event.outcome or Outcome()
    result = told(told_.result).upper()
    if result in _SUCCESSES:
        return SUCCESS, ""
    return FAILURE if result in _FAILURES else UNKNOWN, told(told_.reason) or result


def _actor(actor: Actor) -> tuple[str, str]:
    """Return who acted: the login, which Okta compares without case; of somebody unknown, the id."""
    login = told(actor.alternate_id)
    name = login if login and login.lower() != "unknown" else told(actor.id) or told(actor.display_name) or login
    return name.lower(), HUMAN if told(actor.type) in _PEOPLE else SERVICE


def _targets(event: Event) -> tuple[str, str, str, str]:
    """Return the kind and name of the first target that is no application, the application, and the names of the others."""
    applications, others = [], []
    for one in event.target or ():
        kind, name = told(one.type), told(one.alternate_id)
        name = name if name and name.lower() != "unknown" else told(one.display_name) or told(one.id)
        if kind == "AppInstance":
            applications.append(told(one.display_name) or name)
        else:
            others.append((kind.lower(), name.lower() if kind in ("User", "AppUser") else name))
    application = applications[0] if applications else ""
    kind, name = others[0] if others else ("application" if application else "", application)
    along = ", ".join(f"{kind} {name}".strip() for kind, name in others[1:])
    return kind, name, application, f"with {along}" if along else ""


def _client(event: Event) -> str:
    """Return the client's address: the one told, else the first of the chain of proxies."""
    if event.client is not None and (ip := address(told(event.client.ip_address))):
        return ip
    chain = event.request.ip_chain if event.request is not None else None
    return address(told(chain[0].ip)) if chain else ""


def _parts(document: bytes) -> Envelope | None:
    event = _decode_event(document)
    return _carried(event) if event.event_type is None else None


SOURCE: Final = json_source(
    name="okta",
    title="Okta System Log",
    read=_read,
    parts=_parts,
)
