"""Fragments of sentences that detectors share, in French and English."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import P_MIN, Column, Facts, Mask, Words, number

RARE_DAYS: Final = 0.003  # of a role's days
PATIENTS_A_DAY: Final = 10.0  # of somebody of whom no day is known yet


def percent(share: float) -> str:
    """Return a share as a short percentage: 0.034 gives "3.4"."""
    value = 100 * share
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def french(text: str) -> str:
    """Return a number as French writes it: with a comma."""
    return text.replace(".", ",")


def unexplained_fr_en(facts: Facts, i: int) -> tuple[str, str]:
    """Say how rarely this person opens a record without an ordinary reason."""
    share = facts["unexplained_share"][i]
    if np.isnan(share):
        return "", ""
    return (
        f" {french(percent(share))} % des consultations de cette personne sont sans raison ordinaire.",
        f" {percent(share)} % of this person's openings have no ordinary reason.",
    )


def trait(facts: Facts, i: int, rate: str, fr: str, en: str) -> Words:
    """Say that an unexplained opening concerns a record with a trait, and how often chance gives the trait."""
    share = float(facts.rate(rate)[i])
    why_fr, why_en = unexplained_fr_en(facts, i)
    return Words(
        observed=1,
        usual=Usual(actor=number(facts, "unexplained_share", i, 3), peers=round(share, 5)),
        fr=f"{fr} sans raison ordinaire trouvée ; {french(percent(share))} % de ces consultations par ses pairs "
        f"présentent ce lien.{why_fr}",
        en=f"{en} with no ordinary reason found; {percent(share)} % of such openings by their peers have this tie.{why_en}",
    )


def by_chance(facts: Facts, trait: str) -> Column:
    """Return the probability that one of the person's openings without a reason on an ordinary day has a trait, in (0, 1]."""
    own, peers = facts["unexplained_actor"], facts["unexplained_peers"]
    openings = np.fmax(np.where(np.isnan(own), peers, own), 1.0)
    return _once_among(facts.rate(trait), openings)


def within_a_day(facts: Facts, share: Column) -> Column:
    """Return the probability that an ordinary day of the person holds an opening of which `share` are, in (0, 1]."""
    own, peers = facts["patients_actor"], facts["patients_peers"]
    patients = np.where(np.isnan(own), np.where(np.isnan(peers), PATIENTS_A_DAY, peers), own)
    return _once_among(share, np.maximum(patients, 1.0))


def _once_among(share: Column, number: Column) -> Column:
    """Return the probability, in [`P_MIN`, 1], that chance gives what a share has to at least one of so many."""
    chance: Column = np.minimum(np.maximum(-np.expm1(-share * number), P_MIN), 1.0)
    return chance


def beyond_usual(facts: Facts, metric: str, minimum: int) -> Mask:
    """Return where a count of 24 h, `minimum` at least, is beyond the person's law, or reached on hardly any day of the role."""
    count = facts[f"{metric}_24h"]
    rare: Mask = (count >= minimum) & ((count > facts[f"{metric}_limit"]) | (facts[f"{metric}_exceed"] < RARE_DAYS))
    return rare


def volume(facts: Facts, i: int, metric: str, fr: str, en: str) -> Words:
    """Say how much was done in 24 h, beside this person's and their peers' ordinary days."""
    observed = number(facts, f"{metric}_24h", i, 0)
    own, peers = number(facts, f"{metric}_actor", i), number(facts, f"{metric}_peers", i)
    return Words(
        observed=observed,
        usual=Usual(own, peers),
        fr=f"{observed} {fr} en 24 h ; d'ordinaire {french(told(own))} par jour pour cette personne, "
        f"{french(told(peers))} pour ses pairs.",
        en=f"{observed} {en} in 24 h; usually {told(own)} a day for this person, {told(peers)} for peers.",
    )


def told(value: float | None) -> str:
    """Return a number for a sentence, "?" when it is not known yet."""
    return "?" if value is None else f"{value:g}"
