"""The shapes in JSON of a Windows event, each brought to one: Winlogbeat old and new, flat as of NXLog, the schema's Event."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, field

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.shared.documents import Envelope
from streams.sources.shared.values import told


class Data(Struct, gc=False):
    """The fields of `EventData` and `UserData` that mean something to us, of whatever type."""

    SubjectUserSid: Any = None
    SubjectUserName: Any = None
    SubjectDomainName: Any = None
    SubjectLogonId: Any = None
    TargetUserSid: Any = None
    TargetUserName: Any = None
    TargetDomainName: Any = None
    TargetLogonId: Any = None
    TargetSid: Any = None
    TargetServerName: Any = None
    LogonType: Any = None
    WorkstationName: Any = None
    IpAddress: Any = None
    Status: Any = None
    SubStatus: Any = None
    ObjectServer: Any = None
    ObjectType: Any = None
    ObjectName: Any = None
    HandleId: Any = None
    AccessMask: Any = None
    ProcessName: Any = None
    ShareName: Any = None
    RelativeTargetName: Any = None
    MemberName: Any = None
    MemberSid: Any = None
    ServiceName: Any = None
    Workstation: Any = None
    AccountName: Any = None
    AccountDomain: Any = None
    LogonID: Any = None
    ClientName: Any = None
    ClientAddress: Any = None
    NewProcessName: Any = None
    TaskName: Any = None
    ObjectDN: Any = None
    OldTargetUserName: Any = None
    NewTargetUserName: Any = None
    SubcategoryGuid: Any = None
    DomainName: Any = None
    Service: Any = None
    TargetName: Any = None
    Resource: Any = None
    LinkName: Any = None
    SpnName: Any = None


class Winlog(Struct, gc=False):
    """`winlog` of Winlogbeat 7 and later, and of the Elastic Agent."""

    event_id: Any = None
    event_data: Data | None = None
    user_data: Data | None = None
    computer_name: str | None = None
    channel: str | None = None
    provider_name: str | None = None
    record_id: Any = None
    keywords: Any = None


class EcsEvent(Struct, gc=False):
    """`event` of ECS."""

    outcome: Any = None


class Record(Data, gc=False):
    """A record of any shape but XML: the header of one, and the data inside or beside it."""

    winlog: Winlog | None = None
    # Winlogbeat to 6, and the names that all Beats share
    time: str | None = field(default=None, name="@timestamp")
    event: EcsEvent | None = None
    event_id: Any = None
    event_data: Data | None = None
    user_data: Data | None = None
    computer_name: str | None = None
    log_name: str | None = None
    source_name: str | None = None
    recordevent_number: Any = None
    keywords: Any = None
    # Flat: NXLog, Log Analytics, what scripts write
    EventID: Any = None
    Channel: str | None = None
    SourceName: str | None = None
    ProviderName: str | None = None
    EventSourceName: str | None = None
    Hostname: str | None = None
    Computer: str | None = None
    TimeCreated: Any = None
    TimeGenerated: str | None = None
    EventTime: Any = None
    RecordNumber: Any = None
    EventRecordID: Any = None
    EventType: Any = None
    Keywords: Any = None
    EventData: Any = None
    UserData: Any = None
    # The schema's Event, turned into JSON
    Event: Any = None
    # What carries one: Wazuh's alert, a hit of Elasticsearch
    data: Any = None
    win: Any = None
    hit: Raw = field(default=Raw(), name="_source")


class Told(Struct, gc=False):
    """One event, whatever its shape: `at` is a JSON pointer to its data, `time_at` to its time."""

    event_id: int
    data: Data
    data_at: str
    time: str | None
    time_at: str
    utc: bool  # the shape says that its times are UTC
    computer: str
    record_id: str
    outcome: str  # how the log says it ended: "failure" or not
    channel: str


EVENT_ID_MAX: Final = 1 << 16

_decode_record: Final = msgspec.json.Decoder(Record).decode
_NOTHING: Final = Raw()
NO_DATA: Final = Data()
_FAILED: Final = re.compile(r"fail|[eé]chec|fehl", re.IGNORECASE)
_FAILURE_BIT: Final = 0x10_0000_0000_0000  # of Keywords, winmeta.h: WINEVENT_KEYWORD_AUDIT_FAILURE


def told_json(document: bytes) -> Told | Envelope:
    """Return the event of a JSON document, or the one that it carries.

    Raises:
        RejectedError: not a Windows event.
        msgspec.MsgspecError: a field of its header is of another type.
    """
    record = _decode_record(document)
    if record.winlog is not None:
        return _ecs(record, record.winlog)
    if record.event_id is not None:
        return _beat(record)
    if record.EventID is not None:
        return _flat(record)
    if isinstance(record.Event, dict):
        return _schema(record.Event)
    if record.hit != _NOTHING:
        return Envelope([("/_source", bytes(record.hit))])
    if isinstance(wazuh := record.data.get("win") if isinstance(record.data, dict) else record.win, dict):
        return _wazuh(wazuh, "/win" if record.data is None else "/data/win")
    raise RejectedError(Code.NOT_AN_EVENT, detail="not a Windows event")


def _wazuh(win: dict[str, Any], where: str) -> Told:
    """Return an event as Wazuh's agent writes it: the schema's names with a small first letter."""
    system, data = win.get("system"), win.get("eventdata")
    if not isinstance(system, dict):
        raise RejectedError(Code.NOT_AN_EVENT, where, "an event without its header")
    named = {name[:1].upper() + name[1:]: value for name, value in data.items()} if isinstance(data, dict) else {}
    return Told(
        event_id=event_number(system.get("eventID"), f"{where}/system/eventID"),
        data=msgspec.convert(named, Data),
        data_at=f"{where}/eventdata",
        time=told(system.get("systemTime")) or None,
        time_at=f"{where}/system/systemTime",
        utc=True,
        computer=told(system.get("computer")),
        record_id=told(system.get("eventRecordID")),
        outcome=outcome_of(system.get("severityValue") or system.get("keywords")),
        channel=told(system.get("channel")) or told(system.get("providerName")),
    )


def _ecs(record: Record, log: Winlog) -> Told:
    outcome = record.event.outcome if record.event is not None else None
    return Told(
        event_id=event_number(log.event_id, "/winlog/event_id"),
        data=log.event_data or log.user_data or NO_DATA,
        data_at="/winlog/event_data",
        time=record.time,
        time_at="/@timestamp",
        utc=True,
        computer=log.computer_name or "",
        record_id=told(log.record_id),
        outcome=outcome_of(outcome or log.keywords),
        channel=log.channel or log.provider_name or "",
    )


def _beat(record: Record) -> Told:
    return Told(
        event_id=event_number(record.event_id, "/event_id"),
        data=record.event_data or record.user_data or NO_DATA,
        data_at="/event_data",
        time=record.time,
        time_at="/@timestamp",
        utc=True,
        computer=record.computer_name or "",
        record_id=told(record.recordevent_number),
        outcome=outcome_of(record.keywords),
        channel=record.log_name or record.source_name or "",
    )


def _flat(record: Record) -> Told:
    nested = record.EventData if isinstance(record.EventData, dict | list) else record.UserData
    if not isinstance(nested, dict | list):  # none, or the XML that Log Analytics keeps beside the columns
        nested = None
    time, time_at, utc = _flat_time(record)
    return Told(
        event_id=event_number(record.EventID, "/EventID"),
        data=record if nested is None else _data(nested),
        data_at="" if nested is None else "/EventData",
        time=time,
        time_at=time_at,
        utc=utc,
        computer=record.Hostname or record.Computer or record.computer_name or "",
        record_id=told(record.RecordNumber) or told(record.EventRecordID),
        outcome=outcome_of(record.EventType or record.Keywords or record.keywords),
        channel=record.Channel or record.SourceName or record.ProviderName or record.EventSourceName or "",
    )


_has_offset: Final = re.compile(r"(?:[Zz]|[+-]\d\d:?\d\d)\s*$").search


def _flat_time(record: Record) -> tuple[str | None, str, bool]:
    """Return the time, where it stands, and whether it is UTC when it doesn't say.

    NXLog's EventTime and a script's TimeCreated may be local times: without an offset they name no instant,
    and what came after (when it was received, or indexed) is the next best.
    """
    for time, where in ((record.EventTime, "/EventTime"), (record.TimeCreated, "/TimeCreated")):
        if isinstance(time, str) and _has_offset(time):
            return time, where, False
    for time, where in ((record.time, "/@timestamp"), (record.TimeGenerated, "/TimeGenerated")):
        if time:
            return time, where, True
    for time, where in ((record.EventTime, "/EventTime"), (record.TimeCreated, "/TimeCreated")):
        if isinstance(time, str):
            return time, where, False
    return None, "/EventTime", False


def _schema(event: dict[str, Any]) -> Told:
    """Return an Event of the schema as evtx_dump, python-evtx, xmltodict and others write it in JSON."""
    system = event.get("System")
    if not isinstance(system, dict):
        raise RejectedError(Code.NOT_AN_EVENT, detail="an Event without System")
    name = "EventData" if event.get("EventData") else "UserData"
    return Told(
        event_id=event_number(system.get("EventID"), "/Event/System/EventID"),
        data=_data(event.get(name)),
        data_at=f"/Event/{name}",
        time=_attribute(system, "TimeCreated", "SystemTime") or None,
        time_at="/Event/System/TimeCreated",
        utc=True,  # SystemTime is UTC by the schema, and some writers leave the Z out
        computer=told(_text(system.get("Computer"))),
        record_id=told(_text(system.get("EventRecordID"))),
        outcome=outcome_of(_text(system.get("Keywords"))),
        channel=told(_text(system.get("Channel"))) or _attribute(system, "Provider", "Name"),
    )


def _attribute(parent: dict[str, Any], element: str, name: str) -> str:
    """Return an attribute, which writers put in `#attributes`, in `<element>_attributes`, under `@name` or `name`."""
    for holder in (parent.get(element), parent.get(f"{element}_attributes")):
        if isinstance(holder, dict):
            inner = holder.get("#attributes")
            values = (inner or {}) if isinstance(inner, dict) or inner is None else {}
            if found := told(values.get(name)) or told(holder.get(f"@{name}")) or told(holder.get(name)):
                return found
    return ""


def _text(value: object) -> object:
    """Return an element's text, which stands beside its attributes when it has some."""
    return value.get("#text", value.get("_")) if isinstance(value, dict) else value


def _data(value: object) -> Data:
    """Return EventData or UserData as an object of names, as a list of named values, or with those inside `Data`."""
    if isinstance(value, dict):
        inner = value.get("Data")
        if isinstance(inner, list):
            return _named(inner)
        nested = [one for one in value.values() if isinstance(one, dict)]
        # UserData holds one element that holds the fields
        if len(nested) == 1 and "SubjectUserName" not in value and "TargetUserName" not in value:
            value = nested[0]
        return msgspec.convert(value, Data, strict=False)
    return _named(value) if isinstance(value, list) else NO_DATA


def _named(items: list[Any]) -> Data:
    pairs = (
        (one.get("@Name") or one.get("Name") or _attribute({"_": one}, "_", "Name"), one)
        for one in items
        if isinstance(one, dict)
    )
    return msgspec.convert({str(name): _value(one) for name, one in pairs if name}, Data)


def _value(one: dict[str, Any]) -> object:
    return next((one[key] for key in ("#text", "Value", "_", "Text") if key in one), None)


def event_number(value: object, pointer: str) -> int:
    """Return an event id, told as a number, as text or beside its qualifiers.

    Raises:
        RejectedError: `wrong-type`, with `pointer`.
    """
    if type(value) is int and 0 <= value < EVENT_ID_MAX:
        return value
    text = told(_text(value))
    if not text.isascii() or not text.isdigit() or len(text) > 5:
        raise RejectedError(Code.WRONG_TYPE, pointer, "not an event id")
    return int(text)


def outcome_of(value: object) -> str:
    """Return "failure" when keywords (bits or words, in English, French or German) say so, "" when they don't."""
    if isinstance(value, list):
        return next(filter(None, map(outcome_of, value)), "")
    if isinstance(value, int):
        return "failure" if value & _FAILURE_BIT else ""
    if not isinstance(value, str):
        return ""
    if value[:2] in ("0x", "0X"):
        try:
            return "failure" if int(value[:34], 16) & _FAILURE_BIT else ""
        except ValueError:
            return ""
    return "failure" if _FAILED.search(value[:256]) else ""
