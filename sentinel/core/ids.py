"""Ids are derived, never drawn: the same thing named twice has the same id."""

from __future__ import annotations

from hashlib import blake2b

ID_BYTES = 16


def derive(kind: str, *parts: str) -> str:
    """Return 32 hex digits that depend on `kind` and each part, and on how they are divided."""
    digest = blake2b(digest_size=ID_BYTES, person=kind.encode()[:16])
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "little"))
        digest.update(raw)
    return digest.hexdigest()


def event_key(tenant: str, source: str, source_id: str, sub: str = "") -> bytes:
    """Return the 16 bytes that name one event: what a duplicate shares with its original.

    `sub` tells apart the events of one source message (one a patient). The parts are joined by
    U+001F, which no source lets through, rather than measured: this runs once an event.
    """
    joined = f"{tenant}\x1f{source}\x1f{source_id}\x1f{sub}"
    return blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=ID_BYTES, person=b"event").digest()
