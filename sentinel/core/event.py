"""The access event: one person or service doing one thing, to at most one patient's data, at one moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

TEXT_MAX: Final = 256
REASON_MAX: Final = 1_024
COUNT_MAX: Final = 2_000_000_000

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
AHEAD_MAX_US: Final = DAY_US  # after its receipt an event counts at the latest: one wrong clock must not move all others' time
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TIME_MIN_US: Final = 631_152_000_000_000  # 1990-01-01
TIME_MAX_US: Final = 4_102_444_800_000_000  # 2100-01-01


class Action(StrEnum):
    """What was done. FHIR `AuditEvent.action` and `subtype`, DICOM PS3.15 A.5 event ids, OCSF `activity_id`."""

    LOGIN = "login"  # DCM 110122; OCSF Authentication: Logon
    LOGIN_FAILED = "login-failed"  # the same with an outcome other than success
    LOGOUT = "logout"  # DCM 110123
    SEARCH = "search"  # E with a query, DCM 110112, restful-interaction search
    READ = "read"  # R
    CREATE = "create"  # C
    UPDATE = "update"  # U
    DELETE = "delete"  # D
    EXPORT = "export"  # DCM 110106, ISO 21089 lifecycle `extract`
    IMPORT = "import"  # DCM 110107
    PRINT = "print"
    SHARE = "share"  # disclosed to somebody else, by link, mail or right
    PERMISSION_CHANGE = "permission-change"  # DCM 110136, 110137
    BREAK_GLASS = "break-glass"  # DCM 110113 with 110127 Emergency Override Started
    EXECUTE = "execute"  # E without a query: a run, a stop, a start
    OTHER = "other"


class Outcome(StrEnum):
    """How it ended. FHIR `AuditEvent.outcome` 0, 4, 8, 12; OCSF `status_id` Success or Failure."""

    SUCCESS = "success"
    MINOR_FAILURE = "minor-failure"
    SERIOUS_FAILURE = "serious-failure"
    MAJOR_FAILURE = "major-failure"
    UNKNOWN = "unknown"


class ActorType(StrEnum):
    """Who acted: a person at work, a program, or the patient (or their proxy) on their own record."""

    HUMAN = "human"
    SERVICE = "service"
    PATIENT = "patient"


class Destination(StrEnum):
    """Where exported or shared data went. DICOM CID 405 media types; FHIR `AuditEvent.agent.media`."""

    NONE = ""
    REMOVABLE = "removable"  # DCM 110030 USB, 110034 memory, 110032/110033 CD or DVD
    EMAIL = "email"  # DCM 110031
    PAPER = "paper"  # DCM 110010 film, printed sheets
    LINK = "link"  # DCM 110037 URI: whoever has the link
    OTHER = "other"


def normal_address(text: str) -> str:
    """Return an IP address in its shortest form, an IPv4-mapped one as IPv4, anything else as it is."""
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return text
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def microseconds(moment: datetime) -> int:
    """Return an aware time as whole µs since 1970 UTC."""
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


_RFC3339: Final = re.compile(
    r"((?:19|20|21)\d\d-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):?[0-5]\d)",
    re.ASCII,
)


def moment(text: str) -> datetime:
    """Return the aware time of an RFC 3339 `date-time`, rounded half up to the µs.

    A space for the T (its 5.6) and an offset without colon (`+0100`, as strftime and Java write it)
    are taken too. A leap second is the second after, as in POSIX.

    Raises:
        ValueError: anything else; the message does not quote the text.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 time with an offset")
    date, clock, second, fraction, offset = match.groups()
    leap = second == "60"
    try:
        whole = datetime.fromisoformat(f"{date}T{clock}{'59' if leap else second}{offset.upper()}")
    except ValueError:
        raise ValueError("no such date or time") from None
    if leap and whole.astimezone(UTC).strftime("%H%M") != "2359":
        raise ValueError("no leap second then")
    micro = (int(f"{fraction or ''}0000000"[:7]) + 5) // 10
    return whole + timedelta(seconds=leap, microseconds=micro)


def _told_as_text(value: object) -> object:
    if isinstance(value, str):
        return moment(value)
    if isinstance(value, datetime):
        return value
    raise ValueError("not an RFC 3339 time with an offset")


def _in_range(moment: datetime) -> datetime:
    if not TIME_MIN_US <= microseconds(moment) < TIME_MAX_US:
        raise ValueError("time out of 1990..2100")
    return moment


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _without_controls(text: str) -> str:
    if CONTROLS.search(text):
        raise ValueError("control character")
    return text


Plain = AfterValidator(_without_controls)  # FHIR `string`: of what is below U+0020, tab, LF and CR alone
Text = Annotated[str, Field(max_length=TEXT_MAX), Plain]
Name = Annotated[str, Field(min_length=1, max_length=TEXT_MAX), Plain]
Moment = Annotated[AwareDatetime, BeforeValidator(_told_as_text), AfterValidator(_in_range), AfterValidator(_utc)]


class AccessEvent(BaseModel):
    """One access, in the field's standard terms. An empty string means "not told".

    | field | FHIR AuditEvent (R4 · R5) | OCSF 1.x | ECS |
    |---|---|---|---|
    | `id` | `id`, else derived from the content | `metadata.uid` | `event.id` |
    | `occurred_at` | `period.start`, else `recorded` · `occurred[x]` | `time` | `@timestamp` |
    | `action` | `type`, `subtype`, `action` · `category`, `code`, `action` | `activity_id` | `event.action` |
    | `outcome` | `outcome` · `outcome.code` | `status_id` | `event.outcome` |
    | `actor_id` | `agent[requestor].who` | `actor.user.uid` | `user.id` |
    | `actor_type` | kind of `agent.who` | `actor.user.type` | – |
    | `actor_role` | `agent.role` | `actor.user.groups[]` | `user.roles` |
    | `actor_unit` | organisation `agent.who` acts for | `actor.user.org.ou_name` | `user.group.name` |
    | `actor_rpps` | `agent.who.identifier`, RPPS | `actor.user.uid_alt` | – |
    | `patient_id` | `entity[role=1].what` · `patient` | `resources[].uid` | `related.user` |
    | `resource_type`, `resource_id` | `entity[].what` | `resources[].type`, `.uid` | `event.dataset` |
    | `resource_sensitivity` | `entity[].securityLabel` | `resources[].labels` | `labels` |
    | `resource_count` | `entity[].detail` (records in one act) | `count` | – |
    | `purpose` | `purposeOfEvent`, `agent.purposeOfUse` · `authorization` | `metadata.labels` | `event.reason` |
    | `reason` | `outcomeDesc`, text of the purpose | `status_detail` | `event.reason` |
    | `client_address` | `agent.network.address` | `src_endpoint.ip` | `source.ip` |
    | `device` | agent that is a machine | `device.hostname` | `host.hostname` |
    | `application` | `source.observer` | `metadata.product` | `service.name` |
    | `site` | `source.site` | `metadata.tenant_uid` | `organization.name` |
    | `session` | `entity` of type session or X-Request-Id | `session.uid` | `session.id` |
    | `destination` | `agent.media` | `dst_endpoint.type` | `destination.address` |
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: Name
    occurred_at: Moment
    action: Action
    outcome: Outcome = Outcome.SUCCESS
    actor_id: Name
    actor_type: ActorType = ActorType.HUMAN
    actor_role: Text = ""
    actor_unit: Text = ""
    actor_rpps: Text = ""
    patient_id: Annotated[Text, Field(repr=False)] = ""
    resource_type: Text = ""
    resource_id: Annotated[Text, Field(repr=False)] = ""
    resource_sensitivity: Text = ""
    resource_count: Annotated[int, Field(strict=True, ge=0, le=COUNT_MAX)] = 1
    purpose: Text = ""
    reason: Annotated[str, Field(max_length=REASON_MAX, repr=False), Plain] = ""
    client_address: Annotated[Text, AfterValidator(normal_address)] = ""
    device: Text = ""
    application: Text = ""
    site: Text = ""
    session: Text = ""
    destination: Destination = Destination.NONE


class EventRow(NamedTuple):
    """An `AccessEvent` on the hot path: the same fields, time in µs since 1970 UTC, `sub` beside `id`.

    `sub` tells apart the events of one source message (its patients), empty when there is one. `marks` names the rules
    (of those that look at records as they came) whose conditions the record met, a space before and behind each.
    Whoever builds a row vouches for what `AccessEvent` would have checked; property tests hold both together.
    """

    id: str
    sub: str
    occurred_at: int
    action: str
    outcome: str
    actor_id: str
    actor_type: str
    actor_role: str
    actor_unit: str
    actor_rpps: str
    patient_id: str
    resource_type: str
    resource_id: str
    resource_sensitivity: str
    resource_count: int
    purpose: str
    reason: str
    client_address: str
    device: str
    application: str
    site: str
    session: str
    destination: str
    marks: str = ""


def row_of(event: AccessEvent, sub: str = "") -> EventRow:
    """Return the hot path's row of a validated event."""
    values: dict[str, Any] = event.model_dump()
    values.update({"occurred_at": microseconds(event.occurred_at), "sub": sub})
    plain: dict[str, Any] = {name: str(value) if isinstance(value, StrEnum) else value for name, value in values.items()}
    return EventRow(**plain)
