"""What the model found, in words."""

from __future__ import annotations

from typing import Final

from sentinel.core.alert import Usual
from sentinel.core.detector import Words
from sentinel.core.model import Surprise

_FEATURES_FR: Final = {
    "events": "événements",
    "patients": "patients",
    "unexplained": "dossiers sans raison trouvée",
    "searches": "recherches",
    "writes": "écritures",
    "exports": "exports",
    "prints": "impressions",
    "off_hours": "événements hors horaires",
    "new_devices": "postes nouveaux",
    "applications": "applications nouvelles",
}


def surprise_in_words(surprise: Surprise) -> Words:
    """Say what made an hour unusual."""
    first = surprise.weighed[0]
    fr = ", ".join(
        f"{_FEATURES_FR.get(w.feature, w.feature)} : {w.observed:g} (d'ordinaire {_usual(w.usual_actor)})"
        for w in surprise.weighed
    )
    en = ", ".join(f"{w.feature.replace('_', ' ')}: {w.observed:g} (usually {_usual(w.usual_actor)})" for w in surprise.weighed)
    usual = Usual(_rounded(first.usual_actor), _rounded(first.usual_peers))
    return Words(
        _rounded(first.observed), usual, f"Heure inhabituelle dans son ensemble : {fr}.", f"An hour unusual as a whole: {en}."
    )


def _usual(value: float | None) -> str:
    return "?" if value is None else f"{value:.2g}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 2)
