"""What tests of a backfill share: a store served to several at once, and what a store holds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.hospital import Hospital, HospitalSettings, write
from sentinel.store.client import connect
from sentinel.store.migrate import migrate
from tests.service.conftest import COMPILED, ROOT

FORMAT = "fhir_auditevent"
CLI = "from sentinel.cli import main; main()"


@dataclass(frozen=True)
class History:
    """A simulated hospital's past: its context, all its events, and the same in two halves."""

    context: Path
    events: Path
    first: Path
    second: Path


def a_week(folder: Path) -> History:
    """Simulate a week of a small hospital, misuse in it."""
    write(Hospital(HospitalSettings(seed=3, staff=40, days=7, misuse_per_kind=1)), folder, lambda _events: None)
    lines = (folder / "events.ndjson").read_bytes().splitlines(keepends=True)
    half = len(lines) // 2
    (folder / "first.ndjson").write_bytes(b"".join(lines[:half]))
    (folder / "second.ndjson").write_bytes(b"".join(lines[half:]))
    return History(folder / "context", folder / "events.ndjson", folder / "first.ndjson", folder / "second.ndjson")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve an empty store, brought up to date, and give its DSN."""
    command = [sys.executable, str(ROOT / "tests/store/serving.py"), str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, env=COMPILED, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        dsn = f"clickhouse://sentinel:let%20me%20in@127.0.0.1:{int(process.stdout.readline())}/default"
        with closing(connect(dsn)) as connections:
            migrate(connections.writer)
        yield dsn
    finally:
        process.kill()
        process.communicate()


@dataclass(frozen=True)
class Contents:
    """What a store holds: events by key with what was concluded, and alerts, each as it stands."""

    events: list[tuple[Any, ...]]
    alerts: dict[str, dict[str, Any]]

    @property
    def late(self) -> dict[str, dict[str, Any]]:
        """Those that a backfill found."""
        return {id_: alert for id_, alert in self.alerts.items() if "late" in alert}

    @property
    def live(self) -> dict[str, dict[str, Any]]:
        """The others."""
        return {id_: alert for id_, alert in self.alerts.items() if "late" not in alert}


def contents(dsn: str) -> Contents:
    """Look into a store."""
    with closing(connect(dsn)) as connections:
        ask = connections.reader().query
        events = ask("SELECT hex(key), explained_by, toString(detectors), weighed FROM access ORDER BY key").result_rows
        alerts = [json.loads(body) for (body,) in ask("SELECT body FROM alert FINAL").result_rows]
    return Contents([tuple(row) for row in events], {alert["id"]: alert for alert in alerts})


def count(dsn: str) -> int:
    """Return how many events a served store holds now."""
    with closing(connect(dsn)) as connections:
        return int(connections.reader().query("SELECT count() FROM access").result_rows[0][0])


def command(folder: Path, dsn: str, history: History, *more: str, events: Path | None = None) -> subprocess.Popen[str]:
    """Start `sentinel backfill` as people do."""
    told = ["--store", dsn, "--context", history.context, "--format", FORMAT, "--events", events or history.events]
    return subprocess.Popen(
        [sys.executable, "-c", CLI, "backfill", *map(str, told), "--budget", "0", "--json", *more],
        cwd=folder,
        env=COMPILED | {"PYTHONPATH": str(ROOT), "SENTINEL_DATA": str(folder / "data")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
