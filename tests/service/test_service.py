"""The whole service as a process: from a push to an alert on the live stream, and how it starts, stops and mends."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from streams.checkpoint import CURRENT
from streams.intake_log import IntakeLog, LogBounds
from streams.record import Kind, LogRecord

FAST = {"checkpoint_seconds": 0.3, "flush_seconds": 0.1}
NOW = datetime.now(UTC)
LINES = {"Content-Type": "application/x-ndjson"}
FHIR = {"Content-Type": "application/fhir+json"}


def events(first: int, count: int, actor: str = "a1", patient: str = "p1") -> bytes:
    told = [
        {
            "id": f"e{n}",
            "occurred_at": (NOW + timedelta(milliseconds=n)).isoformat(),
            "action": "read",
            "actor_id": actor,
            "patient_id": patient,
        }
        for n in range(first, first + count)
    ]
    return b"\n".join(json.dumps(event).encode() for event in told)


def until(found, seconds: float = 20):
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


class Listener(threading.Thread):
    """Reads the live stream, as a browser does."""

    def __init__(self, url: str, last_event_id: str = "") -> None:
        super().__init__(daemon=True)
        self.url, self.headers = url, {"Last-Event-ID": last_event_id} if last_event_id else {}
        self.alerts: list[dict] = []
        self.place = ""
        self.is_ready = False
        self.start()

    def run(self) -> None:
        """Read until the service ends the stream."""
        with httpx.stream("GET", f"{self.url}/v1/alerts/stream", headers=self.headers, timeout=30) as answer:
            event = ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                match name:
                    case "event":
                        event, self.is_ready = value, True
                    case "id":
                        self.place = value
                    case "data" if event == "alert":
                        self.alerts.append(json.loads(value))


def test_from_a_push_to_an_alert_on_the_live_stream(running):
    """Context and events in; accesses, the alert, its evidence and the stream out; a restart resumes the stream."""
    service = running(worker=FAST)
    service.start()
    service.wait_ready()
    listener = Listener(service.url)
    until(lambda: listener.is_ready)
    with httpx.Client(base_url=service.url) as client:
        practitioner = {"resourceType": "Practitioner", "id": "a1", "name": [{"family": "Martin"}]}
        assert client.put("/fhir/Practitioner/a1", json=practitioner, headers=FHIR).status_code == 200
        assert client.post("/v1/events", content=events(0, 12), headers=LINES).json()["accepted"] == 12
        [alert] = until(lambda: client.get("/v1/alerts").json()["alerts"])
        assert "martin" in alert["reasons"][0]["text"]["en"].lower()
        accesses = client.get("/v1/patients/p1/accesses").json()["accesses"]
        assert [one["id"] for one in accesses] == [f"e{n}" for n in reversed(range(12))]
        assert len(client.get("/v1/actors/a1/accesses?limit=5").json()["accesses"]) == 5
        evidence = client.get(f"/v1/alerts/{alert['id']}/evidence").json()
        assert json.loads(evidence[0]["raw"])["id"] == "e0"
        assert client.get(f"/v1/alerts/{alert['id']}").json() == alert
        assert until(lambda: listener.alerts) == [alert]
        assert client.post("/v1/events", content=events(100, 10, "a2"), headers=LINES).status_code == 202
        until(lambda: len(listener.alerts) == 2)
        assert "sentinel_events_total 22.0" in client.get("/metrics").text
    assert service.stop() == 0
    listener.join(10)
    assert not listener.is_alive(), "the stream ends with the service"
    service.start()
    service.wait_ready()
    resumed = Listener(service.url, listener.place)
    assert httpx.post(f"{service.url}/v1/events", content=events(12, 10), headers=LINES).status_code == 202
    until(lambda: resumed.alerts)
    assert [(one["actor"], one["version"]) for one in resumed.alerts] == [("a1", 2)], "what was told is not told again"
    assert service.stop() == 0
    assert "Traceback" not in service.errors.read_text()


def test_lost_workers_damaged_state_and_other_writers_change_nothing(running):
    """The worker is started again; a damaged checkpoint is replayed; what others append is processed; old records go."""
    service = running(worker=FAST, log={"retention_seconds": 0}, service={"house_seconds": 0.2})
    service.start()
    service.wait_ready()
    post = lambda first, count: httpx.post(f"{service.url}/v1/events", content=events(first, count), headers=LINES)  # noqa: E731
    assert post(0, 15).status_code == 202
    service.wait_processed()
    first = service.worker_pid()
    service.kill_worker()
    assert post(15, 15).status_code == 202, "taken while there is no worker"
    until(lambda: service.worker_pid() not in {None, first})
    service.wait_processed()
    assert "sentinel_worker_restarts_total 1.0" in httpx.get(f"{service.url}/metrics").text

    other = IntakeLog(service.folder, LogBounds())
    raw = events(30, 1)
    other.append([LogRecord("default", Kind.EVENT, "sentinel_json", raw, int(NOW.timestamp() * 1e6))]).result()
    other.close()
    until(lambda: len(httpx.get(f"{service.url}/v1/patients/p1/accesses").json()["accesses"]) == 31)
    for n in range(31, 34):
        post(n, 1)
        time.sleep(0.5)
    until(lambda: "sentinel_log_records 34.0" not in httpx.get(f"{service.url}/metrics").text)
    assert service.stop() == 0

    (service.folder / CURRENT).write_bytes(b"damaged")
    service.start()
    service.wait_ready()
    post(34, 6)
    service.wait_processed()
    [alert] = until(lambda: [one for one in httpx.get(f"{service.url}/v1/alerts").json()["alerts"] if one["version"] == 4])
    assert alert["reasons"][0]["observed"] == 40
    assert service.stop() == 0
    assert len(service.contents()["rows"]) == 40


def test_the_worker_dies_with_the_service(running):
    """A killed service leaves nobody behind, and the folder is free at once."""
    service = running()
    service.start()
    service.wait_ready()
    worker = service.worker_pid()
    service.kill()
    until(lambda: not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text().split(") ")[1][:1], 5)
    service.start()
    service.wait_ready()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(30) == 0


def test_what_cannot_run_refuses_to_start_and_says_why(running, tmp_path):
    """The port is taken, the folder is in use, the store cannot be opened: exit code 2 and one sentence."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        service = running(port=taken.getsockname()[1])
        service.start()
        assert service.process.wait(30) == 2
    assert "refused: cannot listen on 127.0.0.1" in service.errors.read_text()

    lock = os.open(tmp_path / "service.lock", os.O_RDWR | os.O_CREAT)
    import fcntl

    fcntl.flock(lock, fcntl.LOCK_EX)
    service = running()
    service.start()
    assert service.process.wait(30) == 2
    os.close(lock)
    assert "refused: another Sentinel uses this folder" in service.errors.read_text()

    (tmp_path / "store").write_text("not a folder")
    service = running()
    service.start()
    assert service.process.wait(30) == 2
    assert "refused: store" in service.errors.read_text()


def test_no_personal_data_leaves_by_the_logs(running):
    """Neither good nor bad records, nor what is asked, are in what the service writes; its files are its own."""
    service = running(worker=FAST)
    service.start()
    service.wait_ready()
    with httpx.Client(base_url=service.url) as client:
        client.post("/v1/events", content=events(0, 3, "SECRET", "SECRET"), headers=LINES)
        client.post("/v1/events", content=b'{"id": "SECRET", "occurred_at": "SECRET"}', headers=LINES)
        client.post("/fhir", content=b'{"SECRET"', headers=FHIR)
        client.get("/v1/patients/SECRET/accesses?since=SECRET")
        client.get("/v1/alerts?before=SECRET")
    service.wait_processed()
    service.kill_worker()
    time.sleep(0.5)
    service.wait_ready()
    assert service.stop() == 0
    written = service.errors.read_text()
    assert "worker-lost" in written
    assert "SECRET" not in written
    names = ("intake.sqlite", "dead_letters.sqlite", CURRENT)
    assert all((service.folder / name).stat().st_mode & 0o077 == 0 for name in names)
