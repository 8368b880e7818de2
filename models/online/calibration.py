"""From scores to p-values: how many of the last ordinary hours of the same role scored at least as high.

Conformal p-values: under exchangeability P(p ≤ a) ≤ a whatever the law of the scores (Vovk, Gammerman and Shafer,
Algorithmic Learning in a Random World, 2005; Laxhammar and Falkman, 2015, for the sliding window).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
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
        rows = self._rows.find(roles)
        reached, known = self._reached(EVERYONE, scores)
        everyone = (1.0 + reached) / (1.0 + known)
        p_values = np.empty(len(scores))
        for row in np.unique(rows):
            of_role = rows == row
            reached, known = (0.0, 0) if row == UNKNOWN else self._reached(row, scores[of_role])
            filled = max(self._role_full - known, 0)
            p_values[of_role] = (1.0 + reached + filled * everyone[of_role]) / (1.0 + known + filled)
        return p_values

    def _reached(self, row: int, scores: Floats) -> tuple[Any, int]:
        """Return how many of the scores kept in a row are at least as high as each of `scores`, of how many."""
        kept = np.sort(self._scores[row, : self._seen[row]])
        return len(kept) - np.searchsorted(kept, scores, side="left"), len(kept)

    def learn(self, roles: Sequence[str], scores: Floats) -> None:
        """Take in scores, in order, at most `roles_max` of them; the oldest fall out of their windows."""
        rows, fresh = self._rows.take(roles)
        self._seen[fresh] = 0
        for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
            self._keep(row, score)
            self._keep(EVERYONE, score)

    def _keep(self, row: int, score: float) -> None:
        self._scores[row, self._seen[row] % self._scores.shape[1]] = score
        self._seen[row] += 1

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
