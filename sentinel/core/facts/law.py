"""The law of counts: gamma-Poisson (negative binomial), its tail and the count that chance seldom exceeds, compiled.

scipy has both and takes a third of a second to import, which each process would pay at its start; a property test holds
these equal to its own.
"""

from __future__ import annotations

from math import exp, lgamma, log, log1p
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SUMMED_UP_TO: Final = 1_000.0  # a mean: beyond it the law is halved down to the count rather than summed up to it
STEPS_MAX: Final = 1_000_000  # of the fraction, which takes about the square root of the count
SMALL: Final = 1e-300  # stands for 0 where a division follows
PRECISION: Final = 1e-15
STIRLING_FROM: Final = 100.0


def tail(count: Floats, shape: Floats, share: Floats) -> Floats:
    """Return P(X ≥ count), in [0, 1], of counts ≥ 1: arrays of one shape, or that broadcast to one; NaN gives NaN.

    `share` is mean ÷ (shape + mean). There is no law without a shape: 0 gives NaN.
    """
    counts, shapes, shares = np.broadcast_arrays(count, shape, share)
    out = np.empty(counts.shape)
    _write_tails(out.reshape(-1), *(given.astype(np.float64).ravel() for given in (counts, shapes, shares)))
    return out


def write_limits(limit: Floats, shape: Floats, mean: Floats, rare: float) -> None:
    """Write, where `limit` is not NaN, the least count with P(X > count) ≤ `rare`; arrays of (rows, columns)."""
    _write_limits(limit, shape, mean, rare)


@njit(cache=True)
def _write_tails(out: Any, count: Any, shape: Any, share: Any) -> None:
    for i in range(len(out)):
        out[i] = _tail(count[i], shape[i], share[i])


@njit(cache=True)
def _write_limits(limit: Any, shape: Any, mean: Any, rare: float) -> None:
    for i in range(limit.shape[0]):
        for m in range(limit.shape[1]):
            if np.isnan(limit[i, m]):
                continue
            if mean[i, m] <= SUMMED_UP_TO:
                limit[i, m] = _summed_up(shape[i, m], mean[i, m], rare)
            else:
                limit[i, m] = _halved_down(shape[i, m], mean[i, m], rare)


@njit(cache=True)
def _summed_up(shape: float, mean: float, rare: float) -> float:
    """The terms of the law follow from one another, and counts are small: a twentieth of the time of any other way."""
    share = mean / (shape + mean)
    total = term = (1.0 - share) ** shape
    k = 0
    while total < 1.0 - rare:
        term *= share * (k + shape) / (k + 1)
        total += term
        k += 1
    return float(k)


@njit(cache=True)
def _halved_down(shape: float, mean: float, rare: float) -> float:
    share = mean / (shape + mean)
    low, high = 0.0, np.ceil(mean)
    while _tail(high + 1.0, shape, share) > rare:
        low, high = high, 2.0 * high
    while high - low > 1.0:
        middle = np.floor((low + high) / 2.0)
        if _tail(middle + 1.0, shape, share) > rare:
            low = middle
        else:
            high = middle
    return float(high)


@njit(cache=True)
def _tail(count: float, shape: float, share: float) -> float:
    """P(X ≥ k) is the incomplete beta function I_share(k, shape); DLMF 8.17.4 turns it where its fraction is slow."""
    if np.isnan(count + shape + share) or shape <= 0.0:
        return np.nan
    if share <= 0.0 or share >= 1.0:
        return min(max(share, 0.0), 1.0)
    if share < (count + 1.0) / (count + shape + 2.0):
        return exp(_log_mass(count, shape, share)) * _fraction(count, shape, share)
    return 1.0 - exp(_log_mass(count, shape, share)) * count / shape * _fraction(shape, count, 1.0 - share)


@njit(cache=True)
def _log_mass(count: float, shape: float, share: float) -> float:
    """Return the logarithm of P(X = count)."""
    return _log_ratio(count, shape) - lgamma(shape) + count * log(share) + shape * log1p(-share)


@njit(cache=True)
def _log_ratio(count: float, shape: float) -> float:
    """Return log Γ(count + shape) − log Γ(count + 1); by Stirling's series where the difference would lose digits."""
    a, b = count + shape, count + 1.0
    if count < STIRLING_FROM:
        return lgamma(a) - lgamma(b)
    series = (1.0 / a - 1.0 / b) / 12.0 - (1.0 / a**3 - 1.0 / b**3) / 360.0 + (1.0 / a**5 - 1.0 / b**5) / 1260.0
    return (b - 0.5) * log1p((shape - 1.0) / b) + (shape - 1.0) * (log(a) - 1.0) + series


@njit(cache=True)
def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of I_x(a, b), DLMF 8.17.22, by Lentz's method, two terms a step."""
    d = 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > SMALL else SMALL)
    c, result = 1.0, d
    for m in range(1, STEPS_MAX):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0)),
        ):
            d = 1.0 + term * d
            c = 1.0 + term / c
            d = 1.0 / (d if abs(d) > SMALL else SMALL)
            c = c if abs(c) > SMALL else SMALL
            result *= c * d
        if abs(c * d - 1.0) < PRECISION:
            break
    return result
