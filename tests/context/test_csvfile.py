"""CSV files say in rows what FHIR says in resources."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.context import CareLink, PatientFlag, PatientRecord, Position, StaffMember, Stay, Withdrawn
from sentinel.core.errors import Rejection, RejectionCode
from streams.context.csvfile import COLUMNS, numbered, rows
from streams.context.dates import span
from streams.context.fhir import CONTEXT_TYPES, decode

TEN, NOON = "2024-03-01T10:00:00Z", "2024-03-01T12:00:00Z"


def read(kind: str, text: str) -> list[Any]:
    return list(rows(kind, io.StringIO(text, newline="")))


def ref(text: str) -> dict[str, str]:
    return {"reference": text}


EQUIVALENT = [
    (
        "Organization",
        "id,name,identifier,partOf\nu1,Cardiologie,https://finess|38;UF12,chu\n",
        {
            "name": "Cardiologie",
            "identifier": [{"system": "https://finess", "value": "38"}, {"value": "UF12"}],
            "partOf": ref("Organization/chu"),
        },
    ),
    (
        "Practitioner",
        """\
id;RPPS;login;e-mail;family;given;birth_date;address;postal code;city;active
d1;10001234567;jdoe;d@chu.example;Le Goff;Zoé;1970-05-06;12 rue X;38000;Grenoble;non
""",
        {
            "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": "10001234567"}, {"value": "jdoe"}],
            "telecom": [{"system": "email", "value": "d@chu.example"}],
            "name": [{"family": "Le Goff", "given": ["Zoé"]}],
            "birthDate": "1970-05-06",
            "address": [{"line": ["12 rue X"], "postalCode": "38000", "city": "Grenoble"}],
            "active": False,
        },
    ),
    (
        "PractitionerRole",
        """\
id	practitioner	role	specialty	unit	location	service	start	end	active
r1	d1	Médecin	Cardiologie	chu	l1;l2	s1	2024-01-01	2024-06-30	true
""",
        {
            "practitioner": ref("Practitioner/d1"),
            "code": [{"text": "Médecin"}],
            "specialty": [{"text": "Cardiologie"}],
            "organization": ref("Organization/chu"),
            "location": [ref("Location/l1"), ref("Location/l2")],
            "healthcareService": [ref("HealthcareService/s1")],
            "period": {"start": "2024-01-01", "end": "2024-06-30"},
            "active": True,
        },
    ),
    (
        "Patient",
        'id,identifier,family,given,birthDate,deceased,security,practitioner\np1,"ins|180;ipp|7",Dupont,Zoé,1980-02-03,2024-03-01,"cel;R",g1\n',
        {
            "identifier": [{"system": "ins", "value": "180"}, {"system": "ipp", "value": "7"}],
            "name": [{"family": "Dupont", "given": ["Zoé"]}],
            "birthDate": "1980-02-03",
            "deceasedDateTime": "2024-03-01",
            "meta": {"security": [{"system": "x/v3-ActCode", "code": "CEL"}, {"system": "x/v3-Confidentiality", "code": "R"}]},
            "generalPractitioner": [ref("Practitioner/g1")],
        },
    ),
    (
        "Encounter",
        f"id,status,patient,organization,location,service,practitioner,start,end\ne1,finished,p1,chu,l1;l2,s1,d1;PractitionerRole/r1,{TEN},{NOON}\n",
        {
            "status": "finished",
            "subject": ref("Patient/p1"),
            "serviceProvider": ref("Organization/chu"),
            "location": [{"location": ref("Location/l1")}, {"location": ref("Location/l2")}],
            "serviceType": [ref("HealthcareService/s1")],
            "participant": [{"individual": ref("Practitioner/d1")}, {"individual": ref("PractitionerRole/r1")}],
            "period": {"start": TEN, "end": NOON},
        },
    ),
    (
        "Appointment",
        f"id,patient,practitioner,location,start,end\na1,p1,d1,l1,{TEN},{NOON}\n",
        {
            "start": TEN,
            "end": NOON,
            "participant": [{"actor": ref("Patient/p1")}, {"actor": ref("Practitioner/d1")}, {"actor": ref("Location/l1")}],
        },
    ),
    (
        "CareTeam",
        f"id,status,patient,practitioner,organization,start,lastUpdated\nt1,inactive,p1,d1,o1,{TEN},{NOON}\n",
        {
            "status": "inactive",
            "subject": ref("Patient/p1"),
            "participant": [{"member": ref("Practitioner/d1")}, {"member": ref("Organization/o1")}],
            "period": {"start": TEN},
            "meta": {"lastUpdated": NOON},
        },
    ),
    (
        "EpisodeOfCare",
        f"id,patient,practitioner,organization,start\nc1,p1,d1,o1,{TEN}\n",
        {
            "patient": ref("Patient/p1"),
            "careManager": ref("Practitioner/d1"),
            "managingOrganization": ref("Organization/o1"),
            "period": {"start": TEN},
        },
    ),
    (
        "ServiceRequest",
        f"id,patient,requester,performer,unit,authoredOn,end\ns1,p1,d1,d2,lab,{TEN},\n",
        {
            "subject": ref("Patient/p1"),
            "requester": ref("Practitioner/d1"),
            "performer": [ref("Practitioner/d2")],
            "location": [ref("Organization/lab")],
            "authoredOn": TEN,
        },
    ),
    (
        "Immunization",
        f"id,patient,practitioner,start,end\nv1,p1,d1,{TEN},{NOON}\n",
        {"patient": ref("Patient/p1"), "performer": [ref("Practitioner/d1")], "occurrencePeriod": {"start": TEN, "end": NOON}},
    ),
    (
        "Device",
        "id,name,identifier,status\nm1,Mirth,svc,active\n",
        {"deviceName": [{"name": "Mirth"}], "identifier": [{"value": "svc"}], "status": "active"},
    ),
    (
        "Person",
        "id,practitioner,patient\nh1,d1,p1\n",
        {"link": [{"target": ref("Practitioner/d1")}, {"target": ref("Patient/p1")}]},
    ),
]


@pytest.mark.parametrize(("kind", "text", "fields"), EQUIVALENT, ids=[kind for kind, _, _ in EQUIVALENT])
def test_a_row_says_what_the_resource_says(kind: str, text: str, fields: dict[str, Any]) -> None:
    """The same records, whichever the delimiter; rows of one id stand beside each other, so none withdraws."""
    [records] = read(kind, text)
    fhir = decode({"resourceType": kind, "id": text.splitlines()[1][:2], **fields})
    assert records == [record for record in fhir if not isinstance(record, Withdrawn)] != []


def test_movements_of_one_stay_are_rows_of_one_id() -> None:
    """A unit a row, each with its own times."""
    text = f"id,patient,unit,start,end\ne1,p1,Urgences,{TEN},{NOON}\ne1,p1,Médecine 1/2,{NOON},\n"
    [[first], [second]] = read("Encounter", text)
    assert isinstance(first, Stay)
    assert (first.id, first.unit, second.id, second.unit) == ("Encounter/e1", "Urgences", "Encounter/e1", "Médecine 1/2")


def test_a_table_of_positions_needs_no_ids() -> None:
    """An id is derived from the row: the same row has the same one, another row another."""
    text = "practitioner,unit,role\nd1,cardio,Infirmier\nd2,cardio,Infirmier\n"
    ids = [[record.id for record in row if isinstance(record, Position)] for row in read("PractitionerRole", text)]
    assert ids[0] != ids[1]
    assert ids == [[r.id for r in row if isinstance(r, Position)] for row in read("PractitionerRole", text)]


def test_a_patient_needs_an_id() -> None:
    """Nobody could be named by a derived one."""
    assert read("Patient", "family\nDupont\n") == [
        Rejection(0, RejectionCode.MISSING_FIELD, "/id", "a resource is known by its id")
    ]


def test_headers_are_matched_loosely() -> None:
    """Case, spaces, underscores and a byte order mark don't matter; other columns are passed over."""
    [[member]] = read("Practitioner", "\ufeff ID ;Birth Date;postal_code;favourite colour\nd1;1970;38000;blue\n")
    assert isinstance(member, StaffMember)
    assert member.identity.birth_date == "1970"


def test_quotes_blank_rows_and_missing_cells_are_understood() -> None:
    """A quoted cell may hold the delimiter and line ends; an empty cell is an absent field."""
    text = 'id,name,partOf\r\n\r\n"u1","A, ""B""\r\nC",\r\n,,\r\nu2\r\n'
    assert [[unit.name for unit in row] for row in read("Organization", text)] == [['A, "B"\r\nC'], [""]]
    assert [line for line, _ in numbered("Organization", io.StringIO(text, newline=""))] == [3, 6]


def test_local_times_and_days_are_of_the_site() -> None:
    """A spreadsheet's time has no offset."""
    [[stay]] = read("Encounter", "id,patient,unit,start,end\ne1,p1,u1,2024-03-01 11:00,2024-03-02\n")
    assert (stay.start, stay.end) == (span(TEN)[0], span("2024-03-02")[1])


@pytest.mark.parametrize(("cell", "dead"), [("oui", True), ("TRUE", True), ("0", False), ("2024-01-01", True), ("", False)])
def test_deceased_is_a_day_or_a_yes(cell: str, dead: bool) -> None:
    """A yes without a day is as of the row's last change."""
    [[record]] = read("Patient", f"id,deceased,lastUpdated\np1,{cell},2024-03-01\n")
    assert isinstance(record, PatientRecord)
    assert (record.deceased_at < 2**62) == dead


def test_security_codes_are_flags() -> None:
    """The codes alone, in either case."""
    [[record]] = read("Patient", 'id,security\np1,"v;EMP;htest;N"\n')
    assert isinstance(record, PatientRecord)
    assert record.flags == {PatientFlag.VIP, PatientFlag.RESTRICTED, PatientFlag.STAFF, PatientFlag.TEST}


@pytest.mark.parametrize(
    ("kind", "text", "index", "code", "pointer"),
    [
        ("Patient", "id,birthDate\np1,80\np2,1980\n", 0, "bad-time", "/birthDate"),
        ("Practitioner", "id,active\nd1,perhaps\n", 0, "bad-value", "/active"),
        ("Encounter", f"id,patient,start\n\ne1,p1,{TEN}\ne2,,{TEN}\n", 1, "missing-field", "/patient"),
        ("Encounter", "id,patient,start\ne1,p1,01/03/2024\n", 0, "bad-time", "/start"),
        ("Encounter", "id,patient,start,end\ne1,p1,2024-03-02,2024-03-01\n", 0, "bad-value", "/end"),
        ("Encounter", f"id,patient,start,unit\ne1,p1,{TEN},a\x1fb\n", 0, "bad-value", "/unit"),
        ("Patient", "id,family\np1,Dupont,SECRET\n", 0, "unparseable", ""),
        ("Patient", "id,family\np1,\udce9\n", 0, "not-utf8", ""),
        ("Patient", "id,family\np1," + "x" * 200_000 + "\n", 0, "unparseable", ""),
        ("Patient", "colour,shape\nblue,round\n", 0, "bad-value", ""),
        ("Consent", "id\nc1\n", 0, "bad-value", ""),
    ],
)
def test_a_bad_row_is_refused_alone(kind: str, text: str, index: int, code: str, pointer: str) -> None:
    """With its number and its column, never its content."""
    found = [row for row in read(kind, text) if isinstance(row, Rejection)]
    assert [(rejection.index, rejection.code, rejection.pointer) for rejection in found] == [(index, code, pointer)]
    assert "SECRET" not in repr(found)


def test_rows_after_a_bad_one_are_read() -> None:
    """A broken cell costs its row."""
    text = "id,name\nu1," + "x" * 200_000 + "\nu2,B\n"
    assert [isinstance(row, Rejection) for row in read("Organization", text)] == [True, False]


@pytest.mark.parametrize("text", ["", "\n", "id\n"])
def test_an_empty_file_says_nothing(text: str) -> None:
    """No rows, no rejections."""
    assert read("Patient", text) == []


def test_every_type_has_columns() -> None:
    """Whatever is read as FHIR is read as CSV, and every type has an id."""
    assert set(COLUMNS) == CONTEXT_TYPES
    assert all("id" in columns for columns in COLUMNS.values())


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(COLUMNS)), st.data())
def test_any_cells_are_read_or_rejected(kind: str, data: st.DataObject) -> None:
    """No content of any column makes anything else happen."""
    columns = list(COLUMNS[kind])
    cells = st.lists(st.text(max_size=20) | st.sampled_from(["p1", TEN, "2024", "a|b", "x;y", "#c", "-"]), max_size=len(columns))
    file = io.StringIO(newline="")
    csv.writer(file).writerows([columns, *data.draw(st.lists(cells, max_size=3))])
    for row in read(kind, file.getvalue()):
        assert isinstance(row, Rejection) or all(r.start <= r.end for r in row if isinstance(r, Stay | CareLink | Position))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(COLUMNS)), st.text(max_size=200))
def test_any_text_is_read_or_rejected(kind: str, text: str) -> None:
    """Also what is no table at all."""
    assert all(isinstance(row, Rejection | list) for row in read(kind, text))
