"""What a good integrator does: sends each batch until it is acknowledged, now and then once more."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

ACTORS = 12


@dataclass(frozen=True)
class Delivery:
    """One request."""

    path: str
    body: bytes
    method: str = "POST"

    @property
    def media_type(self) -> str:
        """Return what the body is."""
        return "application/x-ndjson" if self.path.startswith("/v1/") else "application/fhir+json"


class Feeder(threading.Thread):
    """Sends what `deliveries` yields; notes what was acknowledged, in order."""

    def __init__(self, url: str, deliveries: Iterator[Delivery], pause_seconds: float) -> None:
        super().__init__(daemon=True)
        self.url, self.deliveries, self.pause_seconds = url, deliveries, pause_seconds
        self.random = random.Random(7)
        self.acknowledged: list[Delivery] = []
        self.stopped = threading.Event()
        self.failure: str = ""

    def run(self) -> None:
        """Send until there is no more, or one is told to stop."""
        with httpx.Client(timeout=20) as client:
            for delivery in self.deliveries:
                self.deliver(client, delivery)
                if self.random.random() < 0.1:
                    self.deliver(client, self.random.choice(self.acknowledged[-40:]))
                if self.stopped.is_set() or self.failure:
                    return
                time.sleep(self.pause_seconds)

    def deliver(self, client: httpx.Client, delivery: Delivery) -> None:
        """Send until it is acknowledged."""
        while True:
            try:
                headers = {"Content-Type": delivery.media_type}
                answer = client.request(delivery.method, self.url + delivery.path, content=delivery.body, headers=headers)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code == 503:
                time.sleep(0.05)
                continue
            if answer.status_code not in {200, 202}:
                self.failure = f"{answer.status_code} {answer.text[:500]}"
            self.acknowledged.append(delivery)
            return


def small_events(chance: random.Random) -> Iterator[Delivery]:
    """Yield, without end, batches of Sentinel's own events of now, rarely of two days ago, and changes of names."""
    start, made = datetime.now(UTC), 0
    while True:
        if chance.random() < 0.05:
            who = f"a{chance.randrange(ACTORS)}"
            practitioner = {"resourceType": "Practitioner", "id": who, "name": [{"family": f"Name{made}"}]}
            yield Delivery(f"/fhir/Practitioner/{who}", json.dumps(practitioner).encode(), "PUT")
            continue
        lines = []
        for _ in range(chance.randrange(1, 20)):
            made += 1
            late = timedelta(days=2) if chance.random() < 0.02 else timedelta()
            event = {
                "id": f"e{made}",
                "occurred_at": (start + timedelta(milliseconds=made) - late).isoformat(),
                "action": "read",
                "actor_id": f"a{chance.randrange(ACTORS)}",
                "patient_id": "p1",
            }
            lines.append(json.dumps(event).encode())
        yield Delivery("/v1/events", b"\n".join(lines))
