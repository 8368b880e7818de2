"""`sentinel sigma` and what is written of it: what comes along holds its tests, and the page's own rule runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.sigma.refusals import Reason
from sentinel import assembly
from sentinel.cli import app
from sentinel.settings import Settings
from tests.builders import a_batch, an_event, on

PAGE = (Path(__file__).parents[2] / "docs" / "sigma.md").read_text(encoding="utf-8")
RUN = CliRunner()


def _told(*arguments: str) -> tuple[int, dict[str, object]]:
    done = RUN.invoke(app, ["sigma", *arguments, "--json"])
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The rule that the page writes out, in a folder."""
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    (tmp_path / "export_at_night.yml").write_text(found[1], encoding="utf-8")
    return tmp_path


def test_what_comes_along_runs_and_holds_its_tests() -> None:
    """Every shipped rule runs, each that can find something has tests of what it finds and of what it does not."""
    assert _told("check")[0] == 0
    code, told = _told("test")
    assert (code, told["differences"]) == (0, [])
    files = assembly.sigma_rules([assembly.SHIPPED_RULES]).tests.values()
    assert all({test["found"] > 0 for test in tests} == {True, False} for tests in files)


def test_the_rule_of_the_page_runs(example: Path) -> None:
    """It loads, holds its own tests, and finds an export at night through the pipeline that settings make."""
    assert _told("test", str(example))[0] == 0
    pipeline = assembly.pipeline(Settings(sigma=(str(example),), detectors=(), model=False, budget=0))
    done = pipeline.process(
        a_batch([an_event("export", on(0, 23), patient_id="p1"), an_event("export", on(1, 12), patient_id="p1")])
    )
    assert done.assessment.detectors == {0: ("sigma:export_at_night",)}


def test_a_test_that_does_not_hold_fails(example: Path) -> None:
    """A wrong test, one that cannot be run, and a rule without any are told; the exit code is 1."""
    file = example / "export_at_night.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("found: 0", "found: 2").replace("action: export, patient_id", "acton: export, patient_id", 1),
        encoding="utf-8",
    )
    code, told = _told("test", str(example))
    assert code == 1
    assert len(told["differences"]) == 2  # type: ignore[arg-type]
    file.write_text(text.partition("sentinel:\n")[0], encoding="utf-8")
    assert "has no test" in str(_told("test", str(example))[1]["differences"])


def test_check_counts_by_reason(tmp_path: Path) -> None:
    """What cannot run is told with its file and reason, counted, and the exit code is 1."""
    (tmp_path / "bad.yml").write_text(
        "title: x\nlogsource: {product: cisco}\ndetection: {s: {a: b}, condition: s}\n", encoding="utf-8"
    )
    code, told = _told("check", str(tmp_path))
    assert (code, told["read"], told["refused"], told["reasons"]) == (1, 1, 1, {"no-format": 1})


def test_a_place_that_is_not_there_is_a_refusal_to_start(tmp_path: Path) -> None:
    """A mistyped folder is no empty folder."""
    with pytest.raises(Exception, match="not there"):
        assembly.pipeline(Settings(sigma=(str(tmp_path / "none"),)))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_described(reason: Reason) -> None:
    """The page says what each reason means."""
    assert f"| `{reason}` |" in PAGE
