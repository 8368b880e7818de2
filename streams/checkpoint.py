"""The state of the pipelines with the place in the log it stands for: written whole or not at all, read only when intact."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path
from typing import Final

import msgspec

MAGIC: Final = b"SNTLCKP\x01"  # the last byte is the version of this file's layout
MAC_BYTES: Final = 32
CURRENT, PREVIOUS, NEW = "checkpoint.bin", "checkpoint.previous.bin", "checkpoint.new"


class Checkpoint(msgspec.Struct, frozen=True):
    """The pipelines' snapshots, by tenant, after the record at `position` of the log."""

    position: int
    snapshots: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint and the file it is in."""

    path: Path
    checkpoint: Checkpoint


class Checkpoints:
    """Keeps the newest checkpoint and the one before. `key`: of the BLAKE2 MAC that tells damage and forgery."""

    def __init__(self, folder: Path, key: bytes) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._key = blake2b(key, digest_size=32, person=b"checkpoint").digest()

    def save(self, checkpoint: Checkpoint) -> None:
        """Make `checkpoint` the newest; it is on disk when this returns, and a crash meanwhile leaves the one before."""
        body = MAGIC + msgspec.msgpack.encode(checkpoint)
        new, current = self._folder / NEW, self._folder / CURRENT
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(body)
            file.write(self._mac(body))
            file.flush()
            os.fsync(file.fileno())
        if current.exists():
            current.replace(self._folder / PREVIOUS)
        new.replace(current)
        self._sync_folder()

    def kept(self) -> Iterator[Kept]:
        """Yield the intact checkpoints, the newest first; those that are not are deleted."""
        for name in (CURRENT, PREVIOUS):
            path = self._folder / name
            checkpoint = self._read(path)
            if checkpoint is not None:
                yield Kept(path, checkpoint)
            elif path.exists():
                self.discard(path)

    def discard(self, path: Path) -> None:
        """Delete a checkpoint that cannot be used, so that it never takes a good one's place."""
        path.unlink(missing_ok=True)
        self._sync_folder()

    def _read(self, path: Path) -> Checkpoint | None:
        try:
            whole = path.read_bytes()
        except OSError:
            return None
        body, mac = whole[:-MAC_BYTES], whole[-MAC_BYTES:]
        if not body.startswith(MAGIC) or not compare_digest(mac, self._mac(body)):
            return None
        try:
            return msgspec.msgpack.decode(body[len(MAGIC) :], type=Checkpoint)
        except msgspec.DecodeError:
            return None

    def _mac(self, body: bytes) -> bytes:
        return blake2b(body, key=self._key, digest_size=MAC_BYTES).digest()

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
