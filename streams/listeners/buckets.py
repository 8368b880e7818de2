"""S3-compatible buckets into which files are put: each object once, and once more when it is put there anew."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import msgspec
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from sentinel.core.errors import RefusedToStartError
from sentinel.core.event import microseconds
from sentinel.core.ids import derive
from streams.faults import report
from streams.listeners.document import Bucket
from streams.listeners.places import Place
from streams.listeners.reading_files import Found, delivered
from streams.listeners.receiving import Receiver
from streams.marks import MarkReader
from streams.record import Mark, MarkKind
from streams.sources.contract import Source

STOP_SECONDS: Final = 5.0
WAIT_SECONDS_MAX: Final = 300.0
LISTED: Final = 1_000  # objects a page: what S3 gives at most
PIECE_BYTES: Final = 4 << 20
TOO_LARGE: Final = "too-large"
_DAY_US: Final = 86_400_000_000

_packer: Final = msgspec.msgpack.Encoder()
_places: Final = msgspec.msgpack.Decoder(Place)


@dataclass(frozen=True, slots=True)
class Object:
    """What a listing tells of an object."""

    key: str
    size: int
    changed: datetime

    @property
    def changed_ns(self) -> int:
        """When it was put there, in ns since 1970."""
        return microseconds(self.changed) * 1_000


class BucketListener:
    """Takes what is put under a prefix. Which objects were taken is kept in the commit of their records."""

    def __init__(
        self, settings: Bucket, source: Source, receiver: Receiver, marks: MarkReader, now_us: Callable[[], int], folder: Path
    ) -> None:
        """Make ready; nothing is connected yet. `folder`: where an object lies while it is read.

        Raises:
            RefusedToStartError: the settings name no store.
        """
        self._settings, self._source, self._receiver, self._marks = settings, source, receiver, marks
        self._now_us, self._folder = now_us, folder
        self._store = _store(settings)
        self._known: dict[str, Place] = {}
        self._offset: str | None = None  # up to here all is too old, where names grow
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on where the log says that it was."""
        self.recall()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Keep what is in hand, and end."""
        self._stopping.set()
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)  # so that nobody writes to a log that is closed

    def recall(self) -> None:
        """Learn from the log which objects were taken."""
        for mark in self._marks.all(MarkKind.OBJECT):
            place = _places.decode(mark.value)
            if mark.name == self._name_of(place.path):
                self._known[place.path] = place

    async def look(self) -> None:
        """Take all that is new, in the order of names."""
        oldest_us = self._now_us() - int(self._settings.days * _DAY_US)
        async for one in self._listed(oldest_us):
            if self._stopping.is_set():
                return
            if not self._is_done(one):
                await self._take(one)
        await self._forget(oldest_us)

    async def _run(self) -> None:
        wait = self._settings.poll_seconds
        while not self._stopping.is_set():
            try:
                await self.look()
                wait = self._settings.poll_seconds
            except Exception as error:  # noqa: BLE001 - whatever it is, its message may quote a record
                report("bucket-failed", error, listener=self._settings.name)
                wait = min(max(wait, 1.0) * 2, WAIT_SECONDS_MAX)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

    async def _listed(self, oldest_us: int) -> AsyncIterator[Object]:
        """Yield the objects that are looked at."""
        told = self._settings
        is_first = told.names_grow
        pages = obstore.list(self._store, told.prefix or None, offset=self._offset, chunk_size=LISTED)
        async for page in pages:
            for meta in page:
                one = Object(meta["path"], meta["size"], meta["last_modified"])
                is_old = microseconds(one.changed) < oldest_us
                is_first = is_first and is_old
                if is_first:
                    self._offset = one.key
                if not is_old and any(fnmatchcase(one.key, pattern) for pattern in told.keys):
                    yield one

    def _is_done(self, one: Object) -> bool:
        place = self._known.get(one.key)
        return place is not None and (place.size, place.mtime_ns) == (one.size, one.changed_ns)

    async def _take(self, one: Object) -> None:
        """Take one object, from where it was taken to, when it is the same."""
        if one.size > self._settings.bytes_max:
            self._receiver.count(self._settings.name, TOO_LARGE)
            await self._keep(one, Place(one.key, 0, 0, size=one.size, mtime_ns=one.changed_ns))
            return
        with NamedTemporaryFile(dir=self._folder, prefix="object-") as file:
            try:
                await self._fetch(one, Path(file.name))
            except FileNotFoundError:
                return  # gone meanwhile
            found = Found(Path(file.name), one.key, await asyncio.to_thread(os.stat, file.name))
            batches = delivered(self._source, found, self._known.get(one.key) or found.place())
            while not self._stopping.is_set() and (batch := await asyncio.to_thread(next, batches, None)) is not None:
                if batch.is_broken:
                    report("object-cut-short", listener=self._settings.name)
                await self._receiver.take(self._settings.name, batch.records, [self._mark(one.key, batch.place)])
                self._known[one.key] = batch.place

    async def _fetch(self, one: Object, to: Path) -> None:
        """Write an object to a file that looks, by size and time, as the object does."""
        got = await obstore.get_async(self._store, one.key)
        with to.open("wb") as out:
            async for piece in got.stream(min_chunk_size=PIECE_BYTES):
                await asyncio.to_thread(out.write, piece)
        os.utime(to, ns=(one.changed_ns, one.changed_ns))

    async def _keep(self, one: Object, place: Place) -> None:
        await self._receiver.take(self._settings.name, (), [self._mark(one.key, place)])
        self._known[one.key] = place

    async def _forget(self, oldest_us: int) -> None:
        """Forget objects that are not looked at any more."""
        horizon_ns = (oldest_us - _DAY_US) * 1_000
        gone = [key for key, place in self._known.items() if 0 <= place.mtime_ns < horizon_ns]
        await self._receiver.take(self._settings.name, (), [self._mark(key, None) for key in gone])
        for key in gone:
            del self._known[key]

    def _mark(self, key: str, place: Place | None) -> Mark:
        return Mark(MarkKind.OBJECT, self._name_of(key), b"" if place is None else _packer.encode(place), self._now_us())

    def _name_of(self, key: str) -> str:
        return derive("object", self._settings.name, key)


def _store(settings: Bucket) -> S3Store:
    told = {"endpoint": settings.endpoint, "region": settings.region}
    for name, secret in (("access_key_id", settings.access_key), ("secret_access_key", settings.secret_key)):
        told |= {name: secret.get_secret_value()} if secret else {}
    try:
        return S3Store(
            settings.bucket,
            config=told,  # type: ignore[arg-type]
            client_options={"allow_http": settings.endpoint.startswith("http://"), "timeout": timedelta(seconds=60)},
        )
    except BaseError as error:
        raise RefusedToStartError(f"listeners: {settings.name}: {type(error).__name__}") from None
