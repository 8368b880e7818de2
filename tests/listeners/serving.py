"""`sentinel serve` as a process, with a file of listeners."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from tests.listeners.listening import free_port

ROOT = Path(__file__).parents[2]
READY_SECONDS = 90.0


class Served:
    """A service on a folder and a port; may be killed and started again."""

    def __init__(self, folder: Path, listeners: dict) -> None:
        port, file = free_port(), folder / "listeners.yaml"
        file.write_text(yaml.safe_dump(listeners))
        told = {"SENTINEL_DATA": str(folder / "data"), "SENTINEL_PORT": str(port), "SENTINEL_LISTENERS": str(file)}
        self.url, self._environment, self._log = f"http://127.0.0.1:{port}", os.environ | told, folder / "service.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, without waiting."""
        command = [sys.executable, "-c", "from sentinel.cli import main; main()", "serve"]
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=out, stderr=out)

    def kill(self) -> None:
        """Kill; the worker goes with it."""
        self.process.kill()
        self.process.wait()

    def wait_ready(self) -> None:
        """Wait until all works."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).json()["status"] == "ok"
        except httpx.TransportError:
            return False

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
    service = Served(folder, listeners)
    service.start()
    try:
        service.wait_ready()
        yield service
        service.process.terminate()
        assert service.process.wait(60) == 0, (folder / "service.txt").read_text()
    finally:
        service.kill()
