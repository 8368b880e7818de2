"""FHIR dates become µs, whatever their precision."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.context import FOREVER
from sentinel.core.event import microseconds
from streams.context.dates import PARIS, is_date, span
from streams.context.references import Scope

MONTREAL = ZoneInfo("America/Montreal")


def _us(*parts: int, zone: ZoneInfo = PARIS) -> int:
    return microseconds(datetime(*parts, tzinfo=zone))  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2024", (2024, 1, 1), (2025, 1, 1)),
        ("2024-02", (2024, 2, 1), (2024, 3, 1)),
        ("2024-12", (2024, 12, 1), (2025, 1, 1)),
        ("2024-02-29", (2024, 2, 29), (2024, 3, 1)),
        ("2024-03-31", (2024, 3, 31), (2024, 4, 1)),
        ("1985-07-01", (1985, 7, 1), (1985, 7, 2)),
    ],
)
def test_a_date_spans_its_days_in_the_sites_zone(text: str, first: tuple[int, ...], after: tuple[int, ...]) -> None:
    """A year, month or day begins and ends at midnight where the hospital is, also when clocks change."""
    assert span(text) == (_us(*first), _us(*after))
    assert span(text, MONTREAL) == (_us(*first, zone=MONTREAL), _us(*after, zone=MONTREAL))


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=OFFSETS))
def test_an_instant_is_the_same_to_the_microsecond(aware: datetime) -> None:
    """A time with an offset is one moment, first and last µs alike, in any year."""
    assert span(aware.isoformat()) == (microseconds(aware), microseconds(aware))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-05-01T10:00:00Z", "2024-05-01T12:00:00+02:00"),
        ("2024-05-01T10:00:00z", "2024-05-01T10:00:00.000Z"),
        ("2024-05-01T10:00:00.1234567891Z", "2024-05-01T10:00:00.123456Z"),
        ("2024-05-01T12:00:00", "2024-05-01T12:00:00+02:00"),
        ("2024-01-01 12:00", "2024-01-01T12:00:00+01:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2024-05-01T10:00:00+0200", "2024-05-01T08:00:00Z"),
    ],
)
def test_one_moment_has_several_spellings(text: str, same: str) -> None:
    """Offsets, fractions, a missing offset (the site's), a space and a leap second are understood."""
    assert span(text) == span(same)


@pytest.mark.parametrize(
    "text",
    ["", "24", "2024-13", "2023-02-29", "2024-1-1", "01/02/2024", "2024-W01", "2024-05-01T", "2024-05-01T25:00:00Z",
     "2024-05-01T24:00:00Z", "2024-05-01T10:60:00Z", "2024-05-01T10:00:61Z", "2024-05-01T10:00:00+15:00", "0000",
     "2024-05-01T10Z", "٢٠٢٤", "2024-05-01\n", "99999-01-01"],
)  # fmt: skip
def test_what_is_not_a_fhir_date_is_refused(text: str) -> None:
    """Nothing is guessed: another notation is a ValueError."""
    with pytest.raises(ValueError, match=r".*"):
        span(text)
    assert not is_date(text)


@pytest.mark.parametrize("text", ["9999", "9999-12", "9999-12-31", "2999-12-31", "2100-01-01", "9999-12-31T23:59:59-12:00"])
def test_an_end_from_2100_on_is_no_end(text: str) -> None:
    """Registers write a far date for "no end known"."""
    assert Scope().end(text, "") == FOREVER


def test_an_end_is_the_end_of_its_day() -> None:
    """A period that ends on a day lasts until midnight; one that ends at a time ends then."""
    assert Scope().end("2024-03-04", "") == _us(2024, 3, 5)
    assert Scope().end("2024-03-04T10:00:00Z", "") == microseconds(datetime(2024, 3, 4, 10, tzinfo=UTC))


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_a_value_error(text: str) -> None:
    """No text makes anything else happen, and what is a date has its end after its start."""
    try:
        first, after = span(text)
    except (ValueError, OverflowError):
        return
    assert first <= after


@given(st.dates(date(1800, 1, 1), date(9998, 12, 31)))
def test_days_follow_each_other_without_gap(day: date) -> None:
    """A day ends where the next begins, in every zone."""
    following = day + timedelta(days=1)
    assert span(day.isoformat(), MONTREAL)[1] == span(following.isoformat(), MONTREAL)[0]
