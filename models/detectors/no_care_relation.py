"""A record opened although nothing ordinary ties the person to the patient."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.phrases import french, percent, within_a_day
from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Column, Detector, Facts, Scope, Words, number
from sentinel.core.event import ActorType
from sentinel.core.facts.state import SHARE_PRIOR


def _share(facts: Facts) -> Column:
    """Return the person's usual share of such openings; that of anybody who is new."""
    share = facts["unexplained_share"]
    return np.where(np.isnan(share), SHARE_PRIOR, share)


def _say(facts: Facts, i: int) -> Words:
    known = float(facts["unexplained_share"][i])
    share = SHARE_PRIOR if np.isnan(known) else known
    return Words(
        observed=1,
        usual=Usual(actor=round(share, 4), peers=number(facts, "unexplained_peers", i)),
        fr=f"Aucun lien de soins trouvé ; {french(percent(share))} % des consultations de cette personne sont dans ce cas.",
        en=f"No relation of care found; {percent(share)} % of this person's openings are like this.",
    )


DETECTOR: Final = Detector(
    name="no_care_relation",
    title_fr="Aucun lien de soins",
    title_en="No relation of care",
    scope=Scope.PATIENT,
    card=Card(
        what="None of the declared reasons holds for this person and this patient.",
        why="Fabbri and LeFevre explain 94 % of accesses; what is left is where misuse hides.",
        false_positives="Advice and replacement that leave no trace: such a person's usual share is high, and the finding weak.",
        needs=("Encounter", "PractitionerRole"),
        references=("Fabbri and LeFevre, explanation-based auditing (2011, 2013)",),
    ),
    match=lambda f: f.unexplained & f.by(ActorType.HUMAN),
    p_value=lambda f: within_a_day(f, _share(f)),
    say=_say,
)
