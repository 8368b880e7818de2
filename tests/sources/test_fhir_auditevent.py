"""AuditEvents of every release become rows, whatever their shape; what cannot is refused with its place."""

from __future__ import annotations

import base64
import copy
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import COUNT_MAX, EPOCH, REASON_MAX, TEXT_MAX, AccessEvent, EventRow
from streams.sources.contract import Decoded
from streams.sources.fhir_auditevent import SOURCE, split
from streams.sources.shared.documents import REFUSED_MAX

GOLDEN = Path(__file__).parent / "golden" / "fhir_auditevent"
EVENTS = [
    json.loads(path.read_bytes())
    for path in sorted(GOLDEN.glob("*.json"))
    if not path.name.endswith(".expected.json") and not path.name.startswith("bundle")
]
DCM = "http://dicom.nema.org/resources/ontology/DCM"
PERSON = {"who": {"reference": "Practitioner/p-17"}, "requestor": True}


def an_event(**fields: Any) -> dict[str, Any]:
    """Return the smallest event that is taken, with these fields; None leaves one out."""
    event = {"resourceType": "AuditEvent", "id": "a-1", "recorded": "2025-03-04T09:15:30Z", "agent": [PERSON]}
    return {name: value for name, value in (event | fields).items() if value is not None}


def row_of(**fields: Any) -> EventRow:
    """Return the only row of an event."""
    (row,) = rows_of(**fields)
    return row


def rows_of(**fields: Any) -> list[EventRow]:
    """Return all rows of an event, which must not be refused."""
    decoded = SOURCE.decode([json.dumps(an_event(**fields)).encode()])
    assert not decoded.rejections
    return decoded.rows


def refusal(document: object) -> tuple[Code, str]:
    """Return why a document is refused, and where."""
    record = document if isinstance(document, bytes) else json.dumps(document).encode()
    (rejection,) = SOURCE.decode([record]).rejections
    return rejection.code, rejection.pointer


def coding(code: str, system: str = DCM) -> dict[str, Any]:
    """Return a Coding."""
    return {"system": system, "code": code}


def concept(code: str, system: str = DCM) -> dict[str, Any]:
    """Return a CodeableConcept."""
    return {"coding": [coding(code, system)]}


def encoded(text: str) -> str:
    """Return a base64Binary."""
    return base64.b64encode(text.encode()).decode()


ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        (b'{"resourceType":"AuditEvent"', (Code.UNPARSEABLE, "")),
        (b'{"resourceType":"AuditEvent","id":"\xe9"}', (Code.NOT_UTF8, "")),
        (b'{"resourceType":"AuditEvent","contained":[' + b'{"x":[' * 50_000, (Code.TOO_DEEP, "")),
        (None, (Code.WRONG_TYPE, "")),
        ({}, (Code.NOT_AN_EVENT, "")),
        ({"resourceType": "Patient", "id": "p"}, (Code.NOT_AN_EVENT, "")),
        ({"resourceType": "OperationOutcome"}, (Code.NOT_AN_EVENT, "")),
        ({"resourceType": ["AuditEvent"]}, (Code.WRONG_TYPE, "/resourceType")),
        (an_event(recorded=None), (Code.MISSING_FIELD, "/recorded")),
        (an_event(recorded=None, _recorded=ABSENT), (Code.MISSING_FIELD, "/recorded")),
        (an_event(recorded="2025-03-04"), (Code.BAD_TIME, "/recorded")),
        (an_event(recorded="2025-03-04T09:15:30"), (Code.BAD_TIME, "/recorded")),
        (an_event(recorded="soon"), (Code.BAD_TIME, "/recorded")),
        (an_event(recorded="1970-01-01T00:00:00Z"), (Code.BAD_TIME, "/recorded")),
        (an_event(period={"start": "2025-03"}), (Code.BAD_TIME, "/period/start")),
        (an_event(occurredDateTime="2025"), (Code.BAD_TIME, "/occurredDateTime")),
        (an_event(occurredPeriod={"start": "2025-03-04T10:00:00"}), (Code.BAD_TIME, "/occurredPeriod/start")),
        (an_event(recorded=20250304), (Code.WRONG_TYPE, "/recorded")),
        (an_event(agent=None), (Code.NO_ACTOR, "/agent")),
        (an_event(agent=[]), (Code.NO_ACTOR, "/agent")),
        (an_event(agent=[{"_requestor": ABSENT}]), (Code.NO_ACTOR, "/agent")),
        (an_event(agent=[{"name": "Volume 1", "media": coding("110033")}]), (Code.NO_ACTOR, "/agent")),
        (an_event(agent=PERSON), (Code.WRONG_TYPE, "/agent")),
        (an_event(agent=[PERSON, {"who": {"reference": 5}}]), (Code.WRONG_TYPE, "/agent/1/who/reference")),
        (an_event(agent=[PERSON, "x"]), (Code.WRONG_TYPE, "/agent/1")),
        (
            an_event(agent=[PERSON | {"role": [concept("x"), {"coding": [{"code": 1}]}]}]),
            (Code.WRONG_TYPE, "/agent/0/role/1/coding/0/code"),
        ),
        (an_event(subtype=concept("read")), (Code.WRONG_TYPE, "/subtype")),
        (an_event(type="rest"), (Code.WRONG_TYPE, "/type")),
        (an_event(outcome=0), (Code.WRONG_TYPE, "/outcome")),
        (an_event(source=[]), (Code.WRONG_TYPE, "/source")),
        (an_event(entity=[{"what": {"identifier": {"value": 7}}}]), (Code.WRONG_TYPE, "/entity/0/what/identifier/value")),
        (an_event(id="x" * (TEXT_MAX + 1)), (Code.BAD_VALUE, "/id")),
        (an_event(agent=[{"name": "x" * (TEXT_MAX + 1)}]), (Code.BAD_VALUE, "/agent")),
        (an_event(patient={"reference": "Patient/" + "x" * (TEXT_MAX + 1)}), (Code.BAD_VALUE, "/entity")),
        (an_event(agent=[{"name": "p\x1f17"}]), (Code.BAD_VALUE, "")),
        (an_event(outcomeDesc="\x00"), (Code.BAD_VALUE, "")),
        ({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}, (Code.NOT_AN_EVENT, "")),
        ({"resourceType": "Bundle", "entry": {}}, (Code.WRONG_TYPE, "/entry")),
        (
            {"resourceType": "Bundle", "entry": [{}, {"resource": an_event(agent=[{}])}]},
            (Code.NO_ACTOR, "/entry/1/resource/agent"),
        ),
        (
            {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": 1}}]},
            (Code.WRONG_TYPE, "/entry/0/resource/resourceType"),
        ),
    ],
)
def test_a_refusal_says_why_and_where(document: object, why: tuple[Code, str]) -> None:
    """One code out of the bounded set, and a JSON pointer to the element."""
    assert refusal(document) == why


def test_a_time_that_names_no_instant_says_why() -> None:
    """A date is good FHIR, and yet no moment: the integrator is told which of the two it was."""
    details = [
        SOURCE.decode([json.dumps(an_event(recorded=text)).encode()]).rejections[0].detail
        for text in ("2025-03-04", "2025-03-04T09:15:30", "yesterday", "2500-01-01T00:00:00Z")
    ]
    assert details == [
        "a date alone names no instant",
        "a time without an offset names no instant",
        "not an RFC 3339 time with an offset",
        "out of 1990..2100",
    ]


def test_bundles_have_a_depth() -> None:
    """A Bundle may hold Bundles, as batch-response does, but not without end."""
    document: dict[str, Any] = an_event()
    for _ in range(3):
        document = {"resourceType": "Bundle", "entry": [{"resource": document}]}
    assert len(SOURCE.decode([json.dumps(document).encode()]).rows) == 1
    deeper = {"resourceType": "Bundle", "entry": [{"resource": document}]}
    assert refusal(deeper) == (Code.TOO_DEEP, "/entry/0/resource/entry/0/resource/entry/0/resource")


@pytest.mark.parametrize("bundle", [{}, {"entry": []}, {"entry": [{"resource": None}, {"response": {"status": "201"}}]}])
def test_an_empty_bundle_is_nothing(bundle: dict[str, Any]) -> None:
    """An empty page of a search, or the answer to a transaction, has no events and no faults."""
    decoded = SOURCE.decode([json.dumps({"resourceType": "Bundle"} | bundle).encode()])
    assert (decoded.rows, decoded.rejections) == ([], [])


def test_a_warning_beside_no_event_is_nothing() -> None:
    """A search that found nothing may say so in an OperationOutcome."""
    outcome = {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}
    decoded = SOURCE.decode([json.dumps({"resourceType": "Bundle", "entry": [outcome, outcome | {"search": None}]}).encode()])
    assert (decoded.rows, decoded.rejections) == ([], [])


# Who acted


def agent(code: str, display: str, **fields: Any) -> dict[str, Any]:
    """Return an agent of a type, with a name to show."""
    return {"type": concept(code), "who": {"display": display}, "requestor": False} | fields


@pytest.mark.parametrize(
    ("agents", "actor"),
    [
        ([agent("110153", "app"), agent("IRCP", "ann", requestor=True)], ("ann", "human")),
        ([agent("110153", "app", requestor=True), agent("IRCP", "ann", requestor=True)], ("ann", "human")),
        ([agent("110153", "app", requestor=True), agent("humanuser", "ann")], ("ann", "human")),
        ([agent("x-unknown", "zoe"), agent("x-unknown", "ann", requestor=True)], ("ann", "human")),
        ([agent("humanuser", "zoe"), agent("x-unknown", "ann", requestor=True)], ("ann", "human")),
        ([{"who": {"reference": "Practitioner/ann"}}], ("ann", "human")),
        ([{"who": {"reference": "Device/robot"}, "requestor": True}], ("robot", "service")),
        ([{"who": {"type": "Device", "display": "robot"}, "requestor": True}], ("robot", "service")),
        ([agent("110150", "app"), agent("110153", "source"), agent("110152", "destination")], ("source", "service")),
        ([{"who": {"reference": "Organization/ward"}}, agent("110150", "app")], ("app", "service")),
        ([{"who": {"reference": "Patient/pat-1"}, "requestor": True}], ("pat-1", "patient")),
        ([{"who": {"reference": "RelatedPerson/mum"}, "requestor": True}], ("mum", "patient")),
        ([agent("datasubject", "pat"), agent("110153", "app", requestor=True)], ("app", "service")),
        ([{"who": {"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9"}}}, PERSON], ("p-17", "human")),
        ([{"type": concept("IRCP"), "requestor": True}, agent("110153", "app")], ("app", "service")),
        ([{"altId": "ann@example.org", "name": "Ann", "requestor": True}], ("ann@example.org", "human")),
        ([{"name": "Ann", "requestor": True}], ("Ann", "human")),
        ([{"who": {"reference": "#nobody", "display": "Ann"}, "requestor": True}], ("nobody", "human")),
        ([{"who": {"reference": "https://x.example.org/fhir/Practitioner/ann/_history/2"}}], ("ann", "human")),
        ([{"who": {"reference": "urn:uuid:0f4e", "identifier": {"value": "x"}}, "requestor": True}], ("urn:uuid:0f4e", "human")),
        ([agent("110153", "Export", name="Ann B.", altId="ann", requestor=True)], ("ann", "human")),
    ],
)
def test_the_actor_is_the_person_who_asked(agents: list[dict[str, Any]], actor: tuple[str, str]) -> None:
    """Persons before machines, those who requested before others, and never who the event is about."""
    row = row_of(agent=agents)
    assert (row.actor_id, row.actor_type) == actor


def test_equal_ids_do_not_make_a_practitioner_a_patient() -> None:
    """Practitioner/7 who opens Patient/7 is somebody else."""
    row = row_of(agent=[{"who": {"reference": "Practitioner/7"}, "requestor": True}], patient={"reference": "Patient/7"})
    assert (row.actor_id, row.patient_id, row.actor_type) == ("7", "7", "human")


@pytest.mark.parametrize(
    ("identifier", "rpps"),
    [
        ({"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "810001234567"}, "10001234567"),
        ({"system": "https://rpps.esante.gouv.fr", "value": "10001234567"}, "10001234567"),
        ({"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "0751234567"}, "0751234567"),
        ({"system": "urn:oid:2.999", "value": "810001234567"}, ""),
        ({"system": "https://rpps.esante.gouv.fr"}, ""),
    ],
)
def test_the_rpps_number_is_known_by_its_systems(identifier: dict[str, str], rpps: str) -> None:
    """IDNPS carries a leading 8 for RPPS; other numbers stay as they are, other systems are not RPPS."""
    assert row_of(agent=[{"who": {"reference": "Practitioner/a", "identifier": identifier}}]).actor_rpps == rpps


@pytest.mark.parametrize(
    ("action", "address"),
    [("read", "10.0.0.2"), ("vread", "10.0.0.2"), ("search", "10.0.0.1"), ("create", "10.0.0.1"), ("110107", "10.0.0.2")],
)
def test_the_client_is_where_data_flows_to_or_from(action: str, address: str) -> None:
    """Who reads sits at the destination, who searches or writes at the source (IHE BALP)."""
    ends = [agent("110153", "source", network={"address": "10.0.0.1", "type": "2"})]
    ends += [agent("110152", "destination", network={"address": "10.0.0.2", "type": "2"})]
    assert row_of(agent=[*ends, PERSON], subtype=[coding(action)]).client_address == address


@pytest.mark.parametrize(
    ("network", "address", "device"),
    [
        ({"network": {"address": "::ffff:10.0.0.1", "type": "2"}}, "10.0.0.1", ""),
        ({"network": {"address": "ws-1.example.org", "type": "1"}}, "", "ws-1.example.org"),
        ({"network": {"address": "https://dpi.example.org/fhir", "type": "5"}}, "", ""),
        ({"network": {"address": "ann@example.org", "type": "4"}}, "", ""),
        ({"network": {"address": "22.21.213.352"}}, "", ""),
        ({"networkString": "2001:0db8::1"}, "2001:db8::1", ""),
        ({"networkString": "ws-1"}, "", "ws-1"),
        ({"networkUri": "urn:x"}, "", ""),
    ],
)
def test_an_address_is_an_ip_or_a_machine(network: dict[str, Any], address: str, device: str) -> None:
    """URIs, telephones, mails and what merely looks like an IP are neither."""
    row = row_of(agent=[PERSON | network])
    assert (row.client_address, row.device) == (address, device)


# What was done


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({}, "other"),
        ({"action": "R"}, "read"),
        ({"action": "E"}, "execute"),
        ({"action": "E", "entity": [{"role": coding("24")}]}, "search"),
        ({"action": "X"}, "other"),
        ({"type": coding("110112"), "action": "E"}, "search"),
        ({"type": coding("110114"), "subtype": [coding("110123")]}, "logout"),
        ({"type": coding("110114"), "subtype": [coding("110122")], "outcome": "8"}, "login-failed"),
        ({"type": coding("110114"), "subtype": [coding("110122")]}, "login"),
        ({"type": coding("110113"), "action": "E"}, "other"),
        ({"type": coding("110113"), "subtype": [coding("110137")]}, "permission-change"),
        ({"type": coding("110113"), "subtype": [coding("create"), coding("110127")]}, "break-glass"),
        ({"type": coding("rest"), "subtype": [coding("history-instance")]}, "read"),
        ({"type": coding("rest"), "subtype": [coding("patch")]}, "update"),
        ({"type": coding("rest"), "subtype": [coding("batch")], "action": "E"}, "execute"),
        (
            {
                "type": coding("rest"),
                "subtype": [coding("operation")],
                "action": "E",
                "entity": [{"query": encoded("GET /fhir/Patient/$export")}],
            },
            "export",
        ),
        ({"type": coding("110106"), "subtype": [coding("ITI-65")]}, "export"),
        ({"type": coding("110107"), "subtype": [coding("ITI-65")]}, "import"),
        ({"type": coding("110106"), "subtype": [coding("ITI-43")]}, "read"),
        ({"type": coding("110112"), "subtype": [coding("ITI-18")]}, "search"),
        ({"type": coding("110105")}, "delete"),
        ({"action": "R", "entity": [{"name": "x", "lifecycle": coding("10")}]}, "export"),
        ({"action": "R", "entity": [{"name": "x", "lifecycle": coding("11")}]}, "share"),
        ({"type": coding("rest"), "subtype": [coding("read")], "entity": [{"name": "x", "lifecycle": coding("15")}]}, "read"),
        ({"category": [concept("rest")], "code": concept("delete")}, "delete"),
        ({"category": [concept("update")], "code": concept("rest")}, "update"),
        ({"type": concept("rest"), "subtype": [concept("search")]}, "search"),
    ],
)
def test_the_most_telling_code_says_what_was_done(fields: dict[str, Any], action: str) -> None:
    """Subtype and type of any release first, then the life cycle, then the letter."""
    assert row_of(**fields).action == action


@pytest.mark.parametrize(
    ("medium", "told"),
    [
        ("110030", ("export", "removable")),
        ("110034", ("export", "removable")),
        ("110031", ("share", "email")),
        ("110037", ("share", "link")),
        ("110010", ("print", "paper")),
        ("x-tape", ("export", "other")),
    ],
)
def test_an_export_is_named_after_where_it_went(medium: str, told: tuple[str, str]) -> None:
    """To a medium it is an export; to somebody, by mail or link, a share; on film or paper, a print."""
    row = row_of(type=coding("110106"), agent=[PERSON, {"name": "m", "media": coding(medium)}])
    assert (row.action, row.destination) == told


def test_an_export_to_a_mail_address_is_shared() -> None:
    """R5 has no media; an address of type e-mail at the destination tells as much."""
    row = row_of(type=coding("110106"), agent=[PERSON, agent("110152", "x", network={"address": "a@example.org", "type": "4"})])
    assert (row.action, row.destination) == ("share", "email")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("0", "success"),
        ("4", "minor-failure"),
        ("8", "serious-failure"),
        ("12", "major-failure"),
        ("99", "unknown"),
        (None, "unknown"),
        ({"code": coding("0")}, "success"),
        ({"code": coding("error")}, "serious-failure"),
        ({}, "unknown"),
    ],
)
def test_an_outcome_not_told_is_unknown(outcome: object, told: str) -> None:
    """R4's numbers and R5's severities; what is absent or unheard of is not a success."""
    assert row_of(outcome=outcome).outcome == told


# What it was about


def patients(*entities: dict[str, Any], **fields: Any) -> list[str]:
    """Return the patients of an event with these entities."""
    return [row.patient_id for row in rows_of(entity=list(entities), **fields)]


ROLE_PATIENT = coding("1", "http://terminology.hl7.org/CodeSystem/object-role")
QUERY = {"role": coding("24")}


@pytest.mark.parametrize(
    ("entities", "found"),
    [
        ([{"what": {"reference": "Patient/a"}}], ["a"]),
        ([{"what": {"reference": "https://x.example.org/Patient/a/_history/4"}}], ["a"]),
        ([{"what": {"identifier": {"value": "n^^^&2.999&ISO"}}, "role": ROLE_PATIENT}], ["n"]),
        ([{"what": {"identifier": {"value": "n"}}, "type": coding("1")}], ["n"]),
        ([{"what": {"identifier": {"value": "n"}}, "type": coding("1"), "role": coding("15")}], [""]),
        ([{"what": {"reference": "Practitioner/d"}, "type": coding("1"), "role": ROLE_PATIENT}], [""]),
        ([{"what": {"type": "Patient", "identifier": {"value": "n"}}}], ["n"]),
        (
            [{"what": {"reference": "Patient/a"}}, {"what": {"reference": "Patient/b"}}, {"what": {"reference": "Patient/a"}}],
            ["a", "b"],
        ),
        ([QUERY | {"query": encoded("GET /Observation?patient=a&subject=Patient/b")}], ["a", "b"]),
        ([QUERY | {"query": encoded("GET /Observation?subject:Patient=a,b HTTP/1.1")}], ["a", "b"]),
        (
            [QUERY | {"query": encoded("https://x.example.org/Observation?patient=https%3A%2F%2Fx.example.org%2FPatient%2Fa")}],
            ["a"],
        ),
        ([QUERY | {"query": encoded("GET /Observation?subject=Group/g&patient.name=Ann&patient:missing=true")}], [""]),
        ([QUERY | {"query": encoded("GET /Patient/a/$everything")}], ["a"]),
        ([QUERY | {"query": encoded("GET /Patient?_id=a,b")}], ["a", "b"]),
        ([QUERY | {"query": encoded("GET /Patient?identifier=urn:oid:2.999|n")}], ["n"]),
        ([QUERY | {"query": encoded("GET /Patient?family=Dupont")}], [""]),
        ([QUERY | {"query": encoded("GET /Observation?identifier=n")}], [""]),
        ([QUERY | {"query": "?patient=a"}], ["a"]),
        ([QUERY | {"query": encoded("GET /Observation?patient=" + "x" * 400)}], [""]),
        ([QUERY | {"query": encoded("GET /Observation?patient=%1F")}], [""]),
        ([QUERY | {"query": "****"}], [""]),
        ([QUERY | {"description": "Search by name"}], [""]),
        ([{"what": {"reference": "Patient/a"}}, QUERY | {"query": encoded("GET /Observation?patient=b")}], ["a"]),
    ],
)
def test_patients_are_found_where_they_are_told(entities: list[dict[str, Any]], found: list[str]) -> None:
    """By reference, role and identifier; from the request when no entity tells; each once, in order."""
    assert patients(*entities) == found


def test_the_patient_element_leads() -> None:
    """R5's patient comes first; an identifier alone may be theirs and adds nobody, a reference does."""
    entities = [{"what": {"identifier": {"value": "n"}}, "role": ROLE_PATIENT}, {"what": {"reference": "Patient/b"}}]
    assert patients(*entities, patient={"reference": "Patient/a"}) == ["a", "b"]


def test_each_patient_has_a_row_and_the_act_is_counted_once() -> None:
    """Rows differ by patient and ordinal; the first carries how many records the act touched."""
    entities = [{"what": {"reference": f"Patient/{one}"}, "role": ROLE_PATIENT} for one in "abc"]
    entities.append({"what": {"reference": "List/l"}, "detail": [{"type": "count", "valueString": "40"}]})
    rows = rows_of(entity=entities)
    assert [(row.sub, row.patient_id, row.resource_count) for row in rows] == [("", "a", 40), ("1", "b", 1), ("2", "c", 1)]
    assert {(row.id, row.resource_type, row.resource_id) for row in rows} == {("a-1", "List", "l")}


@pytest.mark.parametrize(
    ("detail", "count"),
    [
        ({"type": "count", "valueString": "12"}, 12),
        ({"type": "NumberOfInstances", "valueBase64Binary": encoded("12")}, 12),
        ({"type": "Number of Instances", "value": encoded("12")}, 12),
        ({"type": {"text": "total"}, "valueInteger": 12}, 12),
        ({"type": concept("resultCount"), "valueQuantity": {"value": 12}}, 12),
        ({"type": "total", "valueInteger": 10**12}, COUNT_MAX),
        ({"type": "total", "valueQuantity": {"value": 1e300}}, COUNT_MAX),
        ({"type": "total", "valueQuantity": {"value": -1e300}}, 1),
        ({"type": "total", "valueInteger": -3}, 1),
        ({"type": "total", "valueString": "a dozen"}, 1),
        ({"type": "total", "valueString": "９"}, 1),
        ({"type": "total", "valueString": "9" * 5_000}, 1),
        ({"type": "ward", "valueString": "12"}, 1),
        ({"type": "total"}, 1),
        ({"valueString": "12"}, 1),
    ],
)
def test_the_number_of_records_is_read_from_details(detail: dict[str, Any], count: int) -> None:
    """Integer, quantity, text or base64 of text, under the names in use; nonsense is one record."""
    assert row_of(entity=[{"what": {"reference": "List/l"}, "detail": [detail]}]).resource_count == count


def test_numbers_of_several_entities_add_up() -> None:
    """Each entity tells its own; two numbers on one entity are one number told twice."""
    entity = {
        "what": {"reference": "ImagingStudy/s"},
        "detail": [{"type": "count", "valueString": "3"}, {"type": "total", "valueString": "5"}],
    }
    assert row_of(entity=[entity, entity]).resource_count == 10


def test_without_a_number_each_resource_counts() -> None:
    """An export of twenty documents is twenty, patients and requests aside."""
    documents = [{"what": {"reference": f"DocumentReference/d{number}"}} for number in range(20)]
    aside = [
        {"what": {"reference": "Patient/a"}, "role": ROLE_PATIENT},
        {"type": coding("XrequestId"), "what": {"identifier": {"value": "r"}}},
    ]
    row = row_of(entity=[*documents, *aside])
    assert (row.resource_count, row.session) == (20, "r")


@pytest.mark.parametrize(
    ("entities", "resource"),
    [
        ([{"what": {"reference": "Patient/a"}, "role": ROLE_PATIENT}], ("Patient", "a")),
        (
            [{"what": {"reference": "Job/j"}, "role": coding("20")}, {"what": {"reference": "List/l"}, "role": coding("4")}],
            ("List", "l"),
        ),
        ([{"what": {"identifier": {"value": "n"}}, "type": coding("1")}], ("Patient", "n")),
        ([{"what": {"reference": "Patient/a"}, "role": coding("4")}], ("Patient", "a")),
        ([{"what": {"reference": "https://x.example.org/fhir/CarePlan"}}], ("CarePlan", "")),
        ([{"what": {"reference": "http://example.org/a/b.pdf"}}], ("", "http://example.org/a/b.pdf")),
        ([{"what": {"identifier": {"value": "n"}}, "type": coding("DocumentReference")}], ("DocumentReference", "n")),
        ([{"name": "report.csv"}], ("", "report.csv")),
        ([{"what": {"reference": "#o"}, "type": coding("OperationOutcome")}], ("", "")),
        ([QUERY | {"query": encoded("GET /fhir/Observation?code=1")}], ("Observation", "")),
        ([], ("", "")),
    ],
)
def test_the_resource_is_the_first_domain_resource(entities: list[dict[str, Any]], resource: tuple[str, str]) -> None:
    """A domain resource before a report, that before others; the patient when there is nothing else."""
    row = row_of(entity=entities)
    assert (row.resource_type, row.resource_id) == resource


@pytest.mark.parametrize(
    ("labels", "kept"),
    [("N", "N"), ("NR", "R"), ("RV", "V"), (["N", "PSY"], "PSY"), (["HIV", "R"], "R"), (["HIV", "PSY"], "HIV")],
)
def test_the_most_protecting_label_is_kept(labels: list[str], kept: str) -> None:
    """Restricted and very restricted before a sensitivity, that before what is ordinary."""
    assert row_of(entity=[{"name": "x", "securityLabel": [coding(label)]} for label in labels]).resource_sensitivity == kept


def test_an_emergency_is_the_purpose_whatever_stands_before() -> None:
    """Treatment and break-the-glass together are break-the-glass."""
    assert row_of(purposeOfEvent=[concept("TREAT"), concept("BTG")]).purpose == "BTG"
    assert row_of(authorization=[concept("TREAT")], agent=[PERSON | {"authorization": [concept("ETREAT")]}]).purpose == "ETREAT"


# What is kept, and what is not


def test_a_logged_request_is_never_kept() -> None:
    """Requests hold names, tokens and search terms: only patients, type and request id are read from them."""
    request = "GET /Observation?patient=a&_content=SECRET\nAuthorization: Bearer SECRET\nX-Request-Id: r-1\n\nSECRET"
    for entity in ({"query": encoded(request)}, {"description": request}, {"query": request}):
        row = row_of(entity=[QUERY | entity])
        assert "SECRET" not in repr(row)
        assert (row.patient_id, row.resource_type, row.session) == ("a", "Observation", "r-1")


def test_long_descriptions_are_cut_and_long_ids_are_not() -> None:
    """A text that describes may lose its end; an id that lost its end would be somebody else's."""
    row = row_of(outcomeDesc="é" * 5_000, agent=[PERSON | {"role": [{"text": "r" * 5_000}]}], source={"site": "s" * 5_000})
    assert (len(row.reason), len(row.actor_role), len(row.site)) == (REASON_MAX, TEXT_MAX, TEXT_MAX)


def _shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: _shuffled(value[key], rng) for key in keys}
    return [_shuffled(one, rng) for one in value] if isinstance(value, list) else value


@given(seed=st.integers(0, 2**16), indent=st.sampled_from([None, 1, 4]), number=st.integers(0, len(EVENTS) - 1))
@settings(max_examples=60, deadline=None)
def test_a_row_depends_on_what_is_said_alone(seed: int, indent: int | None, number: int) -> None:
    """Order of keys and blanks change nothing, not even the id derived for an event that came without."""
    event = copy.deepcopy(EVENTS[number])
    event.pop("id", None)
    record = json.dumps(_shuffled(event, random.Random(seed)), indent=indent).encode()
    assert SOURCE.decode([record]) == SOURCE.decode([json.dumps(event, ensure_ascii=False).encode()])


def test_derived_ids_tell_events_apart() -> None:
    """Two events that differ in anything at all have two ids."""
    variants = [
        an_event(id=None),
        an_event(id=None, note="x"),
        an_event(id=None, note=["x"]),
        an_event(id=None, recorded="2025-03-04T09:15:31Z"),
    ]
    ids = {SOURCE.decode([json.dumps(one).encode()]).rows[0].id for one in variants}
    assert len(ids) == len(variants)


def test_what_is_not_read_may_be_of_any_shape() -> None:
    """Narratives, unknown elements and huge numbers are skipped; nulls are taken as absent."""
    odd = an_event(text={"div": "<div/>"}, meta=5, zz=[[[{}]]], action=None, _action=ABSENT, outcome=None, language=[])
    odd |= {"type": None, "subtype": None, "entity": None, "source": None, "patient": None, "period": None}
    assert len(SOURCE.decode([json.dumps(odd).replace('"meta": 5', '"meta": 1e999').encode()]).rows) == 1


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["#x", "Patient/", "110153", "\x1f", "=" * 9]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["coding", "code", "value", "reference", "id", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, one in inner for deeper in _paths(one, (*path, key)))]


def _replaced(document: Any, path: tuple[Any, ...], value: Any, drop: bool) -> Any:
    if not path:
        return value
    changed = copy.copy(document)
    if drop and len(path) == 1:
        del changed[path[0]]
    else:
        changed[path[0]] = _replaced(document[path[0]], path[1:], value, drop)
    return changed


@settings(max_examples=700, deadline=None)
@given(data=st.data())
def test_a_damaged_event_is_taken_or_refused_and_nothing_else(data: st.DataObject) -> None:
    """Whatever is dropped or replaced by any JSON, nothing is raised, and rows keep what they promise."""
    document = copy.deepcopy(data.draw(st.sampled_from(EVENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        paths = _paths(document)
        path = data.draw(st.sampled_from(paths))
        document = _replaced(document, path, data.draw(anything), data.draw(st.booleans()))
    decoded = SOURCE.decode([json.dumps(document).encode()])
    assert decoded.rows or decoded.rejections or not document
    for row in decoded.rows:
        fields = row._asdict() | {"occurred_at": EPOCH + timedelta(microseconds=row.occurred_at)}
        del fields["sub"]
        AccessEvent.model_validate(fields)


@pytest.mark.parametrize(
    "repeat", [{"what": {"reference": "#c0"}}, {"query": encoded("/Patient/a/$everything")}, {"what": {"reference": "Patient/x"}}]
)
def test_a_large_event_takes_time_in_proportion(repeat: dict[str, Any]) -> None:
    """Ten thousand entities and contained resources are read once each."""
    contained = [{"resourceType": "Patient", "id": f"c{number}"} for number in range(5_000)]
    assert rows_of(entity=[repeat] * 10_000, contained=contained)[0].actor_id == "p-17"


# Files


def test_a_file_is_cut_into_its_documents() -> None:
    """NDJSON, one document over many lines, several of them, or an array: the same events."""
    events = [an_event(id=f"a-{number}") for number in range(3)]
    lines = [json.dumps(one) for one in events]
    files = [
        "\n".join(lines),
        "\r\n\r\n".join(lines) + "\n\n",
        "\n".join(json.dumps(one, indent=2) for one in events),
        json.dumps(events, indent=1),
    ]
    for text in (*files, "\ufeff" + files[0]):
        decoded = SOURCE.decode(split(text.encode()))
        assert ([row.id for row in decoded.rows], decoded.rejections) == (["a-0", "a-1", "a-2"], [])


def test_a_broken_line_is_refused_alone() -> None:
    """One bad line costs itself; a broken document over many lines is refused as one."""
    lines = [json.dumps(an_event()), '{"resourceType": "AuditEvent", "id"', json.dumps(an_event())]
    assert len(split("\n".join(lines).encode())) == 3
    assert len(split(json.dumps(an_event(), indent=2).encode()[:-2])) == 1


def test_a_record_that_nobody_cut_is_cut_here() -> None:
    """An array, or several documents handed over as one record, count as that record's."""
    two = json.dumps([an_event(id="a-0"), {}, an_event(id="a-2")]).encode()
    decoded = SOURCE.decode([b"{", two, two[1:-1].replace(b"}, {", b"}\n{")])
    assert [row.id for row in decoded.rows] == ["a-0", "a-2", "a-0", "a-2"]
    assert decoded.records == [1, 1, 2, 2]
    assert [(one.index, one.pointer) for one in decoded.rejections] == [(0, ""), (1, "/1"), (2, "/1")]


@pytest.mark.parametrize("bundled", [False, True])
def test_a_record_of_garbage_is_not_refused_without_end(bundled: bool) -> None:
    """A thousand bad events in a record are some rejections and one that says so; good ones among them are taken."""

    def decoded(*events: object) -> Decoded:
        bundle = {"resourceType": "Bundle", "entry": [{"resource": one} for one in events]}
        return SOURCE.decode([json.dumps(bundle if bundled else events).encode()])

    bad = an_event(agent=[])
    garbage = decoded(*[bad] * 1_000)
    assert len(garbage.rejections) == REFUSED_MAX + 1
    assert garbage.rejections[-1].code == Code.TOO_LARGE
    mixed = decoded(an_event(id="first"), *[bad] * 1_000, an_event(id="last"))
    assert [row.id for row in mixed.rows] == ["first", "last"]
    assert len(mixed.rejections) == REFUSED_MAX + 1


# What is kept in memory


def _padded(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event with its repeated parts made too large to be kept digested."""
    padding = {"_padding": "x" * 5_000}
    agents = [one | padding for one in event["agent"]]
    return event | {"agent": agents, "source": event.get("source", {}) | padding} | {"type": (event.get("type") or {}) | padding}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.get("id", "without-id"))
def test_what_is_kept_says_what_is_read_anew(event: dict[str, Any]) -> None:
    """Agents, sources and codes are digested once; the second event like the first is the same row."""
    named = {"id": "a-1"}
    records = [json.dumps(one).encode() for one in (event | named, event | named, _padded(event) | named)]
    first, second, anew = (SOURCE.decode([record]).rows for record in records)
    assert first == second == anew


@pytest.mark.parametrize(
    ("contained", "actor"),
    [
        ([], "r"),
        ([{"resourceType": "PractitionerRole", "id": "r"}], "r"),
        ([{"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "Practitioner/p-17"}}], "p-17"),
        ([{"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "#r"}}], "r"),
        ([{"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "#gone"}}], "r"),
        ([{"resourceType": "Practitioner", "id": "r", "identifier": {"value": "n-1"}}], "n-1"),
        ([{"resourceType": "Practitioner", "id": "r", "identifier": [{"value": "n-1"}, {"value": "n-2"}]}], "n-1"),
        ([{"resourceType": "Practitioner", "id": "r", "identifier": "n-1"}], "r"),
        ([5, {"id": "r", "identifier": [{"value": "n-1"}]}], "n-1"),
    ],
)
def test_a_contained_reference_is_followed_as_far_as_it_goes(contained: list[Any], actor: str) -> None:
    """To the practitioner and the identifiers; what leads nowhere, or in a circle, stays the id it was."""
    assert row_of(agent=[{"who": {"reference": "#r"}, "requestor": True}], contained=contained).actor_id == actor
