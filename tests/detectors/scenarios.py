"""For each detector, what it must see and what comes near it and must be left alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from models.detectors import brute_force_success, departed_account, dormant_account, patient_burst, scraping
from sentinel.core.context import ContextRecord, Identity, Judgement, PatientFlag, Verdict
from sentinel.core.event import Action, ActorType, Destination, EventRow
from sentinel.core.facts.declare import CARE_GAP_DAYS
from sentinel.core.facts.person import DEVICE_WARM_UP
from tests.builders import HOUR_US, a_patient, a_person, a_stay, an_event, an_opening, on

ANNE: Final = Identity("le goff", "anne", "1980-04-01", "12 rue des lilas 29000 brest", "rue des lilas 29000 brest")
OTHER_CARE: Final = a_stay("patient-other", "chirurgie")  # care is on file, of somebody else
TOWN: Final = tuple(a_patient(f"citizen-{i}", Identity(f"family {i}", "luc", "1970-01-01")) for i in range(200))
NURSE: Final = (*a_person("nurse", "medecine", identity=ANNE), OTHER_CARE, *TOWN)
STRANGER: Final = a_patient(
    "patient-1", Identity("autre", "luc", "1950-01-01", "1 quai sud 44000 nantes", "quai sud 44000 nantes")
)
EXPLAINED: Final = a_stay("patient-1", "medecine")
OPENING: Final = (an_opening("patient-1", on(0)),)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Events in which the detector finds something, and events in which it does not, each with its context."""

    context: Sequence[ContextRecord]
    hit: Sequence[EventRow]
    miss: Sequence[EventRow]
    miss_context: Sequence[ContextRecord] | None = None
    delays: Mapping[str, int] = field(default_factory=dict)  # µs, by event id, from an event to its receipt

    @property
    def context_of_miss(self) -> Sequence[ContextRecord]:
        """The context of the near miss: the same unless told otherwise."""
        return self.context if self.miss_context is None else self.miss_context


def _tie(identity: Identity, far: Identity, **told: object) -> Scenario:
    """Return the opening of the record of somebody with a trait, and the same record under a stay in the person's unit."""
    near = a_patient("patient-1", identity, **told)
    return Scenario((*NURSE, near), OPENING, OPENING, (*NURSE, a_patient("patient-1", far)))


def _flagged(flag: PatientFlag) -> Scenario:
    """Return the opening of a marked record without a reason, and with one."""
    marked = (*NURSE, a_patient("patient-1", flags=frozenset({flag})))
    return Scenario(marked, OPENING, OPENING, (*marked, EXPLAINED))


PEERS: Final = tuple(f"peer-{i}" for i in range(5))
TEAM: Final = (OTHER_CARE, *(record for name in ("nurse", *PEERS) for record in a_person(name, "medecine")))
DAYS: Final = 8  # of ordinary work before the day that counts


def ordinary(day: float, amount: int, act: Callable[[str, int, int], EventRow]) -> list[EventRow]:
    """Return a day on which everybody in the team does about `amount` of something."""
    return [
        act(who, k, on(day, 8 + i / 10, 30 * k / max(1, amount)))
        for i, who in enumerate(("nurse", *PEERS))
        for k in range(amount + (i + int(day)) % 2)
    ]


def _volume(amount: int, burst: int, act: Callable[[str, int, int], EventRow]) -> Scenario:
    """Return days of ordinary work, then a burst by one person; or one more ordinary day."""
    before = [row for day in range(DAYS) for row in ordinary(day, amount, act)]
    last = [act("nurse", k, on(DAYS, 9, k / 8)) for k in range(burst)]
    return Scenario(TEAM, [*before, *last], [*before, *ordinary(DAYS, amount, act)])


def a_search(who: str, _k: int, when: int) -> EventRow:
    """Return a search."""
    return an_event(Action.SEARCH, when, actor_id=who)


def a_deletion(who: str, k: int, when: int) -> EventRow:
    """Return the deletion of a document."""
    return an_event(Action.DELETE, when, actor_id=who, resource_id=f"document-{k}")


def an_export(who: str, k: int, when: int) -> EventRow:
    """Return an export of a record."""
    return an_event(Action.EXPORT, when, actor_id=who, resource_id=f"record-{k}")


def an_emergency(who: str, _k: int, when: int) -> EventRow:
    """Return a break-glass."""
    return an_event(Action.BREAK_GLASS, when, actor_id=who)


def a_stranger(who: str, k: int, when: int) -> EventRow:
    """Return the opening of a record that this person never saw."""
    return an_opening(f"patient-{who}-{k}-{when}x", when, who)


def a_switch(who: str, k: int, when: int) -> EventRow:
    """Return the opening of a record on one of two workstations, in turn."""
    return an_opening("patient-other", when, who, device=f"pc-{k % 2}-{who}")


def _break_glass_no_act() -> Scenario:
    opened = an_opening("patient-1", on(0), action=Action.BREAK_GLASS)
    written = an_opening("patient-1", on(0, 11), action=Action.UPDATE)
    later = an_event(when=on(1, 12), actor_id="somebody")
    return Scenario(NURSE, (opened, later), (opened, written, later))


def _brute_force_success() -> Scenario:
    failures = [an_event(Action.LOGIN_FAILED, on(0, 3, k)) for k in range(brute_force_success.FAILURES_MIN)]
    login = an_event(Action.LOGIN, on(0, 3, 20))
    return Scenario((), [*failures, login], [*failures[1:], login])


def _departed_account() -> Scenario:
    grace = departed_account.GRACE_DAYS
    left = (*a_person("nurse", "medecine", end=on(0)),)
    return Scenario(left, (an_event(when=on(grace, 10)),), (an_event(when=on(grace, 8)),))


def _dormant_account() -> Scenario:
    first, days = an_event(when=on(0)), dormant_account.DAYS_MIN
    return Scenario((), (first, an_event(when=on(days, 10))), (first, an_event(when=on(days, 8))))


def _impossible_presence() -> Scenario:
    def day(minutes: float) -> tuple[EventRow, ...]:
        places = (("north", "pc-n"), ("south", "pc-s"), ("north", "pc-n"))
        return tuple(an_event(when=on(0, 9, k * minutes), site=site, device=device) for k, (site, device) in enumerate(places))

    return Scenario((), day(4), day(40))


def _leaver_export() -> Scenario:
    taken = an_event(Action.EXPORT, on(0), resource_count=40, destination=Destination.REMOVABLE)
    return Scenario(a_person("nurse", "medecine", end=on(5)), (taken,), (taken,), a_person("nurse", "medecine", end=on(25)))


def _new_device() -> Scenario:
    def work(last: str, hour: float) -> list[EventRow]:
        days = [
            an_event(when=on(day, 9 + k), actor_id=who, device=f"pc-{who}")
            for day in range(DAYS)
            for k in range(6)
            for who in ("nurse", *PEERS)
        ]
        return [*days, an_event(when=on(DAYS, hour), device=last)]

    return Scenario((), work("pc-2", 3), work("pc-2", 10))


def _orphan_account() -> Scenario:
    others = a_person("doctor", "chirurgie")
    return Scenario(others, (an_event(when=on(0)),), (an_event(when=on(0)),), (*others, *a_person("nurse", "medecine")))


def _off_hours() -> Scenario:
    work = [an_event(when=on(day, 9 + k), actor_id=who) for day in range(DAYS) for k in range(6) for who in ("nurse", *PEERS)]
    night, morning = an_opening("patient-1", on(DAYS, 3)), an_opening("patient-1", on(DAYS, 10))
    return Scenario(TEAM, [*work, night], [*work, morning])


def _patient_burst() -> Scenario:
    def crowd(people: int) -> list[EventRow]:
        return [*(an_opening("patient-1", on(0, 9, k), f"other-{k}") for k in range(people)), an_opening("patient-1", on(0, 11))]

    return Scenario(NURSE, crowd(2 + 2 * round(patient_burst.ACTORS_MIN)), crowd(1))


def _privilege_used() -> Scenario:
    def taken(hour: float) -> tuple[EventRow, ...]:
        return an_event(Action.PERMISSION_CHANGE, on(0, 9)), an_event(Action.EXPORT, on(0, hour))

    return Scenario((), taken(10), taken(9 + 49))


def _public_link() -> Scenario:
    def shared(destination: Destination) -> tuple[EventRow, ...]:
        return (an_event(Action.SHARE, on(0), destination=destination),)

    return Scenario((), shared(Destination.LINK), shared(Destination.PAPER))


def _scraping() -> Scenario:
    run = scraping.SEQUENCE_MIN + 1
    seconds = [7 * k * k % 97 for k in range(run)]
    hit = [an_opening(f"patient-{100 + k}", on(0, 9, k, seconds[k] / 2)) for k in range(run)]
    miss = [row._replace(patient_id=f"patient-{100 + 7 * k}") for k, row in enumerate(hit)]
    return Scenario((), hit, miss)


def _sensitive_record() -> Scenario:
    opening = (an_opening("patient-1", on(0), resource_sensitivity="PSY"),)
    return Scenario((*NURSE, STRANGER), opening, opening, (*NURSE, STRANGER, EXPLAINED))


def _service_by_hand() -> Scenario:
    def calls(last: str) -> list[EventRow]:
        devices = [*["server"] * (DEVICE_WARM_UP + 1), last]
        told = {"actor_id": "hl7", "actor_type": ActorType.SERVICE}
        return [an_event(when=on(0, 9, k), device=device, client_address="", **told) for k, device in enumerate(devices)]

    return Scenario((), calls("pc-ward"), calls("server"))


def _former_patient() -> Scenario:
    def gone(days: float) -> tuple[ContextRecord, ...]:
        return *NURSE, a_stay("patient-1", "chirurgie", on(-days - 9), on(-days))

    return Scenario(gone(CARE_GAP_DAYS + 1), OPENING, OPENING, gone(CARE_GAP_DAYS - 1))


def _deceased_record() -> Scenario:
    def dead(days: float) -> tuple[ContextRecord, ...]:
        return *NURSE, a_patient("patient-1", deceased_at=on(-days))

    return Scenario(dead(10), OPENING, OPENING, dead(5))


def _coworker_record() -> Scenario:
    luc = Identity("petit", "luc", "1990-02-02")
    team = (*NURSE, *a_person("doctor", "chirurgie", identity=luc))
    mate = a_patient("patient-1", luc)
    namesake = a_patient("patient-1", Identity("petit", "luc", "1991-02-02"))
    return Scenario((*team, mate), OPENING, OPENING, (*team, namesake))


def _repeat_after_case() -> Scenario:
    def judged(judgement: Judgement) -> tuple[ContextRecord, ...]:
        return *NURSE, STRANGER, Verdict("alert-1", "nurse", ("no_care_relation",), (), judgement, on(-30))

    return Scenario(judged(Judgement.MISUSE), OPENING, OPENING, judged(Judgement.JUSTIFIED))


def _hierarchy_record() -> Scenario:
    luc = Identity("petit", "luc", "1990-02-02")

    def led(unit: str) -> tuple[ContextRecord, ...]:
        head = a_person("head", unit, "cadre de sante", luc)
        return *NURSE, *head, *a_person("doctor", unit), a_patient("patient-1", luc)

    return Scenario(led("medecine"), OPENING, OPENING, led("chirurgie"))


def _minor_record() -> Scenario:
    def born(year: int) -> tuple[ContextRecord, ...]:
        return *NURSE, a_patient("patient-1", birth_date=f"{year}-01-05")

    return Scenario(born(2009), OPENING, OPENING, born(2007))


def _peek_record() -> Scenario:
    looked_up = (an_event(Action.SEARCH, on(0, 9)), an_opening("patient-1", on(0, 9, 1)))
    later = an_event(when=on(0, 14), actor_id="somebody")
    again = an_opening("patient-1", on(0, 9, 20))
    return Scenario((*NURSE, STRANGER), (*looked_up, later), (*looked_up, again, later))


def _contractor_scope() -> Scenario:
    def taken(role: str) -> tuple[EventRow, ...]:
        return (an_event(Action.EXPORT, on(0), actor_role=role),)

    return Scenario((), taken("Prestataire informatique"), taken("Étudiant externe"))


def _technician_no_ticket() -> Scenario:
    def opened(reason: str) -> tuple[EventRow, ...]:
        return (an_opening("patient-1", on(0), actor_role="Hébergeur, équipe d'exploitation", reason=reason),)

    return Scenario((), opened("test d'affichage"), opened("ticket n° 20451, affichage"))


def _returning_reader() -> Scenario:
    def visits(*hours: float, written: bool = False) -> tuple[EventRow, ...]:
        act = Action.UPDATE if written else Action.READ
        return tuple(an_opening("patient-1", on(day, 9), action=act if day == 0 else Action.READ) for day in hours)

    return Scenario((*NURSE, STRANGER), visits(0, 3), visits(0, 3, written=True))


def _low_and_slow() -> Scenario:
    def weeks(a_day: int) -> list[EventRow]:  # the team's ordinary work, and strangers from the second week on
        usual = [row for day in range(12) for row in ordinary(day, 6, a_known)]
        slow = (a_stranger("nurse", k, on(day, 14, k)) for day in range(7, 12) for k in range(a_day))
        return sorted([*usual, *slow], key=_when)

    return Scenario((*TEAM, a_stay("patient-known", "medecine")), weeks(6), weeks(0))


def _when(row: EventRow) -> int:
    return row.occurred_at


def a_known(who: str, _k: int, when: int) -> EventRow:
    """Return the opening of the record of a patient of the unit."""
    return an_opening("patient-known", when, who)


def _once_in_unit() -> Scenario:
    def left(days: float) -> tuple[ContextRecord, ...]:
        return *NURSE, a_stay("patient-1", "medecine", on(-days - 9), on(-days))

    return Scenario(left(40), OPENING, OPENING, left(20))


def _no_care_relation() -> Scenario:
    return Scenario((*NURSE, STRANGER), OPENING, OPENING, (*NURSE, STRANGER, EXPLAINED))


FAR: Final = Identity("autre", "luc", "1950-01-01", "1 quai sud 44000 nantes", "quai sud 44000 nantes")
LOG_DAYS: Final = 10


def _hourly(
    days: Sequence[int], hours: Sequence[int], application: str, prefix: str = "", each: int = 12, first: int = 0
) -> list[EventRow]:
    """Return an application's events, `each` an hour; with a prefix, their ids are numbered from `first`."""
    return [
        an_event(
            Action.EXECUTE,
            on(day, hour, 60 * k // each),
            actor_id="nurse",
            application=application,
            id=f"{prefix}{first + (i * len(hours) + j) * each + k}" if prefix else "",
        )
        for i, day in enumerate(days)
        for j, hour in enumerate(hours)
        for k in range(each)
    ]


def _in_time(*parts: Sequence[EventRow]) -> list[EventRow]:
    return sorted((row for part in parts for row in part), key=lambda row: row.occurred_at)


def _log_silence() -> Scenario:
    days, every = range(LOG_DAYS), range(24)
    other = _hourly(range(LOG_DAYS + 2), every, "labo", each=2)
    until = _hourly(days, every, "dpi")
    night = [row for row in until if 7 <= row.occurred_at // HOUR_US % 24 < 19]  # by day alone, on the day that counts as well
    daily = [*night, *_hourly([LOG_DAYS, LOG_DAYS + 1], range(7, 19), "dpi")]
    return Scenario((), _in_time(other, until), _in_time(other, daily))


def _log_skew() -> Scenario:
    rows = _hourly(range(2), range(24), "dpi", each=25)
    moved, same = (_hourly([2], range(4), application, each=25) for application in ("dpi", "dpi"))
    late = _hourly([3], range(4), "dpi", each=25)
    delays = {row.id: 2_000_000 for row in (*rows, *same, *late)} | {row.id: -3_600_000_000 for row in moved}
    return Scenario((), [*rows, *moved], [*rows, *late], delays=delays)


def _log_hole() -> Scenario:
    rows = _hourly(range(6), range(24), "dpi", "record-")
    cut = [row for row in rows if not 1_500 <= int(row.id.rpartition("-")[2]) < 1_520]
    return Scenario((), cut, rows)


def _watcher() -> Scenario:
    looked = an_opening("patient-1", on(0), application="sentinel")
    worker = an_event(Action.READ, on(0, 9, 5), application="sentinel", resource_type="Practitioner", resource_id="colleague")
    elsewhere = an_opening("patient-1", on(0), application="dpi")
    later = an_event(when=on(0, 14), actor_id="somebody")
    return Scenario((), (looked, worker, later), (elsewhere, later))


SCENARIOS: Final[dict[str, Callable[[], Scenario]]] = {
    "break_glass_no_act": _break_glass_no_act,
    "break_glass_often": lambda: _volume(1, 25, an_emergency),
    "contractor_scope": _contractor_scope,
    "brute_force_success": _brute_force_success,
    "coworker_record": _coworker_record,
    "deceased_record": _deceased_record,
    "departed_account": _departed_account,
    "dormant_account": _dormant_account,
    "former_patient": _former_patient,
    "hierarchy_record": _hierarchy_record,
    "household_record": lambda: _tie(Identity("autre", "zoe", "2012-01-01", ANNE.address, ANNE.street), FAR),
    "impossible_presence": _impossible_presence,
    "leaver_export": _leaver_export,
    "log_hole": _log_hole,
    "log_silence": _log_silence,
    "log_skew": _log_skew,
    "low_and_slow": _low_and_slow,
    "many_patients": lambda: _volume(12, 120, a_stranger),
    "many_strangers": lambda: _volume(2, 60, a_stranger),
    "mass_deletion": lambda: _volume(2, 120, a_deletion),
    "mass_export": lambda: _volume(3, 200, an_export),
    "minor_record": _minor_record,
    "name_probing": lambda: _volume(5, 150, a_search),
    "neighbour_record": lambda: _tie(Identity("autre", "zoe", "2012-01-01", f"9{ANNE.address}", ANNE.street), FAR),
    "no_care_relation": _no_care_relation,
    "new_device": _new_device,
    "off_hours": _off_hours,
    "orphan_account": _orphan_account,
    "once_in_unit": _once_in_unit,
    "own_record": lambda: _tie(ANNE, Identity(ANNE.family, ANNE.given, "1981-04-01")),
    "peek_record": _peek_record,
    "patient_burst": _patient_burst,
    "privilege_used": _privilege_used,
    "public_link": _public_link,
    "repeat_after_case": _repeat_after_case,
    "restricted_record": lambda: _flagged(PatientFlag.RESTRICTED),
    "returning_reader": _returning_reader,
    "same_name_record": lambda: _tie(Identity(ANNE.family, "zoe", "2012-01-01"), FAR),
    "scraping": _scraping,
    "sensitive_record": _sensitive_record,
    "service_by_hand": _service_by_hand,
    "shared_account": lambda: _volume(2, 60, a_switch),
    "technician_no_ticket": _technician_no_ticket,
    "vip_record": lambda: _flagged(PatientFlag.VIP),
    "watcher": _watcher,
}
VOLUMES: Final[dict[str, tuple[int, Callable[[str, int, int], EventRow]]]] = {  # an ordinary day's amount, above the least told
    "break_glass_often": (4, an_emergency),
    "many_patients": (20, a_stranger),
    "many_strangers": (6, a_stranger),
    "mass_deletion": (15, a_deletion),
    "mass_export": (40, an_export),
    "name_probing": (25, a_search),
    "shared_account": (9, a_switch),
}
