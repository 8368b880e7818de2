"""Rules asked of the store find what they found on the stream: one store, every rule that comes along, and texts that bite."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from models.sigma.checking import found_in
from models.sigma.history import query
from models.sigma.loading import SHIPPED_RULES, Loaded, load
from models.sigma.refusals import Reason, RuleRefusedError
from sentinel.core.batch import Assessment, EventBatch, Provenance, batch_of
from sentinel.core.event import EventRow
from sentinel.core.facts.declare import FACTS
from sentinel.store.client import connect
from sentinel.store.migrate import migrate
from sentinel.store.questions import Questions
from sentinel.store.writer import Writer
from tests.builders import an_event, on

BITING = r"""
title: Texts that bite
name: biting
taxonomy: sentinel
logsource: {product: sentinel, service: access}
detection:
  quote: {device: "o'brien\\ 100%_{x}"}
  wild: {device|contains: "%_"}
  single: {resource_id: "a?c"}
  cased: {application|cased: PSQL}
  pattern: {reason|re: '^INC-\d+$'}
  many: {resource_count|gte: 500}
  morning: {occurred_at|hour: 7}
  condition: 1 of them
level: low
"""
TRAIL = """
title: Trail stopped
name: trail
logsource: {service: cloudtrail}
detection:
  stopped: {eventName: StopLogging, userIdentity.arn|endswith: /x, responseElements: null}
  failed: {errorCode|contains: '*'}
  word: [beehive]
  condition: stopped and not failed or word
level: high
"""
RECORDS = (
    b'{"eventName": "stoplogging", "userIdentity": {"arn": "arn:aws:iam::1:user/x"}}',
    b'{"detail": {"eventName": "StopLogging", "userIdentity": {"arn": "u/x"}}}',
    b'{"eventName": "StopLogging", "userIdentity": {"arn": "u/x"}, "errorCode": "AccessDenied"}',
    b'{"eventName": "GetTrail", "requestParameters": {"name": "the-Beehive-1"}}',
    b'{"eventName": "GetTrail", "requestParameters": 7}',
)
ON_FACTS = ("sigma:service_account_from_new_host", "sigma:export_by_technician")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "biting.yml").write_text(BITING, encoding="utf-8")
    (folder / "trail.yml").write_text(TRAIL, encoding="utf-8")
    return load([SHIPPED_RULES, folder])


@pytest.fixture(scope="module")
def batch() -> EventBatch:
    return batch_of("ch", list(_events()), Provenance("test", on(9), 0, np.arange(len(list(_events()))), 0))


def _trails(loaded: Loaded) -> EventBatch:
    rows = [an_event("update", on(4), id=f"t{n}", marks=loaded.markers()["aws_cloudtrail"](raw)) for n, raw in enumerate(RECORDS)]
    offsets = np.arange(1_000, 1_000 + len(rows))
    return batch_of("ch", rows, Provenance("aws_cloudtrail", on(9), 0, offsets, 0))


def _events() -> Iterator[EventRow]:
    for n in range(10):
        yield an_event("login-failed", on(0, 9, n / 3), actor_id="guess", outcome="minor-failure")
        yield an_event("read", on(0, 10, n), actor_id="doors", outcome="minor-failure", patient_id=f"p{n % 7}")
    yield an_event("login", on(0, 9, 5), actor_id="guess")
    yield an_event("login", on(0, 9, 50), actor_id="guess")
    yield an_event("permission-change", on(1, 8), actor_id="admin", resource_type="group")
    yield an_event("export", on(1, 12), actor_id="admin", patient_id="p1")
    yield an_event("break-glass", on(1, 23), actor_id="clerk", actor_role="Secrétaire", patient_id="p2")
    yield an_event("export", on(1, 23, 30), actor_id="clerk", patient_id="p2")
    yield an_event(
        "export", on(1, 23, 40), actor_id="clerk", patient_id="p3", destination="removable", resource_sensitivity="PSY"
    )
    yield an_event("share", on(2), destination="link", patient_id="p4")
    yield an_event("delete", on(2), resource_type="audit-log", reason="INC-12")
    yield an_event("read", on(2), application="PSQL", resource_id="public.patient", resource_count=900)
    yield an_event("read", on(2), application="psql", resource_id="abc")
    yield an_event("read", on(2, 6), actor_type="service", client_address="203.0.113.9", device="o'brien\\ 100%_{x}")
    yield an_event("read", on(2), actor_type="service", client_address="10.0.0.9", device="pct")
    yield an_event("execute", on(3), resource_type="/usr/bin/pg_dump", reason="INC-12 x")


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory, batch: EventBatch, loaded: Loaded) -> Iterator[Questions]:
    connections = connect(f"chdb://{tmp_path_factory.mktemp('history') / 'store'}")
    migrate(connections.writer)
    writer = Writer(connections.writer)
    for some in (batch, _trails(loaded)):
        writer.write(some, Assessment([""] * len(some), np.full(len(some), np.nan, np.float32)))
    writer.write_raw("ch", 0, [(1_000 + n, "aws_cloudtrail", raw, on(9)) for n, raw in enumerate(RECORDS)])
    writer.flush()
    yield Questions(connections.reader())
    connections.close()


def _asked(questions: Questions, loaded: Loaded, name: str) -> list[str]:
    asked = query(loaded, name)
    found = questions.events_of_rule("ch", asked.text, asked.parameters | {"timezone": "Europe/Paris"}, limit=10_000)
    return sorted(str(one["key"]) for one in found)


def test_history_and_the_stream_find_the_same(loaded: Loaded, batch: EventBatch, questions: Questions) -> None:
    """Every rule, correlations among them, finds in history the very events that it finds on the stream."""
    facts = np.full((len(FACTS), len(batch)), np.nan, np.float32)
    live: dict[str, set[str]] = {}
    for at, name in found_in(loaded.rule_set, batch, facts, ZoneInfo("Europe/Paris")):
        live.setdefault(name, set()).add(batch.key[at].hex())
    trails = _trails(loaded)
    live["sigma:trail"] = {trails.key[at].hex() for at, marks in enumerate(trails.marks) if marks}
    assert len(live["sigma:trail"]) == 3
    stored = [one.name for one in loaded.rule_set.patterns if one.name not in ON_FACTS]
    history = {name: _asked(questions, loaded, name) for name in stored}
    assert history == {name: sorted(live.get(name, set())) for name in history}
    assert sum(map(bool, history.values())) >= 11


def test_facts_are_refused(loaded: Loaded) -> None:
    """History keeps events, not facts: a rule on a fact is refused, and says so."""
    for name in ON_FACTS:
        with pytest.raises(RuleRefusedError) as refused:
            query(loaded, name)
        assert refused.value.reason is Reason.NOT_STORED


def test_nothing_a_rule_says_is_in_the_statement(loaded: Loaded) -> None:
    """Texts of rules are bound, never written into the statement."""
    asked = query(loaded, "sigma:biting")
    assert "brien" not in asked.text
    assert "o'brien\\ 100%_{x}" in asked.parameters.values()
