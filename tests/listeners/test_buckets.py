"""Buckets of an S3 store of the tests' own: each object once, whatever happens between, and what is put there anew."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from pydantic import ValidationError

from sentinel.core.event import microseconds
from sentinel.core.ids import derive
from streams.listeners import buckets
from streams.listeners.buckets import TOO_LARGE, BucketListener
from streams.listeners.document import Bucket
from streams.record import MarkKind
from tests.listeners.listening import SOURCES, Kept, event, ids_of

DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server, and its address."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(endpoint: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A bucket of its own."""
    monkeypatch.setenv("BUCKET_KEY", "key")
    monkeypatch.setenv("BUCKET_SECRET", "secret")
    name = derive("bucket", request.node.name)[:20]
    httpx.put(f"{endpoint}/{name}").raise_for_status()
    told: Any = {"endpoint": endpoint, "region": "us-east-1", "access_key_id": "key", "secret_access_key": "secret"}
    return S3Store(name, config=told, client_options={"allow_http": True})


class Clock:
    """Tells the time that the store tells, and goes when it is told to."""

    def __init__(self, store: S3Store) -> None:
        obstore.put(store, "clock", b"")
        self.us = microseconds(obstore.head(store, "clock")["last_modified"])

    def now_us(self) -> int:
        """Return it."""
        return self.us


def look(kept: Kept, store: S3Store, clock: Clock, **told: Any) -> list[str]:
    """Look once with a listener that knows only what is on disk, and return the ids of all that is kept."""
    settings = Bucket.model_validate(
        {
            "name": "trail",
            "endpoint": store.config["endpoint"],
            "bucket": store.config["bucket"],
            "prefix": "logs/",
            "source": "sentinel_json",
            "access_key": "env:BUCKET_KEY",
            "secret_key": "env:BUCKET_SECRET",
        }
        | told
    )

    async def run() -> None:
        source = SOURCES[settings.source]
        one = BucketListener(settings, source, kept.receiver, kept.marks, clock.now_us, kept.folder)
        one.recall()
        await one.look()
        await one.stop()

    asyncio.run(run())
    assert not list(kept.folder.glob("object-*"))
    return ids_of(kept.records())


def put(store: S3Store, key: str, *ids: object, packed: bool = False) -> None:
    data = b"".join(event(id_) + b"\n" for id_ in ids)
    obstore.put(store, key, gzip.compress(data) if packed else data)


def test_each_object_once(kept: Kept, store: S3Store) -> None:
    """In the order of names, compressed or not, under the prefix and of the keys that are told; what is put anew again."""
    clock = Clock(store)
    put(store, "logs/2026/b.json.gz", "3", "4", packed=True)
    put(store, "logs/2026/a.json", "1", "2")
    put(store, "logs/2026/a.txt", "x")
    put(store, "other/a.json", "y")
    told = {"keys": ["*.json", "*.json.gz"]}
    assert look(kept, store, clock, **told) == ["1", "2", "3", "4"]
    assert look(kept, store, clock, **told) == ["1", "2", "3", "4"]
    put(store, "logs/2026/c.json", "5")
    put(store, "logs/2026/a.json", "1", "2", "6")
    assert look(kept, store, clock, **told)[4:] == ["1", "2", "6", "5"]
    assert len(kept.marks.all(MarkKind.OBJECT)) == 3


def test_more_than_a_page(kept: Kept, store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, however few a listing gives at once."""
    monkeypatch.setattr(buckets, "LISTED", 7)
    for number in range(10, 30):
        put(store, f"logs/{number}", number)
    assert look(kept, store, Clock(store)) == [str(number) for number in range(10, 30)]


class _Failing:
    """A receiver whose machine stops after some batches."""

    def __init__(self, receiver: Any, after: int) -> None:
        self._receiver, self._after = receiver, after

    async def take(self, *told: Any) -> None:
        self._after -= 1
        if self._after < 0:
            raise OSError("killed")
        await self._receiver.take(*told)


def test_killed_within_an_object(kept: Kept, store: S3Store) -> None:
    """It goes on behind what is on disk."""
    clock = Clock(store)
    put(store, "logs/a", *range(2_500))
    whole, kept.receiver = kept.receiver, _Failing(kept.receiver, after=2)
    with pytest.raises(OSError, match="killed"):
        look(kept, store, clock)
    kept.receiver = whole
    assert look(kept, store, clock) == [str(n) for n in range(2_500)]


def test_what_is_old_is_neither_read_nor_remembered(kept: Kept, store: S3Store) -> None:
    """Older than the days that are told; where names grow, it is not even listed."""
    clock = Clock(store)
    put(store, "logs/a", "1")
    assert look(kept, store, clock, names_grow=True) == ["1"]
    clock.us += 9 * DAY_US
    put(store, "logs/b", "2")
    assert look(kept, store, clock, names_grow=True) == ["1"]
    assert kept.marks.all(MarkKind.OBJECT) == []


def test_what_cannot_be_read(kept: Kept, store: S3Store) -> None:
    """An object that is damaged gives what it holds before that; one that is too large is left out, and counted."""
    clock = Clock(store)
    obstore.put(store, "logs/a.gz", gzip.compress(event("1") + b"\n" + event("2") + b"\n")[:-9])
    obstore.put(store, "logs/b", json.dumps({"id": "SECRET"}).encode() + b"\n" + event("3"))
    put(store, "logs/c", *range(100))
    assert look(kept, store, clock, bytes_max=2_000)[-1:] == ["3"]
    assert look(kept, store, clock, bytes_max=2_000)[-1:] == ["3"]
    assert kept.counts["trail", "", TOO_LARGE] == 1
    assert len(kept.letters()) == 1


@pytest.mark.parametrize("told", [{"endpoint": "http://s3.example"}, {"secret_key": None}, {"access_key": "in-clear"}])
def test_settings_that_are_refused(kept: Kept, store: S3Store, told: dict) -> None:
    """Records do not come unencrypted, and keys do not stand in the file."""
    with pytest.raises(ValidationError):
        look(kept, store, Clock(store), **told)
