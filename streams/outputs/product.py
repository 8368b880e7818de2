"""Who tells: what formats say of Sentinel itself, and how they say things that all of them say."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from streams.outputs.contract import Telling

VENDOR: Final = "Sentinel"
PRODUCT: Final = "Sentinel"
VERSION: Final = version("sentinel-access")
MS_US: Final = 1_000
_HEAD: Final = {
    "en": ("Who: ", "Patients: ", "First seen: ", "Last seen: ", "Why:", "No ordinary reason found among: "),
    "fr": ("Qui : ", "Patients : ", "Premier accès : ", "Dernier accès : ", "Pourquoi :", "Aucune raison ordinaire parmi : "),
}


def milliseconds(moment_us: int) -> int:
    """Return µs since 1970 as ms, rounded down."""
    return moment_us // MS_US


def described(telling: Telling, first: str, last: str) -> str:
    """Return the alert as text for people, with its times written as `first` and `last`."""
    alert = telling.alert
    who, patients, began, ended, why, tried = _HEAD[telling.language]
    of = f"{telling.patients} ({', '.join(alert.patients)})" if alert.patients else str(telling.patients)
    lines = [who + alert.actor, patients + of, began + first, ended + last, "", why]
    lines += [f"- {sentence}" for sentence in telling.sentences]
    lines += ["", tried + ", ".join(alert.not_explained_by)] if alert.not_explained_by else []
    lines += ["", telling.link] if telling.link else []
    return "\n".join(lines)
