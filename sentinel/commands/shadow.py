"""`sentinel shadow`: what another configuration would have told, and how it becomes the one that tells."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentinel.commands.report import Url, all_alerts
from sentinel.commands.terminal import AsJson, show, show_rows
from sentinel.core.errors import RefusedToStartError

if TYPE_CHECKING:
    from streams.shadow_report import Line

app = typer.Typer(no_args_is_help=True, help="A configuration that runs beside and tells nothing: what it would change.")


@app.command()
def report(
    out: Annotated[Path | None, typer.Argument(help="Folder of a replay with --shadow; none: ask the running service.")] = None,
    since: Annotated[str | None, typer.Option(help="Alerts last seen from then on: RFC 3339 with an offset.")] = None,
    until: Annotated[str | None, typer.Option(help="Alerts last seen before: RFC 3339 with an offset.")] = None,
    data: Annotated[Path | None, typer.Option(help="The service's folder, where verdicts are.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the alerts gained, lost and moved, with their findings and verdicts."""
    from sentinel import assembly
    from sentinel.settings import Settings
    from streams.shadow_report import compared

    if out is not None:
        champion, shadow = (_lines(out / name) for name in ("alerts.ndjson", "shadow.ndjson"))
    else:
        period = {name: value for name, value in (("since", since), ("until", until)) if value is not None}
        champion, shadow = (list(all_alerts(url, {"shadow": beside, **period})) for beside in ("false", "true"))
    _print(compared(champion, shadow, verdicts=assembly.last_verdicts(Settings.read(data=data))), as_json)


@app.command()
def promote() -> None:
    """Let the shadow's file be the champion's: SENTINEL_SHADOW takes the place of SENTINEL_CONFIGURATION.

    The champion's file before stays beside it. It holds from the next start on, and goes on from what the shadow has learnt.
    """
    from sentinel import assembly
    from sentinel.settings import Settings

    promoted = assembly.promote(Settings.read())
    show({"promoted": promoted.version, "holds": "from the next start of the service on"}, as_json=False)


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError:
        raise RefusedToStartError(f"{path} is not there: replay with --shadow FILE") from None


def _print(lines: list[Line], as_json: bool) -> None:
    from streams.shadow_report import Change, counted

    counts = counted(lines)
    if as_json:
        told = {str(change): {"stories": n, "misuse": misuse, "justified": justified} for change, n, misuse, justified in counts}
        show({"changes": told, "alerts": [asdict(line) for line in lines if line.change is not Change.SAME]}, as_json)
        return
    show_rows(("change", "stories", "of these misuse", "justified"), counts)
    columns = ("alert", "change", "actor", "priority", "in the shadow", "found no more", "found anew", "verdict")
    changed = [line for line in lines if line.change is not Change.SAME]
    show_rows(columns, map(_row, changed))


def _row(line: Line) -> tuple[str, ...]:
    before, after = ", ".join(line.found_no_more), ", ".join(line.found_anew)
    return (line.alert, line.change, line.actor, _told(line.priority), _told(line.shadow_priority), before, after, line.verdict)


def _told(priority: float | None) -> str:
    return "not told" if priority is None else f"{priority:.1f}"
