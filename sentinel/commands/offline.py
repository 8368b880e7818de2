"""Commands on files: replay, backfill, simulate, evaluate."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sentinel.commands.terminal import AsJson, items, octets, put, show, show_rows, tell, time_of
from sentinel.core.errors import SentinelError


def replay(
    events: Annotated[list[str], typer.Option(help="Files of events: NDJSON, plain, .gz or .zst; - is standard input.")],
    out: Annotated[Path, typer.Option(help="Folder for alerts.ndjson, rejected.ndjson and summary.json.")],
    format: Annotated[str, typer.Option(help="The events' format, as `sentinel sources` names it.")],
    more: Annotated[list[str] | None, typer.Argument(help="More files of events.", metavar="FILE...")] = None,
    context: Annotated[Path | None, typer.Option(help="Folder of FHIR resources or CSV files of the same names.")] = None,
    budget: Annotated[float, typer.Option(min=0, help="Alerts a day on average over any week; 0: all.")] = 0,
    store: Annotated[str | None, typer.Option(help="Keep the events as well: chdb:///folder or clickhouse://…")] = None,
    rules: Annotated[str | None, typer.Option(help="File of suppressions, watch-lists and maintenance windows.")] = None,
    configuration: Annotated[str | None, typer.Option(help="File of a configuration to assess with.")] = None,
    shadow: Annotated[str | None, typer.Option(help="File of another, whose alerts are written into shadow.ndjson.")] = None,
    suppressed: Annotated[bool, typer.Option("--suppressed", help="Write the alerts that rules keep back as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Assess files of events offline, as fast as it can."""
    from sentinel import assembly
    from sentinel.settings import Settings

    files = [*events, *(more or [])]
    settings = Settings.read(budget=budget, store=store, rules=rules, configuration=configuration, shadow=shadow)
    with octets(_octets_of(files), "replay") as advance:
        told = assembly.replay(settings, format, files, context, out, lambda _, read: advance(read), suppressed=suppressed)
    show(asdict(told), as_json)


def backfill(
    events: Annotated[list[str], typer.Option(help="Files of events: NDJSON, plain, .gz or .zst; - is standard input.")],
    format: Annotated[str, typer.Option(help="The events' format, as `sentinel sources` names it.")],
    more: Annotated[list[str] | None, typer.Argument(help="More files of events.", metavar="FILE...")] = None,
    context: Annotated[Path | None, typer.Option(help="Folder of FHIR resources or CSV files of the same names.")] = None,
    store: Annotated[
        str | None, typer.Option(help="The service's store; an embedded one, chdb://…, while it does not run.")
    ] = None,
    budget: Annotated[float | None, typer.Option(min=0, help="Late alerts a day on average over any week; 0: all.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Events stored a second at most; 0: as fast as it goes.")] = 10_000,
    since: Annotated[str | None, typer.Option(help="Leave out what is older: RFC 3339 with an offset.")] = None,
    until: Annotated[str | None, typer.Option(help="Leave out what is from then on: RFC 3339 with an offset.")] = None,
    rejected: Annotated[Path | None, typer.Option(help="File for what cannot be read, and why.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take history in while the service is live: out of its way, each event once, alerts marked as late."""
    from sentinel import assembly
    from sentinel.settings import Settings
    from streams.backfill import NICE, Manners

    def pause(refusal: SentinelError, seconds: float) -> None:
        tell(f"{refusal}; again in {seconds:g} s")

    files = [*events, *(more or [])]
    settings = Settings.read(budget=budget, store=store)
    period, manners = (time_of(since, "--since"), time_of(until, "--until")), Manners(rate, on_pause=pause)
    os.nice(NICE)
    with octets(_octets_of(files), "backfill") as advance:
        summary = assembly.backfill(settings, format, files, context, rejected, period, manners, lambda _, read: advance(read))
    show(asdict(summary), as_json)


def _octets_of(files: list[str]) -> int | None:
    from streams.files import size

    return sum(size(file) for file in files if Path(file).is_file()) or None


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder for context/, events.ndjson and labels.tsv.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    staff: Annotated[int, typer.Option(min=40, help="People at work.")] = 400,
    days: Annotated[int, typer.Option(min=7, help="Days simulated.")] = 42,
    misuse: Annotated[int, typer.Option(min=0, help="Incidents of each kind of misuse.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Write a simulated hospital: FHIR context, AuditEvents, and labels of the misuse in them."""
    from models.hospital import Hospital, HospitalSettings, write

    hospital = Hospital(HospitalSettings(seed=seed, staff=staff, days=days, misuse_per_kind=misuse))
    with items(days, "days") as advance:
        summary = write(hospital, out, lambda _events: advance(1))
    show(asdict(summary), as_json)


def evaluate(
    out: Annotated[Path, typer.Argument(help="Folder that a replay wrote.")],
    labels: Annotated[Path, typer.Option(help="Tab-separated: event id, label, case id.")],
    as_json: AsJson = False,
) -> None:
    """Hold the alerts of a replay against labels: recall by kind, precision, alerts a day, time to detect."""
    from models.evaluate import evaluate_folder

    evaluation = evaluate_folder(out, labels)
    if as_json:
        put(evaluation.to_json())
        return
    show_rows(("kind", "found", "recall", "95 % interval", "time to detect"), evaluation.rows())
    for name, figure in evaluation.figures():
        put(f"{name}: {figure}")
