"""`sentinel sigma`: which Sigma rules run, the tests inside them, and what they find in history."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from sentinel.commands.terminal import AsJson, put, show, show_rows, time_of

if TYPE_CHECKING:
    from models.sigma.loading import Loaded

app = typer.Typer(no_args_is_help=True, help="Sigma rules: on the live stream and over history.")

Places = Annotated[
    list[str] | None,
    typer.Argument(help="Files and folders of rules; none: those that settings name, else those that come along."),
]
RuleName = Annotated[str, typer.Argument(help="A rule by its name, or the name of its file.")]
Where = Annotated[list[str] | None, typer.Option("--rules", help="Files and folders of rules; none: as the settings say.")]


@app.command("list")
def list_(places: Places = None, as_json: AsJson = False) -> None:
    """List the rules that run and can find something."""
    rows = [
        {"name": one.name, "title": one.title_en, "what": one.card.what, "attack": one.card.why}
        for one in _loaded(places).rule_set.patterns
    ]
    if as_json:
        show({"rules": rows}, as_json)
    else:
        show_rows(("name", "title", "what", "tags"), [tuple(row.values()) for row in rows])


@app.command()
def check(places: Places = None, as_json: AsJson = False) -> None:
    """Tell how many rules load and run, and why the others do not. Exit code 1: some do not."""
    loaded = _loaded(places)
    formats = Counter("events" if one.format is None else one.format.source for one in loaded.rules.values())
    counts = {
        "read": loaded.read,
        "run": len(loaded.rules),
        "correlations": len(loaded.correlations),
        "refused": len(loaded.refused),
    }
    refused = [
        {"file": str(one.file), "title": one.title, "reason": str(one.reason), "detail": one.detail} for one in loaded.refused
    ]
    if as_json:
        show(counts | {"formats": formats, "reasons": loaded.reasons(), "rules_refused": refused}, as_json)
    else:
        show(counts, as_json)
        show_rows(("looks at", "rules"), formats.most_common(), "running")
        _print_refused(loaded)
    if refused:
        raise typer.Exit(1)


def _print_refused(loaded: Loaded) -> None:
    if loaded.refused:
        show_rows(("reason", "rules"), loaded.reasons().most_common(), "refused, by reason")
        show_rows(("file", "reason", "detail"), [(one.file.name, one.reason, one.detail) for one in loaded.refused], "refused")


@app.command("test")
def run_tests(places: Places = None, as_json: AsJson = False) -> None:
    """Run the tests inside rules. Exit code 1: one does not hold, or a rule has none or does not run."""
    from models.sigma.checking import differences

    loaded = _loaded(places)
    found = [(one.file.name, one.test, one.what) for one in differences(loaded)]
    found += [(one.file.name, "", f"{one.reason}: {one.detail}") for one in loaded.refused]
    tests = sum(map(len, loaded.tests.values()))
    if as_json:
        told = [dict(zip(("file", "test", "what"), row, strict=True)) for row in found]
        show({"rules": len(loaded.rule_set.patterns), "tests": tests, "differences": told}, as_json)
    elif found:
        show_rows(("file", "test", "what differs"), found)
    else:
        put(f"all {tests} tests of {len(loaded.rule_set.patterns)} rules hold")
    if found:
        raise typer.Exit(1)


@app.command()
def sql(rule: RuleName, places: Where = None, as_json: AsJson = False) -> None:
    """Print the statement that asks ClickHouse for a rule, and what is bound in it."""
    from sentinel import assembly

    asked = assembly.history_query(_loaded(places), _name(rule))
    if as_json:
        show({"sql": asked.text, "parameters": asked.parameters}, as_json)
    else:
        put(asked.text)
        show(asked.parameters, as_json)


@app.command()
def search(
    rule: RuleName,
    places: Where = None,
    since: Annotated[str | None, typer.Option(help="From then on: RFC 3339 with an offset.")] = None,
    until: Annotated[str | None, typer.Option(help="Before then: RFC 3339 with an offset.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many events at the most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Ask the store for the events that a rule finds something on. An embedded store answers while the service is stopped."""
    from sentinel import assembly
    from sentinel.settings import Settings

    period = time_of(since, "--since"), time_of(until, "--until")
    found = assembly.search_history(Settings.read(), _loaded(places), _name(rule), period, limit)
    if as_json:
        show({"events": found}, as_json)
    else:
        show_rows(("key", "occurred_at", "source", "id", "actor_id", "patient_id"), [tuple(row.values()) for row in found])


def _name(rule: str) -> str:
    return f"sigma:{rule.removeprefix('sigma:')}"


def _loaded(places: list[str] | None) -> Loaded:
    from sentinel import assembly
    from sentinel.settings import Settings

    return assembly.sigma_rules(places or Settings.read().sigma or (assembly.SHIPPED_RULES,))
