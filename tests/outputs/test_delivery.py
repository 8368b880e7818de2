"""Delivery: from the store's changes to each output, at its own pace, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from streams import delivery as module
from streams.delivery import Delivery, Outlet, delivering, pause_seconds
from streams.outbox import Outbox, Status
from streams.outputs.contract import NotTakenError, Section, Telling, Trouble
from tests.outputs.receiving import Clock, an_alert


class MemoryAlerts:
    """The store's changes: a cursor is a place in the list."""

    def __init__(self) -> None:
        self.written: list = []
        self.turned = asyncio.Event()

    def write(self, *alerts) -> None:
        """Write alerts."""
        self.written += [alert.to_dict() for alert in alerts]
        self.turned.set()

    async def alerts_changed_since(self, _tenant: str, cursor: str | None, *, limit: int):
        """See the port."""
        at = int(cursor or 0)
        page = self.written[at : at + min(limit, 2)]
        return {"alerts": page, "cursor": str(at + len(page))}

    async def wait(self) -> bool:
        """See the port."""
        await self.turned.wait()
        self.turned.clear()
        return True


class MemorySender:
    """Keeps what it is told; fails as `failures` says."""

    def __init__(self, failures: list[Exception | None] | None = None) -> None:
        self.told: list[Telling] = []
        self.tried: list[str] = []
        self.failures = failures or []
        self.closed = False

    async def tell(self, telling: Telling) -> None:
        """See the port."""
        self.tried.append(telling.id)
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.told.append(telling)

    async def close(self) -> None:
        """See the port."""
        self.closed = True


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)


@pytest.fixture
def box(tmp_path: Path):
    box = Outbox(tmp_path)
    yield box
    box.close()


def outlets(**senders) -> dict[str, Outlet]:
    return {name: Outlet("any", Section(name=name, timeout_seconds=0.2), sender) for name, sender in senders.items()}


def told_names(sender: MemorySender) -> list[tuple[str, int]]:
    names = {an_alert(name).id: name for name in "abcdef"}
    return [(names[telling.alert.id], telling.alert.version) for telling in sender.told]


def test_outputs_are_told_what_is_written_from_then_on(box: Outbox):
    """Not what the store had before there were outputs; updates as such."""

    async def run() -> MemorySender:
        alerts, sender = MemoryAlerts(), MemorySender()
        alerts.write(an_alert("a"), an_alert("b"), an_alert("c"))
        async with delivering(Delivery("default", alerts, alerts, box, Clock()), outlets(soc=sender)):
            await until(lambda: box.cursor() == "3")
            alerts.write(an_alert("d"), an_alert("e"), an_alert("f"))
            await until(lambda: len(sender.told) == 3)
            alerts.write(an_alert("d", 2))
            await until(lambda: len(sender.told) == 4)
        return sender

    sender = asyncio.run(run())
    assert told_names(sender) == [("d", 1), ("e", 1), ("f", 1), ("d", 2)]
    assert [telling.is_update for telling in sender.told] == [False, False, False, True]
    assert sender.closed


def test_from_the_first_alert_on_where_there_was_none(box: Outbox):
    """A new folder: what is written before the first look is told."""

    async def run() -> MemorySender:
        alerts, sender = MemoryAlerts(), MemorySender()
        box.begin("")
        alerts.write(an_alert("a"))
        async with delivering(Delivery("default", alerts, alerts, box, Clock()), outlets(soc=sender)):
            await until(lambda: len(sender.told) == 1)
        return sender

    assert told_names(asyncio.run(run())) == [("a", 1)]


def test_a_try_that_fails_is_made_again_in_order_under_the_same_id(box: Outbox):
    """Whatever the failure: an answer, a time-out, a fault of the output's own. What follows waits its turn."""

    class Slow(MemorySender):
        async def tell(self, telling: Telling) -> None:
            """Take too long once."""
            if len(self.tried) == 1:
                self.tried.append(telling.id)
                await asyncio.sleep(10)
            await super().tell(telling)

    failures = [NotTakenError(Trouble.UNREACHABLE), ValueError("PLANTED"), NotTakenError(Trouble.BUSY, retry_after_seconds=0.05)]

    async def run() -> MemorySender:
        alerts, sender = MemoryAlerts(), Slow(list(failures))
        box.begin("")
        alerts.write(an_alert("a"), an_alert("b"))
        async with delivering(Delivery("default", alerts, alerts, box, Clock()), outlets(soc=sender)):
            await until(lambda: len(sender.told) == 2)
        return sender

    sender = asyncio.run(run())
    assert told_names(sender) == [("a", 1), ("b", 1)]
    assert len(sender.tried) == 6
    assert len(set(sender.tried)) == 2


def test_a_fault_is_said_without_what_it_was_about(box: Outbox, capsys: pytest.CaptureFixture[str]):
    """The log has the place and the class, never the message."""

    async def run() -> None:
        alerts, sender = MemoryAlerts(), MemorySender([ValueError("PLANTED dr-martin")])
        box.begin("")
        alerts.write(an_alert("a"))
        async with delivering(Delivery("default", alerts, alerts, box, Clock()), outlets(soc=sender)):
            await until(lambda: len(sender.told) == 1)

    asyncio.run(run())
    said = "".join(capsys.readouterr())
    assert "ValueError" in said
    assert "PLANTED" not in said


def test_an_output_in_trouble_delays_no_other(box: Outbox):
    """Each has its own line and pace."""

    async def run() -> tuple[MemorySender, MemorySender]:
        alerts, good, bad = MemoryAlerts(), MemorySender(), MemorySender([NotTakenError(Trouble.UNREACHABLE)] * 1_000)
        box.begin("")
        alerts.write(an_alert("a"), an_alert("b"))
        async with delivering(Delivery("default", alerts, alerts, box, Clock()), outlets(good=good, bad=bad)):
            await until(lambda: len(good.told) == 2)
        return good, bad

    good, bad = asyncio.run(run())
    assert (len(good.told), bad.told) == (2, [])
    assert box.counts()["bad"] == {Status.WAITING: 2}


def test_a_message_that_is_refused_becomes_a_dead_letter_and_the_next_is_told(box: Outbox):
    """The same again would be refused again."""

    async def run() -> MemorySender:
        alerts, sender = MemoryAlerts(), MemorySender([NotTakenError(Trouble.REFUSED, is_final=True)])
        box.begin("")
        alerts.write(an_alert("a"), an_alert("b"))
        async with delivering(Delivery("default", alerts, alerts, box, Clock()), outlets(soc=sender)):
            await until(lambda: len(sender.told) == 1)
        return sender

    assert told_names(asyncio.run(run())) == [("b", 1)]
    assert [(dead.alert_id, dead.code) for dead in box.dead()] == [(an_alert("a").id, "refused")]


class Hurried(Clock):
    """An hour goes by at each look."""

    def now_us(self) -> int:
        """See the port."""
        self.us += 3_600_000_000
        return self.us


@pytest.mark.parametrize(
    ("clock", "section", "tries"),
    [(Clock(), {"attempts_max": 3}, 3), (Hurried(), {"age_hours_max": 0.5}, 1)],
    ids=["often", "long"],
)
def test_what_was_tried_too_often_or_for_too_long_is_given_up(box: Outbox, clock: Clock, section: dict, tries: int):
    """It stays as a dead letter with the last reason, and is told when it is driven again."""

    async def run(failures: list, holds: Callable[[MemorySender], bool]) -> MemorySender:
        alerts, sender = MemoryAlerts(), MemorySender(failures)
        alerts.write(an_alert("a"))
        found = {"soc": Outlet("any", Section(name="soc", **section), sender)}
        async with delivering(Delivery("default", alerts, alerts, box, clock), found):
            await until(lambda: holds(sender))
        return sender

    box.begin("")
    sender = asyncio.run(run([NotTakenError(Trouble.BUSY)] * 9, lambda _: bool(box.dead())))
    assert (sender.told, len(sender.tried)) == ([], tries)
    assert (box.dead()[0].code, box.dead()[0].attempts) == ("busy", tries)
    box.redrive(box.dead(), clock.us)
    assert told_names(asyncio.run(run([], lambda sender: bool(sender.told)))) == [("a", 1)]
    assert box.dead() == []


def test_pauses_double_up_to_a_quarter_of_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Spread by the id and the try, the same each time; a receiver that asks for more is given it, within an hour."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 1.0)
    box = Outbox(tmp_path)
    box.begin("")
    box.take([an_alert("a").to_dict(), an_alert("b").to_dict()], "=1", {"soc": Section(name="any")}, 0)
    entry = box.next("soc")
    pauses = [pause_seconds(entry, failures) for failures in range(1, 40)]
    for failures, pause in enumerate(pauses):
        grown = min(900.0, 2.0**failures)
        assert 0.75 * grown <= pause <= 1.25 * grown
    assert pauses == [pause_seconds(entry, failures) for failures in range(1, 40)]
    assert len({round(pause / min(900.0, 2.0**n), 6) for n, pause in enumerate(pauses)}) == len(pauses)
    assert pause_seconds(entry, 1, 120) == 120
    assert pause_seconds(entry, 1, 10**9) == 3_600
    box.close()
