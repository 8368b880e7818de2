"""`make evaluate`: several simulated hospitals that tuning never saw, replayed within a budget; writes docs/evaluation.md."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console

from deploy import baselines
from deploy.evaluation_page import page
from models.evaluate import Evaluation, evaluate, evaluate_folder, read_labels
from models.hospital import Hospital, HospitalSettings, write

ROOT: Final = Path(__file__).parent.parent
STAFF_PER_ALERT: Final = 100.0  # of people at work: one alert a day for so many
TUNING_SEEDS: Final = (1, 7, 11, 12, 13, 14, 15, 16, 17)


@dataclass(frozen=True, slots=True)
class Shape:
    """One hospital to be tried: `without`: FHIR resources kept from the context; `bare`: replayed without any context as well."""

    name: str
    says: str
    settings: HospitalSettings
    without: tuple[str, ...] = ()
    bare: bool = False

    @property
    def per_day(self) -> float:
        """The budget, alerts a day."""
        return self.settings.staff / STAFF_PER_ALERT


SHAPES: Final = (
    Shape("clinic", "a small clinic", HospitalSettings(seed=31, staff=120, misuse_per_kind=1)),
    Shape("hospital-a", "a hospital with the simulator's usual habits", HospitalSettings(seed=21), bare=True),
    Shape("hospital-b", "the same, other people", HospitalSettings(seed=32), bare=True),
    Shape(
        "loose",
        "twice as many visits without a link, twice as many undeclared replacements, twelve-hour shifts, another time zone",
        HospitalSettings(
            seed=33,
            staff=250,
            misuse_per_kind=2,
            share_unlinked=0.04,
            float_unrecorded_share=0.3,
            long_days=True,
            timezone="America/Montreal",
        ),
    ),
    Shape(
        "teaching",
        "three times as many interns, more overtime and more emergency overrides",
        HospitalSettings(
            seed=34,
            staff=250,
            misuse_per_kind=2,
            interns_scale=3.0,
            overtime_share=0.15,
            break_glass_share=0.1,
            remote_share=0.12,
        ),
    ),
    Shape(
        "sparse",
        "no orders, appointments, care teams or devices on file",
        HospitalSettings(seed=35, staff=250, misuse_per_kind=2),
        without=("ServiceRequest", "Appointment", "CareTeam", "Device"),
    ),
    Shape("large", "a large hospital", HospitalSettings(seed=36, staff=1000, days=28, misuse_per_kind=4)),
)


@dataclass(slots=True)
class Trial:
    """What came of one hospital: with its context, and without where that was tried.

    `explained`: share of patient accesses; `ordinary`: of those explained or judged ordinary.
    `others`: what other ways find on the same events within the same budget, by their names.
    """

    shape: Shape
    found: Evaluation
    explained: float
    ordinary: float
    bare: Evaluation | None = None
    others: dict[str, Evaluation] = field(default_factory=dict)


@dataclass(slots=True)
class Trials:
    """One run over hospitals, one after the other, in a folder of its own; what is large is dropped on the way."""

    folder: Path
    console: Console
    done: list[Trial] = field(default_factory=list)

    def run(self, shapes: Iterable[Shape]) -> list[Trial]:
        """Simulate and replay each hospital."""
        for shape in shapes:
            self.console.print(f"… {shape.name}: {shape.settings.staff} staff, {shape.says}", highlight=False)
            trial = self._tried(shape)
            self.done.append(trial)
            self.console.print(f"  {trial.found.cases.hits} of {trial.found.cases.total} cases", highlight=False)
        return self.done

    def _tried(self, shape: Shape) -> Trial:
        here = self.folder / shape.name
        shutil.rmtree(here, ignore_errors=True)  # what another version of the simulator wrote must not stay among the context
        write(Hospital(shape.settings), here)
        for kind in shape.without:
            (here / "context" / f"{kind}.ndjson").unlink(missing_ok=True)
        found, explained, ordinary = self._replayed(shape, here, ["--context", str(here / "context")])
        bare = self._replayed(shape, here, [])[0] if shape.bare else None
        others = compared(shape, here, found)
        for large in (here / "context", here / "events.ndjson"):
            shutil.rmtree(large) if large.is_dir() else large.unlink()
        return Trial(shape, found, explained, ordinary, bare, others)

    @staticmethod
    def _replayed(shape: Shape, here: Path, context: Sequence[str]) -> tuple[Evaluation, float, float]:
        out = here / ("with" if context else "bare")
        command = [str(Path(sys.executable).with_name("sentinel")), "replay", *context, "--format", "fhir_auditevent"]
        command += ["--events", str(here / "events.ndjson"), "--out", str(out), "--budget", f"{shape.per_day:g}", "--json"]
        environment = {**os.environ, "SENTINEL_TIMEZONE": shape.settings.timezone}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((out / "summary.json").read_text("utf-8"))
        return evaluate_folder(out, here / "labels.tsv"), float(summary["explained"]), float(summary["ordinary"])


def compared(shape: Shape, here: Path, found: Evaluation) -> dict[str, Evaluation]:
    """Return what the other ways find, told as many alerts as the budget allows over the period of `found`."""
    log, labels = (
        baselines.read(here / "events.ndjson", ZoneInfo(shape.settings.timezone)),
        list(read_labels(here / "labels.tsv")),
    )
    days = found.days or float(shape.settings.days)
    return {
        name: evaluate(baselines.alerts(log, way(log), round(shape.per_day * days)), labels, days)
        for name, (_, way) in baselines.WAYS.items()
    }


def chosen(seed: int | None, shapes: Sequence[str]) -> list[Shape]:
    """Return the hospitals of these names (none: all); with another seed, hospitals of the same shapes."""
    known = {shape.name for shape in SHAPES}
    if unknown := set(shapes) - known:
        raise SystemExit(f"no such hospital: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    found = [shape for shape in SHAPES if not shapes or shape.name in shapes]
    if seed is None:
        return found
    return [replace(shape, settings=replace(shape.settings, seed=seed + n)) for n, shape in enumerate(found)]


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a seed is a whole number")
    return int(text)


def main() -> int:
    """Try the hospitals, print what came of it, and write the page when all of them were tried with their own seeds."""
    parser = argparse.ArgumentParser(prog="make evaluate", description=__doc__)
    parser.add_argument("seed", nargs="?", type=_seed, help="other seeds than those reported, this one and those after it")
    parser.add_argument("--only", nargs="*", default=[], help="some of the hospitals")
    parser.add_argument("--folder", type=Path, default=ROOT / "var/evaluate")
    asked = parser.parse_args()
    console = Console(width=118)
    trials = Trials(asked.folder, console).run(chosen(asked.seed, asked.only))
    text = page(trials, TUNING_SEEDS)
    if asked.seed is None and not asked.only:
        (ROOT / "docs/evaluation.md").write_text(text, encoding="utf-8")
    console.print(text, highlight=False, markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
