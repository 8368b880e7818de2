"""Marks stand or fall with the records they were written with, and are bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streams.intake_log import IntakeLog, LogBounds
from streams.marks import ANSWER_SECONDS
from streams.record import IntakeUnavailableError, Kind, LogRecord, Mark, MarkKind

ROOT = Path(__file__).parents[2]
RECORD = LogRecord("t", Kind.EVENT, "s", b"x", 0)


def answer(name: str, at_seconds: int = 0, size: int = 10) -> Mark:
    return Mark(MarkKind.ANSWER, name, b"v" * size, at_seconds * 1_000_000)


@pytest.fixture
def log(tmp_path: Path):
    made = IntakeLog(tmp_path, LogBounds(records_max=2, answer_bytes_max=1_000))
    yield made
    made.close()


def test_a_mark_is_there_when_its_records_are(log):
    """With records or without; written again it takes the place of the former, empty it is gone."""
    first = Mark(MarkKind.FILE, "a", b"1", 5)
    log.append([RECORD], [first, answer("x")]).result()
    assert log.marks.one(MarkKind.FILE, "a") == first
    assert log.marks.one(MarkKind.ANSWER, "a") is None
    log.append([], [Mark(MarkKind.FILE, "a", b"2", 6), Mark(MarkKind.FILE, "b", b"3", 4)]).result()
    assert [(mark.name, mark.value) for mark in log.marks.all(MarkKind.FILE)] == [("b", b"3"), ("a", b"2")]
    log.append([], [Mark(MarkKind.FILE, "a", b"", 7)]).result()
    assert [mark.name for mark in log.marks.all(MarkKind.FILE)] == ["b"]


def test_a_mark_of_records_that_find_no_room_is_not_written(log):
    """Neither is there, both may be sent again."""
    with pytest.raises(IntakeUnavailableError):
        log.append([RECORD] * 3, [answer("x")]).result()
    assert log.marks.one(MarkKind.ANSWER, "x") is None


def test_answers_are_kept_for_a_day(log):
    """Then the next one that is written drops them; marks of files stay."""
    log.append([], [answer("old", 0), Mark(MarkKind.FILE, "a", b"1", 0)]).result()
    log.append([], [answer("new", ANSWER_SECONDS + 1)]).result()
    assert [mark.name for mark in log.marks.all(MarkKind.ANSWER)] == ["new"]
    assert log.marks.all(MarkKind.FILE)


def test_answers_are_bounded_in_bytes(log):
    """The oldest go first; marks of files are not among them."""
    for n in range(10):
        log.append([], [answer(f"n{n}", n, 200), Mark(MarkKind.FILE, "a", b"1" * 900, n)]).result()
    assert [mark.name for mark in log.marks.all(MarkKind.ANSWER)] == ["n7", "n8", "n9"]


def test_marks_survive_a_kill(tmp_path):
    """A process killed right after an acknowledgement leaves the mark behind."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from streams.intake_log import IntakeLog, LogBounds; from streams.record import Mark, MarkKind\n"
        "log = IntakeLog(Path(sys.argv[1]), LogBounds())\n"
        "log.append([], [Mark(MarkKind.FILE, 'a', b'7', 1)]).result()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, cwd=ROOT)
    log = IntakeLog(tmp_path, LogBounds())
    assert log.marks.one(MarkKind.FILE, "a") == Mark(MarkKind.FILE, "a", b"7", 1)
    log.close()


def test_a_second_connection_leaves_the_locks_of_the_first_alone(tmp_path):
    """Whoever opens the file from elsewhere and closes it again must not take themselves for the last and drop the log."""
    log = IntakeLog(tmp_path, LogBounds())
    code = (
        "import sys; from pathlib import Path; from streams.intake_log import LogReader\n"
        "reader = LogReader(Path(sys.argv[1])); reader.last(); reader.close()"
    )
    log.append([RECORD]).result()
    wal = (tmp_path / "intake.sqlite-wal").stat().st_ino
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=ROOT)
    assert (tmp_path / "intake.sqlite-wal").stat().st_ino == wal
    log.close()
