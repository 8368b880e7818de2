"""Tables that an application writes its accesses to, asked again and again for what is new, each row once."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, RowMapping, TextClause, create_engine, text
from sqlalchemy.exc import ArgumentError

from sentinel.core.errors import RefusedToStartError
from sentinel.core.event import EPOCH
from sentinel.core.ids import derive
from streams.faults import report
from streams.listeners.document import Sql
from streams.listeners.receiving import Received, Receiver
from streams.listeners.sql_values import Kept, digest, document, kept, not_ahead, plain, restored, shifted
from streams.marks import MarkReader
from streams.record import Mark, MarkKind
from streams.sources.contract import Source

SEEN_MAX: Final = 50_000  # rows remembered that may come again; older ones that do are told apart by their event's id
STOP_SECONDS: Final = 5.0
WAIT_SECONDS_MAX: Final = 300.0  # between tries of a database that does not answer
LIMIT: Final = "limit"

_packer: Final = msgspec.msgpack.Encoder()


class Place(msgspec.Struct, array_like=True):
    """How far a table was read: the highest watermark of all, and the rows seen from `overlap` before it on."""

    high: list[Kept]
    seen: dict[bytes, list[Kept]] = {}


_places: Final = msgspec.msgpack.Decoder(Place)


class SqlListener:
    """Asks one statement. Where it stands is kept with the records, in one commit."""

    def __init__(self, settings: Sql, source: Source, receiver: Receiver, marks: MarkReader, now_us: Callable[[], int]) -> None:
        """Make ready; nothing is connected yet.

        Raises:
            RefusedToStartError: the address is none, its driver is not there, or the statement does not bind what it has to.
        """
        self._settings, self._source, self._receiver, self._now_us = settings, source, receiver, now_us
        self._statement, self._engine = _statement(settings), _engine(settings)
        self._mark = derive("sql", settings.name)
        found = marks.one(MarkKind.SQL, self._mark)
        self._place = _places.decode(found.value) if found else Place([kept(_start(one)) for one in settings.start])
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on where the log says that it was."""
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
        self._engine.dispose()

    async def look(self) -> None:
        """Take all that is new: a page of rows, then those behind the last of it, until a page is not full."""
        behind = self._from()
        while not self._stopping.is_set():
            rows = await asyncio.to_thread(self._page, behind)
            await self._keep(rows)
            if len(rows) < self._settings.batch:
                return
            last = [rows[-1][column] for column in self._settings.watermark]
            if last == behind:
                raise RefusedToStartError("the statement gives rows that are not behind the watermark")
            behind = last

    async def _run(self) -> None:
        wait = self._settings.poll_seconds
        while not self._stopping.is_set():
            try:
                await self.look()
                wait = self._settings.poll_seconds
            except Exception as error:  # noqa: BLE001 - whatever it is, its message may quote a row
                report("sql-failed", error, listener=self._settings.name)
                wait = min(max(wait, 1.0) * 2, WAIT_SECONDS_MAX)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

    def _from(self) -> list[Any]:
        """Return behind what rows are asked for: transactions that began before the last one read may end after it."""
        first, *rest = [restored(one) for one in self._place.high]
        if not self._place.seen:  # the first time
            return [first, *rest]
        again = shifted(first, self._settings.overlap)
        return [again, *(rest if again == first else [_start(one) for one in self._settings.start[1:]])]

    def _page(self, behind: Sequence[Any]) -> Sequence[RowMapping]:
        bound = dict(zip(self._settings.watermark, behind, strict=True)) | {LIMIT: self._settings.batch}
        with self._engine.connect() as connection:
            return connection.execute(self._statement, bound).mappings().fetchmany(self._settings.batch)

    async def _keep(self, rows: Sequence[RowMapping]) -> None:
        new = [(key, row) for row in rows if (key := self._key(row)) not in self._place.seen]
        if not new:
            return
        place = self._moved(new)
        records = [Received(self._source.name, self._record(row)) for _, row in new]
        mark = Mark(MarkKind.SQL, self._mark, _packer.encode(place), self._now_us())
        await self._receiver.take(self._settings.name, records, [mark])
        self._place = place

    def _moved(self, new: Sequence[tuple[bytes, RowMapping]]) -> Place:
        """Return where reading stands behind new rows; the first time that hangs on them alone, not on `start`."""
        now = (EPOCH + timedelta(microseconds=self._now_us())).astimezone(UTC)
        marks = {key: [row[column] for column in self._settings.watermark] for key, row in new}
        before = [[restored(one) for one in self._place.high]] if self._place.seen else []
        high = max(before + [[not_ahead(one, now) for one in mark] for mark in marks.values()])
        seen = self._place.seen | {key: [kept(one) for one in mark] for key, mark in marks.items()}
        oldest = shifted(high[0], self._settings.overlap)
        there = [(key, mark) for key, mark in seen.items() if restored(mark[0]) >= oldest]
        return Place([kept(one) for one in high], dict(there[-SEEN_MAX:]))

    def _key(self, row: RowMapping) -> bytes:
        return digest(tuple(row[column] for column in self._settings.key))

    def _record(self, row: RowMapping) -> bytes:
        """Return a row as its format wants it: a document that a column holds, a line under its header, or a JSON object."""
        if self._settings.document:
            told = plain(row[self._settings.document])
            return (told if isinstance(told, str) else document(told or {}).decode()).encode()
        if not self._source.has_header:
            return document({str(name): value for name, value in row.items()})
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n").writerows([list(row.keys()), [plain(value) for value in row.values()]])
        return out.getvalue().encode()


def _statement(settings: Sql) -> TextClause:
    statement = text(settings.statement)
    bound, wanted = set(statement.compile().params), {*settings.watermark, LIMIT}
    if bound != wanted:
        differs = ", ".join(f":{name}" for name in sorted(bound ^ wanted))
        raise RefusedToStartError(
            f"listeners: {settings.name}: the statement binds each watermark and :limit, no others: {differs}"
        )
    return statement


def _engine(settings: Sql) -> Engine:
    try:
        return create_engine(
            settings.url.get_secret_value(), pool_size=1, max_overflow=0, pool_pre_ping=True, hide_parameters=True
        )
    except (ArgumentError, ImportError, TypeError, ValueError) as error:
        raise RefusedToStartError(f"listeners: {settings.name}: url: {type(error).__name__}") from None


def _start(told: str) -> Any:
    """Return where reading begins: a whole number, a day, a time, or a text."""
    if told.lstrip("-").isdigit():
        return int(told)
    for read in (_day, datetime.fromisoformat):
        with suppress(ValueError):
            return read(told)
    return told


def _day(told: str) -> Any:
    """Return a day.

    Raises:
        ValueError: it is none.
    """
    if len(told) != 10:
        raise ValueError("not a day")
    return restored(("d", told))
