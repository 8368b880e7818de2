"""Audit messages in what carries them: syslog headers (RFC 5424, RFC 3164), octet counts, byte order marks, files of many."""

from __future__ import annotations

import re
from typing import Final

HEADER_BYTES_MAX: Final = 4_096

_BLANKS: Final = b" \t\r\n\0"  # syslog over TCP may end a message with NUL
_ROOT: Final = re.compile(rb"<(?:[\w.-]+:)?AuditMessage[\s/>]")
_TAG: Final = re.compile(rb"<(/?)(?:[\w.-]+:)?AuditMessage(?=[\s/>])[^<>]*>")
_HEADER: Final = re.compile(rb"(?:\xef\xbb\xbf)?(?:\d{1,7} )?<\d{1,3}>")  # RFC 6587's octet count, and the priority
_HEADER_ENDS: Final = (b"-", b"]", b":", b"\xef\xbb\xbf")  # structured data or its absence; RFC 3164's tag


def document_of(record: bytes) -> bytes:
    """Return the XML of a record without the syslog header before it; the record when it holds no audit message."""
    if record.startswith((b"<?xml", b"<AuditMessage")):
        return record.rstrip(_BLANKS)
    begins = _root_at(record)
    declaration = record.find(b"<?xml", 0, begins) if begins >= 0 else -1
    begins = declaration if declaration >= 0 else begins
    if begins < 0 or _is_markup(record[:begins]):
        return record.removeprefix(b"\xef\xbb\xbf").strip(_BLANKS)
    return record[begins:].rstrip(_BLANKS)


def _root_at(record: bytes) -> int:
    begins = record.find(b"<AuditMessage", 0, HEADER_BYTES_MAX)
    root = _ROOT.search(record, 0, HEADER_BYTES_MAX) if begins < 0 else None
    return root.start() if root else begins


def _is_markup(header: bytes) -> bool:
    """Return whether what stands before a message is markup of its own (a comment, another root) and no header."""
    text = header.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANKS)
    return text[:1] == b"<" and not text[1:2].isdigit()


def split(data: bytes) -> list[bytes]:
    """Return the messages of a file, each with the header before it; a line that belongs to none is a record of its own.

    They may stand one a line, one after the other or over many lines; one that was cut short ends
    where the next begins.
    """
    found: list[bytes] = []
    done, begun = 0, -1
    for tag in _TAG.finditer(data):
        if tag[1]:
            ends = begun >= 0
        else:
            header = _header_at(data, max(done, begun + 1), tag.start())
            found += [data[done:header]] if begun >= 0 else data[done:header].splitlines()
            done, begun = header, tag.start()
            ends = tag[0].endswith(b"/>")
        if ends:
            found.append(data[done : tag.end()])
            done, begun = tag.end(), -1
    found += [data[done:]] if begun >= 0 or not found else data[done:].splitlines()
    return [record for one in found if (record := one.strip(_BLANKS))]


def _header_at(data: bytes, least: int, at: int) -> int:
    """Return where what belongs to the message whose root begins at `at` begins, from `least` on."""
    least = max(least, at - HEADER_BYTES_MAX)
    begins = at
    while (before := data.rfind(b"<", least, begins)) >= 0 and data[before + 1 : before + 2] in (b"?", b"!"):
        begins = before  # a declaration, a comment, a document type
    line = max(data.rfind(b"\n", least, begins) + 1, least)
    if data[line:begins].strip(_BLANKS):
        return line
    above = max(data.rfind(b"\n", least, max(line - 1, least)) + 1, least)
    is_header = _HEADER.match(data, above, begins) and data[above:begins].rstrip(_BLANKS).endswith(_HEADER_ENDS)
    return above if is_header else begins
