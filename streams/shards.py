"""The partitions of `events` that one worker has: each goes its own way through an hour, and all close it together. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sentinel.core.batch import EventBatch, Provenance, batch_of
from sentinel.core.errors import SentinelError
from streams.faults import report
from streams.keeping import Keeper, Stored
from streams.merging import Known, Mark, Merge, Place, Run
from streams.preface import Preface
from streams.rows import Row

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
    `is_due`: its state is to be taken before the hour ends, which waits for that.
    `sources`: by topic of intake. `stored`: what the store has of what comes, should it come again.
    """

    def __init__(self, shard: Shard, merge: Merge, sources: Mapping[str, str], trouble: Trouble) -> None:
        self._shard, self.merge, self._sources, self._trouble = shard, merge, sources, trouble
        self._preface: tuple[Preface, int] | None = None  # what it reads its context in, and as whom
        self.stored: Stored | None = None
        self._run: Run | None = None  # what was taken, and is not all done
        self._done = self._known = 0  # of its events, and of its resources of the context
        self.is_starving = False  # more has to come before anything can be done
        self.is_due = False
        self.is_broken = False  # the core failed: it has to be restored
        self.mark: int | None = None
        self.closing: Closing | None = None

    def begin(self, preface: Preface, reader: int) -> None:
        """Take context in together with others, until anything else happens."""
        self._preface = preface, reader

    @property
    def shard(self) -> Shard:
        """The core's shard of its people, with all the context that it has come past."""
        if self._preface is not None:
            preface, reader = self._preface
            self._shard.book, self._preface = preface.leave(reader), None
        return self._shard

    @property
    def is_even(self) -> bool:
        """Whether all that was taken is assessed: only then state and merge stand at the same place."""
        return self._run is None

    @property
    def held(self) -> int:
        """How many rows wait."""
        return self.merge.held + (len(self._run) - self._done if self._run is not None else 0)

    def step(self, keeper: Keeper, rows_max: int) -> bool:
        """Take context in, or assess at most `rows_max` events; False: nothing can be done now."""
        run = self._run if self._run is not None else self._take()
        if run is None:
            return False
        known = run.known[self._known : self._known + rows_max]
        now = [one for before, one in known if before == self._done]
        if now:
            self._know(now)
            self._known += len(now)
        else:
            stop = min([self._done + rows_max, len(run), *(before for before, _ in known[:1])])
            self._done += self._assess(keeper, run, self._done, stop)
        if self._done == len(run) and self._known == len(run.known):
            self._run = None
        return True

    def _know(self, known: Sequence[Known]) -> None:
        if self._preface is not None:
            preface, reader = self._preface
            preface.know(reader, known)
        else:
            self.shard.know(record for one in known for record in one.records)

    def _take(self) -> Run | None:
        """Take what comes next; at a mark, end the hours before it."""
        is_over = self.mark is not None or (self.is_due and self.merge.is_rising)
        found = None if is_over else self.merge.take()
        self.is_starving = found is None and not is_over
        if isinstance(found, Mark):
            self.mark = found.hour
            self.closing = self.shard.closing(found.hour)
            return None
        self._run, self._done, self._known = found, 0, 0
        return found

    def _assess(self, keeper: Keeper, run: Run, start: int, stop: int) -> int:
        """Assess events of a run, or those of the first one's record alone; return how many that were.

        Raises:
            SetBackError: the core failed.
        """
        trouble = self._trouble
        if trouble.suspects and any(run.record(at) in trouble.suspects for at in range(start, stop)):
            stop = next((at for at in range(start, stop) if run.record(at) != run.record(start)), stop)
            if run.record(start) in trouble.bad:
                return stop - start
        batch, stored = keeper.fresh(self._batch(run, start, stop), self.stored)
        try:
            work = self.shard.take(batch)  # from here on it would not be as if it had never been taken
            self.shard.assess(work, 0, len(batch))
            processed = self.shard.finish(work)
        except Exception as error:  # noqa: BLE001 - whatever it raises, one record must not stop the others
            trouble.note([run.at(at) for at in range(start, stop)])
            self.is_broken = True
            report("core-failed", error, rows=stop - start)
            raise SetBackError("the core failed on an event") from None
        keeper.keep(processed, stored)
        return stop - start

    def _batch(self, run: Run, start: int, stop: int) -> EventBatch:
        rows, place = run.rows.cut(start, stop), run.place[start:stop]
        sources = [self._sources.get(topic, "") for topic, _ in run.places]  # the context is of no source, and has no events
        where = Provenance(
            source=[sources[at] for at in place.tolist()],
            received_at=rows.append_ms * 1_000,
            partition=np.array([partition for _, partition in run.places], dtype=np.int64)[place],
            offset=rows.offset,
            ordinal=rows.ordinal,
        )
        return batch_of(self.shard.tenant, rows.events, where)


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
