"""Ids are derived, never drawn: the same thing named twice has the same id."""

from __future__ import annotations

from collections.abc import Sequence
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
    return event_keys(tenant, (source,), (source_id,), (sub,))[0]


def event_keys(tenant: str, sources: Sequence[str], source_ids: Sequence[str], subs: Sequence[str]) -> list[bytes]:
    """Return the keys of many events; what is common to those of one source is hashed once."""
    begun = {source: blake2b(_joined(tenant, source, ""), digest_size=ID_BYTES, person=b"event").copy for source in set(sources)}
    keys = []
    for source, id_, sub in zip(sources, source_ids, subs, strict=True):
        digest = begun[source]()
        digest.update(f"{id_}\x1f{sub}".encode("utf-8", "surrogatepass"))
        keys.append(digest.digest())
    return keys


def _joined(*parts: str) -> bytes:
    return "\x1f".join(parts).encode("utf-8", "surrogatepass")
