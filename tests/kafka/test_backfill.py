"""Late alerts on the bus: told once they are stored, by their own ids, where the settings name brokers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from sentinel import assembly
from sentinel.core.errors import RefusedToStartError
from sentinel.settings import Settings
from streams.backfill import BackfillSummary, Manners
from streams.bus import Bus, consumer, started
from streams.topic_admin import create
from tests.service.backfilling import FORMAT, History, a_week, contents


def backfilled(folder: Path, history: History, **kafka: Any) -> BackfillSummary:
    """Backfill into an embedded store."""
    settings = Settings(data=folder / "data", store=f"chdb://{folder / 'store'}", budget=0, kafka_protocol="PLAINTEXT", **kafka)
    return assembly.backfill(
        settings, FORMAT, [str(history.events)], history.context, None, (None, None), Manners(), lambda _events, _bytes: None
    )


def test_late_alerts_are_told(tmp_path: Path, bus: Bus, prefix: str) -> None:
    """The newest record of each id is the alert as it is stored; a second run tells the same again."""
    kafka = {"kafka_servers": bus.servers, "kafka_prefix": prefix, "kafka_replication": 1, "kafka_partitions": 1}
    topics = assembly.topics(Settings(**kafka))
    asyncio.run(create(bus, topics))
    history = a_week(tmp_path / "history")
    done = backfilled(tmp_path, history, **kafka)
    stored = contents(f"chdb://{tmp_path / 'store'}")
    assert stored.late.keys() == stored.alerts.keys()
    assert asyncio.run(_newest(bus, topics.alerts.name)) == stored.late
    assert len(stored.late) == done.alerts > 0
    backfilled(tmp_path, history, **kafka)
    assert asyncio.run(_newest(bus, topics.alerts.name)) == stored.late


def test_brokers_that_are_not_to_be_had_are_refused_at_the_start(tmp_path: Path) -> None:
    """Before anything is stored."""
    history = a_week(tmp_path / "history")
    with pytest.raises(RefusedToStartError, match=r"Kafka at 127\.0\.0\.1:1: nobody listens"):
        backfilled(tmp_path, history, kafka_servers="127.0.0.1:1")
    assert not (tmp_path / "store").exists()


async def _newest(bus: Bus, topic: str) -> dict[str, Any]:
    """Return the newest value of each key."""
    newest: dict[str, Any] = {}
    async with started(bus, consumer(bus, topic)) as told:
        while records := await told.getmany(timeout_ms=2_000):
            newest |= {one.key.decode(): json.loads(one.value) for some in records.values() for one in some}
    return newest
