"""The service killed at random instants: what it acknowledged is kept, once, and the alerts are those of a calm day."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import pytest

from sentinel.core.batch import Provenance, batch_of
from tests.service import counting
from tests.service.feeding import Delivery, Feeder, small_events

KILLS = int(os.environ.get("SENTINEL_KILLS", "50"))
FAST = {"checkpoint_seconds": 1.0, "flush_seconds": 0.2, "batch_records": 50}
SETTINGS = {"budget": 5.0}


def killed_at_random(service, feeder: Feeder, kills: int) -> None:
    """Kill the service, sometimes only its worker, while it starts or is fed; then let it finish in calm."""
    chance = random.Random(20260301)
    service.start()
    feeder.start()
    for _ in range(kills):
        if chance.random() < 0.6:
            service.wait_ready()
        time.sleep(chance.uniform(0, 1.2))
        if chance.random() < 0.3:
            service.kill_worker()
        else:
            service.kill()
            service.start()
    service.wait_ready()


def undisturbed(acknowledged: list[Delivery], pipeline, source) -> tuple[list[str], dict[str, dict]]:
    """Return the event ids and the alerts of a pipeline that nobody killed."""
    decode = counting.context_decoder()
    ids: dict[str, None] = {}
    alerts = {}
    for delivery in acknowledged:
        if not delivery.path.startswith("/v1/"):
            pipeline.know(decode(delivery.body))
            continue
        rows = source.decode(delivery.body.split(b"\n")).rows
        ids.update(dict.fromkeys(row.id for row in rows))
        for alert in pipeline.process(batch_of("default", rows, Provenance(source.name))).alerts:
            alerts[alert.id] = alert.to_dict()
    return list(ids), json.loads(json.dumps(alerts))


def check(service, feeder: Feeder, expected: tuple[list[str], dict[str, dict]]) -> None:
    """Compare what is kept with what an undisturbed run would have kept."""
    ids, alerts = expected
    kept = service.contents()
    places = Counter((offset, ordinal) for _, offset, ordinal in kept["rows"])
    counted = Counter(id_ for id_, *_ in kept["rows"])
    assert not set(ids) - counted.keys(), "lost"
    assert not counted.keys() - set(ids), "invented"
    assert max(places.values()) == 1, "kept twice"
    assert {offset for _, offset, _ in kept["rows"]} <= set(kept["raw"])
    assert {alert["id"]: alert for alert in kept["alerts"]} == alerts
    assert alerts, "a run without alerts shows nothing"


@pytest.mark.timeout(900)
def test_small_events_and_a_small_pipeline(running):
    """The machinery around the core, on events of now."""
    service = running(worker=FAST)
    feeder = Feeder(service.url, small_events(random.Random(7)), 0.02)
    killed_at_random(service, feeder, KILLS // 2)
    feeder.stopped.set()
    feeder.join()
    service.wait_processed()
    assert (service.stop(), feeder.failure) == (0, "")
    expected = undisturbed(feeder.acknowledged, counting.CountingPipeline("default"), counting.sources()["sentinel_json"])
    check(service, feeder, expected)
    assert len(service.contents()["rows"]) == len(expected[0])


def a_hospital() -> Iterator[Delivery]:
    """Yield a small hospital's context and then its AuditEvents, misuse among them."""
    from models.hospital import Hospital, HospitalSettings
    from sentinel.demo import batches, bundle

    hospital = Hospital(HospitalSettings(seed=3, staff=40, days=8))
    for some in batches(chain.from_iterable(hospital.context().values()), 500):
        yield Delivery("/fhir", bundle(some))
    for some in batches(hospital.events(), 10):
        yield Delivery("/v1/events?format=fhir_auditevent", b"\n".join(event.resource for event in some))


@pytest.mark.timeout(900)
def test_a_hospital_and_the_real_core(running):
    """All of `sentinel serve`, fed by the simulated hospital."""
    from sentinel import assembly
    from sentinel.settings import Settings

    deliveries = list(a_hospital())
    service = running(program="tests.service.real_service", worker=FAST, settings=SETTINGS)
    feeder = Feeder(service.url, iter(deliveries), 0.2)
    killed_at_random(service, feeder, KILLS)
    assert feeder.is_alive(), "there was something to send at each kill"
    feeder.pause_seconds = 0
    feeder.join()
    service.wait_processed()
    assert (service.stop(), feeder.failure) == (0, "")
    pipeline = assembly.pipeline(Settings(**SETTINGS), "default")
    check(service, feeder, undisturbed(feeder.acknowledged, pipeline, assembly.source("fhir_auditevent")))
