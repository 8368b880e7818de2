"""The declared, ordinary reasons for opening a record. Written by people, never mined from data.

Each reason is one entry: its name, its window around what it refers to, and its words. The compiled
pass (`facts/reasons.py`) tries them in this order and keeps the first that holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final
from unicodedata import combining, normalize

from sentinel.core.context import LinkKind
from sentinel.core.event import DAY_US


class ExplanationCode(IntEnum):
    """What the pass writes: 0 none was found; the others index `EXPLANATIONS`."""

    NONE = 0
    PATIENT_REQUEST = 1
    STAY_IN_UNIT = 2
    PLANNED_IN_UNIT = 3
    APPOINTMENT = 4
    ENCOUNTER = 5
    CARE_TEAM = 6
    GENERAL_PRACTITIONER = 7
    ORDER = 8
    RESULT = 9
    OWN_ACT = 10
    TRANSVERSAL_ROLE = 11
    CODING_BILLING = 12
    INTERFACE = 13


@dataclass(frozen=True, slots=True)
class Explanation:
    """One ordinary reason. `before`, `after`: days around what it refers to within which it holds."""

    code: ExplanationCode
    name: str
    before_days: float
    after_days: float
    fr: str
    en: str

    @property
    def needs(self) -> str:
        """The FHIR resources that tell what it refers to; empty: the events alone."""
        return _NEEDS.get(self.code, "")


_NEEDS: Final = {
    ExplanationCode.STAY_IN_UNIT: "Encounter and PractitionerRole",
    ExplanationCode.PLANNED_IN_UNIT: "Appointment, Encounter or ServiceRequest, and PractitionerRole",
    ExplanationCode.APPOINTMENT: "Appointment",
    ExplanationCode.ENCOUNTER: "Encounter.participant",
    ExplanationCode.CARE_TEAM: "CareTeam",
    ExplanationCode.GENERAL_PRACTITIONER: "Patient.generalPractitioner",
    ExplanationCode.ORDER: "ServiceRequest.requester",
    ExplanationCode.RESULT: "ServiceRequest.performer",
    ExplanationCode.OWN_ACT: "Encounter",
    ExplanationCode.TRANSVERSAL_ROLE: "Encounter and PractitionerRole.code",
    ExplanationCode.CODING_BILLING: "Encounter and PractitionerRole.code",
}

EXPLANATIONS: Final = (
    Explanation(ExplanationCode.PATIENT_REQUEST, "patient-request", 0, 0, "consultation par le patient", "read by the patient"),
    Explanation(
        ExplanationCode.STAY_IN_UNIT,
        "stay-in-unit",
        3,
        30,
        "séjour dans une unité de la personne",
        "a stay in one of the person's units",
    ),
    Explanation(
        ExplanationCode.PLANNED_IN_UNIT,
        "planned-in-unit",
        14,
        14,
        "venue prévue dans une unité de la personne",
        "a visit planned in one of the person's units",
    ),
    Explanation(
        ExplanationCode.APPOINTMENT, "appointment", 14, 30, "rendez-vous avec la personne", "an appointment with the person"
    ),
    Explanation(
        ExplanationCode.ENCOUNTER, "encounter", 3, 60, "participation à la prise en charge", "takes part in the encounter"
    ),
    Explanation(ExplanationCode.CARE_TEAM, "care-team", 0, 7, "membre de l'équipe de soins", "member of the care team"),
    Explanation(
        ExplanationCode.GENERAL_PRACTITIONER, "general-practitioner", 0, 0, "médecin traitant", "the patient's own practitioner"
    ),
    Explanation(ExplanationCode.ORDER, "order", 1, 60, "prescription de la personne", "an order by the person"),
    Explanation(ExplanationCode.RESULT, "result", 3, 60, "acte demandé à la personne", "an act asked of the person"),
    Explanation(ExplanationCode.OWN_ACT, "own-act", 0, 30, "acte antérieur de la personne", "an earlier act of the person's own"),
    Explanation(
        ExplanationCode.TRANSVERSAL_ROLE,
        "transversal-role",
        3,
        14,
        "fonction transversale, patient présent",
        "a role across units, and the patient is in the house",
    ),
    Explanation(
        ExplanationCode.CODING_BILLING,
        "coding-billing",
        7,
        180,
        "codage ou facturation d'un séjour",
        "coding or billing of a stay",
    ),
    Explanation(ExplanationCode.INTERFACE, "interface", 0, 0, "échange entre applications", "exchange between applications"),
)

NAME_OF: Final = {int(e.code): e.name for e in EXPLANATIONS} | {0: ""}
BEFORE_US: Final = tuple(int(e.before_days * DAY_US) for e in (EXPLANATIONS[0], *EXPLANATIONS))
AFTER_US: Final = tuple(int(e.after_days * DAY_US) for e in (EXPLANATIONS[0], *EXPLANATIONS))
TRIED: Final = tuple(e.name for e in EXPLANATIONS if e.code not in (ExplanationCode.PATIENT_REQUEST, ExplanationCode.INTERFACE))

LINK_EXPLAINS: Final = {
    LinkKind.APPOINTMENT: ExplanationCode.APPOINTMENT,
    LinkKind.ENCOUNTER: ExplanationCode.ENCOUNTER,
    LinkKind.CARE_TEAM: ExplanationCode.CARE_TEAM,
    LinkKind.GENERAL_PRACTITIONER: ExplanationCode.GENERAL_PRACTITIONER,
    LinkKind.ORDER: ExplanationCode.ORDER,
    LinkKind.RESULT: ExplanationCode.RESULT,
}


class RoleClass(IntEnum):
    """Roles whose work is not tied to one unit's patients."""

    UNIT = 0
    TRANSVERSAL = 1
    CODING = 2


_TRANSVERSAL: Final = re.compile(
    r"pharma|laborato|biolog|anest|anaest|imagerie|imaging|radio|manipulateur|anatomo|patholog|hygi|infectiolog|dietet|kine|"
    r"physio|brancard|porter|urgen|emergen|social|bloc|mobile|garde|on.call|astreinte|transfus|admission|accueil|recept|standard"
)
_CODING: Final = re.compile(
    r"\bdim\b|codeu|coding|coder|codage|factur|billing|information medicale|medical information|\btim\b|archiv"
)


class Trade(IntEnum):
    """Roles whose work is on the machines, not with patients: what they open asks for another reason than care."""

    CARE = 0  # or anything else
    CONTRACTOR = 1
    TECHNICIAN = 2


_CONTRACTOR: Final = re.compile(
    r"prestataire|contractor|sous.traitant|subcontract|vendor|fournisseur|third.party|maint(enance|ainer)\b"
)
_TECHNICIAN: Final = re.compile(
    r"informatique|informaticien|administrateur (systeme|reseau|de base)|system administrator|sysadmin|database administrator|"
    r"\bdba\b|\bdsi\b|\bit (support|technician|staff|specialist)|information technology|help.?desk|hebergeu|hosting"
)
_LEADER: Final = re.compile(
    r"\bcadre\b|\bchef|directeur|directrice|director|manager|head (nurse|of)|surveillant|supervis|superieur|chief|matron"
)


def trade(role: str) -> Trade:
    """Return what a role's text (French or English, as a source tells it) says of whom the person works for."""
    folded = "".join(letter for letter in normalize("NFKD", role.casefold()) if not combining(letter))
    if _CONTRACTOR.search(folded):
        return Trade.CONTRACTOR
    return Trade.TECHNICIAN if _TECHNICIAN.search(folded) else Trade.CARE


def leads(folded_role: str) -> bool:
    """Tell whether who has the role leads the people of their unit, by its text (French or English, folded)."""
    return _LEADER.search(folded_role) is not None


def role_class(folded_role: str) -> RoleClass:
    """Return the class of a role from its text (French or English, folded: no case, no accents)."""
    if _CODING.search(folded_role):
        return RoleClass.CODING
    return RoleClass.TRANSVERSAL if _TRANSVERSAL.search(folded_role) else RoleClass.UNIT
