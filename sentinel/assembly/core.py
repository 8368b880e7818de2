"""The core as settings want it: detectors, the online model, the pipeline of both, and what it knows of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sentinel.assembly.sigma import rule_set
from sentinel.core.detector import Detector
from sentinel.core.errors import RefusedToStartError
from sentinel.core.house_rules import NO_RULES, HouseRules
from sentinel.core.plugins import discover, enabled
from sentinel.lean import look_for_garbage_rarely

if TYPE_CHECKING:
    from models.online.session_trees import SessionTrees
    from sentinel.core.pipeline import Pipeline
    from sentinel.core.twin import Twin
    from sentinel.settings import Settings
    from streams.configuration_file import Configuration
    from streams.record import ContextDecoder

Configurations = tuple["Configuration | None", "Configuration | None"]
"""The champion's and the shadow's."""

MODEL_NAME: Final = "session_trees"


def detectors(names: Sequence[str] | None = None) -> list[Detector]:
    """Return the detectors called `names`; None: all found."""
    found = discover("models.detectors", "DETECTOR", Detector)
    return enabled(found, found if names is None else names)


def online_model(numbers: Mapping[str, float] | None = None) -> SessionTrees:
    """Return a fresh online model, with other numbers than its own.

    Raises:
        RefusedToStartError: it has no such number, or it cannot be so.
    """
    from models.online.session_trees import SessionTrees, SessionTreesSettings

    own = asdict(SessionTreesSettings())
    if unknown := sorted(set(numbers or {}) - own.keys()):
        raise RefusedToStartError(f"model: there is no number {', '.join(unknown)}")
    told: dict[str, Any] = {name: type(own[name])(value) for name, value in (numbers or {}).items()}
    try:
        return SessionTrees(settings=SessionTreesSettings(**told))
    except ValueError as error:
        raise RefusedToStartError(f"model: {error}") from None


def pipeline(
    settings: Settings, tenant: str | None = None, *, house_rules: HouseRules = NO_RULES, told: Configuration | None = None
) -> Pipeline:
    """Return the core as these settings and a configuration want it, for one tenant, under rules.

    Raises:
        RefusedToStartError: the configuration names what is not there.
    """
    from sentinel.core.pipeline import Pipeline

    found = detectors(settings.detectors)
    if told is None:
        model, budget = (online_model() if settings.model else None), settings.budget
        return Pipeline(tenant or settings.tenant, found, model, budget, settings.timezone, house_rules, sigma=rule_set(settings))
    runs = settings.model if told.model is None else told.model
    return Pipeline(
        tenant=tenant or settings.tenant,
        detectors=_configured(found, told),
        model=online_model(told.model_parameters) if runs else None,
        per_day=settings.budget if told.budget is None else told.budget,
        timezone=settings.timezone,
        house_rules=house_rules,
        configuration=told.version,
        sigma=rule_set(settings),
    )


def _configured(found: Sequence[Detector], told: Configuration) -> list[Detector]:
    from models.parameters import with_parameters

    named = {*told.off, *told.parameters}
    if missing := sorted(named - {detector.name for detector in found}):
        raise RefusedToStartError(f"configuration {told.name}: no such detector: {', '.join(missing)}")
    runs = [detector for detector in found if detector.name not in told.off]
    return [with_parameters(one, told.parameters[one.name]) if one.name in told.parameters else one for one in runs]


def configuration(path: str | None) -> Configuration | None:
    """Return what a file of a configuration says; None: there is no file.

    Raises:
        RefusedToStartError: it cannot be used.
    """
    if path is None:
        return None
    from streams.configuration_file import read

    return read(Path(path))


def promote(settings: Settings) -> Configuration:
    """Put the shadow's file in the place of the champion's, whose text before stays beside it; return what it says.

    Raises:
        RefusedToStartError: the settings do not name both, or the shadow's cannot be used.
    """
    told = configuration(settings.shadow)
    if told is None or settings.shadow is None or settings.configuration is None:
        raise RefusedToStartError("promote: SENTINEL_SHADOW names what is promoted, SENTINEL_CONFIGURATION where to")
    place = Path(settings.configuration)
    if place.exists():
        place.with_suffix(".before.yaml").write_bytes(place.read_bytes())
    part = place.with_suffix(".part")
    part.write_bytes(Path(settings.shadow).read_bytes())
    part.replace(place)
    return told


def twin(
    settings: Settings, tenant: str | None = None, *, house_rules: HouseRules = NO_RULES, told: Configurations = (None, None)
) -> Twin:
    """Return the core with its shadow, when the settings name one; `told`: what the files of both say."""
    from sentinel.core.twin import Twin

    champion, shadow = (partial(pipeline, settings, tenant, house_rules=house_rules, told=one) for one in told)
    return Twin(champion, None if settings.shadow is None else shadow)


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
