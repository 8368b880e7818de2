"""Records that somebody damaged are refused or become valid events: nothing else ever happens."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.event import EPOCH, AccessEvent, EventRow
from sentinel.core.plugins import discover
from streams.sources.contract import Source

GOLDEN = Path(__file__).parent / "golden"
SOURCES = discover("streams.sources", "SOURCE", Source)
each_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)

ODD = st.sampled_from(["x" * 5_000, "-", "0x"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | ODD
ANYTHING = st.recursive(SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=8), one, max_size=3))


def golden(source: Source) -> list[bytes]:
    """Return all golden records of a source."""
    files = sorted(path for path in (GOLDEN / source.name).iterdir() if not path.name.endswith(".expected.json"))
    data = [path.read_bytes() for path in files]
    return [record for one in data for record in (source.split(one) if source.split else one.splitlines())]


def check(source: Source, record: bytes) -> None:
    """Decode a record: each of its rows is a valid event, each rejection quotes none of it, and it is not silently lost."""
    decoded = source.decode([record])
    for row in decoded.rows:
        as_event(row)
    assert set(decoded.records) <= {0}
    assert len(decoded.records) == len(decoded.rows)
    for refused in decoded.rejections:
        assert refused.index == 0


def as_event(row: EventRow) -> AccessEvent:
    """Return the reference model of a row; raises when the row says what an event cannot."""
    fields = row._asdict()
    fields["occurred_at"] = EPOCH + timedelta(microseconds=fields["occurred_at"])
    del fields["sub"], fields["marks"]
    return AccessEvent.model_validate(fields)


def as_json(record: bytes) -> object:
    """Return a record's document; None when it is none."""
    try:
        return json.loads(record)
    except ValueError:
        return None


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place of a document where a value stands: its container and key."""
    found: list[tuple[Any, Any]] = []
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found.append((value, key))
        found += places(value[key])
    return found


@each_source
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_document_with_anything_anywhere_never_raises(source: Source, data: st.DataObject) -> None:
    """Values of any type in any place: rows that are valid events, or a refusal."""
    documents = [one for one in map(as_json, golden(source)) if isinstance(one, dict)]
    document = copy.deepcopy(data.draw(st.sampled_from(documents or [{"of": "another format"}])))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(document)))
        if data.draw(st.booleans()) or isinstance(container, list):
            container[key] = data.draw(ANYTHING)
        else:
            del container[key]
            break
        document = json.loads(json.dumps(document))
    check(source, json.dumps(document).encode())


@each_source
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_record_with_damaged_bytes_never_raises(source: Source, data: st.DataObject) -> None:
    """Bytes lost, doubled or changed: rows that are valid events, or a refusal."""
    record = bytearray(data.draw(st.sampled_from(golden(source))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(record) - 1, 0)))
        until = at + data.draw(st.integers(0, 40))
        record[at:until] = data.draw(st.binary(max_size=8) | st.just(bytes(record[at:until]) * 2))
    check(source, bytes(record))
