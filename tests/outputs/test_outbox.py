"""The outbox: what is to be told is on disk first, once a story and output, in order, and bounded."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.alert import Severity
from streams.alert_json import alert_of
from streams.outbox import Outbox, Status
from streams.outputs.contract import Section, Trouble
from tests.outputs.receiving import START_US, an_alert

ALL = {"soc": Section(name="any")}


@pytest.fixture
def box(tmp_path: Path):
    box = Outbox(tmp_path)
    box.begin("")
    yield box
    box.close()


def take(box: Outbox, *alerts, sections=ALL, now_us: int = START_US) -> frozenset[str]:
    return box.take([alert.to_dict() for alert in alerts], f"={now_us}", sections, now_us)


def drain(box: Outbox, output: str = "soc") -> list[tuple[str, int]]:
    told = []
    while (entry := box.next(output)) is not None:
        told.append((entry.alert_id, entry.version))
        box.told(entry)
    return told


def test_an_alert_survives_json():
    """What the store keeps of an alert gives the very alert back."""
    for alert in (an_alert(), an_alert().as_late(), an_alert(reasons=(), patients=())):
        assert alert_of(alert.to_dict()) == alert


def test_each_output_is_told_in_order_and_once(box: Outbox):
    """Alerts that come again are not told again; every output has its own line."""
    first, second = an_alert("a"), an_alert("b")
    both = ALL | {"mail": Section(name="any")}
    assert take(box, first, second, sections=both) == {"soc", "mail"}
    assert drain(box) == [(first.id, 1), (second.id, 1)]
    assert take(box, first, second, sections=both) == frozenset()
    assert drain(box) == []
    assert drain(box, "mail") == [(first.id, 1), (second.id, 1)]


def test_a_story_that_grows_is_told_again(box: Outbox):
    """As an update of what was told; a state that nobody was told gives way to the newer one, at the end."""
    take(box, an_alert("a"))
    assert not box.next("soc").was_told
    box.told(box.next("soc"))
    take(box, an_alert("a", 2), an_alert("b"))
    assert box.next("soc").was_told
    take(box, an_alert("a", 3))
    assert drain(box) == [(an_alert("b").id, 1), (an_alert("a").id, 3)]


def test_a_newer_state_that_comes_during_a_try_still_waits(box: Outbox):
    """What was told is what was read, not what came meanwhile."""
    take(box, an_alert("a"))
    entry = box.next("soc")
    take(box, an_alert("a", 2))
    box.told(entry)
    assert (box.next("soc").version, box.next("soc").was_told) == (2, True)
    stale = entry
    box.failed(stale, Trouble.BUSY, is_over=True)
    assert box.next("soc").attempts == 0


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({}, [1, 2, 3, 4]),
        ({"updates": "first"}, [1]),
        ({"updates": "graver"}, [1, 3]),
        ({"min_severity": "high"}, [3, 4]),
        ({"min_severity": "critical"}, []),
    ],
)
def test_an_output_chooses_what_it_is_told(box: Outbox, section, told):
    """By severity, and by what changed since it was told."""
    sections = {"soc": Section(name="any", **section)}
    versions = []
    for version, severity in enumerate([Severity.MEDIUM, Severity.LOW, Severity.HIGH, Severity.HIGH], 1):
        take(box, an_alert("a", version, severity), sections=sections)
        versions += [version for _, version in drain(box)]
    assert versions == told


def test_alerts_of_a_backfill_can_be_left_out(box: Outbox):
    """They may be many, and old."""
    sections = {"soc": Section(name="soc"), "mail": Section(name="mail", late=False)}
    assert take(box, an_alert("a"), an_alert("b").as_late(), sections=sections) == {"soc", "mail"}
    assert (len(drain(box)), drain(box, "mail")) == (2, [(an_alert("a").id, 1)])


def test_what_is_given_up_lets_the_next_pass_and_can_be_driven_again(box: Outbox):
    """With the reason, in the order it is asked for; a newer state of the story takes its place."""
    take(box, an_alert("a"), an_alert("b"), an_alert("c"))
    for _ in range(2):
        box.failed(box.next("soc"), Trouble.REFUSED, is_over=True)
    assert drain(box) == [(an_alert("c").id, 1)]
    assert [(dead.alert_id, dead.code, dead.attempts) for dead in box.dead()] == [
        (an_alert("b").id, "refused", 1),
        (an_alert("a").id, "refused", 1),
    ]
    assert box.counts() == {"soc": {Status.DEAD: 2, Status.TOLD: 1}}
    take(box, an_alert("b", 2))
    assert box.redrive(reversed(box.dead("soc")), START_US) == 1
    assert drain(box) == [(an_alert("b").id, 2), (an_alert("a").id, 1)]
    assert box.redrive(box.dead(), START_US) == 0


def test_it_is_there_after_a_restart(tmp_path: Path):
    """Cursor, what waits, how often it was tried."""
    box = Outbox(tmp_path)
    assert box.cursor() is None
    box.begin("=1")
    box.begin("=2")
    assert box.cursor() == "=1"
    take(box, an_alert("a"), now_us=5)
    box.failed(box.next("soc"), Trouble.TIMEOUT, is_over=False)
    box.close()
    again = Outbox(tmp_path)
    assert (again.cursor(), again.next("soc").attempts, again.next("soc").code) == ("=5", 1, "timeout")
    assert again.next("soc").alert == an_alert("a")
    again.close()


def test_while_nobody_is_told_nothing_gathers(box: Outbox):
    """Outputs that are set up again begin with what is new then; what waited before is told first."""
    take(box, an_alert("a"))
    box.pause()
    assert box.cursor() is None
    box.begin("=7")
    assert box.cursor() == "=7"
    take(box, an_alert("b"))
    assert drain(box) == [(an_alert("a").id, 1), (an_alert("b").id, 1)]


def test_it_forgets_in_time(box: Outbox):
    """What was told or given up long ago; never what waits."""
    take(box, an_alert("a"), an_alert("b"), an_alert("c"), now_us=START_US)
    box.told(box.next("soc"))
    box.failed(box.next("soc"), Trouble.REFUSED, is_over=True)
    assert box.purge(START_US) == 0
    assert box.purge(START_US + 1) == 1
    assert box.counts() == {"soc": {Status.WAITING: 1}}


def test_it_is_bounded(box: Outbox, monkeypatch: pytest.MonkeyPatch):
    """Full, it takes nothing more; of what was given up the newest stay."""
    monkeypatch.setattr("streams.outbox.WAITING_MAX", 3)
    monkeypatch.setattr("streams.outbox.DEAD_MAX", 1)
    take(box, an_alert("a"), an_alert("b"))
    assert box.has_room()
    take(box, an_alert("c"))
    assert not box.has_room()
    for _ in range(3):
        box.failed(box.next("soc"), Trouble.REFUSED, is_over=True)
    assert box.has_room()
    assert box.purge(0) == 2
    assert [dead.alert_id for dead in box.dead()] == [an_alert("c").id]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["grow", "tell", "fail", "over", "redrive"])), max_size=40))
def test_whatever_happens_the_story_as_it_stands_is_told_at_last(tmp_path_factory, steps):
    """However growing, telling, failing and driving again interleave: nothing is lost, nothing goes back in time."""
    box = Outbox(tmp_path_factory.mktemp("box"))
    box.begin("")
    versions: dict[str, int] = {}
    told: dict[str, list[int]] = {}
    for name, step in steps:
        entry = box.next("soc")
        match step:
            case "grow":
                versions[name] = versions.get(name, 0) + 1
                take(box, an_alert(name, versions[name]))
            case "tell" if entry:
                told.setdefault(entry.alert_id, []).append(entry.version)
                box.told(entry)
            case "fail" | "over" if entry:
                box.failed(entry, Trouble.BUSY, is_over=step == "over")
            case "redrive":
                box.redrive(box.dead(), START_US)
    box.redrive(box.dead(), START_US)
    for id_, version in drain(box):
        told.setdefault(id_, []).append(version)
    assert {id_: found[-1] for id_, found in told.items()} == {an_alert(name).id: v for name, v in versions.items()}
    assert all(found == sorted(set(found)) for found in told.values())
    box.close()
