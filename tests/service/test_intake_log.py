"""The intake log: durable, ordered, bounded, trimmed without losing what context says."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.intake_log import FILE, IntakeLog, LogBounds, LogReader
from streams.record import IntakeUnavailableError, Kind, LogRecord

FAR = 2**60
ROOT = Path(__file__).parents[2]


def event(text: str = "{}", received_us: int = 0, tenant: str = "t") -> LogRecord:
    return LogRecord(tenant, Kind.EVENT, "sentinel_json", text.encode(), received_us)


def context(subject: str, text: str, received_us: int = 0) -> LogRecord:
    return LogRecord("t", Kind.CONTEXT, "fhir", text.encode(), received_us, subject)


@pytest.fixture
def log(tmp_path: Path):
    made = IntakeLog(tmp_path, LogBounds())
    yield made
    made.close()


def test_positions_grow_from_one_in_the_order_of_appends(log, tmp_path):
    """Each record has the next position, and is read back as it was."""
    assert list(log.append([event("a"), event("b")]).result()) == [1, 2]
    assert list(log.append([context("s", "c", 7)]).result()) == [3]
    found = LogReader(tmp_path).read(1, FAR, 10, 10**6)
    assert [(one.position, one.record) for one in found] == [(2, event("b")), (3, context("s", "c", 7))]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=50), max_size=5), max_size=8))
def test_whatever_bytes_come_are_read_back(tmp_path_factory, bodies):
    """Bytes are kept untouched, whatever they are and however appends are grouped."""
    folder = tmp_path_factory.mktemp("log")
    log = IntakeLog(folder, LogBounds())
    records = [[LogRecord("t", Kind.EVENT, "s", raw, 0) for raw in body] for body in bodies]
    for done in [log.append(some) for some in records]:
        done.result()
    log.close()
    found = LogReader(folder).read(0, FAR, 1_000, 10**9)
    assert [one.record for one in found] == [record for some in records for record in some]


def test_many_senders_at_once_share_commits_and_lose_nothing(log, tmp_path):
    """Positions are unique and without gaps, whoever appends at the same time."""
    with ThreadPoolExecutor(8) as senders:
        positions = list(senders.map(lambda n: log.append([event(str(n))] * 3).result(), range(100)))
    assert sorted(at for some in positions for at in some) == list(range(1, 301))
    assert log.size.records == log.size.last == 300


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    """A process killed right after an acknowledgement leaves the record behind."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from streams.intake_log import IntakeLog, LogBounds; from streams.record import Kind, LogRecord\n"
        "log = IntakeLog(Path(sys.argv[1]), LogBounds())\n"
        "print(log.append([LogRecord('t', Kind.EVENT, 's', b'kept', 0)]).result(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    child = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=False, cwd=ROOT)
    assert child.stdout == b"range(1, 2)\n"
    assert [one.record.raw for one in LogReader(tmp_path).read(0, FAR, 10, 10**6)] == [b"kept"]


def test_a_read_is_bounded_in_records_and_bytes_but_never_empty(log, tmp_path):
    """One record larger than the bound is read alone."""
    log.append([event("x" * 100), event("y" * 100), event("z")]).result()
    reader = LogReader(tmp_path)
    assert len(reader.read(0, FAR, 2, 10**6)) == 2
    assert len(reader.read(0, FAR, 10, 150)) == 1
    assert len(reader.read(0, FAR, 10, 1)) == 1
    assert reader.read(3, FAR, 10, 10**6) == reader.read(0, 0, 10, 10**6) == []
    assert [one.position for one in reader.read(1, 2, 10, 10**6)] == [2]


def test_a_full_log_refuses_and_says_when_to_come_back(tmp_path):
    """Nothing of an append that does not fit is written; one that fits still is."""
    log = IntakeLog(tmp_path, LogBounds(records_max=3, retry_after_seconds=9))
    log.append([event()] * 2).result()
    with pytest.raises(IntakeUnavailableError) as refused:
        log.append([event()] * 2).result()
    assert refused.value.retry_after_seconds == 9
    assert list(log.append([event()]).result()) == [3]
    log.close()


def test_bytes_are_bounded_too(tmp_path):
    """The bound counts raw bytes and an overhead for each record."""
    log = IntakeLog(tmp_path, LogBounds(bytes_max=1_000))
    log.append([event("x" * 700)]).result()
    with pytest.raises(IntakeUnavailableError):
        log.append([event("x" * 700)]).result()
    log.close()


def test_a_full_log_makes_room_of_what_is_processed_before_its_time(tmp_path):
    """Keeping longer is given up before taking is."""
    log = IntakeLog(tmp_path, LogBounds(records_max=4))
    log.append([event()] * 4).result()
    assert log.trim(3, 0).result() == 0
    assert list(log.append([event()] * 3).result()) == [5, 6, 7]
    assert [one.position for one in LogReader(tmp_path).read(0, FAR, 10, 10**6)] == [4, 5, 6, 7]
    log.close()


def test_positions_are_never_used_again(tmp_path):
    """Not after all was trimmed, nor after a restart."""
    log = IntakeLog(tmp_path, LogBounds())
    log.append([event()] * 3).result()
    assert log.trim(3, FAR).result() == 3
    log.close()
    log = IntakeLog(tmp_path, LogBounds())
    assert list(log.append([event()]).result()) == [4]
    assert log.size.records == 1
    log.close()


def test_only_what_is_old_and_processed_is_trimmed(log, tmp_path):
    """Both the position and the time of reception must be behind."""
    log.append([event(received_us=10), event(received_us=20), event(received_us=30)]).result()
    assert log.trim(2, 20).result() == 1
    assert [one.position for one in LogReader(tmp_path).read(0, FAR, 10, 10**6)] == [2, 3]


def test_the_newest_context_of_each_subject_outlives_the_log(log, tmp_path):
    """A worker that begins anew still learns who works where."""
    log.append([context("p", "old"), event(), context("q", "only"), context("p", "new")]).result()
    assert log.trim(2, FAR).result() == 2
    assert log.trim(4, FAR).result() == 2
    log.append([context("p", "newer")]).result()
    assert [(one.position, one.record.raw) for one in LogReader(tmp_path).kept_context()] == [(3, b"only"), (4, b"new")]
    assert log.trim(5, FAR).result() == 1
    assert [one.record.raw for one in LogReader(tmp_path).kept_context()] == [b"only", b"newer"]


def test_the_size_is_what_is_there(log, tmp_path):
    """The running size equals a count over all rows, after appends and trims."""
    log.append([event("x" * n) for n in range(50)]).result()
    log.trim(20, FAR).result()
    reopened = sqlite3.connect(tmp_path / FILE)
    records, raw = reopened.execute("SELECT count(*), sum(length(raw)) FROM record").fetchone()
    assert (log.size.records, log.size.bytes) == (records, raw + 128 * records)


def test_a_second_writer_waits_for_the_first(log, tmp_path):
    """`sentinel rejected redrive` appends while the service runs."""
    other = IntakeLog(tmp_path, LogBounds())
    with ThreadPoolExecutor(2) as senders:
        both = [senders.submit(lambda one=one: [list(one.append([event()]).result()) for _ in range(30)]) for one in (log, other)]
        positions = [at for some in both for found in some.result() for at in found]
    assert sorted(positions) == list(range(1, 61))
    other.close()


def test_nothing_is_taken_after_closing(tmp_path):
    """What waited is written, what comes is refused."""
    log = IntakeLog(tmp_path, LogBounds())
    waiting = log.append([event()])
    log.close()
    assert list(waiting.result()) == [1]
    with pytest.raises(IntakeUnavailableError):
        log.append([event()]).result()


def test_records_do_not_show_their_bytes():
    """A traceback that shows a record shows no patient."""
    assert "SECRET" not in repr(event("SECRET"))
