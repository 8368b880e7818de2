"""The logs themselves: what each source told in an hour that ends, its own rhythm, and what of it is out of the ordinary.

A source is an application, or a format where no application is told. It is told of at closings alone, from sums that do
not hang on how people are divided among shards: counts, the newest event, the least delay, the set of record numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentinel.core.batch import EventBatch
from sentinel.core.codes import Codes
from sentinel.core.event import DAY_US
from sentinel.core.facts.declare import FACTS, INDEX

SOURCES_MAX: Final = 256  # the first, by name, of those that come in one hour; a silent one makes room after …
FORGOTTEN_HOURS: Final = 30 * 24
NUMBERS_MAX: Final = 1 << 17  # records of one source in one hour, and the widest range of numbers looked for in
BINS: Final = 48  # hours of the day (UTC), working days and week-ends
BIN_HOURS_MIN: Final = 6  # of a kind, before it says how much to expect
RHYTHM_MEMORY: Final = 30.0  # hours of a kind that a mean follows
LEAST_GROWS: Final = 1.02  # an hour of the kind, of the least that was seen: a quiet day is forgotten in a season
SHAPE_MIN, SHAPE_MAX = 0.3, 50.0  # of the gamma law of an hour's rate
SHAPE_MEMORY: Final = 336.0
SILENCE_TOLD_HOURS: Final = 64  # for as long as one story holds: a source that stays silent was told of
GAP_HOURS_MAX: Final = 7 * 24  # of a stream that stood still, counted one by one
UNUSUAL: Final = 1e-3  # a silence that chance gives more seldom is not learnt as usual
TIMED_MIN: Final = 20  # events of an hour with a time of receipt, before their delay means anything
DELAY_HOURS_MIN: Final = 24  # hours before a delay is usual
DELAY_MEMORY: Final = 200.0
SPREAD_MIN_S: Final = 10.0
NUMBERED_MIN: Final = 1_000  # numbers seen before a hole means anything
_TRAILING: Final = re.compile(r"\d{1,15}\Z")

Int64s = NDArray[np.int64]
_NONE: Final = np.zeros(0, np.int64)


class Newest(NamedTuple):
    """The newest event of a source, of several at one time the one with the greatest key."""

    occurred_at: int
    key: str  # hex
    id: str


NOTHING: Final = Newest(0, "", "")


@dataclass(slots=True)
class Heard:
    """What was heard of one source in the open hour, by one shard or, added up, by all of them.

    `delay_us`: the least time from an event to its receipt, over the `timed` events of which that is known.
    `numbers`: those at the end of the records' ids, where all ids begin with `prefix`; None: they are not numbered, or too many.
    """

    events: int = 0
    newest: Newest = NOTHING
    timed: int = 0
    delay_us: int = 0
    prefix: str = ""
    numbers: Int64s | None = field(default_factory=lambda: _NONE)

    def add(self, other: Heard) -> None:
        """Add what another shard, or a later batch, heard: the order does not matter."""
        prefix = self.prefix if self.events else other.prefix
        known = self.numbers is not None and other.numbers is not None and prefix == other.prefix
        self.numbers = _merged(self.numbers, other.numbers) if known else None
        self.prefix = prefix if self.numbers is not None else ""
        self.events += other.events
        self.newest = max(self.newest, other.newest)
        if other.timed:
            self.delay_us = min(self.delay_us, other.delay_us) if self.timed else other.delay_us
            self.timed += other.timed


def _merged(some: Int64s | None, others: Int64s | None) -> Int64s | None:
    """Return the numbers of both, sorted, each once; None where they are too many or too far apart to be a numbering."""
    if some is None or others is None:
        return None
    numbers = np.union1d(some, others)
    return numbers if len(numbers) == 0 or int(numbers[-1] - numbers[0]) < NUMBERS_MAX else None


def heard(batch: EventBatch, rows: Int64s, into: dict[str, Heard]) -> None:
    """Add the events of a batch at `rows` to what was heard of their sources, by the sources' names."""
    where: dict[str, list[int]] = {}
    for row in rows.tolist():
        name = batch.application[row] or batch.source[row]
        there = where.get(name)
        if there is None:
            where[name] = [row]
        else:
            there.append(row)
    for name, mine in where.items():
        known = into.get(name)
        if known is None:
            known = into[name] = Heard()
        known.add(_heard_of_one(batch, mine, known))


def _heard_of_one(batch: EventBatch, rows: list[int], known: Heard) -> Heard:
    at = np.array(rows, np.int64)
    occurred, received = batch.occurred_at[at], batch.received_at[at]
    last = int(occurred.max())
    newest = max(Newest(last, batch.key[rows[i]].hex(), batch.id[rows[i]]) for i in np.nonzero(occurred == last)[0].tolist())
    delays = (received - occurred)[received > 0]
    prefix, numbers = _numbers([batch.id[row] for row in rows]) if known.numbers is not None else ("", None)
    return Heard(len(rows), newest, len(delays), int(delays.min()) if len(delays) else 0, prefix, numbers)


def _numbers(ids: Sequence[str]) -> tuple[str, Int64s | None]:
    """Return what all ids begin with and the numbers that follow; None where one has no number, or begins otherwise."""
    found = _TRAILING.search(ids[0])
    if found is None:
        return "", None
    prefix = ids[0][: found.start()]
    if len(prefix) and not all(id_.startswith(prefix) for id_ in ids):
        return "", None
    ends = [id_[len(prefix) :] for id_ in ids]
    if not all(len(end) <= 15 and end.isdecimal() for end in ends):
        return "", None
    return prefix, np.unique(np.array(list(map(int, ends)), np.int64))


class HeardOf(NamedTuple):
    """What one shard heard of one source in the hour that ends, as it tells others."""

    name: str
    heard: Heard


@dataclass(slots=True)
class Rhythm:
    """What is usual of one source, and where it stands. Hours since 1970."""

    last_hour: int  # in which it was heard last
    newest: Newest = NOTHING
    mine: bool = False  # the newest event is one of this shard's: it tells what is found of the source
    mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))  # events, by kind of hour
    least: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))  # events of the quietest hours of each kind
    seen: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))  # hours of each kind
    hours: float = 0.0
    excess: float = 0.0  # of the variance over a Poisson law's
    square: float = 0.0  # of the mean
    silent_hours: int = 0
    missed: float = 0.0  # events expected in them
    missed_least: float = 0.0  # that even the quietest of such hours held
    delay_hours: float = 0.0
    delay_s: float = 0.0
    delay_spread_s: float = 0.0
    skewed_hours: int = 0
    prefix: str = ""
    highest: int = -1
    open_holes: Int64s = field(default_factory=lambda: _NONE)  # numbers that an hour left out, and the next may bring
    numbered: int = 0
    holes: int = 0

    def shape(self) -> float:
        """Return the shape of the gamma law of this source's rate: small is uneven."""
        return min(SHAPE_MAX, max(SHAPE_MIN, self.square / self.excess if self.excess > 0 else SHAPE_MAX))

    def expected(self, hour: int) -> tuple[float, float]:
        """Return the events that an hour of this kind holds on average, and at least.

        The lower of it and of the hours around it, as clocks change twice a year.
        """
        around = [_bin(hour + step) for step in (-1, 0, 1)]
        if any(self.seen[at] < BIN_HOURS_MIN for at in around):
            return 0.0, 0.0
        return float(self.mean[around].min()), float(self.least[around].min())

    def miss(self, hour: int) -> None:
        """Count an hour without an event."""
        mean, least = self.expected(hour)
        self.silent_hours += 1
        self.missed += mean
        self.missed_least += least

    def silence_chance(self) -> float:
        """Return how often chance gives such a silence, in (0, 1]: none of a gamma-Poisson count of mean `missed`."""
        shape = self.shape()
        return float((1.0 + self.missed / shape) ** -shape)

    def learn_hour(self, hour: int, events: int) -> None:
        """Learn how many events an hour holds."""
        at = _bin(hour)
        mean = float(self.mean[at])
        if self.seen[at] >= BIN_HOURS_MIN:
            self.hours = min(self.hours + 1.0, SHAPE_MEMORY)
            self.excess += ((events - mean) ** 2 - mean - self.excess) / self.hours
            self.square += (mean * mean - self.square) / self.hours
        self.least[at] = min(float(events), self.least[at] * LEAST_GROWS) if self.seen[at] else events
        self.seen[at] = min(self.seen[at] + 1.0, RHYTHM_MEMORY)
        self.mean[at] += (events - mean) / self.seen[at]


def _bin(hour: int) -> int:
    return hour % 24 + (24 if (hour // 24 + 3) % 7 >= 5 else 0)  # 1970 began on a Thursday


class Strange(NamedTuple):
    """What is out of the ordinary about one source, as facts (`log_…`)."""

    name: str
    facts: dict[str, float]


@dataclass(slots=True)
class Logs:
    """The rhythms of all sources of one tenant: the same in every shard, whichever heard what."""

    known: dict[str, Rhythm] = field(default_factory=dict)
    codes: Codes = field(default_factory=Codes)

    def close(self, before: int, hour: int, closings: Sequence[Sequence[HeardOf]], mine: Sequence[HeardOf]) -> list[Strange]:
        """End the hours from `before` up to `hour`, given what each shard heard in it; return what is strange, by name.

        `mine`: what this shard heard.
        """
        total: dict[str, Heard] = {}
        for one in (one for closing in closings for one in closing):
            total.setdefault(one.name, Heard()).add(one.heard)
        own = {one.name: one.heard.newest for one in mine}
        self._make_room(sorted(total), hour)
        strange: list[Strange] = []
        for name in sorted(self.known):
            rhythm, heard_now = self.known[name], total.get(name)
            if heard_now is not None:
                rhythm.newest, rhythm.mine = heard_now.newest, own.get(name) == heard_now.newest
            facts = _closed(rhythm, before, hour, heard_now)
            if facts:
                strange.append(Strange(name, facts))
        return strange

    def _make_room(self, names: Iterable[str], hour: int) -> None:
        self.known = {name: rhythm for name, rhythm in self.known.items() if hour - rhythm.last_hour < FORGOTTEN_HOURS}
        for name in names:
            if name not in self.known and len(self.known) < SOURCES_MAX:
                self.known[name] = Rhythm(hour)
                self.codes.code(name)


def _closed(rhythm: Rhythm, before: int, hour: int, heard_now: Heard | None) -> dict[str, float]:
    """Move a source past the hours that end; return the facts that are out of the ordinary."""
    silent = _silence(rhythm, before, hour, heard_now.events if heard_now else 0)
    return silent | _skew(rhythm, heard_now or Heard()) | _hole(rhythm, heard_now or Heard())


def _silence(rhythm: Rhythm, before: int, hour: int, events: int) -> dict[str, float]:
    """Follow how many events come, and how many did not."""
    if events:
        rhythm.silent_hours, rhythm.missed, rhythm.missed_least, rhythm.last_hour = 0, 0.0, 0.0, before
        rhythm.learn_hour(before, events)
    told = 0
    for at in range(before + (1 if events else 0), min(hour, before + GAP_HOURS_MAX)):
        rhythm.miss(at)
        if rhythm.silence_chance() >= UNUSUAL:
            rhythm.learn_hour(at, 0)
        if rhythm.missed_least > 0 and _is_told(rhythm.silent_hours) and rhythm.silent_hours <= SILENCE_TOLD_HOURS:
            told = rhythm.silent_hours
    if not told:
        return {}
    return {"log_silent_hours": told, "log_missed": rhythm.missed_least, "log_silence_chance": rhythm.silence_chance()}


def _is_told(hours: int) -> bool:
    """Whether what has lasted so long is told again: after 1, 2, 4, 8 … hours."""
    return hours > 0 and hours & (hours - 1) == 0


def _skew(rhythm: Rhythm, now: Heard) -> dict[str, float]:
    """Follow the least delay of an hour's events, which a clock that is wrong moves as a whole."""
    delay = now.delay_us / 1e6
    if now.timed < TIMED_MIN or abs(now.delay_us) > DAY_US:
        return {}
    known = rhythm.delay_hours >= DELAY_HOURS_MIN
    skew = delay - rhythm.delay_s if known else min(delay, 0.0)  # what is received before it occurs needs no history
    spread = max(SPREAD_MIN_S, rhythm.delay_spread_s if known else 0.0)
    rhythm.delay_hours = min(rhythm.delay_hours + 1.0, DELAY_MEMORY)
    if rhythm.delay_hours > 1.0:
        rhythm.delay_spread_s += (abs(delay - rhythm.delay_s) - rhythm.delay_spread_s) / rhythm.delay_hours
    rhythm.delay_s += (delay - rhythm.delay_s) / rhythm.delay_hours
    rhythm.skewed_hours = rhythm.skewed_hours + 1 if abs(skew) > 3 * spread else 0
    if not _is_told(rhythm.skewed_hours):
        return {}
    return {"log_skew_seconds": skew, "log_skew_spread": spread}


def _hole(rhythm: Rhythm, now: Heard) -> dict[str, float]:
    """Follow the numbers of the records; tell those that neither their hour brought nor the next one in which some came."""
    numbers = now.numbers
    if not now.events:
        return {}
    if numbers is None or len(numbers) == 0 or now.prefix != rhythm.prefix:
        rhythm.prefix, rhythm.highest, rhythm.open_holes = now.prefix, -1, _NONE
        rhythm.numbered = rhythm.holes = 0
        if numbers is None or len(numbers) == 0:
            return {}
    missing = np.setdiff1d(rhythm.open_holes, numbers, assume_unique=True)
    first = rhythm.highest + 1 if rhythm.highest >= 0 else int(numbers[0])
    last = int(numbers[-1])
    restarted = last < first - NUMBERS_MAX or last - first >= NUMBERS_MAX
    rhythm.open_holes = _NONE if restarted else np.setdiff1d(np.arange(first, last + 1), numbers, assume_unique=True)
    rhythm.highest = last if restarted else max(rhythm.highest, last)
    rate = (rhythm.holes + 1.0) / (rhythm.numbered + 1.0)
    known = rhythm.numbered >= NUMBERED_MIN
    rhythm.numbered += len(numbers)
    rhythm.holes += _runs(missing)
    return {"log_hole": float(len(missing)), "log_hole_rate": rate} if known and len(missing) else {}


def _runs(numbers: Int64s) -> int:
    """Return how many runs of consecutive numbers there are."""
    return 0 if len(numbers) == 0 else 1 + int(np.count_nonzero(np.diff(numbers) != 1))


def facts_of(strange: Sequence[Strange]) -> NDArray[np.float32]:
    """Return (facts, sources) as detectors read them: missing but for what is strange."""
    values = np.full((len(FACTS), len(strange)), np.nan, np.float32)
    for at, one in enumerate(strange):
        for name, value in one.facts.items():
            values[INDEX[name], at] = value
    return values
