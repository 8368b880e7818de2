"""Dead letters: kept with their bytes and a reason, and driven again after a fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.core.errors import RejectedError, Rejection, RejectionCode
from sentinel.core.event import EventRow
from streams.dead_letters import DeadLetters, Redriven, Status, redrive
from streams.intake_log import IntakeLog, LogBounds, LogReader
from streams.record import DeadLetter, IntakeUnavailableError, Kind, LogRecord, guarded
from streams.sources.contract import Decoded, Source


def letter(raw: bytes, received_us: int = 0, kind: Kind = Kind.EVENT, source: str = "lines") -> DeadLetter:
    return DeadLetter(LogRecord("t", kind, source, raw, received_us), RejectionCode.BAD_VALUE, "/a/0", "why")


def lines(good: bytes) -> Source:
    """A format whose records are `good` or cannot be read."""

    def decode(raws) -> Decoded:
        row = EventRow("e", "", 0, "read", "success", "a", "human", *[""] * 7, 1, *[""] * 8)
        places = [at for at, raw in enumerate(raws) if raw == good]
        rejections = [Rejection(at, RejectionCode.MISSING_FIELD) for at, raw in enumerate(raws) if raw != good]
        return Decoded([row] * len(places), places, rejections)

    return Source("lines", "Lines", decode)


@pytest.fixture
def dead(tmp_path: Path):
    made = DeadLetters(tmp_path, 10_000)
    yield made
    made.close()


def test_a_letter_is_kept_with_all_that_is_known(dead):
    """Bytes, source, code, pointer, detail and time come back."""
    sent = letter(b"\xff\x00", 5)
    [id_] = dead.put([sent])
    assert dead.show(id_).letter == sent
    assert dead.show(id_).status is Status.REJECTED
    assert dead.show("none") is None


def test_the_same_refusal_twice_is_one_letter(dead):
    """Whether the sender or the worker met it again."""
    assert dead.put([letter(b"x")]) == dead.put([letter(b"x", 9)])
    assert len(dead.list()) == 1


def test_letters_are_listed_newest_first_and_by_what_is_asked(dead):
    """Filters are the status, the source and the code."""
    dead.put([letter(b"a", 1), letter(b"b", 3), letter(b"c", 2, source="other")])
    assert [one.letter.record.raw for one in dead.list()] == [b"b", b"c", b"a"]
    assert [one.letter.record.raw for one in dead.list(source="other")] == [b"c"]
    assert dead.list(code=RejectionCode.TOO_DEEP) == dead.list(status=Status.REDRIVEN) == []
    assert len(dead.list(limit=2)) == 2


def test_redriving_moves_what_can_be_read_now(dead, tmp_path):
    """The record goes to the log as it came; the letter says so; what is still bad says why it is bad now."""
    good, bad = dead.put([letter(b"good", 1), letter(b"bad", 2)])
    log = IntakeLog(tmp_path, LogBounds())
    assert redrive(dead.list(), dead, log, {"lines": lines(b"good")}, list) == Redriven(moved=1, refused=1)
    log.close()
    assert [one.record for one in LogReader(tmp_path).read(0, 99, 10, 1_000)] == [dead.show(good).letter.record]
    assert dead.show(good).status is Status.REDRIVEN
    assert (dead.show(bad).status, dead.show(bad).letter.code) == (Status.REJECTED, RejectionCode.MISSING_FIELD)
    assert dead.counts() == {Status.REJECTED: 1, Status.REDRIVEN: 1}


def test_context_is_redriven_through_its_own_decoder(dead, tmp_path):
    """A context record is refused again by the decoder of context."""

    def decode(raw: bytes):
        if raw != b"good":
            raise RejectedError(RejectionCode.BAD_TIME, "/period")
        return []

    dead.put([letter(b"good", kind=Kind.CONTEXT), letter(b"bad", kind=Kind.CONTEXT)])
    log = IntakeLog(tmp_path, LogBounds())
    assert redrive(dead.list(), dead, log, {}, decode) == Redriven(1, 1)
    log.close()
    assert [one.letter.code for one in dead.list()] == [RejectionCode.BAD_TIME]


def test_a_letter_of_a_source_that_is_gone_stays(dead, tmp_path):
    """Nothing is driven through a format that is not enabled."""
    dead.put([letter(b"good", source="gone")])
    log = IntakeLog(tmp_path, LogBounds())
    assert redrive(dead.list(), dead, log, {"lines": lines(b"good")}, list) == Redriven(0, 1)
    log.close()


def test_full_dead_letters_say_so_rather_than_lose(dead):
    """The sender is told to wait."""
    dead.put([letter(b"x" * 10_000)])
    with pytest.raises(IntakeUnavailableError):
        dead.put([letter(b"y")])
    assert dead.purge(1) == 1
    dead.put([letter(b"y")])


def test_several_processes_may_hold_them(dead, tmp_path):
    """The service, its worker and the command line see each other's letters."""
    other = DeadLetters(tmp_path, 10_000)
    other.put([letter(b"theirs")])
    dead.put([letter(b"ours")])
    assert len(other.list()) == len(dead.list()) == 2
    other.close()


def test_a_source_that_fails_costs_one_record():
    """A plug-in's fault on one record rejects that record; the others are decoded."""

    def decode(raws) -> Decoded:
        if b"bomb" in raws:
            raise ZeroDivisionError("SECRET")
        return lines(b"good").decode(raws)

    decoded = guarded(Source("lines", "Lines", decode)).decode([b"good", b"bomb", b"bad", b"good"])
    assert decoded.records == [0, 3]
    assert sorted((bad.index, bad.code) for bad in decoded.rejections) == [
        (1, RejectionCode.UNPARSEABLE),
        (2, RejectionCode.MISSING_FIELD),
    ]
    assert "SECRET" not in repr(decoded.rejections)
