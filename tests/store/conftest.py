"""A real store in a folder of its own, and a process that can be killed with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel.store.client import Connections, connect
from sentinel.store.migrate import migrate

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Connections]:
    """An empty store, brought up to date. The engine is the process's: one store at a time."""
    connections = connect(f"chdb://{tmp_path / 'store'}")
    migrate(connections.writer)
    yield connections
    connections.close()


@pytest.fixture
def run() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a script beside this file in a process of its own, ended at the latest with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
        process = subprocess.Popen(
            command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
