"""Formats of which a record is a line, with or without what shippers put around it: a syslog header, a JSON object."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import EventRow
from streams.sources.contract import Source
from streams.sources.shared.documents import Envelope, carried, decode_all
from streams.sources.shared.trees import at, paths, tree_of
from streams.sources.shared.values import told

LINE_BYTES_MAX: Final = 262_144
ZONED: Final = re.compile(r"(?:^|\s)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d))\s")
"""The time of a syslog header of RFC 5424, and of those that rsyslog writes."""

_MESSAGES: Final = paths("message MESSAGE log msg event.original body")

LineReader = Callable[[str], list[EventRow]]


def line_source(name: str, title: str, read: LineReader, *, begins: bytes) -> Source:
    """Return the source of a format whose lines hold `begins`; a shipper's JSON object holds the line in its message.

    `read` reads a line. A record of several lines that hold `begins` is several records.
    """
    return Source(
        name=name,
        title=title,
        decode=partial(decode_all, read=partial(_read, read, begins), several=partial(_several, begins)),
        media_types=("text/plain", "application/x-ndjson"),
    )


def _read(read: LineReader, begins: bytes, record: bytes) -> list[EventRow] | Envelope:
    if len(record) > LINE_BYTES_MAX:
        raise RejectedError(Code.TOO_LARGE, detail=f"more than {LINE_BYTES_MAX} bytes")
    if record.lstrip()[:1] == b"{" and begins in record:
        return _wrapped(record, begins)
    return _several(begins, record) or read(record.decode())


def _wrapped(record: bytes, begins: bytes) -> Envelope:
    tree = tree_of(record)
    for path in _MESSAGES:
        text = told(at(tree, path))
        if begins.decode() in text and not text.startswith("{"):
            return Envelope([("/" + "/".join(path), text.encode())])
    raise RejectedError(Code.NOT_AN_EVENT, detail="a JSON object without a line of the format")


def _several(begins: bytes, record: bytes) -> Envelope | None:
    """Return the lines of a record that nobody cut."""
    if record.count(begins) < 2:
        return None
    lines = [line for line in record.splitlines() if begins in line]
    return carried("", lines) if len(lines) > 1 else None
