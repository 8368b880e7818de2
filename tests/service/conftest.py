"""The embedded service as a process: started, fed over HTTP, killed, looked into."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60.0
# Modules are compiled once for all starts, whatever the environment of the tests says.
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / f"sentinel-tests-{os.getuid()}")
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """One embedded service on a folder; may be started again on the same folder and port."""

    def __init__(self, folder: Path, program: str = "tests.service.counting_service", **options: Any) -> None:
        self.folder, self.program, self.options = folder, program, {"port": free_port(), **options}
        self.url = f"http://127.0.0.1:{self.options['port']}"
        self.process: subprocess.Popen[str] | None = None
        self.errors = folder / "stderr.txt"

    def start(self) -> None:
        """Start, without waiting."""
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.program, str(self.folder), json.dumps(self.options)],
                stdout=errors,
                stderr=errors,
                cwd=ROOT,
                env=COMPILED,
            )

    def wait_ready(self) -> None:
        """Wait until all works."""
        self.wait(lambda told: told["status"] == "ok")

    def wait(self, until, seconds: float = READY_SECONDS) -> dict[str, Any]:
        """Wait until `/readyz` tells what is wanted."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process is None or self.process.poll() is None, self.errors.read_text()[-2000:]
            told = self.health()
            if told is not None and until(told):
                return told
            time.sleep(0.05)
        raise AssertionError(f"not ready: {self.health()}; {self.errors.read_text()[-2000:]}")

    def health(self) -> dict[str, Any] | None:
        """Return what `/readyz` tells; None: nobody listens."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).json()
        except httpx.TransportError:
            return None

    def wait_processed(self) -> None:
        """Wait until nothing waits in the log."""
        self.wait(lambda told: told["status"] == "ok" and told["lag_records"] == 0)

    def worker_pid(self) -> int | None:
        """Return the worker's process id; None: there is none now."""
        pid = self.process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def kill(self) -> None:
        """Kill the service; its worker goes with it."""
        self.process.kill()
        self.process.wait()

    def kill_worker(self) -> None:
        """Kill the worker alone."""
        pid = self.worker_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        """Ask the service to stop, as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def contents(self) -> dict[str, Any]:
        """Return what the stopped service's store holds."""
        told = subprocess.run(
            [sys.executable, "-m", "tests.service.store_contents", str(self.folder)],
            cwd=ROOT,
            env=COMPILED,
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
