"""`sentinel rejected`: what could not be read, why, and another try after a fix."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentinel.commands.terminal import AsJson, show, show_rows
from sentinel.core.errors import RefusedToStartError

if TYPE_CHECKING:
    from streams.dead_letters import DeadLetters
    from streams.redriving import RejectedTopic

app = typer.Typer(no_args_is_help=True, help="What could not be read: list it, show it, drive it again after a fix.")
Data = Annotated[Path | None, typer.Option(help="The service's folder.")]
Kafka = Annotated[bool, typer.Option("--kafka", help="What workers keep in Kafka, not the service in its folder.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="How many at the most.")]


@app.command("list")
def list_(data: Data = None, kafka: Kafka = False, source: str = "", limit: Limit = 100, as_json: AsJson = False) -> None:
    """List what waits, the newest first: where from, when, and why it was refused. Never what it says."""
    from sentinel.core.alert import rfc3339

    with _letters(data, kafka) as dead:
        letters = dead.list(source=source, limit=limit)
    rows = [
        (x.id, x.letter.record.source, rfc3339(x.letter.record.received_us), x.letter.code, x.letter.pointer) for x in letters
    ]
    columns = ("id", "source", "received", "code", "pointer")
    if as_json:
        show({"rejected": [dict(zip(columns, map(str, row), strict=True)) for row in rows]}, as_json)
    else:
        show_rows(columns, rows)


@app.command("show")
def show_one(
    id: str,
    data: Data = None,
    kafka: Kafka = False,
    raw: Annotated[bool, typer.Option(help="Print the record's bytes as well.")] = False,
) -> None:
    """Show one: why it was refused and, when asked for, its bytes as they came (they may hold personal data)."""
    with _letters(data, kafka) as dead:
        found = dead.show(id)
    if found is None:
        raise RefusedToStartError("there is no such record")
    letter = found.letter
    if raw:
        sys.stdout.buffer.write(letter.record.raw)
        return
    what = {"id": found.id, "status": found.status, "tenant": letter.record.tenant, "source": letter.record.source}
    why = {"code": letter.code, "pointer": letter.pointer, "detail": letter.detail, "bytes": len(letter.record.raw)}
    show(what | why, as_json=False)


@app.command()
def redrive(
    id: Annotated[list[str] | None, typer.Argument(help="Which; none: all that wait.")] = None,
    data: Data = None,
    kafka: Kafka = False,
    source: str = "",
    limit: Limit = 10_000,
    as_json: AsJson = False,
) -> None:
    """Read them again and take in what can be read now. Safe while the service runs."""
    from sentinel import assembly
    from sentinel.settings import Settings

    settings = Settings.read(data=data)
    if kafka:
        done = assembly.rejected_topic(settings).redrive(id or [], source, limit)
    else:
        done = assembly.redrive(settings, id or [], source, limit)
    show({"moved": done.moved, "refused": done.refused}, as_json)


@contextmanager
def _letters(data: Path | None, is_kafka: bool) -> Iterator[DeadLetters | RejectedTopic]:
    from sentinel import assembly
    from sentinel.settings import Settings

    settings = Settings.read(data=data)
    if is_kafka:
        yield assembly.rejected_topic(settings)
        return
    with assembly.dead_letters(settings) as dead:
        yield dead
