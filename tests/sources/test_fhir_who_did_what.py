"""What AuditEvents of every release say was done, by whom, to whose data."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel.core.event import COUNT_MAX
from tests.sources.fhir_events import (
    PERSON,
    QUERY,
    coding,
    concept,
    encoded,
    row_of,
    rows_of,
)

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
