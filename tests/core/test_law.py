"""The law of counts is scipy's, to more digits than an alert tells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betainc

from sentinel.core.event import COUNT_MAX
from sentinel.core.facts import law
from sentinel.core.facts.baselines import SHAPE_MAX, SHAPE_MIN, TAIL

COUNTS = st.integers(1, 1_000) | st.integers(1, COUNT_MAX)
MEANS = st.floats(1e-3, 1e3) | st.floats(1e-3, float(COUNT_MAX))
SHAPES = st.floats(SHAPE_MIN, SHAPE_MAX)


@given(COUNTS, MEANS, SHAPES)
@example(1, 1e-3, SHAPE_MIN)
@example(99, 100.0, 1.0)
@example(100, 100.0, 1.0)  # Stirling's series begins
@example(COUNT_MAX, float(COUNT_MAX), SHAPE_MAX)
def test_the_tail_is_scipy_s(count: int, mean: float, shape: float) -> None:
    """To nine digits among thousands, to six among billions, where the share itself has no more of them to tell."""
    share = mean / (shape + mean)
    told = float(law.tail(np.array(count), np.array(shape), np.array(share)))
    assert told == pytest.approx(betainc(count, shape, share), rel=1e-9 if max(count, mean) < 1e5 else 2e-6, abs=1e-200)


@given(st.lists(COUNTS, min_size=2, max_size=20), MEANS, SHAPES)
def test_the_tail_of_one_is_that_of_many(counts: list[int], mean: float, shape: float) -> None:
    """Whatever it is asked beside, and in whatever shape."""
    share = np.array(mean / (shape + mean))
    together = law.tail(np.array(counts)[:, None], np.full((1, 2), shape), share)
    assert together.shape == (len(counts), 2)
    for told, count in zip(together, counts, strict=True):
        assert told.tolist() == [float(law.tail(np.array(count), np.array(shape), share))] * 2


def test_what_is_not_known_has_no_tail() -> None:
    """NaN in, NaN out, beside others that are known."""
    told = law.tail(np.array([5.0, np.nan, 5.0, 5.0]), np.array([2.0, 2.0, np.nan, 2.0]), np.array([0.5, 0.5, 0.5, np.nan]))
    assert np.isnan(told).tolist() == [False, True, True, True]


def test_the_ends_of_the_law() -> None:
    """No shape: nothing is known; a share of nothing or of all: never, or always."""
    told = law.tail(np.full(4, 3.0), np.array([0.0, -1.0, 2.0, 2.0]), np.array([0.5, 0.5, 0.0, 1.0]))
    assert np.array_equal(told, [np.nan, np.nan, 0.0, 1.0], equal_nan=True)


@given(MEANS, SHAPES)
@example(law.SUMMED_UP_TO, SHAPE_MIN)
@example(float(COUNT_MAX), SHAPE_MAX)
def test_the_limit_is_scipy_s(mean: float, shape: float) -> None:
    """The least count that chance exceeds less often than that; exact among thousands."""
    limit = np.zeros((1, 1))
    law.write_limits(limit, np.full((1, 1), shape), np.full((1, 1), mean), TAIL)
    assert limit[0, 0] == pytest.approx(
        stats.nbinom.ppf(1.0 - TAIL, shape, shape / (shape + mean)), rel=0 if mean < 1e5 else 3e-6
    )


def test_no_limit_is_written_where_none_is_asked_for() -> None:
    """NaN says that there is no opinion."""
    limit = np.array([[np.nan, 0.0]])
    law.write_limits(limit, np.ones((1, 2)), np.ones((1, 2)), TAIL)
    assert np.isnan(limit[0, 0])
    assert limit[0, 1] == 13.0
