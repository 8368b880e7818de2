"""Reading over HTTP: alerts, accesses, the live stream, health, metrics and the reference."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from sentinel.web.feed import Feed
from sentinel.web.ports import Limits
from sentinel.web.problem import ProblemError
from streams.embedded import Changes
from tests.web.api_parts import EVENT, VITALS, Answers, an_app, unavailable


@pytest.fixture
def app(tmp_path):
    with an_app(tmp_path) as made:
        yield made


def test_the_queue_is_asked_with_its_filters(app):
    """Times become µs; what is not told is not filtered by."""
    app.questions.told["alerts"] = {"alerts": [{"id": "al"}], "next": None}
    query = "since=2026-03-01T00:00:00Z&severity=high&detector=bulk_export&order=time&limit=5&before=n&min_priority=2&late=false"
    answer = app.client.get(f"/v1/alerts?{query}")
    assert (answer.status_code, answer.json()) == (200, {"alerts": [{"id": "al"}], "next": None})
    [(question, args, asked)] = app.questions.asked
    assert (question, args) == ("alerts", ("t",))
    assert asked == {
        "since": 1_772_323_200_000_000,
        "until": None,
        "min_priority": 2.0,
        "severity": "high",
        "detector": "bulk_export",
        "actor": None,
        "patient": None,
        "late": False,
        "suppressed": False,
        "order": "time",
        "limit": 5,
        "before": "n",
    }


@pytest.mark.parametrize(
    ("path", "question", "who"),
    [
        ("/v1/patients/p1/accesses", "accesses_to_patient", "p1"),
        ("/v1/patients/urn%3Aoid%2F1%3F2/accesses", "accesses_to_patient", "urn:oid/1?2"),
        ("/v1/actors/dr%20who/accesses", "accesses_by_actor", "dr who"),
    ],
)
def test_accesses_are_asked_by_any_id(app, path, question, who):
    """Ids may hold slashes and whatever else."""
    app.questions.told[question] = {"accesses": [], "next": None}
    assert app.client.get(path).status_code == 200
    assert app.questions.asked == [(question, ("t", [who]), {"since": None, "until": None, "limit": 100, "before": None})]


def test_one_alert_and_its_evidence(app):
    """404 when there is none of that id."""
    assert app.client.get("/v1/alerts/none").status_code == 404
    assert app.client.get("/v1/alerts/none/evidence").json()["code"] == "not-found"
    app.questions.told |= {"alert": {"id": "al"}, "evidence": [{"access": {}, "raw": None}]}
    assert app.client.get("/v1/alerts/al").json() == {"id": "al"}
    assert app.client.get("/v1/alerts/al/evidence").json() == [{"access": {}, "raw": None}]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "since=SECRET", "order=SECRET", "severity=SECRET", "min_priority=nan", "before=" + "x" * 300],
)
def test_a_bad_parameter_is_named_and_not_quoted(app, query):
    """400 with the parameter's name."""
    answer = app.client.get(f"/v1/alerts?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")
    assert query.partition("=")[0] in answer.json()["detail"]
    assert "SECRET" not in answer.text


def test_a_cursor_that_is_none_is_refused(app):
    """The store's word that a cursor is none of its own becomes a 400."""
    app.questions.fails = ValueError("SECRET")
    answer = app.client.get("/v1/alerts?before=x")
    assert (answer.status_code, "SECRET" in answer.text) == (400, False)


def test_when_nobody_can_answer_the_client_learns_when_to_come_back(app):
    """503 with Retry-After."""
    app.questions.fails = unavailable()
    answer = app.client.get("/v1/patients/p1/accesses")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")


def test_a_failure_tells_nothing(app, capsys):
    """500 as a problem; the log has the class and the place, never the message."""
    app.questions.fails = ZeroDivisionError("SECRET")
    answer = app.client.get("/v1/alerts")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    written = capsys.readouterr()
    assert "ZeroDivisionError" in written.out + written.err
    assert "SECRET" not in answer.text + written.out + written.err


def test_health_is_for_machines(app):
    """Alive is not ready: ready means that records are taken, processed and can be asked for."""
    assert app.client.get("/healthz").json() == {"status": "ok"}
    told = app.client.get("/readyz")
    assert (told.status_code, told.json()["lag_records"], told.json()["worker"]) == (200, 2, "ready")


@pytest.mark.parametrize("changed", [{"worker": "starting"}, {"worker": "failing"}, {"log_bytes": 1_000}])
def test_a_service_that_cannot_do_all_is_not_ready(tmp_path, changed):
    """503 while the worker is not there, the store refuses, or the log is full."""
    vitals = type(VITALS)(**{name: getattr(VITALS, name) for name in VITALS.__slots__} | changed)
    with an_app(tmp_path, vitals=lambda: vitals) as app:
        assert app.client.get("/readyz").status_code == 503


def test_metrics_count_without_naming_anybody(app):
    """Sources, codes, routes and statuses are all the labels there are."""
    app.post(json.dumps(EVENT | {"id": "SECRET", "patient_id": "SECRET"}).encode())
    app.post(b'{"id": "SECRET"}')
    app.client.get("/v1/patients/SECRET/accesses")
    app.client.get("/SECRET")
    text = app.client.get("/metrics").text
    assert 'sentinel_intake_records_total{source="sentinel_json",verdict="accepted"} 1.0' in text
    assert 'route="/v1/patients/{patient_id:path}/accesses"' in text
    assert "sentinel_lag_records 2.0" in text
    assert "SECRET" not in text


def test_the_reference_is_one_plain_page(app):
    """Every operation is on it; nothing is loaded from elsewhere and nothing is inline."""
    page = app.client.get("/docs").text
    for path in app.client.get("/openapi.json").json()["paths"]:
        assert path in page
    assert not re.search(r"<script|style=|https?://|<style", page)
    assert re.findall(r'<link[^>]+href="([^"]+)"', page) == ["/docs/style.css"]
    assert app.client.get("/docs/style.css").headers["content-type"].startswith("text/css")
    targets = set(re.findall(r"href='#([^']+)'", page))
    assert targets <= set(re.findall(r"id='([^']+)'", page))


class Alerts(Answers):
    """Alerts written one after the other; the cursor is how many there are."""

    def __init__(self, written: int) -> None:
        super().__init__()
        self.written = written

    async def alerts_changed_since(self, tenant: str, cursor: str | None, *, limit: int) -> dict[str, object]:
        """Return those after the cursor."""
        self.asked.append(("alerts_changed_since", (tenant, cursor), {}))
        start = int(cursor or 0)
        stop = min(self.written, start + limit)
        return {"alerts": [{"id": f"al{n}"} for n in range(start, stop)], "cursor": str(stop)}


def a_feed(alerts: Alerts, **limits: float) -> tuple[Feed, Changes]:
    changes = Changes()
    return Feed("t", alerts, changes, Limits(**{"heartbeat_seconds": 0.05, **limits})), changes


async def take(stream, count: int) -> list[str]:
    return [(await anext(stream)).decode() for _ in range(count)]


def test_the_stream_begins_where_the_client_left_off():
    """First the place, then what was written since, a page at once, whose last event moves the place."""

    async def run() -> None:
        feed, _ = a_feed(Alerts(3))
        async with feed.client():
            ready, page, beat = await take(feed.stream("1"), 3)
        assert "event: ready\nid: 1\n" in ready
        assert page == 'event: alert\ndata: {"id":"al1"}\n\nevent: alert\ndata: {"id":"al2"}\nid: 3\n\n'
        assert beat.startswith(":")

    asyncio.run(run())


def test_a_new_alert_is_streamed_to_all_and_asked_once():
    """Clients at the same place share one question to the store."""

    async def run() -> None:
        alerts = Alerts(2)
        feed, changes = a_feed(alerts, heartbeat_seconds=5)
        async with feed.client(), feed.client():
            streams = [feed.stream("2") for _ in range(10)]
            for stream in streams:
                await take(stream, 1)
            waiting = [asyncio.create_task(take(stream, 1)) for stream in streams]
            await asyncio.sleep(0.01)
            alerts.asked.clear()
            alerts.written = 3
            changes.turn()
            told = await asyncio.gather(*waiting)
        assert {event for [event] in told} == {'event: alert\ndata: {"id":"al2"}\nid: 3\n\n'}
        assert len(alerts.asked) == 1

    asyncio.run(run())


def test_a_client_without_a_place_begins_with_what_comes():
    """The newest cursor is found by walking, once."""

    async def run() -> None:
        alerts = Alerts(2_500)
        feed, _ = a_feed(alerts)
        assert await feed.newest() == "2500"
        assert len(alerts.asked) == 4
        assert await feed.newest() == "2500"
        assert len(alerts.asked) == 5

    asyncio.run(run())


def test_streams_are_bounded_and_end_with_the_service():
    """503 beyond so many clients; when the service stops, streams end by themselves."""

    async def run() -> None:
        feed, changes = a_feed(Alerts(0), stream_clients_max=1, heartbeat_seconds=5)
        async with feed.client():
            with pytest.raises(ProblemError):
                async with feed.client():
                    pass
            stream = feed.stream("")
            await take(stream, 1)
            rest = asyncio.create_task(take(stream, 1))
            await asyncio.sleep(0.01)
            changes.close()
            with pytest.raises((StopAsyncIteration, RuntimeError)):
                await rest
        assert feed.clients == 0

    asyncio.run(run())


def test_a_stream_waits_out_a_lost_worker():
    """The client is kept with heartbeats until somebody can answer again."""

    async def run() -> None:
        alerts = Alerts(0)

        async def fail(*_: object, **__: object) -> None:
            raise unavailable()

        feed, changes = a_feed(alerts)
        answering, alerts.alerts_changed_since = alerts.alerts_changed_since, fail
        async with feed.client():
            stream = feed.stream("")
            assert (await take(stream, 3))[1:] == [": still here\n\n"] * 2
            alerts.alerts_changed_since = answering
            alerts.written = 1
            changes.turn()
            assert "al0" in (await take(stream, 1))[0]

    asyncio.run(run())


def test_a_place_that_is_none_is_refused(app):
    """400 before the stream begins."""
    app.questions.fails = ValueError()
    assert app.client.get("/v1/alerts/stream", headers={"Last-Event-ID": "junk"}).status_code == 400
