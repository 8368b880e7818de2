"""Ordinary work in the simulated hospital is as hard to tell from misuse as it says."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta

from tests.models.simulated import Json, Written, actor_of, civil_of, is_by_service, patients_of, references_of


def test_ordinary_work_has_the_usual_rates(written: Written) -> None:
    """Some 20 to 32 patient accesses a person and day, most of them readings, logins around them."""
    accesses: Counter[tuple[str, str]] = Counter()
    actions: Counter[str] = Counter()
    for event in written.ordinary():
        actions[event["subtype"][0]["code"]] += 1
        if actor_of(event).startswith("Practitioner/"):
            accesses[actor_of(event), event["recorded"][:10]] += len(patients_of(event)) > 0
    assert 20 < sum(accesses.values()) / sum(n > 0 for n in accesses.values()) < 32
    assert actions["read"] > actions["create"] > actions["update"] > actions["report"] > actions["delete"] > 0
    assert {"110122", "110123", "110127", "110137", "extract", "search"} <= actions.keys()


def test_some_ordinary_accesses_have_no_link_on_file(written: Written) -> None:
    """At least two in a hundred, and few more than one in ten: advice, calls, floats, wrong patients."""
    links = Links(written)
    asked = [(event, patient) for event in written.ordinary() for patient in patients_of(event) if not is_by_service(event)]
    unlinked = [event for event, patient in asked if not links.hold(event, patient)]
    assert 0.02 < len(unlinked) / len(asked) < 0.12


def test_ordinary_work_meets_marked_records_and_strangers_files(written: Written) -> None:
    """Celebrities, restricted records, colleagues and overrides with and without a motive are part of any week."""
    people = {civil_of(resource) for resource in written.context["Practitioner"]}
    patients = written.by_id("Patient")
    opened = {patient for event in written.ordinary() for patient in patients_of(event)}
    overrides = [event for event in written.ordinary() if event["subtype"][0]["code"] == "110127"]
    assert any("meta" in patients[patient] for patient in opened)
    assert any(civil_of(patients[patient]) in people for patient in opened)
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
        names = list(references_of(resource))
        patients = [name for name in names if name.startswith("Patient/")]
        self.named |= {(name, patient) for name in names if name.startswith("Practitioner/") for patient in patients}

    def hold(self, event: Json, patient: str) -> bool:
        """Whether the context gives a reason for an access."""
        who, day, role = actor_of(event), event["recorded"][:10], event["agent"][0]["role"][0]["text"]
        if (who, f"Patient/{patient}") in self.named or role.startswith(self.HOUSE):
            return True
        mine = {unit for unit, start, end in self.units[who] if start <= day <= end}
        stays = self.stays[f"Patient/{patient}"]
        return any(unit in mine and _shift(start, -3) <= day <= _shift(end, 30) for unit, start, end in stays)


def _shift(day: str, days: int) -> str:
    return day if day == "9" else str(date.fromisoformat(day) + timedelta(days=days))
