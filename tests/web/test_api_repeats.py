"""Requests that come again under one key get the first answer, and dry runs keep nothing."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from streams.marks import ANSWER_SECONDS
from tests.web.api_parts import EVENT, NOW_US, an_app

LINES = "application/x-ndjson"
AUDIT = {
    "resourceType": "AuditEvent",
    "id": "x1",
    "type": {"code": "rest"},
    "action": "R",
    "recorded": "2026-03-01T10:00:00Z",
    "agent": [{"who": {"reference": "Practitioner/a1"}, "requestor": True}],
    "source": {"observer": {"display": "DPI"}},
}


class MovingClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.us = NOW_US

    def now_us(self) -> int:
        """Return the time it was moved to."""
        return self.us


def event(id_: str, **changed: object) -> bytes:
    return json.dumps(EVENT | {"id": id_} | changed).encode()


@pytest.fixture
def app(tmp_path):
    with an_app(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (event("a") + b"\n" + event("b"), 202),
        (event("a") + b"\n" + event("b", action="SECRET"), 207),
        (event("a", action="SECRET"), 422),
    ],
)
def test_a_repeat_gets_the_first_answer_and_keeps_nothing_more(app, body, status):
    """Whether all, some or none was taken; quoted or bare, compressed or not, it is the same key and the same body."""
    first = app.post(body, LINES, **{"Idempotency-Key": '"k-1"'})
    kept = app.kept()
    again = app.post(body, LINES, **{"Idempotency-Key": "k-1"})
    assert (first.status_code, "idempotency-replayed" in first.headers) == (status, False)
    assert (again.status_code, again.content, again.headers["content-type"]) == (
        status,
        first.content,
        first.headers["content-type"],
    )
    assert again.headers["idempotency-replayed"] == "true"
    assert app.kept() == kept


def test_a_key_stands_for_one_request(app):
    """422 for another body, another format, another place; what came is not kept. Another key is another request."""
    app.post(event("a"), **{"Idempotency-Key": "k"})
    for answer in (
        app.post(event("b"), **{"Idempotency-Key": "k"}),
        app.post(event("a"), LINES, **{"Idempotency-Key": "k"}),
        app.post(event("a"), path="/v1/events?format=fhir_auditevent", **{"Idempotency-Key": "k"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "key-reused")
    fhir = app.post(json.dumps(AUDIT).encode(), "application/fhir+json", "/fhir/AuditEvent", **{"Idempotency-Key": "k"})
    assert (fhir.status_code, fhir.json()["resourceType"]) == (422, "OperationOutcome")
    assert len(app.kept()) == 1
    assert app.post(event("b"), **{"Idempotency-Key": "l"}).status_code == 202


def test_what_was_not_seen_to_has_no_answer_to_repeat(app):
    """A body that could not be read at all, or for which there was no room, may come again under its key."""
    assert app.post(b"", **{"Idempotency-Key": "k"}).status_code == 400
    assert app.post(event("a"), **{"Idempotency-Key": "k"}).status_code == 202


@pytest.mark.parametrize("key", ["", '""', "x" * 257, "é"])
def test_a_key_that_is_none_is_refused(app, key):
    """400, and nothing is kept."""
    headers = {"Idempotency-Key": key.encode(), "Content-Type": "application/json"}
    answer = app.client.post("/v1/events", content=event("a"), headers=headers)
    assert (answer.status_code, app.kept()) == (400, [])


def test_an_answer_outlives_the_process_for_a_day(tmp_path):
    """After a restart it is there; after a day the key is new."""
    clock = MovingClock()
    with an_app(tmp_path, clock=clock) as app:
        first = app.post(event("a"), **{"Idempotency-Key": "k"})
    clock.us += ANSWER_SECONDS * 1_000_000
    with an_app(tmp_path, clock=clock) as app:
        assert app.post(event("a"), **{"Idempotency-Key": "k"}).headers["idempotency-replayed"] == "true"
        clock.us += 1
        again = app.post(event("a"), **{"Idempotency-Key": "k"})
        assert (again.content, "idempotency-replayed" in again.headers) == (first.content, False)


def test_a_repeat_while_the_first_is_under_way_is_told_to_wait(app):
    """409 with Retry-After, as the first will be answered soon."""

    async def both() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app.client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
            return await asyncio.gather(*(client.post("/v1/events", content=event("a"), headers=headers) for _ in range(2)))

    first, second = sorted(asyncio.run(both()), key=lambda answer: answer.status_code)
    assert (first.status_code, second.status_code, second.headers["retry-after"]) == (202, 409, "1")
    assert second.json()["code"] == "in-progress"


def test_fhir_repeats_too(app):
    """A resource and a Bundle: the first answer with its place."""
    body = json.dumps(AUDIT).encode()
    first, again = (app.post(body, "application/fhir+json", "/fhir/AuditEvent", **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["location"] == first.headers["location"]
    bundle = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": AUDIT}]}).encode()
    one, two = (app.post(bundle, "application/fhir+json", "/fhir", **{"Idempotency-Key": "l"}) for _ in range(2))
    assert (one.status_code, one.content) == (200, two.content)
    assert len(app.kept()) == 2


@pytest.mark.parametrize("switch", ["1", "true"])
def test_a_dry_run_says_what_would_be_and_keeps_nothing(app, switch):
    """The verdicts of a real one, with 200 in place of 202, which would mean that it is on disk."""
    body = event("a") + b"\n" + event("b", action="SECRET")
    tried = app.post(body, LINES, f"/v1/events?dry_run={switch}", **{"Idempotency-Key": "k"})
    assert (tried.status_code, tried.headers["x-sentinel-dry-run"]) == (207, "1")
    assert [verdict["status"] for verdict in tried.json()["verdicts"]] == ["accepted", "rejected"]
    assert app.post(event("a"), path="/v1/events?dry_run=1").status_code == 200
    assert app.post(event("a", action="x"), path="/v1/events?dry_run=1").status_code == 422
    assert (app.kept(), app.letters()) == ([], [])
    assert app.post(body, LINES, "/v1/events?dry_run=0", **{"Idempotency-Key": "k"}).status_code == 207
    assert 'source="sentinel_json",verdict="accepted"} 1.0' in app.client.get("/metrics").text


def test_a_dry_run_of_resources(app):
    """An AuditEvent, a context resource and a transaction: answered, never kept."""
    patient = {"resourceType": "Patient", "id": "p1"}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": AUDIT}, {"resource": patient}]}
    bad = AUDIT | {"agent": []}
    for path, body, status in (
        ("/fhir/AuditEvent", AUDIT, 200),
        ("/fhir/AuditEvent", bad, 422),
        ("/fhir/Patient", patient, 200),
        ("/fhir", bundle, 200),
    ):
        answer = app.post(json.dumps(body).encode(), "application/fhir+json", f"{path}?dry_run=1")
        assert (answer.status_code, "location" in answer.headers) == (status, False)
    assert (app.kept(), app.letters()) == ([], [])


def test_a_switch_is_on_or_off(app):
    """400 for anything else: who meant a dry run must not have it kept."""
    answer = app.post(event("a"), path="/v1/events?dry_run=yes")
    assert (answer.status_code, app.kept()) == (400, [])
