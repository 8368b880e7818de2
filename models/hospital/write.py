"""Writes a simulated hospital to a folder: context, events and labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .audit import SimulatedEvent
from .hospital import Hospital


@dataclass(frozen=True)
class Summary:
    """What was written. `misuse_events` and `cases` are the labelled part of `events`."""

    events: int
    misuse_events: int
    cases: int
    patients: int
    staff: int
    days: int


def write(hospital: Hospital, out: Path, progress: Callable[[int], None] | None = None) -> Summary:
    """Write `context/*.ndjson`, `events.ndjson` and `labels.tsv` (event id, label, case id; misuse alone).

    `progress` is called after each simulated day with the number of its events.

    Raises:
        OSError: a file cannot be written.
    """
    folder = out / "context"
    folder.mkdir(parents=True, exist_ok=True)
    for kind, lines in hospital.context().items():
        with (folder / f"{kind}.ndjson").open("wb") as file:
            file.writelines(line + b"\n" for line in lines)
    total = misuse = 0
    cases: set[str] = set()
    with (out / "events.ndjson").open("wb") as events, (out / "labels.tsv").open("w", encoding="utf-8", newline="\n") as labels:
        for _, batch in hospital.days():
            total += len(batch)
            misuse += _write_day(batch, events, labels, cases)
            if progress:
                progress(len(batch))
    return Summary(total, misuse, len(cases), len(hospital.patients), len(hospital.people), hospital.settings.days)


def _write_day(batch: list[SimulatedEvent], events: IO[bytes], labels: IO[str], cases: set[str]) -> int:
    """Write one day and return how many of its events are misuse."""
    events.writelines(event.resource + b"\n" for event in batch)
    marked = [event for event in batch if event.label]
    labels.writelines(f"{event.id}\t{event.label}\t{event.case}\n" for event in marked)
    cases.update(event.case for event in marked if event.case)
    return len(marked)
