"""What an audit message says was done, by whom, to whose data."""

from __future__ import annotations

import base64

import pytest

from sentinel.core.event import COUNT_MAX, REASON_MAX
from streams.sources.fhir_auditevent import SOURCE as FHIR
from tests.sources.atna_messages import (
    coded,
    event,
    participant,
    patient,
    row_of,
    rows_of,
    thing,
)

# What was done


@pytest.mark.parametrize(
    ("id_", "letter", "types", "action"),
    [
        ("110100", "E", ["110121"], "execute"),
        ("110100", None, [], "execute"),
        ("110101", None, [], "read"),
        ("110102", None, [], "execute"),
        ("110103", "C", [], "create"),
        ("110103", "U", [], "update"),
        ("110103", "D", [], "delete"),
        ("110104", "C", [], "create"),
        ("110104", None, [], "other"),
        ("110105", "D", [], "delete"),
        ("110106", "R", [], "export"),
        ("110107", "C", [], "import"),
        ("110108", "E", ["110125"], "execute"),
        ("110109", "R", [], "read"),
        ("110110", "C", ["ITI-8"], "create"),
        ("110110", "R", ["ITI-10"], "read"),
        ("110110", "U", ["ITI-44"], "update"),
        ("110110", "D", ["ITI-62"], "delete"),
        ("110111", "U", [], "update"),
        *(("110112", "E", [f"ITI-{number}"], "search") for number in (9, 18, 21, 38, 45, 47, 55, 78, 83)),
        ("110112", "E", ["PHARM-1"], "search"),
        ("110106", "R", ["ITI-43"], "read"),
        ("110107", "C", ["ITI-43"], "read"),
        ("110107", "C", ["ITI-39"], "read"),
        ("110106", "R", ["ITI-41"], "export"),
        ("110107", "C", ["ITI-41"], "import"),
        ("110107", "C", ["RAD-69"], "read"),
        ("110106", "C", ["ITI-20"], "export"),
        ("110113", "E", [], "other"),
        ("110113", "E", ["110122"], "login"),
        ("110113", "E", ["110127"], "break-glass"),
        ("110113", "E", ["A-777", "110127"], "break-glass"),
        ("110113", "E", ["110138"], "other"),
        ("110113", "E", ["110129"], "permission-change"),
        ("110113", "E", ["110131"], "update"),
        ("110113", "E", ["110134"], "execute"),
        ("110113", "E", ["110135"], "permission-change"),
        ("110113", "E", ["110136"], "permission-change"),
        ("110113", "E", ["110137"], "permission-change"),
        ("110113", "E", ["110142"], "execute"),
        ("110114", "E", [], "login"),
        ("110114", "E", ["110123"], "logout"),
        ("110123", "E", [], "logout"),
        ("2.999", "R", [], "read"),
        ("2.999", "X", [], "other"),
    ],
)
def test_the_action_is_told_by_codes_then_by_the_letter(id_: str, letter: str | None, types: list[str], action: str) -> None:
    """Event types say more than event ids, both more than the letter; DICOM leaves some events one letter only."""
    assert row_of(event(id_, letter, *types), participant()).action == action


@pytest.mark.parametrize(
    ("indicator", "outcome"),
    [
        ("0", "success"),
        ("4", "minor-failure"),
        ("8", "serious-failure"),
        ("12", "major-failure"),
        ("", "unknown"),
        ("1", "unknown"),
    ],
)
def test_the_outcome_is_the_indicator(indicator: str, outcome: str) -> None:
    """Failed logins are told apart; an unheard-of indicator is no success."""
    row = row_of(event("110114", "E", "110122", outcome=indicator), participant())
    assert (row.outcome, row.action) == (outcome, "login-failed" if "failure" in outcome else "login")


@pytest.mark.parametrize(
    ("medium", "told"),
    [
        ("110030", ("export", "removable")),
        ("110033", ("export", "removable")),
        ("110031", ("share", "email")),
        ("110037", ("share", "link")),
        ("110010", ("print", "paper")),
        ("110099", ("export", "other")),
    ],
)
def test_where_an_export_went_is_told_by_its_medium(medium: str, told: tuple[str, str]) -> None:
    """Mail and links share, film prints, all else carries away; what data came from is no destination."""
    media = f"<MediaIdentifier>{coded('MediaType', medium)}</MediaIdentifier>"
    row = row_of(event("110106", "R"), participant(), participant("m-1", "110154", requestor="false", inner=media))
    assert (row.action, row.destination, row.actor_id) == (*told, "p-17")
    row = row_of(event("110107", "C"), participant(), participant("m-1", "110155", requestor="false", inner=media))
    assert (row.action, row.destination) == ("import", "")


# Who acted


@pytest.mark.parametrize(
    ("participants", "actor"),
    [
        ([participant("app", "110153"), participant("ann")], ("ann", "human")),
        ([participant("app", "110153"), participant("ann", "221", requestor="false")], ("ann", "human")),
        ([participant("a", "110153"), participant("b", "110152", requestor="false")], ("a", "service")),
        ([participant("ann", "110153", UserName="Ann")], ("ann", "human")),
        ([participant("ann", "110153", inner=coded("UserIDTypeCode", "113871"))], ("ann", "human")),
        ([participant("ann", "110153", UserTypeCode="1")], ("ann", "human")),
        ([participant("robot", UserTypeCode="2")], ("robot", "service")),
        ([participant("robot", inner=coded("UserIDTypeCode", "110119"))], ("robot", "service")),
        ([participant("10.0.0.1", UserTypeCode="1", inner=coded("UserIDTypeCode", "110182"))], ("10.0.0.1", "service")),
        ([participant("4711", "110153", AlternativeUserID="AETITLES=CT1;CT2")], ("CT1", "service")),
        ([participant("4711", "110153", AlternativeUserID="AETITLE=CT1")], ("CT1", "service")),
        ([participant("unknown", "110153", AlternativeUserID="4711", NetworkAccessPointID="10.0.0.1")], ("10.0.0.1", "service")),
        ([participant("", "110153", AlternativeUserID="4711")], ("4711", "service")),
        ([participant("/fhir/Patient/pat-1", "110153", NetworkAccessPointID="10.0.0.1")], ("10.0.0.1", "service")),
        ([participant("https://a.example.org/ws", "110153")], ("https://a.example.org/ws", "service")),
        ([participant("", AlternativeUserID="ann@example.org", UserName="Ann")], ("ann@example.org", "human")),
        ([participant("unknown", UserName="Ann")], ("Ann", "human")),
        ([participant("pat-1", "PAT")], ("pat-1", "patient")),
        ([participant("mum", "REP")], ("mum", "patient")),
    ],
)
def test_the_actor_is_the_person_who_asked(participants: list[str], actor: tuple[str, str]) -> None:
    """Persons before machines; a machine is called by what stays the same, not by its process or by what it asked."""
    row = row_of(event("110112", "E"), *participants)
    assert (row.actor_id, row.actor_type) == actor


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("810001234567^A^B^^^^^^&1.2.250.1.71.4.2.1&ISO^D", ("810001234567", "10001234567")),
        ("7601000000000^^^&2.51.1.3&ISO", ("7601000000000", "")),
        ("a^b", ("a^b", "")),
    ],
)
def test_a_user_with_an_authority_is_called_by_the_id(user: str, told: tuple[str, str]) -> None:
    """CX and XCN hold the authority that gave the id; France's gives the RPPS number."""
    row = row_of(event(), participant(user))
    assert (row.actor_id, row.actor_rpps) == told


@pytest.mark.parametrize(
    ("network", "address", "device"),
    [
        ({"NetworkAccessPointID": "::ffff:10.0.0.1", "NetworkAccessPointTypeCode": "2"}, "10.0.0.1", ""),
        ({"NetworkAccessPointID": "fe80::1%11", "NetworkAccessPointTypeCode": "2"}, "fe80::1", ""),
        ({"NetworkAccessPointID": "ws-1.example.org", "NetworkAccessPointTypeCode": "1"}, "", "ws-1.example.org"),
        ({"NetworkAccessPointID": "ws-1"}, "", "ws-1"),
        ({"NetworkAccessPointID": "https://a.example.org/", "NetworkAccessPointTypeCode": "5"}, "", ""),
        ({"NetworkAccessPointID": "+33 1 00", "NetworkAccessPointTypeCode": "3"}, "", ""),
        ({}, "", ""),
    ],
)
def test_an_access_point_is_an_ip_or_a_machine(network: dict[str, str], address: str, device: str) -> None:
    """URIs, telephones and mails are neither."""
    row = row_of(event(), participant(**network))
    assert (row.client_address, row.device) == (address, device)


def test_who_reads_sits_at_the_destination() -> None:
    """Of a retrieval both ends are told; the person is at the one that receives, of an export at the one that sends."""
    ends = [participant("s", "110153", requestor="false", NetworkAccessPointID="10.0.0.1")]
    ends += [participant("d", "110152", requestor="false", NetworkAccessPointID="10.0.0.2")]
    told = [row_of(event(id_, "R"), *ends, participant()).client_address for id_ in ("110103", "110106")]
    assert told == ["10.0.0.2", "10.0.0.1"]


# What was touched


@pytest.mark.parametrize(
    ("told", "ids"),
    [
        ([patient("pat-1^^^&2.999&ISO")], ["pat-1"]),
        ([patient("pat-1^^^A&2.999&ISO^PI"), patient("pat-2"), patient("pat-1")], ["pat-1", "pat-2"]),
        ([patient("Patient/pat-1")], ["pat-1"]),
        ([patient("urn:oid:2.999|pat-1")], ["pat-1"]),
        ([thing("pat-1", "1", None, "2")], ["pat-1"]),
        ([thing("p-17", "1", "6", "11")], [""]),
        ([patient("<none>")], [""]),
        ([patient("")], [""]),
        ([], [""]),
    ],
)
def test_each_patient_has_a_row(told: list[str], ids: list[str]) -> None:
    """By the id alone, whatever its authority, as FHIR's AuditEvent has it; each once, in order."""
    rows = rows_of(event(), participant(), *told, thing("1.2.3"))
    assert [row.patient_id for row in rows] == ids
    assert [row.sub for row in rows] == ["", *map(str, range(1, len(ids)))]


def test_a_patient_is_the_same_in_fhir() -> None:
    """A person who opened a record is found over both formats."""
    fhir = """{"resourceType": "AuditEvent", "id": "a", "recorded": "2025-03-04T10:15:30.25+01:00", "action": "R",
        "type": {"code": "110103"}, "outcome": "0", "agent": [{"who": {"identifier": {"value": "p-17"}}, "requestor": true}],
        "source": {"observer": {"display": "pacs"}},
        "entity": [{"what": {"identifier": {"value": "pat-1^^^&2.999&ISO"}}, "type": {"code": "1"}, "role": {"code": "1"}},
                   {"what": {"identifier": {"value": "1.2.3"}}, "type": {"code": "ImagingStudy"}, "role": {"code": "3"}}]}"""
    row = row_of(event(), participant(), patient("pat-1^^^&2.999&ISO"), thing("1.2.3"))
    assert FHIR.decode([fhir.encode()]).rows == [row._replace(id="a")]


@pytest.mark.parametrize(
    ("studies", "count"),
    [
        ([thing("1.2.3", inner='<SOPClass UID="1" NumberOfInstances="1500"/><SOPClass UID="2" NumberOfInstances="3"/>')], 1503),
        ([thing(f"1.2.{number}", inner='<SOPClass NumberOfInstances="10"/>') for number in range(3)], 30),
        ([thing("1.2.3"), thing("1.2.4")], 2),
        ([thing("1.2.3", inner='<SOPClass NumberOfInstances="-5"/><SOPClass NumberOfInstances="many"/><SOPClass/>')], 1),
        ([thing("1.2.3", inner='<SOPClass NumberOfInstances="9999999999"/>')], COUNT_MAX),
        ([thing("1.2.3", inner='<SOPClass NumberOfInstances="7"/><ParticipantObjectDetail type="total" value="OQ=="/>')], 9),
        ([], 1),
    ],
)
def test_instances_are_counted_over_classes_and_studies(studies: list[str], count: int) -> None:
    """How much was touched is what exports are judged by; without a number each study is one."""
    assert row_of(event(), participant(), patient("pat-1"), *studies).resource_count == count


@pytest.mark.parametrize(
    ("things", "resource"),
    [
        ([patient("pat-1"), thing("1.2.3")], ("ImagingStudy", "1.2.3")),
        ([thing("d^1", id_type="9")], ("DocumentReference", "d^1")),
        ([thing("d^1", id_type="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1")], ("DocumentReference", "d^1")),
        ([thing("s", role="20", id_type="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd")], ("List", "s")),
        ([thing("q", role="24", id_type="ITI-18"), thing("d^1", id_type="9")], ("DocumentReference", "d^1")),
        ([thing("1.2.3", role="3"), thing("e-1", role="4", id_type="3")], ("Encounter", "e-1")),
        ([patient("pat-1")], ("Patient", "pat-1")),
    ],
)
def test_the_resource_is_the_first_of_the_most_telling(things: list[str], resource: tuple[str, str]) -> None:
    """A resource before a report, that before lists, queries and jobs; the patient when there is nothing else."""
    row = row_of(event(), participant(), *things)
    assert (row.resource_type, row.resource_id) == resource


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("""<Slot name="$XDSDocumentEntryPatientId"><ValueList><Value>'pat-1^^^&amp;2.999&amp;ISO'</Value>""", ["pat-1"]),
        ('<livingSubjectId>\n <value extension="pat-1" root="2.999"/>', ["pat-1"]),
        ('<v3:patientIdentifier><v3:value root="2.999" extension="pat-1"/>', ["pat-1"]),
        ("MSH|^~\\&|A\rQPD|IHE PIX Query|t-1|pat-1^^^&2.999&ISO|\rRCP|I", ["pat-1"]),
        ("MSH|^~\\&|A\rQPD|IHE PDQ Query|t-1|@PID.3.1^pat-1\rRCP|I", ["pat-1"]),
        ("MSH|^~\\&|A\rQPD|IHE PDQ Query|t-1|@PID.5.1^DOE\rRCP|I", [""]),
        ("https://a.example.org/fhir/Observation?patient=pat-1&code=1", ["pat-1"]),
        ("SECRET", [""]),
    ],
)
def test_a_query_tells_its_patient_when_nothing_else_does(query: str, ids: list[str]) -> None:
    """Queries hold what was searched for: of them the patient is read, and nothing is kept."""
    held = f"<ParticipantObjectQuery>{base64.b64encode(query.encode()).decode()}</ParticipantObjectQuery>"
    rows = rows_of(event("110112", "E"), participant(), thing("q", role="24", id_type="ITI-18", inner=held))
    assert [row.patient_id for row in rows] == ids
    assert "SECRET" not in repr(rows)


def test_an_emergency_is_the_purpose_whatever_stands_before() -> None:
    """Treatment and break-the-glass together are break-the-glass; the description of the outcome is the reason."""
    told = coded("PurposeOfUse", "TREAT") + coded("PurposeOfUse", "BTG")
    row = row_of(event(inner=f"{told}<EventOutcomeDescription>{'é' * 5_000}</EventOutcomeDescription>"), participant())
    assert (row.purpose, row.reason) == ("BTG", "é" * REASON_MAX)
