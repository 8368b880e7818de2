"""The alert budget: how many lines a day people can read, and the priority that this makes an alert need.

The threshold reads closed hours only. It is the priority that about `per_day` stories a day exceeded over the last
two weeks; fewer of them when the last seven days told more than their number, more of them when they told less. So a
loud day costs the days after it some alerts rather than all of them. A flood is left to the gravest alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

FLOOR: Final = 2.5  # evidence of one in three hundred: below it nobody is told, whatever the budget
PRIOR: Final = 4.0  # before the stream has shown what is ordinary
GRAVE: Final = 12.0  # evidence of one in a million million: told even when the week is used up
FLOOD_WEEKS: Final = 2  # weeks' worth of alerts within one: something broke, and the queue must stay readable
WARM_UP_HOURS: Final = 3 * 24
MEMORY_HOURS: Final = 14 * 24
WEEK_HOURS: Final = 7 * 24
PACE_ZERO: Final = 1.3  # weeks' worth of alerts within one: from there on the least is told …
PACE_WIDTH: Final = 0.4  # … and so much below it, the budget's number
PACE_MIN, PACE_MAX = 0.3, 1.4  # of the budget, a day
CANDIDATES_MAX: Final = 20_000


@dataclass(slots=True)
class Budget:
    """Turns a number of alerts a day into a threshold. `per_day` 0: all stories above the floor."""

    per_day: float = 0.0
    threshold: float = PRIOR
    started: int = 0  # hour of the first event
    ended: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=CANDIDATES_MAX))  # (hour, score) of past stories
    raised: deque[int] = field(default_factory=lambda: deque(maxlen=CANDIDATES_MAX))  # hours at which alerts were raised

    def __post_init__(self) -> None:
        if self.per_day == 0:
            self.threshold = FLOOR

    def close_hour(self, hour: int, open_scores: list[float]) -> None:
        """Set the threshold for what follows `hour`, given the scores of the stories still open."""
        if self.per_day == 0:
            return
        while self.ended and self.ended[0][0] <= hour - MEMORY_HOURS:
            self.ended.popleft()
        while self.raised and self.raised[0] <= hour - WEEK_HOURS:
            self.raised.popleft()
        hours = min(MEMORY_HOURS, max(24, hour - self.started + 1))
        rank = int(self._pace() * self.per_day * hours / 24)
        scores = sorted([score for _, score in self.ended] + open_scores, reverse=True)
        usual = scores[rank] if rank < len(scores) else FLOOR
        warm = hour - self.started >= WARM_UP_HOURS
        self.threshold = max(FLOOR, usual if warm else max(usual, PRIOR))

    def _pace(self) -> float:
        """Return how many of a day's alerts to tell, as a share of the budget, after what the last seven days told."""
        used = len(self.raised) / (7 * self.per_day)
        return min(PACE_MAX, max(PACE_MIN, (PACE_ZERO - used) / PACE_WIDTH))

    @property
    def has_room(self) -> bool:
        """Whether the last seven days, up to the hour that closed last, told fewer than their number."""
        return self.per_day == 0 or len(self.raised) < 7 * self.per_day

    def admits(self, score: float, raised: int) -> bool:
        """Whether a story of that score is raised now, after `raised` others of its shard in this hour."""
        flooded = self.per_day > 0 and len(self.raised) + raised >= FLOOD_WEEKS * 7 * self.per_day
        return score >= (max(self.threshold, GRAVE) if flooded else self.threshold)
