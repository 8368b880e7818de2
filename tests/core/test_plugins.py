"""Plug-ins are strict from the first day: missing, misnamed, of another kind or twice there is a refusal to start."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel import assembly
from sentinel.core.detector import Detector
from sentinel.core.errors import RefusedToStartError
from sentinel.core.plugins import discover, enabled

A_DETECTOR = """
import numpy as np
from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Scope, Words

DETECTOR = Detector(
    name="{name}", title_fr="essai", title_en="test", scope=Scope.ACTOR, card=Card("what", "why", "none"),
    match=lambda f: f["vip"] > 0, p_value=lambda f: np.full(len(f.action), 0.1), say=lambda f, i: Words(1, Usual(), "vu", "seen"),
)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty package `wards`, that can be imported until the test ends."""
    (tmp_path / "wards").mkdir()
    (tmp_path / "wards" / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("wards", "elsewhere", "elsewhere_too")]:
        del sys.modules[name]


def write(folder: Path, module: str, text: str) -> None:
    """Write a module of the package."""
    (folder / "wards" / f"{module}.py").write_text(text, encoding="utf-8")


def install(folder: Path, module: str, name: str, text: str) -> None:
    """Install a distribution that offers `name` in the entry-point group of the package."""
    (folder / f"{module}.py").write_text(text, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[sentinel.wards]\n{name} = {module}:DETECTOR\n", encoding="utf-8")


def found() -> dict[str, Detector]:
    """Return what is discovered in the package."""
    return discover("wards", "DETECTOR", Detector)


def test_a_file_named_as_its_plug_in_is_found(folder: Path) -> None:
    """Modules that export none are passed over; nothing is enabled by being found."""
    write(folder, "night_round", A_DETECTOR.format(name="night_round"))
    write(folder, "helpers", "SHARED = 1")
    assert [*found()] == ["night_round"]
    assert enabled(found(), []) == []


def test_an_installed_plug_in_is_found(folder: Path) -> None:
    """Hospitals add theirs through the entry-point group, without touching our files."""
    write(folder, "night_round", A_DETECTOR.format(name="night_round"))
    install(folder, "elsewhere", "their_own", A_DETECTOR.format(name="their_own"))
    assert sorted(found()) == ["night_round", "their_own"]


def test_plug_ins_run_in_the_order_of_their_names(folder: Path) -> None:
    """Whatever the order in which they are asked for, and once each."""
    for name in ("b", "a", "c"):
        write(folder, name, A_DETECTOR.format(name=name))
    assert [plugin.name for plugin in enabled(found(), ["c", "a", "c"])] == ["a", "c"]


def test_a_missing_plug_in_is_refused(folder: Path) -> None:
    """The message names it, and those that are there."""
    write(folder, "night_round", A_DETECTOR.format(name="night_round"))
    with pytest.raises(RefusedToStartError, match=r"day_round.*night_round"):
        enabled(found(), ["night_round", "day_round"])


def test_a_misnamed_plug_in_is_refused(folder: Path) -> None:
    """A file is found by its name, so the name it gives itself is the file's."""
    write(folder, "night_round", A_DETECTOR.format(name="nightround"))
    with pytest.raises(RefusedToStartError, match=r"night_round.*nightround"):
        found()


def test_a_misnamed_entry_point_is_refused(folder: Path) -> None:
    """The same for those of others."""
    install(folder, "elsewhere", "their_own", A_DETECTOR.format(name="another"))
    with pytest.raises(RefusedToStartError, match="their_own"):
        found()


def test_a_plug_in_that_is_there_twice_is_refused(folder: Path) -> None:
    """Nobody could tell which of the two ran."""
    write(folder, "night_round", A_DETECTOR.format(name="night_round"))
    install(folder, "elsewhere", "night_round", A_DETECTOR.format(name="night_round"))
    with pytest.raises(RefusedToStartError, match=r"night_round: there twice"):
        found()


def test_two_distributions_that_offer_the_same_name_are_refused(folder: Path) -> None:
    """Neither wins by the order of installation."""
    install(folder, "elsewhere", "their_own", A_DETECTOR.format(name="their_own"))
    install(folder, "elsewhere_too", "their_own", A_DETECTOR.format(name="their_own"))
    with pytest.raises(RefusedToStartError, match="there twice"):
        found()


@pytest.mark.parametrize("text", ["DETECTOR = 1", "DETECTOR = 'night_round'", "class DETECTOR: name = 'night_round'"])
def test_a_plug_in_of_another_kind_is_refused(folder: Path, text: str) -> None:
    """What is exported under the agreed name is what the name says."""
    write(folder, "night_round", text)
    with pytest.raises(RefusedToStartError, match=r"night_round: exports no DETECTOR of type Detector"):
        found()


@pytest.mark.parametrize("text", ["import a_module_that_is_not_installed", "def broken(:", "DETECTOR = 1 / 0"])
def test_a_plug_in_that_cannot_be_imported_is_refused(folder: Path, text: str) -> None:
    """One line for the operator, as for any other plug-in that cannot be worked with."""
    write(folder, "night_round", text)
    with pytest.raises(RefusedToStartError, match="night_round"):
        found()


def test_our_own_are_all_in_order() -> None:
    """Every detector and source of this repository is discovered without complaint, and an unknown one is refused."""
    assert len(assembly.detectors()) >= 30
    assert {"fhir_auditevent", "sentinel_json"} <= assembly.sources().keys()
    with pytest.raises(RefusedToStartError, match="no such plug-in: astrology"):
        assembly.detectors(["astrology"])
    with pytest.raises(RefusedToStartError, match="no such format: papyrus"):
        assembly.source("papyrus")
