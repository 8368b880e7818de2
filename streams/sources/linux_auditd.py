"""Linux audit: records of the audit daemon, raw or enriched, joined by their serial: who opened, ran and changed what."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.ids import derive
from streams.sources.contract import Source
from streams.sources.shared.documents import BOM, Envelope, carried, decode_all
from streams.sources.shared.lines import LINE_BYTES_MAX
from streams.sources.shared.meanings import (
    CREATE,
    DELETE,
    EXECUTE,
    LOGIN,
    LOGIN_FAILED,
    LOGOUT,
    OTHER,
    READ,
    RIGHTS,
    UPDATE,
    each,
)
from streams.sources.shared.values import FAILURE, HUMAN, SERVICE, SUCCESS, address, host, moment_of, row, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentinel.core.event import EventRow

BLOCK_BYTES: Final = 1 << 20
OPEN_MAX: Final = 256  # events that began and may have records to come, kept from one block to the next

_MARK: Final = b"audit("
_UNSET: Final = frozenset({"4294967295", "-1", "unset"})

_line: Final = re.compile(
    r"(?:.*?\s)??(?:(?<!\S)node=(?P<node>\S{1,255}) )?type=(?P<type>[A-Z0-9_]{1,64}) "
    r"msg=audit\((?P<time>\d{1,12}\.\d{1,9}):(?P<serial>\d{1,20})\):(?P<rest>.*)"
).fullmatch
_serial: Final = re.compile(rb"(?:(?<!\S)node=(\S{1,255}) )?type=\S{1,64} msg=audit\((\d{1,12}\.\d{1,9}:\d{1,20})\)").search
# A name that begins at a word, so that a long word is looked at once.
_pair: Final = re.compile(r"(?<![\w-])([A-Za-z][\w-]*+)=(?:\"([^\"]*+)\"|([^\s\"',]*+))").finditer
_inner: Final = re.compile(r"\bmsg='(.*)'", re.DOTALL).search
_hexadecimal: Final = re.compile(r"(?:[0-9A-F]{2})+").fullmatch

# What was done, by the call of the kernel (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
_CALLS: Final = {
    **each(READ, "open openat openat2 open_by_handle_at"),
    **each(DELETE, "unlink unlinkat rmdir"),
    **each(UPDATE, "rename renameat renameat2 truncate ftruncate"),
    **each(CREATE, "creat mkdir mkdirat link linkat symlink symlinkat mknod mknodat"),
    **each(RIGHTS, "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat"),
    **each(RIGHTS, "setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr"),
    **each(EXECUTE, "execve execveat"),
}
_X86_64: Final = {
    "2": "open",
    "257": "openat",
    "437": "openat2",
    "59": "execve",
    "322": "execveat",
    "87": "unlink",
    "263": "unlinkat",
    "84": "rmdir",
    "82": "rename",
    "264": "renameat",
    "316": "renameat2",
    "90": "chmod",
    "91": "fchmod",
    "268": "fchmodat",
    "92": "chown",
    "93": "fchown",
    "94": "lchown",
    "260": "fchownat",
    "85": "creat",
    "83": "mkdir",
    "258": "mkdirat",
    "86": "link",
    "265": "linkat",
    "88": "symlink",
    "266": "symlinkat",
    "76": "truncate",
    "77": "ftruncate",
    "188": "setxattr",
    "189": "lsetxattr",
    "190": "fsetxattr",
    "197": "removexattr",
    "198": "lremovexattr",
}
_AARCH64: Final = {
    "56": "openat",
    "437": "openat2",
    "221": "execve",
    "281": "execveat",
    "35": "unlinkat",
    "38": "renameat",
    "276": "renameat2",
    "52": "fchmod",
    "53": "fchmodat",
    "54": "fchownat",
    "55": "fchown",
    "34": "mkdirat",
    "37": "linkat",
    "36": "symlinkat",
    "45": "truncate",
    "46": "ftruncate",
    "5": "setxattr",
    "6": "lsetxattr",
    "7": "fsetxattr",
}
_ARCHITECTURES: Final = {"c000003e": _X86_64, "c00000b7": _AARCH64}
# Where the flags of a call stand that opens a file, and those that let write in it (O_WRONLY, O_RDWR).
_FLAGS: Final = {"open": "a1", "openat": "a2"}
_WRITES: Final = 0o3

# What programs tell. A login, an authentication and the session that follows are told by several records: one counts.
_TOLD: Final = {
    "USER_LOGIN": (LOGIN, ""),
    "USER_AUTH": (LOGIN, ""),
    "USER_END": (LOGOUT, ""),
    "USER_CMD": (EXECUTE, "process"),
    **dict.fromkeys(("ADD_USER",), (CREATE, "account")),
    **dict.fromkeys(("DEL_USER",), (DELETE, "account")),
    **dict.fromkeys(("USER_MGMT", "USER_CHAUTHTOK", "ACCT_LOCK", "ACCT_UNLOCK"), (UPDATE, "account")),
    "ADD_GROUP": (CREATE, "group"),
    "DEL_GROUP": (DELETE, "group"),
    **dict.fromkeys(("GRP_MGMT", "GRP_CHAUTHTOK"), (RIGHTS, "group")),
    **dict.fromkeys(("ROLE_ASSIGN", "ROLE_REMOVE", "USER_ROLE_CHANGE"), (RIGHTS, "role")),
    **dict.fromkeys(("CONFIG_CHANGE", "DAEMON_CONFIG", "DAEMON_END", "DAEMON_ABORT"), (UPDATE, "audit-configuration")),
    **dict.fromkeys(("MAC_POLICY_LOAD", "MAC_STATUS", "MAC_CONFIG_CHANGE"), (RIGHTS, "policy")),
}
_DOORS: Final = frozenset({"sshd", "sshd-session", "login", "gdm-session-worker", "sddm-helper", "lightdm"})
_NAMED: Final = ("grp", "acct", "ID", "op")


@dataclass(slots=True)
class Event:
    """The records of one serial: the first of each type, all paths."""

    node: str = ""
    time: str = ""
    serial: str = ""
    records: dict[str, dict[str, str]] = field(default_factory=dict)
    paths: list[dict[str, str]] = field(default_factory=list)


def _read(record: bytes) -> list[EventRow] | Envelope:
    if len(record) > LINE_BYTES_MAX:
        raise RejectedError(Code.TOO_LARGE, detail=f"more than {LINE_BYTES_MAX} bytes")
    event = _event(record.decode())
    if "SYSCALL" in event.records:
        return [_called(event, event.records["SYSCALL"])]
    name = next((one for one in event.records if one in _TOLD or one.startswith("ANOM_")), "")
    return _told_by_program(event, name, event.records[name]) if name else []


def _event(text: str) -> Event:
    """Return what the lines of a record tell.

    Raises:
        RejectedError: `not-an-event` for a line that is no record, or lines of several serials.
    """
    event = Event()
    for line in filter(None, map(str.strip, text.split("\n"))):  # `splitlines` would cut where enrichment begins
        found = _line(line)
        if found is None or (event.serial and (found["time"], found["serial"]) != (event.time, event.serial)):
            raise RejectedError(Code.NOT_AN_EVENT, detail="not a record of Linux audit")
        event.node, event.time, event.serial = found["node"] or event.node, found["time"], found["serial"]
        fields = _fields(found["rest"])
        if found["type"] == "PATH":
            event.paths.append(fields)
        else:
            event.records.setdefault(found["type"], fields)
    if not event.serial:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not a record of Linux audit")
    return event


def _fields(rest: str) -> dict[str, str]:
    """Return the fields of a record, those within `msg='…'` and those that enrichment added."""
    rest = rest.replace("\x1d", " ")
    inner = _inner(rest)
    outer = rest if inner is None else f"{rest[: inner.start()]} {rest[inner.end() :]}"
    fields = {one[1]: one[2] if one[2] is not None else _plain(one[1], one[3]) for one in _pair(outer)}
    return fields | (
        {} if inner is None else {one[1]: one[2] if one[2] is not None else _plain(one[1], one[3]) for one in _pair(inner[1])}
    )


def _plain(name: str, value: str) -> str:
    """Return a value without quotes: names with blanks are in hexadecimal."""
    if name in ("name", "acct", "cmd", "exe", "comm", "cwd") and _hexadecimal(value):
        return bytes.fromhex(value).decode(errors="replace").replace("\0", " ")
    return "" if value in ("(null)", "?", "(none)") else value


def _called(event: Event, call: dict[str, str]) -> EventRow:
    """Return the row of a call of the kernel."""
    name = call.get("SYSCALL") or _ARCHITECTURES.get(call.get("arch", ""), {}).get(call.get("syscall", ""), "")
    action = _CALLS.get(name, OTHER)
    paths = [one for one in event.paths if one.get("nametype") != "PARENT" and told(one.get("name"))]
    if action == READ:
        made = any(one.get("nametype") == "CREATE" for one in paths)
        action = CREATE if made else UPDATE if _writes(name, call) else READ
    failed = call.get("success") == "no"
    names = [_whole(one["name"], event) for one in paths] or [call.get("exe", "")]
    kind = "process" if action == EXECUTE else "file"
    return _row(
        event,
        call,
        action,
        kind=kind if action != OTHER else name or f"syscall-{call.get('syscall', '')}",
        thing=names[0],
        failed=failed,
        reason=f"exit {call.get('exit', '')}"
        if failed
        else f"to {names[-1]}"
        if name.startswith("rename") and len(names) > 1
        else "",
    )


def _writes(name: str, call: dict[str, str]) -> bool:
    flags = call.get(_FLAGS.get(name, ""), "")
    try:
        return bool(int(flags, 16) & _WRITES)
    except ValueError:
        return False


def _whole(name: str, event: Event) -> str:
    """Return a path from the root on."""
    cwd = event.records.get("CWD", {}).get("cwd", "")
    return name if name.startswith("/") or not cwd else f"{cwd.rstrip('/')}/{name.removeprefix('./')}"


def _told_by_program(event: Event, type_: str, fields: dict[str, str]) -> list[EventRow]:
    """Return the row of what a program told; none of what another record of the same act tells better."""
    action, kind = _TOLD.get(type_, (OTHER, type_.lower()))
    failed = fields.get("res", "").lower() in ("failed", "failure", "no", "0")
    at_door = fields.get("exe", "").rpartition("/")[2] in _DOORS
    if (type_ == "USER_AUTH" and (at_door or not failed)) or (type_ == "USER_END" and not at_door):
        return []
    if action == LOGIN and failed:
        action = LOGIN_FAILED
    thing = ""
    if kind:
        thing = fields.get("cmd", "").partition(" ")[0] or next((fields[one] for one in _NAMED if told(fields.get(one))), "")
    return [_row(event, fields, action, kind=kind, thing=thing, failed=failed, own=type_ in ("USER_LOGIN", "USER_END"))]


def _row(
    event: Event, fields: dict[str, str], action: str, *, kind: str, thing: str, failed: bool, reason: str = "", own: bool = False
) -> EventRow:
    actor, actor_type = _actor(fields, own=own)
    return row(
        derive("event", event.node, event.time, event.serial),
        moment_of(event.time, "/msg"),
        action,
        actor,
        FAILURE if failed else SUCCESS,
        actor_at="/auid",
        actor_type=actor_type,
        resource_type=kind,
        resource_id=thing,
        reason=reason,
        client=address(fields.get("addr", "")),
        device=host(event.node),
        application=(fields.get("exe") or fields.get("comm", "")).rpartition("/")[2],
        session=_session(event, fields.get("ses", "")),
    )


def _session(event: Event, number: str) -> str:
    """Return the number of a login, which is unique on its machine until it starts anew."""
    if not told(number) or number in _UNSET:
        return ""
    return f"{event.node}/{number}" if event.node else number


def _actor(fields: dict[str, str], *, own: bool) -> tuple[str, str]:
    """Return who acted: who logged in at first, whatever rights they took since; else the account a program works under.

    `own`: of a login and its end it is the account that is told.
    """
    if own and (name := told(fields.get("acct")) or told(fields.get("ID")) or _number(fields.get("id", ""))):
        return "unknown" if name.startswith("(") else name.lower(), HUMAN  # `(invalid user)`
    for id_, name in (("auid", "AUID"), ("uid", "UID")):
        number = fields.get(id_, "")
        if number in _UNSET:
            continue
        if found := _name(fields.get(name, "")) or _number(number):
            return found.lower(), HUMAN if id_ == "auid" else SERVICE
    account = told(fields.get("acct"))
    return account.lower(), HUMAN


def _name(name: str) -> str:
    return "" if name in _UNSET or name.startswith("unknown(") else told(name)


def _number(number: str) -> str:
    return f"uid:{number}" if number.isdigit() and number not in _UNSET else ""


def _several(record: bytes) -> Envelope | None:
    """Return the events of a record that nobody cut."""
    events = _split(record)
    return carried("", events) if len(events) > 1 and _MARK in record else None


def _split(data: bytes) -> list[bytes]:
    """Return the events of a log, each with all its records, which may stand among those of others."""
    return [event for _, events in _cut(io.BytesIO(data.removeprefix(BOM))) for event in events]


def _cut(stream: IO[bytes]) -> Iterator[tuple[list[int], list[bytes]]]:
    """Yield the events of a log in blocks, and the lines (from 1) they begin on. Lines that are no records stay alone."""
    gathered: dict[object, tuple[int, list[bytes]]] = {}
    number = 1
    while lines := stream.readlines(BLOCK_BYTES):
        for line in lines:
            found = _serial(line)
            if found is not None or not line.isspace():
                gathered.setdefault(found.groups() if found else number, (number, []))[1].append(line)
            number += 1
        yield _block([gathered.pop(key) for key in list(gathered)[:-OPEN_MAX]])
    yield _block(list(gathered.values()))


def _block(events: list[tuple[int, list[bytes]]]) -> tuple[list[int], list[bytes]]:
    return [number for number, _ in events], [b"".join(lines) for _, lines in events]


SOURCE: Final = Source(
    name="linux_auditd",
    title="Linux audit daemon, raw and enriched records",
    decode=partial(decode_all, read=_read, several=_several),
    media_types=("text/plain",),
    split=_split,
    cut=_cut,
)
