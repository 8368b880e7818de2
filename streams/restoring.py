"""From checkpoints back to shards, all in one hour and with what they have in common; and from shards to checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from sentinel.core.errors import SentinelError
from streams.closings import COMMON, Closings
from streams.merging import Merge
from streams.preface import Preface
from streams.shards import Owned, Shards, Trouble
from streams.state_topic import State, StateTopic

if TYPE_CHECKING:
    from streams.share import AssessorParts


class Checkpoints:
    """Restores partitions to where they stood, and keeps where they stand."""

    def __init__(self, parts: AssessorParts, closings: Closings, states: StateTopic, trouble: Trouble) -> None:
        self._parts, self._closings, self._states, self._trouble = parts, closings, states, trouble

    async def restore(self, partitions: Collection[int]) -> Shards:
        """Return `partitions` as they stood in the latest hour of which all was kept; as they began, if there is none."""
        await self._closings.read_to_end()
        shards = None
        for hour in sorted(self._hours(partitions), reverse=True):
            shards = shards or await self._of(hour, partitions)
        shards = shards or self._new(partitions)
        await self._closings.stand(shards.common.hour)
        return shards

    async def take(self, shards: Shards, partition: int) -> State:
        """Return the state of one partition, or of what all have in common, as it stands in the hour that is open."""
        return await asyncio.to_thread(_state, shards, partition)

    async def keep(self, partition: int, hour: int, state: bytes) -> None:
        """Keep a state that was taken in `hour`, and packed."""
        slot = self._closings.slot(partition, hour)
        await self._closings.keep(await self._states.save(partition, slot, hour, state))

    def _hours(self, partitions: Collection[int]) -> set[int]:
        return set.intersection(*(set(self._closings.manifests(partition)) for partition in (COMMON, *partitions)))

    def _new(self, partitions: Collection[int]) -> Shards:
        parts, common = self._parts, self._parts.build_common()
        owned = {
            partition: Owned(parts.build_shard(common), Merge(parts.places), parts.sources, self._trouble)
            for partition in sorted(partitions)
        }
        preface = Preface(parts.build_shard(common).book, owned)
        for partition, one in owned.items():
            one.begin(preface, partition)
        return Shards(common, owned)

    async def _of(self, hour: int, partitions: Collection[int]) -> Shards | None:
        """Return the partitions as they stood in `hour`; None: one of the states cannot be used."""
        shards = self._new(partitions)
        for partition in (COMMON, *shards.owned):
            manifest = self._closings.manifests(partition)[hour]
            state = await self._states.load(manifest)
            if state is None or not await asyncio.to_thread(self._restore, shards, partition, state):
                self._closings.discard(manifest)
                return None
        return shards

    def _restore(self, shards: Shards, partition: int, state: State) -> bool:
        try:
            if partition == COMMON:
                shards.common.restore(state.snapshot)
            else:
                owned = shards.owned[partition]
                owned.shard.restore(state.snapshot)
                owned.merge = Merge(self._parts.places, state.standing, state.needed)
        except (SentinelError, ValueError):  # of another version, with other detectors, of other topics
            return False
        return True


def _state(shards: Shards, partition: int) -> State:
    if partition == COMMON:
        return State(shards.common.snapshot())
    owned = shards.owned[partition]
    return State(owned.shard.snapshot(), owned.merge.standing(), owned.merge.needed)
