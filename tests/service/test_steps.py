"""The worker's steps: what is restored, replayed, left out and set aside, on a store in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streams.steps
from sentinel.core.alert import Alert
from sentinel.core.batch import Assessment, EventBatch, Int64s
from sentinel.core.context import ContextRecord, Judgement, Verdict
from sentinel.core.errors import RejectionCode, SentinelError
from sentinel.core.event import microseconds
from streams import verdicts
from streams.checkpoint import CURRENT, PREVIOUS
from streams.dead_letters import DeadLetters
from streams.intake_log import IntakeLog, LogBounds, LogReader
from streams.parts import Parts, WorkerLimits
from streams.record import Kind, LogRecord
from streams.steps import Steps
from streams.verdicts import Told
from tests.service import counting

START = datetime(2026, 3, 1, 10, tzinfo=UTC)
KEY = b"key"
FAR = 2**60


class MemoryStore:
    """Keeps what is flushed, as the store does: rows once, alerts by their highest version, raw records by place."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], tuple[str, str, tuple[str, ...]]] = {}
        self.keys: dict[bytes, tuple[int, int]] = {}
        self.alerts: dict[str, str] = {}
        self.raw: dict[int, bytes] = {}
        self.versions: dict[str, int] = {}
        self.waiting: list[Callable[[], None]] = []
        self.is_down = False

    @property
    def pending(self) -> int:
        """How many writes wait."""
        return len(self.waiting)

    def write(self, batch: EventBatch, assessment: Assessment) -> None:
        """Take rows."""
        assert len(batch) == len(assessment.explained_by) == len(assessment.p_value)
        self.waiting.append(lambda: self._keep(batch, assessment))

    def _keep(self, batch: EventBatch, assessment: Assessment) -> None:
        for at, key in enumerate(batch.key):
            place = (int(batch.offset[at]), int(batch.ordinal[at]))
            assert place not in self.rows, "kept twice"
            assert key not in self.keys, "kept twice"
            self.rows[place] = (batch.id[at], batch.source[at], assessment.detectors.get(at, ()))
            self.keys[key] = place

    def write_raw(self, tenant: str, partition: int, records: Sequence[tuple[int, str, bytes, int]]) -> None:
        """Take raw records."""
        assert (tenant, partition) == ("default", 0)
        self.waiting.append(lambda: self.raw.update({offset: raw for offset, _, raw, _ in records}))

    def write_alerts(self, alerts: Sequence[Alert]) -> None:
        """Take alerts."""
        self.waiting.append(lambda: [self._keep_alert(alert) for alert in alerts])

    def _keep_alert(self, alert: Alert) -> None:
        if alert.version >= self.versions.get(alert.id, 0):
            self.versions[alert.id], self.alerts[alert.id] = alert.version, alert.to_json()

    def flush(self) -> None:
        """Keep what waits."""
        self._answer()
        for keep in self.waiting:
            keep()
        self.waiting.clear()

    def stored_beyond(self, partition: int, offset: int, until: int) -> set[tuple[int, int]]:
        """Return the places of rows after `offset`, up to `until`."""
        assert partition == 0
        return {place for place in self.rows if offset < place[0] <= until}

    def known(self, keys: Sequence[bytes], occurred_at: Int64s) -> set[bytes]:
        """Return which are kept."""
        assert len(keys) == len(occurred_at)
        self._answer()
        return self.keys.keys() & set(keys)

    def _answer(self) -> None:
        if self.is_down:
            raise SentinelError("down")

    def crash(self) -> None:
        """Forget what was not flushed."""
        self.waiting.clear()

    def questions(self) -> object:
        """Nobody asks."""
        return self

    def close(self) -> None:
        """Nothing is open."""


class Bench:
    """A log, a store in memory and workers' steps, one after the other."""

    def __init__(self, folder: Path, pipeline=counting.CountingPipeline, **limits: int) -> None:
        self.folder, self.pipeline = folder, pipeline
        self.limits = WorkerLimits(**{"batch_records": 7, **limits})
        self.store = MemoryStore()
        self.log = IntakeLog(folder, LogBounds())
        self.sent = 0

    def send(self, count: int, **changed: str) -> None:
        """Append so many events, of four people."""
        records = []
        for _ in range(count):
            self.sent += 1
            at = START + timedelta(seconds=self.sent)
            event = {"id": f"e{self.sent}", "occurred_at": at.isoformat(), "action": "read", "actor_id": f"a{self.sent % 4}"}
            raw = json.dumps(event | changed).encode()
            records.append(LogRecord("default", Kind.EVENT, "sentinel_json", raw, microseconds(at)))
        self.log.append(records).result()

    def tell(self, who: str, name: str) -> None:
        """Append what context says of a person."""
        raw = json.dumps({"resourceType": "Practitioner", "id": who, "name": [{"family": name}]}).encode()
        self.log.append([LogRecord("default", Kind.CONTEXT, "fhir", raw, 0, who)]).result()

    def start(self) -> Steps:
        """Start where the last checkpoint is."""
        self.store.crash()
        parts = Parts(self.pipeline, counting.sources, counting.context_decoder, lambda: self.store, counting.prepare)
        steps = Steps(self.folder, KEY, parts, self.limits, self.store)
        steps.recover()
        return steps

    def run(self) -> Steps:
        """Start and process all, then flush."""
        steps = self.start()
        while steps.step():
            pass
        steps.flush()
        return steps

    def letters(self) -> list[tuple[bytes, RejectionCode]]:
        """Return the dead letters."""
        dead = DeadLetters(self.folder, 10**6)
        return [(one.letter.record.raw, one.letter.code) for one in dead.list()]


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.log.close()


def calm(folder: Path, bench: Bench) -> MemoryStore:
    """Return what a store holds after the same log without any crash."""
    other = Bench(folder, bench.pipeline)
    other.log.append([one.record for one in bench.start()._log.read(0, FAR, 10**6, 10**9)]).result()
    other.run()
    other.log.close()
    return other.store


def test_what_is_in_the_log_is_kept_once_with_its_bytes(bench):
    """Rows, raw records and alerts; a second run from the beginning adds nothing."""
    bench.send(45)
    bench.run()
    first = (dict(bench.store.rows), dict(bench.store.alerts), len(bench.store.raw))
    bench.run()
    assert (bench.store.rows, bench.store.alerts, len(bench.store.raw)) == first
    assert len(first[0]) == first[2] == 45
    assert len(first[1]) == 4


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_crashes_anywhere_change_nothing(tmp_path_factory, data):
    """Steps, flushes, checkpoints and crashes in any order end like a calm run."""
    bench = Bench(tmp_path_factory.mktemp("bench"))
    steps = bench.start()
    do = {
        "send": lambda: bench.send(data.draw(st.integers(1, 15))),
        "tell": lambda: bench.tell(f"a{bench.sent % 4}", f"N{bench.sent}"),
        "again": lambda: bench.log.append([one.record for one in steps._log.read(0, FAR, 3, 10**6)]).result(),
        "late": lambda: bench.send(2, occurred_at="2026-01-01T00:00:00Z"),
    }
    for name in data.draw(st.lists(st.sampled_from([*do, "step", "step", "flush", "checkpoint", "crash"]), max_size=30)):
        if name == "crash":
            steps = bench.start()
        elif name in do:
            do[name]()
        else:
            getattr(steps, name)()
    bench.run()
    expected = calm(tmp_path_factory.mktemp("calm"), bench)
    assert bench.store.rows == expected.rows
    assert bench.store.alerts == expected.alerts
    assert bench.store.raw == expected.raw
    bench.log.close()


def test_a_damaged_checkpoint_gives_way_to_the_one_before_then_to_the_log(bench):
    """Whatever is damaged, the end is the same."""
    for _ in range(3):
        bench.send(20)
        steps = bench.run()
        steps.checkpoint()
    alerts = dict(bench.store.alerts)
    for name, position in ((CURRENT, 40), (PREVIOUS, 0)):
        (bench.folder / name).write_bytes(b"damaged")
        assert bench.start().position == position
        bench.run()
        assert bench.store.alerts == alerts
        assert len(bench.store.rows) == 60


def test_a_checkpoint_of_another_version_is_rebuilt_from_the_log(bench, monkeypatch):
    """An upgrade costs a replay, not an alert."""
    bench.send(30)
    bench.run().checkpoint()
    alerts = dict(bench.store.alerts)
    monkeypatch.setattr(counting, "VERSION", 2)
    assert bench.start().position == 0
    bench.run()
    assert bench.store.alerts == alerts
    assert len(bench.store.rows) == 30


def test_beginning_anew_still_knows_the_context_that_was_trimmed(bench):
    """The newest of each subject comes first, then the log."""
    bench.tell("a1", "Old")
    bench.tell("a1", "Martin")
    bench.send(3)
    bench.run()
    bench.log.trim(5, FAR).result()
    bench.send(40)
    bench.run()
    assert [alert for alert in bench.store.alerts.values() if "martin" in alert.lower()]
    assert not [alert for alert in bench.store.alerts.values() if "Old" in alert]


def test_verdicts_reach_the_pipeline_in_the_order_of_the_log_and_outlive_it(bench):
    """Told with the context; once trimmed, the newest on each alert is still there; a damaged one is a dead letter."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    for verdict in (Judgement.MISUSE, Judgement.JUSTIFIED):
        told = Told("a1", "nurse", ("vip_record",), (), verdict, at)
        bench.log.append([verdicts.record("default", told)]).result()
    bench.log.append([LogRecord("default", Kind.CONTEXT, verdicts.SOURCE, b"damaged", 0, "b")]).result()
    bench.send(3)
    known: list[ContextRecord] = []

    class Listening(counting.CountingPipeline):
        def know(self, records: Iterable[ContextRecord]) -> None:
            known.extend(records)

    bench.pipeline = Listening
    bench.run()
    assert [one.judgement for one in known if isinstance(one, Verdict)] == ["misuse", "justified"]
    assert bench.letters() == [(b"damaged", RejectionCode.UNPARSEABLE)]
    bench.log.trim(2, FAR).result()
    known.clear()
    bench.run()
    assert [one.judgement for one in known if isinstance(one, Verdict)] == ["justified"]


@pytest.mark.parametrize("ahead", [1, 5, 1_000])
def test_a_long_replay_asks_the_store_piece_by_piece(bench, monkeypatch, tmp_path_factory, ahead):
    """However much is asked at once, and where the log has holes, nothing is kept twice and nothing left out."""
    monkeypatch.setattr(streams.steps, "AHEAD", ahead)
    bench.send(10)
    bench.log.append([replace(one.record, received_us=FAR) for one in LogReader(bench.folder).read(4, 6, 10, 10**6)]).result()
    bench.send(20)
    bench.run()
    bench.send(3)
    steps = bench.start()
    steps.step()
    steps.flush()
    bench.log.trim(25, FAR).result()
    bench.send(5)
    bench.run()
    assert {row[0] for row in bench.store.rows.values()} == {f"e{n}" for n in range(1, 39)}


def test_the_log_is_needed_back_to_the_checkpoint_before(bench):
    """Trimming stays behind the older of the two."""
    oldest = []
    for _ in range(3):
        bench.send(10)
        oldest.append(bench.run().checkpoint())
    assert oldest == [0, 10, 20]


def test_an_event_sent_again_late_is_known_from_the_store(bench):
    """Long after the pipeline forgot it; told apart from the event itself on the way from a checkpoint."""

    class Forgetful(counting.CountingPipeline):
        """Remembers no key from one batch to the next."""

        def process(self, batch: EventBatch) -> counting.Processed:
            """Process as if all were new."""
            self.seen = {}
            return super().process(batch)

    bench.pipeline = Forgetful
    bench.send(10)
    bench.run()
    [first] = bench.start()._log.read(0, FAR, 1, 10**6)
    later = LogRecord("default", Kind.EVENT, "sentinel_json", first.record.raw, first.record.received_us + 7_200_000_000)
    bench.log.append([later]).result()
    bench.run()
    bench.run()
    assert len(bench.store.rows) == 10


def test_a_late_event_that_is_replayed_is_no_duplicate_of_itself(bench, tmp_path_factory):
    """The store knows it from before the crash; the pipeline must still count it."""
    bench.send(20, occurred_at="2026-01-01T00:00:00Z")
    bench.run()
    bench.send(40)
    bench.run()
    assert bench.store.alerts == calm(tmp_path_factory.mktemp("calm"), bench).alerts


def test_several_sources_keep_the_order_of_the_log(bench):
    """Each record is decoded by its own source; what cannot be read any more is a dead letter."""
    audit = {
        "resourceType": "AuditEvent",
        "id": "x",
        "recorded": "2026-03-01T10:00:00Z",
        "action": "R",
        "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110110"},
        "agent": [{"requestor": True, "who": {"reference": "Practitioner/a1"}}],
        "source": {"observer": {"display": "DPI"}},
        "entity": [{"what": {"reference": "Patient/p1"}}, {"what": {"reference": "Patient/p2"}}],
    }
    bench.send(1)
    raws = [("fhir_auditevent", json.dumps(audit).encode()), ("gone", b"g"), ("sentinel_json", b"bad")]
    bench.log.append([LogRecord("default", Kind.EVENT, source, raw, 0) for source, raw in raws]).result()
    bench.send(1)
    bench.run()
    assert [(place, row[0]) for place, row in bench.store.rows.items()] == [
        ((1, 0), "e1"),
        ((2, 0), "x"),
        ((2, 1), "x"),
        ((5, 0), "e2"),
    ]
    assert sorted(bench.letters()) == [(b"bad", "unparseable"), (b"g", "not-an-event")]


def test_a_store_that_is_down_loses_nothing(bench):
    """Flushing fails until it answers again; late events wait for its answer."""
    bench.send(7)
    bench.send(7, occurred_at="2026-01-01T00:00:00Z")
    steps = bench.start()
    steps.step()
    bench.store.is_down = True
    for failing in (steps.step, steps.flush, steps.checkpoint):
        with pytest.raises(SentinelError):
            failing()
    bench.store.is_down = False
    assert steps.step()
    steps.checkpoint()
    assert len(bench.store.rows) == 14


def test_a_record_on_which_processing_fails_is_found_and_set_aside(bench):
    """Each start gets further; the record becomes a dead letter, all others are kept."""

    class Fragile(counting.CountingPipeline):
        """Fails on one person."""

        def process(self, batch: EventBatch) -> counting.Processed:
            """Fail when that person is there."""
            if "poison" in batch.actor_id:
                raise ZeroDivisionError("SECRET")
            return super().process(batch)

    bench.pipeline = Fragile
    bench.send(10)
    bench.send(1, actor_id="poison")
    bench.send(5)
    bench.send(1, actor_id="poison")
    bench.send(5)
    starts = 0
    while len(bench.store.rows) < 20:
        starts += 1
        assert starts < 10
        try:
            bench.run().checkpoint()
        except ZeroDivisionError:
            continue
    assert [code for _, code in bench.letters()] == ["unparseable"] * 2
    assert not (bench.folder / "trouble.json").exists()
