"""Replays of a simulated hospital: how files are cut changes nothing, and what is off for want of context is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.hospital import Hospital, HospitalSettings, write
from sentinel import assembly
from sentinel.settings import Settings

BUDGET = 5.0


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small hospital of ten days."""
    folder = tmp_path_factory.mktemp("hospital")
    write(Hospital(HospitalSettings(seed=5, staff=60, days=10, misuse_per_kind=1)), folder)
    return folder


def replayed(files: list[Path], context: Path | None, out: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the alerts of a replay, byte for byte, and its summary."""
    settings = Settings.read(budget=BUDGET, store=None)
    assembly.replay(settings, "fhir_auditevent", [str(file) for file in files], context, out, lambda _events, _bytes: None)
    return (out / "alerts.ndjson").read_bytes(), json.loads((out / "summary.json").read_text("utf-8"))


def test_files_cut_and_told_twice_give_the_same_alerts(hospital: Path, tmp_path: Path) -> None:
    """One file, or two by turns with some lines in both: the same bytes."""
    lines = (hospital / "events.ndjson").read_bytes().splitlines(keepends=True)
    parts = [tmp_path / "odd.ndjson", tmp_path / "even.ndjson"]
    for n, part in enumerate(parts):
        part.write_bytes(b"".join(line for i, line in enumerate(lines) if i % 2 == n or i % 10 == 0))
    whole, _ = replayed([hospital / "events.ndjson"], hospital / "context", tmp_path / "whole")
    cut, _ = replayed(parts, hospital / "context", tmp_path / "cut")
    assert whole == cut != b""


def test_a_whole_context_switches_everything_on(hospital: Path, tmp_path: Path) -> None:
    """But for what this hospital has nothing on file for: nobody leads a unit, no alert was judged, no patient's own doctor."""
    _, summary = replayed([hospital / "events.ndjson"], hospital / "context", tmp_path / "out")
    silent = [line.partition(":")[0] for line in summary["silent_detectors"]]
    assert silent == ["hierarchy_record", "repeat_after_case"]
    assert [line.partition(":")[0] for line in summary["reasons_off"]] == ["general-practitioner"]


def test_without_context_it_is_told_what_is_off_and_what_would_switch_it_on(hospital: Path, tmp_path: Path) -> None:
    """Every detector whose card needs context, and every reason but those that events alone give."""
    alerts, summary = replayed([hospital / "events.ndjson"], None, tmp_path / "out")
    needy = {d.name for d in assembly.detectors() if any(not need.startswith("AuditEvent") for need in d.card.needs)}
    silent = dict(line.split(": ") for line in summary["silent_detectors"])
    assert set(silent) == needy
    assert silent["coworker_record"] == "Patient, Practitioner, Encounter"
    assert len(summary["reasons_off"]) == 11
    assert alerts
    assert not {name for line in alerts.splitlines() for name in json.loads(line)["detectors"]} & needy
