"""The benchmark of formats reads what it writes."""

from __future__ import annotations

import pytest

from deploy.bench.sources import FORMATS, Format, accesses, main, measure
from sentinel.assembly import source


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_every_record_of_the_benchmark_is_read(one: Format) -> None:
    """None is refused, and each tells who did it: what is measured is the whole way to rows."""
    told = accesses(60)
    measured = measure(one, told)
    assert (measured.events, measured.rejected) == (54, 0)
    rows = source(one.source).decode([one.write(access) for access in told]).rows
    assert [row.actor_id for row in rows] == [access.person for access in told]


def test_the_benchmark_is_made_anew_alike() -> None:
    """The same accesses each time, so that two runs read the same bytes."""
    assert accesses(20) == accesses(20)


def test_one_format_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, with the events a CPU-second and those of a bare parser."""
    (row,) = main(["dicom_atna", "--records", "20"])
    assert f"{row.events_per_cpu_second:,}" in capsys.readouterr().out
