"""Files that are followed: each line once, whatever happens to the file, the service and the machine meanwhile."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.intake_log import LogBounds
from streams.listeners.document import Files
from streams.listeners.files import FileListener
from tests.listeners.listening import SOURCES, Kept, event, ids_of, records_in

ROOT = Path(__file__).parents[2]
LATER_US = 10**18  # long after any file was written


class Following:
    """A folder of logs, and a listener on it that may be killed and made anew."""

    def __init__(
        self,
        folder: Path,
        source: str = "sentinel_json",
        bounds: LogBounds | None = None,
        wake: Callable[[], None] = lambda: None,
        **changed: Any,
    ) -> None:
        self.logs, self.kept, self.now_us = folder / "logs", Kept(folder / "data", bounds, wake), 0
        self.logs.mkdir()
        told = {"name": "tried", "paths": [f"{self.logs}/*"], "source": source}
        self.settings = Files.model_validate(told | changed)
        self.restart()

    def restart(self) -> None:
        """Forget all but what is on disk."""
        source = SOURCES[self.settings.source]
        self.listener = FileListener(self.settings, source, self.kept.receiver, self.kept.marks, lambda: self.now_us)
        self.listener.recall()

    def look(self) -> None:
        """Look for what is new."""
        asyncio.run(self.listener.look())

    def ids(self) -> list[str]:
        """Return the ids kept, in order."""
        return ids_of(self.kept.records())

    def close(self) -> None:
        """Close the files."""
        asyncio.run(self.listener.stop())
        self.kept.close()


@pytest.fixture
def following(tmp_path):
    made = Following(tmp_path)
    yield made
    made.close()


def written(path: Path, data: bytes) -> None:
    """Add to a file."""
    with path.open("ab") as file:
        file.write(data)


def test_a_line_is_taken_once_it_is_whole(following):
    """What is written in pieces is one record; blank lines are none."""
    log = following.logs / "log"
    written(log, event("a") + b"\n\n" + event("b")[:10])
    following.look()
    assert following.ids() == ["a"]
    written(log, event("b")[10:] + b"\r\n" + event("c"))
    following.look()
    following.look()
    assert following.ids() == ["a", "b"]


def test_a_last_line_without_end_is_taken_once_nobody_writes(following):
    """And what is written behind it later is another line."""
    log = following.logs / "log"
    written(log, event("a"))
    following.look()
    assert following.ids() == []
    following.now_us = LATER_US
    following.look()
    written(log, b"\n" + event("b") + b"\n")
    following.look()
    assert following.ids() == ["a", "b"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 400)),
        st.sampled_from([("look", 0), ("look", 0), ("restart", 0), ("rename", 0), ("copytruncate", 0), ("gzip", 0), ("zstd", 0)]),
    ),
    max_size=40,
)


def step(what: str, size: int, following: Following, rest: bytes, rotated: int) -> tuple[bytes, int]:
    """Do one thing to the log or the listener; return what is still to be written, and how many logs were rotated."""
    log, old = following.logs / "log", following.logs / f"log.{rotated}"
    if what == "write":
        written(log, rest[:size])
        return rest[size:], rotated
    if what in {"look", "restart"}:
        getattr(following, what)()
    elif what == "rename" and log.exists():
        log.rename(following.logs / f"log.{rotated + 1}")
        return rest, rotated + 1
    elif what == "copytruncate" and log.exists():
        following.look()  # what a copy and what is written meanwhile have in common is the rotator's to lose
        shutil.copy2(log, following.logs / f"log.{rotated + 1}")
        os.truncate(log, 0)
        return rest, rotated + 1
    elif what in {"gzip", "zstd"} and old.exists():
        pack = gzip.compress if what == "gzip" else zstandard.compress
        packed = old.with_suffix(f"{old.suffix}.{what}")
        packed.write_bytes(pack(old.read_bytes()))
        shutil.copystat(old, packed)
        old.unlink()
    return rest, rotated


@settings(max_examples=40, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_whatever_happens_to_a_log_each_line_is_taken_once(tmp_path_factory, steps, chance):
    """Written in pieces, renamed, copied and truncated, compressed, the listener begun anew: nothing lost, nothing twice."""
    following = Following(tmp_path_factory.mktemp("files"))
    rest = b"".join(event(n) + b" " * chance.randrange(300) + b"\n" for n in range(40))
    rotated = 0
    for what, size in steps:
        line_ends = what != "copytruncate" or not _is_within_a_line(following.logs / "log")
        is_between = what != "rename" or not _is_within_a_line(following.logs / "log")
        if line_ends and is_between:
            rest, rotated = step(what, size, following, rest, rotated)
    written(following.logs / "log", rest)
    following.look()
    following.restart()
    following.look()
    assert Counter(following.ids()) == Counter(str(n) for n in range(40))
    following.close()


def _is_within_a_line(log: Path) -> bool:
    return log.exists() and not log.read_bytes().endswith(b"\n") and log.stat().st_size > 0


def test_a_log_moved_out_of_sight_is_read_to_its_end(tmp_path):
    """What was written between the last look and the move, and by who still has it open, is not lost."""
    following = Following(tmp_path, paths=[f"{tmp_path}/logs/log"])
    log = following.logs / "log"
    with log.open("ab", buffering=0) as writer:
        writer.write(event("a") + b"\n")
        following.look()
        writer.write(event("b") + b"\n")
        log.rename(following.logs / "old")
        written(log, event("d") + b"\n")
        following.look()
        writer.write(event("c") + b"\n")
        following.look()
    assert sorted(following.ids()) == ["a", "b", "c", "d"]
    following.close()


@pytest.mark.parametrize("paths", ["log*", "log"])
def test_a_log_rotated_while_another_is_read_is_read_to_its_end(tmp_path, paths):
    """Found under a name that is another file's by the time its turn comes: each line once, and none by a file's wrong name."""
    log, other = tmp_path / "logs/log", tmp_path / "logs/other"

    def rotate() -> None:
        if other.exists() and not Path(f"{log}.1").exists():  # `other` is being read, `log` is not yet
            log.rename(f"{log}.1")
            written(log, event("c") + b"\n")

    following = Following(tmp_path, wake=rotate, paths=[str(other), f"{tmp_path}/logs/{paths}"])
    written(log, event("a") + b"\n")
    following.look()
    written(log, event("b") + b"\n")
    written(other, event("d") + b"\n")
    os.utime(other, ns=(1, 1))
    for _ in range(3):
        following.look()
    assert sorted(following.ids()) == ["a", "b", "c", "d"]
    following.close()


def test_a_file_of_the_same_name_and_inode_begun_anew_is_read_from_its_beginning(following):
    """Though it is longer than what was read of the former."""
    log = following.logs / "log"
    written(log, b"".join(event(f"a{n}") + b"\n" for n in range(3)))
    following.look()
    os.truncate(log, 0)
    written(log, b"".join(event(f"b{n}") + b"\n" for n in range(30)))
    following.look()
    assert following.ids() == [f"a{n}" for n in range(3)] + [f"b{n}" for n in range(30)]


def test_a_line_without_end_costs_no_memory_and_no_other_line(following, monkeypatch):
    """Its beginning is kept aside, its rest is passed over, also over a restart."""
    monkeypatch.setattr("streams.listeners.reading_files.RECORD_BYTES_MAX", 1_000)
    monkeypatch.setattr("streams.listeners.reading_files.BUFFER_BYTES", 700)
    log = following.logs / "log"
    written(log, event("a") + b"\n" + b"x" * 5_000)
    following.look()
    following.restart()
    written(log, b"y" * 3_000 + b"\n" + event("b") + b"\n")
    following.look()
    assert following.ids() == ["a", "b"]
    [letter] = following.kept.letters()
    assert (letter.letter.code, letter.letter.record.raw) == ("too-large", b"x" * 1_000)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes])
def test_a_file_in_any_wrapping_is_read(following, pack):
    """Told by what it holds, not by its name; a large one in several commits."""
    (following.logs / "log").write_bytes(pack(b"".join(event(f"{n}") + b" " * 200 + b"\n" for n in range(5_000))))
    following.look()
    assert following.ids() == [str(n) for n in range(5_000)]


def test_a_compressed_file_that_is_not_written_to_its_end_is_taken_up_again(following, capfd):
    """What is there of it is taken, and the rest when it is there; a report names the listener alone."""
    chance = random.Random(7)
    data = b"".join(event(f"{n}") + b" " * chance.randrange(900) + b"\n" for n in range(3_000))
    whole, log = gzip.compress(data), following.logs / "log.gz"
    log.write_bytes(whole[: len(whole) // 2])
    following.look()
    taken = len(following.ids())
    assert 0 < taken < 3_000
    log.write_bytes(whole)
    following.look()
    assert following.ids() == [str(n) for n in range(3_000)]
    assert "file-cut-short" in "".join(capfd.readouterr())


def test_rows_of_a_growing_table_are_read_under_its_header(tmp_path):
    """The first line names the columns, and is no record."""
    source = replace(SOURCES["sentinel_json"], name="table", has_header=True)
    SOURCES["table"] = source
    try:
        following = Following(tmp_path, source="table")
        log = following.logs / "log.csv"
        written(log, b"\xef\xbb\xbfid;time\r\n1;x\r\n")
        following.look()
        following.restart()
        written(log, b"2;y\r\n")
        following.look()
        letters = sorted(letter.letter.record.raw for letter in following.kept.letters())
        assert letters == [b"id;time\n1;x", b"id;time\n2;y"]
        following.close()
    finally:
        del SOURCES["table"]


def test_a_delivery_is_taken_once_it_is_finished(tmp_path):
    """A folder into which whole files are put: an envelope of many events, cut by its format; renamed it is the same."""
    following = Following(tmp_path, source="aws_cloudtrail", whole=True, quiet_seconds=5)
    names = (f"event-{n}" for n in range(2_500))
    common = {"eventVersion": "1.08", "eventTime": "2026-03-01T10:00:00Z", "userIdentity": {"type": "IAMUser", "userName": "u"}}
    common |= {"eventSource": "s3.amazonaws.com", "eventName": "GetObject"}
    records = [common | {"eventID": name} for name in names]
    file = following.logs / "delivered.json.gz"
    file.write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    following.look()
    assert following.kept.records() == []
    following.now_us = LATER_US
    following.look()
    assert len(following.kept.records()) == 2_500
    file.rename(following.logs / "done.gz")
    following.restart()
    following.look()
    assert len(following.kept.records()) == 2_500
    following.close()


def test_a_delivery_goes_on_where_it_was_stopped(tmp_path):
    """Batches that were kept are not taken again."""
    following = Following(tmp_path, whole=True, bounds=LogBounds(records_max=1_000, retry_after_seconds=60))
    following.now_us = LATER_US
    written(following.logs / "log", b"".join(event(n) + b"\n" for n in range(2_500)))

    async def look_for_a_moment() -> None:
        looking = asyncio.ensure_future(following.listener.look())
        async with asyncio.timeout(20):
            while following.kept.log.size.last < 1_000:  # noqa: ASYNC110 - it is in a file
                await asyncio.sleep(0.01)
        looking.cancel()
        await asyncio.wait([looking])

    asyncio.run(look_for_a_moment())
    following.close()
    following.kept = Kept(tmp_path / "data")
    following.restart()
    following.look()
    assert following.ids() == [str(n) for n in range(2_500)]
    following.close()


PROGRAM = """
import asyncio, sys
from pathlib import Path
from streams.embedded import SystemClock
from streams.listeners.document import Files
from streams.listeners.files import FileListener
from tests.listeners.listening import SOURCES, Kept
async def run():
    kept = Kept(Path(sys.argv[1]))
    told = Files(name="tried", paths=[sys.argv[2]], source="sentinel_json", poll_seconds=0.05)
    await FileListener(told, SOURCES["sentinel_json"], kept.receiver, kept.marks, SystemClock().now_us).start()
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(run())
"""


@contextmanager
def until_killed(command: list[str]) -> Iterator[None]:
    """Run a program from when it is ready; it is killed at the end, whatever that is."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout.readline() == b"ready\n"
            yield
        finally:
            child.kill()


def test_kills_lose_nothing_and_repeat_nothing(tmp_path):
    """Killed again and again while a log is written and rotated, it goes on at the right byte each time."""
    logs, data, chance = tmp_path / "logs", tmp_path / "data", random.Random(7)
    logs.mkdir()
    command = [sys.executable, "-c", PROGRAM, str(data), f"{logs}/log*"]
    number = 0
    for turn in range(5):
        with until_killed(command):
            deadline = time.monotonic() + chance.uniform(0.1, 0.7)
            while time.monotonic() < deadline:
                lines = [event(number + n) + b"\n" for n in range(chance.randrange(1, 100))]
                number += len(lines)
                data_ = b"".join(lines)
                cut = chance.randrange(len(data_))
                written(logs / "log", data_[:cut])
                time.sleep(0.01)
                written(logs / "log", data_[cut:])
            if turn % 2:
                (logs / "log").rename(logs / f"log.{turn}")
    with until_killed(command):
        deadline = time.monotonic() + 60
        while len(records_in(data)) < number and time.monotonic() < deadline:
            time.sleep(0.1)
    assert Counter(ids_of(records_in(data))) == Counter(map(str, range(number)))
