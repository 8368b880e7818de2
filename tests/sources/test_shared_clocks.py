"""Times in lines of products mean one instant, or are refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.errors import RejectedError
from streams.sources.shared.clocks import clock_time, zone_of
from streams.sources.shared.values import instant

MOMENT = instant("2025-03-04T09:15:30.250Z", "")


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("1741079730250", ""),
        ("1741079730.250", ""),
        ("2025-03-04T09:15:30.250Z", ""),
        ("2025-03-04T10:15:30.250+01:00", ""),
        ("2025-03-04 10:15:30.250", "Europe/Paris"),
        ("2025/03/04 10:15:30.250", "+01:00"),
        ("Mar 04 2025 09:15:30.250 UTC", ""),
        ("Mar 4 2025 10:15:30.250", "Europe/Paris"),
        ("Mar 04 2025 10:15:30,250 +0100", "America/New_York"),
        ("Tue Mar  4 09:15:30.250 2025", "GMT"),
        ("04 Mar 2025 10:15:30.250 UTC+01:00", ""),
        ("04/Mar/2025:10:15:30.250 +0100", ""),
        ('"Mar 04 2025 09:15:30.250 Z"', ""),
    ],
)
def test_many_ways_to_write_one_moment(text: str, zone: str) -> None:
    """The time's own zone counts before the one that is told apart."""
    assert clock_time(text, "", zone) == MOMENT


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("", ""),
        ("Mar 04 2025 09:15:30", ""),
        ("Mar 04 2025 09:15:30 CET", ""),
        ("Mar 04 09:15:30", "UTC"),
        ("Xyz 04 2025 09:15:30 UTC", ""),
        ("Feb 30 2025 09:15:30 UTC", ""),
        ("2025-03-04 09:15:30", ""),
        ("2025-03-04 09:15:30", "Nowhere/Land"),
        ("Mar 04 2025 29:15:30 UTC", ""),
        ("yesterday", "UTC"),
    ],
)
def test_what_names_no_instant_is_refused(text: str, zone: str) -> None:
    """No zone, no year, no such day; abbreviations of zones mean several."""
    with pytest.raises(RejectedError) as refused:
        clock_time(text, "/rt", zone)
    assert refused.value.pointer == "/rt"
    assert refused.value.code in ("bad-time", "missing-field")


@given(text=st.text(max_size=60), zone=st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str, zone: str) -> None:
    """Nothing else is raised, whatever stands there."""
    zone_of(zone)
    with contextlib.suppress(RejectedError):
        assert isinstance(clock_time(text, "", zone), int)
