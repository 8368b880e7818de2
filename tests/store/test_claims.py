"""Two writers of the same people: whoever claims them last stores their events, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import Popen
from threading import Thread
from time import sleep

import pytest

from sentinel.core.errors import SupersededError
from sentinel.store.client import Connections, connect
from sentinel.store.migrate import migrate
from sentinel.store.writer import Writer
from tests.store.making import a_batch, an_alert, nothing_found, some_events
from tests.store.served import dsn_of


@pytest.fixture(params=["embedded", "served"])
def store(request: pytest.FixtureRequest, tmp_path: Path, run: Callable[..., Popen[str]]) -> Iterator[Connections]:
    """A store, embedded or served."""
    dsn = f"chdb://{tmp_path / 'store'}"
    if request.param == "served":
        dsn = dsn_of(run("serving.py", tmp_path / "store"))
    connections = connect(dsn)
    migrate(connections.writer)
    yield connections
    connections.close()


def took(store: Connections, first: int = 0, count: int = 50, *partitions: int) -> Writer:
    """Return a writer that has claimed partitions and taken events."""
    writer = Writer(store.writer, "events-0")
    if partitions:
        writer.claim(partitions)
    take(writer, first, count)
    return writer


def take(writer: Writer, first: int, count: int) -> None:
    batch = a_batch(some_events(count, first=first), offset=first)
    writer.write(batch, nothing_found(batch))


def rows(store: Connections) -> tuple[int, int]:
    """Return how many rows there are, and how many events that is."""
    [[count, keys]] = store.writer.query("SELECT count(), uniqExact(key) FROM access").result_rows
    return int(count), int(keys)


def test_what_another_has_taken_over_is_not_stored(store: Connections) -> None:
    """One that was stopped with events in hand, and goes on after its partitions moved: it is refused, each time it tries."""
    stopped = took(store, 0, 50, 0, 1)
    other = took(store, 0, 50, 1)
    for _ in range(2):
        with pytest.raises(SupersededError):
            stopped.flush()
    assert rows(store) == (0, 0)
    other.flush()
    stopped.flush()  # all of it is there
    assert rows(store) == (50, 50)


def test_who_has_what_nobody_else_claimed_goes_on(store: Connections) -> None:
    """Claims of other partitions, of fewer or of the same again change nothing."""
    one, other = took(store, 0, 50, 0, 1), took(store, 50, 50, 2)
    one.flush()
    other.flush()
    one.claim([0])
    other.claim([1, 2])
    take(one, 100, 10)
    take(other, 110, 10)
    one.flush()
    other.flush()
    assert rows(store) == (120, 120)


def test_who_claims_nothing_is_not_asked(store: Connections) -> None:
    """A backfill writes beside the workers."""
    took(store, 0, 50, 0)
    took(store, 50, 50).flush()
    assert rows(store) == (50, 50)


def test_alerts_are_the_same_whoever_tells_them(store: Connections) -> None:
    """The highest version counts: they need no claim."""
    stopped = Writer(store.writer, "events-0")
    stopped.claim([0])
    Writer(store.writer, "events-0").claim([0])
    stopped.write_alerts([an_alert("story", batch=a_batch(some_events(3)))])
    stopped.flush()
    assert store.writer.query("SELECT count() FROM alert FINAL").result_rows == [(1,)]


def test_who_has_left_stores_and_asks_nothing_more(store: Connections) -> None:
    """Whatever it had in hand or sealed is somebody else's to store: to ask or to claim is refused as well."""
    writer = took(store, 0, 50, 0)
    writer.flush()
    take(writer, 50, 50)
    writer.seal()
    writer.leave()
    for act in (writer.store, lambda: writer.claim([0]), lambda: writer.last_stored(0)):
        with pytest.raises(SupersededError):
            act()
    assert rows(store) == (50, 50)


def test_who_leaves_waits_for_what_is_being_stored_and_no_longer(store: Connections) -> None:
    """The insert under way ends, the one after it does not begin."""
    writer = took(store, 0, 50, 0)
    for first in (50, 100):
        writer.seal()
        take(writer, first, 50)
    writer.seal()
    with writer._turn():  # as the thread that stores has it
        leaving = Thread(target=writer.leave)
        leaving.start()
        while not writer._has_left:
            sleep(0.01)
        assert leaving.is_alive()
        storing = ThreadPoolExecutor(1).submit(writer.store)
    leaving.join(20)
    assert not leaving.is_alive()
    assert isinstance(storing.exception(20), SupersededError)
    assert rows(store) == (0, 0)
