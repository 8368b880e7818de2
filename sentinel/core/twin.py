"""Champion and shadow: two configurations of the core over the same events, of which one tells nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from sentinel.core.alert import shadow_of
from sentinel.core.batch import EventBatch
from sentinel.core.context import ContextRecord
from sentinel.core.pipeline import Pipeline
from sentinel.core.snapshot import SnapshotError, Snapshots
from sentinel.core.work import Processed


@dataclass(slots=True)
class Twin:
    """A pipeline as one sees it from outside; what the shadow says goes along under its own tenant."""

    build_champion: Callable[[], Pipeline]
    build_shadow: Callable[[], Pipeline] | None = None
    champion: Pipeline = field(init=False)
    shadow: Pipeline | None = field(init=False)

    def __post_init__(self) -> None:
        self.champion = self.build_champion()
        self.shadow = None if self.build_shadow is None else self.build_shadow()

    def know(self, records: Iterable[ContextRecord]) -> None:
        """Take context in: it holds for the events that follow."""
        told = list(records)
        self.champion.know(told)
        if self.shadow is not None:
            self.shadow.know(told)

    def process(self, batch: EventBatch) -> Processed:
        """Assess a micro-batch: events and findings are the champion's, and the first alerts."""
        done = self.champion.process(batch)
        if self.shadow is not None:
            tenant = shadow_of(self.champion.tenant)
            done.alerts += [replace(alert, tenant=tenant) for alert in self.shadow.process(batch).alerts]
        return done

    def snapshot(self) -> bytes:
        """Return the states as bytes, each with its configuration's version."""
        both = [pipeline for pipeline in (self.champion, self.shadow) if pipeline is not None]
        states = [np.frombuffer(pipeline.snapshot(), np.uint8) for pipeline in both]
        return _SNAPSHOTS.pack({"versions": [pipeline.configuration for pipeline in both], "states": states})

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot: each from the state of its version, a new shadow from the champion's.

        So a shadow that became the champion keeps what it has learnt and said.

        Raises:
            SnapshotError: there is no state that the champion can go on from.
        """
        told: dict[str, Any] = _SNAPSHOTS.unpack(snapshot)
        states = [state.tobytes() for state in told["states"]]
        by_version = dict(zip(reversed(told["versions"]), reversed(states), strict=True))
        self.champion.restore(by_version.get(self.champion.configuration, states[0]))
        if self.shadow is None or self.build_shadow is None:
            return
        try:
            self.shadow.restore(by_version[self.shadow.configuration])
        except (KeyError, SnapshotError):
            self.shadow = self.build_shadow()
            self.shadow.adopt(states[0])


_SNAPSHOTS: Final = Snapshots((), columns=("champion", "shadow"))
