"""What commands share: where they print, and how they show that they are at work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

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
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print for machines.")]

errors = Console(stderr=True)
output = Console()


def show(values: Mapping[str, Any], as_json: bool) -> None:
    """Print names and values, as a table or as one JSON object."""
    if as_json:
        print(json.dumps(values, ensure_ascii=False))  # noqa: T201  rich would wrap it
        return
    table = Table(show_header=False, box=None)
    for name, value in values.items():
        table.add_row(name.replace("_", " "), str(value))
    output.print(table)


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table; cells hold other people's text and are never read as markup."""
    table = Table(title=title or None)
    for name in columns:
        table.add_column(name, overflow="fold")  # an id cut short cannot be used
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    output.print(table)


@contextmanager
def octets(total: int | None, what: str) -> Iterator[Callable[[int], None]]:
    """Show a bar of bytes; gives what advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


@contextmanager
def items(total: int | None, what: str) -> Iterator[Callable[[int], None]]:
    """Show a bar of things counted; gives what advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
