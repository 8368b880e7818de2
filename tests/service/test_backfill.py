"""History while live: each event once, whoever kept it first; alerts marked as late; nothing of live is touched."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx
import pytest

from sentinel import assembly
from sentinel.core.alert import Alert
from sentinel.core.batch import Provenance, batch_of
from sentinel.core.errors import RefusedToStartError
from sentinel.core.event import microseconds
from sentinel.settings import Settings
from sentinel.store.client import connect
from sentinel.store.errors import StoreError
from streams.backfill import ROWS_MAX, ROWS_MIN, BackfillSummary, Manners
from streams.replay import Replay
from tests.service.backfilling import FORMAT, History, a_week, command, contents, count, served

QUICK = Manners(patience_seconds=(0.1, 0.1))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """A week of a small hospital, misuse in it."""
    return a_week(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def told(history: History) -> dict[str, Alert]:
    """What the core says of it, by the ids that late alerts have."""
    with Path(os.devnull).open("w") as nowhere:
        job = Replay(assembly.pipeline(Settings(budget=0)), assembly.source(FORMAT), nowhere)
        job.know(history.context)
        job.run([str(history.events)])
    late = [alert.as_late() for alert in job.alerts.values()]
    assert len(late) > 10
    return {alert.id: alert for alert in late}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A store that several processes may write to."""
    with served(tmp_path / "served") as dsn:
        yield dsn


def settings(folder: Path, dsn: str, **more: Any) -> Settings:
    return Settings(data=folder / "data", store=dsn, budget=0, **more)


def backfilled(folder: Path, dsn: str, history: History, manners: Manners = QUICK, **more: Any) -> BackfillSummary:
    """Backfill in this process."""
    files = [str(more.get("events", history.events))]
    period = more.get("period", (None, None))
    told = settings(folder, dsn)
    return assembly.backfill(
        told, FORMAT, files, history.context, more.get("rejected"), period, manners, lambda _events, _bytes: None
    )


def kept_live(folder: Path, dsn: str, history: History, events: Path) -> None:
    """Keep events and alerts as a live service does: under the ids that it gives."""
    assembly.replay(settings(folder, dsn), FORMAT, [str(events)], history.context, folder / "out", lambda _events, _bytes: None)


def bodies(alerts: dict[str, Alert]) -> dict[str, Any]:
    return {id_: json.loads(alert.to_json()) for id_, alert in alerts.items()}


def test_history_is_kept_once_and_its_alerts_are_late(tmp_path: Path, history: History, told: dict[str, Alert]) -> None:
    """As the core tells them, under ids of their own; the second time there is nothing to add."""
    dsn = f"chdb://{tmp_path / 'store'}"
    first = backfilled(tmp_path, dsn, history)
    assert (first.stored, first.known, first.left_out) == (first.events, 0, 0)
    assert first.alerts == len(told)
    kept = contents(dsn)
    assert len({row[0] for row in kept.events}) == len(kept.events) == first.events
    assert kept.alerts == kept.late == bodies(told)

    second = backfilled(tmp_path, dsn, history)
    assert (second.events, second.stored, second.known, second.alerts) == (first.events, 0, first.events, first.alerts)
    assert contents(dsn) == kept


def test_what_the_live_service_kept_and_told_stays_as_it_is(tmp_path: Path, history: History) -> None:
    """Over the very same events a backfill adds nothing."""
    dsn = f"chdb://{tmp_path / 'store'}"
    kept_live(tmp_path, dsn, history, history.events)
    before = contents(dsn)
    done = backfilled(tmp_path, dsn, history)
    assert (done.stored, done.known, done.alerts, done.told_live) == (0, done.events, 0, len(before.alerts))
    assert contents(dsn) == before


def test_history_around_what_was_live_is_added(tmp_path: Path, history: History, told: dict[str, Alert]) -> None:
    """Events that the service missed are stored, those it has stay; its alerts stand beside late ones that know more."""
    dsn = f"chdb://{tmp_path / 'store'}"
    kept_live(tmp_path, dsn, history, history.second)
    before = contents(dsn)
    done = backfilled(tmp_path, dsn, history)
    after = contents(dsn)
    assert done.known == len(before.events)
    assert len({row[0] for row in after.events}) == len(after.events) == done.events == done.known + done.stored
    assert set(before.events) <= set(after.events)
    assert before.live == after.live
    assert after.late == {id_: body for id_, body in bodies(told).items() if id_ in after.late}
    live = {alert["id"]: set(alert["event_keys"]) for alert in before.alerts.values()}
    for id_ in bodies(told).keys() - after.late.keys():
        assert any(set(told[id_].event_keys) <= keys for keys in live.values())
    assert after.late


def test_killed_in_the_middle_and_started_again(tmp_path: Path, server: str, history: History, told: dict[str, Alert]) -> None:
    """Nothing is doubled and nothing is missing; the alerts are those of an undisturbed run. It runs with the least priority."""
    for _ in range(2):
        before = count(server)
        process = command(tmp_path, server, history, "--rate", "400")
        deadline = time.monotonic() + 120
        while count(server) <= before:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        nice = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[16]
        process.kill()
        process.communicate()
        assert nice == "19"
    kept = count(server)
    done = backfilled(tmp_path, server, history)
    assert 0 < kept == done.known < done.events
    after = contents(server)
    assert len({row[0] for row in after.events}) == len(after.events) == done.events
    assert after.late == after.alerts == bodies(told)


def test_a_live_service_goes_on_as_if_there_were_none(tmp_path: Path, server: str, history: History, running: Any) -> None:
    """Service and backfill write to one store at the same time: its alerts are those that it would have told anyway."""
    service = running(program="tests.service.real_service", worker={}, settings={"store": server, "budget": 0})
    service.start()
    service.wait_ready()
    process = command(tmp_path, server, history, "--rate", "2000", events=history.first)
    lines = history.second.read_bytes().splitlines(keepends=True)
    while some := list(islice(lines, 0, 200)):
        del lines[:200]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": [_entry(line) for line in some]}
        httpx.post(f"{service.url}/fhir", json=bundle, timeout=30).raise_for_status()
        time.sleep(0.1)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    service.wait_processed()
    late = httpx.get(f"{service.url}/v1/alerts", params={"late": True, "limit": 1000}).json()["alerts"]
    assert service.stop() == 0

    after = contents(server)
    done = json.loads(said)
    assert done["stored"] == done["events"]
    assert len({row[0] for row in after.events}) == len(after.events)
    assert {alert["id"] for alert in late} == after.late.keys()
    assert len(late) == done["alerts"] > 0
    undisturbed = _live_alerts(history.second)
    assert after.live == undisturbed
    assert undisturbed


def _entry(line: bytes) -> dict[str, Any]:
    return {"resource": json.loads(line), "request": {"method": "POST", "url": "AuditEvent"}}


def _live_alerts(events: Path) -> dict[str, Any]:
    """Return what the core tells of events in the order in which they came, without context."""
    source, pipeline = assembly.source(FORMAT), assembly.pipeline(Settings(budget=0))
    rows = source.decode(events.read_bytes().splitlines()).rows
    alerts = pipeline.process(batch_of("default", rows, Provenance(FORMAT))).alerts
    return {alert.id: json.loads(alert.to_json()) for alert in alerts}


def test_the_rate_holds_for_what_is_stored(tmp_path: Path, history: History) -> None:
    """A run takes as long as the rate wants it; what is stored already is not held back."""
    dsn, manners = f"chdb://{tmp_path / 'store'}", Manners(events_per_second=1_000)
    first = backfilled(tmp_path, dsn, history, manners, events=history.first)
    assert first.seconds > first.stored / 1_000 > 2
    again = backfilled(tmp_path, dsn, history, manners, events=history.first)
    assert again.seconds < 0.8 * first.seconds


@pytest.mark.parametrize(("rate", "rows"), [(0, ROWS_MAX), (10, ROWS_MIN), (1_000, 5_000), (10**6, ROWS_MAX)])
def test_inserts_are_bounded(rate: float, rows: int) -> None:
    """Seconds' worth of events, neither so few that they burden the store nor so many that others wait."""
    assert Manners(rate).rows == rows


def test_a_refusing_store_is_asked_again(tmp_path: Path, server: str, history: History) -> None:
    """The pause is told, and nothing is doubled by an insert whose answer was lost; in the end it is given up."""
    address = "http://" + server.rpartition("@")[2].partition("/")[0]
    pauses: list[tuple[str, float]] = []
    manners = Manners(patience_seconds=(0.1,), on_pause=lambda refusal, seconds: pauses.append((str(refusal), seconds)))
    urlopen(f"{address}/lose", data=b"").close()
    done = backfilled(tmp_path, server, history, manners)
    assert [seconds for _, seconds in pauses] == [0.1]
    assert pauses[0][0].startswith("the store failed to ")
    assert done.paused_seconds == 0.1
    after = contents(server)
    assert len({row[0] for row in after.events}) == len(after.events) == done.stored
    with closing(connect(server)) as connections:
        connections.writer.command("TRUNCATE TABLE access")
    urlopen(f"{address}/lose", data=b"").close()
    with pytest.raises(StoreError):
        backfilled(tmp_path, server, history, Manners(patience_seconds=()))


def test_stores_that_cannot_be_meant_are_refused(tmp_path: Path, history: History) -> None:
    """None named and none there; one that is gone at the end; one that does not answer."""
    with pytest.raises(RefusedToStartError, match=r"there is none in .*name it with --store"):
        assembly.backfill(
            Settings(data=tmp_path), FORMAT, [str(history.events)], None, None, (None, None), QUICK, lambda _events, _bytes: None
        )
    for dsn, why in (("chdb://memory", "gone with the process"), ("clickhouse://127.0.0.1:1/db", "no ClickHouse to be had")):
        with pytest.raises(RefusedToStartError, match=why):
            backfilled(tmp_path, dsn, history)


def test_the_store_of_a_running_service_is_refused_when_it_is_embedded(tmp_path: Path, history: History) -> None:
    """It has one owner: the message says so, and what else can be done. Two backfills at a time are refused as well."""
    dsn = f"chdb://{tmp_path / 'store'}"
    with closing(connect(dsn)):
        process = command(tmp_path, dsn, history)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "An embedded store has one owner at a time" in " ".join(errors.split())
    with served(tmp_path / "served") as server:
        process = command(tmp_path, server, history, "--rate", "1")
        deadline = time.monotonic() + 60
        while not count(server) and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(RefusedToStartError, match="another backfill uses this folder"):
            backfilled(tmp_path, server, history)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_what_is_younger_than_an_hour_is_left_to_the_live_service(tmp_path: Path, history: History) -> None:
    """It would take such an event without asking the store. Other bounds are those asked for; what cannot be read is told."""
    now, day = datetime.now(UTC), timedelta(days=1)
    ages = (10 * day, 2 * day, timedelta(hours=2), timedelta(minutes=10), -day)
    events = [
        {"id": f"e{at}", "occurred_at": (now - age).isoformat(), "action": "read", "actor_id": "a"} for at, age in enumerate(ages)
    ]
    file, rejected = tmp_path / "events.ndjson", tmp_path / "rejected.ndjson"
    file.write_text("\n".join(map(json.dumps, events)) + "\nSECRET\n")
    dsn = f"chdb://{tmp_path / 'store'}"
    done = assembly.backfill(
        settings(tmp_path, dsn),
        "sentinel_json",
        [str(file)],
        None,
        rejected,
        (microseconds(now - 3 * day), microseconds(now + 3 * day)),
        QUICK,
        lambda _events, _bytes: None,
    )
    assert (done.stored, done.left_out, done.rejected) == (2, 3, 1)
    [refused] = map(json.loads, rejected.read_text().splitlines())
    assert (refused["line"], refused["code"]) == (6, "unparseable")
    assert "SECRET" not in rejected.read_text()
    with closing(connect(dsn)) as connections:
        [(kept, received)] = connections.reader().query("SELECT groupArray(id), min(received_at) FROM access").result_rows
    assert sorted(kept) == ["e1", "e2"]
    assert received.replace(tzinfo=UTC) >= now
    assert asdict(done)["alerts"] == 0
