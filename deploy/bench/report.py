"""What was measured, as a table for people and as JSON for machines."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from deploy.bench.inputs import FHIR, OWN

READ_OWN, READ_FHIR = "read and decode", "read and decode FHIR"
WIDTH: Final = 118  # characters of the table
MIB: Final = 1 << 20
ASSESSMENT_GOALS: Final = {
    "events_per_cpu_second": ("events a CPU-second", "≥ 150,000"),
    "actor_bytes": ("bytes of state a further person at work, with positions and stories", "≤ 4,000"),
    "patient_bytes": ("bytes of state a further patient met", "≤ 200"),
    "patient_on_file_bytes": ("bytes of context a further patient with stays and links on file", ""),
    "pair_bytes": ("bytes of state a pair of person and patient who met within 100 days", ""),
}
NOTE: Final = "¹ events beyond the start's, a CPU-second beyond the start's: without imports, compiled code, context and schema"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured process: events, CPU-seconds of all its threads from start to exit, peak resident bytes, seconds."""

    events: int
    cpu_seconds: float
    peak_rss_bytes: int
    seconds: float

    @property
    def per_cpu_second(self) -> int:
        """Events a CPU-second."""
        return round(self.events / max(self.cpu_seconds, 1e-3))

    def steady(self, start: Row) -> int | None:
        """Return events a CPU-second beyond a run that did little more than start; None: too short to tell."""
        beyond = self.cpu_seconds - start.cpu_seconds
        return round((self.events - start.events) / beyond) if beyond >= 1.0 else None


@dataclass(slots=True)
class Report:
    """Everything of one run, rows by name.

    `steady`: throughput of replays beyond their start. `yardsticks`: which rows the replay of that name is held against,
    by what they are called. `skipped`: why a part is missing.
    """

    input: dict[str, int] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    steady: dict[str, int | None] = field(default_factory=dict)
    yardsticks: dict[str, dict[str, str]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    assessment: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def ratios(self) -> dict[str, dict[str, float]]:
        """Return each replay's throughput as a share of its yardsticks', of those that were measured."""
        return {
            name: {
                called: round(self.rows[name].per_cpu_second / self.rows[row].per_cpu_second, 4)
                for called, row in marks.items()
                if row in self.rows
            }
            for name, marks in self.yardsticks.items()
        }

    def sums(self) -> dict[str, float]:
        """Return the µs of all stages that an event of each format passes: what `steady` ought to come near."""
        read = {OWN: READ_OWN, FHIR: READ_FHIR} if self.stages else {}
        shared = sum(value for stage, value in self.stages.items() if stage not in read.values())
        return {f"together, {name}": round(shared + self.stages[stage], 2) for name, stage in read.items()}

    def to_json(self) -> str:
        """Return the whole as JSON."""
        told = {"machine": machine(), **asdict(self), "ratios": self.ratios(), "sums": self.sums()}
        told["rows"] = {name: {**asdict(row), "events_per_cpu_second": row.per_cpu_second} for name, row in self.rows.items()}
        return json.dumps(told, indent=1, ensure_ascii=False) + "\n"

    def write(self, path: Path) -> None:
        """Write the JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json(), encoding="utf-8")


def machine() -> dict[str, Any]:
    """Return what the figures depend on. `load`: processes that ran or waited to, on average over five minutes."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[1], 1)}


def show(report: Report, console: Console) -> None:
    """Print the tables, and what is missing from them."""
    console.print(_rows(report))
    if report.stages:
        console.print(_stages(report))
    if report.assessment:
        console.print(_assessment(report.assessment))
    if report.memory:
        console.print(_memory(report.memory), highlight=False)
    for name, reason in report.skipped.items():
        console.print(f"not measured: {name}: {reason}", highlight=False)


def _rows(report: Report) -> Table:
    table = Table("", title="events a CPU-second, of the whole process", caption=NOTE)
    ratios = report.ratios()
    called = list(dict.fromkeys(name for marks in ratios.values() for name in marks))
    for column in ("events", "CPU s", "events/CPU s", "steady¹", *(f"÷ {name}" for name in called), "peak MiB"):
        table.add_column(column, justify="right")
    for name, row in report.rows.items():
        steady = report.steady.get(name)
        shares = [f"{ratio:.3f}" if (ratio := ratios.get(name, {}).get(one)) is not None else "" for one in called]
        figures = (f"{row.events:,}", f"{row.cpu_seconds:.2f}", f"{row.per_cpu_second:,}", f"{steady:,}" if steady else "")
        table.add_row(name, *figures, *shares, f"{row.peak_rss_bytes / MIB:,.0f}")
    return table


def _stages(report: Report) -> Table:
    table = Table("stage", title="µs of CPU an event, stage by stage")
    table.add_column("µs", justify="right")
    for stage, microseconds in {**report.stages, **report.sums()}.items():
        table.add_row(stage, f"{microseconds:.2f}", end_section=stage == list(report.stages)[-1])
    return table


def _assessment(measured: dict[str, int]) -> Table:
    table = Table("", title="the assessment alone: from normalised batches to findings and alerts")
    table.add_column("measured", justify="right")
    table.add_column("goal", justify="right")
    for name, (called, goal) in ASSESSMENT_GOALS.items():
        table.add_row(called, f"{measured[name]:,}", goal)
    return table


def _memory(memory: dict[str, float]) -> str:
    few, many = memory["few_peak_rss_bytes"] / MIB, memory["many_peak_rss_bytes"] / MIB
    times, ratio = memory["times"], memory["ratio"]
    return f"memory: {few:,.0f} MiB, and {many:,.0f} MiB for {times} times the events: ratio {ratio} (wanted: at most 1.2)"
