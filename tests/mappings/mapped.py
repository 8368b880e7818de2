"""Mappings for tests: small texts of YAML, compiled."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

from sentinel.core.event import EventRow, microseconds
from streams.mappings.compiling import compiled
from streams.mappings.document import Mapping
from streams.mappings.reading import parse
from streams.sources.contract import Decoded, Source

FIELDS = """
fields:
  occurred_at: when
  action: what
  actor_id: who
"""


def mapping(text: str, fields: str = FIELDS) -> Mapping:
    """Return the mapping of a text, with a name, a title and fields unless it tells them."""
    body = textwrap.dedent(text)
    head = "" if "title:" in body else "mapping: tried\ntitle: tried\n"
    return parse(f"{head}{body}\n{'' if 'fields:' in body else fields}".encode(), "tried.yaml")


def source(text: str, fields: str = FIELDS, zone: str = "Europe/Paris") -> Source:
    """Return the source of a mapping's text."""
    return compiled(mapping(text, fields), zone)


def read(made: Source, data: bytes) -> Decoded:
    """Return what a file becomes, cut as files are."""
    assert made.split is not None
    return made.decode(made.split(data))


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, micro: int = 0) -> int:
    """Return a time in UTC as µs."""
    return microseconds(datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC))


def refusals(decoded: Decoded) -> list[tuple[int, str, str]]:
    """Return index, code and pointer of what was refused."""
    return [(one.index, one.code.value, one.pointer) for one in decoded.rejections]


def names(rows: list[EventRow], *fields: str) -> list[tuple[object, ...]]:
    """Return some fields of each row."""
    return [tuple(getattr(row, field) for field in fields) for row in rows]
