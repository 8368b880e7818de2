"""What a command does not use, it does not import: everybody who types it waits for its imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

EVENTS = [
    {
        "id": f"e{n}",
        "occurred_at": f"2026-03-{n // 24 + 1:02}T{n % 24:02}:00:00Z",
        "action": "read",
        "actor_id": "a",
        "patient_id": "p",
    }
    for n in range(60)
]
PROGRAM = """
import sys
from sentinel.cli import main
try:
    main()
finally:
    sys.stderr.write(" ".join(sys.modules))
"""


def imported_by(*arguments: str) -> set[str]:
    """Return the modules that a command has imported when it ends."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, cwd=Path(__file__).parents[1])
    return set(done.stderr.split())


def test_a_replay_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    """Over closed hours and days, into a store: neither scipy nor pandas, nor what only other commands speak or show.

    The first replay of a version of the code may compile and grow what the next ones find.
    """
    events = tmp_path / "events.ndjson"
    events.write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    command = ("replay", "--format", "sentinel_json", "--events", str(events), "--out", str(tmp_path / "out"), "--json")
    found = [imported_by(*command, "--store", f"chdb://{tmp_path / name}") for name in ("first", "second")][1]
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["events"] == len(EVENTS)
    assert "numba.np.arraymath" in found
    assert not found & {"scipy.linalg", "scipy.special", "pandas", "httpx", "rich.progress", "rich.table", "fastapi", "river"}


@pytest.mark.parametrize("command", ["replay", "worker", "topics", "report"])
def test_help_needs_nothing_of_what_it_tells_about(command: str) -> None:
    """Neither numbers nor models: a quarter of a second less."""
    assert not imported_by(command, "--help") & {"numpy", "numba", "httpx", "asyncio", "sentinel.assembly"}
