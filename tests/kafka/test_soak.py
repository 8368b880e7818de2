"""The promises of the distributed service, kept for long: `make soak`; and for seconds each in `make test`.

All of it on `sentinel worker` processes, a real broker, and a store that they share. The figures are in `var/soak`; those
that hang on the machine's speed are held against what is promised in the long runs alone.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.kafka.broker import Broker
from models.hospital import SimulatedEvent
from sentinel.assembly import context_decoder, detectors, online_model, sources
from sentinel.core.batch import Provenance, batch_of
from sentinel.core.errors import RejectedError, RejectionCode
from sentinel.core.pipeline import Pipeline
from sentinel.store.client import connect
from sentinel.store.questions import Questions
from sentinel.store.writer import Writer
from streams import rejected_topic
from streams.bus import Bus, producer, started
from streams.reading import Refused
from streams.record import DeadLetter, Kind, LogRecord
from tests.kafka import assessing
from tests.kafka import intake_feeding as feeding
from tests.kafka.assessing import PER_DAY, SOURCE, TENANT, simulated
from tests.kafka.gate import Gate
from tests.kafka.intake_feeding import JSON, an_event
from tests.kafka.soaking import (
    GROUP,
    IS_FULL,
    PARTITIONS,
    SCALE,
    STOP_SECONDS,
    Feed,
    Fleet,
    Kept,
    Site,
    in_background,
    memory_of,
    tell,
)

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3 * 3_600)] if IS_FULL else []

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
OF_ITS_COMING = {
    *("received_at", "partition", "offset", "ordinal"),  # how it came
    *("explained_by", "explained", "p_value", "detectors", "weighed"),  # what was concluded of it, by what had come before
}


@pytest.fixture
def site(bus: Bus, prefix: str, tmp_path: Path) -> Iterator[Site]:
    """A site of this test."""
    with Site(bus, prefix, tmp_path) as opened:
        yield opened


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of this test alone, which may be stopped."""
    with Broker(tmp_path / "kafka", {"auto.create.topics.enable": "false"}) as running:
        yield running


def hospital(count: int = SCALE.events) -> tuple[list[tuple[str, bytes]], list[bytes]]:
    """Return the context of the hospital of all runs, and its first events."""
    context, events = simulated(SCALE.events, SCALE.staff, SCALE.days)
    assert len(events) >= count
    return context, [event.resource for event in events[:count]]


async def compared(site: Site) -> tuple[assessing.Truth, dict[str, int]]:
    """Wait until all is in the store, and return the truth with what the store has of it."""
    await site.until_read()
    expected = await assessing.truth(site.bus, site.topics)
    await site.until_settled(expected)
    rows, alerts = assessing.stored(site.store)
    places = {row[:4] for row in rows}
    return expected, {
        "rows": len(rows),
        "lost": len(expected.rows.keys() - places),
        "twice": len(rows) - len(places),
        "alerts": len(alerts),
        "alerts_other": sum(alerts.get(id_) != body for id_, body in expected.alerts.items())
        + len(alerts.keys() - expected.alerts),
    }


def test_workers_that_come_leave_and_are_killed_lose_nothing(site: Site) -> None:
    """Three workers, again and again one more, one less or one killed: each event once, the alerts of an undisturbed run."""
    context, events = hospital()
    feed = Feed(site.bus, site.topics.intake[SOURCE], SCALE.a_second)

    async def run() -> None:
        begun = time.monotonic()
        await assessing.send(site.bus, site.topics, context, [])
        fleet = Fleet(site, 3)
        async with in_background(feed.send(events)) as sending:
            await fleet.disturb(random.Random(11), sending)
            await sending
        fed = time.monotonic()
        expected, figures = await compared(site)
        codes = Counter(worker.wait(STOP_SECONDS) for worker in fleet.left)
        seconds = {"fed_seconds": fed - begun, "seconds": time.monotonic() - begun}
        tell("workers", events=len(events), **figures, **fleet.acts, left_with=dict(codes), **seconds)
        assessing.same(site.store, expected)
        assert codes.keys() <= {0, -15}, "15: it was told to before it had begun"

    asyncio.run(run())


def test_a_broker_that_is_away_is_waited_for(own_broker: Broker, prefix: str, tmp_path: Path) -> None:
    """Senders know soon what became of their records; all goes on soon after, by a worker started anew if need be."""
    bus = Bus(own_broker.address)
    count = int(SCALE.fed * (SCALE.warm_up + SCALE.broker_down + SCALE.warm_up / 3))
    context, events = hospital(count)
    rows_of = rows_after(events)

    async def run(site: Site) -> None:
        feed, worker = Feed(bus, site.topics.intake[SOURCE], SCALE.fed), Kept(site)
        await assessing.send(bus, site.topics, context, [])
        async with in_background(worker.keep()):
            await feed.send(events[:GROUP])
            await site.until_rows(1)
            sending = asyncio.create_task(feed.send(events))
            await asyncio.sleep(SCALE.warm_up)
            await asyncio.to_thread(own_broker.stop)
            stopped = time.monotonic()
            await asyncio.sleep(SCALE.broker_down)
            await asyncio.to_thread(own_broker.start)
            resumed = await site.until_rows(rows_of(feed.sent) + 1)
            begun = time.monotonic()
            await feeding.send(bus, site.topics.feedback.name, [b"no verdict"], 1)
            await verdict_refused(site)
            faust_resumed = time.monotonic() - begun
            await sending
            expected, figures = await compared(site)
        ends = [(round(when - stopped, 1), code) for when, code in worker.ends]
        senders = {"refusals": feed.refusals, "longest_send": feed.longest}
        workers = {"resumed": resumed, "faust_resumed": faust_resumed, "worker_ends": ends}
        tell("broker", events=count, down=SCALE.broker_down, **workers, **senders, **figures)
        assessing.same(site.store, expected)
        assert feed.longest <= 60
        assert not ends or ends[0][1] == 1
        assert not IS_FULL or resumed <= 30

    with Site(bus, prefix, tmp_path) as site:
        asyncio.run(run(site))


def test_a_store_that_refuses_is_waited_for_in_bounded_memory(site: Site) -> None:
    """What comes meanwhile waits in Kafka; then it is taken in at three times the pace at which it came, or more.

    Taking in makes a worker's state grow, as it does at any time: that is told apart from what it held meanwhile.
    """
    count = int(SCALE.fed * (SCALE.warm_up + 1.5 * SCALE.store_refused + SCALE.warm_up / 3))
    context, events = hospital(count)
    feed, rows_of = Feed(site.bus, site.topics.intake[SOURCE], SCALE.fed), rows_after(events)

    async def run(gate: Gate) -> None:
        await assessing.send(site.bus, site.topics, context, [])
        worker = site.start(gate.store)
        await feed.send(events[:GROUP])
        await site.until_rows(1)
        async with in_background(feed.send(events)) as sending:
            async with memory_of(worker.pid) as usual:
                await asyncio.sleep(SCALE.warm_up)
            async with memory_of(worker.pid) as tried:
                gate.is_open = False
                await asyncio.sleep(SCALE.store_refused)
            async with memory_of(worker.pid) as catching_up:
                before, begun, behind = await site.rows(), time.monotonic(), rows_of(feed.sent)
                gate.is_open = True
                while (rows := await site.rows()) < rows_of(feed.sent - 2 * SCALE.fed):
                    assert time.monotonic() < begun + SCALE.settle
                    await asyncio.sleep(0.1)
            pace = (rows - before) / (time.monotonic() - begun)
            await sending
        expected, figures = await compared(site)
        most = {"usual": max(usual), "refused": max(tried), "catching_up": max(catching_up)}
        memory = {f"{when}_bytes": found for when, found in most.items()} | {"growth": most["refused"] / most["usual"] - 1}
        paces = {"fed_a_second": SCALE.fed, "behind": behind - before, "caught_up_a_second": pace}
        tell("store", events=count, refused=SCALE.store_refused, **paces, **memory, **figures)
        assessing.same(site.store, expected)
        assert worker.poll() is None
        assert not IS_FULL or memory["growth"] <= 0.2
        assert not IS_FULL or pace >= 3 * SCALE.fed

    with Gate(site.store) as gate:
        asyncio.run(run(gate))


async def verdict_refused(site: Site) -> None:
    """Wait until Faust's agent has refused a verdict."""
    until = time.monotonic() + SCALE.settle
    while time.monotonic() < until:
        letters = (await feeding.refused(site.bus, site.topics, 1_000_000, seconds=1)).values()
        if any(letter["source"] == "feedback" for letter in letters):
            return
    raise AssertionError("no verdict refused")


def rows_after(events: Sequence[bytes]) -> Any:
    """Return what tells how many rows the first `n` events are."""
    records = sources()[SOURCE].decode(events).records
    return lambda n: bisect_left(records, n)


def garbage(n: int) -> bytes:
    """Return a record that cannot be read, the `n`th."""
    late = json.loads(an_event(n)) | {"occurred_at": "yesterday"}
    kinds = (b"{%d" % n, b"\xff\xfe%d" % n, b'{"id": "e%d"}' % n, b"[%d]" % n, an_event(n) + b"x", json.dumps(late).encode())
    return kinds[n // 100 % len(kinds)]


async def set_aside(site: Site, raws: Sequence[bytes]) -> None:
    """Put records into `rejected` as a Sentinel did that could not read them yet."""
    intake = site.topics.intake[JSON].name
    records = [LogRecord(TENANT, Kind.EVENT, JSON, raw, 0) for raw in raws]
    letters = [Refused(intake, 0, n, DeadLetter(one, RejectionCode.UNKNOWN_FIELD)) for n, one in enumerate(records)]
    async with started(site.bus, producer(site.bus)) as out:
        await rejected_topic.send(out, site.topics.rejected.name, letters)


def redriven(site: Site) -> dict[str, int]:
    """Drive all again that was set aside; return what became of it."""
    return dict(json.loads(site.command("rejected", "redrive", "--kafka", "--json", "--limit", "100000")))


def test_garbage_is_set_aside_and_holds_up_nothing(site: Site) -> None:
    """One record in a hundred: all others are stored once, each of those lies in `rejected` with its reason, none waits.

    What can be read after a fix is driven again, once however often that is done.
    """
    later = [an_event(SCALE.records + n) for n in range(SCALE.records // 100)]
    bad = {n: garbage(n) for n in range(7, SCALE.records, 100)}
    records = [bad.get(n) or an_event(n, minute=n // 50) for n in range(SCALE.records)]

    async def run() -> None:
        site.start()
        begun = time.monotonic()
        await feeding.send(site.bus, site.topics.intake[JSON].name, records, PARTITIONS, SCALE.records / 2_000)
        await site.until_rows(len(records) - len(bad))
        lag = await site.until_read()
        letters = list((await feeding.refused(site.bus, site.topics, len(bad))).values())
        codes = Counter(letter["code"] for letter in letters)
        seconds = {"seconds": time.monotonic() - begun, "lag_0_after": lag}
        await set_aside(site, later)
        again = [await asyncio.to_thread(redriven, site) for _ in range(2)]
        await site.until_rows(len(records) - len(bad) + len(later))
        await site.until_read()
        stored = await site.ask("SELECT id FROM access")
        tell("garbage", records=len(records), bad=len(bad), stored=len(stored), rejected=dict(codes), redriven=again, **seconds)
        assert sorted(id_ for (id_,) in stored) == sorted(f"e{n}" for n in range(len(records) + len(later)) if n not in bad)
        assert again == [{"moved": len(later), "refused": len(bad)}, {"moved": 0, "refused": len(bad)}]
        assert {(int(one["partition"]), int(one["offset"])): one["raw"].encode("latin-1") for one in letters} == {
            (n % PARTITIONS, n // PARTITIONS): raw for n, raw in bad.items()
        }
        assert codes.keys() <= set(RejectionCode)
        assert {one["topic"] for one in letters} == {site.topics.intake[JSON].name}

    asyncio.run(run())


def astray(events: Sequence[SimulatedEvent], chance: random.Random) -> list[bytes]:
    """Return events as they may come: within five minutes, some up to a day early or late, some once more within a day."""
    coming: list[tuple[float, bytes]] = []
    for event in events:
        delay = chance.uniform(-DAY_US, DAY_US) if chance.random() < 0.05 else chance.uniform(0, 5 * MINUTE_US)
        coming.append((event.occurred_at_us + delay, event.resource))
        if chance.random() < 0.05:
            coming.append((event.occurred_at_us + delay + chance.uniform(0, DAY_US), event.resource))
    return [raw for _, raw in sorted(coming)]


def keep(store: str, context: Sequence[tuple[str, bytes]], events: Sequence[bytes]) -> int:
    """Keep what one pipeline concludes of events that come once and in order; return how many rows that is."""
    connections = connect(store)
    writer, pipeline, count = Writer(connections.writer), Pipeline(TENANT, detectors(), online_model(), PER_DAY), 0
    for _, known in context:
        with suppress(RejectedError):  # some resources are of no use here
            pipeline.know(context_decoder()(known))
    for first in range(0, len(events), assessing.AT_ONCE):
        decoded = sources()[SOURCE].decode(events[first : first + assessing.AT_ONCE])
        offsets = np.array(decoded.records, dtype=np.int64) + first
        processed = pipeline.process(batch_of(TENANT, decoded.rows, Provenance(SOURCE, offset=offsets)))
        writer.write(processed.kept, processed.assessment)
        count += len(processed.kept)
    writer.flush()
    connections.close()
    return count


def answers(store: str) -> tuple[list[str], dict[str, Any], dict[str, str]]:
    """Return the keys of all that is stored, what the patients with most accesses are told, and what explains each access."""
    connections = connect(store)
    explained = connections.writer.query("SELECT lower(hex(key)), explained_by FROM access").result_rows
    busiest = "SELECT patient_id FROM access WHERE patient_id != '' GROUP BY patient_id ORDER BY count() DESC, patient_id"
    patients = [id_ for (id_,) in connections.writer.query(f"{busiest} LIMIT {SCALE.patients}").result_rows]
    questions, told = Questions(connections.reader()), {}
    for patient in patients:
        accesses = map(asdict, questions.accesses_to_patient(TENANT, [patient], limit=1_000).accesses)
        actors = map(asdict, questions.summary_of_patient(TENANT, [patient]))
        told[patient] = [{name: one[name] for name in one.keys() - OF_ITS_COMING} for one in (*accesses, *actors)]
    connections.close()
    return sorted(key for key, _ in explained), told, dict(explained)


def test_what_comes_twice_late_or_in_another_order_is_the_same(site: Site) -> None:
    """Up to a day early or late: the same rows by key, and patients are told the same of who did what and when.

    Not always the same reason: an access that follows one's own act is explained by it only when the act came first.
    """
    context, everything = simulated(SCALE.events, SCALE.staff, SCALE.days)
    events = everything[: SCALE.strayed]
    sent = astray(events, random.Random(5))
    in_order = site.open_store("in-order")
    count = keep(in_order, context, [event.resource for event in events])

    async def run() -> None:
        await assessing.send(site.bus, site.topics, context, [])
        for _ in range(2):
            site.start()
        await assessing.send(site.bus, site.topics, [], sent, a_second=10 * SCALE.fed)
        await site.until_rows(count)
        await site.until_read()

    asyncio.run(run())
    (keys, told, explained), (expected_keys, expected, usual) = answers(site.store), answers(in_order)
    reasons = {
        "explained": sum(map(bool, usual.values())),
        "explained_otherwise": sum(explained.get(key) != by for key, by in usual.items()),
        "explained_or_not": sum(bool(explained.get(key)) != bool(by) for key, by in usual.items()),
    }
    reports = {"reports": len(expected), "reports_other": sum(told.get(patient) != one for patient, one in expected.items())}
    tell("astray", events=len(events), sent=len(sent), rows=len(keys), **reports, **reasons)
    assert keys == expected_keys
    assert told == expected
