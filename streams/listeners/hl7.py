"""HL7 v2 by MLLP, over TCP or TLS: each message answered once what it changes is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from io import BytesIO
from typing import Final
from zoneinfo import ZoneInfo

from sentinel.core.errors import RejectedError, RejectionCode
from sentinel.core.ids import derive
from streams.context.hl7.files import messages
from streams.context.hl7.memory import Memory
from streams.context.hl7.message import Message
from streams.context.hl7.patients import Site
from streams.context.hl7.reading import read
from streams.faults import report
from streams.listeners.document import Hl7
from streams.listeners.feeding import ContextFeed
from streams.listeners.hl7_answers import answers, batch
from streams.listeners.mllp_framing import Blocks, framed
from streams.listeners.port import StreamPort
from streams.marks import MarkReader
from streams.record import HL7_SOURCE, Mark, MarkKind

UNFRAMED: Final = "not-framed"
OFF_LOOP_BYTES: Final = 16 << 10  # more is read in a thread: a message takes a millisecond
_ENVELOPES: Final = (b"FHS", b"BHS")


class Hl7Inbox:
    """Takes messages one after the other, whichever connection they come by: what they change stands in earlier ones' light."""

    def __init__(self, feed: ContextFeed, marks: MarkReader) -> None:
        self._feed, self._marks, self._one_by_one = feed, marks, asyncio.Lock()

    async def take(self, listener: str, raws: Sequence[bytes], site: Site) -> list[RejectedError | None]:
        """Return, once all is durable, why each message was refused; None: it was taken."""
        async with self._one_by_one:
            memory, size = Memory(self._recall), sum(map(len, raws))
            off_loop = asyncio.to_thread(self._read_all, raws, site, memory) if size > OFF_LOOP_BYTES else None
            refusals = await off_loop if off_loop else self._read_all(raws, site, memory)
            refused = [(raw, why) for raw, why in zip(raws, refusals, strict=True) if why is not None]
            await self._feed.set_aside(listener, HL7_SOURCE, refused)
            now_us = self._feed.now_us()
            marks = [Mark(MarkKind.HL7, derive("hl7", *name), state, now_us) for name, state in memory.changed.items()]
            await self._feed.keep(listener, memory.told, marks)
        return refusals

    def _recall(self, kind: str, id_: str) -> bytes | None:
        found = self._marks.one(MarkKind.HL7, derive("hl7", kind, id_))
        return found.value if found else None

    def _read_all(self, raws: Sequence[bytes], site: Site, memory: Memory) -> list[RejectedError | None]:
        return [self._read(raw, site, memory) for raw in raws]

    def _read(self, raw: bytes, site: Site, memory: Memory) -> RejectedError | None:
        """Take one message into `memory`; of one that is refused nothing is left there."""
        trial = Memory(lambda kind, id_: memory.changed.get((kind, id_)) or self._recall(kind, id_))
        try:
            read(Message(raw), site, trial)
        except RejectedError as why:
            return why
        except Exception as error:  # noqa: BLE001 - whatever it is, its message may quote the record
            report("hl7-not-read", error)
            return RejectedError(RejectionCode.UNPARSEABLE, "", "the reader failed on this message")
        try:
            for resource in trial.told.values():
                self._feed.check(resource)
        except RejectedError as why:
            return RejectedError(why.code, "", f"what it amounts to: {why.detail}")
        memory.changed |= trial.changed
        memory.told |= trial.told
        return None


class Hl7Listener(StreamPort):
    """A port. While there is no room nothing is answered: senders wait, and send again."""

    def __init__(self, settings: Hl7, inbox: Hl7Inbox, feed: ContextFeed, zone: ZoneInfo) -> None:
        """Take the port.

        Raises:
            RefusedToStartError: the port or a certificate cannot be had.
        """
        super().__init__(settings, feed)
        self._hl7, self._inbox, self._feed = settings, inbox, feed
        self._site = Site(zone, settings.authority, tuple(settings.processing))

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what one sender sends, and answer it."""
        blocks = Blocks(self._hl7.message_bytes_max)
        while not blocks.is_broken and (piece := await self.read(reader)):
            found = blocks.feed(piece)
            if blocks.strays:
                self._feed.count(self._hl7.name, UNFRAMED, blocks.strays)
                blocks.strays = 0
            if found:
                writer.write(await self._answered(found))
                await writer.drain()
        if blocks.is_broken:
            report("hl7-not-framed", listener=self._hl7.name)

    async def _answered(self, blocks: Sequence[bytes]) -> bytes:
        """Return the answers to blocks, in order; what holds a batch is answered by one."""
        held = [[raw for _, raw in messages(BytesIO(block))] or [block] for block in blocks]
        refusals = iter(await self._inbox.take(self._hl7.name, [raw for raws in held for raw in raws], self._site))
        told = []
        for block, raws in zip(blocks, held, strict=True):
            each = [one for raw in raws for one in answers(raw, next(refusals), self._feed.now_us())]
            is_batch = block.lstrip().startswith(_ENVELOPES)
            told += [batch(block, each)] if is_batch and each else each
        return b"".join(map(framed, told))
