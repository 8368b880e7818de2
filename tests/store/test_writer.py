"""What is written is what is read, once, whatever failed in between."""

from __future__ import annotations

import dataclasses
import os
import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.alert import rfc3339
from sentinel.core.batch import ACTIONS, ACTOR_TYPES, DESTINATIONS, OUTCOMES, Assessment, EventBatch
from sentinel.core.event import EventRow
from sentinel.store import parts
from sentinel.store.answers import Access
from sentinel.store.client import Connections, connect
from sentinel.store.columns import access_rows, table_of
from sentinel.store.errors import StoreError
from sentinel.store.migrate import migrate
from sentinel.store.questions import Questions
from sentinel.store.writer import Writer
from tests.store.making import DAY_US, START_US, TENANT, a_batch, an_alert, an_assessment, an_event, nothing_found, some_events

CODED = {"action": ACTIONS, "outcome": OUTCOMES, "actor_type": ACTOR_TYPES, "destination": DESTINATIONS}


def count(store: Connections, table: str = "access") -> int:
    return store.writer.command(f"SELECT count() FROM {table}")


def expected(batch: EventBatch, assessment: Assessment) -> dict[str, Access]:
    """Return what the store should answer of these events, by key."""
    told = {}
    for at, key in enumerate(batch.key):
        kept = {column.name for column in dataclasses.fields(batch)} - {"tenant", "marks"}  # what rules met stands in `detectors`
        values = {name: getattr(batch, name)[at] for name in kept}
        values |= {name: str(names[values[name]]) for name, names in CODED.items()}
        values |= {name: int(values[name]) for name in ("resource_count", "partition", "offset", "ordinal")}
        values |= {name: rfc3339(int(values[name])) for name in ("occurred_at", "received_at")}
        told[key.hex()] = Access(
            **values
            | {
                "key": key.hex(),
                "explained_by": assessment.explained_by[at],
                "p_value": None if np.isnan(assessment.p_value[at]) else float(assessment.p_value[at]),
                "detectors": list(assessment.detectors.get(at, ())),
                "weighed": assessment.weighed.get(at, {}),
            }
        )
    return told


def stored(store: Connections, batch: EventBatch) -> dict[str, Access]:
    """Return what the store answers of whoever is in the batch, by key, page by page."""
    questions, found, before = Questions(store.reader()), [], None
    while True:
        page = questions.accesses_by_actor(batch.tenant, sorted(set(batch.actor_id)), limit=1_000, before=before)
        found += page.accesses
        if (before := page.next) is None:
            return {access.key: access for access in found}


def test_every_column_comes_back_as_it_was_written(store: Connections) -> None:
    """Enumerations, times, what was concluded: nothing is lost or rounded."""
    batch = a_batch(some_events(500))
    assessment = an_assessment(batch)
    writer = Writer(store.writer)
    writer.write(batch, assessment)
    assert count(store) == 0, "nothing is stored before it is flushed"
    writer.flush()
    assert stored(store, batch) == expected(batch, assessment)


TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
ROWS = st.builds(
    lambda texts, **told: EventRow(**an_event()._asdict() | texts | told),
    st.fixed_dictionaries(
        {name: TEXT for name in EventRow._fields if isinstance(getattr(an_event(), name), str) and name not in CODED}
    ),
    id=TEXT,
    actor_id=TEXT,
    occurred_at=st.integers(631_152_000_000_000, 4_102_444_799_999_999),
    resource_count=st.integers(0, 2_000_000_000),
)


def test_any_text_at_any_time_comes_back(tmp_path: Path) -> None:
    """Control characters, quotes, emoji, 1990 to 2100: what may be in an event may be in the store."""
    connections = connect(f"chdb://{tmp_path / 'store'}")
    migrate(connections.writer)

    @settings(max_examples=25)
    @given(st.lists(ROWS, min_size=1, max_size=40, unique_by=lambda row: (row.id, row.sub)))
    def comes_back(rows: list[EventRow]) -> None:
        batch = a_batch(rows)
        assessment = nothing_found(batch, "é'\"\\\n")
        writer = Writer(connections.writer)
        writer.write(batch, assessment)
        writer.flush()
        assert stored(connections, batch) == expected(batch, assessment)
        connections.writer.command("TRUNCATE TABLE access")

    try:
        comes_back()
    finally:
        connections.close()


def test_a_lone_surrogate_does_not_stop_the_others(store: Connections) -> None:
    """UTF-8 cannot hold it: it becomes U+FFFD, the rest stays."""
    batch = a_batch([an_event(1, reason="before \ud800 after"), an_event(2, reason="fine")])
    writer = Writer(store.writer)
    writer.write(batch, nothing_found(batch))
    writer.flush()
    assert {access.reason for access in stored(store, batch).values()} == {"before \ufffd after", "fine"}


def test_one_flush_may_span_centuries(store: Connections) -> None:
    """A backfill has many months in one insert; the engine's own limit is 100."""
    batch = a_batch([an_event(at, occurred_at=START_US + at * 31 * DAY_US) for at in range(130)])
    writer = Writer(store.writer)
    writer.write(batch, nothing_found(batch))
    writer.flush()
    assert count(store) == 130


def test_a_flush_of_nothing_does_nothing(store: Connections) -> None:
    """It may be called at every tick."""
    writer = Writer(store.writer)
    writer.write(a_batch([]), nothing_found(a_batch([])))
    writer.write_raw(TENANT, 0, [])
    writer.write_alerts([])
    writer.flush()
    assert count(store) == 0


def test_what_is_stored_beyond_an_offset_is_known_to_the_row(store: Connections) -> None:
    """By place in the log: partition, offset, and which event of the record."""
    writer = Writer(store.writer)
    batch = a_batch(some_events(10), offset=5)
    batch.ordinal[3] = 2
    writer.write(batch, nothing_found(batch))
    other = a_batch(some_events(3, first=10), offset=100, partition=7)
    writer.write(other, nothing_found(other))
    writer.flush()
    assert writer.stored_beyond(0, 7) == {(8, 2), *((offset, 0) for offset in range(9, 15))}
    assert writer.stored_beyond(0, 7, until=9) == {(8, 2), (9, 0)}
    assert writer.stored_beyond(7, -1) == {(100, 0), (101, 0), (102, 0)}
    assert writer.stored_beyond(8, -1) == set()


def test_sources_with_logs_of_their_own_are_told_apart(store: Connections) -> None:
    """Partition and offset say nothing then without the source."""
    writer = Writer(store.writer)
    for source, offset in (("fhir_auditevent", 5), ("sentinel_json", 6)):
        batch = a_batch(some_events(2, first=offset), offset=offset)
        batch.source = [source] * 2
        writer.write(batch, nothing_found(batch))
    writer.flush()
    assert writer.stored_beyond(0, -1, source="sentinel_json") == {(6, 0), (7, 0)}
    assert writer.last_stored(0) == {("fhir_auditevent", 0): 6, ("sentinel_json", 0): 7}
    assert writer.last_stored(7) == {("sentinel_json", 0): 7}


def test_what_another_writer_stored_is_known_when_asked_anew(store: Connections) -> None:
    """What is remembered of a day does not see it."""
    ours, theirs = Writer(store.writer), Writer(store.writer, "theirs")
    batch = a_batch(some_events(20))
    assert ours.known(batch.key, batch.occurred_at) == set()
    theirs.write(batch, nothing_found(batch))
    theirs.flush()
    ours.forget_known()
    assert ours.known(batch.key, batch.occurred_at) == set(batch.key)


def test_the_events_of_stored_alerts_are_told(store: Connections) -> None:
    """Of the newest version of each; of an unknown one nothing."""
    writer, batch = Writer(store.writer), a_batch(some_events(20))
    writer.write_alerts([an_alert("a", batch=batch.take(range(5))), an_alert("b", batch=batch.take(range(5)))])
    writer.flush()
    writer.write_alerts([an_alert("a", version=2, batch=batch)])
    writer.flush()
    keys = [key.hex() for key in batch.key]
    assert writer.events_of_alerts(["a", "b", "c", *map(str, range(5_000))]) == {"a": set(keys), "b": set(keys[:5])}


def test_late_duplicates_are_known_by_key(store: Connections) -> None:
    """With or without their times, before and after what was written is flushed."""
    writer = Writer(store.writer)
    early, late, never = (a_batch(some_events(50, first=first)) for first in (0, 50, 100))
    writer.write(early, nothing_found(early))
    writer.flush()
    asked = early.key + late.key + never.key
    times = np.concatenate([early.occurred_at, late.occurred_at, never.occurred_at])
    assert writer.known(asked) == writer.known(asked, times) == set(early.key)
    writer.write(late, nothing_found(late))
    assert writer.known(asked, times) == set(early.key) | set(late.key)
    writer.flush()
    assert writer.known(asked) == writer.known(asked, times) == set(early.key) | set(late.key)
    assert Writer(store.writer).known([], np.array([], dtype=np.int64)) == set()


def test_a_raw_record_kept_twice_is_one(store: Connections) -> None:
    """A replay writes it again: the place in the log says that it is the same."""
    for _ in range(2):
        writer = Writer(store.writer)
        writer.write_raw(TENANT, 0, [(offset, "fhir_auditevent", b"\xff\x00 raw", START_US) for offset in range(5)])
        writer.flush()
    assert count(store, "raw_record FINAL") == 5


def test_records_of_two_logs_at_the_same_place_are_two(store: Connections) -> None:
    """On Kafka each source has a log of its own: one's evidence takes no other's place, and each event has its own."""
    questions, writer = Questions(store.reader()), Writer(store.writer)
    batch = a_batch(some_events(2))
    batch.source[1] = "other"
    batch.offset[:] = 7
    writer.write(batch, nothing_found(batch))
    writer.write_alerts([an_alert("of two", batch=batch)])
    for source, raw in zip(batch.source, (b"one", b"two"), strict=True):
        writer.write_raw(TENANT, int(batch.partition[0]), [(7, source, raw, START_US)])
        writer.flush()
    store.writer.command("OPTIMIZE TABLE raw_record FINAL")
    kept = {one.access.source: one.raw for one in questions.evidence(TENANT, "of two")}
    assert kept == {batch.source[0]: "one", "other": "two"}


def test_of_an_alert_the_highest_version_counts(store: Connections) -> None:
    """Whatever the order in which they are written, and however often."""
    questions = Questions(store.reader())
    for versions in ([1, 3, 2], [2], [3], [1]):
        writer = Writer(store.writer)
        writer.write_alerts([an_alert("story", version, priority=float(version)) for version in versions])
        writer.flush()
        assert [alert["version"] for alert in questions.alerts(TENANT).alerts] == [3]
    assert count(store, "alert") == 1


@pytest.fixture
def full_disk() -> object:
    """No file of this process may grow beyond a size, as on a full disk or over a quota."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def allow(bytes_max: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, hard))

    yield allow
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def test_an_insert_that_tore_is_completed_and_not_doubled(store: Connections, full_disk) -> None:
    """One month was stored, the next found no room; more comes in before there is room again."""
    writer = Writer(store.writer)
    small = [an_event(at, occurred_at=START_US + at) for at in range(50)]
    large = [an_event(at, occurred_at=START_US + 40 * DAY_US + at, reason=str(at) * 200) for at in range(50, 20_000)]
    batch = a_batch(small + large)
    writer.write(batch, nothing_found(batch))
    writer.write_alerts([an_alert("rests on them")])
    full_disk(100_000)
    with pytest.raises(StoreError) as failed:
        writer.flush()
    assert failed.value.code in ("BROKEN_PART", "NOT_ENOUGH_SPACE")
    full_disk(resource.RLIM_INFINITY)
    assert 0 < count(store) < len(batch), "it tore"
    assert count(store, "alert") == 0, "an alert never comes before what it rests on"
    assert writer.pending == len(batch)
    assert writer.pending_bytes > 16 * len(batch)
    more = a_batch(some_events(20, first=20_000), offset=len(batch))
    writer.write(more, nothing_found(more))
    writer.flush()
    assert count(store) == store.writer.command("SELECT uniqExact(key) FROM access") == len(batch) + len(more)
    assert count(store, "alert") == 1
    assert writer.pending == writer.pending_bytes == 0


def test_a_merge_that_was_cut_short_is_noticed_and_undone(tmp_path: Path) -> None:
    """What it was made of is still there when the store is opened anew."""
    dsn = f"chdb://{tmp_path / 'store'}"
    connections = connect(dsn)
    migrate(connections.writer)
    writer = Writer(connections.writer)
    for first in (0, 500):
        batch = a_batch(some_events(500, first=first, days=1), offset=first)
        writer.write(batch, nothing_found(batch))
        writer.flush()
    connections.writer.command("OPTIMIZE TABLE access FINAL")
    [merged] = next(Path(tmp_path / "store").glob("store/*/*/20*_1_2_1")).glob("data.bin")
    os.truncate(merged, merged.stat().st_size // 2)
    writer.write_raw(TENANT, 0, [(0, "sentinel_json", b"{}", START_US)])
    with pytest.raises(StoreError, match="BROKEN_PART"):
        writer.flush()
    connections.close()
    anew = connect(dsn)
    assert anew.writer.command("SELECT uniqExact(key), count() FROM access WHERE NOT ignore(*)") == ["1000", "1000"]
    anew.close()


def test_a_load_merges_once_there_are_many_parts(store: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts wait as they were inserted until there are more than may wait; then they are merged, and nothing is lost."""
    monkeypatch.setattr(parts, "UNMERGED_MAX", 9)
    writer = Writer(store.writer)
    writer.merge_late()
    for first in range(0, 100, 10):
        assert _levels(store) == [0] * (first // 10)
        batch = a_batch(some_events(10, first=first, days=1), offset=first)
        writer.write(batch, nothing_found(batch))
        writer.flush()
    store.writer.command("OPTIMIZE TABLE access FINAL")
    assert len(_levels(store)) == 1
    assert count(store) == 100


def _levels(store: Connections) -> list[int]:
    rows = store.writer.query("SELECT level FROM system.parts WHERE active AND table = 'access'").result_rows
    return [level for (level,) in rows]


def test_what_repeats_travels_as_a_dictionary() -> None:
    """Also when the micro-batches of an insert know different words."""
    batches = [a_batch([an_event(at, actor_role=f"role-{at}")], tenant=f"tenant-{at % 2}") for at in range(4)]
    table = table_of([access_rows(batch, nothing_found(batch)) for batch in batches])
    assert table.column("actor_role").combine_chunks().to_pylist() == [f"role-{at}" for at in range(4)]
    assert table.column("tenant").combine_chunks().to_pylist() == ["tenant-0", "tenant-1", "tenant-0", "tenant-1"]
