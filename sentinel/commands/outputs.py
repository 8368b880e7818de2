"""`sentinel outputs`: where alerts are told to, whether it works, and what was given up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sentinel.commands.terminal import AsJson, show, show_rows

app = typer.Typer(no_args_is_help=True, help="Where alerts are told to: list it, try it, and drive again what was given up.")
dead = typer.Typer(no_args_is_help=True, help="Alerts that an output did not take in the end.")
app.add_typer(dead, name="dead")
Data = Annotated[Path | None, typer.Option(help="The service's folder.")]
Output = Annotated[str, typer.Option(help="Of this output alone.")]


@app.command("list")
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """List the outputs that are set up, and how many alerts each was told, is to be told, and did not take."""
    from sentinel import assembly
    from sentinel.settings import Settings

    standing = assembly.outputs(Settings.read(data=data))
    columns = ("output", "kind", "waiting", "told", "dead")
    rows = [(one.name, one.kind, one.waiting, one.told, one.dead) for one in standing]
    if as_json:
        show({"outputs": [dict(zip(columns, row, strict=True)) for row in rows]}, as_json)
    else:
        show_rows(columns, rows)


@app.command("try")
def try_(name: str) -> None:
    """Tell an output an alert about nobody, once, and say whether it was taken."""
    from sentinel import assembly
    from sentinel.settings import Settings

    assembly.try_output(Settings.read(), name)
    show({"output": name, "taken": "yes"}, as_json=False)


@app.command()
def sample(format: str) -> None:
    """Print an alert about nobody in one of the formats, for whoever writes what reads it."""
    from sentinel import assembly
    from sentinel.settings import Settings

    print(assembly.sample_alert(Settings.read(), format))  # noqa: T201  rich would wrap it


@dead.command("list")
def list_dead(
    data: Data = None,
    output: Output = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at the most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what was given up, the newest first: for which output, which alert, when, and why. Never what it says."""
    from sentinel import assembly
    from sentinel.core.alert import rfc3339
    from sentinel.settings import Settings

    with assembly.outbox(Settings.read(data=data)) as box:
        found = box.dead(output, limit)
    columns = ("output", "alert", "version", "since", "tries", "code")
    rows = [(one.output, one.alert_id, one.version, rfc3339(one.changed_us), one.attempts, one.code) for one in found]
    if as_json:
        show({"dead": [dict(zip(columns, row, strict=True)) for row in rows]}, as_json)
    else:
        show_rows(columns, rows)


@dead.command()
def redrive(
    alert: Annotated[list[str] | None, typer.Argument(help="Which alerts; none: all.")] = None,
    data: Data = None,
    output: Output = "",
    as_json: AsJson = False,
) -> None:
    """Let it wait again, oldest first; the service tells it when it runs. Safe while it does."""
    from sentinel import assembly
    from sentinel.settings import Settings

    moved = assembly.redrive_outputs(Settings.read(data=data), alert or [], output)
    show({"moved": moved}, as_json)
