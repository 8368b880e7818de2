"""`sentinel rules`: whether a file of rules can be used, and what it would have hidden or raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from sentinel.commands.report import Url, all_alerts, ask
from sentinel.commands.terminal import AsJson, items, show, show_rows, time_of
from sentinel.core.errors import RefusedToStartError

if TYPE_CHECKING:
    from sentinel.core.context import Judgement
    from sentinel.core.house_rules import HouseRules
    from streams.rules_preview import Previewed

app = typer.Typer(
    no_args_is_help=True, help="What is told less, or looked at more closely: check a file of it, see what it does."
)
File = Annotated[Path, typer.Argument(help="A file of rules (YAML).")]


@app.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Say what a file declares, and where each rule stands now. Exit code 2: it cannot be used."""
    from sentinel import assembly
    from sentinel.core.alert import rfc3339
    from sentinel.settings import Settings
    from streams.embedded import SystemClock
    from streams.rules_file import state_of

    now = SystemClock().now_us()
    columns = ("rule", "kind", "owner", "from", "until", "state", "hides what is critical")
    rows = []
    for one in assembly.rule_file(Settings.read(), file).declared():
        rule = one.rule()
        span = rfc3339(rule.since), rfc3339(rule.until)
        rows.append((rule.name, str(rule.kind), one.owner, *span, state_of(rule, now), "yes" if rule.is_narrow else "no"))
    if as_json:
        show({"rules": [dict(zip(columns, row, strict=True)) for row in rows]}, as_json)
    else:
        show_rows(columns, rows)


@app.command()
def preview(
    file: File,
    since: Annotated[str | None, typer.Option(help="From then on: RFC 3339 with an offset.")] = None,
    until: Annotated[str | None, typer.Option(help="Before that: RFC 3339 with an offset.")] = None,
    events: Annotated[list[str] | None, typer.Option(help="Assess these files instead of asking the service: exact.")] = None,
    format: Annotated[str | None, typer.Option(help="The events' format, as `sentinel sources` names it.")] = None,
    context: Annotated[Path | None, typer.Option(help="Folder of context for these events.")] = None,
    budget: Annotated[float | None, typer.Option(min=0, help="Alerts a day for these events; 0: all.")] = None,
    data: Annotated[Path | None, typer.Option(help="The service's folder, where verdicts are.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show what a file's rules would have hidden and raised, had they been in force all the time or from --since to --until.

    Of the alerts that are stored, or by assessing events anew.
    """
    from sentinel import assembly
    from sentinel.settings import Settings

    settings = Settings.read(data=data, budget=budget)
    period = time_of(since, "--since"), time_of(until, "--until")
    rules = assembly.rule_file(settings, file).rules().between(*period)
    verdicts = assembly.last_verdicts(settings)
    if events:
        if format is None:
            raise RefusedToStartError("--events asks for --format")
        found = assembly.preview_rules(settings, rules, format, events, context, verdicts)
    else:
        found = list(_of_stored(rules, verdicts, url, {"since": since, "until": until}))
    _print(rules, found, as_json)


def _of_stored(
    rules: HouseRules, verdicts: Mapping[str, Judgement], url: str | None, period: Mapping[str, str | None]
) -> Iterator[Previewed]:
    from streams.rules_preview import of_stored

    told = {name: value for name, value in period.items() if value is not None}
    with items(None, "alerts") as advance:
        for alert in all_alerts(url, {"suppressed": "all", **told}):
            evidence = ask(url, f"/v1/alerts/{quote(alert['id'], safe='')}/evidence")
            advance(1)
            if (found := of_stored(alert, evidence, rules, verdicts)) is not None:
                yield found


def _print(rules: HouseRules, found: list[Previewed], as_json: bool) -> None:
    from streams.rules_preview import counted

    counts = counted(rules, found)
    if as_json:
        show({"rules": dict(counts), "alerts": [asdict(one) for one in found]}, as_json)
        return
    show_rows(("rule", *(counts[0][1] if counts else ())), [(name, *count.values()) for name, count in counts], "alerts by rule")
    columns = ("alert", "effect", "rules", "severity", "priority", "actor", "detectors", "last seen", "verdict")
    rows = [
        (x.alert, x.effect, ", ".join(x.rules), x.severity, x.priority, x.actor, ", ".join(x.detectors), x.last_seen, x.verdict)
        for x in found
    ]
    show_rows(columns, rows, "alerts")
