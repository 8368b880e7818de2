"""The access event: what is taken is normalised once, what cannot be taken is refused, and the hot path's row says the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.core.batch import ACTIONS, ACTOR_TYPES, DESTINATIONS, OUTCOMES, Provenance, batch_of
from sentinel.core.event import (
    EPOCH,
    TIME_MAX_US,
    TIME_MIN_US,
    AccessEvent,
    Action,
    ActorType,
    Destination,
    EventRow,
    Outcome,
    microseconds,
    moment,
    normal_address,
    row_of,
)
from tests.builders import DAY_US

OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
YEARS = st.integers(TIME_MIN_US + DAY_US, TIME_MAX_US - 1)
MOMENTS = st.builds(lambda us, offset: (EPOCH + timedelta(microseconds=us)).astimezone(offset), YEARS, OFFSETS)
PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=30)
NAMES = PLAIN.filter(bool)


@given(MOMENTS)
def test_a_time_is_what_it_says(when: datetime) -> None:
    """Whatever the offset, and however it is written."""
    for text in (when.isoformat(), when.isoformat().replace("T", " "), when.isoformat().lower()):
        assert moment(text) == when
    assert microseconds(moment(when.isoformat())) == (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T09:00:00Z", "2026-01-05T09:00:00+00:00"),
        ("2026-01-05T09:00:00.5+01:00", "2026-01-05T08:00:00.500000+00:00"),
        ("2026-01-05T09:00:00+0100", "2026-01-05T08:00:00+00:00"),
        ("2026-01-05T09:00:00.1234567Z", "2026-01-05T09:00:00.123457+00:00"),
        ("2026-01-05T09:00:00.9999999Z", "2026-01-05T09:00:01+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00+00:00"),
        ("2024-02-29T12:00:00-00:00", "2024-02-29T12:00:00+00:00"),
    ],
)
def test_times_as_they_are_written(text: str, expected: str) -> None:
    """Fractions are rounded to the microsecond; a leap second is the second after."""
    assert moment(text).astimezone(UTC).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-05",
        "2026-01-05T09:00:00",
        "2026-01-05T09:00Z",
        "2026-02-29T09:00:00Z",
        "2026-01-05T24:00:00Z",
        "2026-01-05T09:00:60Z",
        "2026-01-05T09:00:00+24:00",
        "2026-01-05T09:00:00Z ",
        "٢٠٢٦-01-05T09:00:00Z",
        "1767600000",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """No offset, no such day, no such hour, other digits."""
    with pytest.raises(ValueError, match=r"."):
        moment(text)


@pytest.mark.parametrize("when", [TIME_MIN_US - 1, TIME_MAX_US])
def test_a_time_out_of_range_is_refused(when: int) -> None:
    """From 1990 to 2100: outside it is a broken clock, not an access."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=when)
    with pytest.raises(ValidationError, match="out of"):
        AccessEvent(id="1", occurred_at=at, action=Action.READ, actor_id="nurse")


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("[2001:DB8::0:1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("pc-med-12", "pc-med-12"),
        ("010.0.0.1", "010.0.0.1"),
        ("", ""),
    ],
)
def test_addresses_have_one_spelling(told: str, kept: str) -> None:
    """The shortest of an IP address; a name stays as it is."""
    assert normal_address(told) == kept


EVENTS = st.builds(
    AccessEvent,
    id=NAMES,
    occurred_at=MOMENTS,
    action=st.sampled_from(Action),
    outcome=st.sampled_from(Outcome),
    actor_id=NAMES,
    actor_type=st.sampled_from(ActorType),
    actor_role=PLAIN,
    patient_id=PLAIN,
    resource_count=st.integers(0, 2_000_000_000),
    reason=PLAIN,
    client_address=st.ip_addresses().map(str) | PLAIN,
    destination=st.sampled_from(Destination),
)


@given(EVENTS)
def test_an_event_survives_json(event: AccessEvent) -> None:
    """Written and read again it is the same event, in UTC."""
    again = AccessEvent.model_validate_json(event.model_dump_json())
    assert again == event
    assert again.occurred_at.utcoffset() == timedelta(0)


@given(st.lists(EVENTS, max_size=8))
def test_a_batch_holds_what_its_events_say(events: list[AccessEvent]) -> None:
    """Columns of equal length in the order of arrival; codes stand for the values of enumerations."""
    batch = batch_of("tenant", [row_of(event, str(i)) for i, event in enumerate(events)], Provenance("source"))
    assert len(batch) == len(events) == len(set(batch.key))
    for i, event in enumerate(events):
        assert (batch.id[i], batch.actor_id[i], batch.patient_id[i], batch.reason[i]) == (
            event.id,
            event.actor_id,
            event.patient_id,
            event.reason,
        )
        assert (ACTIONS[batch.action[i]], OUTCOMES[batch.outcome[i]]) == (event.action, event.outcome)
        assert (ACTOR_TYPES[batch.actor_type[i]], DESTINATIONS[batch.destination[i]]) == (event.actor_type, event.destination)
        assert (batch.occurred_at[i], batch.resource_count[i]) == (microseconds(event.occurred_at), event.resource_count)


@given(st.lists(EVENTS, min_size=1, max_size=8), st.lists(st.integers(0, 7), max_size=8))
def test_some_of_a_batch_are_those(events: list[AccessEvent], picked: list[int]) -> None:
    """In the order asked for, every column alike."""
    rows = [row_of(event, str(i)) for i, event in enumerate(events)]
    where = [i for i in picked if i < len(rows)]
    some = batch_of("tenant", rows, Provenance("source")).take(where)
    direct = batch_of("tenant", [rows[i] for i in where], Provenance("source"))
    assert some.key == direct.key
    assert some.action.tolist() == direct.action.tolist()
    assert some.client_address == direct.client_address


def test_a_row_has_the_fields_of_an_event() -> None:
    """And `sub`, which tells apart the patients of one message."""
    assert set(EventRow._fields) == set(AccessEvent.model_fields) | {"sub", "marks"}
