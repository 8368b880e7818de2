"""The partitions of `events` that one worker has: each goes its own way through an hour, and all close it together. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import TYPE_CHECKING

import numpy as np

from sentinel.core.batch import EventBatch, Provenance, batch_of
from sentinel.core.errors import SentinelError
from streams.faults import report
from streams.keeping import Keeper, Stored
from streams.merging import Known, Mark, Merge, Place
from streams.wire import Row

if TYPE_CHECKING:
    from sentinel.core.closing import Closing
    from sentinel.core.common import Common
    from sentinel.core.shard import Shard


class SetBackError(SentinelError):
    """The core failed on an event: its state is no more what it should be, and has to be restored."""


@dataclass(slots=True)
class Trouble:
    """The records of intake that made the core fail since the worker's start, and those suspected of it: taken one by one."""

    bad: set[tuple[Place, int]] = field(default_factory=set)
    suspects: set[tuple[Place, int]] = field(default_factory=set)
    untold: list[tuple[Place, Row]] = field(default_factory=list)  # of the bad ones, since they were last told

    def note(self, rows: Sequence[tuple[Place, Row]]) -> None:
        """Remember that the core failed on these."""
        records = {(place, row.offset) for place, row in rows}
        self.suspects |= records
        if len(records) == 1:
            self.bad |= records
            self.untold += rows


class Owned:
    """One partition: what of it waits, and the core's shard of its people.

    `mark`: the hour that it has come to and that is not opened yet; `closing`: what it adds to the closing of those before.
    `sources`: by topic of intake. `stored`: what the store has of what comes, should it come again.
    """

    def __init__(self, shard: Shard, merge: Merge, sources: Mapping[str, str], trouble: Trouble) -> None:
        self.shard, self.merge, self._sources, self._trouble = shard, merge, sources, trouble
        self.stored: Stored | None = None
        self._taken: list[tuple[Place, Row | Known]] = []
        self.is_starving = False  # more has to come before anything can be done
        self.is_broken = False  # the core failed: it has to be restored
        self.mark: int | None = None
        self.closing: Closing | None = None

    @property
    def is_even(self) -> bool:
        """Whether all that was taken is assessed: only then state and merge stand at the same place."""
        return not self._taken

    @property
    def held(self) -> int:
        """How many rows wait."""
        return self.merge.held + len(self._taken)

    def step(self, keeper: Keeper, rows_max: int) -> bool:
        """Take context in, or assess at most `rows_max` events; False: nothing can be done now."""
        if not self._taken and not self._take():
            return False
        kind = type(self._taken[0][1])
        piece = list(takewhile(lambda one: type(one[1]) is kind, islice(self._taken, rows_max)))
        if kind is Known:
            self.shard.know(record for _, known in piece if isinstance(known, Known) for record in known.records)
            done = len(piece)
        else:
            done = self._assess(keeper, [(place, row) for place, row in piece if isinstance(row, Row)])
        del self._taken[:done]
        return True

    def _take(self) -> bool:
        """Take what comes next; at a mark, end the hours before it."""
        found = None if self.mark is not None else self.merge.take()
        if isinstance(found, Mark):
            self.mark = found.hour
            self.closing = self.shard.closing(found.hour)
        elif found:
            self._taken = found
        self.is_starving = found is None and self.mark is None
        return bool(self._taken)

    def _assess(self, keeper: Keeper, rows: Sequence[tuple[Place, Row]]) -> int:
        """Assess rows, or the first of them alone; return how many that were.

        Raises:
            SetBackError: the core failed.
        """
        trouble = self._trouble
        if trouble.suspects and any((place, row.offset) in trouble.suspects for place, row in rows):
            rows = [one for one in rows if one[0] == rows[0][0] and one[1].offset == rows[0][1].offset]
            if (rows[0][0], rows[0][1].offset) in trouble.bad:
                return len(rows)
        batch, stored = keeper.fresh(self._batch(rows), self.stored)
        try:
            work = self.shard.take(batch)  # from here on it would not be as if it had never been taken
            self.shard.assess(work, 0, len(batch))
            processed = self.shard.finish(work)
        except Exception as error:  # noqa: BLE001 - whatever it raises, one record must not stop the others
            trouble.note(rows)
            self.is_broken = True
            report("core-failed", error, rows=len(rows))
            raise SetBackError("the core failed on an event") from None
        keeper.keep(processed, stored)
        return len(rows)

    def _batch(self, rows: Sequence[tuple[Place, Row]]) -> EventBatch:
        where = Provenance(
            source=[self._sources[topic] for (topic, _), _ in rows],
            received_at=np.array([row.append_ms for _, row in rows], dtype=np.int64) * 1_000,
            partition=np.array([partition for (_, partition), _ in rows], dtype=np.int64),
            offset=np.array([row.offset for _, row in rows], dtype=np.int64),
            ordinal=np.array([row.ordinal for _, row in rows], dtype=np.int64),
        )
        return batch_of(self.shard.tenant, [row.event for _, row in rows], where)


class Shards:
    """All partitions of one worker, by number, and what they have in common. All stand in one hour."""

    def __init__(self, common: Common, owned: Mapping[int, Owned]) -> None:
        self.common, self.owned = common, dict(owned)

    def step(self, keeper: Keeper, rows_max: int) -> bool:
        """Let each partition do a piece of work; False: none of them can do any now."""
        return sum(owned.step(keeper, rows_max) for owned in self.owned.values()) > 0

    def keep_only(self, partitions: Collection[int]) -> None:
        """Give up all other partitions."""
        self.owned = {partition: owned for partition, owned in self.owned.items() if partition in partitions}

    @property
    def mark(self) -> int | None:
        """The hour that all have come to; None: one of them has not."""
        marks = {owned.mark for owned in self.owned.values()}
        return marks.pop() if len(marks) == 1 else None

    def least(self, places: Iterable[Place]) -> int:
        """Return the least offset, of all these places, of what was not taken yet."""
        return min((owned.merge.taken(place) for owned in self.owned.values() for place in places), default=0)

    def close(self, hour: int, closings: Sequence[Closing], keeper: Keeper) -> None:
        """Open `hour`, given the closings of all partitions there are, here or elsewhere, in their order."""
        self.common.close(hour, closings)
        for owned in self.owned.values():
            owned.shard.close(closings)
            keeper.keep_alerts(owned.shard.changed())
            owned.mark = owned.closing = None
