"""From scores to p-values: how many of the last ordinary hours of the same role scored at least as high.

Conformal p-values: under exchangeability P(p ≤ a) ≤ a whatever the law of the scores (Vovk, Gammerman and Shafer,
Algorithmic Learning in a Random World, 2005; Laxhammar and Falkman, 2015, for the sliding window).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.online.rows import UNKNOWN, Rows

Floats = NDArray[np.float64]
EVERYONE: Final = -1  # the last row


class Calibration:
    """The last `window` scores of each role and of everyone.

    A role with fewer than `role_full` scores is filled up to that number with everyone's, in proportion.
    """

    def __init__(self, roles_max: int, window: int, role_full: int) -> None:
        self._rows = Rows(roles_max)
        self._role_full = role_full
        self._scores = np.zeros((roles_max + 1, window))
        self._seen = np.zeros(roles_max + 1, dtype=np.int64)  # ever, so that it also tells the oldest place

    def p_values(self, roles: Sequence[str], scores: Floats) -> Floats:
        """Return a p-value in (0, 1] a score; ties count against surprise, n scores give at least 1/(n+1)."""
        p_values = np.empty(len(scores))
        _calibrate(self._scores, self._seen, self._rows.find(roles), scores, self._role_full, p_values)
        return p_values

    def learn(self, roles: Sequence[str], scores: Floats) -> None:
        """Take in scores, in order, at most `roles_max` of them; the oldest fall out of their windows."""
        rows, fresh = self._rows.take(roles)
        self._seen[fresh] = 0
        _keep(self._scores, self._seen, rows, scores)

    def snapshot(self) -> dict[str, object]:
        """Return the state: roles as a list, then one row a role and the last for everyone, as arrays."""
        roles, rows = self._rows.snapshot()
        rows = np.append(rows, EVERYONE)
        return {"roles": roles, "scores": self._scores[rows], "seen": self._seen[rows]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state that `snapshot` gave."""
        self._rows.restore(state["roles"])
        rows = [*range(len(self._rows)), EVERYONE]
        self._scores[rows], self._seen[rows] = state["scores"], state["seen"]


@njit(cache=True)
def _reached(kept: Any, score: float) -> int:
    """Return how many of the scores kept are at least as high."""
    count = 0
    for i in range(len(kept)):
        count += kept[i] >= score
    return count


@njit(cache=True)
def _calibrate(kept: Any, seen: Any, rows: Any, scores: Any, role_full: int, p_values: Any) -> None:
    """Write the p-value of each score among those of its role's row, filled up with everyone's, which are in the last row."""
    for i in range(len(scores)):
        of_all = kept[-1, : seen[-1]]
        everyone = (1.0 + _reached(of_all, scores[i])) / (1.0 + len(of_all))
        of_role = kept[rows[i], : 0 if rows[i] == UNKNOWN else seen[rows[i]]]
        filled = max(role_full - len(of_role), 0)
        p_values[i] = (1.0 + _reached(of_role, scores[i]) + filled * everyone) / (1.0 + len(of_role) + filled)


@njit(cache=True)
def _keep(kept: Any, seen: Any, rows: Any, scores: Any) -> None:
    """Put each score in its role's row and in everyone's, over the oldest when a row is full."""
    for i in range(len(scores)):
        for row in (rows[i], len(kept) - 1):
            kept[row, seen[row] % kept.shape[1]] = scores[i]
            seen[row] += 1
