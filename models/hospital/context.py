"""What the hospital's directories and registers know, as FHIR R4 resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from .audit import APPS, CONFIDENTIALITY, patient_labels
from .care import Booking, Care, Order, Stay, Team
from .clock import HOUR, Clock
from .draw import Draw
from .interfaces import SERVICES
from .people import Patient, Person
from .roster import DUTY, DUTY_DAY, HOURS, Roster, Shift
from .settings import HospitalSettings
from .units import Unit

Resource = dict[str, Any]

IPP = "https://chu-valmont.example/fhir/sid/ipp"
INS_NIR = "urn:oid:1.2.250.1.213.1.4.8"
FINESS = "urn:oid:1.2.250.1.71.4.2.2"
HOSPITAL = "chu"
_CATEGORIES = {  # SNOMED CT; the last two by their text alone
    "laboratory": ("108252007", "Analyses de biologie médicale"),
    "imaging": ("363679005", "Imagerie"),
    "pharmacy": ("", "Analyse pharmaceutique"),
    "anaesthesia": ("", "Consultation d'anesthésie"),
    "advice": ("", "Demande d'avis"),
}
_RENEWAL_RECORDED_DAYS = 3  # a renewed contract reaches the directory this much later


@dataclass(frozen=True)
class Context:
    """The hospital as its directories tell it at the end of the period."""

    settings: HospitalSettings
    clock: Clock
    units: list[Unit]
    people: list[Person]
    patients: list[Patient]
    care: Care
    roster: Roster

    def resources(self) -> dict[str, Iterable[bytes]]:
        """Return, for each resource type, lines of JSON, made as they are read."""
        made = {
            "Organization": self._organizations(),
            "Location": self._locations(),
            "Device": self._devices(),
            "Practitioner": map(self._practitioner, self.people),
            "PractitionerRole": self._roles(),
            "Patient": map(self._patient, self.patients),
            "Consent": self._consents(),
            "Encounter": (self._encounter(s) for s in self.care.stays if s.start < self.end),
            "Appointment": (self._appointment(b) for b in self.care.bookings if b.booked < self.end),
            "CareTeam": (self._team(t) for t in self.care.teams if t.on_file),
            "ServiceRequest": (self._request(o) for o in self.care.orders if o.at < self.end),
        }
        return {name: map(msgspec.json.encode, resources) for name, resources in made.items()}

    @property
    def end(self) -> int:
        """The instant at which the directories are read."""
        return self.clock.midnight(self.settings.days)

    def _when(self, instant: float) -> str:
        return self.clock.seconds(instant)

    def _period(self, start: float, end: float | None) -> Resource:
        known = end is not None and end < self.end
        return {"start": self._when(start)} | ({"end": self._when(end)} if known and end is not None else {})

    # --- places and applications ----------------------------------------------------------------

    def _organizations(self) -> Iterator[Resource]:
        finess = [{"system": FINESS, "value": "419999901"}]
        yield _resource("Organization", HOSPITAL, identifier=finess, name="Centre hospitalier universitaire de Valmont")
        for site, name in enumerate(("Site Nord", "Site Brenne")):
            value = [{"system": FINESS, "value": f"41999991{site}"}]
            yield _resource("Organization", f"site-{site}", identifier=value, name=name, partOf=_to("Organization", HOSPITAL))
        for unit in self.units:
            above = _to("Organization", f"site-{unit.site}")
            yield _resource("Organization", unit.id, name=unit.name, partOf=above)

    def _locations(self) -> Iterator[Resource]:
        for unit in self.units:
            owner = _to("Organization", unit.id)
            yield _resource("Location", unit.id, status="active", name=unit.name, managingOrganization=owner)

    def _devices(self) -> Iterator[Resource]:
        for key, name in APPS.items():
            yield _resource("Device", key, status="active", deviceName=[{"name": name, "type": "user-friendly-name"}])
        for service in SERVICES:
            names = [{"name": service.name, "type": "user-friendly-name"}]
            account = [{"system": "https://chu-valmont.example/fhir/sid/compte", "value": service.login}]
            yield _resource("Device", service.id, identifier=account, status="active", deviceName=names)

    # --- staff ----------------------------------------------------------------------------------

    def _practitioner(self, person: Person) -> Resource:
        system, value = person.identifier
        numbers = [{"system": system, "value": value}, {"system": "https://chu-valmont.example/fhir/sid/compte",
                                                        "value": person.login}]  # fmt: skip
        # A directory is set right at the end of the month, at best: departures leave the account as it is.
        return _resource("Practitioner", person.id, identifier=numbers, active=True, **_civil(person))

    def _roles(self) -> Iterator[Resource]:
        for person in self.people:
            yield from self._posts(person)
        for day in range(-1, self.settings.days):
            for person in self.people:
                for shift in self.roster.shifts(person, day):
                    yield from self._assignment(shift)

    def _posts(self, person: Person) -> Iterator[Resource]:
        """Yield one role for each post; a renewed contract is a second one, known some days late."""
        cuts = [(max(person.hired, first), unit) for first, unit in person.posts]
        if person.renewed is not None:
            cuts.append((person.renewed, cuts[-1][1]))
        for n, (first, unit) in enumerate(cuts):
            last = cuts[n + 1][0] - 1 if n + 1 < len(cuts) else person.left
            period = {"start": str(self.clock.date(first))} | ({"end": str(self.clock.date(last))} if last is not None else {})
            known = max(first, 0) + (_RENEWAL_RECORDED_DAYS if first == person.renewed else -1)
            yield self._role(f"{person.id}-{n}", person, period, [unit], self.clock.midnight(min(known, self.settings.days)))

    def _assignment(self, shift: Shift) -> Iterator[Resource]:
        """Yield the role of a duty, or of a replacement when it was declared."""
        person, number = shift.person, f"{shift.person.id}-{shift.day + 1:03d}{shift.letter.lower()}"
        draw = Draw(self.settings.seed, "declared", person.index, shift.day)
        if shift.letter in (DUTY, DUTY_DAY):
            site = self.units[shift.unit].site
            wards = [u.index for u in self.units if u.site == site and u.beds]
            _, hours = HOURS[shift.letter]
            yield self._role(number, person, self._period(shift.start, shift.start + hours * HOUR), wards, shift.start, "Garde")
        elif person.role.key == "float" and not draw.chance(self.settings.float_unrecorded_share):
            yield self._role(number, person, self._period(shift.start, shift.end), [shift.unit], shift.start)

    def _role(self, number: str, person: Person, period: Resource, units: list[int], known: int, text: str = "") -> Resource:
        role, places = person.role, [self.units[unit] for unit in units]
        code = {"coding": [{"system": role.system, "code": role.code}], "text": text or role.text}
        owner = _to("Organization", places[0].id if not text else f"site-{places[0].site}")
        return _resource(
            "PractitionerRole",
            number,
            meta={"lastUpdated": self._when(known)},
            active=True,
            period=period,
            practitioner=_to("Practitioner", person.id),
            organization=owner,
            code=[code],
            location=[_to("Location", place.id) for place in places],
        )

    # --- patients -------------------------------------------------------------------------------

    def _patient(self, patient: Patient) -> Resource:
        labels = patient_labels(patient)
        numbers = [{"system": IPP, "value": patient.id}, {"system": INS_NIR, "value": patient.ins}]
        died = {"deceasedDateTime": self._when(patient.died)} if patient.died is not None and patient.died < self.end else {}
        meta = {"meta": {"security": labels}} if labels else {}
        return _resource("Patient", patient.id, **meta, identifier=numbers, **_civil(patient), **died)

    def _consents(self) -> Iterator[Resource]:
        """Yield the oppositions behind restricted records."""
        privacy = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
        policy = {"coding": [{"system": "http://loinc.org", "code": "57016-8"}]}
        label = {"system": CONFIDENTIALITY, "code": "R"}
        for patient in self.patients:
            if patient.restricted:
                yield _resource("Consent", f"opp-{patient.id}", status="active", scope=privacy, category=[policy],
                                patient=_to("Patient", patient.id),
                                provision={"type": "deny", "securityLabel": [label]})  # fmt: skip

    # --- care -----------------------------------------------------------------------------------

    def _encounter(self, stay: Stay) -> Resource:
        over = stay.end < self.end
        places = [
            {"location": _to("Location", self.units[s.unit].id), "period": self._period(s.start, s.end)}
            for s in stay.segments
            if s.start < self.end
        ]
        here = next(s.unit for s in reversed(stay.segments) if s.start < self.end)
        return _resource(
            "Encounter",
            stay.id,
            meta={"lastUpdated": self._when(stay.registered)},
            status="finished" if over else "in-progress",
            **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": stay.klass}},
            subject=_to("Patient", self.patients[stay.patient].id),
            participant=[{"individual": _to("Practitioner", self.people[p].id)} for p in stay.team],
            period=self._period(stay.start, stay.end),
            location=places,
            serviceProvider=_to("Organization", self.units[here if stay.owner is None else stay.owner].id),
        )

    def _appointment(self, booking: Booking) -> Resource:
        actors = [
            _to("Patient", self.patients[booking.patient].id),
            _to("Practitioner", self.people[booking.person].id),
            _to("Location", self.units[booking.unit].id),
        ]
        return _resource(
            "Appointment",
            booking.id,
            status=booking.status if booking.start < self.end else "booked",
            start=self._when(booking.start),
            end=self._when(booking.start + booking.minutes * 60),
            created=self._when(booking.booked),
            participant=[{"actor": actor, "status": "accepted"} for actor in actors],
        )

    def _team(self, team: Team) -> Resource:
        return _resource(
            "CareTeam",
            team.id,
            status="active",
            name="Réunion de concertation pluridisciplinaire",
            subject=_to("Patient", self.patients[team.patient].id),
            period=self._period(team.start - 72 * HOUR, team.end),
            participant=[{"member": _to("Practitioner", self.people[m].id)} for m in team.members],
        )

    def _request(self, order: Order) -> Resource:
        code, text = _CATEGORIES[order.category]
        coding = {"coding": [{"system": "http://snomed.info/sct", "code": code}]} if code else {}
        performer = (
            _to("Practitioner", self.people[order.person].id)
            if order.person is not None
            else _to("Organization", self.units[order.unit or 0].id)
        )
        return _resource(
            "ServiceRequest",
            order.id,
            status="active" if order.at + 24 * HOUR > self.end else "completed",
            intent="order",
            category=[{**coding, "text": text}],
            subject=_to("Patient", self.patients[order.patient].id),
            encounter=_to("Encounter", order.stay),
            authoredOn=self._when(order.at),
            requester=_to("Practitioner", self.people[order.requester].id),
            performer=[performer],
        )


def _resource(kind: str, number: str, **fields: Any) -> Resource:
    return {"resourceType": kind, "id": number, **fields}


def _to(kind: str, number: str) -> Resource:
    return {"reference": f"{kind}/{number}"}


def _civil(who: Person | Patient) -> Resource:
    """Return name, gender, birth date and address."""
    number, street, town, code = who.home
    return {
        "name": [{"use": "official", "family": who.family, "given": [who.given]}],
        "gender": who.gender,
        "birthDate": str(who.birth),
        "address": [{"use": "home", "line": [f"{number} {street}"], "city": town, "postalCode": code, "country": "FR"}],
    }
