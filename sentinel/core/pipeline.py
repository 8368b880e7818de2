"""The whole flow of one tenant on one screen: events in, facts, findings, stories, alerts out.

Pure and deterministic: the same records in the same order give the same alerts, however batches are cut. Here all
people are in one shard; on Kafka they are in many, and nothing else differs (docs/adr/0008-shards-and-closings.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sentinel.core.batch import EventBatch
from sentinel.core.book import ContextBook
from sentinel.core.budget import Budget
from sentinel.core.common import Common
from sentinel.core.context import ContextRecord
from sentinel.core.detector import Detector
from sentinel.core.house_rules import NO_RULES, HouseRules
from sentinel.core.model import Model
from sentinel.core.shard import Shard
from sentinel.core.sigma import RuleSet
from sentinel.core.snapshot import Snapshots
from sentinel.core.work import Processed


@dataclass(slots=True)
class Pipeline:
    """Context in through `know`, micro-batches through `process`. `per_day`: the alert budget, 0 for all.

    `house_rules`: what is told less, or looked at more closely; `configuration`: the version that alerts say they were made with.
    """

    tenant: str
    detectors: Sequence[Detector]
    model: Model | None = None
    per_day: float = 0.0
    timezone: str = "Europe/Paris"
    house_rules: HouseRules = NO_RULES
    configuration: str = ""
    sigma: RuleSet = field(default_factory=RuleSet)
    common: Common = field(init=False)
    shard: Shard = field(init=False)

    def __post_init__(self) -> None:
        self.common = Common(self.model, self.per_day)
        self.shard = Shard(
            self.tenant, self.detectors, self.common, self.timezone, self.house_rules, self.configuration, self.sigma
        )

    @property
    def book(self) -> ContextBook:
        """What is known of people, units and patients."""
        return self.shard.book

    @property
    def budget(self) -> Budget:
        """What an alert needs now."""
        return self.common.budget

    def know(self, records: Iterable[ContextRecord]) -> None:
        """Take context in: it holds for the events that follow."""
        self.shard.know(records)

    def process(self, batch: EventBatch) -> Processed:
        """Assess a micro-batch of this tenant's events, in their order."""
        work = self.shard.take(batch)
        start = 0
        while start < len(work):
            if work.hour(start) > self.shard.hour:
                self._close(work.hour(start))
            stop = work.end_of_hour(start, self.shard.hour)
            self.shard.assess(work, start, stop)
            start = stop
        return self.shard.finish(work)

    def _close(self, hour: int) -> None:
        """End the hours before `hour`: what is learnt of them holds for what follows."""
        closings = [self.shard.closing(hour)]
        self.common.close(hour, closings)
        self.shard.close(closings)

    def snapshot(self) -> bytes:
        """Return the state as bytes: restored, it goes on as if it had never stopped."""
        return _SNAPSHOTS.pack([np.frombuffer(part, np.uint8) for part in (self.common.snapshot(), self.shard.snapshot())])

    def restore(self, snapshot: bytes) -> None:
        """Become the pipeline whose `snapshot` it is.

        Raises:
            SnapshotError: damaged, made by another version of the code, with other detectors, or for another tenant.
        """
        common, shard = (part.tobytes() for part in _SNAPSHOTS.unpack(snapshot))
        self.shard.restore(shard)
        self.common.restore(common)

    def adopt(self, snapshot: bytes) -> None:
        """Begin with what a pipeline of another configuration knows: what of it does not fit is learnt anew.

        Raises:
            SnapshotError: damaged, made by another version of the code, or for another tenant.
        """
        common, shard = (part.tobytes() for part in _SNAPSHOTS.unpack(snapshot))
        self.shard.restore(shard, adopting=True)
        self.common.restore(common, adopting=True)


_SNAPSHOTS: Final = Snapshots(())
