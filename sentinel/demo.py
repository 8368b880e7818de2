"""The demonstration: a simulated hospital pushes FHIR AuditEvents over HTTP, as an integrator's system would."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from models.hospital import Hospital, SimulatedEvent

T = TypeVar("T")

STAFF: Final = 120
DAYS: Final = 30
BUDGET: Final = 3.0  # alerts a day
HISTORY_DAYS: Final = 7  # sent at once, so that what is usual is known when the stream begins
SECONDS_AN_HOUR: Final = 1.5  # of simulated time
BATCH_EVENTS: Final = 500
TRIES: Final = 60
FHIR_JSON: Final = "application/fhir+json"
NDJSON: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Story:
    """Which hospital is told, and how far it has come: kept on disk, so that a second start goes on from there."""

    seed: int
    staff: int
    days: int
    start: str
    context_sent: bool = False
    events_sent: int = 0

    @classmethod
    def at(cls, file: Path, today: date, seed: int) -> Story:
        """Return the story begun at an earlier start, else a new one that ends today."""
        if file.exists():
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        return cls(seed, STAFF, DAYS, (today - timedelta(days=DAYS)).isoformat())

    def keep(self, file: Path) -> None:
        """Write how far it has come: after the service has said that it is durable, never before."""
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)), encoding="utf-8")
        part.replace(file)

    def hospital(self) -> Hospital:
        """Make the hospital: the same story always makes the same one."""
        from models.hospital import Hospital, HospitalSettings

        start = date.fromisoformat(self.start)
        return Hospital(HospitalSettings(seed=self.seed, staff=self.staff, days=self.days, start=start))


class Channel(Protocol):
    """How the hospital's systems reach Sentinel. Both return once what was told is durable."""

    def tell_context(self, resources: Sequence[bytes]) -> None:
        """Tell who works where, and who is in whose care: FHIR resources."""
        ...

    def tell_events(self, events: Sequence[SimulatedEvent]) -> None:
        """Tell what was done, in its order."""
        ...


@dataclass(frozen=True, slots=True)
class OverHttp:
    """As an integrator pushes over HTTP."""

    client: httpx.Client

    def tell_context(self, resources: Sequence[bytes]) -> None:
        """Post a Bundle."""
        _push(self.client, "/fhir", bundle(resources), FHIR_JSON)

    def tell_events(self, events: Sequence[SimulatedEvent]) -> None:
        """Post one AuditEvent a line."""
        _push(self.client, "/v1/events?format=fhir_auditevent", b"\n".join(event.resource for event in events), NDJSON)


def feed(address: str, file: Path, today: date, seed: int, fast: bool, key: str | None) -> None:
    """Tell the story to the service at `address` until it ends. Meant for a process of its own."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(base_url=address, timeout=60, headers=headers) as client:
            tell(OverHttp(client), Story.at(file, today, seed), file, fast)
    except (KeyboardInterrupt, httpx.HTTPError):
        return  # the service has stopped; the next start goes on from what it acknowledged


def tell(channel: Channel, story: Story, file: Path, fast: bool) -> None:
    """Tell what is left of the story; how far it has come is kept in `file`."""
    hospital = story.hospital()
    if not story.context_sent:
        for some in batches(chain.from_iterable(hospital.context().values()), BATCH_EVENTS):
            channel.tell_context(some)
        story = replace(story, context_sent=True)
        story.keep(file)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("simulated days", total=story.days)
        told = 0
        for day, events in hospital.days():
            unsent = events[max(0, story.events_sent - told) :]
            told += len(events)
            for batch in _paced(unsent, fast or day < HISTORY_DAYS):
                channel.tell_events(batch)
                story = replace(story, events_sent=story.events_sent + len(batch))
                story.keep(file)
            progress.update(task, completed=day + 1)


def _paced(events: list[SimulatedEvent], fast: bool) -> Iterator[tuple[SimulatedEvent, ...]]:
    """Yield events in batches: at once, or an hour of the hospital's in a second and a half of ours."""
    if fast:
        yield from batches(events, BATCH_EVENTS)
        return
    waiting: list[SimulatedEvent] = []
    for event in events:
        if waiting and event.occurred_at_us // 600_000_000 != waiting[0].occurred_at_us // 600_000_000:
            yield tuple(waiting)
            time.sleep(SECONDS_AN_HOUR / 6)
            waiting = []
        waiting.append(event)
    if waiting:
        yield tuple(waiting)


def batches(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Yield items in tuples of `size`, the last one shorter."""
    rest = iter(items)
    while some := tuple(islice(rest, size)):
        yield some


def bundle(resources: Iterable[bytes]) -> bytes:
    """Return FHIR resources as one batch Bundle."""
    entries = b",".join(b'{"resource":%b}' % resource for resource in resources)
    return b'{"resourceType":"Bundle","type":"collection","entry":[%b]}' % entries


def _push(client: httpx.Client, path: str, body: bytes, media_type: str) -> None:
    """Post until the service says that it is durable; a full spool or a restart is waited out."""
    for _ in range(TRIES):
        try:
            answer = client.post(path, content=body, headers={"Content-Type": media_type})
        except httpx.TransportError:
            time.sleep(1)
            continue
        if answer.status_code not in (429, 502, 503, 504):
            answer.raise_for_status()
            return
        time.sleep(float(answer.headers.get("Retry-After", 1)))
    raise httpx.HTTPError("the service does not take events")
