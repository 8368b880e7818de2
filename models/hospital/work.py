"""Ordinary work: what people do in a shift, and the building blocks that misuse is made of too."""

from __future__ import annotations

from collections.abc import Iterator

from .audit import CD, EMAIL, HOST, LINK, PAPER, USB, Deed, resource_of
from .care import Care
from .caseload import Caseload, Charge
from .clock import Clock
from .draw import Draw, Weighted
from .people import Patient, Person
from .roster import DUTY, REMOTE, Roster, Session, Shift
from .scripts import SCRIPTS, Script, Step, script_length
from .settings import HospitalSettings
from .units import Unit

# How busy each hour is, on a scale of 1: rounds in the morning, a dip at noon, calm nights.
_BUSY = (0.35, 0.3, 0.25, 0.25, 0.3, 0.5, 0.6, 0.8, 0.95, 1.0, 1.0, 0.9,
         0.55, 0.65, 0.9, 0.95, 0.9, 0.8, 0.7, 0.65, 0.7, 0.75, 0.6, 0.4)  # fmt: skip
_PACE = {"N": 0.75, "K": 0.8, DUTY: 0.8, REMOTE: 0.25, "C": 1.1, "W": 0.45, "I": 0.5}
_LENGTHS = {key: script_length(table) for key, table in SCRIPTS.items()}
_DESKS = frozenset({"clerk", "secretary", "coder", "dim_physician"})

MOTIVES = (
    "Urgence vitale, patient inconscient",
    "Prise en charge en urgence, dossier d'un autre site",
    "Patient adressé par le SAMU",
    "Recherche d'allergies avant injection",
    "Douleur thoracique, antécédents à vérifier",
    "Patient confus, traitement habituel inconnu",
    "Transfert non encore enregistré",
    "Avis demandé par téléphone, patient instable",
    "Bilan de chute, anticoagulants ?",
    "Déchocage",
)
MAILBOXES = (
    "mailto:cabinet@medecin.mssante.fr",
    "mailto:secretariat@clinique.mssante.fr",
    "mailto:cabinet@infirmier.mssante.fr",
    "mailto:patient@courriel.example",
)
PORTALS = (f"images.{HOST}/p", f"images.{HOST}/p", "transfert.region-sante.example/d")
REFUSED = "Accès refusé : habilitation insuffisante"
WRONG_PASSWORD = "Mot de passe incorrect"  # noqa: S105 - what the log says


class Work:
    """Turns shifts into deeds; each shift has a substream of its own."""

    def __init__(
        self,
        settings: HospitalSettings,
        clock: Clock,
        units: list[Unit],
        roster: Roster,
        care: Care,
        patients: list[Patient],
    ) -> None:
        """Keep the hospital's parts and index patients by family name, as a search by name does."""
        self.settings, self.clock, self.units, self.roster = settings, clock, units, roster
        self.care, self.patients = care, patients
        self.caseload = Caseload(clock, units, care)
        self.namesakes: dict[str, list[Patient]] = {}
        for patient in patients:
            self.namesakes.setdefault(patient.family, []).append(patient)

    # --- a shift --------------------------------------------------------------------------------

    def deeds(self, shift: Shift) -> list[Deed]:
        """Return the deeds of a shift, not in order of time across its sessions and visits."""
        draw = Draw(self.settings.seed, "work", shift.person.index, shift.day, shift.letter)
        sessions = [*shift.sessions, *([shift.second] if shift.second else [])]
        found = [deed for session in sessions for deed in self.signs(shift.person, session, draw)]
        me = shift.person.index  # nobody is given their own record to work on
        charges = [c for c in self.caseload.charges(shift, draw) if self.patients[c.patient].staff != me]
        found += self._lists(shift, charges, draw)
        found += self._visits(shift, charges, draw)
        found += self._extras(shift, draw)
        return found

    def signs(self, person: Person, session: Session, draw: Draw) -> Iterator[Deed]:
        """Yield the login of a session, failures before it at times, and its logout."""
        start = _ms(session.start, draw)
        if draw.chance(self.settings.failed_login_share):
            tries = min(6, 1 + int(draw.wait(0.8)))
            for n in range(tries):
                at = start - int((tries - n) * draw.span(4_000, 15_000))
                yield Deed(at, person, session, "login", "ehr", outcome="4", note=WRONG_PASSWORD)
        yield Deed(start, person, session, "login", "ehr")
        if session.closed:
            yield Deed(_ms(session.end, draw), person, session, "logout", "ehr")

    def _visits(self, shift: Shift, charges: list[Charge], draw: Draw) -> Iterator[Deed]:
        """Yield visit after visit: someone works on one patient at a time."""
        table = Weighted((charge, charge.weight) for charge in charges) if charges else None
        now = float(shift.sessions[0].start + 5)
        for wanted, charge in sorted(self._agenda(shift, table, draw), key=lambda pair: pair[0]):
            now = max(wanted, now + draw.span(3, 40))
            if now > shift.sessions[-1].end - 30:
                return
            for deed in self._visit(shift, charge, now, draw):
                now = deed.at_ms / 1000
                yield deed

    def _agenda(self, shift: Shift, table: Weighted[Charge] | None, draw: Draw) -> Iterator[tuple[float, Charge | None]]:
        """Yield the times at which a patient is worked on; None stands for one without a link on file."""
        role = shift.person.role
        mean = role.accesses * shift.person.pace * _PACE.get(shift.letter, 1.0) * draw.span(0.75, 1.25)
        for _ in range(draw.poisson(mean / _LENGTHS[role.key])):
            if table is None or role.purpose == "HSYSADMIN" or draw.chance(self.settings.share_unlinked):
                yield self._moment(shift.start, shift.end, draw), None
                continue
            charge = draw.weighted(table)
            low, high = max(shift.start, charge.start), min(shift.end, charge.end)
            yield self._moment(low, max(low + 60, high), draw), charge

    def _moment(self, low: float, high: float, draw: Draw) -> float:
        """Return a time between two instants, busy hours first."""
        at = draw.span(low, high)
        for _ in range(2):
            if draw.chance(_BUSY[self.clock.hour(at)]):
                break
            at = draw.span(low, high)
        return at

    # --- a visit --------------------------------------------------------------------------------

    def _visit(self, shift: Shift, charge: Charge | None, at: float, draw: Draw) -> Iterator[Deed]:
        patient = self.patients[charge.patient] if charge else self._anyone(shift, draw)
        if patient.staff == shift.person.index:
            return
        script = draw.weighted(SCRIPTS[shift.person.role.key])
        if draw.chance(self._search_share(shift, charge)):
            yield self.search(shift, patient, at, draw)
            at += draw.span(2, 15)
        if draw.chance(self.settings.wrong_patient_share):
            wrong = draw.pick(self.namesakes[patient.family])
            yield self.step(shift, wrong, Step("ehr", "read", "Patient"), at, draw)
            at += draw.span(4, 20)
        if self._overrides(shift, charge, draw):
            yield self.override(shift, patient, at, draw.pick(MOTIVES) if draw.chance(0.86) else "", draw)
            at += draw.span(3, 12)
            script = self._with_act(script, draw)
        yield from self.run(shift, patient, script, at, draw)

    @staticmethod
    def _search_share(shift: Shift, charge: Charge | None) -> float:
        """Return how often a search comes first: lists give most patients, but not those without a link."""
        if shift.person.role.key == "clerk":
            return 0.8
        return 0.14 if charge else 0.4

    def _overrides(self, shift: Shift, charge: Charge | None, draw: Draw) -> bool:
        """Whether the emergency override is used: in emergencies, and at times for a patient without a link."""
        if shift.person.role.purpose != "TREAT" or (charge and not charge.emergency):
            return False
        return draw.chance(self.settings.break_glass_share if charge else 0.1)

    @staticmethod
    def _with_act(script: Script, draw: Draw) -> Script:
        """Have most overrides followed by an act on the record."""
        acts = any(step.op in ("create", "update") for step in script)
        return script if acts or draw.chance(0.15) else (*script, Step("ehr", "create", "DocumentReference"))

    def _anyone(self, shift: Shift, draw: Draw) -> Patient:
        """Return a patient with no regard to who looks: in the hospital, there lately, at a desk anyone on file."""
        if shift.person.role.key in _DESKS and draw.chance(0.35):
            return draw.pick(self.patients)
        day = shift.day - (draw.below(20) if draw.chance(0.3) else 0)
        for _ in range(8):
            unit = draw.below(len(self.units))
            found = [s.patient for s in self.care.present.get((unit, day), [])]
            found = found or [b.patient for b in self.care.clinics.get((unit, day), [])]
            if found:
                return self.patients[draw.pick(found)]
        return draw.pick(self.patients)

    def run(self, shift: Shift, patient: Patient, script: Script, at: float, draw: Draw) -> Iterator[Deed]:
        """Yield the steps of a script on a patient, at a person's rhythm, from an instant on."""
        for step in script:
            deed = self.step(shift, patient, step, at, draw)
            yield deed
            if deed.outcome != "0":
                return
            at += 2 + draw.wait(14 if step.op == "read" else 40)

    def step(self, shift: Shift, patient: Patient, step: Step, at: float, draw: Draw) -> Deed:
        """Return one step on a patient's record, once in twenty refused when the record is restricted."""
        purpose = shift.person.role.purpose if step.app in ("ehr", "rx") else ""
        deed = self._deed(shift, step.op, step.app, at, draw, patients=(patient,), purpose=purpose)
        deed.resource, deed.label = resource_of(patient, step.kind, draw.below(24))
        if patient.restricted and draw.chance(0.05):
            deed.outcome, deed.note = "4", REFUSED
        if step.op == "print":
            deed.media = PAPER
        elif step.op == "export":
            self._send(deed, draw)
        return deed

    @staticmethod
    def _deed(
        shift: Shift, op: str, app: str, at: float, draw: Draw, patients: tuple[Patient, ...] = (), purpose: str = ""
    ) -> Deed:
        """Return a deed of a shift at an instant, in the session of that instant."""
        return Deed(_ms(at, draw), shift.person, shift.session_at(at, draw.u()), op, app, patients, purpose=purpose)

    @staticmethod
    def _send(deed: Deed, draw: Draw) -> None:
        """Address an ordinary export: secure mail; for images a disc, or a link on the hospital's portal."""
        if deed.app != "pacs":
            deed.media, deed.destination = EMAIL, draw.pick(MAILBOXES)
        elif draw.chance(0.35):
            deed.media, deed.destination = LINK, f"https://{draw.pick(PORTALS)}/{draw.below(10**8):08d}"
        else:
            deed.media = USB if draw.chance(0.25) else CD

    def search(self, shift: Shift, patient: Patient, at: float, draw: Draw) -> Deed:
        """Return a search by name, which names no patient."""
        given = f"&given={patient.given}" if draw.chance(0.6) else ""
        born = f"&birthdate={patient.birth}" if draw.chance(0.3) else ""
        deed = self._deed(shift, "search", "adm" if shift.person.role.key == "clerk" else "ehr", at, draw)
        deed.query = f"Patient?family={patient.family.replace(' ', '%20')}{given}{born}"
        return deed

    def override(self, shift: Shift, patient: Patient, at: float, note: str, draw: Draw) -> Deed:
        """Return an emergency override on a patient's record."""
        purpose = "ETREAT" if draw.chance(0.3) else "BTG"
        deed = self._deed(shift, "break-glass", "ehr", at, draw, patients=(patient,), purpose=purpose)
        deed.note = note
        return deed

    # --- beside the patients --------------------------------------------------------------------

    def _lists(self, shift: Shift, charges: list[Charge], draw: Draw) -> Iterator[Deed]:
        """Yield, in some shifts, the ward's list: one event with several patients."""
        care = shift.person.role.purpose == "TREAT" and self.units[shift.unit].ward
        if care and len(charges) > 2 and draw.chance(0.2):
            at = shift.sessions[0].start + draw.span(20, 400)
            shown = tuple(self.patients[patient] for patient in dict.fromkeys(c.patient for c in charges[: draw.between(3, 8)]))
            deed = self._deed(shift, "search", "ehr", at, draw, patients=shown, purpose="TREAT")
            deed.query = f"Encounter?location=Location/{self.units[shift.unit].id}&status=in-progress"
            yield deed

    def _extras(self, shift: Shift, draw: Draw) -> Iterator[Deed]:
        """Yield what some roles do beside: extracts, changes of rights, calls at the desk, cleaning up."""
        role, unit = shift.person.role.key, self.units[shift.unit].kind
        if unit.key == "dim" and draw.chance(0.3):
            yield self.extract(shift, self._some_time(shift, draw), draw.between(40, 900), draw)
        elif role in ("consultant", "pharmacist") and draw.chance(0.04):
            yield self.extract(shift, self._some_time(shift, draw), draw.between(15, 120), draw)
        elif role == "it":
            for _ in range(draw.poisson(1.5)):
                yield self.grant(shift, self._some_time(shift, draw), draw.pick(self.roster.people), draw)
        elif role == "clerk" and draw.chance(0.3):
            yield from self._calls(shift, draw)
        elif role in ("secretary", "lab_tech") and draw.chance(0.02):
            yield from self._clean_up(shift, draw)

    @staticmethod
    def _some_time(shift: Shift, draw: Draw) -> float:
        return draw.span(shift.start + 600, max(shift.start + 700, shift.end - 600))

    def _calls(self, shift: Shift, draw: Draw) -> Iterator[Deed]:
        """Yield search after search for people who call, most of whom need no record."""
        at = self._some_time(shift, draw)
        for _ in range(draw.between(4, 14)):
            yield self.search(shift, draw.pick(self.patients), at, draw)
            at += 15 + draw.wait(90)

    def _clean_up(self, shift: Shift, draw: Draw) -> Iterator[Deed]:
        """Yield the deletion of one patient's duplicates."""
        at, patient = self._some_time(shift, draw), self._anyone(shift, draw)
        for _ in range(draw.between(3, 9)):
            yield self.step(shift, patient, Step("ehr", "delete", "DocumentReference"), at, draw)
            at += 4 + draw.wait(15)

    def extract(self, shift: Shift, at: float, count: int, draw: Draw) -> Deed:
        """Return an export of many records at once, of which the log gives the number alone."""
        deed = self._deed(shift, "export", "ehr", at, draw)
        deed.query, deed.count = f"Encounter?date=ge{self.clock.date(shift.day - 30)}&_count={count}", count
        return deed

    def grant(self, shift: Shift, at: float, target: Person, draw: Draw) -> Deed:
        """Return a change of an account's rights."""
        deed = self._deed(shift, "roles" if draw.chance(0.4) else "rights", "adm", at, draw)
        deed.target = f"Practitioner/{target.id}"
        return deed


def _ms(at: float, draw: Draw) -> int:
    """Return an instant in ms, its fraction drawn."""
    return int(at) * 1000 + draw.below(1000)
