"""The state of partitions in a topic: compressed, in pieces, with a MAC over all; a manifest in `closings` says where it is."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

import msgspec

from streams.closings import Manifest
from streams.merging import Standing
from streams.tail import Tail

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

MAGIC: Final = b"SNTLSTA\x01"  # the last byte is the version of what follows
PIECE_BYTES: Final = 4 << 20
MAC_BYTES: Final = 32
LEVEL: Final = 1  # of zstd: the fastest
READ_POLLS: Final = 50  # without a record, before a piece counts as lost
POLL_MS: Final = 200


class State(msgspec.Struct, frozen=True, array_like=True):
    """A snapshot of the core. Of a partition, what was taken of intake, and from where on in `events` to read for the rest."""

    snapshot: bytes
    standing: Standing | None = None
    needed: int = 0


class StateTopic:
    """Keeps states and finds them again. `key`: of the BLAKE2 MAC that tells damage and forgery."""

    def __init__(self, tail: Tail, out: AIOKafkaProducer, key: bytes) -> None:
        self._tail, self._out = tail, out
        self._key = blake2b(key, digest_size=32, person=b"checkpoint").digest()

    async def save(self, partition: int, slot: int, hour: int, body: bytes) -> Manifest:
        """Keep a packed state in a slot, and return the manifest; what was in the slot before may be lost."""
        pieces = [body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES)]
        offsets = []
        for number, piece in enumerate(pieces):
            key = f"{partition}/{slot}/{number}".encode()
            done = await self._out.send_and_wait(self._tail.topic, piece, key=key, partition=0)
            offsets.append(done.offset)
        return Manifest(hour, partition, slot, offsets, self._mac(partition, hour, body))

    async def load(self, manifest: Manifest) -> State | None:
        """Return a state; None: it is not there any more, damaged, forged, or of another version."""
        body = b"".join([await self._piece(offset) for offset in manifest.offsets])
        if not compare_digest(manifest.mac, self._mac(manifest.partition, manifest.hour, body)):
            return None
        return await asyncio.to_thread(_unpacked, body)

    async def _piece(self, offset: int) -> bytes:
        if offset >= await self._tail.end():
            return b""
        self._tail.seek(offset)
        for _ in range(READ_POLLS):
            for record in await self._tail.read(POLL_MS):
                return record.value or b"" if record.offset == offset else b""
        return b""

    def _mac(self, partition: int, hour: int, body: bytes) -> bytes:
        mac = blake2b(f"{partition}/{hour}/".encode(), key=self._key, digest_size=MAC_BYTES)
        mac.update(body)
        return mac.digest()


def packed(state: State) -> bytes:
    """Return a state as it is kept."""
    import cramjam  # noqa: PLC0415

    return MAGIC + bytes(cramjam.zstd.compress(msgspec.msgpack.encode(state), level=LEVEL))


def _unpacked(body: bytes) -> State | None:
    import cramjam  # noqa: PLC0415

    if not body.startswith(MAGIC):
        return None
    try:
        return msgspec.msgpack.decode(bytes(cramjam.zstd.decompress(body[len(MAGIC) :])), type=State)
    except msgspec.DecodeError:
        return None
