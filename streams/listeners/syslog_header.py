"""The header of a syslog message (RFC 5424, RFC 3164 and what is sent as such), and what stands behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

HEADER_BYTES_MAX: Final = 8_192  # structured data included
BOM: Final = b"\xef\xbb\xbf"

_PRI: Final = re.compile(rb"<[0-9]{1,3}>")
_RFC5424: Final = re.compile(
    rb"<[0-9]{1,3}>[1-9][0-9]{0,2} \S{1,48} (?P<host>\S{1,255}) (?P<app>\S{1,255}) \S{1,255} (?P<msgid>\S{1,255})"
    rb' (?:-|(?:\[[^\s=\]"]{1,64}(?: [^\s=\]"]{1,64}="(?:[^"\\]|\\.)*")*\])+)(?= |\Z)',
    re.DOTALL,
)
# RFC 3164 4.1, with the year, the RFC 3339 time, or without the host that some leave out
_RFC3164: Final = re.compile(
    rb"<[0-9]{1,3}>(?:(?:[A-Z][a-z]{2} [ 0-9][0-9] (?:[0-9]{4} )?[0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,32}) )?"
    rb"(?:(?P<host>[\w.:-]{1,255}) )?(?P<app>[\w.@/-]{1,64})(?:\[[^\s\]]{0,64}\])?: ?"
)


@dataclass(frozen=True, slots=True)
class Header:
    """What a message says of itself; empty: nothing. `body`: what stands behind the header, without byte order mark."""

    host: str = ""
    app_name: str = ""
    msgid: str = ""
    body: bytes = field(default=b"", repr=False)


def read_header(raw: bytes) -> Header:
    """Return a message's header. What has none is all body."""
    if told := _RFC5424.match(raw, 0, HEADER_BYTES_MAX):
        return Header(_text(told["host"]), _text(told["app"]), _text(told["msgid"]), _body(raw, told.end() + 1))
    if told := _RFC3164.match(raw, 0, HEADER_BYTES_MAX):
        return Header(_text(told["host"]), _text(told["app"]), body=_body(raw, told.end()))
    priority = _PRI.match(raw)
    return Header(body=_body(raw, priority.end() if priority else 0))


def _body(raw: bytes, begins: int) -> bytes:
    return raw[begins:].removeprefix(BOM)


def _text(name: bytes | None) -> str:
    """Return a name; RFC 5424's `-` says that there is none."""
    return "" if name in (None, b"-") else name.decode("utf-8", "replace")
