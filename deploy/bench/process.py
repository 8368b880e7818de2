"""Runs one program in a process of its own and says what it cost, from its first instruction to its exit."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
_TAIL_CHARS: Final = 2_000


class MeasurementError(Exception):
    """A measured program failed; the message ends with what it said."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program printed and what it cost: CPU-seconds (user and system, all threads), peak resident bytes, seconds."""

    output: str
    cpu_seconds: float
    peak_rss_bytes: int
    seconds: float


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Ran:
    """Run a command from the repository's folder; the kernel counts its cost.

    Linux lets a child begin with its parent's peak, so whoever calls this stays small.

    Raises:
        MeasurementError: it did not exit with 0.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        child = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=out, stderr=errors
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if child.returncode:
            raise MeasurementError(f"{' '.join(command[:3])} ended with {child.returncode}:\n{errors.read()[-_TAIL_CHARS:]}")
        return Ran(out.read(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, seconds)


def module(name: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this package."""
    return [sys.executable, "-m", f"deploy.bench.{name}", *arguments]


def sentinel(*arguments: str) -> list[str]:
    """Return the command line of Sentinel, as its users type it."""
    return [str(Path(sys.executable).with_name("sentinel")), *arguments]
