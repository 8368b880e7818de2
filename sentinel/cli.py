"""The command line. Exit code 0: done; 1: it failed; 2: it was asked for something that cannot be done."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from sentinel.core.errors import RefusedToStartError, SentinelError
from sentinel.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print for machines.")]


def main() -> None:
    """Run the command line; errors made on purpose become one line and an exit code."""
    try:
        app()
    except RefusedToStartError as error:
        console.print(f"[red]refused:[/] {error}", highlight=False)
        sys.exit(2)
    except SentinelError as error:
        console.print(f"[red]failed:[/] {error}", highlight=False)
        sys.exit(1)


def _print(value: dict[str, object], as_json: bool) -> None:
    if as_json:
        print(json.dumps(value, ensure_ascii=False))  # noqa: T201
        return
    table = Table(show_header=False, box=None)
    for name, item in value.items():
        table.add_row(name, str(item))
    Console().print(table)


@app.command()
def replay(
    events: Annotated[list[str], typer.Option(help="Files of events: NDJSON, plain, .gz or .zst; - is standard input.")],
    out: Annotated[Path, typer.Option(help="Folder for alerts.ndjson, rejected.ndjson and summary.json.")],
    format: Annotated[str, typer.Option(help="The events' format, as `sentinel sources` names it.")],  # noqa: A002
    more: Annotated[list[str] | None, typer.Argument(help="More files of events.", metavar="FILE...")] = None,
    context: Annotated[Path | None, typer.Option(help="Folder of FHIR resources or CSV files of the same names.")] = None,
    budget: Annotated[float, typer.Option(min=0, help="Alerts a day on average over any week; 0: all.")] = 0,
    store: Annotated[str | None, typer.Option(help="Keep the events as well: chdb:///folder or clickhouse://…")] = None,
    as_json: AsJson = False,
) -> None:
    """Assess files of events offline, as fast as it can."""
    from sentinel import assembly  # noqa: PLC0415
    from streams.files import size  # noqa: PLC0415

    files = [*events, *(more or [])]
    settings = Settings.read(budget=budget, store=store)
    total = sum(size(file) for file in files if Path(file).is_file()) or None
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=total)
        summary = assembly.replay(settings, format, files, context, out, lambda _, octets: progress.advance(task, octets))
    _print(asdict(summary), as_json)


@app.command()
def serve(
    data: Annotated[Path | None, typer.Option(help="Folder of the intake log, checkpoints and the embedded store.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0: any free one.")] = None,
) -> None:
    """Run the service: intake, detection, API and console."""
    from sentinel import assembly  # noqa: PLC0415

    settings = Settings.read(data=data, host=host, port=port)
    assembly.serve(settings, lambda address: console.print(f"Sentinel is ready at {address}"))


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="Folder of the demonstration; a second start goes on from it.")] = Path("var/demo"),
    port: Annotated[int, typer.Option(help="TCP port; 0: any free one.")] = 8000,
    seed: Annotated[int, typer.Option(help="Which hospital.")] = 7,
    fast: Annotated[bool, typer.Option("--fast", help="A month in a few minutes, as fast as it goes.")] = False,
) -> None:
    """Watch a simulated hospital: its AuditEvents stream over HTTP into the running service."""
    from multiprocessing import get_context  # noqa: PLC0415

    from sentinel import assembly  # noqa: PLC0415
    from sentinel.demo import BUDGET, feed  # noqa: PLC0415

    settings = Settings.read(data=data, port=port, budget=BUDGET)
    key = settings.intake_key.get_secret_value() if settings.intake_key else None
    today = datetime.now(tz=ZoneInfo(settings.timezone)).date()

    def start(address: str) -> None:
        console.print(f"Sentinel is ready: open [bold]{address}[/] (Ctrl-C stops; a second start goes on)")
        feeder = get_context("spawn").Process(
            target=feed, args=(address, data / "demo.json", today, seed, fast, key), daemon=True
        )
        feeder.start()

    assembly.serve(settings, start)


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder for context/, events.ndjson and labels.tsv.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    staff: Annotated[int, typer.Option(min=20, help="People at work.")] = 400,
    days: Annotated[int, typer.Option(min=3, help="Days simulated.")] = 42,
    as_json: AsJson = False,
) -> None:
    """Write a simulated hospital: FHIR context, AuditEvents, and labels of the misuse in them."""
    from models.hospital import Hospital, HospitalSettings, write  # noqa: PLC0415

    hospital = Hospital(HospitalSettings(seed=seed, staff=staff, days=days))
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
    ) as progress:
        task = progress.add_task("events", total=None)
        summary = write(hospital, out, lambda events: progress.advance(task, events))
    _print(asdict(summary), as_json)


@app.command()
def sources(as_json: AsJson = False) -> None:
    """List the formats that can be read."""
    from sentinel import assembly  # noqa: PLC0415

    _print({name: source.title for name, source in sorted(assembly.sources().items())}, as_json)
