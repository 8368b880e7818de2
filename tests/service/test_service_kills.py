"""The service killed at random instants: what it acknowledged is kept, once, and the alerts are those of a calm day."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import pytest

KILLS = int(os.environ.get("SENTINEL_KILLS", "50"))
ACTORS = 12


class Feeder(threading.Thread):
    """Sends batches, each until it is acknowledged, some twice; notes what was acknowledged and in which order."""

    def __init__(self, url: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.url, self.random = url, random.Random(seed)
        self.acknowledged: list[tuple[str, bytes]] = []
        self.done = threading.Event()
        self.start_time = datetime.now(UTC)
        self.made = 0

    def run(self) -> None:
        with httpx.Client(timeout=10) as client:
            while not self.done.is_set():
                self.deliver(client, *self.next())
                if self.acknowledged and self.random.random() < 0.1:
                    self.deliver(client, *self.random.choice(self.acknowledged[-40:]))
                time.sleep(0.02)

    def next(self) -> tuple[str, bytes]:
        if self.random.random() < 0.05:
            who = f"a{self.random.randrange(ACTORS)}"
            name = [{"family": f"Name{self.made}"}]
            return f"/fhir/Practitioner/{who}", json.dumps({"resourceType": "Practitioner", "id": who, "name": name}).encode()
        return "/v1/events", b"\n".join(json.dumps(self.event()).encode() for _ in range(self.random.randrange(1, 20)))

    def event(self) -> dict[str, str]:
        self.made += 1
        late = timedelta(days=2) if self.random.random() < 0.02 else timedelta()
        at = self.start_time + timedelta(milliseconds=self.made) - late
        who = f"a{self.random.randrange(ACTORS)}"
        return {"id": f"e{self.made}", "occurred_at": at.isoformat(), "action": "read", "actor_id": who, "patient_id": "p1"}

    def deliver(self, client: httpx.Client, path: str, body: bytes) -> None:
        kind = "application/x-ndjson" if path == "/v1/events" else "application/fhir+json"
        while True:
            try:
                method = "POST" if path == "/v1/events" else "PUT"
                answer = client.request(method, self.url + path, content=body, headers={"Content-Type": kind})
                assert answer.status_code in {200, 202, 503}, answer.text
                if answer.status_code != 503:
                    self.acknowledged.append((path, body))
                    return
            except httpx.TransportError:
                pass
            if self.done.is_set():
                return
            time.sleep(0.02)


def undisturbed(acknowledged: list[tuple[str, bytes]]) -> tuple[list[str], list[str]]:
    """Return the event ids and the alerts of a pipeline that nobody killed."""
    from sentinel.core.batch import Provenance, batch_of
    from streams.context.fhir import decode
    from tests.service import counting

    pipeline = counting.CountingPipeline("default")
    source = counting.sources()["sentinel_json"]
    ids: dict[str, None] = {}
    alerts: dict[str, str] = {}
    for path, body in acknowledged:
        if path != "/v1/events":
            pipeline.know(decode(body))
            continue
        rows = source.decode(body.split(b"\n")).rows
        ids.update(dict.fromkeys(row.id for row in rows))
        for alert in pipeline.process(batch_of("default", rows, Provenance("sentinel_json"))).alerts:
            alerts[alert.id] = alert.to_json()
    return list(ids), [alerts[id_] for id_ in sorted(alerts)]


@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_and_nothing_is_kept_twice(running):
    """Kills of the whole service or of its worker alone, while starting or fed, leave the store of an undisturbed run."""
    chance = random.Random(20260301)
    service = running(worker={"checkpoint_seconds": 0.7, "flush_seconds": 0.2, "batch_records": 50})
    feeder = Feeder(service.url, seed=7)
    service.start()
    feeder.start()
    for _ in range(KILLS):
        if chance.random() < 0.7:
            service.wait_ready()
        time.sleep(chance.uniform(0, 1.2))
        if chance.random() < 0.3:
            service.kill_worker()
        else:
            service.kill()
            service.start()
    service.wait_ready()
    feeder.done.set()
    feeder.join()
    service.wait_processed()
    assert service.stop() == 0

    ids, alerts = undisturbed(feeder.acknowledged)
    kept = service.contents()
    counted = Counter(id_ for id_, *_ in kept["rows"])
    assert not set(ids) - counted.keys(), "lost"
    assert not [id_ for id_, times in counted.items() if times > 1], "kept twice"
    assert len(kept["rows"]) == len(ids)
    assert kept["alerts"] == alerts
    assert {offset for _, _, offset, *_ in kept["rows"]} <= set(kept["raw"])
