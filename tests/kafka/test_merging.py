"""However slices are cut, doubled, interleaved, forgotten or read again: the same rows and hours in the one order."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.merging import ContextSlice, Known, Mark, Merge, Place, Run, UnknownPlaceError
from streams.rows import Row, Rows, gathered
from streams.wire import Rise, Slice
from tests.store.making import an_event

INTAKE = [("intake.a", 0), ("intake.a", 1), ("intake.b", 0)]
CONTEXT = ("context", 0)
PLACES = [*INTAKE, CONTEXT]
END_MS = 1_000_000


@dataclass
class Record:
    """A record of intake: when it was appended, the hour of its events, how many of them are in this partition."""

    append_ms: int
    hour: int
    rows: int


records = st.builds(Record, st.integers(0, 4), st.integers(1, 6), st.integers(0, 2))
intakes = st.lists(st.lists(records, max_size=8), min_size=len(INTAKE), max_size=len(INTAKE))


def in_time(parts: list[list[Record]]) -> dict[Place, list[Record]]:
    """Times never decrease within a partition."""
    for part in parts:
        append_ms = 0
        for record in part:
            append_ms = record.append_ms = append_ms + record.append_ms
    return dict(zip(INTAKE, parts, strict=True))


def rows_of(record: Record, offset: int) -> list[Row]:
    return [Row(record.append_ms, offset, ordinal, an_event(offset)) for ordinal in range(record.rows)]


def rows_from(part: Sequence[Record], first: int, after: int) -> Rows:
    return gathered([row for offset in range(first, after) for row in rows_of(part[offset], offset)])


def expected(intake: dict[Place, list[Record]]) -> list[object]:
    """The one order, told by its definition."""
    placed = [(one.append_ms, place, offset, one) for place, part in intake.items() for offset, one in enumerate(part)]
    told: list[object] = []
    hour = 0
    for _, place, offset, record in sorted(placed, key=lambda one: one[:3]):
        if record.hour > hour:
            hour = record.hour
            told.append(Mark(hour))
        told += [(place, row) for row in rows_of(record, offset)]
    return told


def read(place: Place, part: Sequence[Record], draw: random.Random) -> Iterator[Slice]:
    """What normalisers tell of a partition: now and then one starts anew, a little before where the last one was."""
    at, hour = 0, 0
    for _ in range(200):
        if at == len(part):
            break
        if draw.random() < 0.3:
            at, hour = draw.randrange(at + 1), 0
        after = draw.randrange(at, len(part) + 1)
        rises = []
        for offset in range(at, after):
            if part[offset].hour > hour:
                hour = part[offset].hour
                rises.append(Rise(part[offset].append_ms, offset, hour))
        until = part[after - 1].append_ms if after else 0
        yield Slice(*place, at, after, until, rises, rows_from(part, at, after))
        at = after
    yield Slice(*place, 0, len(part), END_MS, _rises(part), rows_from(part, 0, len(part)))


def _rises(part: Sequence[Record]) -> list[Rise]:
    return [Rise(one.append_ms, offset, one.hour) for offset, one in enumerate(part)]


def told(intake: dict[Place, list[Record]], draw: random.Random) -> list[list[Slice]]:
    """A partition of `events`: the slices of all places, interleaved, some of them together in one record."""
    streams = [list(read(place, part, draw)) for place, part in intake.items()]
    mixed = []
    while any(streams):
        mixed.append(draw.choice([stream for stream in streams if stream]).pop(0))
    return [[one for _, one in group] for _, group in groupby(enumerate(mixed), key=lambda one: one[0] // draw.randrange(1, 4))]


def taken(merge: Merge) -> Iterator[object]:
    """All that can be taken now; whether an hour rises next is known before it is taken."""
    is_rising = merge.is_rising
    while (found := merge.take()) is not None:
        assert isinstance(found, Mark) is is_rising
        yield from in_turn(found)
        is_rising = merge.is_rising
    assert not is_rising


def in_turn(found: Mark | Run) -> Iterator[object]:
    """A mark, or each event with its place and each resource."""
    if isinstance(found, Mark):
        yield found
        return
    known = list(found.known)
    for at in range(len(found) + 1):
        yield from (one for before, one in known if before == at)
        if at < len(found):
            yield found.at(at)


def all_context_is_known(merge: Merge) -> None:
    merge.know(ContextSlice(*CONTEXT, 0, 0, END_MS))


@given(intakes, st.integers())
def test_the_order_is_that_of_intake_whatever_happened_on_the_way(parts: list[list[Record]], seed: int) -> None:
    """What is taken early is the beginning of what is taken in the end, and that is the one order, each row once."""
    intake, draw = in_time(parts), random.Random(seed)
    merge = Merge(PLACES)
    all_context_is_known(merge)
    found: list[object] = []
    for at, slices in enumerate(told(intake, draw)):
        merge.push(at, slices)
        found += taken(merge)
    assert found == expected(intake)
    assert merge.held == 0


@given(intakes, st.integers())
def test_a_merge_goes_on_from_where_another_stood(parts: list[list[Record]], seed: int) -> None:
    """Whatever was held and not taken when the first one ended is read again, and nothing that was taken.

    How far places were read is told again as long as somebody reads them.
    """
    intake, draw = in_time(parts), random.Random(seed)
    records = told(intake, draw)
    merge, at, found = Merge(PLACES), 0, []
    all_context_is_known(merge)
    for _ in range(4 * len(records)):
        if at == len(records):
            break
        merge.push(at, records[at])
        at += 1
        while draw.random() < 0.7 and (one := merge.take()) is not None:
            found += in_turn(one)
        if draw.random() < 0.3:
            standing, at = merge.standing(), merge.needed
            merge = Merge(PLACES, standing)
            all_context_is_known(merge)
    for rest in range(at, len(records)):
        merge.push(rest, records[rest])
    merge.push(len(records), [Slice(*place, len(part), len(part), END_MS) for place, part in intake.items()])
    assert [*found, *taken(merge)] == expected(intake)


@given(intakes, st.integers(), st.integers(16, 24))
def test_what_is_shed_comes_again(parts: list[list[Record]], seed: int, rows_max: int) -> None:
    """Held rows are bounded however far places are apart, as long as one millisecond of one place is not more than that."""
    intake, draw = in_time(parts), random.Random(seed)
    records = told(intake, draw)
    merge, at, found = Merge(PLACES), 0, []
    all_context_is_known(merge)
    for _ in range(100 * (len(records) + 1)):
        if at < len(records):
            merge.push(at, records[at])
            at += 1
        found += taken(merge)
        merge.shed(rows_max)
        assert merge.held <= rows_max
        again = merge.rewind()
        at = at if again is None else again
    assert found == expected(intake)


def test_nothing_is_taken_before_every_place_was_heard_of() -> None:
    """Who has not spoken may yet tell of something earlier."""
    merge = Merge(PLACES)
    first, *others = INTAKE
    merge.push(0, [Slice(*first, 0, 1, END_MS, [Rise(1, 0, 7)], gathered([Row(1, 0, 0, an_event())]))])
    merge.push(1, [Slice(*place, 0, 0, END_MS) for place in others])
    assert merge.take() is None
    all_context_is_known(merge)
    assert merge.take() == Mark(7)


def test_context_is_known_at_its_time() -> None:
    """A resource stands between the events appended before and after it."""
    merge = Merge(PLACES)
    rows = [Row(ms, offset, 0, an_event(offset)) for offset, ms in enumerate((10, 20))]
    merge.push(0, [Slice(*INTAKE[0], 0, 2, END_MS, [], gathered(rows)), *(Slice(*place, 0, 0, END_MS) for place in INTAKE[1:])])
    resource = Known(15, 3, [])
    merge.know(ContextSlice(*CONTEXT, 0, 4, 16, [resource]))
    assert list(taken(merge)) == [(INTAKE[0], rows[0]), resource]
    assert (*CONTEXT, 4) in merge.standing().taken


def test_an_unknown_topic_is_refused() -> None:
    """An order without it would not be that of the others."""
    with pytest.raises(UnknownPlaceError, match=r"intake\.z"):
        Merge(PLACES).push(0, [Slice("intake.z", 0, 0, 1, 1)])
