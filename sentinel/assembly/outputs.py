"""The way out of the embedded service: alerts to other systems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sentinel.core.errors import RefusedToStartError, SentinelError
from sentinel.core.plugins import discover

if TYPE_CHECKING:
    from sentinel.settings import Settings
    from streams.delivery import Outlet
    from streams.embedded import Service
    from streams.outbox import Outbox, Standing, Status
    from streams.outputs.contract import Format


def outlets(settings: Settings) -> dict[str, Outlet]:
    """Return the outputs that settings describe, set up; nothing connects before something is told.

    Raises:
        RefusedToStartError: one cannot be used as described.
    """
    if settings.outputs is None:
        return {}
    from streams.delivery import Outlet
    from streams.embedded import SystemClock
    from streams.outputs.contract import Output, Tools
    from streams.outputs.document import read

    kinds = discover("streams.outputs", "OUTPUT", Output)
    tools = Tools(alert_formats(), SystemClock())
    found = read(Path(settings.outputs), kinds)
    return {section.name: Outlet(kind.name, section, kind.open(section, tools)) for kind, section in found}


def alert_formats() -> dict[str, Format]:
    """Return the formats that alerts can be written in, by name."""
    from streams.outputs.contract import Format

    return discover("streams.outputs.formats", "FORMAT", Format)


def outputs(settings: Settings) -> list[Standing]:
    """Return how each output stands: those set up, and those that something is still kept for."""
    from streams.outbox import standing

    kinds = {name: outlet.kind for name, outlet in outlets(settings).items()}
    if not settings.data.is_dir():
        return standing({}, kinds)
    with outbox(settings) as box:
        return standing(box.counts(), kinds)


def try_output(settings: Settings, name: str) -> None:
    """Tell one output an alert about nobody, once.

    Raises:
        RefusedToStartError: there is no such output.
        SentinelError: it did not take it.
    """
    import asyncio

    from streams.delivery import attempt
    from streams.embedded import SystemClock
    from streams.outputs.contract import telling
    from streams.outputs.sample import sample

    found = outlets(settings)
    if name not in found:
        raise RefusedToStartError(f"no such output: {name} (there are: {', '.join(sorted(found)) or 'none'})")
    outlet = found[name]
    told = telling(outlet.section, sample(settings.tenant, SystemClock().now_us()), is_update=False)

    async def run() -> None:
        try:
            if (failed := await attempt(outlet, told)) is not None:
                raise SentinelError(f"{name}: not taken: {failed.code}")
        finally:
            await outlet.sender.close()

    asyncio.run(run())


def sample_alert(settings: Settings, format_name: str) -> str:
    """Return an alert about nobody in one of the formats.

    Raises:
        RefusedToStartError: there is no such format.
    """
    import json

    from streams.embedded import SystemClock
    from streams.outputs.contract import Section, Tools, format_of, telling
    from streams.outputs.sample import sample

    clock = SystemClock()
    found = format_of(format_name, Tools(alert_formats(), clock))
    told = found.render(telling(Section(name="sample"), sample(settings.tenant, clock.now_us()), is_update=False))
    return told if isinstance(told, str) else json.dumps(told, ensure_ascii=False, indent=2)


def redrive_outputs(settings: Settings, alerts: Sequence[str], output: str) -> int:
    """Let alerts that an output did not take wait again, those of `alerts` or all; return how many."""
    from streams.embedded import SystemClock
    from streams.outbox import DEAD_MAX

    with outbox(settings) as box:
        found = [one for one in reversed(box.dead(output, DEAD_MAX)) if not alerts or one.alert_id in alerts]
        return box.redrive(found, SystemClock().now_us())


@contextmanager
def outbox(settings: Settings) -> Iterator[Outbox]:
    """Open what waits to be told, in the service's folder; safe while it runs."""
    from streams.outbox import Outbox

    if not settings.data.is_dir():
        raise RefusedToStartError(f"there is no folder {settings.data}")
    box = Outbox(settings.data)
    try:
        yield box
    finally:
        box.close()


@contextmanager
def delivery(settings: Settings) -> Iterator[Callable[[Service], AbstractAsyncContextManager[None]]]:
    """Give what tells alerts to the outside while the service runs: nothing, where no outputs are named."""
    from streams.embedded import nowhere
    from streams.outbox import FILE

    if not (found := outlets(settings)):
        if (settings.data / FILE).exists():
            with outbox(settings) as box:
                box.pause()
        yield nowhere
        return
    from sentinel.web.ports import OutputVitals
    from streams.delivery import Delivery, delivering
    from streams.embedded import SystemClock
    from streams.outbox import standing

    kinds = {name: outlet.kind for name, outlet in found.items()}
    with outbox(settings) as box:
        if settings.store is None and not (settings.data / "store").exists():
            box.pause()  # there is no alert yet, or no more: each there will be is told
            box.begin("")

        def deliver(service: Service) -> AbstractAsyncContextManager[None]:
            def count(counts: dict[str, dict[Status, int]]) -> None:
                service.outputs = tuple(OutputVitals(x.name, x.waiting, x.told, x.dead) for x in standing(counts, kinds))

            alerts, changes = service.questions, service.changes_to_tell
            return delivering(Delivery(settings.tenant, alerts, changes, box, SystemClock(), count), found)

        yield deliver
