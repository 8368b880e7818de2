"""Resources and Bundles as they arrive: references of every form, bad input, hostile input."""

from __future__ import annotations

import copy
import json
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.context import ActorAlias, CareLink, PatientRecord, Position, StaffMember, Stay, Unit, Withdrawn
from sentinel.core.errors import RejectedError, RejectionCode
from sentinel.core.event import TEXT_MAX
from streams.context.dates import span
from streams.context.fhir import CONTEXT_TYPES, decode, decode_each

PERIOD = {"start": "2024-03-01T10:00:00Z", "end": "2024-03-02T10:00:00Z"}
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "CEL"}]},
    "identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "180"}],
    "name": [{"use": "official", "family": "Dupont", "given": ["Zoé"]}],
    "birthDate": "1980-02-03",
    "deceasedDateTime": "2024-03-01",
    "address": [{"line": ["12 rue X"], "postalCode": "38000", "city": "Grenoble"}],
    "generalPractitioner": [{"reference": "Practitioner/gp"}],
    "link": [{"other": {"reference": "Patient/p0"}, "type": "replaces"}],
}
ENCOUNTER = {
    "resourceType": "Encounter",
    "id": "e1",
    "meta": {"lastUpdated": "2024-03-03T00:00:00Z"},
    "contained": [{"resourceType": "Practitioner", "id": "c", "identifier": [{"value": "rpps"}]}],
    "status": "finished",
    "subject": {"reference": "Patient/p1"},
    "period": PERIOD,
    "serviceProvider": {"reference": "Organization/chu"},
    "location": [{"location": {"reference": "Location/ward"}, "period": PERIOD}],
    "participant": [{"individual": {"reference": "#c"}, "period": PERIOD}],
}
ROLE = {
    "resourceType": "PractitionerRole",
    "id": "r1",
    "practitioner": {"reference": "Practitioner/d1"},
    "organization": {"reference": "Organization/chu"},
    "code": [{"coding": [{"code": "60", "display": "Infirmière"}]}],
    "active": False,
    "period": PERIOD,
}
APPOINTMENT = {
    "resourceType": "Appointment",
    "id": "a1",
    "status": "booked",
    "start": PERIOD["start"],
    "minutesDuration": 30,
    "participant": [{"actor": {"reference": "Patient/p1"}}, {"actor": {"reference": "Practitioner/d1"}}],
}
REQUEST = {
    "resourceType": "ServiceRequest",
    "id": "s1",
    "status": "active",
    "subject": {"reference": "Patient/p1"},
    "requester": {"type": "Practitioner", "identifier": {"value": "rpps"}},
    "performer": [{"reference": "Organization/lab"}],
    "authoredOn": PERIOD["start"],
}
EXAMPLES = (PATIENT, ENCOUNTER, ROLE, APPOINTMENT, REQUEST)


def bundle(*entries: Any, kind: str = "collection") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def actor_of(reference: Any, **fields: Any) -> str:
    """Return the id of the one person who takes part in an encounter."""
    encounter = {"resourceType": "Encounter", "id": "e", "subject": {"reference": "Patient/p1"}, "period": PERIOD, **fields}
    records = decode({**encounter, "participant": [{"individual": reference}]})
    [link] = [record for record in records if isinstance(record, CareLink)]
    return link.actor_id


@pytest.mark.parametrize(
    ("reference", "actor"),
    [
        ({"reference": "Practitioner/d1"}, "d1"),
        ({"reference": "Practitioner/d1/_history/7"}, "d1"),
        ({"reference": "https://chu.example/fhir/Practitioner/d1"}, "d1"),
        ({"reference": "https://chu.example/fhir/Practitioner/d1/_history/7"}, "d1"),
        ({"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}, "0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        ({"reference": "urn:oid:1.2.3.4"}, "1.2.3.4"),
        ({"reference": "Practitioner?identifier=http://rpps.fr|10001234567"}, "http://rpps.fr|10001234567"),
        ({"reference": "Practitioner?identifier=|10001234567"}, "10001234567"),
        ({"identifier": {"system": "http://rpps.fr", "value": " 10001234567 "}}, "10001234567"),
        ({"reference": "", "identifier": {"value": "x"}, "type": "Practitioner"}, "x"),
        ({"reference": "#gone", "identifier": {"value": "x"}}, "x"),
        ({"reference": "d1"}, "d1"),
    ],
)
def test_a_reference_names_an_id(reference: dict[str, Any], actor: str) -> None:
    """Relative, absolute, versioned, urn, conditional, by identifier alone: the id that events use."""
    assert actor_of(reference) == actor


@pytest.mark.parametrize(
    ("contained", "actor"),
    [
        ({"resourceType": "Practitioner", "identifier": [{"value": "rpps"}]}, "rpps"),
        ({"resourceType": "PractitionerRole", "practitioner": {"reference": "Practitioner/d1"}}, "d1"),
        ({"resourceType": "PractitionerRole", "practitioner": {"reference": "#x"}, "identifier": [{"value": "r"}]}, "r"),
        ({"resourceType": "Practitioner", "identifier": {"value": "one"}}, "one"),
    ],
)
def test_a_contained_resource_is_known_by_its_identifier(contained: dict[str, Any], actor: str) -> None:
    """It has no id in the world; a role leads on to its holder."""
    assert actor_of({"reference": "#c"}, contained=[{"id": "other"}, {**contained, "id": "c"}]) == actor


@pytest.mark.parametrize(
    "reference",
    [
        {},
        {"display": "Dr X"},
        {"reference": "#gone"},
        {"reference": "Patient/"},
        {"reference": "?"},
        {"identifier": {"system": "x"}},
    ],
)
def test_a_reference_that_names_nothing_is_passed_over(reference: dict[str, Any]) -> None:
    """A display text is not an id."""
    assert decode({**ENCOUNTER, "location": [], "participant": [{"individual": reference}]})[2:] == []


@pytest.mark.parametrize("name", ["a\x1fb", "a\nb", "x" * (TEXT_MAX + 1), "\x00", " \u2028"])
def test_an_id_can_name_something_in_an_event(name: str) -> None:
    """Control characters and long ids are refused wherever they stand."""
    with pytest.raises(RejectedError, match="bad-value at /id"):
        decode({**PATIENT, "id": name})
    with pytest.raises(RejectedError, match="bad-value at /participant/0/individual"):
        actor_of({"identifier": {"value": f"a{name}b"}})


def test_a_bundle_gives_the_records_of_its_entries() -> None:
    """In order, without the entries that are no context; a POST may go without an id where there is a fullUrl."""
    one, two = "urn:uuid:11111111-1111-1111-1111-111111111111", "urn:uuid:22222222-2222-2222-2222-222222222222"
    doctor = {"resourceType": "Practitioner", "name": [{"text": "Dr X"}]}
    visit = {**APPOINTMENT, "participant": [{"actor": {"reference": two}}, {"actor": {"reference": one}}]}
    records = decode(
        bundle(
            {"fullUrl": one, "resource": doctor},
            {"fullUrl": two, "resource": {"resourceType": "Patient", "id": "p1"}},
            {"resource": {"resourceType": "OperationOutcome"}},
            {"fullUrl": "https://x/fhir/Organization/chu", "resource": {"resourceType": "Organization", "id": "chu"}},
            {"resource": visit},
            {"response": {"status": "200"}},
        )
    )
    member, _, patient, unit, _, link = records
    assert isinstance(member, StaffMember)
    assert member.actor_id == one.removeprefix("urn:uuid:")
    assert isinstance(patient, PatientRecord)
    assert patient.aliases == (two.removeprefix("urn:uuid:"),)
    assert unit == Unit("chu", "")
    assert isinstance(link, CareLink)
    assert (link.patient_id, link.actor_id) == (patient.aliases[0], member.actor_id)


def test_a_history_ends_with_the_newest_version() -> None:
    """FHIR lists the newest first; a deletion withdraws."""
    old = {**ENCOUNTER, "serviceProvider": {"reference": "Organization/old"}, "location": [], "participant": []}
    new = {**old, "serviceProvider": {"reference": "Organization/new"}}
    deleted = {"request": {"method": "DELETE", "url": "Appointment/a1"}}
    records = decode(bundle(deleted, {"resource": new}, {"resource": old}, kind="history"))
    stays = [record.unit for record in records if isinstance(record, Stay)]
    assert stays == ["old", "new"]
    assert records[-1] == Withdrawn("Appointment/a1")
    assert decode(bundle({"request": {"method": "DELETE", "url": "Consent/c"}})) == []


def test_a_bad_entry_does_not_stop_the_others() -> None:
    """Each entry is refused on its own; taken as a whole the Bundle is refused at the first."""
    bad = {"resourceType": "Patient", "id": "p2", "birthDate": 3}
    mixed = bundle({"resource": bad}, {"resource": ROLE}, {"resource": {"resourceType": "Patient"}})
    first, second, third = decode_each(mixed)
    assert isinstance(first, RejectedError)
    assert (first.code, first.pointer) == (RejectionCode.WRONG_TYPE, "/entry/0/resource/birthDate")
    assert isinstance(second, list)
    assert ActorAlias("r1", "d1") in second
    assert isinstance(third, RejectedError)
    assert (third.code, third.pointer) == (RejectionCode.MISSING_FIELD, "/entry/2/resource/id")
    with pytest.raises(RejectedError, match="/entry/0/resource/birthDate"):
        decode(mixed)


@pytest.mark.parametrize(
    ("raw", "code", "pointer"),
    [
        (b"", "unparseable", ""),
        (b"{", "unparseable", ""),
        (b'{"resourceType":"Patient","id":"p"} x', "unparseable", ""),
        (b'{"resourceType":"Patient","id":"\\ud800"}', "unparseable", ""),
        (b'{"resourceType":"Patient","id":"\xff"}', "not-utf8", ""),
        (b"[]", "wrong-type", ""),
        (b"null", "wrong-type", ""),
        (b'{"id":"p"}', "missing-field", "/resourceType"),
        (b'{"resourceType":"Consent","id":"c"}', "not-an-event", "/resourceType"),
        (b'{"resourceType":3}', "not-an-event", "/resourceType"),
        (b'{"resourceType":"Patient"}', "missing-field", "/id"),
        (b'{"resourceType":"Patient","id":""}', "missing-field", "/id"),
        (b'{"resourceType":"Patient","id":1}', "wrong-type", "/id"),
        (b'{"resourceType":"Patient","id":"p","name":[{"given":["a",1]}]}', "wrong-type", "/name/0/given/1"),
        (b'{"resourceType":"Patient","id":"p","x":' + b"[" * 100_000, "too-deep", ""),
        (b'{"resourceType":"Patient","id":"p","link":[{"other":' + b'{"actor":' * 100_000, "too-deep", ""),
        (b'{"resourceType":"Appointment","id":"a","minutesDuration":1e400}', "wrong-type", "/minutesDuration"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(raw: bytes, code: str, pointer: str) -> None:
    """The code is of a bounded set and the pointer leads to the field."""
    with pytest.raises(RejectedError) as error:
        decode(raw)
    assert (error.value.code, error.value.pointer) == (code, pointer)


def test_a_mapping_is_read_like_its_bytes() -> None:
    """Also a read-only one, and one with a byte order mark in front when it is bytes."""
    for example in EXAMPLES:
        raw = json.dumps(example).encode()
        assert decode(example) == decode(raw) == decode(MappingProxyType(example)) == decode(b"\xef\xbb\xbf" + raw)


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), "\ud800"])
def test_a_mapping_of_other_things_than_json_is_refused(value: object) -> None:
    """Whatever a caller puts in, nothing but a rejection comes out."""
    with pytest.raises(RejectedError):
        decode({**PATIENT, "id": value})


def test_null_is_an_absent_field() -> None:
    """FHIR has no nulls; exports do."""
    fields = {name: None for name in PATIENT if name not in ("resourceType", "id")}
    assert decode({**PATIENT, **fields}) == decode({"resourceType": "Patient", "id": "p1"})


def test_days_are_of_the_zone_that_is_given() -> None:
    """The site's zone is a parameter, Paris unless told."""
    tokyo = ZoneInfo("Asia/Tokyo")
    [*_, position] = decode({**ROLE, "period": {"start": "2024-03-01"}}, tokyo)
    assert isinstance(position, Position)
    assert position.start == span("2024-02-29T15:00:00Z")[0]


def test_what_is_read_is_told() -> None:
    """The types of the context, no more."""
    assert {"Patient", "Practitioner", "PractitionerRole", "Encounter", "Appointment", "Composition"} < CONTEXT_TYPES
    assert not {"Bundle", "Act", "Consent", "Group"} & CONTEXT_TYPES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, inner in items for found in paths(inner, (*path, key)))]


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """Return an example with some parts dropped, replaced by any JSON or by another part of an example."""
    resource = copy.deepcopy(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([path for path in paths(resource) if path]))
        parent: Any = resource
        for key in way:
            parent = parent[key]
        if draw(st.booleans()):
            parent[last] = draw(JSON | st.sampled_from(EXAMPLES).map(copy.deepcopy))
        else:
            del parent[last]
    return resource


@settings(max_examples=400, deadline=None)
@given(mutations())
def test_a_mutated_resource_is_read_or_rejected(resource: Any) -> None:
    """Nothing but a rejection ever comes out of a bad resource, alone or in a Bundle, and times stay in order."""
    for document in (resource, bundle({"resource": resource, "fullUrl": "urn:uuid:x"})):
        for result in decode_each(json.dumps(document).encode()):
            records = [] if isinstance(result, RejectedError) else result
            assert all(record.start <= record.end for record in records if isinstance(record, Stay | CareLink | Position))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_rejected(raw: bytes) -> None:
    """Garbage is refused."""
    assert all(isinstance(result, RejectedError | list) for result in decode_each(raw))


@settings(deadline=None)
@given(mutations())
def test_no_reason_quotes_the_record(resource: Any) -> None:
    """Planted words never come back, neither in the message nor in the chain of errors."""
    text = json.dumps(resource).replace("Dupont", "SECRET").replace("1980-02-03", "SECRET").replace("p1", "SECRET")
    for result in decode_each(text.encode()):
        if isinstance(result, RejectedError):
            assert "SECRET" not in f"{result} {result.detail} {result.__cause__}"
