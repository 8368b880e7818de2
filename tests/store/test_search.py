"""A search over the accesses: the same as looking through them by hand, page by page, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sentinel.core.event import EventRow
from sentinel.store.client import connect
from sentinel.store.migrate import migrate
from sentinel.store.questions import Questions
from sentinel.store.writer import Writer
from tests.store.making import DAY_US, START_US, TENANT, a_batch, an_assessment, some_events

Passes = Callable[[EventRow], bool]
ADDRESSES = ("10.1.0.1", "10.1.0.2", "2001:db8::A", "")


def told_more(row: EventRow, number: int) -> EventRow:
    return row._replace(
        client_address=ADDRESSES[number % 4],
        actor_rpps=f"1010000000{number % 3}",
        resource_type=("Patient", "DocumentReference", "")[number % 3],
        resource_id=f"doc-{number % 5}",
        application=("DPI", "")[number % 2],
    )


ROWS = [told_more(row, number) for number, row in enumerate(some_events(1_500, days=20))]
BATCH = a_batch(ROWS)
KEYS = [key.hex() for key in BATCH.key]


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Questions]:
    """A store of 1,500 events, and as many of another tenant."""
    connections = connect(f"chdb://{tmp_path_factory.mktemp('search') / 'store'}")
    migrate(connections.writer)
    writer = Writer(connections.writer)
    for batch in (BATCH, a_batch(ROWS, tenant="another")):
        writer.write(batch, an_assessment(batch))
    writer.flush()
    yield Questions(connections.reader())
    connections.close()


def found(questions: Questions, wanted: list[tuple[str, list[Any]]], limit: int, **asked: Any) -> list[str]:
    keys, after = [], None
    while True:
        page = questions.search(TENANT, wanted, limit=limit, after=after, **asked)
        keys += [access.key for access in page.accesses]
        if (after := page.next) is None:
            return keys


def by_hand(passes: Passes, *, latest_first: bool = True) -> list[str]:
    ranked = sorted(((row.occurred_at, key) for row, key in zip(ROWS, KEYS, strict=True) if passes(row)), reverse=latest_first)
    return [key for _, key in ranked]


WEEK = (START_US + 2 * DAY_US, START_US + 9 * DAY_US)
LATER = (START_US + 15 * DAY_US, START_US + 16 * DAY_US)
TESTS: list[tuple[list[tuple[str, list[Any]]], Passes]] = [
    ([], lambda _: True),
    ([("action", ["read", "export"])], lambda row: row.action in {"read", "export"}),
    (
        [("outcome", ["unknown"]), ("patient_id", ["patient-3"])],
        lambda row: (row.outcome, row.patient_id) == ("unknown", "patient-3"),
    ),
    ([("actor_id", ["actor-2", "nobody"])], lambda row: row.actor_id == "actor-2"),
    ([("actor_rpps", ["10100000001"])], lambda row: row.actor_rpps == "10100000001"),
    (
        [("actor_id_or_rpps", ["actor-2", "10100000001"])],
        lambda row: row.actor_id == "actor-2" or row.actor_rpps == "10100000001",
    ),
    ([("actor_type_and_id", [["human", "actor-1"]])], lambda row: (row.actor_type, row.actor_id) == ("human", "actor-1")),
    ([("actor_type", ["human"]), ("actor_id", ["actor-1"])], lambda row: (row.actor_type, row.actor_id) == ("human", "actor-1")),
    (
        [("resource_or_patient_id", ["doc-1", "patient-4"])],
        lambda row: row.resource_id == "doc-1" or row.patient_id == "patient-4",
    ),
    (
        [("patient", ["doc-1", "patient-4"])],
        lambda row: row.patient_id == "patient-4" or (row.resource_type, row.resource_id) == ("Patient", "doc-1"),
    ),
    (
        [("resource_type", ["DocumentReference"]), ("resource_id", ["doc-1"])],
        lambda row: (row.resource_type, row.resource_id) == ("DocumentReference", "doc-1"),
    ),
    ([("type_and_id", [["Patient", "patient-3"]])], lambda row: row.patient_id == "patient-3"),
    ([("type_and_id", [["Patient", "doc-1"]])], lambda row: (row.resource_type, row.resource_id) == ("Patient", "doc-1")),
    (
        [("type_and_id", [["", "doc-1"], ["", "patient-4"]])],
        lambda row: row.resource_id == "doc-1" or row.patient_id == "patient-4",
    ),
    ([("application", ["DPI"]), ("told", ["patient_id"])], lambda row: row.application == "DPI" and row.patient_id != ""),
    ([("empty", ["client_address"])], lambda row: not row.client_address),
    ([("address", ["10.1.0.2"])], lambda row: row.client_address == "10.1.0.2"),
    ([("address_begins", ["10.1.", "2001:db8::a"])], lambda row: bool(row.client_address)),
    ([("address_holds", ["0.2"])], lambda row: row.client_address == "10.1.0.2"),
    ([("occurred_within", [WEEK, LATER])], lambda row: any(begin <= row.occurred_at < end for begin, end in (WEEK, LATER))),
    ([("received_within", [WEEK])], lambda row: WEEK[0] <= row.occurred_at + 250_000 < WEEK[1]),
    ([("key", [KEYS[7], "0" * 32])], lambda row: row.id == "event-7"),
]


@pytest.mark.parametrize(
    ("wanted", "passes"), TESTS, ids=lambda told: "+".join(name for name, _ in told) if isinstance(told, list) else ""
)
def test_what_passes_all_tests_is_found_the_latest_first(questions: Questions, wanted: Any, passes: Passes) -> None:
    """And nothing of another tenant, which has the same events."""
    assert found(questions, wanted, limit=1_000) == by_hand(passes)


@pytest.mark.parametrize("latest_first", [True, False])
def test_pages_put_together_are_the_whole(questions: Questions, *, latest_first: bool) -> None:
    """Many events share a moment; none is told twice or left out at the edge of a page, whichever comes first."""
    wanted, passes = [("actor_id", ["actor-2"])], lambda row: row.actor_id == "actor-2" and WEEK[0] <= row.occurred_at < WEEK[1]
    told = found(questions, wanted, limit=7, since=WEEK[0], until=WEEK[1], latest_first=latest_first)
    assert told == by_hand(passes, latest_first=latest_first) != []


@pytest.mark.parametrize("wanted", [[("tenant", ["another"])], [("empty", ["tenant"])], [("told", ["1 OR 1 --"])]])
def test_nothing_else_can_be_asked(questions: Questions, wanted: Any) -> None:
    """Names of tests and columns are out of a few; all else is a parameter."""
    with pytest.raises(ValueError, match="no such"):
        questions.search(TENANT, wanted)


def test_what_is_asked_is_no_statement(questions: Questions) -> None:
    """Quotes, brackets and backslashes are characters of a value."""
    assert questions.search(TENANT, [("actor_id", ["actor-2') OR ('1' = '1", "\\", "{p0:String}"])]).accesses == []
