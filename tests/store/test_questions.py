"""The named questions: the same answers as counting by hand, page by page, and nothing of another tenant."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sentinel.core.alert import Severity, rfc3339
from sentinel.core.batch import EventBatch
from sentinel.store.answers import AccessPage
from sentinel.store.client import connect
from sentinel.store.migrate import migrate
from sentinel.store.questions import Order, Questions
from sentinel.store.writer import Writer
from tests.store.making import DAY_US, HOUR_US, START_US, TENANT, a_batch, an_alert, an_assessment, some_events


class Hospital:
    """A store with 3,000 events of two tenants, five alerts, and what was put into it."""

    def __init__(self, folder: object) -> None:
        self.connections = connect(f"chdb://{folder}")
        migrate(self.connections.writer)
        self.writer = Writer(self.connections.writer)
        self.questions = Questions(self.connections.reader())
        self.batch = self.keep(TENANT, seed=1)
        self.assessment = an_assessment(self.batch)
        self.keep("another", seed=2)
        self.writer.write_raw(TENANT, 0, [(at, "sentinel_json", b"\xff record %d" % at, START_US) for at in range(0, 3_000, 2)])
        self.writer.write_alerts(
            [
                an_alert(
                    f"story-{at}",
                    batch=self.batch.take(range(at * 10, at * 10 + 10)),
                    priority=float(at // 2),
                    severity=Severity.HIGH if at else Severity.LOW,
                    detectors=("bulk_export",) if at % 2 else ("vip_record", "same_household"),
                    actor=f"actor-{at}",
                    patients=("patient-1", f"patient-{at}"),
                    late=at == 2,
                )
                for at in range(5)
            ]
        )
        self.writer.write_alerts([an_alert("elsewhere", tenant="another")])
        self.writer.flush()

    def keep(self, tenant: str, seed: int) -> EventBatch:
        """Store 3,000 events of a tenant, in three micro-batches; return them in one."""
        for first in (0, 1_000, 2_000):
            rows = some_events(1_000, seed=seed + first, first=first)
            part = a_batch(rows, offset=first, tenant=tenant)
            self.writer.write(part, an_assessment(part, seed=first))
        whole = [row for first in (0, 1_000, 2_000) for row in some_events(1_000, seed=seed + first, first=first)]
        return a_batch(whole, tenant=tenant)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """One store for all questions of this file: they only read."""
    hospital = Hospital(tmp_path_factory.mktemp("questions") / "store")
    yield hospital
    hospital.connections.close()


def pages(ask: Callable[[str | None], AccessPage]) -> Iterator[AccessPage]:
    page = ask(None)
    yield page
    while page.next is not None:
        page = ask(page.next)
        yield page


def by_hand(hospital: Hospital, column: str, ids: set[str], since: int, until: int) -> list[str]:
    """Return the keys of the events in question, the latest first."""
    batch = hospital.batch
    found = [
        (int(batch.occurred_at[at]), batch.key[at].hex())
        for at in range(len(batch))
        if getattr(batch, column)[at] in ids and since <= batch.occurred_at[at] < until
    ]
    return [key for _, key in sorted(found, reverse=True)]


@pytest.mark.parametrize("limit", [1, 7, 1_000])
@pytest.mark.parametrize(
    ("question", "column", "ids"),
    [
        ("accesses_to_patient", "patient_id", {"patient-3", "patient-4", "nobody"}),
        ("accesses_by_actor", "actor_id", {"actor-2"}),
    ],
)
def test_pages_put_together_are_all_accesses_the_latest_first(
    hospital: Hospital, question: str, column: str, ids: set[str], limit: int
) -> None:
    """Many events share a moment; none is told twice or left out at the edge of a page."""
    since, until = START_US + 5 * DAY_US, START_US + (80 if limit > 1 else 15) * DAY_US
    ask = getattr(hospital.questions, question)
    found = list(pages(lambda before: ask(TENANT, list(ids), since=since, until=until, limit=limit, before=before)))
    assert all(len(page.accesses) <= limit for page in found)
    assert [access.key for page in found for access in page.accesses] == by_hand(hospital, column, ids, since, until)


def test_a_limit_is_bounded(hospital: Hospital) -> None:
    """Nobody gets the whole store at once."""
    everybody = [f"actor-{at}" for at in range(7)]
    assert len(hospital.questions.accesses_by_actor(TENANT, everybody, limit=10**9).accesses) == 1_000
    assert len(hospital.questions.accesses_by_actor(TENANT, everybody, limit=-1).accesses) == 1


def test_nothing_crosses_tenants(hospital: Hospital) -> None:
    """The same ids at another hospital are other people."""
    here, there = (hospital.questions.accesses_by_actor(tenant, ["actor-1"], limit=1_000) for tenant in (TENANT, "another"))
    assert not {access.key for access in here.accesses} & {access.key for access in there.accesses}
    assert hospital.questions.alert("another", "story-1") is None
    assert [alert["id"] for alert in hospital.questions.alerts("another").alerts] == ["elsewhere"]
    assert hospital.questions.counts("third").events == 0


def test_who_opened_a_record_is_summed_by_actor(hospital: Hospital) -> None:
    """First, last, how often, how often explained; the most recent first."""
    batch = hospital.batch
    of_patient = [at for at in range(len(batch)) if batch.patient_id[at] == "patient-9"]
    summary = hospital.questions.summary_of_patient(TENANT, ["patient-9"])
    assert {line.actor_id: line.count for line in summary} == Counter(batch.actor_id[at] for at in of_patient)
    times = {actor: [int(batch.occurred_at[at]) for at in of_patient if batch.actor_id[at] == actor] for actor in batch.actor_id}
    for line in summary:
        assert (line.first, line.last) == (rfc3339(min(times[line.actor_id])), rfc3339(max(times[line.actor_id])))
        assert 0 <= line.explained <= line.count
    assert [line.last for line in summary] == sorted((line.last for line in summary), reverse=True)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/St_Johns"])
def test_the_week_of_an_actor_is_the_sites(hospital: Hospital, zone: str) -> None:
    """Hours and days as the clock on the wall has them, across the change to summer time."""
    week = hospital.questions.hour_by_weekday(TENANT, ["actor-3"], timezone=zone)
    expected = [[0] * 24 for _ in range(7)]
    for at, actor in enumerate(hospital.batch.actor_id):
        if actor == "actor-3":
            there = datetime.fromtimestamp(int(hospital.batch.occurred_at[at]) / 1_000_000, UTC).astimezone(ZoneInfo(zone))
            expected[there.weekday()][there.hour] += 1
    assert week == expected


@pytest.mark.parametrize("order", ["priority", "time"])
def test_alerts_are_paged_in_order(hospital: Hospital, order: Order) -> None:
    """By priority, or the latest first; equal priorities are no obstacle."""
    found: list[dict[str, Any]] = []
    before: str | None = None
    while before is not None or not found:
        page = hospital.questions.alerts(TENANT, order=order, limit=2, before=before)
        found += page.alerts
        before = page.next
    assert len(found) == len({alert["id"] for alert in found}) == 5
    by = "priority" if order == "priority" else "last_seen"
    assert [alert[by] for alert in found] == sorted((alert[by] for alert in found), reverse=True)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"min_priority": 1.0}, {2, 3, 4}),
        ({"severity": "low"}, {0}),
        ({"detector": "same_household"}, {0, 2, 4}),
        ({"actor": "actor-3"}, {3}),
        ({"patient": "patient-4"}, {4}),
        ({"patient": "patient-1"}, {0, 1, 2, 3, 4}),
        ({"detector": "bulk_export", "actor": "actor-4"}, set()),
        ({"since": START_US + 300 * DAY_US}, set()),
        ({"until": START_US}, set()),
        ({"late": True}, {2}),
        ({"late": False, "severity": "high"}, {1, 3, 4}),
    ],
)
def test_alerts_are_found_by(hospital: Hospital, wanted: dict[str, object], found: set[int]) -> None:
    """Each filter narrows the queue."""
    assert {alert["id"] for alert in hospital.questions.alerts(TENANT, **wanted).alerts} == {f"story-{at}" for at in found}


def test_evidence_is_the_accesses_and_their_records(hospital: Hospital) -> None:
    """Oldest first; bytes that are no text are shown as such; a record that was not kept is None."""
    evidence = hospital.questions.evidence(TENANT, "story-3")
    assert {one.access.key for one in evidence} == {key.hex() for key in hospital.batch.key[30:40]}
    assert [one.access.occurred_at for one in evidence] == sorted(one.access.occurred_at for one in evidence)
    for one in evidence:
        offset = one.access.offset
        assert one.raw == (f"\\xff record {offset}" if offset % 2 == 0 else None)
    assert hospital.questions.evidence(TENANT, "no such story") == []


def test_counts_are_those_of_the_days(hospital: Hospital) -> None:
    """Events, accesses to patients, of these the explained ones, and alerts, by day and in all."""
    counts, batch = hospital.questions.counts(TENANT), hospital.batch
    assert (counts.events, counts.alerts) == (3_000, 5)
    assert counts.accesses == sum(patient != "" for patient in batch.patient_id)
    assert counts.explained == sum(day.explained for day in counts.days) / counts.accesses
    expected = Counter(rfc3339(int(moment))[:10] for moment in batch.occurred_at)
    assert {day.day: day.events for day in counts.days if day.events} == expected
    assert [day.day for day in counts.days] == sorted((day.day for day in counts.days), reverse=True)
    some = hospital.questions.counts(TENANT, since=START_US + DAY_US + HOUR_US, until=START_US + 3 * DAY_US)
    assert [day.day for day in some.days] == ["2026-03-03", "2026-03-02"]


def test_the_counts_do_not_read_the_accesses(hospital: Hospital) -> None:
    """The dashboard asks often: the sums by day are kept with each part, and must be what is used."""
    from sentinel.store import sql

    asked = {"tenant": TENANT, "since": START_US, "until": START_US + DAY_US}
    plan = hospital.connections.reader().query(f"EXPLAIN projections = 1 {sql.COUNTS}", parameters=asked).result_rows
    assert any("by_day" in line for (line,) in plan)


def test_an_actors_accesses_are_found_in_their_own_order(hospital: Hospital) -> None:
    """Not by reading everybody's."""
    from sentinel.store import sql

    asked = {"tenant": TENANT, "ids": ["actor-1"], "timezone": "UTC", "since": START_US, "until": START_US + DAY_US}
    plan = hospital.connections.reader().query(f"EXPLAIN projections = 1 {sql.HOUR_BY_WEEKDAY}", parameters=asked).result_rows
    assert any("by_actor" in line for (line,) in plan)


def test_answers_travel(hospital: Hospital) -> None:
    """To another process, and into JSON."""
    for answer in (
        hospital.questions.accesses_by_actor(TENANT, ["actor-1"], limit=50),
        hospital.questions.alerts_changed_since(TENANT),
        hospital.questions.counts(TENANT),
    ):
        assert pickle.loads(pickle.dumps(answer)) == answer
        assert json.loads(json.dumps(asdict(answer))) == asdict(answer)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda questions: questions.accesses_by_actor(TENANT, ["actor-1"], before="gibberish"),
        lambda questions: questions.alerts(TENANT, before="gibberish"),
        lambda questions: questions.alerts(TENANT, order="shuffled"),
        lambda questions: questions.alerts_changed_since(TENANT, "a=gibberish"),
        lambda questions: questions.hour_by_weekday(TENANT, ["actor-1"], timezone="Mars/Olympus"),
    ],
)
def test_a_cursor_an_order_or_a_zone_that_is_none_is_refused(hospital: Hospital, wrong: Callable[[Questions], object]) -> None:
    """Before anything is asked of the engine."""
    with pytest.raises(ValueError):  # noqa: PT011  whichever of them
        wrong(hospital.questions)


def test_ids_are_never_read_as_sql(hospital: Hospital) -> None:
    """Whatever an id looks like, it is an id."""
    for id_ in ("' OR 1 = 1 --", "\\'", "{tenant:String}", "%s", "patient-3'); DROP TABLE access; --", "\x00", "é\n"):
        assert hospital.questions.accesses_to_patient(TENANT, [id_]).accesses == []
        assert hospital.questions.alerts(TENANT, patient=id_).alerts == []
