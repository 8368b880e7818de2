"""The report on a shadow: each story once, whatever its id there, with what it gained and lost."""

from __future__ import annotations

from typing import Any

from sentinel.core.alert import rfc3339
from sentinel.core.context import Judgement
from streams.shadow_report import Change, compared, counted
from tests.builders import on


def a_story(id_: str, actor: str = "nurse", priority: float = 5.0, day: float = 1, *detectors: str) -> dict[str, Any]:
    """Return an alert as the store and a replay tell it."""
    span = {"first_seen": rfc3339(on(day)), "last_seen": rfc3339(on(day, 12))}
    found = list(detectors or ["mass_export"])
    return {"id": id_, "actor": actor, "priority": priority, "severity": "medium", "detectors": found} | span


def changes(champion: list[dict[str, Any]], shadow: list[dict[str, Any]]) -> dict[str, Change]:
    """Return what became of each story, by its id."""
    return {line.alert: line.change for line in compared(champion, shadow, {})}


def test_stories_are_gained_lost_moved_or_the_same() -> None:
    """Told by one alone, by both otherwise, by both alike."""
    champion = [a_story("a"), a_story("b", "other"), a_story("c", "third")]
    shadow = [a_story("a"), a_story("b", "other", 6.0), a_story("d", "fourth")]
    assert changes(champion, shadow) == {"a": Change.SAME, "b": Change.MOVED, "c": Change.LOST, "d": Change.GAINED}


def test_a_story_is_known_by_person_and_time() -> None:
    """It may begin with another finding there, and so have another id; the same person's next week is another story."""
    champion, shadow = [a_story("a", day=1), a_story("b", day=9)], [a_story("x", day=1.05)]
    assert changes(champion, shadow) == {"a": Change.SAME, "b": Change.LOST}


def test_findings_and_verdicts_stand_beside() -> None:
    """What one alone found, and how many of the lost had been confirmed."""
    champion = [a_story("a", "nurse", 5.0, 1, "mass_export", "peek_record"), a_story("b", "other")]
    shadow = [a_story("a", "nurse", 4.0, 1, "mass_export", "off_hours")]
    lines = compared(champion, shadow, {"b": Judgement.MISUSE, "a": Judgement.JUSTIFIED})
    moved = next(line for line in lines if line.alert == "a")
    assert (moved.found_no_more, moved.found_anew, moved.verdict) == (("peek_record",), ("off_hours",), "justified")
    assert {change: figures for change, *figures in counted(lines)} == {
        Change.GAINED: [0, 0, 0],
        Change.LOST: [1, 1, 0],
        Change.MOVED: [1, 0, 1],
        Change.SAME: [0, 0, 0],
    }
