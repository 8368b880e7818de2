"""What a configuration in the shadow would have changed: its alerts beside the champion's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sentinel.core.context import Judgement

Answer = Mapping[str, Any]
MOVED: Final = 0.05  # of priority: as much as the queue shows


class Change(StrEnum):
    """What became of a story: told by the shadow alone, by the champion alone, by both with other weights, or alike."""

    GAINED = "gained"
    LOST = "lost"
    MOVED = "moved"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Line:
    """One story under both. Priorities and severities: None where it is not told; findings: those that one alone has."""

    alert: str
    change: Change
    actor: str
    last_seen: str
    priority: float | None
    shadow_priority: float | None
    severity: str | None
    shadow_severity: str | None
    found_no_more: tuple[str, ...]
    found_anew: tuple[str, ...]
    verdict: str


def compared(champion: Iterable[Answer], shadow: Iterable[Answer], verdicts: Mapping[str, Judgement]) -> list[Line]:
    """Return each story under both: those gained and lost first, then by how much they moved.

    A story is the same where it is on the same person and at the same time: its id may differ, as it may begin elsewhere.
    """
    left = _by_actor(champion)
    lines = []
    for theirs in shadow:
        mine = _overlapping(left.get(theirs["actor"], []), theirs)
        if mine is not None:
            left[theirs["actor"]].remove(mine)
        lines.append(_line(mine, theirs, verdicts))
    lines += [_line(mine, None, verdicts) for stories in left.values() for mine in stories]
    order = list(Change)
    return sorted(lines, key=lambda line: (order.index(line.change), -_weight(line), line.alert))


def counted(lines: Sequence[Line]) -> list[tuple[Change, int, int, int]]:
    """Return of each change how many stories, how many of them were misuse by their last verdict, and how many justified."""
    found = []
    for change in Change:
        verdicts = [line.verdict for line in lines if line.change is change]
        found.append((change, len(verdicts), verdicts.count(Judgement.MISUSE), verdicts.count(Judgement.JUSTIFIED)))
    return found


def _by_actor(alerts: Iterable[Answer]) -> dict[str, list[Answer]]:
    found: dict[str, list[Answer]] = {}
    for alert in alerts:
        found.setdefault(alert["actor"], []).append(alert)
    return found


def _overlapping(stories: Sequence[Answer], theirs: Answer) -> Answer | None:
    """Return the story of the same id, or else one of the same time."""
    same = [mine for mine in stories if mine["id"] == theirs["id"]]
    first, last = _span(theirs)
    near = [mine for mine in stories if _span(mine)[0] <= last and first <= _span(mine)[1]]
    return next(iter((*same, *near)), None)


def _span(alert: Answer) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(alert["first_seen"]), datetime.fromisoformat(alert["last_seen"])


def _line(mine: Answer | None, theirs: Answer | None, verdicts: Mapping[str, Judgement]) -> Line:
    one = mine or theirs or {}
    before, after = _findings(mine), _findings(theirs)
    return Line(
        alert=one["id"],
        change=_change(mine, theirs),
        actor=one["actor"],
        last_seen=one["last_seen"],
        priority=None if mine is None else mine["priority"],
        shadow_priority=None if theirs is None else theirs["priority"],
        severity=None if mine is None else mine["severity"],
        shadow_severity=None if theirs is None else theirs["severity"],
        found_no_more=tuple(sorted(before - after)),
        found_anew=tuple(sorted(after - before)),
        verdict=str(verdicts.get(one["id"], "")),
    )


def _findings(alert: Answer | None) -> set[str]:
    return set() if alert is None else set(alert["detectors"])


def _change(mine: Answer | None, theirs: Answer | None) -> Change:
    if mine is None or theirs is None:
        return Change.GAINED if mine is None else Change.LOST
    is_alike = abs(mine["priority"] - theirs["priority"]) < MOVED and _findings(mine) == _findings(theirs)
    return Change.SAME if is_alike and mine["severity"] == theirs["severity"] else Change.MOVED


def _weight(line: Line) -> float:
    return abs((line.shadow_priority or 0.0) - (line.priority or 0.0))
