"""What goes into `events`: whole again when read back, cut anywhere the same, and its partitions fixed for ever."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.event import EventRow
from streams.reading import RECORD_BYTES_MAX, Reading
from streams.rows import Row, gathered
from streams.sources.contract import Decoded, Source
from streams.wire import HEADERS, Rise, Slice, WireError, divided, hours_of, pack, partition_of, unpack
from tests.kafka.intake_feeding import JSON, SOURCES, Shard, an_event

EVENT = SOURCES[JSON].decode([an_event(1)]).rows[0]
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000


@dataclass(frozen=True)
class Record:
    """A record of intake as Kafka gives it."""

    offset: int
    timestamp: int
    value: bytes | None


def a_slice(rows: int, first: int = 0, long: int = 0, each: int = 1) -> Slice:
    """Return a slice of as many rows, `each` of one record's."""
    events = [EVENT._replace(reason=f"{n:0{long}}" if long else "") for n in range(rows)]
    made = [Row(1_000 + n // each, first + n // each, n % each, event) for n, event in enumerate(events)]
    return Slice("intake.x", 3, first, first + rows // each + 5, 9_000, [Rise(1_000, first, 4)], gathered(made))


def all_of(records: list[bytes]) -> list[Slice]:
    return [one for record in records for one in unpack(record, HEADERS)]


def test_what_fits_is_one_record() -> None:
    """Many partitions of intake share it, and all of it comes back."""
    slices = [a_slice(0), a_slice(3), a_slice(2, first=70)]
    [record] = pack(slices)
    assert unpack(record, HEADERS) == slices
    assert unpack(record, HEADERS)[1].rows.row(0).event == EVENT
    assert isinstance(unpack(record, HEADERS)[1].rows.row(0).event, EventRow)


@given(st.lists(st.integers(0, 40), max_size=5), st.integers(200, 5_000), st.integers(1, 4))
def test_what_is_too_large_is_cut_between_intake_records(sizes: list[int], bytes_max: int, each: int) -> None:
    """The parts follow each other without a gap, hold all rows and rises once, and promise no more than they may."""
    slices = [a_slice(rows // each * each, first=1_000 * n, each=each) for n, rows in enumerate(sizes)]
    cut = all_of(pack(slices, bytes_max))
    for whole in slices:
        parts = [part for part in cut if whole.first <= part.first < whole.first + 1_000]
        assert [row for part in parts for row in part.rows] == list(whole.rows)
        assert [rise for part in parts for rise in part.hours] == whole.hours
        assert (parts[0].first, parts[-1].after, parts[-1].read_until) == (whole.first, whole.after, whole.read_until)
        for one, following in pairwise(parts):
            assert one.after == following.first
            assert one.rows.offset[-1] < following.rows.offset[0]
            assert one.read_until <= following.rows.append_ms[0]


def test_records_stay_below_their_size() -> None:
    """Except where one record of intake alone has more."""
    records = pack([a_slice(3_000, long=900)])
    assert len(records) > 1
    assert max(len(record) for record in records) <= 1 << 20
    assert len(pack([a_slice(3_000, long=900, each=3_000)])) == 1


@pytest.mark.parametrize(
    ("record", "headers"),
    [
        (pack([a_slice(1)])[0], []),
        (pack([a_slice(1)])[0], [("v", b"1")]),
        (b"\xc1", HEADERS),
        (msgspec.msgpack.encode([["t", "not a number"]]), HEADERS),
        (msgspec.msgpack.encode([["t", 0, 0, 1, 0, [], b"no place for it", [EVENT]]]), HEADERS),
    ],
)
def test_another_version_and_damage_are_told(record: bytes, headers: list[tuple[str, bytes]]) -> None:
    """Rather than read as something else."""
    with pytest.raises(WireError):
        unpack(record, headers)


def test_partitions_are_fixed_for_ever() -> None:
    """A person's past is in the partition they are in; these numbers are what it was computed as at first."""
    assert [partition_of(name, 12) for name in ("dr-martin", "inf-12", "é", "\ud800", "")] == [6, 11, 3, 8, 0]
    spread = [sum(partition_of(f"actor-{n}", 12) == p for n in range(12_000)) for p in range(12)]
    assert 850 < min(spread) < max(spread) < 1_150


def test_an_event_moves_the_hour_no_further_than_a_day_after_its_arrival() -> None:
    """A clock that runs ahead must not close the hours of all others."""
    arrived_ms = 500_000 * HOUR_US // 1_000
    told = [EVENT._replace(occurred_at=at * HOUR_US + 1) for at in (499_000, 900_000)]
    assert hours_of(gathered([Row(arrived_ms, 0, 0, event) for event in told])).tolist() == [499_000, 500_024]


def reading(**told: int) -> Reading:
    return Reading("chu", "intake.x", 3, SOURCES[JSON], told.pop("next", 0), **told)


RECORDS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(-5, 50), st.one_of(st.none(), st.just(b"{"), st.integers(0, 300))),
    min_size=1,
    max_size=30,
)


@given(RECORDS, st.data())
def test_however_polls_cut_it_a_reading_tells_the_same(
    made: list[tuple[int, int, bytes | int | None]], data: st.DataObject
) -> None:
    """Rows, times and refusals are those of one reading in one go, also when a reader starts anew from what was committed."""
    offset, now, records = 10, 1_790_000_000_000, []
    for gap, later, what in made:
        offset, now = offset + gap, now + later
        records.append(Record(offset, now, an_event(what, minute=what) if isinstance(what, int) else what))
    whole, parts = [Shard() for _ in range(2)], [Shard() for _ in range(2)]
    refused = [(one.offset, one.letter) for one in taken(reading(next=10), records, whole)]
    current, again, at = reading(next=10), [], 0
    while at < len(records):
        size = data.draw(st.integers(1, len(records) - at))
        again += [(one.offset, one.letter) for one in taken(current, records[at : at + size], parts)]
        at += size
        if data.draw(st.booleans()):
            current = reading(next=current.next, until_ms=current.until_ms)
    assert [(shard.rows, shard.next, shard.until) for shard in parts] == [
        (shard.rows, shard.next, shard.until) for shard in whole
    ]
    assert [shard.hours for shard in parts] == [shard.hours for shard in whole]
    assert again == refused


def taken(one: Reading, records: list[Record], shards: list[Shard]) -> list:
    made = one.take(records, len(shards))
    for shard, slice_ in zip(shards, made.slices, strict=True):
        shard.take(slice_)
    return made.refused


def test_times_never_go_back() -> None:
    """Neither when a broker's clock does, nor below what was told while there was silence."""
    silent = reading(until_ms=2_000)
    made = silent.take([Record(0, 1_990, an_event(1)), Record(1, 2_500, an_event(2)), Record(2, 2_400, an_event(3))], 1)
    assert [row.append_ms for row in made.slices[0].rows] == [2_000, 2_500, 2_500]
    assert silent.silent() == Slice("intake.x", 3, 3, 3, 2_500)


def test_a_record_that_kafka_would_not_carry_on_is_refused_alone() -> None:
    """Too long itself, or with events that are too long together: the one before and the one after are taken."""
    many = Decoded(rows=[EVENT] + [EVENT._replace(reason="r" * 1_000)] * 3_000 + [EVENT], records=[0] + [1] * 3_000 + [2])
    source = Source("many", "One with many events", lambda _raws: many)
    one = Reading("chu", "intake.many", 0, source, 5)
    made = one.take([Record(n, 1, json.dumps(n).encode()) for n in (5, 6, 7)], 1)
    assert [row.offset for row in made.slices[0].rows] == [5, 7]
    assert [(bad.offset, bad.letter.code) for bad in made.refused] == [(6, "too-large")]
    made = reading().take([Record(0, 1, an_event(1)), Record(1, 1, b"x" * (RECORD_BYTES_MAX + 1)), Record(2, 1, an_event(2))], 1)
    assert [row.offset for row in made.slices[0].rows] == [0, 2]
    assert [(bad.offset, bad.letter.code, len(bad.letter.record.raw)) for bad in made.refused] == [
        (1, "too-large", RECORD_BYTES_MAX)
    ]


@given(st.lists(st.text(max_size=3), max_size=30), st.integers(1, 5))
def test_each_event_goes_to_its_persons_partition_in_order(actors: list[str], partitions: int) -> None:
    """None is lost, none twice."""
    rows = [Row(1_000, n, 0, EVENT._replace(id=str(n), actor_id=actor)) for n, actor in enumerate(actors)]
    expected = [[row for row in rows if partition_of(row.event.actor_id, partitions) == p] for p in range(partitions)]
    assert [list(own) for own in divided(gathered(rows), partitions)] == expected
