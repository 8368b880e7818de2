"""What the stages of the ordered pass share: how they are compiled, and the shapes of what they are given.

A stage stands in the file of its subject. numba's cache looks at the file of the function that was called and at no other
(a caller compiled before goes on with the old code of what it calls elsewhere): it is right all the same because
`sentinel/compiled.py` keeps the machine code of each version of the whole core in a folder of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sentinel.core.facts.state import (
    ActorTable,
    Clock,
    LinkPool,
    PairTable,
    PatientTable,
    PositionPool,
    RoleTable,
    StayPool,
    UnitTable,
)
from sentinel.lean import without

with without("scipy.linalg"):  # numba asks once whether it could multiply matrices with it, a sixth of a second for nothing here
    import_module("numba.np.arraymath")

F = TypeVar("F", bound=Callable[..., Any])

MINUTE_US: Final = 60_000_000

# A stage allocates nothing, and the pass holds every table while it runs: counting references to the hundred arrays
# again at each of its calls, which numba does unless told, would take fifteen times as long as the pass itself.
# Python never calls one: the wrappers with which it would, which unpack those arrays one by one, took a third of the time
# that all is compiled in.
_OPTIONS: Final[dict[str, Any]] = {"cache": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
stage: Final[Callable[[F], F]] = njit(**_OPTIONS)


class Columns(NamedTuple):
    """A micro-batch as the pass reads it: one element an event."""

    occurred_at: NDArray[np.int64]  # µs since 1970 UTC
    hour_bin: NDArray[np.int64]  # 0..47 in the site's time zone
    action: NDArray[np.int8]
    outcome: NDArray[np.int8]
    actor_type: NDArray[np.int8]
    actor: NDArray[np.int64]
    role: NDArray[np.int64]  # as told; the pass writes the one held
    unit: NDArray[np.int64]
    patient: NDArray[np.int64]
    device: NDArray[np.int64]
    application: NDArray[np.int64]
    site: NDArray[np.int64]
    records: NDArray[np.int64]
    sensitive: NDArray[np.bool_]
    outward: NDArray[np.bool_]  # to an open link or a removable device
    emergency: NDArray[np.bool_]  # break-glass, as an action or as a purpose
    oversight: NDArray[np.bool_]  # in Sentinel itself, where care is no reason and none is looked for


class Tables(NamedTuple):
    """All the state that the pass reads and moves."""

    actors: ActorTable
    patients: PatientTable
    units: UnitTable
    stays: StayPool
    links: LinkPool
    positions: PositionPool
    pairs: PairTable
    roles: RoleTable
    clock: Clock
    family_share: NDArray[np.float64]  # share of people with a family name
    knows_staff: bool  # anybody's position is on file


class Event(NamedTuple):
    """The event at hand, as every stage reads it; `i`: its place in the batch."""

    i: int
    at: int
    hour: int
    actor: int
    patient: int
    action: int
    succeeded: bool
    human: bool


class Opening(NamedTuple):
    """What the stages of a record's opening found of it. `pair`: the slot of person and patient; `last`: µs, 0: never."""

    pair: int
    last: int
    new_today: bool
    explained: int
    unexplained: bool
