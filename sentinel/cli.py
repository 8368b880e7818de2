"""The command line. Exit code 0: done; 1: it failed; 2: it was asked for something that cannot be done."""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from sentinel.commands import offline, rejected, report, service, sources, topics, worker
from sentinel.commands.terminal import errors
from sentinel.core.errors import RefusedToStartError, SentinelError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Who saw which health record, and why."
)
for command in (
    service.demo,
    service.serve,
    worker.worker,
    offline.replay,
    offline.backfill,
    offline.simulate,
    offline.evaluate,
):
    app.command()(command)
app.add_typer(rejected.app, name="rejected")
app.add_typer(report.app, name="report")
app.add_typer(sources.app, name="sources")
app.add_typer(topics.app, name="topics")


def main() -> None:
    """Run the command line; errors made on purpose become one line and an exit code."""
    try:
        app()
    except RefusedToStartError as error:
        errors.print(f"[red]refused:[/] {escape(str(error))}", highlight=False)
        sys.exit(2)
    except SentinelError as error:
        errors.print(f"[red]failed:[/] {escape(str(error))}", highlight=False)
        sys.exit(1)
