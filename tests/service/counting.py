"""A small real pipeline: counts events by actor and raises an alert at each tenth; and the parts around it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sentinel.core.alert import Alert, Reason, Severity, Usual
from sentinel.core.batch import Assessment, EventBatch
from sentinel.core.context import ContextRecord, StaffMember
from sentinel.core.ids import derive
from streams.parts import Parts
from streams.sources.contract import Source

VERSION = 1
EACH = 10


@dataclass
class Processed:
    """What became of a batch."""

    kept: EventBatch
    assessment: Assessment
    alerts: list[Alert]


class CountingPipeline:
    """One story an actor: its version and its evidence grow with each tenth event; staff known by context is named."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.seen: dict[str, None] = {}
        self.counts: dict[str, int] = {}
        self.events: dict[str, list[tuple[str, str, int]]] = {}  # the last ten of each actor
        self.names: dict[str, str] = {}

    def know(self, records: Iterable[ContextRecord]) -> None:
        """Learn names."""
        for record in records:
            if isinstance(record, StaffMember):
                self.names[record.actor_id] = record.name

    def process(self, batch: EventBatch) -> Processed:
        """Count."""
        keys = [key.hex() for key in batch.key]
        fresh = [at for at, key in enumerate(keys) if key not in self.seen and not self.seen.setdefault(key, None)]
        kept = batch.take(fresh)
        assessment = Assessment([""] * len(kept), np.full(len(kept), np.nan, dtype=np.float32))
        return Processed(kept, assessment, [alert for at in range(len(kept)) for alert in self._count(kept, at, assessment)])

    def _count(self, kept: EventBatch, at: int, assessment: Assessment) -> Iterable[Alert]:
        actor = kept.actor_id[at]
        count = self.counts[actor] = self.counts.get(actor, 0) + 1
        event = (kept.id[at], kept.key[at].hex(), int(kept.occurred_at[at]))
        self.events[actor] = [*self.events.get(actor, []), event][-EACH:]
        if count % EACH == 0:
            assessment.detectors[at] = ("tenth",)
            assessment.weighed[at] = {"events": float(count)}
            yield self._alert(actor, count, self.events[actor])

    def _alert(self, actor: str, count: int, events: list[tuple[str, str, int]]) -> Alert:
        told = self.names.get(actor, "somebody")
        reason = Reason("tenth", count, Usual(EACH, EACH), 0.01, f"{told} : {count}", f"{told}: {count}")
        return Alert(
            id=derive("alert", self.tenant, actor),
            tenant=self.tenant,
            version=count // EACH,
            priority=float(count),
            severity=Severity.LOW,
            detectors=("tenth",),
            actor=actor,
            patients=(),
            event_ids=tuple(id_ for id_, _, _ in events),
            event_keys=tuple(key for _, key, _ in events),
            first_seen=events[0][2],
            last_seen=events[-1][2],
            reasons=(reason,),
            not_explained_by=("stay",),
        )

    def snapshot(self) -> bytes:
        """Return the counts."""
        return json.dumps(
            {"version": VERSION, "seen": list(self.seen), "counts": self.counts, "events": self.events, "names": self.names}
        ).encode()

    def restore(self, snapshot: bytes) -> None:
        """Take counts over."""
        state = json.loads(snapshot)
        if state["version"] != VERSION:
            raise ValueError("another version")
        self.seen = dict.fromkeys(state["seen"])
        self.events = {actor: [(i, k, t) for i, k, t in events] for actor, events in state["events"].items()}
        self.counts, self.names = state["counts"], state["names"]


class ChdbStore:
    """The real store in a folder."""

    def __init__(self, folder: Path) -> None:
        from sentinel.store.client import connect
        from sentinel.store.migrate import migrate
        from sentinel.store.writer import Writer

        self._connections = connect(f"chdb://{folder.absolute() / 'store'}")
        migrate(self._connections.writer)
        self.writer = Writer(self._connections.writer)

    def questions(self) -> object:
        """Return the named questions on a client of their own."""
        from sentinel.store.questions import Questions

        return Questions(self._connections.reader())

    def close(self) -> None:
        """Close all clients."""
        self._connections.close()


def sources() -> Mapping[str, Source]:
    from sentinel.core.plugins import discover

    return discover("streams.sources", "SOURCE", Source)


def context_decoder():
    from streams.context.fhir import decode

    return decode


def prepare() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


def parts(folder: Path) -> Parts:
    return Parts(
        build_pipeline=CountingPipeline,
        sources=sources,
        context_decoder=context_decoder,
        open_store=partial(ChdbStore, folder),
        prepare=prepare,
    )
