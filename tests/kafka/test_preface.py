"""Context taken in together: each partition knows what it would know alone, whatever the others do."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sentinel.assembly import context_decoder
from sentinel.core.book import ContextBook, Pool
from sentinel.core.context import ContextRecord, Withdrawn
from streams.merging import Known
from streams.preface import Preface
from tests.kafka.assessing import hospital

PIECE = 7


def some_context() -> list[Known]:
    """A small hospital's, of which a part is withdrawn and told again."""
    decode, told = context_decoder(), hospital(1)[0]
    resources = [*told[:150], *told[-150:]]
    again = [(key, None) for key, _ in resources[100:200:3]] + resources[100:200:2]
    return [Known(0, at, decode(raw) if raw else [Withdrawn(key)]) for at, (key, raw) in enumerate([*resources, *again])]


CONTEXT = some_context()


def alone(known: Sequence[Known]) -> dict[str, Any]:
    """What somebody knows who takes it in alone."""
    book = ContextBook()
    book.apply(records(known))
    return said(book)


def records(known: Sequence[Known]) -> list[ContextRecord]:
    return [record for one in known for record in one.records]


def said(book: ContextBook) -> dict[str, Any]:
    """What a book says; where in its arrays, and how much room they have left, hangs on the pieces in which it was told."""
    tables = {"actors": (book.actors, book.actor_codes), "patients": (book.patients, book.patient_codes)}
    columns = {
        (name, column): np.nan_to_num(values[: len(codes)], nan=-1.0).tolist()
        for name, (table, codes) in {**tables, "units": (book.units, book.unit_codes)}.items()
        for column, values in table._asdict().items()
        if not column.endswith("_head")
    }
    pools = {
        "stays": entries(book.stays, book.patients.stay_head),
        "links": entries(book.links, book.patients.link_head),
        "positions": entries(book.positions, book.actors.position_head),
    }
    rest = [
        field.name for field in fields(book) if field.name not in {*tables, *pools, "units", "family_count", "stale", "numbered"}
    ]
    counts = book.family_count[: len(book.trait_codes)].tolist()
    return columns | pools | {name: deepcopy(getattr(book, name)) for name in rest} | {"family_count": counts}


def entries(pool: Pool, heads: NDArray[np.int64]) -> list[list[list[int]]]:
    """The entries of each owner in their order, and how many came from each resource."""
    columns = [values for column, values in pool.rows._asdict().items() if column != "next"]
    ids = sorted((id_, len(rows)) for id_, rows in pool.by_id.items())
    return [[[int(values[row]) for values in columns] for row in pool.entries(int(head))] for head in heads if head >= 0] + [ids]


STEPS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["know", "know", "know", "know", "leave"])), max_size=60)


@settings(max_examples=15, deadline=None)
@given(STEPS)
def test_each_knows_what_it_would_know_alone(steps: list[tuple[int, str]]) -> None:
    """Read at any pace, left at any place: the book is that of what one came past, and stays so while the others go on."""
    preface, past, left = Preface(ContextBook(), range(3)), [0, 0, 0], {}
    for reader, step in [*steps, (0, "leave"), (1, "leave"), (2, "leave")]:
        if reader in left:
            continue
        if step == "know":
            piece = CONTEXT[past[reader] : past[reader] + PIECE * (reader + 1)]
            preface.know(reader, piece)
            past[reader] += len(piece)
        else:
            left[reader] = preface.leave(reader)
    for reader, book in left.items():
        assert said(book) == alone(CONTEXT[: past[reader]])


def test_a_copy_goes_its_own_way() -> None:
    """What is told to either later is not known to the other: each ends as if it had been alone from the beginning."""
    first, rest = CONTEXT[:200], CONTEXT[200:]
    preface = Preface(ContextBook(), range(2))
    for reader in range(2):
        preface.know(reader, first)
    one, other = preface.leave(0), preface.leave(1)
    before = said(other)
    one.apply(records(rest))
    assert said(one) == alone(CONTEXT)
    assert said(other) == before == alone(first)
    other.apply(records(rest))
    assert said(other) == said(one)
