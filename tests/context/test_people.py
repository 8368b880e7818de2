"""Units, staff, positions and patients, as FHIR R4 and R5 tell them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.context import (
    EVER,
    FOREVER,
    ActorAlias,
    CareLink,
    Identity,
    LinkKind,
    PatientAlias,
    PatientFlag,
    PatientRecord,
    Position,
    StaffMember,
    Unit,
    Withdrawn,
)
from sentinel.core.errors import RejectedError
from streams.context.dates import span
from streams.context.fhir import decode

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
IDNPS = "urn:oid:1.2.250.1.71.4.2.1"
RPPS = "https://rpps.esante.gouv.fr"


def ref(text: str) -> dict[str, str]:
    return {"reference": text}


def a_practitioner(**fields: Any) -> StaffMember:
    [member] = decode({"resourceType": "Practitioner", "id": "d1", **fields})
    assert isinstance(member, StaffMember)
    return member


def a_patient(**fields: Any) -> PatientRecord:
    withdrawn, record, *_ = decode({"resourceType": "Patient", "id": "p1", **fields})
    assert withdrawn == Withdrawn("Patient/p1")
    assert isinstance(record, PatientRecord)
    return record


def a_role(**fields: Any) -> list[Any]:
    role = {"resourceType": "PractitionerRole", "id": "r1", "practitioner": ref("Practitioner/d1"), **fields}
    withdrawn, *records = decode(role)
    assert withdrawn == Withdrawn("PractitionerRole/r1")
    return records


def positions(records: list[Any]) -> list[tuple[str, str]]:
    return [(record.unit, record.role) for record in records if isinstance(record, Position)]


def test_an_organization_is_a_unit() -> None:
    """Its identifiers name it with and without their system."""
    finess = {"system": "https://finess.esante.gouv.fr", "value": "380000001"}
    fields = {"name": "CHU", "identifier": [finess, {"value": "UF12"}], "partOf": ref("Organization/ght")}
    assert decode({"resourceType": "Organization", "id": "chu", **fields}) == [
        Unit("chu", "CHU", "ght", ("380000001", "https://finess.esante.gouv.fr|380000001", "UF12"))
    ]


@pytest.mark.parametrize(
    ("kind", "fields", "above"),
    [
        ("Location", {"partOf": ref("Location/floor"), "managingOrganization": ref("Organization/chu")}, "floor"),
        ("Location", {"managingOrganization": ref("Organization/chu")}, "chu"),
        ("HealthcareService", {"providedBy": ref("Organization/chu")}, "chu"),
        ("HealthcareService", {}, ""),
    ],
)
def test_a_unit_hangs_below_what_it_is_part_of(kind: str, fields: dict[str, Any], above: str) -> None:
    """A place below its place, else below its organisation; a service below its provider."""
    assert decode({"resourceType": kind, "id": "u", **fields}) == [Unit("u", "", above)]


def test_a_practitioner_is_a_person_at_work() -> None:
    """Name, civil traits, ids and whether the account is in use."""
    member = a_practitioner(
        name=[{"use": "official", "family": "Le Goff-Été", "given": ["Jean-Marc", "Paul"], "prefix": ["Dr"]}],
        birthDate="1970-05-06",
        address=[{"use": "home", "line": ["12 rue des Lilas"], "postalCode": "38000", "city": "Grenoble"}],
        identifier=[{"system": "https://chu.example/logins", "value": "jlegoff"}],
        active=False,
    )
    identity = Identity(
        "le goff ete", "jean marc", "1970-05-06", "12 rue des lilas 38000 grenoble", "rue des lilas 38000 grenoble"
    )
    aliases = ("jlegoff", "https://chu.example/logins|jlegoff")
    assert member == StaffMember("d1", "Jean-Marc Paul Le Goff-Été", identity, aliases, "", active=False)


@pytest.mark.parametrize(
    "identifier",
    [
        {"system": RPPS, "value": "10001234567"},
        {"system": "http://rpps.fr", "value": "10001234567"},
        {"system": IDNPS, "value": "810001234567"},
        {"system": "urn:x", "value": "10001234567", "type": {"coding": [{"code": "RPPS"}]}},
        {"system": "urn:x", "value": "810001234567", "type": {"coding": [{"code": "IDNPS"}]}},
    ],
)
def test_an_rpps_number_is_known_in_all_its_forms(identifier: dict[str, Any]) -> None:
    """Eleven digits, or twelve with the 8 of the national register (IDNPS), whichever the event uses."""
    member = a_practitioner(identifier=[identifier])
    assert member.rpps == "10001234567"
    assert {"10001234567", "810001234567", f"{identifier['system']}|{identifier['value']}"} == set(member.aliases)


def test_an_adeli_number_is_known_with_its_register_digit() -> None:
    """ADELI is 0 in the national register, and no RPPS number."""
    member = a_practitioner(identifier=[{"system": "https://adeli.esante.gouv.fr", "value": "389312345"}])
    assert member.rpps == ""
    assert {"389312345", "0389312345"} < set(member.aliases)
    assert "389312345" in a_practitioner(identifier=[{"system": IDNPS, "value": "0389312345"}]).aliases


def test_a_work_mailbox_names_a_person_and_a_private_one_does_not() -> None:
    """Single sign-on logs use the mailbox, in either case."""
    telecom = [
        {"system": "email", "value": "J.LeGoff@chu.example", "use": "work"},
        {"system": "email", "value": "jm@home.example", "use": "home"},
        {"system": "phone", "value": "0400000000"},
    ]
    assert a_practitioner(telecom=telecom).aliases == ("J.LeGoff@chu.example", "j.legoff@chu.example")


def test_a_work_address_is_no_home() -> None:
    """Colleagues are not a household; an address without a use is a home, as FHIR says for practitioners."""
    work = {"use": "work", "line": ["1 avenue du CHU"], "city": "Grenoble"}
    home = {"line": ["2 rue X"], "city": "Grenoble"}
    assert a_practitioner(address=[work]).identity.address == ""
    assert a_practitioner(address=[work, home]).identity.address == "2 rue x grenoble"


@pytest.mark.parametrize(
    ("r", "fields"),
    [("R4", {"deviceName": [{"name": "Mirth", "type": "user-friendly-name"}]}), ("R5", {"name": [{"value": "Mirth"}]})],
)
def test_a_device_is_a_service(r: str, fields: dict[str, Any]) -> None:
    """An interface engine acts, and is nobody."""
    device = {"resourceType": "Device", "id": "eai", "identifier": [{"value": "svc-eai"}], **fields}
    assert decode(device) == [StaffMember("eai", "Mirth", Identity(), ("svc-eai",), is_service=True)]
    assert decode({**device, "status": "entered-in-error"}) == [Withdrawn("Device/eai")]


def test_a_role_is_a_position_in_each_unit_and_names_its_holder() -> None:
    """The place and the service, more precise, come before the organisation; the role's ids are the person's."""
    records = a_role(
        organization=ref("Organization/chu"),
        location=[ref("Location/ward")],
        healthcareService=[ref("HealthcareService/cardio"), ref("Organization/chu")],
        code=[{"coding": [{"code": "60", "display": "Infirmière"}], "text": "IDE"}],
        period={"start": "2024-01-01", "end": "2024-06-30"},
        identifier=[{"system": "urn:s", "value": "situation-1"}],
    )
    start, end = span("2024-01-01")[0], span("2024-06-30")[1]
    assert records == [
        ActorAlias("r1", "d1"),
        ActorAlias("situation-1", "d1"),
        ActorAlias("urn:s|situation-1", "d1"),
        *(Position("PractitionerRole/r1", "d1", unit, "infirmiere", start, end) for unit in ("ward", "cardio", "chu")),
    ]


@pytest.mark.parametrize(
    ("fields", "roles"),
    [
        ({"code": [{"text": "Médecin"}, {"text": "MEDECIN"}]}, ["medecin"]),
        ({"code": [{"coding": [{"code": "doctor"}]}]}, ["doctor"]),
        ({"code": [{"text": "Médecin"}], "specialty": [{"text": "Radiologie"}]}, ["medecin radiologie"]),
        ({"code": [{"text": "Cardiologist"}], "specialty": [{"text": "Cardiologist"}]}, ["cardiologist"]),
        ({"code": [{"text": "Médecin"}, {"text": "Coordinateur"}]}, ["medecin", "coordinateur"]),
        ({}, [""]),
    ],
)
def test_a_role_is_the_words_for_it(fields: dict[str, Any], roles: list[str]) -> None:
    """The display, else the text, else the code, folded, with the specialty where it adds something."""
    assert positions(a_role(**fields)) == [("", role) for role in roles]


def test_a_role_no_longer_active_is_closed() -> None:
    """Without an end it ends when the resource last changed; when that is not known either, where it starts."""
    inactive = {"active": False, "organization": ref("Organization/chu")}
    [*_, known] = a_role(**inactive, period={"start": "2020"}, meta={"lastUpdated": "2024-03-01T10:00:00Z"})
    assert (known.start, known.end) == (span("2020")[0], span("2024-03-01T10:00:00Z")[0])
    [*_, unknown] = a_role(**inactive)
    assert (unknown.start, unknown.end) == (EVER, EVER)
    [*_, told] = a_role(**inactive, period={"end": "2022"})
    assert (told.start, told.end) == (EVER, span("2022")[1])
    [*_, active] = a_role(organization=ref("Organization/chu"))
    assert (active.start, active.end) == (EVER, FOREVER)


def test_a_vacant_role_says_nothing() -> None:
    """A role without a practitioner is valid FHIR."""
    assert decode({"resourceType": "PractitionerRole", "id": "r9"}) == [Withdrawn("PractitionerRole/r9")]


def test_a_patient_has_identity_and_ids() -> None:
    """INS and local numbers are aliases, the official name comes first."""
    record = a_patient(
        identifier=[{"system": "urn:oid:1.2.250.1.213.1.4.8", "value": " 180010101010101 "}],
        name=[
            {"use": "nickname", "family": "X"},
            {"use": "usual", "family": "Martin", "given": ["Zoé"]},
            {"use": "official", "family": "Dupont", "given": [None, "Zoé", "Anne"]},
        ],
        birthDate="1980-02",
        extension=[{"url": "x", "valueAddress": {"city": 3}}],
    )
    assert record.identity == Identity("dupont", "zoe", "1980-02")
    assert record.birth_date == "1980-02"
    assert record.aliases == ("180010101010101", "urn:oid:1.2.250.1.213.1.4.8|180010101010101")
    assert (record.flags, record.deceased_at) == (frozenset(), FOREVER)


def test_a_name_that_has_ended_comes_after_one_that_holds() -> None:
    """A former official name gives way to the current one, whatever their order."""
    old = {"use": "official", "family": "Dupont", "period": {"end": "1999"}}
    new = {"use": "official", "family": "Martin", "period": {"start": "1999"}}
    assert a_patient(name=[old, new]).identity.family == "martin"
    assert a_patient(name=[new, old]).identity.family == "martin"
    assert a_patient(name=[{"use": "anonymous", "family": "X"}]).identity.family == ""


@pytest.mark.parametrize("system", [f"{TERMINOLOGY}/", "http://hl7.org/fhir/v3/"])
@pytest.mark.parametrize(
    ("name", "code", "flags"),
    [
        ("ActCode", "CEL", {PatientFlag.VIP}),
        ("ActCode", "EMP", {PatientFlag.STAFF}),
        ("ActReason", "HTEST", {PatientFlag.TEST}),
        ("Confidentiality", "R", {PatientFlag.RESTRICTED}),
        ("Confidentiality", "V", {PatientFlag.VIP, PatientFlag.RESTRICTED}),
        ("Confidentiality", "N", set()),
        ("ActReason", "CEL", set()),
    ],
)
def test_security_labels_are_flags(system: str, name: str, code: str, flags: set[PatientFlag]) -> None:
    """HL7 v3 codes, under the names the code systems have had; a code of another system means nothing."""
    uri = f"{system}v3-{name}" if system.startswith(TERMINOLOGY) else f"{system}{name}"
    assert a_patient(meta={"security": [{"system": uri, "code": code}]}).flags == flags


def test_labels_may_come_by_oid_and_together() -> None:
    """Each label adds its flags."""
    labels = [
        {"system": "urn:oid:2.16.840.1.113883.5.4", "code": "CEL"},
        {"system": "urn:oid:2.16.840.1.113883.5.25", "code": "R"},
        {"display": "no code"},
    ]
    assert a_patient(meta={"security": labels}).flags == {PatientFlag.VIP, PatientFlag.RESTRICTED}


@pytest.mark.parametrize(
    ("fields", "deceased_at"),
    [
        ({"deceasedDateTime": "2024-03-01"}, span("2024-03-01")[1]),
        ({"deceasedDateTime": "2024"}, span("2024")[1]),
        ({"deceasedDateTime": "2024-03-01T10:00:00Z"}, span("2024-03-01T10:00:00Z")[0]),
        ({"deceasedBoolean": True, "meta": {"lastUpdated": "2024-03-01T10:00:00Z"}}, span("2024-03-01T10:00:00Z")[0]),
        ({"deceasedBoolean": True}, FOREVER),
        ({"deceasedBoolean": False}, FOREVER),
    ],
)
def test_a_patient_is_dead_when_that_is_sure(fields: dict[str, Any], deceased_at: int) -> None:
    """After the day told; without a day, after the record's last change; else nothing is claimed."""
    assert a_patient(**fields).deceased_at == deceased_at


def test_a_general_practitioner_has_a_link_and_a_practice_has_not() -> None:
    """Only people are linked: a hospital set as everybody's practice would explain everything."""
    doctors = [ref("Practitioner/gp"), ref("PractitionerRole/gpr"), ref("Organization/practice")]
    _, _, *links = decode({"resourceType": "Patient", "id": "p1", "generalPractitioner": doctors})
    kind = LinkKind.GENERAL_PRACTITIONER
    assert links == [CareLink("Patient/p1", "p1", gp, kind, EVER, FOREVER) for gp in ("gp", "gpr")]


def test_a_merged_record_lives_on_as_an_alias() -> None:
    """`replaced-by` hands the ids over to the survivor; `replaces` says the same from the other side."""
    link = {"other": ref("Patient/new"), "type": "replaced-by"}
    merged = decode({"resourceType": "Patient", "id": "old", "identifier": [{"value": "42"}], "link": [link]})
    assert merged == [Withdrawn("Patient/old"), PatientAlias("old", "new"), PatientAlias("42", "new")]
    assert a_patient(link=[{"other": ref("Patient/old"), "type": "replaces"}]).aliases == ("old",)
    assert a_patient(link=[{"other": ref("Patient/twin"), "type": "seealso"}]).aliases == ()


def test_a_person_gives_one_alias_to_all_their_records() -> None:
    """Somebody at work who is also a patient shares an alias with a `|`, which no plain id has."""
    links = [{"target": ref("Practitioner/d1")}, {"target": ref("Patient/p1")}, {"target": ref("RelatedPerson/x")}]
    records = decode({"resourceType": "Person", "id": "h1", "identifier": [{"value": "180"}], "link": links})
    aliases = ("h1", "Person|h1", "180")
    assert records == [*(ActorAlias(a, "d1") for a in aliases), *(PatientAlias(a, "p1") for a in aliases)]


@pytest.mark.parametrize("birth_date", ["80", "1980-02-30", "1980-02-03T10:00:00Z", "3 février"])
def test_a_birth_date_is_a_date(birth_date: str) -> None:
    """Anything else is refused, and the reason says where and not what."""
    with pytest.raises(RejectedError, match="bad-time at /birthDate") as error:
        a_patient(birthDate=birth_date)
    assert birth_date not in str(error.value)


@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_aliases_can_name_something_in_an_event(value: str, system: str) -> None:
    """Aliases are printable, not empty, never the id itself, and told once."""
    member = a_practitioner(identifier=[{"system": system, "value": value}, {"value": value}, {"value": "d1"}])
    assert all(alias and alias.isprintable() and alias != "d1" for alias in member.aliases)
    assert len(set(member.aliases)) == len(member.aliases)
