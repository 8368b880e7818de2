"""The state of correlations: what each person did of late that rules look for, by event time, bounded.

Events are fed one by one in their order, so nothing hangs on where micro-batches are cut.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from sentinel.core.event import HOUR_US
from sentinel.core.sigma import Correlation, Kind
from sentinel.core.story import EventRef

KEPT_MAX: Final = 200_000  # entries of a correlation, over all groups: those that rest longest go first
SHOWN_MAX: Final = 64  # events a finding shows beside the one that completed it

Group = tuple[str, ...]


@dataclass(slots=True)
class Window:
    """What counts in one group: the newest event of each thing that counts (an event, a value, a rule)."""

    newest: int = 0
    seen: dict[str, EventRef] = field(default_factory=dict)
    chains: list[list[EventRef]] = field(default_factory=list)  # ordered: by how many steps, the one that began last

    def __len__(self) -> int:
        return len(self.seen) + sum(map(len, self.chains))


@dataclass(slots=True)
class Windows:
    """The groups of one correlation, the one that rests longest first. `kept`: their entries."""

    shape: str
    kept: int = 0
    groups: dict[Group, Window] = field(default_factory=dict)

    def take(self, group: Group) -> Window:
        """Return a group's window, to be put back."""
        window = self.groups.pop(group, None) or Window()
        self.kept -= len(window)
        return window

    def put(self, group: Group, window: Window, most: int) -> None:
        """Put a window back as the one used last; when there is too much, an eighth of it goes at once, the oldest first."""
        self.groups[group] = window
        self.kept += len(window)
        if self.kept > most:
            for rested in list(self.groups)[:-1]:
                if self.kept <= most - most // 8:
                    break
                self.take(rested)

    def forget(self, before: int) -> None:
        """Drop the groups whose newest event is before that time (µs)."""
        for group in [group for group, window in self.groups.items() if window.newest < before]:
            self.take(group)


@dataclass(slots=True)
class Met:
    """One event that met rules: their names, and what correlations ask of it."""

    event: EventRef
    rules: Collection[str]
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Completed:
    """A correlation that an event completed: how much there was, and the earlier events that show it."""

    correlation: Correlation
    observed: int
    others: tuple[EventRef, ...]


class Correlations:
    """All correlations of one shard."""

    def __init__(self, correlations: Sequence[Correlation], most: int = KEPT_MAX) -> None:
        self._correlations, self._most = correlations, most
        self.state: dict[str, Windows] = {one.name: Windows(one.shape) for one in correlations}

    def feed(self, met: Met) -> Iterator[Completed]:
        """Take an event in, and yield what it completes: each correlation after those it looks at."""
        names = set(met.rules)
        for one in self._correlations:
            if names.isdisjoint(one.of):
                continue
            found = self._fed(one, met, names)
            if found is not None:
                names.add(one.name)
                yield found

    def close(self, hour: int) -> None:
        """Drop what can complete nothing more once the hours before `hour` ended."""
        for one in self._correlations:
            self.state[one.name].forget(hour * HOUR_US - one.span_us)

    def restore(self, state: dict[str, Windows]) -> None:
        """Go on from a state; correlations that are new or another begin anew."""
        for name, windows in state.items():
            if name in self.state and self.state[name].shape == windows.shape:
                self.state[name] = windows

    def _fed(self, one: Correlation, met: Met, names: set[str]) -> Completed | None:
        group, event = tuple(met.columns[name] for name in one.by), met.event
        if one.kind is Kind.VALUE_COUNT and not met.columns[one.value_of]:
            return None
        windows = self.state[one.name]
        window = windows.take(group)
        window.newest = max(window.newest, event.occurred_at)
        oldest = window.newest - one.span_us
        found = None
        if event.occurred_at >= oldest:
            found = (
                _ordered(one, window, event, names) if one.kind is Kind.TEMPORAL_ORDERED else _counted(one, window, met, names)
            )
        windows.put(group, window, self._most)
        return found


def _counted(one: Correlation, window: Window, met: Met, names: set[str]) -> Completed | None:
    for thing in _things(one, met, names):
        known = window.seen.pop(thing, met.event)  # the one met last stands last
        window.seen[thing] = max(known, met.event)
    oldest = window.newest - one.span_us
    while window.seen and next(iter(window.seen.values())).occurred_at < oldest:
        del window.seen[next(iter(window.seen))]
    if len(window.seen) >= one.least:
        window.seen = {thing: ref for thing, ref in window.seen.items() if ref.occurred_at >= oldest}
    count = len(window.seen)
    if count < one.least:
        return None
    others = tuple(ref for ref in islice(reversed(window.seen.values()), SHOWN_MAX) if ref.key != met.event.key)
    if one.kind in (Kind.EVENT_COUNT, Kind.VALUE_COUNT):
        _bound(window.seen, one.least)
    return Completed(one, count, others)


def _things(one: Correlation, met: Met, names: set[str]) -> list[str]:
    if one.kind is Kind.EVENT_COUNT:
        return [met.event.key]
    if one.kind is Kind.VALUE_COUNT:
        return [met.columns[one.value_of]]
    return [name for name in one.of if name in names]


def _bound(seen: dict[str, Any], least: int) -> None:
    """Keep no more than tells, with the next event, whether there are as many again, and enough to say how many there were."""
    for thing in list(islice(seen, max(0, len(seen) - max(4 * least, SHOWN_MAX)))):
        del seen[thing]


def _ordered(one: Correlation, window: Window, event: EventRef, names: set[str]) -> Completed | None:
    """Lengthen the chains that an event continues, the longest first, so that it is no two steps of one."""
    steps, chains = len(one.of), window.chains
    chains.extend([] for _ in range(steps - len(chains)))
    whole: list[EventRef] = []
    for step in reversed(range(steps)):
        if one.of[step] not in names:
            continue
        before = chains[step - 1] if step else []
        if step and not (before and before[-1].occurred_at <= event.occurred_at <= before[0].occurred_at + one.span_us):
            continue
        longer = [*before, event]
        if step == steps - 1:
            whole = longer
        elif not chains[step] or longer[0].occurred_at >= chains[step][0].occurred_at:
            chains[step] = longer
    return Completed(one, steps, tuple(whole[:-1])) if whole else None
