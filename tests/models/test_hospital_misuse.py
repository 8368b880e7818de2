"""The simulated hospital's misuse is what its labels say, and is not told by its looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from models.hospital import KINDS, Hospital, HospitalSettings
from tests.models.simulated import Json, Written, actor_of, civil_of, home_of, is_by_service, patients_of


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
        pairs = [(people[actor_of(e)[13:]], patients[patient]) for e in events for patient in patients_of(e)]
        return bool(pairs) and all(of(person) == of(patient) for person, patient in pairs)

    return check


def _every(of: Callable[[Json], bool]) -> Callable[[Written, list[Json]], bool]:
    """Return a check on every patient that was read."""

    def check(written: Written, events: list[Json]) -> bool:
        patients = written.by_id("Patient")
        read = [patients[patient] for e in events for patient in patients_of(e)]
        return bool(read) and all(map(of, read))

    return check


def _is_colleague(written: Written, events: list[Json]) -> bool:
    people, patients = {civil_of(r): r["id"] for r in written.context["Practitioner"]}, written.by_id("Patient")
    return all(people[civil_of(patients[p])] != actor_of(e)[13:] for e in events for p in patients_of(e))


def _left_before(written: Written, events: list[Json]) -> bool:
    ends = {role["practitioner"]["reference"]: role["period"].get("end", "9") for role in written.context["PractitionerRole"]
            if role["id"].endswith("-0")}  # fmt: skip
    return all(ends[actor_of(e)] < e["recorded"][:10] for e in events)


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
    who, sites = actor_of(events[0]), {event["source"]["site"] for event in events}
    begin, end = events[0]["recorded"], events[-1]["recorded"]
    meanwhile = [e for e in written.ordinary() if actor_of(e) == who and begin <= e["recorded"] <= end]
    return any(event["source"]["site"] not in sites for event in meanwhile)


def _in_sequence(_: Written, events: list[Json]) -> bool:
    numbers = [int(patient) for event in events for patient in patients_of(event)]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len(numbers) >= 100


def _crowd(_: Written, events: list[Json]) -> bool:
    return len({actor_of(e) for e in events}) >= 5 and len({p for e in events for p in patients_of(e)}) == 1


CHECKS: dict[str, Callable[[Written, list[Json]], bool]] = {
    "coworker": _is_colleague,
    "own_record": _same(civil_of),
    "household": _same(home_of),
    "same_name": _same(lambda resource: resource["name"][0]["family"]),
    "neighbour": _same(lambda resource: home_of(resource)[0].split(" ", 1)[1]),
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
        is_by_service(e) and e["agent"][1]["who"]["display"][0] == "P" for e in events
    ),
    "off_hours": lambda _, events: all("00" <= event["recorded"][11:13] <= "06" for event in events),
}


@pytest.mark.parametrize("kind", CHECKS)
def test_misuse_is_what_its_label_says(kind: str, written: Written) -> None:
    """The events of a case, held against the context, show what the kind is named for."""
    assert CHECKS[kind](written, written.misuse(kind))
