"""The unified audit log of Microsoft 365: Exchange, SharePoint, OneDrive, Teams, Entra ID, as its API and exports write it."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.microsoft.directory import INTERRUPTED
from streams.sources.microsoft.operations import Meaning, meaning_of
from streams.sources.shared.documents import Envelope, carried, json_source, split_documents
from streams.sources.shared.meanings import CREATE, EMAIL, LOGIN, LOGIN_FAILED, OTHER, SHARE, UPDATE
from streams.sources.shared.values import FAILURE, HUMAN, SERVICE, SUCCESS, UNKNOWN, address, derived_id, host, instant, row, told

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

_NOTHING: Final = Raw()


class Pair(Struct, gc=False):
    """A named value, of `Parameters`, `OperationProperties`, `DeviceProperties`, `ExtendedProperties`."""

    Name: Any = None
    Value: Any = None


class Folder(Struct, gc=False):
    """One of the folders of `MailItemsAccessed`."""

    FolderItems: list[Raw] | None = None


class Access(Struct, gc=False):
    """`AppAccessContext`."""

    AADSessionId: Any = None


class Record(Struct, gc=False):
    """A record of the Management Activity API's schema, as far as we read it; or what carries one."""

    CreationTime: str | None = None
    Id: Any = None
    Operation: str | None = None
    Workload: Any = None
    UserType: Any = None
    UserId: Any = None
    UserKey: Any = None
    ClientIP: Any = None
    ClientIPAddress: Any = None
    ActorIpAddress: Any = None
    ResultStatus: Any = None
    ObjectId: Any = None
    ItemType: Any = None
    SourceRelativeUrl: Any = None
    SourceFileName: Any = None
    TargetUserOrGroupName: Any = None
    MailboxOwnerUPN: Any = None
    LogonError: Any = None
    ErrorNumber: Any = None
    SessionId: Any = None
    AppAccessContext: Access | None = None
    DeviceName: Any = None
    OperationCount: Any = None
    Folders: list[Folder] | None = None
    AffectedItems: list[Raw] | None = None
    Parameters: list[Pair] | str | None = None
    DeviceProperties: list[Pair] | str | None = None
    OperationProperties: list[Pair] | str | None = None
    ModifiedProperties: Any = None
    AuditData: Raw = _NOTHING
    auditData: Raw = _NOTHING  # noqa: N815 - Graph's name of the same
    value: list[Raw] | None = None
    records: list[Raw] | None = None


_decode_record: Final = msgspec.json.Decoder(Record).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
# Regular and reserved users, administrators, partners' and Microsoft's operators, guests.
_PEOPLE: Final = frozenset(
    {"0", "1", "2", "3", "9", "10", "Regular", "Reserved", "Admin", "DcAdmin", "PartnerTechnician", "Guest", ""}
)
_MACHINES: Final = ("nt authority\\", "app@sharepoint", "serviceprincipal_", "s-1-5-18")
_SUCCESSES: Final = frozenset({"success", "succeeded", "true", ""})
# What makes a mailbox or a rule pass mail on to others.
_FORWARDS: Final = frozenset(
    {
        "forwardto",
        "forwardasattachmentto",
        "redirectto",
        "forwardingsmtpaddress",
        "forwardingaddress",
        "redirectmessageto",
        "blindcopyto",
    }
)
_RULES: Final = re.compile(r"(?:New|Set|Enable)-(?:InboxRule|TransportRule|Mailbox|SweepRule)$").match
_FILES: Final = frozenset({"sharepoint", "onedrive"})


def _read(document: bytes) -> list[EventRow] | Envelope:
    if document[:1] not in (b"{", b"[") and (cells := _cells(document)) is not None:
        return cells
    record = _decode_record(document)
    if record.Operation is None or record.CreationTime is None:
        if (envelope := _carried(record)) is not None:
            return envelope
        if record.Operation is None:
            raise RejectedError(Code.NOT_AN_EVENT, detail="not a record of the unified audit log")
        raise RejectedError(Code.MISSING_FIELD, "/CreationTime", "no time at all")
    return [_row(record, document)]


def _carried(record: Record) -> Envelope | None:
    """Return what an export carries: `AuditData`, as an object or as text; a page; a batch."""
    for name, raw in (("AuditData", bytes(record.AuditData)), ("auditData", bytes(record.auditData))):
        if raw.startswith(b'"'):
            return Envelope([(f"/{name}", _decode_text(raw).encode())])
        if raw.startswith(b"{"):
            return Envelope([(f"/{name}", raw)])
    if record.value is not None:
        return carried("/value", record.value)
    return carried("/records", record.records) if record.records is not None else None


_AUDIT_DATA: Final = "AuditData"
LINE_BYTES_MAX: Final = 1 << 20


def _cells(line: bytes) -> Envelope | None:
    """Return the AuditData in a line of an export in CSV; nothing for its header; None for what is no such line."""
    if len(line) > LINE_BYTES_MAX or (b'{""' not in line and _AUDIT_DATA.encode() not in line):
        return None
    try:
        cells = next(csv.reader([line.decode()]), [])
    except (csv.Error, UnicodeDecodeError):
        return None
    found = next((cell for cell in cells if cell.startswith('{"')), "")
    if found:
        return Envelope([("/AuditData", found.encode())])
    return Envelope([]) if _AUDIT_DATA in cells else None


def _row(record: Record, document: bytes) -> EventRow:
    meaning = _meaning(record)
    action, outcome = _ended(record, meaning.action)
    actor, actor_type = _actor(record)
    resource_type, resource_id = _resource(record, action)
    return row(
        told(record.Id) or derived_id(document),
        instant(record.CreationTime or "", "/CreationTime", utc=True),
        action,
        actor,
        outcome,
        actor_at="/UserId",
        actor_type=actor_type,
        resource_type=resource_type,
        resource_id=resource_id,
        count=_count(record),
        reason=_reason(record, meaning),
        client=_client(record),
        device=host(told(record.DeviceName) or _named(record.DeviceProperties, "DisplayName")),
        application=told(record.Workload),
        session=_session(record),
        destination=meaning.destination,
    )


def _meaning(record: Record) -> Meaning:
    """Return what was done; to let mail be passed on to others is to share it."""
    operation = record.Operation or ""
    meaning = meaning_of(operation)
    if meaning.action in (CREATE, UPDATE) and _RULES(operation) and _forwards(record):
        return Meaning(SHARE, EMAIL)
    if operation == "UpdateInboxRules" and _forwards(record):
        return Meaning(SHARE, EMAIL)
    return meaning


def _forwards(record: Record) -> str:
    """Return to whom mail is passed on; empty for nobody. Outlook tells a rule's actions as JSON in a text."""
    for pair in _pairs(record.Parameters):
        if told(pair.Name).lower() in _FORWARDS and (to := told(pair.Value)):
            return to
    actions = _named(record.OperationProperties, "RuleActions")
    return actions if "Forward" in actions or "Redirect" in actions else ""


def _ended(record: Record, action: str) -> tuple[str, str]:
    """Return the action and how it ended. A logon that only asked for more did not fail."""
    failed = told(record.ResultStatus).lower() not in _SUCCESSES
    if action == LOGIN_FAILED:
        return (OTHER, UNKNOWN) if _is_interrupted(told(record.ErrorNumber)) else (LOGIN_FAILED, FAILURE)
    if action == LOGIN and failed:
        return LOGIN_FAILED, FAILURE
    return action, FAILURE if failed else SUCCESS


def _is_interrupted(code: str) -> bool:
    return code.isascii() and code.isdigit() and int(code[:9]) in INTERRUPTED


def _actor(record: Record) -> tuple[str, str]:
    """Return who acted, in lower case as UPNs compare, and whether it is a person.

    A program that acts as a user (type 5 with a UPN) is the user.
    """
    name = (told(record.UserId) or told(record.UserKey)).lower()
    if name.startswith(_MACHINES):
        return name, SERVICE
    person = told(record.UserType) in _PEOPLE or "@" in name
    return name, HUMAN if person else SERVICE


def _resource(record: Record, action: str) -> tuple[str, str]:
    """Return what it was about: a file by URL, a mailbox by its owner, else the object; of another operation, its name."""
    workload, owner = told(record.Workload).lower(), told(record.MailboxOwnerUPN)
    object_id = told(record.ObjectId)
    if action == OTHER:
        return record.Operation or "", object_id
    if owner:
        return "mailbox", owner.lower()
    if workload in _FILES or (record.Operation or "").startswith("File"):
        return told(record.ItemType).lower() or "file", object_id
    if action in (LOGIN, LOGIN_FAILED):
        return "", ""
    return workload, object_id or told(record.SourceFileName)


def _count(record: Record) -> int:
    """Return how many items one record tells of."""
    count = record.OperationCount
    if isinstance(count, int) and not isinstance(count, bool):
        return count
    if record.Folders is not None:
        return max(1, sum(len(one.FolderItems or ()) for one in record.Folders))
    return max(1, len(record.AffectedItems or ()))


def _reason(record: Record, meaning: Meaning) -> str:
    if error := told(record.LogonError):
        return error
    if meaning.action == SHARE:
        to = told(record.TargetUserOrGroupName) or (_forwards(record) if meaning.destination == EMAIL else "")
        return f"to {to}" if to else ""
    return ""


def _client(record: Record) -> str:
    return address(told(record.ClientIP) or told(record.ClientIPAddress) or told(record.ActorIpAddress))


def _session(record: Record) -> str:
    context = record.AppAccessContext
    return (
        told(record.SessionId)
        or (told(context.AADSessionId) if context is not None else "")
        or _named(record.DeviceProperties, "SessionId")
    )


def _pairs(pairs: list[Pair] | str | None) -> list[Pair]:
    return pairs if isinstance(pairs, list) else []


def _named(pairs: list[Pair] | str | None, name: str) -> str:
    return next((told(one.Value) for one in _pairs(pairs) if one.Name == name), "")


def _parts(document: bytes) -> Envelope | None:
    record = _decode_record(document)
    return None if record.Operation is not None else _carried(record)


_HEADED: Final = re.compile(rb"[^\n]*\bAuditData\b").match


def split(data: bytes) -> list[bytes]:
    """Return the records of a file: NDJSON, the API's array, or an export of a search in JSON or CSV."""
    text = data.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip()[:1] not in (b"{", b"[") and _HEADED(text):
        lines = csv.reader(text.decode("utf-8", "replace").splitlines(keepends=True))
        return [cell.encode() for line in lines for cell in line if cell.startswith('{"')]
    return split_documents(text, _parts)


SOURCE: Final = json_source(
    name="microsoft365_audit",
    title="Microsoft 365: unified audit log",
    read=_read,
    split=split,
    also=("text/csv",),
)
