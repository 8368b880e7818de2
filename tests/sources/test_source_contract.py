"""Every source keeps the contract: it never raises, loses, reorders, mutates or quotes."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.event import EPOCH, AccessEvent, EventRow
from sentinel.core.plugins import discover
from streams.sources.contract import Decoded, Source

GOLDEN = Path(__file__).parent / "golden"
SECRET = "SECRET-4f1d"
SOURCES = discover("streams.sources", "SOURCE", Source)
GOLDEN_FILES = sorted(path for path in GOLDEN.glob("*/*") if not path.name.endswith(".expected.json"))

each_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
each_golden = pytest.mark.parametrize("path", GOLDEN_FILES, ids=lambda path: f"{path.parent.name}:{path.stem}")


def records_of(source: Source, data: bytes) -> list[bytes]:
    """Return the records of a file, as those who read files cut it."""
    return source.split(data) if source.split else data.splitlines()


def golden_records(source: Source) -> list[bytes]:
    """Return all golden records of a source."""
    return [
        record for path in GOLDEN_FILES if path.parent.name == source.name for record in records_of(source, path.read_bytes())
    ]


def as_event(row: EventRow) -> AccessEvent:
    """Return the reference model of a row; raises when the row says what an event cannot."""
    fields = row._asdict()
    fields["occurred_at"] = EPOCH + timedelta(microseconds=fields["occurred_at"])
    del fields["sub"], fields["marks"]
    return AccessEvent.model_validate(fields)


def told(decoded: Decoded) -> dict[str, Any]:
    """Return what a golden file says of a result: rows without what is empty, times readable."""
    rows = [{name: value for name, value in row._asdict().items() if value != ""} for row in decoded.rows]
    for row in rows:
        row["occurred_at"] = (EPOCH + timedelta(microseconds=row["occurred_at"])).isoformat()
    refused = [{"code": one.code.value, "pointer": one.pointer} for one in decoded.rejections]
    return {"rows": rows, "rejections": refused} if refused else {"rows": rows}


@each_golden
def test_a_golden_record_gives_the_expected_rows(path: Path) -> None:
    """What each pattern of a format means is written down beside it, field by field."""
    source = SOURCES[path.parent.name]
    expected = json.loads(path.with_suffix(".expected.json").read_bytes())
    assert told(source.decode(records_of(source, path.read_bytes()))) == expected


@each_source
def test_there_are_golden_records(source: Source) -> None:
    """No source goes without examples."""
    assert golden_records(source)


@each_source
def test_every_row_is_a_valid_event(source: Source) -> None:
    """Rows vouch for what the reference model checks."""
    for row in source.decode(golden_records(source)).rows:
        assert all(type(value) in (str, int) for value in row)
        as_event(row)


@each_source
@settings(max_examples=150, deadline=None)
@given(records=st.lists(st.binary(max_size=200), max_size=5))
def test_garbage_is_refused_record_by_record(source: Source, records: list[bytes]) -> None:
    """Bytes that are no record become one rejection each, at their own index."""
    decoded = source.decode(records)
    assert not decoded.rows
    assert [one.index for one in decoded.rejections] == list(range(len(records)))


@each_source
def test_bad_records_do_not_stop_good_ones(source: Source) -> None:
    """Rows keep the order of their records, and say which record they came from."""
    good = golden_records(source)
    mixed = [part for record in good for part in (b"\xff{", record, b"[" * 100_000)]
    alone, among = source.decode(good), source.decode(mixed)
    assert among.rows == alone.rows
    assert among.records == [3 * index + 1 for index in alone.records]
    assert among.records == sorted(among.records)
    assert len(among.rejections) == len(alone.rejections) + 2 * len(good)


@each_source
def test_decoding_does_not_depend_on_where_batches_are_cut(source: Source) -> None:
    """A record means the same alone, in a batch, and the second time."""
    records = golden_records(source)
    whole = source.decode(records)
    parts = [source.decode([record]) for record in records]
    assert [row for part in parts for row in part.rows] == whole.rows
    assert [one.code for part in parts for one in part.rejections] == [one.code for one in whole.rejections]
    assert source.decode(tuple(records)) == whole


@each_source
def test_a_byte_order_mark_is_no_part_of_a_record(source: Source) -> None:
    """Files written on Windows begin with one."""
    records = golden_records(source)
    assert source.decode([b"\xef\xbb\xbf" + record for record in records]) == source.decode(records)


def _planted(value: Any, secret: str) -> Any:
    """Return a document whose texts, keys of unknown meaning and numbers all hold a secret."""
    match value:
        case dict():
            return {key: _planted(one, secret) for key, one in value.items()} | {secret: secret}
        case list():
            return [_planted(one, secret) for one in value]
        case str():
            return f"{secret}{value}"
        case _:
            return secret


@each_source
def test_no_rejection_quotes_a_record(source: Source) -> None:
    """Code, pointer and detail are ours: nothing of what a record says gets into them."""
    kept = {"resourceType", "Bundle", "AuditEvent", "entry", "resource"}
    for record in golden_records(source):
        try:
            document = json.loads(record)
        except ValueError:
            continue
        planted = _planted(document, SECRET)
        variants = [planted, {**planted, **{key: value for key, value in document.items() if key in kept}}]
        variants += [{**document, key: SECRET} for key in document] + [{**document, key: {SECRET: [SECRET]}} for key in document]
        decoded = source.decode([json.dumps(one).encode() for one in variants])
        assert decoded.rejections
        assert SECRET not in repr(decoded.rejections)
        source.decode([record[: len(record) // 2]])


def test_what_is_remembered_is_bounded() -> None:
    """Every cache of the sources' modules has a limit."""
    modules = [module for name, module in sys.modules.items() if name.startswith("streams.sources.")]
    caches = [value for module in modules for value in vars(module).values() if hasattr(value, "cache_parameters")]
    assert caches
    assert all(cache.cache_parameters()["maxsize"] for cache in caches)
