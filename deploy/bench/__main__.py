"""Runs all measurements, one process each, one after the other, and tells them as one table."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from deploy.bench import inputs
from deploy.bench.inputs import FHIR, OWN, Input, Wanted
from deploy.bench.process import ROOT, Ran, module, run, sentinel
from deploy.bench.report import WIDTH, Report, Row, show
from deploy.kafka.broker import Broker, BrokerError

BUDGET: Final = "4"
STAGE_ROWS_MAX: Final = 100_000
KAFKA: Final = f"yardstick: Kafka, {OWN}"
PARTS: Final = ("compile", "kafka", "memory", "stages", "assessment")


@dataclass(slots=True)
class Bench:
    """One run in `folder`: inputs are kept there from run to run, everything else is dropped."""

    folder: Path
    events: int
    without: frozenset[str]
    console: Console
    report: Report = field(default_factory=Report)
    environment: dict[str, str] = field(default_factory=dict)

    def run(self) -> Report:
        """Measure everything asked for."""
        given = self._input(inputs.wanted(self.events))
        self.report.input = {name: value for name, value in asdict(given).items() if name != "folder"}
        # a service that runs has its bytecode, even where Python is told not to write any
        self.environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(self.folder / "compiled" / "python")}
        self._do("compile", given)
        self._warm_up(given)
        self._replays(given)
        self._parse(given)
        for part in ("kafka", "memory", "stages", "assessment"):
            self._do(part, given)
        return self.report

    def _do(self, part: str, given: Input) -> None:
        if part in self.without:
            self.report.skipped[part] = "not asked for"
        else:
            parts = {"compile": self._compile, "kafka": self._kafka, "memory": self._memory}
            {**parts, "stages": self._stages, "assessment": self._assessment}[part](given)

    def _input(self, want: Wanted) -> Input:
        """Return the input, made in a process of its own so that this one stays small."""
        found = inputs.cached(self.folder, want)
        if found is None:
            self._say(f"simulating the hospital ({want.name})")
            run(module("inputs", str(self.folder), json.dumps(asdict(want))))
            found = inputs.cached(self.folder, want)
        assert found is not None
        return found

    def _say(self, doing: str) -> None:
        self.console.print(f"… {doing}", highlight=False)

    def _replay(self, name: str, given: Input, format_name: str, part: str = "all", *, store: bool = True) -> Row:
        """Measure a replay and put it into the report."""
        row = self.report.rows[name] = self._measured(name, given, format_name, part, store=store)
        return row

    def _measured(self, name: str, given: Input, format_name: str, part: str = "all", *, store: bool = True) -> Row:
        self._say(name)
        scratch = self._scratch()
        command = ["replay", "--context", str(given.context), "--format", format_name, "--budget", BUDGET, "--json"]
        command += ["--events", str(given.file(format_name, part)), "--out", str(scratch / "out")]
        ran = run(sentinel(*command, *(["--store", f"chdb://{scratch / 'store'}"] if store else [])), self.environment)
        return _row(ran, json.loads(ran.output)["events"])

    def _scratch(self) -> Path:
        """Return an empty folder."""
        scratch = self.folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        return scratch

    def _compile(self, given: Input) -> None:
        """Start with no compiled code and no bytecode at hand; what follows finds what this compiled."""
        shutil.rmtree(self.folder / "compiled", ignore_errors=True)
        self.environment["NUMBA_CACHE_DIR"] = str(self.folder / "compiled" / "numba")
        self._replay("start, compiling", given, OWN, "head")

    def _warm_up(self, given: Input) -> None:
        """Let no measured process compile what an earlier one of the same code would have compiled."""
        self._measured("warming up", given, OWN, store=False)

    def _replays(self, given: Input) -> None:
        """Replay both formats; the start is the middle of three, before, between and after, as others use the machine too."""
        starts = [self._replay("start", given, OWN, "head")]
        for format_name in (OWN, FHIR):
            name = f"replay {format_name}, store"
            self._replay(name, given, format_name)
            self.report.yardsticks[name] = {"orjson": _orjson(format_name), "Kafka": KAFKA}
            starts.append(self._measured("start", given, OWN, "head"))
        start = self.report.rows["start"] = sorted(starts, key=lambda row: row.cpu_seconds)[1]
        self.report.steady = {name: self.report.rows[name].steady(start) for name in self.report.yardsticks}
        self._replay(f"replay {OWN}, no store", given, OWN, store=False)

    def _parse(self, given: Input) -> None:
        for format_name in (OWN, FHIR):
            name = _orjson(format_name)
            self._say(name)
            ran = run(module("yardsticks", "parse", str(given.file(format_name))), self.environment)
            self.report.rows[name] = _row(ran, given.events)

    def _kafka(self, given: Input) -> None:
        name = KAFKA
        self._say(name)
        try:
            with Broker(self._scratch() / "kafka") as broker:
                sent = run(module("yardsticks", "produce", broker.address, str(given.file(OWN)))).output.strip()
                ran = run(module("yardsticks", "consume", broker.address, sent), self.environment)
                self.report.rows[name] = _row(ran, int(ran.output))
        except BrokerError as error:
            self.report.skipped["kafka"] = str(error)

    def _memory(self, _given: Input) -> None:
        given = self._input(inputs.wanted_for_memory(self.events))
        few = self._replay("memory: a tenth", given, OWN, "tenth")
        many = self._replay("memory: all", given, OWN)
        self.report.memory = {
            "times": round(many.events / few.events, 1),
            "few_peak_rss_bytes": few.peak_rss_bytes,
            "many_peak_rss_bytes": many.peak_rss_bytes,
            "ratio": round(many.peak_rss_bytes / few.peak_rss_bytes, 3),
        }

    def _stages(self, given: Input) -> None:
        self._say("stages")
        files = (given.file(OWN), given.file(FHIR), given.context, self._scratch() / "store")
        ran = run(module("stages", *map(str, files), str(min(given.events, STAGE_ROWS_MAX))), self.environment)
        self.report.stages = json.loads(ran.output)

    def _assessment(self, given: Input) -> None:
        self._say("assessment")
        ran = run(module("assessment", str(given.file(OWN)), str(given.context), str(min(given.events, STAGE_ROWS_MAX))))
        self.report.assessment = json.loads(ran.output)


def _orjson(format_name: str) -> str:
    return f"yardstick: orjson, {format_name}"


def _row(ran: Ran, events: int) -> Row:
    return Row(events, round(ran.cpu_seconds, 3), ran.peak_rss_bytes, round(ran.seconds, 3))


def main(arguments: Sequence[str] | None = None) -> Report:
    """Measure as the command line says, print the table and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bench", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000, help="events of the simulated hospital, from 1,000")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench", help="inputs, and latest.json")
    parser.add_argument("--without", action="append", default=[], choices=PARTS, help="leave a part out")
    given = parser.parse_args(arguments)
    if given.events < inputs.HEAD_EVENTS:
        parser.error(f"--events from {inputs.HEAD_EVENTS}")
    console = Console(width=WIDTH)
    report = Bench(given.folder.absolute(), given.events, frozenset(given.without), console).run()
    report.write(given.folder / "latest.json")
    show(report, console)
    return report


if __name__ == "__main__":
    main()
