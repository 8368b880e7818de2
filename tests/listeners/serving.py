"""`sentinel serve` as a process, with a file of listeners."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from tests.listeners.listening import free_port

ROOT = Path(__file__).parents[2]
READY_SECONDS = 90.0


@dataclass
class Served:
    """A running service."""

    url: str
    process: subprocess.Popen[bytes]

    def accesses(self, patient: str, count: int) -> list[dict]:
        """Return the accesses to a patient once there are so many."""
        deadline = time.monotonic() + 60
        found: list[dict] = []
        while time.monotonic() < deadline:
            answer = httpx.get(f"{self.url}/v1/patients/{patient}/accesses", params={"limit": 1_000}, timeout=10)
            found = answer.json().get("accesses", [])
            if len(found) >= count:
                return found
            time.sleep(0.1)
        raise AssertionError(f"{len(found)} of {count}")


@contextmanager
def served(folder: Path, listeners: dict) -> Iterator[Served]:
    """Run the service until the block ends, then stop it in order."""
    port, file, log = free_port(), folder / "listeners.yaml", folder / "service.txt"
    file.write_text(yaml.safe_dump(listeners))
    told = {"SENTINEL_DATA": str(folder / "data"), "SENTINEL_PORT": str(port), "SENTINEL_LISTENERS": str(file)}
    command = [sys.executable, "-c", "from sentinel.cli import main; main()", "serve"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | told, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while b"ready" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield Served(f"http://127.0.0.1:{port}", process)
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
