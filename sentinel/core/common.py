"""What is usual among all people of one tenant: moved by nothing but the closings of hours, by all shards alike."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sentinel.core.budget import FLOOR, Budget
from sentinel.core.closing import Closing, together
from sentinel.core.codes import Codes
from sentinel.core.errors import SentinelError
from sentinel.core.facts.baselines import DECAY_A_DAY, Baselines, RoleSums, at_work
from sentinel.core.facts.declare import METRICS, RATES, SESSION
from sentinel.core.habits import Habits
from sentinel.core.model import Model, Surprise
from sentinel.core.snapshot import SnapshotError, Snapshots


@dataclass(slots=True)
class Common:
    """Baselines, model and budget. Each worker has its own, and after the same closings all are the same.

    `surprises`: what the model found in the hour that closed last, by the people's names.
    """

    model: Model | None = None
    per_day: float = 0.0
    hour: int = 0
    baselines: Baselines = field(default_factory=Baselines)
    habits: Habits = field(default_factory=Habits)
    budget: Budget = field(init=False)
    surprises: dict[str, Surprise] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.budget = Budget(self.per_day)

    def close(self, hour: int, closings: Sequence[Closing]) -> None:
        """Close the hours before `hour`, given what each shard adds: learn what is usual, set the budget's threshold."""
        before, self.hour = self.hour, hour
        if before == 0:
            self.budget.started = hour
            return
        self._learn(closings)
        if days := [closing.day for closing in closings if closing.day]:
            self.baselines.close_day(days)
            self.habits.close_day(at_work(days), [closing.found for closing in closings], DECAY_A_DAY)
        self._follow_budget(before, closings)

    def _learn(self, closings: Sequence[Closing]) -> None:
        hours = together(closings)
        found = self.model.close_hour(hours) if self.model is not None and hours.names else []
        self.surprises = {surprise.actor: surprise for surprise in found}

    def _follow_budget(self, hour: int, closings: Sequence[Closing]) -> None:
        ended = sorted(ended for closing in closings for ended in closing.ended)
        self.budget.ended.extend(one for one in ended if one[1] >= FLOOR)
        self.budget.raised.extend(sorted(raised for closing in closings for raised in closing.raised))
        self.budget.close_hour(hour, [score for closing in closings for score in closing.open_scores.tolist()])

    def snapshot(self) -> bytes:
        """Return the state as bytes: restored, it goes on as if it had never stopped."""
        model = None if self.model is None else self.model.snapshot()
        kept = {name: getattr(self, name) for name in ("hour", "baselines", "habits", "budget")}
        return _SNAPSHOTS.pack({**kept, "model": model})

    def restore(self, snapshot: bytes, *, adopting: bool = False) -> None:
        """Become the one whose `snapshot` it is; the settings decide the budget, not the state.

        `adopting`: a model with other settings begins anew.

        Raises:
            SnapshotError: damaged, or made by another version of the code, or with another model.
        """
        state: dict[str, Any] = _SNAPSHOTS.unpack(snapshot)
        if (self.model is None) != (state["model"] is None) and not adopting:
            raise SnapshotError("made with another model")
        self.hour, self.baselines, self.habits = state["hour"], state["baselines"], state["habits"]
        self.budget = replace(state["budget"], per_day=self.per_day)
        if self.model is not None and state["model"] is not None:
            with suppress(*((SentinelError,) if adopting else ())):
                self.model.restore(state["model"])


_SNAPSHOTS: Final = Snapshots((Codes, Baselines, RoleSums, Habits, Budget), columns=(*METRICS, *RATES, *SESSION))
