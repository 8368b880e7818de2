"""Every fact, declared once: name, unit, what missing (NaN) means, and what context it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sentinel.core.event import Action

METRICS: Final = ("patients", "unexplained", "exported", "deleted", "searches", "switches", "emergencies", "opens", "disclosed")
"""What is counted for each person over 24 h and compared with their own days and their peers'.

patients: distinct records opened. unexplained: those without an ordinary reason in which they wrote nothing.
exported: records exported, printed or shared. deleted: deletions. searches: searches with no record opened since
the one before. switches: returns to another workstation within 15 min. emergencies: break-glass. opens: records
opened, repeats included. disclosed: exports to a link that whoever has it can open, or to a removable device.
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """One column. `needs` names the FHIR resource without which it stays missing."""

    name: str
    unit: str
    meaning: str
    missing: str
    needs: str = ""


def _metric(name: str) -> tuple[Fact, ...]:
    return (
        Fact(f"{name}_24h", "count", f"{name} of this person in the last 24 h, this event included", "never"),
        Fact(f"{name}_actor", "count a day", f"{name} on an ordinary active day of this person", "no closed day yet"),
        Fact(
            f"{name}_peers", "count a day", f"{name} on an ordinary active day of the same role", "no closed day of the role yet"
        ),
        Fact(
            f"{name}_limit", "count", f"{name} that chance exceeds on one day in 10,000", "fewer than 10 closed days of the role"
        ),
        Fact(f"{name}_spread", "shape", "gamma shape of the role's days: small is uneven", "as the limit"),
        Fact(f"{name}_exceed", "share", f"share of the role's closed days with as many {name}", "as the limit"),
    )


_OTHERS: Final = (
    Fact(
        "explained",
        "code",
        "the ordinary reason (ExplanationCode), 0: none",
        "no patient, or no care context at all",
        "Encounter",
    ),
    Fact("unexplained_share", "share", "of this person's record openings without an ordinary reason", "as `explained`"),
    Fact(
        "strangers_drift",
        "nats",
        "evidence of the closed days that the person opens more records without a reason",
        "as `explained`",
    ),
    Fact("after_search", "flag", "the person searched, and this is the first record opened since", "never"),
    Fact("own_record", "flag", "the patient is the person themself", "never", "Patient, Practitioner"),
    Fact("coworker", "level", "1: the patient works here; 2: in one of the person's units", "never", "Patient, Practitioner"),
    Fact(
        "hierarchy",
        "level",
        "1: the person leads the unit where the patient works; 2: the reverse",
        "never",
        "PractitionerRole.code",
    ),
    Fact("same_household", "flag", "same postal address, other person", "never", "Patient.address, Practitioner.address"),
    Fact("same_street", "flag", "same street, other address", "never", "Patient.address, Practitioner.address"),
    Fact(
        "same_name",
        "share",
        "share of people with this family name, where it is the person's own",
        "another name",
        "Patient.name",
    ),
    Fact("vip", "flag", "the record asks for more care: public figure", "never", "Patient.meta.security"),
    Fact("restricted", "flag", "restricted, or the patient objected", "never", "Patient.meta.security"),
    Fact("sensitive", "flag", "the resource is labelled sensitive", "never"),
    Fact("deceased_days", "days", "since the patient's death", "alive, or unknown", "Patient.deceasedDateTime"),
    Fact("age_years", "years", "age of the patient", "no date of birth on file", "Patient.birthDate"),
    Fact("care_gap_days", "days", "since any care of the patient here, 0 while in care", "no care ever on file", "Encounter"),
    Fact(
        "once_here",
        "flag",
        "the patient stayed in one of the person's units, too long ago to be a reason",
        "explained",
        "Encounter",
    ),
    Fact("trade", "code", "whom the role works for (Trade), 0: care, or not known", "never"),
    Fact("departed_days", "days", "since the person's last position ended", "in position, or unknown", "PractitionerRole"),
    Fact("no_position", "flag", "the person has no position on file, past or present", "nobody has", "PractitionerRole"),
    Fact("leaving_days", "days", "until the person's last position ends", "no end known, or over 30 days", "PractitionerRole"),
    Fact(
        "dormant_days", "days", "since the account's previous event, or since it could first have been seen", "new, start unknown"
    ),
    Fact(
        "hour_share",
        "share",
        "of hours at work that fall on this hour ±1, this person's and peers'",
        "under 50 such hours of the role",
    ),
    Fact("device_new", "flag", "first use of this workstation by the person", "under 30 events of the person"),
    Fact("action_share", "share", "of this account's earlier events that were of this kind", "under 30 events of the account"),
    Fact("application_new", "flag", "first use of this application by the person", "under 30 events of the person"),
    Fact("other_site_minutes", "minutes", "since the person was active at another site", "none within 12 h"),
    Fact("site_crossings", "count", "times the person went from site to site within 15 min, in one stretch", "none within 12 h"),
    Fact("failures_before", "count", "failed logins in the 30 min before this login", "not a login"),
    Fact("sequential_run", "count", "records opened in a row whose numbers follow each other", "never"),
    Fact("rhythm_run", "count", "records opened in a row at the same interval ±10 %", "never"),
    Fact("burst_actors", "count", "people without reason on this record in closed hours, about 3 days", "no patient"),
    Fact("privilege_hours", "hours", "since the person changed rights", "none within 48 h"),
    Fact(
        "returns",
        "count",
        "earlier days within a month each on which the person opened this record without a reason",
        "explained",
    ),
    Fact("confirmed_days", "days", "since misuse by the person was confirmed last", "no such case", "Verdict"),
    Fact("contact_days", "days", "since the person last opened this record", "first time"),
    Fact("act_days", "days", "since the person last wrote in this record", "never wrote"),
    Fact(
        "looked_up",
        "count",
        "people and patients that the person looked up in Sentinel itself in 24 h, of those without an alert; this one at first",
        "never",
    ),
    Fact(
        "log_silent_hours", "hours", "since the source's last event, in hours that ended", "of events; the source is not silent"
    ),
    Fact("log_missed", "count", "events that even the quietest hours of these kinds held", "as `log_silent_hours`"),
    Fact("log_silence_chance", "probability", "that the source's rhythm gives such a silence", "as `log_silent_hours`"),
    Fact(
        "log_skew_seconds",
        "seconds",
        "that the source's least delay of an hour differs from its usual one; below 0: events come from the future",
        "of events; under 20 events with a time of receipt; as usual",
    ),
    Fact("log_skew_spread", "seconds", "by which the least delay differs from hour to hour", "as `log_skew_seconds`"),
    Fact(
        "log_hole",
        "count",
        "record numbers that the source left out and did not bring in the next hour",
        "of events; not numbered, or under 1,000 numbers; none left out",
    ),
    Fact("log_hole_rate", "share", "holes among the source's numbers so far", "as `log_hole`"),
    Fact("hour", "hours since 1970", "the stream's hour when the event passed: the newest seen so far", "never"),
)

FACTS: Final = tuple(fact for name in METRICS for fact in _metric(name)) + _OTHERS
INDEX: Final = {fact.name: i for i, fact in enumerate(FACTS)}

CARE_GAP_DAYS: Final = 180.0  # without care for so long, a patient is a former one
ADULT_YEARS: Final = 18.0
PER_METRIC: Final = 6  # facts of each metric, in the order of `_metric`

RATES: Final = (
    "coworker",
    "team",
    "household",
    "same_name",
    "vip",
    "restricted",
    "deceased",
    "care_gap",
    "once_here",
    "street",
    "sensitive",
    "returns",
    "own_record",
    "hierarchy",
    "minor",
    "after_search",
)
"""How often chance alone gives each trait, for each role, by the closed days: a share of the openings without an ordinary
reason, once a day and patient; of `own_record`, of all openings.
"""

SESSION: Final = (
    "events",
    "patients",
    "unexplained",
    "searches",
    "writes",
    "exports",
    "prints",
    "off_hours",
    "new_devices",
    "applications",
)
"""What an hour of one person is for the online model: counts, one vector a person and active hour."""

OPENING: Final = frozenset(
    {
        Action.READ,
        Action.CREATE,
        Action.UPDATE,
        Action.DELETE,
        Action.EXPORT,
        Action.PRINT,
        Action.SHARE,
        Action.BREAK_GLASS,
        Action.EXECUTE,
        Action.OTHER,
        Action.SEARCH,
    }
)
