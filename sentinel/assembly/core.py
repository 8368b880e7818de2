"""The core as settings want it: detectors, the online model, the pipeline of both, and what it knows of people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sentinel.assembly.sigma import rule_set
from sentinel.core.detector import Detector
from sentinel.core.plugins import discover, enabled
from sentinel.lean import look_for_garbage_rarely

if TYPE_CHECKING:
    from models.online.session_trees import SessionTrees
    from sentinel.core.pipeline import Pipeline
    from sentinel.settings import Settings
    from streams.record import ContextDecoder

MODEL_NAME: Final = "session_trees"


def detectors(names: Sequence[str] | None = None) -> list[Detector]:
    """Return the detectors called `names`; None: all found."""
    found = discover("models.detectors", "DETECTOR", Detector)
    return enabled(found, found if names is None else names)


def online_model() -> SessionTrees:
    """Return a fresh online model."""
    from models.online.session_trees import SessionTrees

    return SessionTrees()


def pipeline(settings: Settings, tenant: str | None = None) -> Pipeline:
    """Return the core as these settings want it, for one tenant."""
    from sentinel.core.pipeline import Pipeline

    return Pipeline(
        tenant=tenant or settings.tenant,
        detectors=detectors(settings.detectors),
        model=online_model() if settings.model else None,
        per_day=settings.budget,
        timezone=settings.timezone,
        sigma=rule_set(settings),
    )


def context_decoder() -> ContextDecoder:
    """Return what turns a FHIR resource into context."""
    from streams.context.fhir import decode

    return decode


def prepare() -> None:
    """Make a process ready for many events: compile, or load, what the first would wait for; look for garbage rarely."""
    from sentinel.core.batch import Provenance, batch_of
    from sentinel.core.event import EPOCH, AccessEvent, Action, row_of
    from sentinel.core.pipeline import Pipeline

    moment = 1_700_000_000_000_000
    rows = [
        row_of(
            AccessEvent(
                id=str(n), occurred_at=EPOCH + timedelta(microseconds=at), action=Action.READ, actor_id="a", patient_id="p"
            )
        )
        for n, at in enumerate((moment, moment + 7_200_000_000, moment + 90_000_000_000))
    ]
    look_for_garbage_rarely()
    model = online_model()
    model.prepare()
    Pipeline("warm-up", detectors(), model).process(batch_of("warm-up", rows, Provenance("none")))
