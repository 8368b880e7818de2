"""Tells alerts to the outside: what the store has anew into the outbox, and out of it to each output at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from sentinel.core.ids import derive
from sentinel.web.ports import UnavailableError
from streams.faults import path_of, report
from streams.outbox import Entry, Outbox, Status
from streams.outputs.contract import Clock, NotTakenError, Section, Sender, Telling, Trouble, telling

PAGE: Final = 1_000
POLL_SECONDS: Final = 30.0  # what a backfill in another process found is met no later
IDLE_SECONDS: Final = 5.0  # and what another process let wait again
RETRY_SECONDS: Final = 1.0  # the first wait; each is twice the one before
RETRY_SECONDS_MAX: Final = 900.0
ASKED_SECONDS_MAX: Final = 3_600.0  # a receiver may ask us to wait, but not for ever
HOUR_US: Final = 3_600_000_000
KEPT_US: Final = 90 * 24 * HOUR_US  # a story lasts a week, the log it may come from again another one
HOUSE_SECONDS: Final = 3_600.0
COUNT_SECONDS: Final = 5.0


class Alerts(Protocol):
    """Where alerts are asked for: the store's questions."""

    async def alerts_changed_since(self, tenant: str, cursor: str | None, *, limit: int) -> dict[str, Any]:
        """Return `{alerts, cursor}`, the oldest change first."""
        ...


class Changes(Protocol):
    """Tells when alerts were written."""

    async def wait(self) -> bool:
        """Return True when alerts may have been written since the last call, False when the service stops."""
        ...


@dataclass(frozen=True, slots=True)
class Outlet:
    """One output that is set up: of which kind it is, what was set, and who tells it."""

    kind: str
    section: Section
    sender: Sender
    _news: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.section.name

    def wake(self) -> None:
        """Say that something new waits."""
        self._news.set()

    async def wait(self, seconds: float) -> None:
        """Return when something new waits, or after so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()


class Delivery:
    """All outputs of one tenant. `on_counts` is told from time to time how many stories each output has, by status."""

    def __init__(
        self,
        tenant: str,
        alerts: Alerts,
        changes: Changes,
        outbox: Outbox,
        clock: Clock,
        on_counts: Callable[[dict[str, dict[Status, int]]], None] = lambda _counts: None,
    ) -> None:
        self._tenant, self._alerts, self._changes = tenant, alerts, changes
        self._outbox, self._clock, self._on_counts = outbox, clock, on_counts

    async def run(self, outlets: Mapping[str, Outlet]) -> None:
        """Deliver until cancelled; an output in trouble delays no other."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_persist("outbox-not-filled", partial(self._fill, outlets)))
                tasks.create_task(_persist("outbox-not-purged", self._keep_house))
                tasks.create_task(_persist("outbox-not-counted", self._count))
                for outlet in outlets.values():
                    tasks.create_task(_persist("output-failing", partial(self._deliver, outlet), outlet.name))
        finally:
            for outlet in outlets.values():
                await outlet.sender.close()

    async def _fill(self, outlets: Mapping[str, Outlet]) -> None:
        """Take what the store has anew, each time it has."""
        sections = {name: outlet.section for name, outlet in outlets.items()}
        cursor = await self._start()
        while True:
            has_room = await asyncio.to_thread(self._outbox.has_room)
            page = await self._alerts.alerts_changed_since(self._tenant, cursor, limit=PAGE) if has_room else {"alerts": []}
            if not page["alerts"] or page["cursor"] == cursor:
                await self._turn()
                continue
            cursor = page["cursor"]
            new = await asyncio.to_thread(self._outbox.take, page["alerts"], cursor, sections, self._clock.now_us())
            for name in new:
                outlets[name].wake()

    async def _start(self) -> str:
        """Return where to go on; the first time with outputs, after all that the store has."""
        cursor = await asyncio.to_thread(self._outbox.cursor)
        if cursor is not None:
            return cursor
        cursor = ""
        while (page := await self._alerts.alerts_changed_since(self._tenant, cursor, limit=PAGE))["alerts"]:
            cursor = page["cursor"]
        await asyncio.to_thread(self._outbox.begin, cursor)
        return cursor

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._changes.wait()
        except TimeoutError:
            pass

    async def _deliver(self, outlet: Outlet) -> None:
        """Tell one output what waits for it, in order: the next is tried when the one before is told or given up."""
        failures = 0
        while True:
            entry = await asyncio.to_thread(self._outbox.next, outlet.name)
            if entry is None:
                await outlet.wait(IDLE_SECONDS)
                continue
            trouble = await attempt(outlet, telling(outlet.section, entry.alert, is_update=entry.was_told))
            if trouble is None:
                failures = 0
                await asyncio.to_thread(self._outbox.told, entry)
                continue
            is_over = trouble.is_final or self._is_given_up(entry, outlet.section)
            await asyncio.to_thread(self._outbox.failed, entry, trouble.code, is_over=is_over)
            if trouble.is_final:
                continue
            failures += 1
            await asyncio.sleep(pause_seconds(entry, failures, trouble.retry_after_seconds))

    def _is_given_up(self, entry: Entry, section: Section) -> bool:
        age_us = self._clock.now_us() - entry.changed_us
        return entry.attempts + 1 >= section.attempts_max or age_us > section.age_hours_max * HOUR_US

    async def _count(self) -> None:
        while True:
            self._on_counts(await asyncio.to_thread(self._outbox.counts))
            await asyncio.sleep(COUNT_SECONDS)

    async def _keep_house(self) -> None:
        while True:
            gone = await asyncio.to_thread(self._outbox.purge, self._clock.now_us() - KEPT_US)
            if gone:
                report("dead-alerts-dropped", alerts=gone, intentional=True)
            await asyncio.sleep(HOUSE_SECONDS)


async def attempt(outlet: Outlet, told: Telling) -> NotTakenError | None:
    """Try once; return why it was not taken, None: it was."""
    try:
        async with asyncio.timeout(outlet.section.timeout_seconds):
            await outlet.sender.tell(told)
    except NotTakenError as error:
        return error
    except TimeoutError:
        return NotTakenError(Trouble.TIMEOUT)
    except Exception as error:  # noqa: BLE001 - a plug-in's fault must not end the others; its message may quote the alert
        report("output-failed", error, output=outlet.name)
        return NotTakenError(Trouble.FAILED)
    return None


def pause_seconds(entry: Entry, failures: int, asked_seconds: float = 0.0) -> float:
    """Return how long to wait after so many failures in a row: twice as long each time, spread by a quarter either way.

    The spread is derived from what is told, so that outputs that failed together don't come back together.
    """
    drawn = int(derive("pause", entry.output, entry.alert_id, str(entry.version), str(failures))[:8], 16) / 2**32
    grown = min(RETRY_SECONDS_MAX, RETRY_SECONDS * 2.0 ** min(failures - 1, 20))
    return max(grown * (0.75 + drawn / 2), min(asked_seconds, ASKED_SECONDS_MAX))


async def _persist(event: str, work: Callable[[], Awaitable[None]], output: str | None = None) -> None:
    """Do `work` again and again, whatever it raises: what fails now may go on in a while. The same failure is said once."""
    said = ""
    while True:
        try:
            await work()
        except UnavailableError:  # the worker starts, or is started again
            pass
        except Exception as error:  # noqa: BLE001 - telling goes on
            if said != path_of(error):
                report(event, error, output=output)
            said = path_of(error)
        await asyncio.sleep(RETRY_SECONDS)


@asynccontextmanager
async def delivering(delivery: Delivery, outlets: Mapping[str, Outlet]) -> AsyncIterator[None]:
    """Deliver in the background while inside."""
    task = asyncio.create_task(delivery.run(outlets))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
