"""The hospital's units and the roles of its staff, as one table each."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import HospitalSettings

G15 = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
LOCAL = "https://chu-valmont.example/fhir/CodeSystem/fonction"
OFFICE = "J"  # the pattern of people who work on weekdays


@dataclass(frozen=True, slots=True)
class Role:
    """One function in the hospital; `accesses` is the mean number of patient accesses a shift."""

    key: str
    text: str
    system: str
    code: str
    accesses: float
    purpose: str  # v3-ActReason
    patterns: tuple[str, ...] = (OFFICE,)  # fortnights of shifts, one letter a day

    @property
    def registered(self) -> bool:
        """Whether the person holds a national number (RPPS)."""
        return self.system == G15 and self.key != "aide"

    @property
    def physician(self) -> bool:
        """Whether the person signs letters, holds consultations and takes turns on duty."""
        return self.key in ("physician", "consultant")


_TURNS = ("MMMSS--SSSMM--", "SSMM---MMMSS--", "MMSS--MMMM---S", "NNN---NN--NN--")
LONG_DAYS = ("CC--CCC--CC---", "KK--KKK--KK---", "C--CC--CCC--C-", "K--KK--KKK--K-")
_CARE = "TREAT"

ROLES = {
    role.key: role
    for role in (
        Role("physician", "Médecin", G15, "10", 33, _CARE),
        Role("dim_physician", "Médecin de l'information médicale", G15, "10", 30, "HPAYMT"),
        Role("biologist", "Médecin biologiste", G15, "10", 34, _CARE),
        Role("consultant", "Médecin consultant", G15, "10", 29, _CARE),
        Role("urgentist", "Médecin urgentiste", G15, "10", 36, _CARE, LONG_DAYS),
        Role("intern", "Interne en médecine", LOCAL, "INT", 35, _CARE),
        Role("nurse", "Infirmier", G15, "60", 32, _CARE, _TURNS),
        Role("er_nurse", "Infirmier", G15, "60", 35, _CARE, LONG_DAYS),
        Role("float", "Infirmier", G15, "60", 30, _CARE, _TURNS),
        Role("aide", "Aide-soignant", G15, "35", 13, _CARE, _TURNS),
        Role("midwife", "Sage-femme", G15, "50", 34, _CARE, LONG_DAYS),
        Role("lab_tech", "Technicien de laboratoire", G15, "86", 36, _CARE, _TURNS),
        Role("radiographer", "Manipulateur ERM", G15, "98", 34, _CARE, _TURNS),
        Role("radiologist", "Médecin radiologue", G15, "10", 36, _CARE),
        Role("anaesthetist", "Médecin anesthésiste", G15, "10", 30, _CARE, (*LONG_DAYS[:1], OFFICE)),
        Role("pharmacist", "Pharmacien", G15, "21", 38, _CARE),
        Role("preparer", "Préparateur en pharmacie", G15, "38", 20, _CARE),
        Role("secretary", "Secrétaire médicale", LOCAL, "SEC", 36, "HOPERAT"),
        Role("clerk", "Agent des admissions", LOCAL, "ADM", 36, "HPAYMT", (*_TURNS[:3], OFFICE)),
        Role("coder", "Technicien d'information médicale", LOCAL, "TIM", 39, "HPAYMT"),
        Role("it", "Technicien informatique", LOCAL, "DSI", 4, "HSYSADMIN"),
        Role("contractor", "Prestataire informatique", LOCAL, "EXT", 3, "HSYSADMIN"),
    )
}

_WARD = {"physician": 0.16, "intern": 0.1, "nurse": 0.44, "aide": 0.22, "secretary": 0.08}
_ADVICE = {**_WARD, "physician": 0.1, "consultant": 0.06}


@dataclass(frozen=True, slots=True)
class UnitKind:
    """A speciality: who works there, for whom, and how long people stay."""

    key: str
    text: str
    site: int
    weight: float  # its share of the staff, relative to the others
    mix: dict[str, float]
    stay_days: float = 0.0  # mean length of stay; 0: no beds
    ages: tuple[int, int] = (16, 100)
    women: bool = False
    label: str = ""  # v3-ActCode of the sensitivity of what is written there
    orders: bool = False  # works on orders of other units


KINDS = (
    UnitKind("medicine", "Médecine interne", 0, 1.2, _WARD, 6.5),
    UnitKind("emergency", "Urgences", 0, 1.7,
             {"urgentist": 0.2, "intern": 0.1, "er_nurse": 0.42, "aide": 0.2, "secretary": 0.08},
             ages=(0, 100)),
    UnitKind("surgery", "Chirurgie viscérale", 0, 1.2, _WARD, 3.8),
    UnitKind("imaging", "Imagerie médicale", 0, 0.9,
             {"radiologist": 0.3, "radiographer": 0.5, "secretary": 0.2}, orders=True),
    UnitKind("psychiatry", "Psychiatrie", 1, 1.1, _ADVICE, 17.0, (16, 90), label="PSY"),
    UnitKind("laboratory", "Laboratoire de biologie", 0, 0.8,
             {"biologist": 0.15, "lab_tech": 0.75, "secretary": 0.1}, orders=True),
    UnitKind("admissions", "Bureau des admissions", 0, 0.6, {"clerk": 1.0}),
    UnitKind("dim", "Département d'information médicale", 0, 0.4, {"coder": 0.85, "dim_physician": 0.15}),
    UnitKind("it", "Direction du système d'information", 1, 0.4, {"it": 0.7, "contractor": 0.3}),
    UnitKind("pool", "Pool de suppléance", 0, 0.6, {"float": 1.0}),
    UnitKind("maternity", "Maternité", 0, 1.1,
             {"physician": 0.15, "intern": 0.08, "midwife": 0.45, "aide": 0.24, "secretary": 0.08},
             3.5, (17, 45), women=True),
    UnitKind("intensive", "Réanimation", 0, 1.2,
             {"urgentist": 0.16, "intern": 0.1, "er_nurse": 0.5, "aide": 0.24}, 5.0),
    UnitKind("pharmacy", "Pharmacie", 0, 0.5, {"pharmacist": 0.5, "preparer": 0.5}, orders=True),
    UnitKind("paediatrics", "Pédiatrie", 1, 1.1, _WARD, 3.2, (0, 15)),
    UnitKind("oncology", "Oncologie", 0, 1.0, _ADVICE, 4.5),
    UnitKind("anaesthesia", "Anesthésie", 0, 0.5,
             {"anaesthetist": 0.6, "er_nurse": 0.4}, orders=True),
    UnitKind("infectious", "Maladies infectieuses", 0, 0.9, _ADVICE, 7.0, label="HIV"),
    UnitKind("addiction", "Addictologie", 1, 0.8, _ADVICE, 12.0, (18, 80), label="ETH"),
    UnitKind("cardiology", "Cardiologie", 0, 1.1, _ADVICE, 4.8),
    UnitKind("geriatrics", "Gériatrie", 1, 1.2, _WARD, 11.0, (72, 104)),
    UnitKind("orthopaedics", "Chirurgie orthopédique", 0, 1.1, _WARD, 4.2),
    UnitKind("pneumology", "Pneumologie", 0, 1.0, _ADVICE, 6.2),
    UnitKind("rehabilitation", "Soins de suite", 1, 1.1, _WARD, 21.0, (40, 100)),
)  # fmt: skip
UNITS_MIN = 10  # below, there would be no unit a patient never goes to


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of one site."""

    index: int
    id: str
    name: str
    kind: UnitKind
    site: int
    staff: int

    @property
    def beds(self) -> int:
        """Number of beds; 0 for a unit without."""
        return max(5, round(self.staff * 0.85)) if self.kind.stay_days else 0

    @property
    def ward(self) -> bool:
        """Whether patients are cared for there, in beds or in the emergency room."""
        return self.beds > 0 or self.kind.key == "emergency"


def plan_units(settings: HospitalSettings) -> list[Unit]:
    """Return about one unit for 20 staff (10 at least), their head counts adding up to the staff."""
    count = max(UNITS_MIN, settings.staff // 20)
    kinds = [KINDS[i % len(KINDS)] for i in range(count)]
    sizes = split(settings.staff, [kind.weight for kind in kinds])
    return [_unit(i, kind, i // len(KINDS), size)
            for i, (kind, size) in enumerate(zip(kinds, sizes, strict=True))]  # fmt: skip


def _unit(index: int, kind: UnitKind, copy: int, size: int) -> Unit:
    name = kind.text + (f" {'ABCDEFGHIJ'[copy % 10]}" if copy else "")
    return Unit(index, f"uf-{2100 + 7 * index}", name, kind, (kind.site + copy) % 2, size)


def split(total: int, weights: list[float]) -> list[int]:
    """Share `total` in proportion to the weights (largest remainders, each at least one if it can)."""
    exact = [total * weight / sum(weights) for weight in weights]
    parts = [max(1, int(x)) for x in exact]
    order = sorted(range(len(parts)), key=lambda i: (int(exact[i]) - exact[i], i))
    for i in order * (1 + abs(total - sum(parts)) // len(parts)):
        if sum(parts) < total:
            parts[i] += 1
    for i in reversed(order * total):
        if sum(parts) <= total:
            break
        parts[i] -= parts[i] > 1
    return parts
