"""What commands share: where they print, and how they show that they are at work. Loads rich when there is something to show."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentinel.core.errors import RefusedToStartError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import ProgressColumn

AsJson = Annotated[bool, typer.Option("--json", help="Print for machines.")]
Advance = Callable[[int], None]


def tell(text: str, error: Exception | None = None) -> None:
    """Say something beside the result: on standard error, in rich's markup, which an error's own words are not."""
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True).print(text, *([escape(str(error))] if error else []), highlight=False)


def time_of(text: str | None, option: str) -> int | None:
    """Return an option's time in µs since 1970 UTC; None: it was not given.

    Raises:
        RefusedToStartError: it is no RFC 3339 time with an offset.
    """
    from sentinel.core.event import microseconds, moment

    try:
        return None if text is None else microseconds(moment(text))
    except ValueError:
        raise RefusedToStartError(f"{option} is a time as 2026-03-01T00:00:00+01:00") from None


def put(shown: RenderableType) -> None:
    """Print a result: a text as it is, which rich would wrap and read as markup; anything else as rich shows it."""
    if isinstance(shown, str):
        print(shown)  # noqa: T201
        return
    from rich.console import Console

    Console().print(shown, highlight=False)


def show(values: Mapping[str, Any], as_json: bool) -> None:
    """Print names and values, as a table or as one JSON object."""
    if as_json:
        put(json.dumps(values, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for name, value in values.items():
        table.add_row(name.replace("_", " "), str(value))
    put(table)


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table; cells hold other people's text and are never read as markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None)
    for name in columns:
        table.add_column(name, overflow="fold")  # an id cut short cannot be used
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    put(table)


def octets(total: int | None, what: str) -> AbstractContextManager[Advance]:
    """Show a bar of bytes where somebody looks; gives what advances it."""
    return _bar(total, what, _columns_of_octets)


def items(total: int | None, what: str) -> AbstractContextManager[Advance]:
    """Show a bar of things counted where somebody looks; gives what advances it."""
    return _bar(total, what, _columns_of_items)


def _columns_of_octets() -> list[ProgressColumn]:
    from rich.progress import DownloadColumn, TransferSpeedColumn

    return [DownloadColumn(), TransferSpeedColumn()]


def _columns_of_items() -> list[ProgressColumn]:
    from rich.progress import MofNCompleteColumn

    return [MofNCompleteColumn()]


@contextmanager
def _bar(total: int | None, what: str, columns: Callable[[], list[ProgressColumn]]) -> Iterator[Advance]:
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    around = TextColumn("{task.description}"), BarColumn()
    with Progress(*around, *columns(), TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
