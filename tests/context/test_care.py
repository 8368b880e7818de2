"""Stays, visits, appointments, teams, requests and acts, as FHIR R4 and R5 tell them."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel.core.context import EVER, FOREVER, CareLink, LinkKind, Stay, Withdrawn
from sentinel.core.errors import RejectedError
from streams.context.dates import span
from streams.context.fhir import decode

PATIENT = {"reference": "Patient/p1"}
TEN, ELEVEN, NOON = (f"2024-03-01T{hour}:00:00Z" for hour in (10, 11, 12))


def at(text: str) -> int:
    return span(text)[0]


def ref(text: str) -> dict[str, str]:
    return {"reference": text}


def a(kind: str, **fields: Any) -> list[Any]:
    """Return what a resource about Patient/p1 tells, after the withdrawal of what it told before."""
    withdrawn, *records = decode({"resourceType": kind, "id": "x", "subject": PATIENT, **fields})
    assert withdrawn == Withdrawn(f"{kind}/x")
    return records


def stay(kind: str, unit: str, start: str, end: str | None = None, *, planned: bool = False) -> Stay:
    return Stay(f"{kind}/x", "p1", unit, at(start), at(end) if end else FOREVER, planned)


def link(kind: str, actor: str, why: LinkKind, start: str, end: str | None = None) -> CareLink:
    return CareLink(f"{kind}/x", "p1", actor, why, at(start), at(end) if end else FOREVER)


def test_an_r4_encounter_is_a_stay_in_each_unit() -> None:
    """Provider and places, each place for its own time; people for theirs, relatives not at all."""
    records = a(
        "Encounter",
        status="in-progress",
        period={"start": TEN},
        serviceProvider=ref("Organization/chu"),
        location=[
            {"location": ref("Location/er"), "period": {"start": TEN, "end": ELEVEN}, "status": "completed"},
            {"location": ref("Location/ward"), "period": {"start": ELEVEN}},
            {"location": ref("Location/rehab"), "status": "planned", "period": {"start": NOON}},
        ],
        participant=[
            {"individual": ref("Practitioner/d1")},
            {"individual": ref("PractitionerRole/r1"), "period": {"start": ELEVEN, "end": NOON}},
            {"individual": ref("RelatedPerson/mother")},
        ],
    )
    assert records == [
        stay("Encounter", "chu", TEN),
        stay("Encounter", "er", TEN, ELEVEN),
        stay("Encounter", "ward", ELEVEN),
        stay("Encounter", "rehab", NOON, planned=True),
        link("Encounter", "d1", LinkKind.ENCOUNTER, TEN),
        link("Encounter", "r1", LinkKind.ENCOUNTER, ELEVEN, NOON),
    ]


def test_an_r5_encounter_says_the_same_in_other_words() -> None:
    """`actualPeriod`, `actor` and service types by reference."""
    records = a(
        "Encounter",
        status="completed",
        actualPeriod={"start": TEN, "end": NOON},
        serviceType=[{"reference": ref("HealthcareService/cardio")}, {"concept": {"text": "x"}}],
        participant=[{"actor": ref("Practitioner/d1")}, {"actor": PATIENT}, {"actor": ref("HealthcareService/ecg")}],
    )
    assert records == [
        stay("Encounter", "cardio", TEN, NOON),
        link("Encounter", "d1", LinkKind.ENCOUNTER, TEN, NOON),
        stay("Encounter", "ecg", TEN, NOON),
    ]


def test_an_r4_service_type_is_a_code_and_no_unit() -> None:
    """R4 has a CodeableConcept where R5 has a list of references."""
    assert a("Encounter", period={"start": TEN}, serviceType={"coding": [{"code": "1"}]}) == []


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_an_encounter_that_never_was_is_withdrawn(status: str) -> None:
    """Its id is all that is needed."""
    assert decode({"resourceType": "Encounter", "id": "x", "status": status}) == [Withdrawn("Encounter/x")]


def test_an_encounter_without_period_is_as_long_as_its_places() -> None:
    """Places with times make up for it; without them it is refused with a pointer."""
    places = [
        {"location": ref("Location/b"), "period": {"start": ELEVEN, "end": NOON}},
        {"location": ref("Location/a"), "period": {"start": TEN, "end": ELEVEN}},
    ]
    person = {"individual": ref("Practitioner/d1")}
    *_, last = a("Encounter", location=places, participant=[person])
    assert last == link("Encounter", "d1", LinkKind.ENCOUNTER, TEN, NOON)
    with pytest.raises(RejectedError, match="missing-field at /period/start"):
        a("Encounter", participant=[person])
    with pytest.raises(RejectedError, match="missing-field at /actualPeriod/start"):
        a("Encounter", actualPeriod={"end": NOON})


def test_a_planned_encounter_is_a_planned_stay() -> None:
    """R5 has dates of its own for it."""
    planned = a("Encounter", status="planned", plannedStartDate=TEN, plannedEndDate=NOON, serviceProvider=ref("Organization/chu"))
    assert planned == [stay("Encounter", "chu", TEN, NOON, planned=True)]


def test_a_finished_encounter_does_not_stay_open() -> None:
    """Without an end it is closed when the resource last changed, else at its start."""
    finished = {"status": "finished", "period": {"start": TEN}, "serviceProvider": ref("Organization/chu")}
    assert a("Encounter", **finished, meta={"lastUpdated": NOON}) == [stay("Encounter", "chu", TEN, NOON)]
    assert a("Encounter", **finished) == [stay("Encounter", "chu", TEN, TEN)]


def test_days_are_whole_days_of_the_site() -> None:
    """A stay from a day to a day holds from the first midnight to the last."""
    [record] = a("Encounter", period={"start": "2024-03-01", "end": "2024-03-02"}, serviceProvider=ref("Organization/chu"))
    assert (record.start, record.end) == (at("2024-02-29T23:00:00Z"), at("2024-03-02T23:00:00Z"))


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"period": {"start": NOON, "end": TEN}}, "bad-value at /period/end"),
        ({"period": {"start": "2024-03-02", "end": "2024-03-01"}}, "bad-value at /period/end"),
        ({"period": {"start": "yesterday"}}, "bad-time at /period/start"),
        ({"period": {"start": TEN}, "subject": None}, "missing-field at /subject"),
        ({"period": {"start": TEN}, "subject": {"display": "SECRET"}}, "missing-field at /subject"),
        ({"period": {"start": TEN}, "location": [{"period": {"end": "x"}}]}, "bad-time at /location/0/period/end"),
        ({"period": {"start": TEN}, "participant": [{}, {"period": {"start": 3}}]}, "wrong-type at /participant/1/period/start"),
    ],
)
def test_a_refusal_says_where(fields: dict[str, Any], where: str) -> None:
    """A code and a JSON pointer, and nothing of the record."""
    with pytest.raises(RejectedError, match=where) as error:
        a("Encounter", **fields)
    assert "SECRET" not in str(error.value)


def test_an_encounter_of_a_group_is_no_patients() -> None:
    """FHIR allows a group as the subject."""
    assert a("Encounter", subject=ref("Group/g"), period={"start": TEN}, serviceProvider=ref("Organization/chu")) == []


def test_an_appointment_ties_those_who_come_to_those_who_receive() -> None:
    """People by link, places and services by planned stay; who declined is left out, no-shows stay."""
    participant = [
        {"actor": PATIENT, "status": "accepted"},
        {"actor": ref("PractitionerRole/r1"), "status": "accepted"},
        {"actor": ref("Practitioner/d2"), "status": "declined"},
        {"actor": ref("HealthcareService/cardio"), "status": "accepted"},
        {"actor": ref("Location/room"), "status": "accepted", "period": {"start": ELEVEN}},
        {"actor": ref("Device/scanner")},
    ]
    for status in ("booked", "noshow", "fulfilled"):
        assert a("Appointment", subject=None, status=status, start=TEN, end=NOON, participant=participant) == [
            link("Appointment", "r1", LinkKind.APPOINTMENT, TEN, NOON),
            stay("Appointment", "cardio", TEN, NOON, planned=True),
            stay("Appointment", "room", ELEVEN, NOON, planned=True),
        ]
    assert decode({"resourceType": "Appointment", "id": "x", "status": "cancelled"}) == [Withdrawn("Appointment/x")]


def test_a_group_appointment_is_each_patients() -> None:
    """Each patient is tied to each person, each once."""
    patients = [{"actor": PATIENT}, {"actor": ref("Patient/p2")}, {"actor": PATIENT}]
    records = a("Appointment", start=TEN, end=NOON, participant=[*patients, {"actor": ref("Practitioner/d1")}])
    assert [record.patient_id for record in records] == ["p1", "p2"]


@pytest.mark.parametrize(
    ("fields", "start", "end"),
    [
        ({"start": TEN, "minutesDuration": 60}, TEN, ELEVEN),
        ({"start": TEN}, TEN, TEN),
        ({"requestedPeriod": [{"start": TEN, "end": NOON}]}, TEN, NOON),
    ],
)
def test_an_appointment_has_a_time(fields: dict[str, Any], start: str, end: str) -> None:
    """Start and end, start and duration, or the period asked for."""
    people = [{"actor": ref("Practitioner/d1")}]
    assert a("Appointment", participant=people, **fields) == [link("Appointment", "d1", LinkKind.APPOINTMENT, start, end)]


def test_an_appointment_without_time_is_a_proposal_or_refused() -> None:
    """A proposal may have none yet; what is booked must."""
    assert a("Appointment", status="proposed") == []
    with pytest.raises(RejectedError, match="missing-field at /start"):
        a("Appointment", status="booked")
    with pytest.raises(RejectedError, match="bad-value at /minutesDuration"):
        a("Appointment", start=TEN, minutesDuration=2**40)


def test_a_care_team_links_its_members() -> None:
    """R4 `period`, R5 `coveragePeriod`; without one since ever, closed when the team is inactive."""
    members = [
        {"member": ref("Practitioner/d1")},
        {"member": ref("Practitioner/d2"), "coveragePeriod": {"start": TEN, "end": NOON}},
        {"member": ref("Organization/hospice")},
        {"member": PATIENT},
        {"member": ref("CareTeam/other")},
    ]
    assert a("CareTeam", status="active", participant=members) == [
        CareLink("CareTeam/x", "p1", "d1", LinkKind.CARE_TEAM, EVER, FOREVER),
        link("CareTeam", "d2", LinkKind.CARE_TEAM, TEN, NOON),
        Stay("CareTeam/x", "p1", "hospice", EVER, FOREVER),
    ]
    inactive = a("CareTeam", status="inactive", participant=members[:1], meta={"lastUpdated": NOON})
    assert inactive == [CareLink("CareTeam/x", "p1", "d1", LinkKind.CARE_TEAM, EVER, at(NOON))]
    assert a("CareTeam", status="proposed", participant=members) == []


def test_an_episode_of_care_is_a_long_stay_with_a_manager() -> None:
    """The organisation in charge and the care manager, for its period."""
    episode = {"patient": PATIENT, "managingOrganization": ref("Organization/hd"), "careManager": ref("Practitioner/d1")}
    assert a("EpisodeOfCare", status="active", period={"start": TEN}, **episode) == [
        stay("EpisodeOfCare", "hd", TEN),
        link("EpisodeOfCare", "d1", LinkKind.CARE_TEAM, TEN),
    ]
    assert a("EpisodeOfCare", status="waitlist", **episode) == []


D1, D2, LAB = ref("Practitioner/d1"), ref("Practitioner/d2"), ref("Organization/lab")
BY_D1 = {"performer": [{"actor": D1}]}
PLACE = ref("Location/place")
BOTH = {"start": TEN, "end": NOON}

ACTS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("ServiceRequest", {"authoredOn": TEN, "requester": D1, "performer": [D2, LAB]}, ["order d1", "result d2", "planned lab"]),
    ("ServiceRequest", {"authoredOn": TEN, "occurrenceDateTime": NOON, "locationReference": [PLACE]}, ["planned place"]),
    ("ServiceRequest", {"authoredOn": TEN, "occurrencePeriod": BOTH, "location": [{"reference": PLACE}]}, ["planned place"]),
    ("ServiceRequest", {"authoredOn": TEN, "status": "revoked", "requester": D1}, ["order d1"]),
    ("MedicationRequest", {"authoredOn": TEN, "requester": D1, "performer": LAB}, ["order d1", "planned lab"]),
    ("MedicationRequest", {"authoredOn": TEN, "performer": [D1], "recorder": D2}, ["result d1", "result d2"]),
    ("Procedure", {"performedPeriod": BOTH, **BY_D1, "location": PLACE}, ["result d1", "stay place"]),
    ("Procedure", {"occurrenceDateTime": TEN, **BY_D1}, ["result d1"]),
    ("DiagnosticReport", {"effectiveDateTime": TEN, "issued": NOON, "performer": [LAB]}, ["stay lab"]),
    ("DiagnosticReport", {"issued": TEN, "resultsInterpreter": [D1]}, ["result d1"]),
    ("Observation", {"effectiveInstant": TEN, "performer": [D1]}, ["result d1"]),
    ("MedicationAdministration", {"effectivePeriod": {"start": TEN}, **BY_D1}, ["result d1"]),
    ("MedicationAdministration", {"occurenceDateTime": TEN, "performer": [{"actor": {"reference": D1}}]}, ["result d1"]),
    ("MedicationDispense", {"whenPrepared": TEN, "whenHandedOver": NOON, **BY_D1}, ["result d1"]),
    ("Immunization", {"patient": PATIENT, "recorded": TEN, **BY_D1, "location": PLACE}, ["result d1", "stay place"]),
    ("ImagingStudy", {"started": TEN, "referrer": D1, "interpreter": [D2]}, ["order d1", "result d2"]),
    ("DocumentReference", {"date": TEN, "author": [D1], "authenticator": D2}, ["result d1", "result d2"]),
    ("DocumentReference", {"date": TEN, "attester": [{"party": D2, "mode": {"text": "legal"}}]}, ["result d2"]),
    ("Composition", {"date": TEN, "subject": [PATIENT], "author": [D1, ref("Device/x")]}, ["result d1"]),
]


@pytest.mark.parametrize(("kind", "fields", "expected"), ACTS, ids=[f"{kind}-{i}" for i, (kind, _, _) in enumerate(ACTS)])
def test_an_act_ties_those_who_asked_and_those_who_did(kind: str, fields: dict[str, Any], expected: list[str]) -> None:
    """R4 and R5 shapes: who asked by an order, who does by a result, a unit by a stay, planned while asked for."""

    def words(record: Stay | CareLink) -> str:
        if isinstance(record, CareLink):
            return f"{record.kind} {record.actor_id}"
        return f"{'planned' if record.planned else 'stay'} {record.unit}"

    records = a(kind, **fields)
    assert [words(record) for record in records] == expected
    later = NOON if NOON in str(fields) else TEN
    assert {(record.start, record.end) for record in records} == {(at(TEN), at(later))}


def test_an_act_entered_late_is_of_the_day_it_was_done() -> None:
    """A vaccination of 2005 recorded today does not explain twenty years of reading."""
    performer = [{"actor": ref("Practitioner/d1")}]
    fields = {"patient": PATIENT, "occurrenceDateTime": TEN, "recorded": "2024-12-01T00:00:00Z", "performer": performer}
    assert a("Immunization", **fields) == [link("Immunization", "d1", LinkKind.RESULT, TEN, TEN)]


def test_an_act_of_nobody_or_about_no_patient_says_nothing() -> None:
    """Both are valid FHIR; an act with people and without a time is not usable, and says so."""
    people = {"performer": [ref("Practitioner/d1")]}
    assert a("Observation") == []
    assert a("Observation", subject=None, **people) == []
    assert a("Observation", subject=ref("Device/pump"), effectiveDateTime=TEN, **people) == []
    with pytest.raises(RejectedError, match="missing-field"):
        a("Observation", **people)
    with pytest.raises(RejectedError, match="missing-field at /patient"):
        a("Immunization", occurrenceDateTime=TEN, performer=[{"actor": ref("Practitioner/d1")}])


@pytest.mark.parametrize(
    ("kind", "status"),
    [("Procedure", "not-done"), ("DiagnosticReport", "cancelled"), ("ServiceRequest", "entered-in-error")],
)
def test_an_act_that_never_was_is_withdrawn(kind: str, status: str) -> None:
    """What was not done explains nothing; a request called off was made all the same."""
    assert decode({"resourceType": kind, "id": "x", "status": status}) == [Withdrawn(f"{kind}/x")]
    assert a("MedicationRequest", status="cancelled", requester=ref("Practitioner/d1"), authoredOn=TEN) != []
