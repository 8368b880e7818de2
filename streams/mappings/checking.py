"""The tests in a mapping's file: what records become, held against what the author wrote."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import Final

from sentinel.core.errors import Rejection
from sentinel.core.event import EventRow, microseconds, moment
from streams.mappings.document import Mapping, Sample
from streams.mappings.encodings import Encoding
from streams.sources.contract import Source

_ALWAYS: Final = {"sub": "", "outcome": "success", "actor_type": "human", "resource_count": "1"}


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a test and the mapping differ. `what` is ours; `expected` and `found` may quote the sample."""

    test: str
    what: str
    expected: str = ""
    found: str = ""


def differences(mapping: Mapping, source: Source) -> list[Difference]:
    """Return where the tests and the mapping differ, in the tests' order; none: all is as written."""
    return [one for number, sample in enumerate(mapping.tests, 1) for one in _of_sample(mapping, source, sample, number)]


def _of_sample(mapping: Mapping, source: Source, sample: Sample, number: int) -> Iterator[Difference]:
    name = sample.name or f"test {number}"
    data = Encoding(mapping.encoding).encode(sample.record)
    decoded = source.decode(source.split(data) if source.split else [data])
    if len(decoded.rows) != len(sample.events):
        yield Difference(name, "events", str(len(sample.events)), str(len(decoded.rows)))
    for place, (row, expected) in enumerate(zip(decoded.rows, sample.events, strict=False), 1):
        yield from _of_event(name, f"event {place}", row, expected)
    refused = [_refusal(one) for one in decoded.rejections]
    wanted = sample.rejected or []
    if len(refused) != len(wanted) or not all(_fits(one, want) for one, want in zip(refused, wanted, strict=True)):
        yield Difference(name, "rejected", ", ".join(wanted), ", ".join(refused))
    if decoded.skipped != sample.skipped:
        yield Difference(name, "skipped", str(sample.skipped), str(decoded.skipped))


def _refusal(one: Rejection) -> str:
    return f"{one.code} {one.pointer}".strip()


def _fits(refused: str, wanted: str) -> bool:
    return refused == wanted or refused.partition(" ")[0] == wanted


def _of_event(test: str, which: str, row: EventRow, expected: Dictionary[str, str]) -> Iterator[Difference]:
    for name in sorted(expected.keys() - set(EventRow._fields)):
        yield Difference(test, f"{which}: there is no field {name}")
    for name, value in row._asdict().items():
        if name == "id" and "id" not in expected:
            continue  # a derived one is nobody's to know
        wanted = expected.get(name, _ALWAYS.get(name, ""))
        if str(value) != (str(_instant(wanted)) if name == "occurred_at" else wanted):
            yield Difference(test, f"{which}: {name}", wanted, str(value))


def _instant(text: str) -> int:
    try:
        return microseconds(moment(text))
    except ValueError:
        return -1
