"""The writer is killed again and again: nothing acknowledged is lost, nothing is stored twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from threading import Timer

from sentinel.store.client import connect
from tests.store.writing import ROWS

TOTAL = 30 * ROWS
KILLS = 6


def told(process: Popen[str], word: str) -> list[int]:
    """Return the numbers that followed `word` in what a process said until its end."""
    assert process.stdout is not None
    return [int(line.split()[1]) for line in process.stdout if line.startswith(word)]


def test_killed_at_any_moment_what_is_stored_is_exactly_once(tmp_path: Path, run: Callable[..., Popen[str]]) -> None:
    """Inserts tear between months when the process is killed: offsets read back at the start heal that."""
    dsn, draw, acknowledged = f"chdb://{tmp_path / 'store'}", random.Random(5), 0
    for kill in range(KILLS + 1):
        process = run("writing.py", dsn, TOTAL, acknowledged)
        assert process.stdout is not None
        assert process.stdout.readline() == "lost 0\n"
        timer = Timer(draw.random() * 1.5, process.kill)
        if kill < KILLS:
            timer.start()
        acknowledged = max([acknowledged, *told(process, "acknowledged")])
        timer.cancel()
        process.wait()
    assert process.returncode == 0
    assert acknowledged == TOTAL
    connections = connect(dsn)
    count = connections.writer.command
    assert count("SELECT uniqExact(key), count(), sum(offset) FROM access") == [str(TOTAL), str(TOTAL), str(sum(range(TOTAL)))]
    assert count("SELECT count() FROM raw_record FINAL WHERE raw = toString(offset)") == TOTAL
    assert count("SELECT count(), max(version) FROM alert FINAL") == [str(TOTAL // ROWS + 1), str(TOTAL - ROWS)]
    connections.close()
