"""The audit record repository (IHE ITI-81): AuditEvents of a real store, read and searched for as R4 says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from lxml import etree
from pydantic import SecretStr

from sentinel.store.client import connect
from sentinel.store.migrate import migrate
from sentinel.store.questions import Questions
from sentinel.store.writer import Writer
from sentinel.web.ports import Security
from streams.sources.fhir import xml_form
from streams.sources.fhir_auditevent import SOURCE
from tests.store.making import DAY_US, START_US, a_batch, an_event, nothing_found
from tests.web.api_parts import App, an_app, unavailable

JSON, XML = "application/fhir+json", "application/fhir+xml"
BASE = "http://127.0.0.1:8000/fhir"
HOUR_US = DAY_US // 24
EVENTS = {
    "martin-reads": {
        "actor_id": "dr-martin",
        "patient_id": "p-1",
        "resource_type": "DocumentReference",
        "resource_id": "doc-1",
        "client_address": "10.1.0.1",
        "application": "DPI",
        "reason": "<&\"'\n",
    },
    "nurse-searches": {
        "actor_id": "nurse, 2",
        "action": "search",
        "outcome": "minor-failure",
        "client_address": "10.1.0.20",
        "application": "LAB",
    },
    "robot-exports": {
        "actor_id": "robot",
        "actor_type": "service",
        "action": "export",
        "patient_id": "p-2",
        "application": "DPI",
    },
    "patient-reads": {"actor_id": "p-1", "actor_type": "patient", "patient_id": "p-1", "client_address": "2001:db8::1"},
    "martin-fails": {
        "actor_id": "dr-martin",
        "actor_rpps": "10100000001",
        "action": "login-failed",
        "outcome": "serious-failure",
        "client_address": "10.1.0.1",
    },
    "other": {"actor_id": "x|y", "action": "other", "outcome": "unknown"},
}
ROWS = [
    an_event(id=name, **told)._replace(
        occurred_at=START_US + day * DAY_US + 10 * HOUR_US
    )  # 2026-03-01T10:00:00Z, a day later each
    for day, (name, told) in enumerate(EVENTS.items())
]
BATCH = a_batch(ROWS, tenant="t")
KEYS = dict(zip(EVENTS, (key.hex() for key in BATCH.key), strict=True))


class Asked:
    """The store's questions as the worker answers them, without another process."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    async def search(self, *args: Any, **kwargs: Any) -> Any:
        """See the port."""
        sent = msgspec.msgpack.decode(msgspec.msgpack.encode((args, kwargs)))
        return msgspec.to_builtins(self._questions.search(*sent[0], **sent[1]))


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A store of six accesses, and of another tenant's six."""
    connections = connect(f"chdb://{tmp_path_factory.mktemp('repository') / 'store'}")
    migrate(connections.writer)
    writer = Writer(connections.writer)
    for batch in (BATCH, a_batch(ROWS, tenant="another")):
        writer.write(batch, nothing_found(batch))
    writer.flush()
    yield Asked(Questions(connections.reader()))
    connections.close()


@pytest.fixture(scope="module")
def app(questions: Asked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The application on that store."""
    with an_app(tmp_path_factory.mktemp("app"), questions=questions) as made:
        yield made


def names_of(bundle: dict[str, Any]) -> list[str]:
    """Return which events a page has, in its order."""
    found = [entry["resource"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == "match"]
    return [resource["extension"][0]["valueString"] for resource in found]


def warned_of(bundle: dict[str, Any]) -> list[str]:
    found = [entry["resource"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == "outcome"]
    return [issue["details"]["text"] for outcome in found for issue in outcome["issue"]]


ALL = list(reversed(EVENTS))


def but(*names: str) -> list[str]:
    return [name for name in ALL if name not in names]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ALL),
        (f"_id={KEYS['other']},{KEYS['martin-reads']},nothing", ["other", "martin-reads"]),
        ("_id=nothing", []),
        ("date=2026-03-01", ["martin-reads"]),
        ("date=2026-03", ALL),
        ("date=2026", ALL),
        ("date=2025,ne2026-03-03", but("robot-exports")),
        ("date=ge2026-03-02&date=le2026-03-03", ["robot-exports", "nurse-searches"]),
        ("date=gt2026-03-02&date=lt2026-03-04", ["robot-exports"]),
        ("date=sa2026-03-05", ["other"]),
        ("date=eb2026-03-02", ["martin-reads"]),
        ("date=2026-03-01T10:00", ["martin-reads"]),
        ("date=2026-03-01T11:00:00%2B01:00", ["martin-reads"]),
        ("date=2026-03-01T11:00:00+01:00", ["martin-reads"]),
        ("date=2026-03-01T10:00:00.000Z,2026-03-02T10:00:00.001Z", ["martin-reads"]),
        ("date=2026-03-01,2026-03-06&date=ne2026-03-06", ["martin-reads"]),
        ("date=lt2026-03-02&date=gt2026-03-02", []),
        ("_lastUpdated=ge2026-03-05&date=lt2027", ["other", "martin-fails"]),
        ("address=10.1.0.1", ["martin-fails", "martin-reads"]),
        ("address=10.1", ["martin-fails", "nurse-searches", "martin-reads"]),
        ("address:exact=10.1.0.2", []),
        ("address:contains=DB8", ["patient-reads"]),
        ("address:missing=true", ["other", "robot-exports"]),
        ("agent=dr-martin", ["martin-fails", "martin-reads"]),
        ("agent=Practitioner/dr-martin", ["martin-fails", "martin-reads"]),
        ("agent=https://ehr.example/fhir/Practitioner/dr-martin", ["martin-fails", "martin-reads"]),
        ("agent=Device/dr-martin", []),
        ("agent=Device/robot,p-1", ["patient-reads", "robot-exports"]),
        ("agent:Patient=p-1", ["patient-reads"]),
        ("agent=nurse\\, 2", ["nurse-searches"]),
        ("agent=nurse, 2", []),
        ("agent.identifier=x\\|y", ["other"]),
        ("agent:identifier=urn:oid:1.2.250.1.71.4.2.1|10100000001", ["martin-fails"]),
        ("agent.identifier=urn:oid:1.2.250.1.71.4.2.1|10100000001,robot", ["martin-fails", "robot-exports"]),
        ("patient=p-1", ["patient-reads", "martin-reads"]),
        ("patient=Patient/p-1&agent=Practitioner/dr-martin", ["martin-reads"]),
        ("patient=Group/p-1", []),
        ("patient.identifier=|p-2", ["robot-exports"]),
        ("patient:missing=false", ["patient-reads", "robot-exports", "martin-reads"]),
        ("entity=DocumentReference/doc-1", ["martin-reads"]),
        ("entity=Patient/p-1", ["patient-reads", "martin-reads"]),
        ("entity:Patient=p-2", ["robot-exports"]),
        ("entity=Patient/p-2,DocumentReference/doc-1", ["robot-exports", "martin-reads"]),
        ("entity=Patient/p-2,doc-1", ["robot-exports", "martin-reads"]),
        ("entity=p-2", ["robot-exports"]),
        ("entity=Observation/doc-1", []),
        ("entity.identifier=p-2,doc-1", ["robot-exports", "martin-reads"]),
        ("source=DPI", ["robot-exports", "martin-reads"]),
        ("source.identifier=LAB", ["nurse-searches"]),
        ("source:missing=true", ["other", "martin-fails", "patient-reads"]),
        ("type=rest", ["patient-reads", "nurse-searches", "martin-reads"]),
        ("type=http://dicom.nema.org/resources/ontology/DCM|", ["martin-fails", "robot-exports"]),
        ("type=http://dicom.nema.org/resources/ontology/DCM|rest", []),
        ("subtype=read,110122", ["martin-fails", "patient-reads", "martin-reads"]),
        ("subtype:missing=true", ["other"]),
        ("action=R", ["patient-reads", "robot-exports", "martin-reads"]),
        ("action:not=R", ["other", "martin-fails", "nurse-searches"]),
        ("outcome=4,8", ["martin-fails", "nurse-searches"]),
        ("outcome=http://terminology.hl7.org/CodeSystem/none|4", []),
        ("outcome:missing=true", ["other"]),
        ("_sort=date&_count=2", ["martin-reads", "nurse-searches"]),
    ],
)
def test_a_search_finds_what_it_asks_for(app: App, query: str, names: list[str]):
    """Values side by side are alternatives, a parameter told twice is asked twice; the latest first."""
    answer = app.client.get(f"/fhir/AuditEvent?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, JSON)
    assert names_of(answer.json()) == names


def test_a_bundle_is_valid_and_says_what_was_asked(app: App):
    """A searchset of entries with addresses, which read as themselves; by the published definitions, in their order."""
    bundle = app.client.get("/fhir/AuditEvent?date=2026&patient=p-1").json()
    known = json.loads(Bundle.model_validate(bundle).model_dump_json())
    assert list(known) == list(bundle)
    assert (bundle["type"], bundle["total"]) == ("searchset", 2)
    assert bundle["link"] == [{"relation": "self", "url": f"{BASE}/AuditEvent?date=2026&patient=p-1"}]
    for entry in bundle["entry"]:
        read = app.client.get(urlsplit(entry["fullUrl"]).path)
        assert (read.status_code, read.json()) == (200, entry["resource"])


@pytest.mark.parametrize("order", ["date", "-date"])
def test_links_lead_through_all_pages(app: App, order: str):
    """By time and key: each event once, with the same parameters on every page, and no total while there is more."""
    asked, found = f"/fhir/AuditEvent?date=ge2026-03-02&_sort={order}&_count=2", []
    for _ in range(9):
        page = app.client.get(asked).json()
        found += names_of(page)
        links = {link["relation"]: link["url"] for link in page["link"]}
        assert "total" not in page
        if "next" not in links:
            break
        asked = links["next"].removeprefix("http://127.0.0.1:8000")
    assert found == (list(EVENTS)[1:] if order == "date" else ALL[:-1])


def test_a_search_may_be_posted(app: App):
    """With its parameters in the body, the URL or both, and what a patient is called in neither log nor history."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    posted = app.client.post("/fhir/AuditEvent/_search?action=R", content="patient=p-1&_format=xml", headers=form)
    assert posted.headers["content-type"] == XML
    assert names_of(app.client.post("/fhir/AuditEvent/_search", content="patient=p-2", headers=form).json()) == ["robot-exports"]
    assert app.client.post("/fhir/AuditEvent/_search", content="{}", headers={"Content-Type": JSON}).status_code == 415
    assert app.client.post("/fhir/AuditEvent/_search", content=b"agent=\xff", headers=form).status_code == 400
    assert app.client.post("/fhir/AuditEvent/_search", content=b"a" * 70_000, headers=form).status_code == 413


def test_an_event_is_read_with_its_version(app: App):
    """Which is the only one: under the address that its `Location` told as well."""
    key = KEYS["martin-reads"]
    first = app.client.get(f"/fhir/AuditEvent/{key}")
    assert (first.status_code, first.headers["etag"]) == (200, 'W/"1"')
    assert first.headers["last-modified"] == "Sun, 01 Mar 2026 10:00:00 GMT"
    assert app.client.get(f"/fhir/AuditEvent/{key}/_history/1").json() == first.json()
    [row] = SOURCE.decode([first.content]).rows
    assert row == ROWS[0]._replace(id=key)


@pytest.mark.parametrize("path", ["0" * 32, "x", f"{'0' * 32},{'1' * 32}", f"{KEYS['other']}/_history/2"])
def test_what_is_not_there_is_404(app: App, path: str):
    """Whatever the id looks like."""
    answer = app.client.get(f"/fhir/AuditEvent/{path}")
    assert (answer.status_code, OperationOutcome.model_validate(answer.json()).issue[0].code) == (404, "not-found")


@pytest.mark.parametrize(
    ("asked", "accept", "form"),
    [
        ("", "*/*", JSON),
        ("", XML, XML),
        ("", "text/html, application/xml;q=0.9, */*;q=0.8", XML),
        ("", "application/fhir+xml;q=0.5, application/fhir+json", JSON),
        ("", "application/fhir+xml;fhirVersion=4.0", XML),
        ("?_format=xml", JSON, XML),
        ("?_format=application/fhir+xml", JSON, XML),
        ("?_format=json", XML, JSON),
        ("", "text/turtle", None),
        ("?_format=ttl", JSON, None),
        ("", "application/fhir+json;q=0", None),
    ],
)
@pytest.mark.parametrize("path", ["/fhir/AuditEvent", f"/fhir/AuditEvent/{KEYS['martin-reads']}", "/fhir/metadata"])
def test_the_form_is_what_is_asked_for(app: App, path: str, asked: str, accept: str, form: str | None):
    """`_format` before `Accept`; 406 for what is not written, in JSON."""
    answer = app.client.get(path + asked, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == ((200, form) if form else (406, JSON))


def test_xml_says_what_json_says(app: App):
    """A page, read back by our own reader of FHIR's XML."""
    told = [app.client.get(f"/fhir/AuditEvent?_count=9&_format={form}") for form in ("json", "xml")]
    page, again = told[0].json(), json.loads(xml_form.to_json(told[1].content))
    assert [entry["resource"] for entry in again["entry"]] == [entry["resource"] for entry in page["entry"]]
    assert etree.fromstring(told[1].content).tag == "{http://hl7.org/fhir}Bundle"
    assert SOURCE.decode([told[1].content]).rows == SOURCE.decode([told[0].content]).rows != []


def test_what_is_not_known_is_left_out_unless_strictness_is_asked_for(app: App):
    """The page warns, and its link `self` has what was looked at; no warning quotes what was asked."""
    asked = "/fhir/AuditEvent?SECRET=SECRET&policy=SECRET&patient.identifier=urn:SECRET|p-2"
    answer = app.client.get(asked)
    assert (names_of(answer.json()), len(warned_of(answer.json()))) == (["robot-exports"], 2)
    assert dict(parse_qsl(urlsplit(answer.json()["link"][0]["url"]).query)).keys() == {"patient.identifier"}
    assert "SECRET" not in "".join(warned_of(answer.json()))
    strict = app.client.get(asked, headers={"Prefer": "return=minimal; handling=strict"})
    assert (strict.status_code, strict.json()["issue"][0]["code"], "SECRET" in strict.text) == (400, "invalid", False)


@pytest.mark.parametrize(
    "query",
    [
        "date=SECRET",
        "date=ap2026",
        "date=2026-02-30",
        "date=2026-13",
        "date=9999-12-31T99:99",
        "date=",
        "date:missing=true",
        "_lastUpdated=2026-03-01T10",
        "address:SECRET=1",
        "patient:missing=SECRET",
        "agent:contains=x",
        "type:text=SECRET",
        "entity:missing=true",
        "_count=0",
        "_count=-1",
        "_count=SECRET",
        "_sort=SECRET",
        "_page=SECRET",
        f"_page=99999999999999999 {'0' * 32}",
        "agent=" + "a," * 300,
    ],
)
def test_what_cannot_be_asked_is_refused(app: App, query: str):
    """400 as an OperationOutcome that names the parameter, not its value."""
    answer = app.client.get(f"/fhir/AuditEvent?{query}")
    assert (answer.status_code, OperationOutcome.model_validate(answer.json()).issue[0].code) == (400, "invalid")
    assert "SECRET" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", f"AuditEvent/{KEYS['other']}"), ("GET", "Patient"), ("PATCH", "AuditEvent")]
)
def test_what_is_not_done_is_405(app: App, method: str, path: str):
    """As an OperationOutcome, with what is."""
    answer = app.client.request(method, f"/fhir/{path}")
    assert (answer.status_code, answer.json()["resourceType"], "allow" in answer.headers) == (405, "OperationOutcome", True)


def test_what_it_can_is_stated(app: App):
    """A valid CapabilityStatement whose search parameters are those that are taken."""
    stated = app.client.get("/fhir/metadata").json()
    known = json.loads(CapabilityStatement.model_validate(stated).model_dump_json())
    assert list(known) == list(stated)
    [events, *contexts] = stated["rest"][0]["resource"]
    assert list(known["rest"][0]["resource"][0]) == list(events)
    assert {one["code"] for one in events["interaction"]} == {"read", "vread", "create", "search-type"}
    assert "Encounter" in {one["type"] for one in contexts}
    for parameter in events["searchParam"]:
        answer = app.client.get("/fhir/AuditEvent", params={parameter["name"]: "2026"}, headers={"Prefer": "handling=strict"})
        assert answer.status_code == 200


def test_reading_needs_the_console_token(questions: Asked, tmp_path):
    """The key of those who push opens nothing of what was pushed; what can be done is told to both."""
    intake, console = "intake-key-0123456789", "console-token-0123456789"
    keys = Security(intake_key=SecretStr(intake), console_token=SecretStr(console))

    def status(app: App, method: str, path: str, key: str) -> int:
        return app.client.request(method, path, headers={"X-Api-Key": key}).status_code

    with an_app(tmp_path, questions=questions, security=keys) as guarded:
        for method, path in (("GET", "AuditEvent"), ("GET", f"AuditEvent/{KEYS['other']}"), ("POST", "AuditEvent/_search")):
            assert status(guarded, method, f"/fhir/{path}", intake) == 401
            assert status(guarded, method, f"/fhir/{path}", console) in {200, 415}
        assert status(guarded, "POST", "/fhir/AuditEvent", console) == 401
        assert [status(guarded, "GET", "/fhir/metadata", key) for key in (intake, console, "")] == [200, 200, 401]


def test_a_store_that_does_not_answer_is_503(tmp_path):
    """With when to come back."""
    with an_app(tmp_path) as made:
        made.questions.fails = unavailable()
        answer = made.client.get("/fhir/AuditEvent?patient=p-1", headers={"Accept": XML})
        assert (answer.status_code, answer.headers["retry-after"], answer.headers["content-type"]) == (503, "3", XML)
