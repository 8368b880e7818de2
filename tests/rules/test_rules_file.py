"""The file of rules says what it wants in full, or is refused with its line and key, and without anybody's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import reference
from sentinel import assembly
from sentinel.core.errors import RefusedToStartError
from sentinel.core.event import ActorType
from sentinel.core.house_rules import NO_RULES, RuleKind, Selector
from sentinel.settings import Settings
from streams.rules_file import check_names, read, state_of
from streams.yaml_file import WrongFileError

SPAN = {"from": "2026-03-01T00:00:00+01:00", "until": "2026-04-01T00:00:00+02:00"}
SAID = {"owner": "DIM", "reason": "monthly coding", **SPAN}
A_WINDOW = {"name": "move", **SAID, "until": "2026-03-08T00:00:00+01:00", "sources": ["dicom_atna"]}
FROM_US = 1_772_319_600_000_000


def a_file(folder: Path, **lists: list[dict[str, Any]]) -> Path:
    """Return a file of rules."""
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump(lists, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def a_suppression(**told: Any) -> dict[str, Any]:
    """Return a suppression of one person's exports, unless told otherwise; None leaves a key out."""
    rule = {"name": "coding", **SAID, "actors": ["svc-1"], "detectors": ["mass_export"]} | told
    return {key: value for key, value in rule.items() if value is not None}


def a_watch_list(**told: Any) -> dict[str, Any]:
    """Return a watch-list of one patient."""
    return {"name": "complaint", **SAID, "patients": ["p-1"], "raises": 2} | told


def test_rules_are_read_as_they_are_meant(tmp_path: Path) -> None:
    """Times in UTC, lists as sets; a window is for programs unless it says otherwise."""
    path = a_file(tmp_path, suppressions=[a_suppression()], watch_lists=[a_watch_list()], maintenance=[A_WINDOW])
    found = read(path).rules().by_name
    assert list(found) == ["coding", "complaint", "move"]
    assert (found["coding"].kind, found["coding"].since) == (RuleKind.SUPPRESSION, FROM_US)
    assert found["coding"].about == Selector(actors=frozenset({"svc-1"}), detectors=frozenset({"mass_export"}))
    assert (found["complaint"].raises, found["complaint"].every_access) == (2.0, False)
    assert found["move"].about == Selector(sources=frozenset({"dicom_atna"}), actor_types=frozenset({ActorType.SERVICE}))
    assert [rule.is_narrow for rule in found.values()] == [True, False, True]


@pytest.mark.parametrize(
    ("lists", "complaint"),
    [
        ({"suppressions": [a_suppression(owner=None)]}, "rules.yaml:2: suppressions.0.owner: Field required"),
        ({"suppressions": [a_suppression(reason="")]}, "reason"),
        ({"suppressions": [a_suppression(until=None)]}, "until"),
        ({"suppressions": [a_suppression(until="2027-04-01T00:00:00+02:00")]}, "it lasts 366 days at most"),
        ({"suppressions": [a_suppression(until="2026-02-01T00:00:00+01:00")]}, "until comes after from"),
        ({"suppressions": [a_suppression(until="2026-04-01T00:00:00")]}, "suppressions.0.until: not an RFC 3339 time"),
        ({"suppressions": [a_suppression(actors=None, detectors=None)]}, "it would hide everything"),
        ({"suppressions": [a_suppression(actor=["svc-1"])]}, "actor"),
        ({"suppressions": [a_suppression(name="Dr Who")]}, "suppressions.0.name"),
        ({"suppressions": [a_suppression(), a_suppression()]}, "two of one name"),
        ({"watch_lists": [a_watch_list(patients=[])]}, "it names actors or patients"),
        ({"watch_lists": [a_watch_list(raises=9)]}, "watch_lists.0.raises"),
        ({"maintenance": [A_WINDOW | {"until": "2026-05-01T00:00:00+02:00"}]}, "it lasts 31 days at most"),
        ({"maintenance": [A_WINDOW | {"sources": []}]}, "maintenance.0.sources"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused_with_its_place(lists: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    """Owner, reason and end are there, and the end in sight; nobody whom the file names is quoted."""
    with pytest.raises(WrongFileError) as refused:
        read(a_file(tmp_path, **lists))
    assert complaint in str(refused.value)
    assert "svc-1" not in str(refused.value)
    assert "Dr Who" not in str(refused.value)


def test_what_a_rule_names_has_to_be_there(tmp_path: Path) -> None:
    """A mistyped detector or format would never hide anything."""
    file = read(a_file(tmp_path, suppressions=[a_suppression()], maintenance=[A_WINDOW]))
    check_names(file, ["mass_export"], ["dicom_atna"])
    with pytest.raises(RefusedToStartError, match="coding: detectors: there is no mass_export"):
        check_names(file, ["vip_record"], ["dicom_atna"])
    with pytest.raises(RefusedToStartError, match="move: sources: there is no dicom_atna"):
        check_names(file, ["mass_export"], [])


def test_a_rule_stands_somewhere_in_time(tmp_path: Path) -> None:
    """To come, in force, over: its end is not in it."""
    rule = read(a_file(tmp_path, suppressions=[a_suppression()])).rules().by_name["coding"]
    moments = (rule.since - 1, rule.since, rule.until - 1, rule.until)
    assert [state_of(rule, moment) for moment in moments] == ["to come", "in force", "in force", "over"]


def test_the_example_of_the_docs_can_be_used(tmp_path: Path) -> None:
    """Each kind once, with detectors and formats that are there."""
    text = (Path(reference.DOCS) / "rules.md").read_text(encoding="utf-8")
    path = tmp_path / "rules.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    found = assembly.rule_file(Settings(), path).rules()
    assert sorted(str(rule.kind) for rule in found.by_name.values()) == ["maintenance", "suppression", "watch-list"]
    assert assembly.house_rules(Settings()) == NO_RULES
    assert assembly.house_rules(Settings(rules=str(path))) == found
