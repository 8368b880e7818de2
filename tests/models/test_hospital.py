"""The simulated hospital is the same for the same settings, well formed and bounded."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hospital import KINDS, Hospital, HospitalSettings, SimulatedEvent, write
from models.hospital.clock import Clock
from models.hospital.draw import Draw, Weighted
from models.hospital.units import plan_units, split
from sentinel.core.errors import RefusedToStartError
from tests.models.simulated import SETTINGS, Written, references_of

CHANGE = "2026-03-29"  # to summer time
ROOT = Path(__file__).parents[2]


def _digest(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()


# --- the same settings, the same bytes ---------------------------------------------------------------


def test_same_settings_give_the_same_bytes(written: Written, tmp_path: Path) -> None:
    """A second process, with another hash seed, writes the very same files."""
    code = (
        "import sys; from datetime import date; from pathlib import Path; from models.hospital import *;"
        "write(Hospital(HospitalSettings(seed=7, staff=60, days=10, start=date(2026, 3, 23), misuse_per_kind=1)),"
        "Path(sys.argv[1]))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "4242", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=env, cwd=ROOT, timeout=120)
    assert _digest(tmp_path) == _digest(written.out)


def test_another_seed_gives_another_hospital(made: list[SimulatedEvent]) -> None:
    """People, patients and events all change with the seed."""
    first = next(Hospital(replace(SETTINGS, seed=8)).events())
    assert first.id != made[0].id
    assert first.resource != made[0].resource


@pytest.mark.parametrize("count", [0, 2])
def test_misuse_leaves_ordinary_work_alone(count: int, made: list[SimulatedEvent]) -> None:
    """With no misuse, or more of it, every ordinary event and every earlier case stays as it is."""
    other = list(Hospital(replace(SETTINGS, misuse_per_kind=count)).events())
    assert [e for e in other if not e.label] == [e for e in made if not e.label]
    assert count == 0 or {e for e in made if e.label} <= {e for e in other if e.label}


def test_what_is_streamed_is_what_is_written(made: list[SimulatedEvent], written: Written) -> None:
    """The files hold the events of the stream in its order, and labels for misuse alone."""
    assert (written.out / "events.ndjson").read_bytes() == b"".join(event.resource + b"\n" for event in made)
    assert written.labels == {event.id: event.label for event in made if event.label}
    assert written.cases == {event.id: event.case for event in made if event.case}


def test_writing_tells_its_progress_and_sums_up(tmp_path: Path) -> None:
    """Progress is told once a day and adds up to the events written."""
    told: list[int] = []
    summary = write(Hospital(HospitalSettings(staff=40, days=7, misuse_per_kind=1)), tmp_path, told.append)
    lines = (tmp_path / "labels.tsv").read_text("utf-8").splitlines()
    assert (len(told), sum(told)) == (7, summary.events)
    assert (summary.misuse_events, summary.cases) == (len(lines), len(KINDS))
    assert (summary.staff, summary.days) == (40, 7)


# --- well formed -------------------------------------------------------------------------------------


def test_events_are_in_order_of_time_under_unique_ids(made: list[SimulatedEvent]) -> None:
    """Time never goes back, and the time told is the time in the resource."""
    times = [event.occurred_at_us for event in made]
    assert times == sorted(times)
    assert len({event.id for event in made}) == len(made)
    for event in made[::50]:
        recorded = datetime.fromisoformat(msgspec.json.decode(event.resource)["recorded"])
        assert recorded == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.occurred_at_us)


def test_every_event_has_what_fhir_r4_asks_for(written: Written) -> None:
    """Type, time, one agent who asked, an observer; codes out of their value sets."""
    for event in written.events:
        assert event["resourceType"] == "AuditEvent"
        assert event["type"]["code"]
        assert event["action"] in "CRUDE"
        assert event["outcome"] in ("0", "4", "8", "12")
        assert [agent["requestor"] for agent in event["agent"]].count(True) == 1
        assert event["agent"][0]["network"]["type"] == "2"
        assert event["source"]["observer"]["reference"].startswith("Device/")


def test_references_resolve_to_the_context(written: Written) -> None:
    """Whoever and whatever an event or a resource of the context names as theirs is there."""
    known = {f"{kind}/{resource['id']}" for kind, resources in written.context.items() for resource in resources}
    kinds = tuple(f"{kind}/" for kind in written.context)
    for resource in [*written.events, *(r for resources in written.context.values() for r in resources)]:
        for reference in references_of(resource):
            assert not reference.startswith(kinds) or reference in known


def test_the_day_of_the_time_change_is_told_in_local_time(written: Written) -> None:
    """Winter time before two o'clock, summer time from three on, nothing in between."""
    stamps = [event["recorded"] for event in written.events if event["recorded"].startswith(CHANGE)]
    offsets = {(int(stamp[11:13]) >= 3, stamp[23:]) for stamp in stamps}
    assert offsets == {(False, "+01:00"), (True, "+02:00")}
    assert not [stamp for stamp in stamps if stamp[11:13] == "02"]


ZONES = st.sampled_from(["Europe/Paris", "America/Martinique", "Indian/Reunion", "America/Montreal", "UTC"])


@given(ZONES, st.integers(1_700_000_000_000, 1_900_000_000_000))
def test_a_stamp_tells_its_instant(zone: str, at_ms: int) -> None:
    """Any instant is told in the zone's local time and reads back as itself, also around time changes."""
    stamp = datetime.fromisoformat(Clock(date(2026, 3, 2), zone).stamp(at_ms))
    assert stamp == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    assert stamp.utcoffset() == stamp.astimezone(ZoneInfo(zone)).utcoffset()


@given(ZONES, st.integers(-200, 400), st.integers(0, 86_399))
def test_a_second_of_a_day_lies_in_that_day(zone: str, day: int, second: int) -> None:
    """The instant of a wall-clock second is in its day, and days follow one another without a hole."""
    clock = Clock(date(2026, 3, 2), zone)
    assert clock.day_of(clock.at(day, second)) == day
    assert clock.at(day, 86_400) == clock.midnight(day + 1)


# --- bounded -----------------------------------------------------------------------------------------


def test_memory_holds_a_day_whatever_the_period() -> None:
    """Twice the days take about the same memory."""
    assert _peak(14) < 1.4 * _peak(7)


def _peak(days: int) -> int:
    hospital = Hospital(HospitalSettings(staff=40, days=days, misuse_per_kind=0))
    tracemalloc.start()
    for _ in hospital.events():
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_hospital_too_small_is_refused() -> None:
    """Below forty staff or seven days some kinds of work would be missing."""
    for settings in ({"staff": 39}, {"days": 6}, {"misuse_per_kind": -1}, {"seed": -1}):
        with pytest.raises(RefusedToStartError):
            HospitalSettings(**settings)


# --- the parts ---------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.integers(-100, 100))
def test_a_draw_is_named_by_its_keys(seed: int, day: int) -> None:
    """The same names give the same numbers, and other names others."""
    first, again, other = Draw(seed, "a", day), Draw(seed, "a", day), Draw(seed, "b", day)
    numbers = [first.u() for _ in range(5)]
    assert numbers == [again.u() for _ in range(5)]
    assert numbers != [other.u() for _ in range(5)]


@given(st.integers(0, 1000), st.lists(st.integers(), max_size=20), st.integers(0, 30))
def test_a_sample_has_different_places(seed: int, items: list[int], n: int) -> None:
    """A sample is a part of the items, never one place twice."""
    drawn = Draw(seed, "sample").sample(list(enumerate(items)), n)
    assert len(drawn) == len(set(drawn)) == min(n, len(items))
    assert set(drawn) <= set(enumerate(items))


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=8), st.floats(0, 1, exclude_max=True))
def test_a_weighted_table_gives_one_of_its_items(weights: list[float], u: float) -> None:
    """Every number in [0, 1) has an item; the first and the last are reached."""
    table = Weighted(enumerate(weights))
    assert table.at(u) in range(len(weights))
    assert (table.at(0.0), table.at(1 - 1e-9)) == (0, len(weights) - 1) or len(weights) == 1


@given(st.integers(1, 500), st.lists(st.floats(0.05, 3), min_size=1, max_size=20))
def test_a_split_adds_up(total: int, weights: list[float]) -> None:
    """Parts add up to the whole, and none is empty when there is enough for all."""
    parts = split(total, weights)
    assert len(parts) == len(weights)
    assert sum(parts) == max(total, len(weights))
    assert min(parts) >= 1


@given(st.integers(40, 3000))
def test_units_share_the_staff(staff: int) -> None:
    """About one unit for twenty people, ten at least, adding up to the staff, under unique names."""
    units = plan_units(HospitalSettings(staff=staff))
    assert sum(unit.staff for unit in units) == staff
    assert len(units) == max(10, staff // 20)
    assert len({unit.name for unit in units}) == len({unit.id for unit in units}) == len(units)
