"""What comes again is kept once: the store is asked, place by place, for what it has of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sentinel.core.batch import EventBatch
from sentinel.store.client import connect
from sentinel.store.migrate import migrate
from sentinel.store.writer import Writer
from streams import keeping
from streams.keeping import Done, Keeper, Stored
from tests.store.making import DAY_US, a_batch, an_alert, nothing_found, some_events


class Processed:
    """A batch of which there is nothing to say."""

    def __init__(self, batch: EventBatch) -> None:
        self.kept, self.assessment, self.alerts = batch, nothing_found(batch), []


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    """A writer of an empty store."""
    connections = connect(f"chdb://{tmp_path / 'store'}")
    migrate(connections.writer)
    yield Writer(connections.writer)
    connections.close()


def intake(count: int) -> EventBatch:
    """Events of two sources in two partitions each, whose offsets overlap, some several of one record."""
    batch = a_batch(some_events(count, days=1))
    draw = random.Random(count)
    batch.source = [draw.choice(["fhir_auditevent", "sentinel_json"]) for _ in range(count)]
    batch.partition = np.array([draw.randrange(2) for _ in range(count)])
    batch.offset, batch.ordinal = np.arange(count) // 3, np.arange(count) % 3
    return batch


def keep(writer: Writer, batch: EventBatch, stored: Stored | None, rows: Sequence[int]) -> None:
    """Keep some rows of a batch, as an assessor does."""
    keeper = Keeper(writer, DAY_US, Done())
    fresh, keys = keeper.fresh(batch.take(rows), stored)
    keeper.keep(Processed(fresh), keys)
    keeper.seal()
    keeper.store()


def test_what_rules_keep_back_is_stored_and_told_nobody(writer: Writer) -> None:
    """The topic of alerts is given what is told; the store has both."""
    keeper = Keeper(writer, DAY_US, Done())
    keeper.keep_alerts([an_alert("told"), an_alert("kept", suppressed=True)])
    keeper.seal()
    assert [alert.id for alert in keeper.store()] == ["told"]
    assert keeper.done.alerts == 1
    assert int(writer._client.command("SELECT count() FROM alert")) == 2


def count(writer: Writer) -> list[str]:
    return writer._client.command("SELECT count(), uniqExact(key) FROM access")


@pytest.mark.parametrize("window", [4, 50_000])
def test_what_comes_again_is_stored_once(writer: Writer, monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    """Cut otherwise, from anywhere before: what is there is left out, what is missing is added; sources are told apart."""
    monkeypatch.setattr(keeping, "WINDOW", window)
    batch, draw = intake(300), random.Random(1)
    keep(writer, batch, None, [row for row in range(200) if draw.random() < 0.8])
    stored = Stored(writer, writer.last_stored(10))
    for start in range(30, 300, 45):
        keep(writer, batch, stored, range(start, min(start + 45, 300)))
    keep(writer, batch, Stored(writer, writer.last_stored(0)), range(30))
    assert count(writer) == ["300", "300"]


def test_a_late_duplicate_is_told_from_what_comes_again(writer: Writer) -> None:
    """Both are in the store by their keys: one stands at another place there and is dropped, the other stays for the state."""
    batch = intake(20)
    batch.received_at = batch.occurred_at + 2 * DAY_US
    keep(writer, batch, None, range(20))
    stored = Stored(writer, writer.last_stored(0))
    done = Done()
    fresh, keys = Keeper(writer, DAY_US, done).fresh(batch, stored)
    assert (len(fresh), len(keys), done.duplicates) == (20, 20, 0)
    batch.offset = batch.offset + 1_000
    fresh, keys = Keeper(writer, DAY_US, done).fresh(batch, stored)
    assert (len(fresh), len(keys), done.duplicates) == (0, 0, 20)
