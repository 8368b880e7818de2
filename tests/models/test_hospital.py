"""The simulated hospital is the same for the same settings, well formed, and as hard as it says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
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

SETTINGS = HospitalSettings(seed=7, staff=60, days=10, start=date(2026, 3, 23), misuse_per_kind=1)
CHANGE = "2026-03-29"  # to summer time
ROOT = Path(__file__).parents[2]

Json = dict[str, Any]


class Written:
    """A hospital on disk, and read back."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.context = {file.stem: [*_ndjson(file)] for file in sorted((out / "context").glob("*.ndjson"))}
        self.events = [*_ndjson(out / "events.ndjson")]
        rows = [line.split("\t") for line in (out / "labels.tsv").read_text("utf-8").splitlines()]
        self.labels = {event: label for event, label, _ in rows}
        self.cases = {event: case for event, _, case in rows}

    def ordinary(self) -> list[Json]:
        """Return the events without a label."""
        return [event for event in self.events if event["id"] not in self.labels]

    def misuse(self, kind: str) -> list[Json]:
        """Return the events of one kind of misuse."""
        return [event for event in self.events if self.labels.get(event["id"]) == kind]

    def by_id(self, kind: str) -> dict[str, Json]:
        """Return the context's resources of a type."""
        return {resource["id"]: resource for resource in self.context[kind]}


def _ndjson(file: Path) -> Iterator[Json]:
    yield from map(msgspec.json.decode, file.read_bytes().splitlines())


def _digest(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()


@pytest.fixture(scope="module")
def hospital() -> Hospital:
    return Hospital(SETTINGS)


@pytest.fixture(scope="module")
def made(hospital: Hospital) -> list[SimulatedEvent]:
    return list(hospital.events())


@pytest.fixture(scope="module")
def written(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Written:
    out = tmp_path_factory.mktemp("hospital")
    write(hospital, out)
    return Written(out)


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
        for reference in _references(resource):
            assert not reference.startswith(kinds) or reference in known


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


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


# --- ordinary work -----------------------------------------------------------------------------------


def test_ordinary_work_has_the_usual_rates(written: Written) -> None:
    """Some 20 to 32 patient accesses a person and day, most of them readings, logins around them."""
    accesses: Counter[tuple[str, str]] = Counter()
    actions: Counter[str] = Counter()
    for event in written.ordinary():
        actions[event["subtype"][0]["code"]] += 1
        if _actor(event).startswith("Practitioner/"):
            accesses[_actor(event), event["recorded"][:10]] += len(_patients(event)) > 0
    assert 20 < sum(accesses.values()) / sum(n > 0 for n in accesses.values()) < 32
    assert actions["read"] > actions["create"] > actions["update"] > actions["report"] > actions["delete"] > 0
    assert {"110122", "110123", "110127", "110137", "extract", "search"} <= actions.keys()


def test_some_ordinary_accesses_have_no_link_on_file(written: Written) -> None:
    """At least two in a hundred, and few more than one in ten: advice, calls, floats, wrong patients."""
    links = Links(written)
    asked = [(event, patient) for event in written.ordinary() for patient in _patients(event) if not _by_service(event)]
    unlinked = [event for event, patient in asked if not links.hold(event, patient)]
    assert 0.02 < len(unlinked) / len(asked) < 0.12


def test_ordinary_work_meets_marked_records_and_strangers_files(written: Written) -> None:
    """Celebrities, restricted records, colleagues and overrides with and without a motive are part of any week."""
    people = {_civil(resource) for resource in written.context["Practitioner"]}
    patients = written.by_id("Patient")
    opened = {patient for event in written.ordinary() for patient in _patients(event)}
    overrides = [event for event in written.ordinary() if event["subtype"][0]["code"] == "110127"]
    assert any("meta" in patients[patient] for patient in opened)
    assert any(_civil(patients[patient]) in people for patient in opened)
    assert any("outcomeDesc" in event for event in overrides)


class Links:
    """What the context gives as a reason: the unit's patients, names on a stay, orders, roles for the whole house."""

    HOUSE = ("Technicien de lab", "Manipulateur", "Médecin bio", "Médecin rad", "Médecin an", "Pharmacien", "Préparateur",
             "Agent", "Médecin urg", "Technicien d'inf", "Médecin de l'inf", "Technicien inf", "Prestataire")  # fmt: skip

    def __init__(self, written: Written) -> None:
        self.units: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        self.stays: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        self.named: set[tuple[str, str]] = set()
        for role in written.context["PractitionerRole"]:
            period = role["period"]["start"][:10], role["period"].get("end", "9")[:10]
            self.units[role["practitioner"]["reference"]] += [(place["reference"], *period) for place in role["location"]]
        for stay in written.context["Encounter"]:
            for place in stay["location"]:
                period = place["period"]["start"][:10], place["period"].get("end", "9")[:10]
                self.stays[stay["subject"]["reference"]].append((place["location"]["reference"], *period))
        for kind in ("Encounter", "Appointment", "CareTeam", "ServiceRequest"):
            for resource in written.context[kind]:
                self._name(resource)

    def _name(self, resource: Json) -> None:
        names = list(_references(resource))
        patients = [name for name in names if name.startswith("Patient/")]
        self.named |= {(name, patient) for name in names if name.startswith("Practitioner/") for patient in patients}

    def hold(self, event: Json, patient: str) -> bool:
        """Whether the context gives a reason for an access."""
        who, day, role = _actor(event), event["recorded"][:10], event["agent"][0]["role"][0]["text"]
        if (who, f"Patient/{patient}") in self.named or role.startswith(self.HOUSE):
            return True
        mine = {unit for unit, start, end in self.units[who] if start <= day <= end}
        stays = self.stays[f"Patient/{patient}"]
        return any(unit in mine and _shift(start, -3) <= day <= _shift(end, 30) for unit, start, end in stays)


def _shift(day: str, days: int) -> str:
    return day if day == "9" else str(date.fromisoformat(day) + timedelta(days=days))


def _actor(event: Json) -> str:
    return str(event["agent"][0]["who"]["reference"])


def _by_service(event: Json) -> bool:
    return _actor(event).startswith("Device/")


def _patients(event: Json) -> list[str]:
    return [e["what"]["reference"][8:] for e in event["entity"] if e.get("role", {}).get("code") == "1"]


def _civil(resource: Json) -> tuple[str, str, str]:
    name = resource["name"][0]
    return name["family"], name["given"][0], resource["birthDate"]


def _home(resource: Json) -> tuple[str, str]:
    return resource["address"][0]["line"][0], resource["address"][0]["city"]


# --- misuse ------------------------------------------------------------------------------------------


def test_all_kinds_are_there_and_are_rare(written: Written) -> None:
    """Each kind has its case, named after it; together they are a small part of the events."""
    assert {(label, written.cases[event]) for event, label in written.labels.items()} == {(kind, f"{kind}-001") for kind in KINDS}
    assert len(KINDS) == 26
    assert len(written.labels) < 0.08 * len(written.events)


@pytest.mark.parametrize("seed", [0, 1])
def test_all_kinds_are_there_in_the_smallest_hospital(seed: int) -> None:
    """Forty people and a week are enough for every kind, whatever the seed."""
    events = Hospital(HospitalSettings(seed=seed, staff=40, days=7, misuse_per_kind=1)).events()
    assert {event.label for event in events if event.label} == KINDS.keys()


def test_misuse_looks_like_ordinary_work(written: Written) -> None:
    """No application, site, kind of event, kind of workstation or set of fields is seen in misuse alone."""
    ordinary = {mark for event in written.ordinary() for mark in _marks(event)}
    misuse = {mark for event in written.events if event["id"] in written.labels for mark in _marks(event)}
    assert misuse <= ordinary


def _marks(event: Json) -> Iterator[tuple[object, ...]]:
    agent, machine = event["agent"][:2]
    yield "fields", *event
    yield "agent", *agent
    yield "kind", event["type"]["code"], event["subtype"][0]["code"], event["action"]
    yield "application", event["source"]["observer"]["reference"]
    yield "site", event["source"]["site"]
    yield "workstation", machine["who"]["display"][:1], agent["network"]["address"][:3]
    yield "token", len(agent["policy"][0])
    for entity in event["entity"]:
        yield "entity", *sorted(set(entity) - {"securityLabel"})


def _same(of: Callable[[Json], object]) -> Callable[[Written, list[Json]], bool]:
    """Return a check that the reader and the patient have something in common."""

    def check(written: Written, events: list[Json]) -> bool:
        patients, people = written.by_id("Patient"), written.by_id("Practitioner")
        pairs = [(people[_actor(e)[13:]], patients[patient]) for e in events for patient in _patients(e)]
        return bool(pairs) and all(of(person) == of(patient) for person, patient in pairs)

    return check


def _every(of: Callable[[Json], bool]) -> Callable[[Written, list[Json]], bool]:
    """Return a check on every patient that was read."""

    def check(written: Written, events: list[Json]) -> bool:
        patients = written.by_id("Patient")
        read = [patients[patient] for e in events for patient in _patients(e)]
        return bool(read) and all(map(of, read))

    return check


def _is_colleague(written: Written, events: list[Json]) -> bool:
    people, patients = {_civil(r): r["id"] for r in written.context["Practitioner"]}, written.by_id("Patient")
    return all(people[_civil(patients[p])] != _actor(e)[13:] for e in events for p in _patients(e))


def _left_before(written: Written, events: list[Json]) -> bool:
    ends = {role["practitioner"]["reference"]: role["period"].get("end", "9") for role in written.context["PractitionerRole"]
            if role["id"].endswith("-0")}  # fmt: skip
    return all(ends[_actor(e)] < e["recorded"][:10] for e in events)


def _leaves_soon(written: Written, events: list[Json]) -> bool:
    return not _left_before(written, events) and any(_media(e) == "110030" for e in events)


def _media(event: Json) -> str:
    return next((agent["media"]["code"] for agent in event["agent"] if "media" in agent), "")


def _subtypes(events: list[Json]) -> Counter[str]:
    return Counter(event["subtype"][0]["code"] for event in events)


def _broken_into(_: Written, events: list[Json]) -> bool:
    outcomes = [event["outcome"] for event in events if event["subtype"][0]["code"] == "110122"]
    return outcomes[-1] == "0" and outcomes.count("4") >= 20


def _in_two_places(written: Written, events: list[Json]) -> bool:
    who, sites = _actor(events[0]), {event["source"]["site"] for event in events}
    begin, end = events[0]["recorded"], events[-1]["recorded"]
    meanwhile = [e for e in written.ordinary() if _actor(e) == who and begin <= e["recorded"] <= end]
    return any(event["source"]["site"] not in sites for event in meanwhile)


def _in_sequence(_: Written, events: list[Json]) -> bool:
    numbers = [int(patient) for event in events for patient in _patients(event)]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len(numbers) >= 100


def _crowd(_: Written, events: list[Json]) -> bool:
    return len({_actor(e) for e in events}) >= 5 and len({p for e in events for p in _patients(e)}) == 1


CHECKS: dict[str, Callable[[Written, list[Json]], bool]] = {
    "coworker": _is_colleague,
    "own_record": _same(_civil),
    "household": _same(_home),
    "same_name": _same(lambda resource: resource["name"][0]["family"]),
    "neighbour": _same(lambda resource: _home(resource)[0].split(" ", 1)[1]),
    "vip": _every(lambda patient: patient["meta"]["security"][0]["code"] == "CEL"),
    "deceased": _every(lambda patient: patient["deceasedDateTime"] < "2026-01"),
    "curiosity_burst": _crowd,
    "scraping": _in_sequence,
    "departed_account": _left_before,
    "export_by_leaver": _leaves_soon,
    "public_link": lambda _, events: any(_media(event) == "110037" for event in events),
    "mass_deletion": lambda _, events: _subtypes(events)["delete"] >= 12,
    "mass_export": lambda _, events: _subtypes(events)["extract"] >= 1,
    "break_glass_abuse": lambda _, events: _subtypes(events)["110127"] >= 3 and not any("outcomeDesc" in e for e in events),
    "name_probing": lambda _, events: _subtypes(events)["search"] >= 15,
    "privilege_change_used": lambda _, events: len({"110136", "110137"} & _subtypes(events).keys()) == 1,
    "brute_force_success": _broken_into,
    "shared_account": _in_two_places,
    "service_account_by_hand": lambda _, events: all(
        _by_service(e) and e["agent"][1]["who"]["display"][0] == "P" for e in events
    ),
    "off_hours": lambda _, events: all("00" <= event["recorded"][11:13] <= "06" for event in events),
}


@pytest.mark.parametrize("kind", CHECKS)
def test_misuse_is_what_its_label_says(kind: str, written: Written) -> None:
    """The events of a case, held against the context, show what the kind is named for."""
    assert CHECKS[kind](written, written.misuse(kind))


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
