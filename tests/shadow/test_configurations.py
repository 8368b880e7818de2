"""A configuration says in a file what is other than as it is made: detectors, their numbers, the model's, the budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import reference
from models.detectors import mass_export
from models.parameters import with_parameters
from sentinel import assembly
from sentinel.core.errors import RefusedToStartError
from sentinel.settings import Settings
from streams.yaml_file import WrongFileError


def a_file(folder: Path, file: str = "shadow.yaml", **told: Any) -> str:
    """Return the path of a configuration."""
    path = folder / file
    path.write_text(yaml.safe_dump({"name": "other", "reason": "a trial"} | told), encoding="utf-8")
    return str(path)


def built(path: str, **told: Any) -> Any:
    """Return the pipeline that a configuration makes."""
    return assembly.pipeline(Settings(**told), told=assembly.configuration(path))


def test_a_detector_is_made_with_other_numbers() -> None:
    """Its own file, with another number at its top; what is made otherwise stays as it was."""
    found = {d.name: d for d in assembly.detectors()}
    other = with_parameters(found["mass_export"], {"MINIMUM": 5, "weight": 2.0})
    assert (other.weight, other.name, other.card) == (2.0, "mass_export", found["mass_export"].card)
    assert other.match.__globals__["MINIMUM"] == 5
    assert (mass_export.MINIMUM, found["mass_export"].weight) == (30, 1.4)


@pytest.mark.parametrize("detector", assembly.detectors(), ids=lambda d: d.name)
def test_every_number_in_the_docs_can_be_another(detector: Any) -> None:
    """Each detector can be made anew with each of its numbers."""
    numbers = {
        name: value for name, value, _ in reference.parameters(reference.import_module(f"models.detectors.{detector.name}"))
    }
    made = with_parameters(detector, numbers)
    assert {**{name: made.match.__globals__.get(name, value) for name, value in numbers.items()}} == numbers
    assert (made.weight, made.group, made.scope) == (detector.weight, detector.group, detector.scope)


def test_a_configuration_makes_another_core(tmp_path: Path) -> None:
    """What it leaves out is as the settings say."""
    path = a_file(
        tmp_path, budget=3, off=["peek_record"], parameters={"mass_export": {"MINIMUM": 5}}, model_parameters={"p_max": 0.01}
    )
    one, plain = built(path, budget=7), assembly.pipeline(Settings(budget=7))
    assert (one.per_day, plain.per_day, plain.configuration) == (3.0, 7.0, "")
    assert {d.name for d in plain.detectors} - {d.name for d in one.detectors} == {"peek_record"}
    assert one.model.settings.p_max == 0.01
    assert one.model.settings.trees == plain.model.settings.trees
    assert built(a_file(tmp_path, model=False)).model is None
    assert built(a_file(tmp_path), budget=7).per_day == 7.0


def test_a_version_changes_with_what_the_file_says(tmp_path: Path) -> None:
    """Not with why: the name alone could lie."""
    versions = [
        assembly.configuration(a_file(tmp_path, **told)).version
        for told in ({}, {"reason": "another reason"}, {"budget": 3}, {"budget": 4})
    ]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3
    assert all(version.startswith("other@") for version in versions)


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"off": ["peek"]}, "no such detector: peek"),
        ({"parameters": {"mass_export": {"MINIMAL": 5}}}, "detector mass_export: there is no number MINIMAL"),
        ({"parameters": {"mass_export": {"Final": 5}}}, "there is no number Final"),
        ({"model_parameters": {"p_maximum": 1}}, "model: there is no number p_maximum"),
        ({"model_parameters": {"p_max": 2}}, "model: p_max in"),
    ],
)
def test_what_is_not_there_is_refused(tmp_path: Path, told: dict[str, Any], complaint: str) -> None:
    """By the name of what was asked for."""
    with pytest.raises(RefusedToStartError, match=complaint):
        built(a_file(tmp_path, **told))


def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path) -> None:
    """File, line and key."""
    with pytest.raises(WrongFileError, match=r"shadow.yaml:\d+: budget"):
        assembly.configuration(a_file(tmp_path, budget=-1))


def test_to_promote_is_to_let_one_file_take_the_place_of_another(tmp_path: Path) -> None:
    """The one before stays beside it; both have to be named."""
    shadow, champion = a_file(tmp_path, budget=3), a_file(tmp_path, "champion.yaml", name="first")
    before = Path(champion).read_bytes()
    with pytest.raises(RefusedToStartError):
        assembly.promote(Settings(shadow=shadow))
    told = assembly.promote(Settings(shadow=shadow, configuration=champion))
    assert assembly.configuration(champion) == told == assembly.configuration(shadow)
    assert (tmp_path / "champion.before.yaml").read_bytes() == before


def test_the_example_of_the_docs_can_be_used(tmp_path: Path) -> None:
    """With numbers that are there."""
    text = (reference.DOCS / "shadow.md").read_text(encoding="utf-8")
    path = tmp_path / "shadow.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    assert built(str(path)).configuration.startswith("smaller-exports@")
