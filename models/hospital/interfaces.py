"""The applications' own accounts: results, admissions and the nightly copy, all at a machine's rhythm."""

from __future__ import annotations

from collections.abc import Iterator

from .audit import Deed, Service, resource_of
from .care import Care, Order, Stay
from .clock import HOUR, Clock
from .draw import Draw
from .people import Patient
from .roster import Roster, Session
from .settings import HospitalSettings

ENGINE = Service("svc-interface", "svc-interface", "Moteur d'interfaces", "SRV-EAI-01", "10.20.200.11")
STANDBY = ("SRV-EAI-02", "10.20.200.12")  # the engine runs there one day in fifteen
WAREHOUSE = Service("svc-entrepot", "svc-entrepot", "Entrepôt de données", "SRV-EDS-01", "10.20.200.14")
SCANNER = Service("svc-numerisation", "svc-numerisation", "Numérisation", "SRV-NUM-01", "10.21.200.12")
SERVICES = (ENGINE, WAREHOUSE, SCANNER)


class Interfaces:
    """Turns what happens in the hospital into the messages that applications pass on."""

    def __init__(self, settings: HospitalSettings, clock: Clock, care: Care, patients: list[Patient], roster: Roster) -> None:
        """Keep the hospital's parts."""
        self.settings, self.clock, self.care, self.patients, self.roster = settings, clock, care, patients, roster

    def deeds(self, day: int) -> Iterator[Deed]:
        """Yield the deeds of all services on a day."""
        draw = Draw(self.settings.seed, "interfaces", day)
        engine = self.session(ENGINE, day)
        for orders in [found for (_, asked_on), found in self.care.asked.items() if asked_on == day]:
            for order in orders:
                yield from self._result(order, engine, draw)
        for stay in self.care.came.get(day, []):
            yield from self._admission(stay, engine, draw)
        yield self._nightly(day, draw)
        yield from self._scanner(day, draw)

    def session(self, service: Service, day: int) -> Session:
        """Return the one session that a service keeps for a day, on its own host or the standby."""
        host, address = service.host, service.address
        if service is ENGINE and Draw(self.settings.seed, "standby", day).chance(1 / 15):
            host, address = STANDBY
        start = self.clock.midnight(day)
        return Session(start, start + 24 * HOUR, host, address, self.roster.token(service.login, start, host), 0)

    def _result(self, order: Order, engine: Session, draw: Draw) -> Iterator[Deed]:
        """Yield the order passed on at times, and the result in one to three messages some hours later."""
        if order.category not in ("laboratory", "imaging"):
            return
        if draw.chance(0.3):
            yield self._message(order.patient, "create", "Specimen", order.at + draw.span(1, 5), engine, draw)
        at = order.at + draw.span(0.7, 4) * HOUR
        for kind in ("DiagnosticReport", "Observation", "Observation")[: draw.between(1, 3)]:
            at += draw.span(0.1, 0.6)
            yield self._message(order.patient, "create", kind, at, engine, draw)

    def _admission(self, stay: Stay, engine: Session, draw: Draw) -> Iterator[Deed]:
        for kind, op in (("Patient", "update"), ("Account", "create")):
            yield self._message(stay.patient, op, kind, stay.registered + draw.span(1, 4), engine, draw)

    def _message(self, patient: int, op: str, kind: str, at: float, engine: Session, draw: Draw) -> Deed:
        who = self.patients[patient]
        app = "adm" if kind in ("Patient", "Account") else "lis"
        resource, label = resource_of(who, kind, draw.below(24))
        return Deed(int(at * 1000), ENGINE, engine, op, app, (who,), resource, label=label)

    def _nightly(self, day: int, draw: Draw) -> Deed:
        at = self.clock.at(day, 2.6 * HOUR + draw.span(0, 300)) * 1000 + draw.below(1000)
        count = int(self.settings.staff * draw.span(8, 12))
        query = f"Encounter?_lastUpdated=ge{self.clock.date(day - 1)}"
        return Deed(at, WAREHOUSE, self.session(WAREHOUSE, day), "export", "ehr", query=query, count=count)

    def _scanner(self, day: int, draw: Draw) -> Iterator[Deed]:
        """Yield the logins of the scanner; on one day in twenty its password has run out, and it keeps trying."""
        session = self.session(SCANNER, day)
        fails = draw.chance(0.05)
        outcome, note = ("4", "Mot de passe expiré") if fails else ("0", "")
        for n in range(24 if fails else 4):
            at = self.clock.at(day, (6 + n * (0.5 if fails else 4)) * HOUR + draw.span(0, 20)) * 1000
            yield Deed(at + draw.below(1000), SCANNER, session, "login", "ehr", outcome=outcome, note=note)
