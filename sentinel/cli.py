"""The command line. Exit code 0: done; 1: it failed; 2: it was asked for something that cannot be done."""

from __future__ import annotations

import gc
import sys

import typer

from sentinel.commands import offline, outputs, rejected, report, rules, service, shadow, sigma, sources, topics, verdict, worker
from sentinel.commands.terminal import tell
from sentinel.core.errors import RefusedToStartError, SentinelError
from sentinel.lean import look_for_garbage_rarely

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Who saw which health record, and why."
)
for command in (
    service.demo,
    service.serve,
    service.gateway,
    worker.worker,
    offline.replay,
    offline.backfill,
    offline.simulate,
    offline.evaluate,
    verdict.verdict,
):
    app.command()(command)
app.add_typer(outputs.app, name="outputs")
app.add_typer(rejected.app, name="rejected")
app.add_typer(report.app, name="report")
app.add_typer(rules.app, name="rules")
app.add_typer(shadow.app, name="shadow")
app.add_typer(sigma.app, name="sigma")
app.add_typer(sources.app, name="sources")
app.add_typer(topics.app, name="topics")


def main() -> None:
    """Run the command line; errors made on purpose become one line and an exit code."""
    look_for_garbage_rarely()
    try:
        app()
    except RefusedToStartError as error:
        tell("[red]refused:[/]", error)
        sys.exit(2)
    except SentinelError as error:
        tell("[red]failed:[/]", error)
        sys.exit(1)
    finally:
        gc.freeze()  # the process ends: there is no use in looking for garbage among all it holds
