"""The docs say what the code says, and leave nothing out that can be run, set or switched off."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from deploy import reference
from sentinel import assembly
from sentinel.cli import app
from sentinel.core.facts.declare import FACTS
from sentinel.settings import Settings

ROOT = Path(reference.__file__).parents[1]
PAGES = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
EVERYTHING = "\n".join(PAGES.values())


def commands(command: Any, path: str = "sentinel") -> list[str]:
    """Return every command that does something, as it is typed."""
    if isinstance(command, TyperGroup):
        return [name for word, inner in command.commands.items() for name in commands(inner, f"{path} {word}")]
    return [path]


@pytest.mark.parametrize("name", reference.PAGES)
def test_reference_pages_are_made_from_the_code(name: str) -> None:
    """`make docs` would change nothing."""
    assert PAGES[name] == reference.PAGES[name]()


def test_the_check_tells_a_stale_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the page, changes nothing and fails; without --check the page is written, and then it passes."""
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    assert reference.main() == 1
    assert "docs/facts.md" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(sys, "argv", ["reference"])
    assert reference.main() == 0
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    assert reference.main() == 0


def test_the_check_runs_as_a_command() -> None:
    """As `make docs` runs it, from the top of the repository."""
    done = subprocess.run([sys.executable, "-m", "deploy.reference", "--check"], cwd=ROOT, check=False, timeout=120)
    assert done.returncode == 0


@pytest.mark.parametrize("detector", assembly.detectors(), ids=lambda detector: detector.name)
def test_every_detector_is_described(detector: object) -> None:
    """A section of its name, with its titles in both languages, and each of its parameters."""
    name = detector.name  # type: ignore[attr-defined]
    section = PAGES["detectors.md"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert f"*{detector.title_en} · {detector.title_fr}*" in section  # type: ignore[attr-defined]
    source = (ROOT / "models" / "detectors" / f"{name}.py").read_text(encoding="utf-8")
    for parameter in re.findall(r"^([A-Z_]+): Final = ", source, re.MULTILINE):
        assert parameter == "DETECTOR" or f"`{parameter}`" in section


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_every_fact_is_described(fact: object) -> None:
    """Its name in the table, and what its absence means."""
    assert f"| `{fact.name}` | {fact.unit} | {fact.meaning} | {fact.missing} |" in PAGES["facts.md"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name: str) -> None:
    """The environment variable, with a sentence on what it is for."""
    assert re.search(rf"\| `SENTINEL_{name.upper()}` \|.*\| \S.*\S \|\n", PAGES["settings.md"])
    assert Settings.model_fields[name].description


def test_no_secret_has_a_default() -> None:
    """Nothing that guards a door is the same in two hospitals."""
    assert all(f.default is None for f in Settings.model_fields.values() if "SecretStr" in str(f.annotation))


@pytest.mark.parametrize("command", commands(typer.main.get_command(app)))
def test_every_command_is_mentioned(command: str) -> None:
    """Whoever looks for a command finds it in README.md or docs/."""
    assert re.search(rf"{command}\b", EVERYTHING)


@pytest.mark.parametrize("source", sorted(assembly.sources()))
def test_every_source_is_mentioned(source: str) -> None:
    """By the name that `--format` takes."""
    assert f"`{source}`" in EVERYTHING


@pytest.mark.parametrize("page", sorted(PAGES))
def test_links_between_pages_lead_somewhere(page: str) -> None:
    """To a file that is there, and to a heading that is in it."""
    folder = ROOT if page == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```|`[^`\n]*`", "", PAGES[page], flags=re.DOTALL)):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = folder / path if path else folder / page
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target
