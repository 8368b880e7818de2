"""Nextcloud's `admin_audit` log (and ownCloud's before it): files, shares, logins, users, told in sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import Struct, field

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import Action
from streams.sources.shared.documents import Envelope, json_source
from streams.sources.shared.meanings import EMAIL, LINK, OTHER
from streams.sources.shared.values import FAILURE, HUMAN, SERVICE, SUCCESS, address, derived_id, instant, row, told

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

# ruff: noqa: N815 - the names are those of the log

MESSAGE_CHARACTERS_MAX: Final = 8_192


class _Sentence(NamedTuple):
    """How a message begins, what it tells, of what kind of thing. The groups `what`, `who` and `to` are read."""

    begins: re.Pattern[str]
    action: str
    resource: str = ""
    destination: str = ""


def _sentences(*told_: tuple[str, Action, str, str]) -> tuple[_Sentence, ...]:
    return tuple(_Sentence(re.compile(begins), action.value, resource, to) for begins, action, resource, to in told_)


_ID: Final = r'(?: with (?:the )?(?:id|ID) "[^"]*")?'
# apps/admin_audit of Nextcloud 12 to 31 and of ownCloud 8; the quotes in a path are not escaped.
_SENTENCES: Final = _sentences(
    (r'Login successful: "(?P<who>.*)"', Action.LOGIN, "", ""),
    (r'Login failed: ["\']?(?P<who>[^"\'(]+?)["\']?(?: \(Remote IP: .*)?$', Action.LOGIN_FAILED, "", ""),
    (r'Login attempt: "(?P<who>.*)"', Action.OTHER, "login-attempt", ""),
    (r"Logout occurred|User .* logged out", Action.LOGOUT, "", ""),
    (rf'File{_ID} accessed: "(?P<what>.*)"', Action.READ, "file", ""),
    (rf'Preview{_ID} accessed: "(?P<what>[^"]*)"', Action.READ, "preview", ""),
    (rf'File{_ID} (?:created|copied from|copied): "(?P<what>[^"]*)"', Action.CREATE, "file", ""),
    (r'File id copied from: "(?P<what>[^"]*)"', Action.CREATE, "file", ""),
    (rf'File{_ID} (?:written to|updated|renamed|renamed from):? "(?P<what>[^"]*)"', Action.UPDATE, "file", ""),
    (r'File "(?P<what>.*)" restored from trash bin', Action.UPDATE, "file", ""),
    (r'File "(?P<what>.*)" deleted from trash bin', Action.DELETE, "file", ""),
    (rf'File{_ID} deleted: "(?P<what>.*)"', Action.DELETE, "file", ""),
    (r'Version "[^"]*" of "(?P<what>[^"]*)" was (?:restored|deleted)', Action.UPDATE, "file", ""),
    (r'The \w+ "(?P<what>.*?)" with ID "[^"]*" has been shared via link', Action.SHARE, "file", LINK),
    (
        r'The \w+ "(?P<what>.*?)" with ID "[^"]*" has been shared (?:via|to the) e?-?mail.*? "(?P<to>[^"]*)"',
        Action.SHARE,
        "file",
        EMAIL,
    ),
    (r'The \w+ "(?P<what>.*?)" with ID "[^"]*" has been shared to the [\w ]+ "(?P<to>[^"]*)"', Action.SHARE, "file", ""),
    (r'The \w+ "(?P<what>.*?)" with ID "[^"]*" has been (?:un)?shared', Action.PERMISSION_CHANGE, "file", ""),
    (r'The shared \w+ with the token "(?P<what>[^"]*)" by "[^"]*" has been accessed', Action.READ, "public-link", LINK),
    (r'The (?:permissions|password|expiration date|note) of the .*?"(?P<what>[^"]*)"', Action.PERMISSION_CHANGE, "file", ""),
    (r'User "(?P<to>.*)" (?:added to|removed from) group "(?P<what>.*)"', Action.PERMISSION_CHANGE, "group", ""),
    (r'User created: "(?P<what>.*)"', Action.CREATE, "account", ""),
    (r'User deleted: "(?P<what>.*)"', Action.DELETE, "account", ""),
    (r'User (?:enabled|disabled): "(?P<what>.*)"', Action.UPDATE, "account", ""),
    (r'Password of user "(?P<what>.*)" has been changed', Action.UPDATE, "account", ""),
    (r'Group created: "(?P<what>.*)"', Action.CREATE, "group", ""),
    (r'Group deleted: "(?P<what>.*)"', Action.DELETE, "group", ""),
    (r'App "(?P<what>[^"]*)" (?:enabled|disabled)', Action.UPDATE, "app", ""),
    (r"Console command executed: (?P<what>.*)", Action.EXECUTE, "console", ""),
    (r"Two factor authentication attempt by user (?P<who>\S+) .*failed", Action.LOGIN_FAILED, "", ""),
    # ownCloud
    (r'Rename "(?P<what>[^"]*)" to "', Action.UPDATE, "file", ""),
    (r'(?:Create|Copy)\w* "(?P<what>[^"]*)"', Action.CREATE, "file", ""),
    (r'Write\w* "(?P<what>[^"]*)"', Action.UPDATE, "file", ""),
    (r'Delete\w* "(?P<what>[^"]*)"', Action.DELETE, "file", ""),
    (r'(?:Read|Access)\w* "(?P<what>[^"]*)"', Action.READ, "file", ""),
)
_by_user: Final = re.compile(r" by user ([^\s,]+), owner: ").search
_remote: Final = re.compile(r"\(Remote IP: ['\"]?([^'\")]+)").search
_AUDITS: Final = frozenset({"admin_audit", "core", "no app in context"})
_NOBODY: Final = frozenset({"", "--"})
# fmt: off
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)
# fmt: on
_american: Final = re.compile(r"([A-Z][a-z]+) (\d\d), (\d{4}) (\d\d:\d\d:\d\d)").fullmatch


class Original(Struct, gc=False):
    """`event` of ECS, which holds the line as it was."""

    original: Any = None


class Line(Struct, gc=False):
    """A line of the log, or a shipper's record of one."""

    reqId: Any = None
    time: str | None = None
    logged: str | None = field(default=None, name="@timestamp")
    remoteAddr: Any = None
    user: Any = None
    app: Any = None
    url: Any = None
    message: Any = None
    event: Original | str | None = None


_decode_line: Final = msgspec.json.Decoder(Line).decode


def _read(document: bytes) -> list[EventRow] | Envelope:
    line = _decode_line(document)
    if line.app is None:
        original = line.event.original if isinstance(line.event, Original) else None
        for text, where in ((original, "/event/original"), (line.message, "/message")):
            if isinstance(text, str) and text.startswith("{"):
                return Envelope([(where, text.encode())])
    message = told(line.message)[:MESSAGE_CHARACTERS_MAX]
    app = told(line.app).lower()
    if app not in _AUDITS or (app != "admin_audit" and not message.startswith("Login failed")):
        raise RejectedError(Code.NOT_AN_EVENT, detail="not a line of the audit")
    return [_row(line, message, document)]


def _row(line: Line, message: str, document: bytes) -> EventRow:
    sentence, found = next(((one, found) for one in _SENTENCES if (found := one.begins.match(message))), (_UNKNOWN, None))
    groups = found.groupdict() if found is not None else {}
    actor, actor_type = _actor(line, groups, message, sentence)
    to = groups.get("to")
    failed = sentence.action == Action.LOGIN_FAILED
    return row(
        derived_id(document),
        _occurred_at(line),
        sentence.action,
        actor,
        FAILURE if failed else SUCCESS,
        actor_at="/user",
        actor_type=actor_type,
        resource_type=sentence.resource,
        resource_id=groups.get("what") or "",
        reason=f"{'member' if sentence.resource == 'group' else 'to'} {to}" if to else "",
        client=address(_address(line, message)),
        application="nextcloud",
        destination=sentence.destination,
    )


_UNKNOWN: Final = _Sentence(re.compile(""), OTHER, "admin_audit")


def _actor(line: Line, groups: dict[str, Any], message: str, sentence: _Sentence) -> tuple[str, str]:
    """Return who acted, in lower case: the session's user, the one a message tells, whoever has the link, the console."""
    user = told(line.user)
    if user in _NOBODY:
        by = _by_user(message)
        user = (groups.get("who") or (by[1] if by else "")).strip()
    if user in _NOBODY and sentence.resource == "public-link":
        return "anonymous", HUMAN
    if user in _NOBODY and sentence.resource == "console":
        return "console", SERVICE
    return ("" if user in _NOBODY else user.lower()), HUMAN


def _address(line: Line, message: str) -> str:
    """Return the client's address: the one in the message of a failed login, when a proxy's stands beside it."""
    found = _remote(message)
    return found[1] if found else told(line.remoteAddr)


def _occurred_at(line: Line) -> int:
    """Return the time. Without an offset it is UTC, the default of `logtimezone`."""
    text, where = (line.time, "/time") if line.time is not None else (line.logged, "/@timestamp")
    if text is None:
        raise RejectedError(Code.MISSING_FIELD, "/time", "no time at all")
    if (found := _american(text)) and found[1] in _MONTHS:
        text = f"{found[3]}-{_MONTHS.index(found[1]) + 1:02d}-{found[2]}T{found[4]}"
    return instant(text, where, utc=True)


SOURCE: Final = json_source(
    name="nextcloud_audit",
    title="Nextcloud: admin_audit log",
    read=_read,
)
