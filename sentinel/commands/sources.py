"""`sentinel sources`: the formats there are, a mapping's own tests, a format tried on a file, a mapping drafted from one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentinel.commands.terminal import AsJson, put, show, show_rows
from sentinel.core.errors import RefusedToStartError

if TYPE_CHECKING:
    from sentinel.settings import Settings
    from streams.sources.contract import Source
    from streams.trial import Trial

app = typer.Typer(invoke_without_command=True, help="The formats that events are read from.")

Format = Annotated[str, typer.Argument(help="A format by its name, or the file of a mapping.")]
Values = Annotated[bool, typer.Option("--show-values", help="Print what records say: personal data, on your screen.")]


@app.callback()
def sources(context: typer.Context) -> None:
    """List the formats, when nothing else is asked for."""
    if context.invoked_subcommand is None:
        list_()


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the formats that can be read: those programmed, and those that mappings describe."""
    from sentinel import assembly
    from sentinel.settings import Settings

    settings = Settings.read()
    mapped = assembly.mapping_files(settings)
    found = [_row(source, "mapping" if name in mapped else "built-in") for name, source in _sorted(settings)]
    if as_json:
        show({"sources": found}, as_json)
    else:
        show_rows(
            ("name", "title", "media types", "kind"),
            [(one["name"], one["title"], ", ".join(one["media_types"]), one["kind"]) for one in found],
        )


def _sorted(settings: Settings) -> Iterator[tuple[str, Source]]:
    from sentinel import assembly

    yield from sorted(assembly.sources(settings).items())


def _row(source: Source, kind: str) -> dict[str, Any]:
    return {"name": source.name, "title": source.title, "media_types": list(source.media_types), "kind": kind}


@app.command("show")
def show_mapping(name: Annotated[str, typer.Argument(help="A mapping by its name.")]) -> None:
    """Print the file of a mapping, to be copied and adapted under another name."""
    from sentinel import assembly
    from sentinel.settings import Settings

    files = assembly.mapping_files(Settings.read())
    if name not in files:
        raise RefusedToStartError(f"no such mapping: {name} (there are: {', '.join(sorted(files))})")
    put(files[name].read_text(encoding="utf-8").rstrip("\n"))


@app.command("test")
def run_tests(
    file: Annotated[list[str], typer.Argument(help="Files of mappings, or names of those found.", metavar="FILE...")],
    show_values: Annotated[bool, typer.Option("--show-values", help="Print what was expected and what was found.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the tests in mappings. Exit code 1: one fails, or a mapping has none."""
    from sentinel import assembly
    from sentinel.settings import Settings
    from streams.mappings.checking import differences
    from streams.mappings.loading import untested

    settings = Settings.read()
    known, rows, passed = assembly.mapping_files(settings), [], {}
    for name in file:
        mapping, source = untested(known.get(name) or Path(name), settings.timezone)
        failed = differences(mapping, source)
        passed[mapping.mapping] = bool(mapping.tests) and not failed
        rows += [(mapping.mapping, one.test, one.what, one.expected, one.found) for one in failed]
        rows += [] if mapping.tests else [(mapping.mapping, "", "it has no tests", "", "")]
    columns = ("mapping", "test", "what differs", *(("expected", "found") if show_values else ()))
    if as_json:
        told = [dict(zip(columns, row, strict=False)) for row in rows]
        show({"passed": passed, "differences": told}, as_json)
    elif rows:
        show_rows(columns, [row[: len(columns)] for row in rows])
    else:
        put(f"all tests hold: {', '.join(passed)}")
    if not all(passed.values()):
        raise typer.Exit(1)


@app.command("try")
def try_(
    format: Format,
    file: Annotated[str, typer.Argument(help="A file of events, plain, .gz or .zst; - is standard input.")],
    context: Annotated[Path | None, typer.Option(help="Folder of context, to see how many people and patients it knows.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Records to read at most.")] = 100_000,
    show_values: Values = False,
    as_json: AsJson = False,
) -> None:
    """Read a file and tell what comes of it, without its contents. Exit code 1: records were refused, or there was no event."""
    from sentinel import assembly
    from sentinel.settings import Settings

    trial = assembly.try_source(Settings.read(), format, file, context, limit, show_values=show_values)
    if as_json:
        show(trial.to_dict(), as_json)
    else:
        _print(trial)
    if trial.refused_records or not trial.events:
        raise typer.Exit(1)


def _print(trial: Trial) -> None:
    put(
        f"{trial.format}: {trial.records} records, {trial.events} events, {trial.skipped} passed over, "
        f"{trial.refused_records} refused; {trial.understood:.1%} understood"
    )
    if trial.first_event is not None and trial.last_event is not None:
        put(f"from {_time(trial.first_event)} to {_time(trial.last_event)}")
    _print_fields(trial)
    if trial.refusals:
        rows = [(one.count, one.code, one.pointer or "/", one.detail, _lines(one.lines, one.count)) for one in trial.refusals]
        show_rows(("records", "code", "where", "why", "lines"), rows, "refused")
    _print_reach(trial)


def _time(instant: int) -> str:
    from sentinel.core.event import EPOCH

    return (EPOCH + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")


def _lines(lines: Sequence[int], count: int) -> str:
    return ", ".join(map(str, lines)) + (" …" if count > len(lines) else "")


def _print_fields(trial: Trial) -> None:
    from streams.trial import DISTINCT_MAX

    rows = []
    for one in trial.fields:
        missing = f"{1 - one.told / trial.events:.1%}" if trial.events else ""
        values = ", ".join(f"{value} {count}" for value, count in one.values.items())
        rows.append(
            (
                one.name,
                one.origin,
                missing,
                f"{one.distinct}+" if one.distinct == DISTINCT_MAX else one.distinct,
                values or " | ".join(one.examples),
            )
        )
    show_rows(("field", "from", "not told", "different", "values"), rows, "fields")


def _print_reach(trial: Trial) -> None:
    if trial.known:
        told = ", ".join(f"{share:.1%} of the {name}" for name, share in trial.known.items())
        put(f"the context knows {told}")
    silent = [(one.detector, ", ".join(one.missing), ", ".join(one.context)) for one in trial.silent]
    if silent:
        show_rows(("detector", "enabled by", "context it lacks"), silent, "detectors that can find nothing")
    reasons = [(one.name, ", ".join(one.missing) or "nothing", ", ".join(one.context) or "none") for one in trial.reasons]
    show_rows(("ordinary reason", "events lack", "context it needs"), reasons, "ordinary reasons")


@app.command()
def suggest(
    file: Annotated[str, typer.Argument(help="A file of an unknown format, plain, .gz or .zst; - is standard input.")],
    name: Annotated[str | None, typer.Option(help="The mapping's name; none: after the file's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write NAME.yaml into; none: print it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draft a mapping from a sample. It quotes names of columns, and the codes that it takes for actions and outcomes."""
    from sentinel import assembly

    draft = assembly.suggest_mapping(file, name)
    if as_json:
        show({"mapping": draft.text, "decide": draft.decide}, as_json)
    elif out is None:
        put(draft.text.rstrip("\n"))
    else:
        path = out / f"{draft.name}.yaml"
        if path.exists():
            raise RefusedToStartError(f"{path} is there already")
        path.write_text(draft.text, encoding="utf-8")
        put(f"{path}: {len(draft.decide)} things to decide, marked in it")
