"""A verdict given on the command line to a running service weighs what it finds later, also after a restart."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from tests.service.conftest import COMPILED, ROOT
from tests.service.test_service import LINES, until

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=30)
FAST = {"checkpoint_seconds": 0.3, "flush_seconds": 0.1}
SETTINGS = {"budget": 0, "model": False, "detectors": ["brute_force_success"]}


def forced(who: str, days: float) -> bytes:
    """Return logins that fail eight times, then succeed."""
    told = []
    for n in range(9):
        at = START + timedelta(days=days, seconds=n)
        action = "login" if n == 8 else "login-failed"
        told.append({"id": f"{who}-{days}-{n}", "occurred_at": at.isoformat(), "action": action, "actor_id": who})
    return b"\n".join(json.dumps(event).encode() for event in told)


def ordinary(people: int) -> bytes:
    """Return a day on which nothing happens to anybody: against it, a forced password is rare."""
    at = (START + timedelta(days=1)).isoformat()
    told = [
        {"id": f"calm-{n}", "occurred_at": at, "action": "read", "actor_id": f"calm-{n}", "patient_id": "p"}
        for n in range(people)
    ]
    return b"\n".join(json.dumps(event).encode() for event in told)


def sentinel(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [str(Path(sys.executable).with_name("sentinel")), *words]
    return subprocess.run(command, cwd=ROOT, env=COMPILED, capture_output=True, text=True, check=False)


def test_what_was_justified_weighs_less_from_then_on(running) -> None:
    """Of two people who do the same twice, the mild story of the one whose first was justified is told no more."""
    service = running(program="tests.service.real_service", worker=FAST, settings=SETTINGS)
    service.start()
    service.wait_ready()

    def told() -> dict[str, str]:
        return {alert["id"]: alert["actor"] for alert in httpx.get(f"{service.url}/v1/alerts").json()["alerts"]}

    for who in ("ann", "bea"):
        httpx.post(f"{service.url}/v1/events", content=forced(who, 0), headers=LINES).raise_for_status()
    httpx.post(f"{service.url}/v1/events", content=ordinary(300), headers=LINES).raise_for_status()
    first = until(lambda: found if len(found := told()) == 2 else {})
    judged = next(alert for alert, actor in first.items() if actor == "ann")
    said = sentinel("verdict", judged, "justified", "--reason", "new keyboard", "--url", service.url, "--json")
    assert json.loads(said.stdout)["verdict"] == "justified", said.stderr
    assert sentinel("verdict", "0" * 32, "justified", "--url", service.url).returncode == 2
    service.wait_processed()
    assert service.stop() == 0
    service.start()
    service.wait_ready()
    for who in ("ann", "bea"):
        httpx.post(f"{service.url}/v1/events", content=forced(who, 20), headers=LINES).raise_for_status()
    service.wait_processed()
    later = until(lambda: {alert: actor for alert, actor in told().items() if alert not in first})
    assert [*later.values()] == ["bea"]
    assert service.stop() == 0
    assert "new keyboard" not in service.errors.read_text()
