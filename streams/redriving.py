"""The topic `rejected` as people use it: what lies there and why, and another try after a fix."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sentinel.core.errors import RejectedError, RejectionCode
from streams.bus import Bus, consumer, producer, started
from streams.dead_letters import Letter, Redriven, Status, refusal
from streams.feedback import SOURCE as FEEDBACK_SOURCE
from streams.feedback import verdict_of
from streams.reading import RECORD_BYTES_MAX
from streams.record import CONTEXT_SOURCE, ContextDecoder, DeadLetter, Kind, LogRecord
from streams.rejected_topic import FAILED, STATUS
from streams.sources.contract import Source
from streams.topics import Topics

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

POLL_MS: Final = 500
TOGETHER_BYTES: Final = 1 << 20  # of letters that are sent before it is said of them that they were
ORIGINAL_SECONDS: Final = 10.0  # to find a record of intake again


@dataclass(frozen=True, slots=True)
class _Lying:
    """A letter where it lies, its bytes left there. `headers`: what was told of it."""

    id: str
    where: TopicPartition
    offset: int
    appended_ms: int
    headers: Mapping[str, str] = field(repr=False)
    status: Status

    @property
    def source(self) -> str:
        return self.headers.get("source", "")

    def letter(self, tenant: str, raw: bytes = b"") -> Letter:
        """Return it as it is shown."""
        kind = Kind.CONTEXT if self.source == CONTEXT_SOURCE else Kind.EVENT
        record = LogRecord(tenant, kind, self.source, raw, self.appended_ms * 1_000, self.headers.get("key", ""))
        code = RejectionCode.UNPARSEABLE
        with suppress(ValueError):
            code = RejectionCode(self.headers.get("code", ""))
        return Letter(
            self.id, self.status, DeadLetter(record, code, self.headers.get("pointer", ""), self.headers.get("detail", ""))
        )


class RejectedTopic:
    """The letters of one site. Each is known by its key: the newest record of a key says what it is and what became of it."""

    def __init__(
        self, bus: Bus, topics: Topics, tenant: str, sources: Mapping[str, Source], decode_context: ContextDecoder
    ) -> None:
        self._bus, self._topics, self._tenant = bus, topics, tenant
        self._sources, self._decode_context = sources, decode_context

    def list(self, source: str = "", limit: int = 100) -> Sequence[Letter]:
        """Return those that wait, the newest first, without their bytes.

        Raises:
            RefusedToStartError: Kafka does not let us in.
        """
        return asyncio.run(self._list(source, limit))

    async def _list(self, source: str, limit: int) -> Sequence[Letter]:
        async with self._reader() as reader:
            waiting = _waiting(await _all(reader), source)[:limit]
        return [lying.letter(self._tenant) for lying in waiting]

    def show(self, letter_id: str) -> Letter | None:
        """Return one, whatever became of it; None: there is none of that id.

        Raises:
            RefusedToStartError: Kafka does not let us in.
        """
        return asyncio.run(self._show(letter_id))

    async def _show(self, letter_id: str) -> Letter | None:
        async with self._reader() as reader:
            lying = (await _all(reader)).get(letter_id)
            if lying is None:
                return None
            async for found, raw in _read_again(reader, [lying]):
                return found.letter(self._tenant, raw)
        return None

    def redrive(self, ids: Collection[str], source: str = "", limit: int = 10_000) -> Redriven:
        """Read letters again, those of `ids` or all that wait, and send those that can be read now to where they came from.

        Safe while workers run and when cut short: what is sent twice is known by its id, and kept once.

        Raises:
            RefusedToStartError: Kafka does not let us in.
            KafkaError: it does not take them.
        """
        return asyncio.run(self._redrive(ids, source, limit))

    async def _redrive(self, ids: Collection[str], source: str, limit: int) -> Redriven:
        moved, readable = 0, list[tuple[_Lying, bytes]]()
        async with self._reader() as reader, started(self._bus, producer(self._bus)) as out:
            waiting = [lying for lying in _waiting(await _all(reader), source) if not ids or lying.id in ids][:limit]
            async with started(self._bus, consumer(self._bus)) as intake:
                async for lying, kept in _read_again(reader, waiting):
                    raw = await self._original(intake, lying, kept)
                    if self._is_readable(lying, raw):
                        readable.append((lying, raw))
                        moved += 1
                    if sum(len(raw) for _, raw in readable) >= TOGETHER_BYTES:
                        await self._send(out, readable)
                        readable.clear()
            await self._send(out, readable)
        return Redriven(moved, len(waiting) - moved)

    async def _send(self, out: AIOKafkaProducer, letters: Sequence[tuple[_Lying, bytes]]) -> None:
        """Send letters on, then say so."""
        records = [(*self._origin(lying), raw) for lying, raw in letters]
        await asyncio.gather(*[await out.send(topic, raw, key=key) for topic, key, raw in records])
        await asyncio.gather(*[await _mark(out, lying) for lying, _ in letters])

    def _is_readable(self, lying: _Lying, raw: bytes) -> bool:
        if lying.headers.get("code") == RejectionCode.TOO_LARGE and len(raw) >= RECORD_BYTES_MAX:
            return False  # not all of its bytes are kept
        if lying.source != FEEDBACK_SOURCE:
            return refusal(lying.letter(self._tenant, raw).letter.record, self._sources, self._decode_context) is None
        try:
            verdict_of(lying.headers.get("key", "").encode(), raw)
        except RejectedError:
            return False
        return True

    def _origin(self, lying: _Lying) -> tuple[str, bytes | None]:
        """Return the topic that a letter came from, and the key it had where that counts."""
        if lying.source == FEEDBACK_SOURCE:
            return self._topics.feedback.name, lying.headers["key"].encode()
        if lying.source == CONTEXT_SOURCE:
            return self._topics.context.name, lying.headers["key"].encode()
        return self._topics.intake[lying.source].name, None

    async def _original(self, intake: AIOKafkaConsumer, lying: _Lying, raw: bytes) -> bytes:
        """Return the record as it came: of an event on which the core failed, the letter has what was made of it."""
        from aiokafka import TopicPartition  # noqa: PLC0415

        if lying.headers.get("detail") != FAILED:
            return raw
        where, offset = TopicPartition(lying.headers["topic"], int(lying.headers["partition"])), int(lying.headers["offset"])
        intake.assign([where])
        intake.seek(where, offset)
        with suppress(TimeoutError):  # it is kept for a week
            async with asyncio.timeout(ORIGINAL_SECONDS):
                record = await intake.getone(where)
                return bytes(record.value or b"") if record.offset == offset else raw
        return raw

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        from aiokafka import TopicPartition  # noqa: PLC0415

        topic = self._topics.rejected
        async with started(self._bus, consumer(self._bus)) as reader:
            reader.assign([TopicPartition(topic.name, partition) for partition in range(topic.partitions)])
            yield reader


async def _mark(out: AIOKafkaProducer, lying: _Lying) -> asyncio.Future[Any]:
    headers = [(name, value.encode()) for name, value in {STATUS: str(Status.REDRIVEN), **lying.headers}.items()]
    key, where = lying.id.encode(), lying.where
    marking: asyncio.Future[Any] = await out.send(where.topic, None, key=key, partition=where.partition, headers=headers)
    return marking


def _waiting(letters: Mapping[str, _Lying], source: str) -> list[_Lying]:
    found = [one for one in letters.values() if one.status is Status.REJECTED and source in {"", one.source}]
    return sorted(found, key=lambda one: (-one.appended_ms, one.id))


async def _all(reader: AIOKafkaConsumer) -> dict[str, _Lying]:
    """Return every letter by its id, as it stands now."""
    letters: dict[str, _Lying] = {}
    ends = await reader.end_offsets(reader.assignment())
    await reader.seek_to_beginning()
    async for record in _until(reader, ends):
        lying = _lying(record)
        before = letters.get(lying.id)
        if lying.status is Status.REDRIVEN and before is not None:  # where the bytes are
            lying = _Lying(before.id, before.where, before.offset, before.appended_ms, before.headers, lying.status)
        letters[lying.id] = lying
    return letters


def _lying(record: Any) -> _Lying:
    from aiokafka import TopicPartition  # noqa: PLC0415

    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    status = Status.REDRIVEN if headers.pop(STATUS, "") == Status.REDRIVEN else Status.REJECTED
    where, key = TopicPartition(record.topic, record.partition), (record.key or b"").decode("utf-8", "replace")
    return _Lying(key, where, record.offset, record.timestamp, headers, status)


async def _read_again(reader: AIOKafkaConsumer, letters: Sequence[_Lying]) -> AsyncIterator[tuple[_Lying, bytes]]:
    """Yield letters with their bytes, as they lie."""
    wanted = {(lying.where, lying.offset): lying for lying in letters}
    ends = {where: 1 + max(_offsets(letters, where)) for where in {lying.where for lying in letters}}
    for where in reader.assignment():
        reader.seek(where, min(_offsets(letters, where), default=0))
    reader.pause(*(reader.assignment() - ends.keys()))
    async for record in _until(reader, ends):
        lying = wanted.get((_lying(record).where, record.offset))
        if lying is not None:
            yield lying, record.value or b""


def _offsets(letters: Iterable[_Lying], where: TopicPartition) -> list[int]:
    return [lying.offset for lying in letters if lying.where == where]


async def _until(reader: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> AsyncIterator[Any]:
    """Yield the records up to `ends`."""
    while any([await reader.position(where) < end for where, end in ends.items()]):
        for where, records in (await reader.getmany(timeout_ms=POLL_MS)).items():
            for record in records:
                if record.offset < ends[where]:
                    yield record
