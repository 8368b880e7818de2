"""`POST /v1/events`: each record has its verdict, what is told is on disk, and nothing is unbounded or quoted."""

from __future__ import annotations

import gzip
import json

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.ids import event_key
from sentinel.web.body import decompressed
from sentinel.web.intake import Receipt, Refusal
from sentinel.web.ports import Limits
from sentinel.web.problem import ProblemError
from streams.intake_log import LogBounds
from streams.record import Kind
from tests.web.api_parts import EVENT, NOW_US, an_app, zstd

LINES = "application/x-ndjson"


def event(id_: str, **changed: object) -> bytes:
    return json.dumps(EVENT | {"id": id_} | changed).encode()


@pytest.fixture
def app(tmp_path):
    with an_app(tmp_path) as made:
        yield made


def test_one_event_is_on_disk_when_acknowledged(app):
    """202, a verdict with the id and the derived key, and the bytes in the log as they came."""
    answer = app.post(event("e1"))
    assert answer.status_code == 202
    key = event_key("t", "sentinel_json", "e1").hex()
    verdict = {"index": 0, "status": "accepted", "id": "e1", "keys": [key]}
    assert answer.json() == {"accepted": 1, "rejected": 0, "verdicts": [verdict]}
    [record] = app.kept()
    assert (record.tenant, record.kind, record.source, record.raw) == ("t", Kind.EVENT, "sentinel_json", event("e1"))
    assert record.received_us == NOW_US


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"[" + event("a") + b" , " + event("b") + b"]", "application/json"),
        (event("a") + b"\n\n" + event("b") + b"\r\n", LINES),
        (event("a") + b"\n" + event("b"), "application/jsonl; charset=utf-8"),
        (b"\xef\xbb\xbf[" + event("a") + b"," + event("b") + b"]", "Application/JSON"),
    ],
)
def test_batches_come_as_an_array_or_as_lines(app, body, media_type):
    """Each element or line is one record; blank lines are none."""
    answer = app.post(body, media_type)
    assert answer.status_code == 202
    assert [verdict["id"] for verdict in answer.json()["verdicts"]] == ["a", "b"]
    assert [record.raw.strip() for record in app.kept()] == [event("a"), event("b")]


def test_a_bad_record_never_stops_the_good_ones(app):
    """207, each with its verdict; the bad one is in the dead letters with its bytes, and the answer quotes nothing."""
    bad = event("b", occurred_at="SECRET")
    answer = app.post(event("a") + b"\n" + bad + b"\n" + event("c"), LINES)
    told = Receipt.model_validate(answer.json())
    assert (answer.status_code, told.accepted, told.rejected) == (207, 2, 1)
    assert [verdict.status for verdict in told.verdicts] == ["accepted", "rejected", "accepted"]
    [letter] = app.letters()
    assert (letter.letter.record.raw, letter.id) == (bad, told.verdicts[1].dead_letter)
    assert (told.verdicts[1].code, told.verdicts[1].pointer) == (letter.letter.code, "/occurred_at")
    assert b"SECRET" not in answer.content


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" + event("a", action="SECRET") + b"]", 422),
        (b"{not json SECRET", 400),
        (b'[{"a": 1}, SECRET', 400),
        (b"[" * 100_000, 400),
        (b'"SECRET"', 422),
        (b"\xff\xfe", 400),
    ],
)
def test_when_none_can_be_taken_the_answer_is_a_problem_with_verdicts(app, body, status):
    """400 when it is no JSON, 422 when it is no event; nothing is logged, all is kept aside, nothing quoted."""
    answer = app.post(body)
    told = Refusal.model_validate(answer.json())
    assert answer.status_code == told.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert told.rejected == len(told.verdicts) == 1
    assert app.kept() == []
    assert len(app.letters()) == 1
    assert b"SECRET" not in answer.content


def test_other_formats_are_asked_for_by_name(app):
    """By query or header; an unknown one is refused with the names there are."""
    audit = {
        "resourceType": "AuditEvent",
        "id": "x1",
        "recorded": "2026-03-01T10:00:00Z",
        "action": "R",
        "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110110"},
        "agent": [{"requestor": True, "who": {"reference": "Practitioner/a1"}}],
        "source": {"observer": {"display": "DPI"}},
    }
    body = json.dumps(audit).encode()
    assert app.post(body, path="/v1/events?format=fhir_auditevent").json()["verdicts"][0]["id"] == "x1"
    assert app.post(body, **{"X-Sentinel-Format": "fhir_auditevent"}).status_code == 202
    assert [record.source for record in app.kept()] == ["fhir_auditevent"] * 2
    unknown = app.post(body, path="/v1/events?format=nothing")
    assert unknown.status_code == 400
    assert "sentinel_json" in unknown.json()["detail"]


def test_audit_messages_are_pushed_as_xml(app):
    """Several in a body, with syslog headers or without: each is a record, with its verdict; JSON's types are refused."""
    message = (
        b'<AuditMessage><EventIdentification EventDateTime="2026-03-01T10:00:0%dZ" EventActionCode="R"/>'
        b'<ActiveParticipant UserID="a1"/><AuditSourceIdentification AuditSourceID="pacs"/></AuditMessage>'
    )
    body = b"<85>1 - - - - - - %b\n%b" % (message % 1, message % 2)
    path = "/v1/events?format=dicom_atna"
    for media_type in ("application/xml", "text/xml; charset=utf-8", "text/plain"):
        assert app.post(body, media_type, path=path).json()["accepted"] == 2
    assert [record.source for record in app.kept()] == ["dicom_atna"] * 6
    assert app.post(body, "application/json", path=path).status_code == 415


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_a_media_type_that_is_not_json_is_refused(app, media_type):
    """415 names those that are taken."""
    answer = app.post(event("a"), media_type)
    assert answer.status_code == 415
    assert "application/x-ndjson" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"[]", b"  \n", b" [ ] "])
def test_an_empty_body_is_a_mistake(app, body):
    """400, so that a sender that sends nothing learns it."""
    assert app.post(body).json()["code"] == "empty"


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstd)])
def test_bodies_may_be_compressed(app, coding, pack):
    """Small and large, in one or several members or frames."""
    assert app.post(pack(event("a")), **{"Content-Encoding": coding}).status_code == 202
    many = b"\n".join(event(f"e{n}") for n in range(2_000))
    answer = app.post(pack(many[:100]) + pack(many[100:]), LINES, **{"Content-Encoding": coding})
    assert answer.json()["accepted"] == 2_000


def test_another_coding_is_refused(app):
    """415 says which are taken."""
    answer = app.post(event("a"), **{"Content-Encoding": "br"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, zstd")


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstd)])
def test_a_damaged_body_is_refused(app, coding, pack):
    """Cut short anywhere, or followed by something else: 400, and nothing of it is taken."""
    whole = pack(event("a") * 3)
    for damaged in (whole[:-1], whole[: len(whole) // 2], whole + b"x", b"x" + whole, whole[:1]):
        assert app.post(damaged, LINES, **{"Content-Encoding": coding}).status_code == 400
    assert app.kept() == []


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstd)])
def test_a_bomb_is_never_made_whole(tmp_path, coding, pack):
    """413 as soon as the limit is passed, whatever the body claims."""
    with an_app(tmp_path, limits=Limits(body_bytes_max=100_000)) as app:
        answer = app.post(pack(b" " * 50_000_000), LINES, **{"Content-Encoding": coding})
        assert answer.status_code == 413


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["gzip", "zstd"]), st.integers(0, 400))
def test_decompression_gives_the_whole_or_refuses(plain, coding, bytes_max):
    """Within the limit what was compressed, beyond it 413."""
    sent = gzip.compress(plain) if coding == "gzip" else zstandard.compress(plain)
    if len(plain) <= bytes_max:
        assert decompressed(sent, coding, bytes_max) == plain.removeprefix(b"\xef\xbb\xbf")
    else:
        with pytest.raises(ProblemError) as refused:
            decompressed(sent, coding, bytes_max)
        assert refused.value.status == 413


def test_bodies_and_records_are_bounded(tmp_path):
    """413 by the declared and by the real length, and by the number of records; a record too large is rejected alone."""
    with an_app(tmp_path, limits=Limits(body_bytes_max=5_000, records_max=3, record_bytes_max=1_000)) as app:
        assert app.post(b"x" * 5_001).status_code == 413
        chunked = app.client.post("/v1/events", content=iter([b"x" * 3_000] * 2), headers={"Content-Type": LINES})
        assert chunked.status_code == 413
        assert app.post(b"\n".join([event("a")] * 4), LINES).status_code == 413
        answer = app.post(event("a") + b"\n" + event("b", reason="x" * 1_000), LINES)
        assert [verdict.get("code") for verdict in answer.json()["verdicts"]] == [None, "too-large"]


def test_all_bodies_together_are_bounded(tmp_path):
    """503 with Retry-After when memory for bodies is used up."""
    with an_app(tmp_path, limits=Limits(bodies_bytes_max=10)) as app:
        answer = app.post(event("a"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_a_full_log_says_when_to_come_back(tmp_path):
    """503 with Retry-After; nothing of the body is kept."""
    with an_app(tmp_path, bounds=LogBounds(records_max=2, retry_after_seconds=7)) as app:
        assert app.post(event("a") + b"\n" + event("b"), LINES).status_code == 202
        answer = app.post(event("c"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        assert answer.json()["code"] == "unavailable"


def test_sending_twice_names_the_same_event(app):
    """The key depends on what was sent alone."""
    first, second = app.post(event("a")).json(), app.post(event("a")).json()
    assert first == second


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.builds(event, st.text(min_size=1, max_size=5))), max_size=6))
def test_whatever_comes_each_record_is_accounted_for(tmp_path_factory, records):
    """Every line is in the log or in the dead letters, never in both, and has a verdict; a body's byte order mark is no line."""
    body = b"\n".join(records)
    lines = [line for line in body.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    with an_app(tmp_path_factory.mktemp("app")) as app:
        answer = app.post(body, LINES)
        assert answer.status_code in ({202, 207, 400, 422} if lines else {400})
        if lines:
            told = answer.json()
            assert len(told["verdicts"]) == len(lines)
            assert told["accepted"] == len(app.kept())
            kept_aside = {letter.letter.record.raw for letter in app.letters()}
            bad = {line for line, verdict in zip(lines, told["verdicts"], strict=True) if verdict["status"] == "rejected"}
            assert {line.removeprefix(b"\xef\xbb\xbf") for line in bad} == {
                line.removeprefix(b"\xef\xbb\xbf") for line in kept_aside
            }
