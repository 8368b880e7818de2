"""Windows Security events as Winlogbeat, NXLog and others write them in JSON, and as Windows itself writes them in XML."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import TEXT_MAX
from sentinel.core.ids import derive
from streams.sources.shared.documents import BOM, Envelope, carried, json_source, split_documents
from streams.sources.shared.meanings import EXECUTE, LOGIN, LOGIN_FAILED, OTHER
from streams.sources.shared.values import FAILURE, HUMAN, SERVICE, SUCCESS, address, derived_id, host, instant, row, told
from streams.sources.windows.kinds import BY_MASK, HAS_STATUS, KINDS, SESSION, SUBJECT, TARGET, Kind, action_of_mask, status_text
from streams.sources.windows.shapes import Data, Told, told_json
from streams.sources.windows.xml import cut, told_xml, utf8

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

NAMES_MAX: Final = 32_768

_CHANNELS: Final = frozenset({"security", "microsoft-windows-security-auditing", "microsoft-windows-eventlog", ""})
_MACHINE_SIDS: Final = frozenset({"S-1-5-18", "S-1-5-19", "S-1-5-20"})  # SYSTEM, LOCAL SERVICE, NETWORK SERVICE
_MACHINE_DOMAINS: Final = frozenset({"nt authority", "autorite nt", "nt-autorität"})
# Anonymous; services' and application pools' own accounts, the window manager, font drivers.
_SERVICE_SIDS: Final = ("S-1-5-7", "S-1-5-80-", "S-1-5-82-", "S-1-5-83-", "S-1-5-90-", "S-1-5-96-")
_SERVICE_LOGONS: Final = frozenset({"0", "5"})
_AT_THE_MACHINE: Final = frozenset({"2", "7", "11", "12", "13"})  # interactive, unlock, with cached credentials
_REMOTE_DESKTOP: Final = "10"
_PIPES: Final = "IPC$"  # its "files" are calls of a service
_SIGNED: Final = 1 << 32  # NTSTATUS is also written as a negative number


def _read(document: bytes) -> list[EventRow] | Envelope:
    text = utf8(document)
    if text.lstrip()[:1] != _MARKUP:
        event = told_json(document)
        return event if isinstance(event, Envelope) else [_row(event, document)]
    events = cut(text)
    return [_row(told_xml(events[0]), b"")] if len(events) == 1 else carried("", events)


def _row(event: Told, document: bytes) -> EventRow:
    """Return the row of an event. `document` gives the id of one that has no number in its log."""
    if event.channel.lower() not in _CHANNELS:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not of the Security log")
    if not event.time:
        raise RejectedError(Code.MISSING_FIELD, event.time_at, "no time at all")
    data, kind = event.data, KINDS.get(event.event_id, _UNKNOWN)
    occurred_at = instant(event.time, event.time_at, utc=event.utc)
    computer = host(event.computer)
    logon = told(data.LogonType)
    actor, actor_type = _actor(data, kind.who, computer)
    action, outcome, reason = _done(event, kind)
    resource_type, resource_id = _resource(event, kind, computer)
    return row(
        _id(event, occurred_at, document),
        occurred_at,
        action,
        actor,
        outcome,
        actor_at=event.data_at,
        actor_type=SERVICE if logon in _SERVICE_LOGONS and kind.who == TARGET else actor_type,
        resource_type=resource_type,
        resource_id=resource_id,
        reason=reason,
        client=address(told(data.IpAddress) or told(data.ClientAddress)),
        device=_device(data, logon, computer),
        application=event.computer.lower(),
        session=_session(data, kind.who, computer),
    )


_UNKNOWN: Final = Kind(OTHER, named_by="ObjectName")


def _actor(data: Data, who: str, computer: str) -> tuple[str, str]:
    """Return who acted and whether it is a person: the account the event is about, else who did it, else the machine."""
    named = ("", "", "")
    if who == TARGET:
        named = (told(data.TargetUserName), told(data.TargetDomainName), told(data.TargetUserSid) or told(data.TargetSid))
    elif who == SESSION:
        named = (told(data.AccountName), told(data.AccountDomain), "")
    name, domain, sid = named
    if not name:
        name, domain, sid = told(data.SubjectUserName), told(data.SubjectDomainName), told(data.SubjectUserSid)
    return _account(name, domain, sid, computer) if name or computer else ("", HUMAN)


def _account(name: str, domain: str, sid: str, computer: str) -> tuple[str, str]:
    cut = TEXT_MAX + 1  # what is longer is refused: nothing long is remembered
    return _known(name[:cut], domain[:cut], sid[:cut], computer)


@lru_cache(maxsize=NAMES_MAX)
def _known(name: str, domain: str, sid: str, computer: str) -> tuple[str, str]:
    """Return an account's id and type: its login in lower case, of a local one after its computer's name.

    SYSTEM and its like are the machine, as everywhere else in the domain.
    """
    domain = domain.lower()
    name = _without_realm(name.lower(), domain)
    if name.endswith("$"):
        return name, SERVICE
    if not name or sid in _MACHINE_SIDS or (domain in _MACHINE_DOMAINS and not sid):
        return f"{computer or name}$", SERVICE
    local = bool(computer) and domain == computer
    return f"{computer}\\{name}" if local else name, SERVICE if sid.startswith(_SERVICE_SIDS) else HUMAN


def _without_realm(name: str, domain: str) -> str:
    """Return the login of `login@REALM`, as 4769 writes it beside the realm; any other is a login as it was typed."""
    login, _, realm = name.rpartition("@")
    return login if login and realm == domain else name


def _done(event: Told, kind: Kind) -> tuple[str, str, str]:
    """Return the action, the outcome, and why it failed."""
    action = _used(event, kind) if kind.action == BY_MASK else kind.action
    failed = bool(event.outcome) or action == LOGIN_FAILED
    reason = ""
    if event.event_id in HAS_STATUS:
        code = _status(event.data)
        failed = failed or code > 0
        reason = status_text(event.event_id, code) if code > 0 else ""
    elif member := told(event.data.MemberName) or told(event.data.MemberSid):
        reason = f"member {member}"
    if action == LOGIN and failed:
        action = LOGIN_FAILED
    return action, FAILURE if failed else SUCCESS, reason


def _used(event: Told, kind: Kind) -> str:
    """Return what the rights in use tell. A handle that was given need not be used: use is told by 4663."""
    if event.event_id == 4656 and not event.outcome:
        return OTHER
    data = event.data
    if event.event_id == 5145 and told(data.ShareName).endswith(_PIPES):
        return EXECUTE
    on = "directory-object" if told(data.ObjectServer) == "DS" else kind.resource or told(data.ObjectType).lower()
    return action_of_mask(told(data.AccessMask), on)


def _status(data: Data) -> int:
    """Return the status that says most: the sub-status when there is one; 0 is success."""
    for value in (data.SubStatus, data.Status):
        text = told(value)[:20]
        try:
            code = int(text, 0)
        except ValueError:
            continue
        if code:
            return code if code > 0 else code + _SIGNED
    return 0


def _resource(event: Told, kind: Kind, computer: str) -> tuple[str, str]:
    data = event.data
    if event.event_id not in KINDS:
        return f"event-{event.event_id}", told(data.ObjectName)
    type_ = kind.resource or told(data.ObjectType).lower()
    if event.event_id == 4656 and not event.outcome:
        type_ = "handle"
    name = told(getattr(data, kind.named_by)) if kind.named_by else ""
    if type_ == "account" and kind.named_by == "TargetUserName" and name:
        return type_, _account(name, told(data.TargetDomainName), "", computer)[0]
    if kind.named_by == "ShareName" and (path := told(data.RelativeTargetName).lstrip("\\")):
        name = f"{name}\\{path}"
    return type_, name


def _device(data: Data, logon: str, computer: str) -> str:
    """Return the machine that the person sat at: the one told, the computer for a logon at it; remote desktop tells none."""
    if logon == _REMOTE_DESKTOP:
        return ""
    if station := told(data.WorkstationName) or told(data.Workstation) or told(data.ClientName):
        return host(station)
    return computer if logon in _AT_THE_MACHINE else ""


def _session(data: Data, who: str, computer: str) -> str:
    """Return the logon's id, which is unique on its machine."""
    logon_id = told(data.SubjectLogonId) if who == SUBJECT else told(data.TargetLogonId) or told(data.LogonID)
    logon_id = logon_id.lower()
    return f"{computer}/{logon_id}" if logon_id and logon_id != "0x0" else ""


def _id(event: Told, occurred_at: int, document: bytes) -> str:
    """Return an id that all shapes of an event share: of its machine, number in the log, id and second; else of the whole."""
    if event.record_id and event.computer:
        second = occurred_at // 1_000_000  # Beats cut the fraction of a second
        return derive("event", f"{event.computer.lower()} {event.record_id} {event.event_id} {second}")
    if document:
        return derived_id(document)
    return derive("event", event.computer.lower(), str(occurred_at), *map(told, _texts(event)))


def _texts(event: Told) -> list[object]:
    return [event.event_id, *(getattr(event.data, name) for name in Data.__struct_fields__)]


_MARKUP: Final = b"<"


def split(data: bytes) -> list[bytes]:
    """Return the events of a file: JSON as other sources take it; XML as `wevtutil` and the Event Viewer write it."""
    text = utf8(data).removeprefix(BOM).strip()
    return cut(text) if text.startswith(_MARKUP) else split_documents(text, lambda _: None)


SOURCE: Final = json_source(
    name="windows_security",
    title="Windows Security log: Winlogbeat, NXLog, Event JSON and XML",
    read=_read,
    split=split,
    also=("application/xml", "text/xml"),
)
