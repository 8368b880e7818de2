"""The FHIR end points: resources alone and in Bundles, OperationOutcomes, and nothing kept that is of no use."""

from __future__ import annotations

import json

import pytest
from lxml import etree

from sentinel.core.ids import event_key
from streams.intake_log import LogBounds
from streams.record import Kind
from tests.web.api_parts import an_app

FHIR = "application/fhir+json"


def audit(id_: str = "x1", **changed: object) -> dict[str, object]:
    return {
        "resourceType": "AuditEvent",
        "id": id_,
        "recorded": "2026-03-01T10:00:00Z",
        "action": "R",
        "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110110"},
        "agent": [{"requestor": True, "who": {"reference": "Practitioner/a1"}}],
        "source": {"observer": {"display": "DPI"}},
        "entity": [{"what": {"reference": "Patient/p1"}}],
        **changed,
    }


def encounter(id_: str = "n1", **changed: object) -> dict[str, object]:
    return {
        "resourceType": "Encounter",
        "id": id_,
        "status": "in-progress",
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2026-03-01T08:00:00Z"},
        "serviceProvider": {"reference": "Organization/cardio"},
        **changed,
    }


def bundle(kind: str, *resources: object, method: str = "POST") -> bytes:
    entries = [{"resource": one, "request": {"method": method, "url": "x"}} for one in resources]
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()


@pytest.fixture
def app(tmp_path):
    with an_app(tmp_path) as made:
        yield made


def post(app, path: str, resource: object):
    return app.post(json.dumps(resource).encode() if not isinstance(resource, bytes) else resource, FHIR, path)


def codes(outcome) -> list[str]:
    assert outcome["resourceType"] == "OperationOutcome"
    return [issue["details"]["coding"][0]["code"] for issue in outcome["issue"] if "coding" in issue["details"]]


def test_an_audit_event_is_created(app):
    """201 with where it can be read, and its version; the resource is in the log as it came."""
    answer = post(app, "/fhir/AuditEvent", audit())
    assert answer.status_code == 201
    key = event_key("t", "fhir_auditevent", "x1", "").hex()
    assert answer.headers["location"] == f"http://127.0.0.1:8000/fhir/AuditEvent/{key}/_history/1"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["content-type"] == FHIR
    assert [(record.kind, record.source, json.loads(record.raw)) for record in app.kept()] == [
        (Kind.EVENT, "fhir_auditevent", audit())
    ]


def test_an_audit_event_without_id_is_known_by_its_content(app):
    """Sent again it has the same id."""
    resource = audit()
    del resource["id"]
    first, second = (post(app, "/fhir/AuditEvent", resource).headers["location"] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("resource", "status", "code"),
    [
        (b"{SECRET", 400, "unparseable"),
        (audit(recorded="SECRET"), 422, "bad-time"),
        (audit(agent=[]), 422, None),
        (encounter(), 422, "bad-value"),
        (b"[]", 422, "wrong-type"),
        (b'{"id": "SECRET"}', 422, "wrong-type"),
        (b'{"resourceType":"AuditEvent","a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", None, None),
    ],
)
def test_a_refusal_is_an_operation_outcome(app, resource, status, code):
    """With our code in details, a pointer in diagnostics, and nothing of what was sent."""
    answer = post(app, "/fhir/AuditEvent", resource)
    assert answer.status_code == status if status else answer.status_code in {201, 400, 422}
    if status:
        assert code is None or codes(answer.json()) == [code]
        assert "SECRET" not in answer.text
        assert len(app.letters()) == 1
        assert app.kept() == []


def test_context_is_put_and_posted(app):
    """PUT answers 200, POST 201; both are in the log as context, under the same subject."""
    put = app.client.put("/fhir/Encounter/n1", content=json.dumps(encounter()), headers={"Content-Type": FHIR})
    assert put.status_code == 200
    assert post(app, "/fhir/Encounter", encounter(status="finished")).status_code == 201
    assert post(app, "/fhir/Encounter", encounter("n2")).status_code == 201
    records = app.kept()
    assert [(record.kind, record.source) for record in records] == [(Kind.CONTEXT, "fhir")] * 3
    assert records[0].subject == records[1].subject != records[2].subject


def test_the_url_and_the_resource_must_agree(app):
    """On the type and on the id."""
    answer = app.client.put("/fhir/Encounter/other", content=json.dumps(encounter()), headers={"Content-Type": FHIR})
    assert (answer.status_code, answer.json()["issue"][0]["diagnostics"]) == (422, "at /id")
    answer = post(app, "/fhir/Patient", encounter())
    assert (answer.status_code, answer.json()["issue"][0]["diagnostics"]) == (422, "at /resourceType")


def test_a_resource_of_no_use_is_not_taken(app):
    """404 says what is; AuditEvents are not put, for what was recorded stays."""
    answer = post(app, "/fhir/Claim", {"resourceType": "Claim", "id": "c"})
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (404, "not-found")
    assert "Encounter" in answer.json()["issue"][0]["details"]["text"]
    put = app.client.put("/fhir/AuditEvent/x1", content=json.dumps(audit()), headers={"Content-Type": FHIR})
    assert (put.status_code, put.headers["allow"]) == (405, "GET")
    assert app.letters() == app.kept() == []


@pytest.mark.parametrize("kind", ["batch", "collection"])
def test_a_batch_is_answered_entry_by_entry(app, kind):
    """In order, events beside context; bad entries and those of no use don't stop the others."""
    claim = {"resourceType": "Claim", "id": "SECRET"}
    answer = post(app, "/fhir", bundle(kind, encounter(), audit("a"), audit("b", recorded="SECRET"), claim, audit("c")))
    told = answer.json()
    assert (answer.status_code, told["resourceType"], told["type"]) == (200, "Bundle", "batch-response")
    responses = [entry["response"] for entry in told["entry"]]
    statuses = [response["status"].split()[0] for response in responses]
    assert statuses == ["201", "201", "422", "200", "201"]
    assert responses[0]["location"] == "Encounter/n1"
    assert responses[3]["outcome"]["issue"][0]["severity"] == "warning"
    assert codes(responses[2]["outcome"]) == ["bad-time"]
    assert "SECRET" not in answer.text
    assert [record.kind for record in app.kept()] == [Kind.CONTEXT, Kind.EVENT, Kind.EVENT]
    assert [letter.letter.code for letter in app.letters()] == ["bad-time"]


def test_a_transaction_is_taken_whole(app):
    """All entries in their order."""
    answer = post(app, "/fhir", bundle("transaction", audit("a"), encounter(), {"resourceType": "Claim", "id": "c"}))
    assert answer.json()["type"] == "transaction-response"
    assert len(app.kept()) == 2


def test_a_transaction_with_a_bad_entry_is_refused_whole(app):
    """The outcome points at the entry; nothing is logged; the bad entry is kept aside."""
    answer = post(app, "/fhir", bundle("transaction", audit("a"), audit("b", recorded="no")))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert app.kept() == []
    assert len(app.letters()) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"resourceType": "Bundle", "type": "searchset", "entry": []}',
        b'{"resourceType": "Patient"}',
        b'{"resourceType": "Bundle", "type": "batch", "entry": {}}',
    ],
)
def test_what_is_no_bundle_to_take_is_refused_whole(app, body):
    """And kept aside as it came."""
    assert post(app, "/fhir", body).status_code in {400, 422}
    assert [letter.letter.record.raw for letter in app.letters()] == [body]


def test_entries_ask_for_post_or_put_with_a_resource(app):
    """A DELETE or an entry without resource is refused alone; a PUT's url must name the resource."""
    entries = [
        {"request": {"method": "DELETE", "url": "Encounter/n1"}},
        {"fullUrl": "urn:uuid:1"},
        {"resource": encounter(), "request": {"method": "PUT", "url": "Encounter/n2"}},
        {"resource": encounter(), "request": {"method": "PUT", "url": "Encounter/n1"}},
        {"resource": encounter(), "request": {"method": "PUT", "url": "Encounter?identifier=1"}},
    ]
    answer = post(app, "/fhir", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    statuses = [entry["response"]["status"][:3] for entry in answer.json()["entry"]]
    assert statuses == ["422", "422", "422", "200", "200"]


XML = "application/fhir+xml"
AUDIT_XML = b"""<AuditEvent xmlns="http://hl7.org/fhir"><id value="x1"/>
<type><system value="http://terminology.hl7.org/CodeSystem/audit-event-type"/><code value="rest"/></type>
<action value="R"/><recorded value="2026-03-01T10:00:00Z"/>
<agent><who><reference value="Practitioner/a1"/></who><requestor value="true"/></agent>
<source><observer><display value="DPI"/></observer></source>
<entity><what><reference value="Patient/p1"/></what></entity></AuditEvent>"""


def test_an_audit_event_may_be_xml(app):
    """Kept as it came, known under the same key as in JSON, and answered in XML unless JSON is asked for."""
    answer = app.post(AUDIT_XML, XML, "/fhir/AuditEvent")
    assert (answer.status_code, answer.headers["content-type"]) == (201, XML)
    assert etree.fromstring(answer.content).tag == "{http://hl7.org/fhir}OperationOutcome"
    again = app.post(json.dumps(audit()).encode(), FHIR, "/fhir/AuditEvent", Accept=XML)
    assert (again.headers["location"], again.headers["content-type"]) == (answer.headers["location"], XML)
    plain = app.post(AUDIT_XML, XML, "/fhir/AuditEvent?_format=json")
    assert (plain.headers["content-type"], plain.json()["resourceType"]) == (FHIR, "OperationOutcome")
    assert app.kept()[0].raw == AUDIT_XML


def test_a_bundle_may_be_xml(app):
    """AuditEvents are taken out of it; context in XML is refused, entry by entry, as what is read of it in JSON may repeat."""
    entry = b'<entry><resource>%b</resource><request><method value="POST"/><url value="x"/></request></entry>'
    encounter_xml = b'<Encounter xmlns="http://hl7.org/fhir"><id value="n1"/></Encounter>'
    entries = b"".join(entry % one for one in (AUDIT_XML, encounter_xml, AUDIT_XML.replace(b"2026-03", b"SECRET")))
    body = b'<Bundle xmlns="http://hl7.org/fhir"><type value="batch"/>%b</Bundle>' % entries
    answer = app.post(body, XML, "/fhir")
    statuses = [node.get("value") for node in etree.fromstring(answer.content).iter("{http://hl7.org/fhir}status")]
    assert (answer.status_code, [status[:3] for status in statuses]) == (200, ["201", "422", "422"])
    assert b"SECRET" not in answer.content
    assert [json.loads(record.raw)["id"] for record in app.kept()] == ["x1"]
    assert sorted(letter.letter.code for letter in app.letters()) == ["bad-time", "not-an-event"]


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"<AuditEvent SECRET", XML, 400),
        (b'{"resourceType": "AuditEvent"}', XML, 400),
        (AUDIT_XML, FHIR, 400),
        (b"<SECRET/>", XML, 422),
        (b'<!DOCTYPE a [<!ENTITY b "SECRET">]><AuditEvent xmlns="http://hl7.org/fhir"><id value="&b;"/></AuditEvent>', XML, 400),
    ],
)
@pytest.mark.parametrize("path", ["/fhir/AuditEvent", "/fhir"])
def test_xml_that_is_none_is_refused(app, body, media_type, status, path):
    """As JSON that is none."""
    answer = app.post(body, media_type, path, Accept=FHIR)
    assert answer.status_code in ({status, 422} if path == "/fhir" else {status})
    assert (answer.json()["resourceType"], "SECRET" in answer.text) == ("OperationOutcome", False)
    assert app.kept() == []


def test_another_media_type_is_refused(app):
    """415 as an OperationOutcome."""
    answer = app.post(b"<AuditEvent/>", "text/turtle", "/fhir/AuditEvent")
    assert (answer.status_code, answer.json()["resourceType"]) == (415, "OperationOutcome")


def test_a_full_log_is_an_outcome_too(tmp_path):
    """503 with Retry-After; FHIR calls it transient."""
    with an_app(tmp_path, bounds=LogBounds(records_max=0)) as app:
        answer = post(app, "/fhir/AuditEvent", audit())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["issue"][0]["code"] == "transient"


def test_unknown_paths_and_methods_are_outcomes(app):
    """For FHIR clients, whatever goes wrong."""
    assert app.client.get("/fhir/AuditEvent/x1").json()["resourceType"] == "OperationOutcome"
    assert app.client.delete("/fhir/Encounter/n1").status_code == 405
