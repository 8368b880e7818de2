"""The embedded service as a process: started, fed over HTTP, killed, looked into."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """One embedded service on a folder; may be started again on the same folder and port."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder, self.options = folder, {"port": free_port(), **options}
        self.url = f"http://127.0.0.1:{self.options['port']}"
        self.process: subprocess.Popen[str] | None = None
        self.errors = folder / "stderr.txt"

    def start(self) -> None:
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.service.counting_service", str(self.folder), json.dumps(self.options)],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=ROOT,
            )

    def wait_ready(self) -> None:
        self.wait(lambda told: told["status"] == "ok")

    def wait(self, until, seconds: float = READY_SECONDS) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process is None or self.process.poll() is None, self.errors.read_text()[-2000:]
            told = self.health()
            if told is not None and until(told):
                return told
            time.sleep(0.05)
        raise AssertionError(f"not ready: {self.health()}; {self.errors.read_text()[-2000:]}")

    def health(self) -> dict[str, Any] | None:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).json()
        except httpx.TransportError:
            return None

    def wait_processed(self) -> None:
        self.wait(lambda told: told["status"] == "ok" and told["lag_records"] == 0)

    def worker_pid(self) -> int | None:
        pid = self.process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def kill_worker(self) -> None:
        pid = self.worker_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def contents(self) -> dict[str, Any]:
        """Return what the stopped service's store holds."""
        told = subprocess.run(
            [sys.executable, "-m", "tests.service.store_contents", str(self.folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(told.stdout)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Any]:
    """Makes services that are killed at the end, should they still run."""
    made: list[Running] = []

    def make(**options: Any) -> Running:
        made.append(Running(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()
