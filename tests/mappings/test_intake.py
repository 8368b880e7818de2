"""A mapping's records come over HTTP as any format's do: durable, refused alone, readable again by themselves."""

from __future__ import annotations

from pathlib import Path

from streams.record import guarded
from tests.mappings.mapped import source
from tests.web.api_parts import an_app

FIELDS = "fields: {id: no, occurred_at: when, action: what, actor_id: who}"
BODY = b"no,when,what,who\r\n1,2026-03-02 09:00:00,read,ann\r\n2,never,read,SECRET-4f1d\r\n3,2026-03-02 09:00:00,read,bob\r\n"


def test_a_csv_file_is_taken_row_by_row(tmp_path: Path) -> None:
    """207: each row has its verdict; what is kept of it, also of what was refused, can be read alone."""
    made = source("format: csv", FIELDS)
    with an_app(tmp_path, sources={"tried": guarded(made)}) as app:
        answer = app.post(BODY, "text/csv; charset=utf-8", "/v1/events?format=tried")
        told = answer.json()
        assert answer.status_code == 207
        assert [one["status"] for one in told["verdicts"]] == ["accepted", "rejected", "accepted"]
        assert (told["verdicts"][1]["code"], told["verdicts"][1]["pointer"]) == ("bad-time", "/when")
        assert "SECRET" not in answer.text
        assert [row.id for record in app.kept() for row in made.decode([record.raw]).rows] == ["1", "3"]
        [letter] = app.letters()
        assert made.decode([letter.letter.record.raw]).rejections[0].pointer == "/when"


def test_documents_come_as_json_and_as_xml(tmp_path: Path) -> None:
    """Each in its own media type, another is not taken."""
    xml = source("format: xml\nsplit: [{list: e, as: e}]", "fields: {occurred_at: e.@t, action: {value: read}, actor_id: e.@u}")
    made = {"js": guarded(source("format: json")), "xm": guarded(xml)}
    event = b'{"when": "2026-03-02T09:00:00Z", "what": "read", "who": "ann"}'
    with an_app(tmp_path, sources=made) as app:
        assert app.post(b"[" + event + b", " + event + b"]", "application/json", "/v1/events?format=js").json()["accepted"] == 2
        assert app.post(event + b"\n" + event, "application/x-ndjson", "/v1/events?format=js").json()["accepted"] == 2
        body = b'<l><e t="2026-03-02T09:00:00Z" u="ann"/><e t="2026-03-02T09:00:00Z" u="bob"/></l>'
        assert len(app.post(body, "application/xml", "/v1/events?format=xm").json()["verdicts"][0]["keys"]) == 2
        assert app.post(body, "text/csv", "/v1/events?format=xm").status_code == 415
