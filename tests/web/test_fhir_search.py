"""What dates and escapes of a search mean, held against R4's own words about each prefix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.event import TIME_MAX_US, microseconds
from sentinel.web.fhir_search import read

PRECISE = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+00:00")
MEANT = {
    "": lambda at, begin, end: begin <= at < end,
    "eq": lambda at, begin, end: begin <= at < end,
    "ne": lambda at, begin, end: not begin <= at < end,
    "gt": lambda at, _, end: at >= end,
    "ge": lambda at, begin, _: at >= begin,
    "lt": lambda at, begin, _: at < begin,
    "le": lambda at, _, end: at < end,
    "sa": lambda at, _, end: at >= end,
    "eb": lambda at, begin, _: at < begin,
}
START = datetime(2026, 2, 27, 23, 58, 50, tzinfo=UTC)
moments = st.integers(0, 4 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))
values = st.tuples(st.sampled_from(sorted(MEANT)), moments, st.integers(0, len(PRECISE) - 1))


def period(at: datetime, precision: int) -> tuple[datetime, datetime]:
    """Return how long a time told so precisely lasts, found by looking for the next that is told otherwise."""
    step = timedelta(days=1) if precision < 3 else timedelta(minutes=1) if precision == 3 else timedelta(seconds=1)
    text = at.strftime(PRECISE[precision])
    begin = at.replace(hour=0, minute=0, second=0) if precision < 3 else at.replace(second=0) if precision == 3 else at
    while (begin - step).strftime(PRECISE[precision]) == text:
        begin -= step
    end = begin
    while end.strftime(PRECISE[precision]) == text:
        end += step
    return begin, end


@given(st.lists(st.lists(values, min_size=1, max_size=3), min_size=1, max_size=3), st.lists(moments, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_dates_mean_what_their_prefixes_say(asked, times):
    """Alternatives within a parameter, all parameters together; what is asked of the store is a few periods apart."""
    pairs = [("date", ",".join(f"{prefix}{at.strftime(PRECISE[how])}" for prefix, at, how in one)) for one in asked]
    found = read(pairs)
    for time in times:
        us = microseconds(time)
        by_hand = all(any(MEANT[prefix](time, *period(at, how)) for prefix, at, how in one) for one in asked)
        assert any(begin <= us < end for begin, end in found.periods) == by_hand
    assert found.is_void == (not found.periods)
    assert all(one[1] < other[0] for one, other in zip(found.periods, found.periods[1:], strict=False))


@pytest.mark.parametrize(
    ("value", "begin", "length_us"),
    [
        ("2026-03-01T10:00:00.5Z", "2026-03-01T10:00:00.500", 100_000),
        ("2026-03-01T10:00:00.123456Z", "2026-03-01T10:00:00.123456", 1),
        ("2026-03-01T10:00:00.12345678Z", "2026-03-01T10:00:00.123457", 1),
        ("2026-03-01T10:00-05:30", "2026-03-01T15:30:00", 60_000_000),
    ],
)
def test_a_time_lasts_as_long_as_it_is_exact(value, begin, length_us):
    """To the microsecond, with any offset."""
    begin_us = microseconds(datetime.fromisoformat(begin).replace(tzinfo=UTC))
    assert read([("date", value)]).periods == [(begin_us, begin_us + length_us)]
    assert read([("date", f"ge{value}")]).periods == [(begin_us, TIME_MAX_US)]


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4))
def test_every_id_can_be_asked_for(ids):
    """Once what separates values is escaped."""
    escaped = ["".join(f"\\{one}" if one in "\\,|$" else one for one in id_) for id_ in ids]
    assert read([("agent:identifier", ",".join(escaped))]).tests == [("actor_id", ids)]
