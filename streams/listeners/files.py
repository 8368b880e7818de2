"""Files and folders that are written to, followed through rotation, compression and restarts: each record once, in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Final

import msgspec

from sentinel.core.ids import derive
from streams.faults import report
from streams.listeners.document import Files
from streams.listeners.places import PROOF_BYTES, Place, digest, read_up_to, tail_before
from streams.listeners.reading_files import Batch, FileKey, Found, delivered, grown, key_of
from streams.listeners.receiving import Receiver
from streams.marks import MarkReader
from streams.record import Mark, MarkKind
from streams.sources.contract import Source

FILES_MAX: Final = 10_000
HELD_MAX: Final = 200  # files held open
GONE_MAX: Final = 1_000  # files remembered that are not there any more: they may come again compressed
BATCHES_MAX: Final = 256  # of one file at a look: who writes without end must not keep us from the others
STOP_SECONDS: Final = 5.0

_packer: Final = msgspec.msgpack.Encoder()
_places: Final = msgspec.msgpack.Decoder(Place)


class FileListener:
    """Follows the files that match some patterns. Where it stands is kept with the records, in one commit."""

    def __init__(self, settings: Files, source: Source, receiver: Receiver, marks: MarkReader, now_us: Callable[[], int]) -> None:
        self._settings, self._source, self._receiver, self._marks, self._now_us = settings, source, receiver, marks, now_us
        self._known: dict[FileKey, Place] = {}
        self._held: dict[FileKey, int] = {}  # open, so that a file is read to its end though it was moved away
        self._failed: dict[FileKey, int] = {}  # when files were written to that could not be read
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
        for held in self._held.values():
            os.close(held)
        self._held.clear()

    def recall(self) -> None:
        """Learn from the log how far each file was read."""
        for mark in self._marks.all(MarkKind.FILE):
            place = _places.decode(mark.value)
            if mark.name == self._name_of((place.device, place.inode)):
                self._known[place.device, place.inode] = place

    async def look(self) -> None:
        """Take all that is new."""
        found = await asyncio.to_thread(self._find)
        await asyncio.to_thread(self._recognise, found)
        for one in found:
            await self._take(one)
        await self._let_go({one.key for one in found})

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, its message may quote a record
                report("files-failed", error, listener=self._settings.name)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._settings.poll_seconds)

    def _find(self) -> list[Found]:
        """Return the files that are there, and those moved away that are held open; what was written to last comes last."""
        found: dict[FileKey, Found] = {}
        for path in sorted({path for pattern in self._settings.paths for path in Path("/").glob(pattern.lstrip("/"))}):
            with suppress(OSError):  # gone meanwhile
                one = Found(path, str(path), path.stat())
                if S_ISREG(one.stat.st_mode):
                    found.setdefault(one.key, one)
        for key, held in self._held.items():
            if key not in found:
                found[key] = Found(Path(f"/proc/self/fd/{held}"), self._known[key].path, os.fstat(held))
        if len(found) > FILES_MAX:
            report("too-many-files", listener=self._settings.name)
        return sorted(found.values(), key=lambda one: (one.stat.st_mtime_ns, one.name))[:FILES_MAX]

    def _recognise(self, found: list[Found]) -> None:
        """Find out of files that are new whether they hold what was read under another name."""
        read = sorted((place for place in self._known.values() if place.offset > 0), key=lambda place: -place.offset)
        new = [one for one in found if one.key not in self._known]
        for one in new:
            with suppress(OSError):
                self._known[one.key] = self._recognised(one, read)

    def _recognised(self, one: Found, read: Sequence[Place]) -> Place:
        """Return the place in a file among those `read`, the longest first; its beginning when it holds none of them."""
        if not self._settings.whole:
            with one.text() as text:
                head, _ = read_up_to(text, PROOF_BYTES)
            for place in read:
                if place.head == digest(head[: place.offset]) and _holds(one, place):
                    return msgspec.structs.replace(place, path=one.name, device=one.key[0], inode=one.key[1], size=-1)
        return one.place()

    async def _take(self, one: Found) -> None:
        """Take what is new in one file; one that cannot be read is tried again once it was written to."""
        place = self._known.get(one.key)
        is_quiet = self._now_us() - one.stat.st_mtime_ns // 1_000 >= self._settings.quiet_seconds * 1_000_000
        is_failed = self._failed.get(one.key) == one.stat.st_mtime_ns
        if place is None or place.is_done(one.stat) or is_failed or (self._settings.whole and not is_quiet):
            return
        self._hold(one)
        if self._settings.whole:
            batches = delivered(self._source, one, place)
        else:
            batches = grown(self._source, one, place, is_quiet=is_quiet)
        try:
            await self._keep(one, batches)
        except FileNotFoundError:  # moved meanwhile: the next look finds it where it is now
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the other files go on
            self._failed[one.key] = one.stat.st_mtime_ns
            report("file-not-read", error, listener=self._settings.name)

    async def _keep(self, one: Found, batches: Iterator[Batch]) -> None:
        for _ in range(BATCHES_MAX):
            batch = await asyncio.to_thread(next, batches, None)
            if batch is None or self._stopping.is_set():
                return
            if batch.is_broken:
                report("file-cut-short", listener=self._settings.name)
            await self._receiver.take(self._settings.name, batch.records, [self._mark(one.key, _packer.encode(batch.place))])
            self._known[one.key] = batch.place

    def _hold(self, one: Found) -> None:
        if one.key in self._held or len(self._held) >= HELD_MAX:
            return
        with suppress(OSError):
            held = os.open(one.path, os.O_RDONLY | os.O_CLOEXEC)
            if key_of(os.fstat(held)) == one.key:
                self._held[one.key] = held
            else:  # another is called so by now
                os.close(held)

    async def _let_go(self, there: set[FileKey]) -> None:
        """Close what nobody writes to any more, and forget the oldest of the files that are gone."""
        quiet_us = self._now_us() - int(self._settings.quiet_seconds * 1_000_000)
        for key in [key for key, held in self._held.items() if os.fstat(held).st_mtime_ns // 1_000 < quiet_us]:
            os.close(self._held.pop(key))
        gone = [key for key in self._known if key not in there]
        forgotten = gone[: max(0, len(gone) - GONE_MAX)]
        await self._receiver.take(self._settings.name, (), [self._mark(key, b"") for key in forgotten])
        for key in forgotten:
            del self._known[key]
        self._failed = {key: at for key, at in self._failed.items() if key in there}

    def _mark(self, key: FileKey, value: bytes) -> Mark:
        return Mark(MarkKind.FILE, self._name_of(key), value, self._now_us())

    def _name_of(self, key: FileKey) -> str:
        return derive("file", self._settings.name, str(key[0]), str(key[1]))


def _holds(one: Found, place: Place) -> bool:
    with one.text() as text:
        return tail_before(text, place) is not None
