"""Splunk's collector: an event as its documentation describes it, with the token and nothing of it anywhere else."""

from __future__ import annotations

from pydantic import SecretStr
from starlette.responses import JSONResponse

from streams.outputs.splunk_hec import OUTPUT
from tests.outputs.receiving import a_telling, an_alert, receiver
from tests.outputs.telling_once import refuse, tell

HERE = {"allow_plain": True, "allow_networks": ["127.0.0.0/8"], "token": SecretStr("TOKEN")}


def test_an_event_has_its_time_and_what_it_is_known_by():
    """Time in seconds with its fraction; the fields that find it again, texts as the collector wants them."""
    with receiver() as splunk:
        splunk.answers = iter([JSONResponse({"text": "Success", "code": 0})])
        tell(OUTPUT, url=splunk.url, **HERE)
        tell(OUTPUT, a_telling(an_alert(version=2)), url=splunk.url, index="sec", format="cef", host="chu", **HERE)
    first, second = splunk.posts
    assert first.headers["authorization"] == "Splunk TOKEN"
    assert first.json["time"] == 1772003600.123456
    assert (first.json["source"], first.json["sourcetype"], "index" in first.json) == ("sentinel", "sentinel:alert", False)
    assert first.json["event"]["data"]["id"] == an_alert().id
    assert first.json["fields"] == {"telling_id": a_telling().id, "alert_id": an_alert().id, "version": "1"}
    assert (second.json["index"], second.json["host"], second.json["event"][:5]) == ("sec", "chu", "CEF:0")
    assert b"TOKEN" not in first.body + second.body


def test_what_the_collector_says():
    """Invalid data is not sent again; a wrong token and a busy server are."""
    with receiver() as splunk:
        splunk.answers = iter(
            [
                JSONResponse({"text": "Invalid data format", "code": 6}, 400),
                JSONResponse({"text": "Invalid token", "code": 4}, 403),
                JSONResponse({"text": "Server is busy", "code": 9}, 503),
            ]
        )
        said = [refuse(OUTPUT, url=splunk.url, **HERE) for _ in range(3)]
    assert [(one.code, one.is_final) for one in said] == [("refused", True), ("unauthorised", False), ("busy", False)]
