"""Times as systems write them become instants, or are refused: never a guess."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.event import EPOCH, microseconds
from streams.mappings.times import NAMED, Ambiguous, Local, Wrong, expression, needs_year, reader
from tests.mappings.mapped import at

PARIS = "Europe/Paris"


def read(text: str, *formats: str, zone: str = PARIS, ambiguous: Ambiguous = "earlier", year: int | None = None) -> int:
    """Return what a reader of these formats makes of a text."""
    return reader(formats, Local(ZoneInfo(zone), ambiguous), year)(text)


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("2026-03-02 09:15:02", "iso", at(2026, 3, 2, 8, 15, 2)),
        ("2026-07-02T09:15:02.25", "iso", at(2026, 7, 2, 7, 15, 2, 250_000)),
        ("2026-07-02T09:15:02,5+02:00", "iso", at(2026, 7, 2, 7, 15, 2, 500_000)),
        ("2026-07-02T09:15Z", "iso", at(2026, 7, 2, 9, 15)),
        ("2026-07-02 09:15:02 UTC", "iso", at(2026, 7, 2, 9, 15, 2)),
        ("2026-07-02 09:15:02+0530", "iso", at(2026, 7, 2, 3, 45, 2)),
        ("02/03/2026 09:15", "%d/%m/%Y %H:%M", at(2026, 3, 2, 8, 15)),
        ("3/2/26 9:15:02 PM", "%m/%d/%y %I:%M:%S %p", at(2026, 3, 2, 20, 15, 2)),
        ("12:00:00 AM 2026-03-02", "%I:%M:%S %p %Y-%m-%d", at(2026, 3, 1, 23)),
        ("02/Mar/2026:09:15:02 -0500", "%d/%b/%Y:%H:%M:%S %z", at(2026, 3, 2, 14, 15, 2)),
        ("2 février 2026 09:15", "%d %B %Y %H:%M", at(2026, 2, 2, 8, 15)),
        ("2 févr. 2026 09:15", "%d %b %Y %H:%M", at(2026, 2, 2, 8, 15)),
        ("lun. 2 août 2026 09:15", "%a %d %b %Y %H:%M", at(2026, 8, 2, 7, 15)),
        ("March 23rd, 2017 at 4:36:50 PM", "%B %d%o, %Y at %I:%M:%S %p", at(2017, 3, 23, 15, 36, 50)),
        ("Wed Oct  7 11:58:08 2020 -04:00", "%a %b %d %H:%M:%S %Y %z", at(2020, 10, 7, 15, 58, 8)),
        ("20260302091502", "%Y%m%d%H%M%S", at(2026, 3, 2, 8, 15, 2)),
        ("2026-10-25 02:30:00 CET", "%Y-%m-%d %H:%M:%S %Z", at(2026, 10, 25, 1, 30)),
        ("2026-10-25 02:30:00 CEST", "%Y-%m-%d %H:%M:%S %Z", at(2026, 10, 25, 0, 30)),
        ("2026-10-25 02:30:00 UTC", "%Y-%m-%d %H:%M:%S %Z", at(2026, 10, 25, 2, 30)),
        ("1772439302", "epoch", at(2026, 3, 2, 8, 15, 2)),
        ("1772439302123", "epoch", at(2026, 3, 2, 8, 15, 2, 123_000)),
        ("1772439302123456789", "epoch", at(2026, 3, 2, 8, 15, 2, 123_457)),
        ("1772439302.25", "epoch_s", at(2026, 3, 2, 8, 15, 2, 250_000)),
        ("1.772439302e9", "epoch_s", at(2026, 3, 2, 8, 15, 2)),
        ("1772439302000000", "epoch_us", at(2026, 3, 2, 8, 15, 2)),
    ],
)
def test_a_time_is_read(text: str, pattern: str, expected: int) -> None:
    """In French and in English, with and without an offset; without, it is the zone's."""
    assert read(text, pattern) == expected


@pytest.mark.parametrize(
    ("text", "pattern", "wrong"),
    [
        ("2026-02-30 09:15:02", "iso", Wrong.RANGE),
        ("1970-01-01 00:00:00", "iso", Wrong.RANGE),
        ("2026-03-02", "iso", Wrong.FORM),
        ("", "iso", Wrong.FORM),
        ("2026-03-02 25:00:00", "iso", Wrong.RANGE),
        ("13/13/2026 10:00", "%d/%m/%Y %H:%M", Wrong.RANGE),
        ("2 brumaire 2026 09:15", "%d %B %Y %H:%M", Wrong.RANGE),
        ("13:00 PM 02/03/2026", "%I:%M %p %d/%m/%Y", Wrong.RANGE),
        ("2026-03-02 09:15:02 EST", "%Y-%m-%d %H:%M:%S %Z", Wrong.ZONE),
        ("2026-03-29 02:30:00", "iso", Wrong.GAP),
        ("9" * 60, "epoch", Wrong.FORM),
        ("99999999999999999999", "epoch_s", Wrong.RANGE),
        ("2026-03-02 09:15:02" + " " * 200, "%Y-%m-%d %H:%M:%S", Wrong.FORM),
    ],
)
def test_what_names_no_instant_is_told_apart(text: str, pattern: str, wrong: Wrong) -> None:
    """Each with its own reason."""
    assert read(text, pattern) == wrong


def test_the_hour_that_comes_twice_is_read_as_the_mapping_says() -> None:
    """02:30 on the night of 25 October 2026 is both 00:30 and 01:30 in UTC."""
    twice = "2026-10-25 02:30:00"
    assert read(twice, "iso", ambiguous="earlier") == at(2026, 10, 25, 0, 30)
    assert read(twice, "iso", ambiguous="later") == at(2026, 10, 25, 1, 30)
    assert read(twice, "iso", ambiguous="refuse") == Wrong.AMBIGUOUS


def test_clocks_that_change_by_half_an_hour_are_known() -> None:
    """Lord Howe Island: on 5 April 2026, 01:30 to 02:00 comes twice."""
    assert read("2026-04-05 01:15:00", "iso", zone="Australia/Lord_Howe", ambiguous="refuse") == at(2026, 4, 4, 14, 15)
    assert read("2026-04-05 01:45:00", "iso", zone="Australia/Lord_Howe", ambiguous="refuse") == Wrong.AMBIGUOUS


def test_the_first_format_that_fits_counts() -> None:
    """A file may hold times of several programs."""
    formats = ("epoch_ms", "%d/%m/%Y %H:%M", "iso")
    assert read("02/03/2026 09:15", *formats) == read("2026-03-02 09:15:00", *formats) == at(2026, 3, 2, 8, 15)
    assert read("yesterday", *formats) < 0


def test_a_time_without_a_year_is_of_the_years_that_is_told() -> None:
    """As syslog writes it."""
    assert needs_year("%b %d %H:%M:%S")
    assert not any(map(needs_year, NAMED))
    assert read("Dec 10 06:55:46", "%b %d %H:%M:%S", year=2025) == at(2025, 12, 10, 5, 55, 46)


@pytest.mark.parametrize("pattern", ["%Q", "%Y-%m-%d", "%d %d %H %m", "%H:%M"])
def test_a_format_that_cannot_be_is_refused(pattern: str) -> None:
    """An unknown letter, no hour, the same thing twice, no day."""
    with pytest.raises(ValueError, match="time format"):
        expression(pattern)


@given(
    moment=st.datetimes(datetime(1991, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - local times have none
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
)
def test_local_times_are_those_of_the_zone(moment: datetime, zone: str) -> None:
    """As `zoneinfo` has them, unless clocks leave them out."""
    aware = moment.replace(tzinfo=ZoneInfo(zone))
    there = EPOCH + timedelta(microseconds=microseconds(aware))
    found = read(moment.strftime("%Y-%m-%d %H:%M:%S.%f"), "iso", zone=zone)
    if there.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != moment:
        assert found == Wrong.GAP
    else:
        assert found == microseconds(aware)


@given(st.text(max_size=100), st.sampled_from(["iso", "epoch", "%d/%m/%Y %I:%M:%S %p", "%a %b %d %H:%M:%S %Y %Z"]))
def test_no_text_makes_a_reader_fail(text: str, pattern: str) -> None:
    """Whatever it is, it is an instant or a reason."""
    assert isinstance(read(text, pattern), int)
