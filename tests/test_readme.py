"""What README and the pages around it tell to type exists, and no page is hidden."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from sentinel.cli import app
from sentinel.core.explain import EXPLANATIONS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
DOCS = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
OTHERS = ("CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{name}" for name in DOCS if "/" in name))


def linked(text: str) -> set[str]:
    """Return the relative links of a page, without their anchors."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return {target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)}


def test_the_commands_exist() -> None:
    """Each `make` target and each `sentinel` command that README and CONTRIBUTING name."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", README + CONTRIBUTING, re.MULTILINE)) <= targets
    assert set(re.findall(r"(?:bin/|`)sentinel ([a-z]+)", README + CONTRIBUTING)) <= set(group.commands)


def command_paths(command: object, path: str = "sentinel") -> list[str]:
    """Return every command that does something, as it is typed."""
    if isinstance(command, TyperGroup):
        return [found for word, inner in command.commands.items() for found in command_paths(inner, f"{path} {word}")]
    return [path]


def test_every_command_is_told_of() -> None:
    """In README.md or a page of docs/."""
    text = "\n".join((README, *((ROOT / "docs" / name).read_text("utf-8") for name in DOCS)))
    found = command_paths(typer.main.get_command(app))
    assert len(found) > 10
    assert [path for path in found if not re.search(rf"{path}\b", text)] == []


def test_the_first_commands_come_first() -> None:
    """Whoever opens README sees how to try it and how to test it before anything is explained."""
    assert re.findall(r"^make (\w+)", README, re.MULTILINE)[:2] == ["demo", "test"]
    assert README.index("make demo") < README.index("## ")


def test_no_page_is_hidden() -> None:
    """The index links every page of docs/, decisions included."""
    assert set(DOCS) - {"index.md"} <= linked((ROOT / "docs/index.md").read_text("utf-8"))


@pytest.mark.parametrize("page", OTHERS)
def test_links_lead_somewhere(page: str) -> None:
    """README and the pages right under docs/ are held to it in test_docs.py; here are the others."""
    file = ROOT / page
    assert [target for target in linked(file.read_text("utf-8")) if not (file.parent / target).exists()] == []


def test_explanations_are_all_told() -> None:
    """The table of ordinary reasons has those of the code, each with its days."""
    table = (ROOT / "docs/alerts.md").read_text("utf-8")
    for e in EXPLANATIONS:
        days = f"{e.before_days}, {e.after_days}" if e.name not in ("patient-request", "interface") else ""
        assert re.search(rf"^\| `{e.name}` \| .* \| {days} ?\|$", table, re.MULTILINE), e.name


@pytest.mark.parametrize("told", ["../x", "1.5", "-5"])
def test_evaluate_refuses_what_is_no_seed(told: str) -> None:
    """Before it simulates anything."""
    command = [sys.executable, "-m", "deploy.evaluate", told]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "a seed is a whole number\n" in done.stderr
