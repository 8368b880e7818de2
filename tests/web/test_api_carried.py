"""CloudEvents, Splunk's collector and OTLP: what is in the envelopes is kept as any other record, before it is acknowledged."""

from __future__ import annotations

import base64
import gzip
import json

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as otlp
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from pydantic import SecretStr

from sentinel.web import hec
from sentinel.web.cloudevents import BATCH, STRUCTURED
from sentinel.web.otlp import PROTOBUF
from sentinel.web.ports import Security
from streams.intake_log import LogBounds
from tests.web.api_parts import EVENT, an_app

AUDIT = (
    '<AuditMessage><EventIdentification EventDateTime="2026-03-01T10:00:00Z" EventActionCode="R"/>'
    '<ActiveParticipant UserID="a1"/><AuditSourceIdentification AuditSourceID="pacs"/></AuditMessage>'
)
KEY, TOKEN = "k" * 16, "t" * 16


def event(id_: str, **changed: object) -> dict:
    return EVENT | {"id": id_} | changed


@pytest.fixture
def app(tmp_path):
    with an_app(tmp_path) as made:
        yield made


def ids(app) -> list[str]:
    return [json.loads(record.raw)["id"] for record in app.kept()]


def cloud(id_: str, **changed: object) -> dict:
    return {"specversion": "1.0", "id": id_, "source": "/dpi", "type": "read", "data": event(id_)} | changed


def test_cloudevents_come_binary_structured_and_batched(app):
    """Each with a verdict; the record is the data, as it was before it was put into JSON."""
    headers = {f"ce-{name}": value for name, value in cloud("a").items() if name != "data"}
    path = "/v1/cloudevents"
    assert app.post(json.dumps(event("a")).encode(), path=path, **headers).json()["verdicts"][0]["id"] == "a"
    assert app.post(json.dumps(cloud("b")).encode(), STRUCTURED, path).status_code == 202
    packed = base64.b64encode(json.dumps(event("d")).encode()).decode()
    batch = [cloud("c"), {**cloud("d"), "data_base64": packed}, cloud("e", data=event("e", action="SECRET"))]
    answer = app.post(json.dumps(batch).encode(), BATCH, path)
    assert answer.status_code == 207
    assert [one["status"] for one in answer.json()["verdicts"]] == ["accepted", "accepted", "rejected"]
    assert ids(app) == ["a", "b", "c", "d"]
    text = cloud("f", data=AUDIT, datacontenttype="application/xml")
    assert app.post(json.dumps(text).encode(), STRUCTURED, f"{path}?format=dicom_atna").status_code == 202
    assert (app.kept()[-1].source, app.kept()[-1].raw) == ("dicom_atna", AUDIT.encode())


@pytest.mark.parametrize(
    ("changed", "code", "pointer"),
    [
        ({"id": ""}, "missing-field", "/id"),
        ({"specversion": None}, "wrong-type", ""),
        ({"data_base64": "SECRET!"}, "bad-value", "/data_base64"),
    ],
)
def test_an_envelope_that_is_none_is_kept_aside(app, changed, code, pointer):
    """With its bytes; the others go on."""
    answer = app.post(json.dumps([cloud("a", **changed), cloud("b")]).encode(), BATCH, "/v1/cloudevents")
    assert answer.status_code == 207
    assert (answer.json()["verdicts"][0]["code"], answer.json()["verdicts"][0]["pointer"]) == (code, pointer)
    assert ids(app) == ["b"]
    assert len(app.letters()) == 1
    assert b"SECRET" not in answer.content


@pytest.mark.parametrize(("body", "media_type"), [(b"{}", "application/json"), (b"[]", BATCH), (b"{", BATCH)])
def test_what_is_no_cloudevent_is_refused(app, body, media_type):
    """400, and nothing is kept."""
    assert app.post(body, media_type, "/v1/cloudevents").status_code == 400
    assert (app.kept(), app.letters()) == ([], [])


def test_cloudevents_may_repeat_and_try(app):
    """As any other request."""
    body = json.dumps(cloud("a")).encode()
    assert app.post(body, STRUCTURED, "/v1/cloudevents?dry_run=1").status_code == 200
    assert app.kept() == []
    first, again = (app.post(body, STRUCTURED, "/v1/cloudevents", **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")


@pytest.mark.parametrize("between", ["", "\n", " \r\n\t"])
def test_splunks_senders_push_events(app, between):
    """Objects one behind the other, compressed or not; a sourcetype that is a format's name names it."""
    sent = [{"event": event("a"), "time": 1, "host": "h"}, {"event": json.dumps(event("b"))}]
    sent += [{"event": AUDIT, "sourcetype": "dicom_atna"}]
    body = between.join(json.dumps(one) for one in sent).encode()
    answer = app.post(gzip.compress(body), "", "/services/collector/event", **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()) == (200, {"text": "Success", "code": 0})
    assert [record.source for record in app.kept()] == ["sentinel_json", "sentinel_json", "dicom_atna"]
    assert [record.raw for record in app.kept()][1:] == [json.dumps(event("b")).encode(), AUDIT.encode()]


def test_splunks_senders_push_lines(app):
    """One record a line, in the format the address names."""
    body = b"\n".join(json.dumps(event(name)).encode() for name in "ab")
    assert app.post(body, "text/plain", "/services/collector/raw?channel=1").json()["code"] == 0
    assert ids(app) == ["a", "b"]


def test_splunks_acknowledgements_say_yes(app):
    """With a channel there is an id to ask for; what was answered is on disk already."""
    body, channel = json.dumps({"event": event("a")}).encode(), {"X-Splunk-Request-Channel": "c"}
    told = [app.post(body, "", "/services/collector", **channel).json()["ackId"] for _ in range(2)]
    assert len(set(told)) == 2
    answer = app.post(json.dumps({"acks": told}).encode(), path="/services/collector/ack?channel=c")
    assert answer.json() == {"acks": {str(one): True for one in told}}
    assert app.client.get("/services/collector/health").json()["code"] == 17


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, 5),
        (b'{"event": "SECRET"', 400, 6),
        (b'{"fields": {}}', 400, 12),
        (b"SECRET", 400, 6),
        (b'{"event": 1} x', 400, 6),
    ],
)
def test_splunks_senders_are_told_what_is_wrong_in_splunks_words(app, body, status, code):
    """And nothing of the body is kept or quoted."""
    answer = app.post(body, "", "/services/collector/event")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert b"SECRET" not in answer.content
    assert (app.kept(), app.letters()) == ([], [])


def test_what_splunk_would_take_and_no_format_reads_is_kept_aside(app):
    """The collector knows no verdicts: the sender is done, the operator sees the record."""
    assert app.post(b'{"event": "SECRET"}', "", "/services/collector/event").status_code == 200
    assert [letter.letter.record.raw for letter in app.letters()] == [b"SECRET"]


def log(body: AnyValue | None, **attributes: str) -> LogRecord:
    told = [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()]
    return LogRecord(body=body, attributes=told)


def mapped(found: dict) -> AnyValue:
    return AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in found.items()]))


def asked(*logs: LogRecord) -> otlp.ExportLogsServiceRequest:
    return otlp.ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[one])]) for one in logs])


@pytest.mark.parametrize("media_type", [PROTOBUF, "application/json"])
def test_logs_of_opentelemetry_are_records(app, media_type):
    """Texts as they are, maps as JSON, without a body the attributes; in protobuf and JSON."""
    request = asked(
        log(AnyValue(string_value=json.dumps(event("a")))),
        log(mapped(event("b"))),
        log(None, **event("c")),
        log(AnyValue(bytes_value=json.dumps(event("d")).encode())),
    )
    body = request.SerializeToString() if media_type == PROTOBUF else json_format.MessageToJson(request).encode()
    answer = app.post(body, media_type, "/v1/logs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.content == (b"" if media_type == PROTOBUF else b"{}")
    assert ids(app) == list("abcd")


def test_logs_that_cannot_be_read_are_told_as_a_partial_success(app):
    """They are kept aside, and are not sent again."""
    request = asked(log(AnyValue(string_value="SECRET")), log(mapped(event("b"))))
    answer = app.post(request.SerializeToString(), PROTOBUF, "/v1/logs")
    told = otlp.ExportLogsServiceResponse.FromString(answer.content)
    assert (answer.status_code, told.partial_success.rejected_log_records) == (200, 1)
    as_json = app.post(json_format.MessageToJson(request).encode(), path="/v1/logs").json()
    assert as_json["partialSuccess"]["rejectedLogRecords"] == "1"
    assert len(app.letters()) == 1


def test_values_of_any_kind_become_json(app):
    """Numbers, lists, bytes, nothing; nested without end they are cut."""
    deep = AnyValue(int_value=1)
    for _ in range(40):
        deep = AnyValue(array_value=ArrayValue(values=[deep]))
    values = {"i": AnyValue(int_value=7), "f": AnyValue(double_value=0.5), "b": AnyValue(bytes_value=b"\1"), "n": AnyValue()}
    found = AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key=k, value=v) for k, v in {**values, "d": deep}.items()]))
    app.post(asked(log(found)).SerializeToString(), PROTOBUF, "/v1/logs")
    [letter] = app.letters()
    told = json.loads(letter.letter.record.raw)
    assert {name: told[name] for name in "ifbn"} == {"i": 7, "f": 0.5, "b": "01", "n": None}


@pytest.mark.parametrize("media_type", [PROTOBUF, "application/json"])
@settings(max_examples=40, deadline=None)
@given(body=st.binary(max_size=80))
def test_whatever_bytes_come_as_logs_are_answered(tmp_path_factory, media_type, body):
    """200 or 400, with a status that OpenTelemetry's senders read."""
    with an_app(tmp_path_factory.mktemp("app")) as app:
        answer = app.post(body, media_type, "/v1/logs")
    assert answer.status_code in {200, 400}
    assert answer.headers["content-type"] == media_type


def test_a_full_log_is_told_to_each_in_its_way(tmp_path):
    """503 with Retry-After: all of them send again."""
    with an_app(tmp_path, bounds=LogBounds(records_max=0, retry_after_seconds=7)) as app:
        answers = [
            app.post(json.dumps(cloud("a")).encode(), STRUCTURED, "/v1/cloudevents"),
            app.post(json.dumps({"event": event("a")}).encode(), "", "/services/collector/event"),
            app.post(asked(log(mapped(event("a")))).SerializeToString(), PROTOBUF, "/v1/logs"),
        ]
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "7")] * 3
    assert answers[1].json()["code"] == 9
    assert answers[2].content.startswith(b"\x08\x0e\x12")


def test_all_of_them_ask_for_the_intake_key(tmp_path):
    """Splunk's senders present it in Splunk's way."""
    security = Security(intake_key=SecretStr(KEY), console_token=SecretStr(TOKEN))
    body = json.dumps({"event": event("a")}).encode()
    with an_app(tmp_path, security=security) as app:
        for path in ("/v1/cloudevents", "/v1/logs", hec.ROOT, f"{hec.ROOT}/event", f"{hec.ROOT}/raw", f"{hec.ROOT}/ack"):
            assert app.post(body, path=path).status_code == 401
            assert app.post(body, path=path, Authorization=f"Bearer {TOKEN}").status_code == 401
        assert app.post(body, path=hec.ROOT).json() == {"text": "Token is required", "code": 2}
        assert app.post(body, path=hec.ROOT, Authorization=f"Splunk {KEY}").status_code == 200
