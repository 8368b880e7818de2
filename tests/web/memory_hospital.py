"""A small hospital in memory that answers the console's questions as the store does."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sentinel.core.alert import rfc3339
from sentinel.core.detector import Detector
from sentinel.core.event import microseconds
from sentinel.core.explain import TRIED
from sentinel.core.plugins import discover
from sentinel.web.pages import Site
from sentinel.web.ports import UnavailableError

ZONE = ZoneInfo("Europe/Paris")
NOW_US = microseconds(datetime(2026, 4, 17, 14, 32, 10, tzinfo=UTC))
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
HOSTILE = "<img src=x onerror=alert(1)>/../a b?c#d%2e~1"
SWEEP = "a" * 32
HOSTILE_ALERT = "d" * 32
TENANT = "CH-Baie"
ALL = 10**6
COUNTED = ("events", "accesses", "explained", "alerts")


def an_access(at_us: int, **told: Any) -> dict[str, Any]:
    """Return an access as the store answers it."""
    row: dict[str, Any] = {
        "key": f"{at_us:032x}",
        "source": "fhir_auditevent",
        "id": f"audit-{at_us % 10**9}",
        "occurred_at": rfc3339(at_us),
        "received_at": rfc3339(at_us + 1_000_000),
        "action": "read",
        "outcome": "success",
        "actor_id": "dr-martin",
        "actor_type": "human",
        "actor_role": "Infirmier",
        "actor_unit": "Cardiologie",
        "actor_rpps": "",
        "patient_id": "",
        "resource_type": "DocumentReference",
        "resource_id": f"doc-{at_us % 9973}",
        "resource_sensitivity": "",
        "resource_count": 1,
        "purpose": "",
        "reason": "",
        "client_address": "10.20.4.17",
        "device": "PC-CARDIO-03",
        "application": "DPI",
        "site": "Site Nord",
        "session": "s-1",
        "destination": "",
        "partition": 0,
        "offset": 1,
        "ordinal": 0,
        "explained_by": "",
        "p_value": None,
        "detectors": [],
        "weighed": {},
    }
    return row | told


def an_alert(id_: str, at_us: int, **told: Any) -> dict[str, Any]:
    """Return an alert as `alerts.ndjson` gives it."""
    alert: dict[str, Any] = {
        "id": id_,
        "tenant": TENANT,
        "version": 1,
        "priority": 8.4,
        "severity": "high",
        "detectors": ["many_strangers"],
        "actor": "dr-martin",
        "patients": ["p-1"],
        "event_ids": [],
        "event_keys": [],
        "first_seen": rfc3339(at_us - HOUR_US),
        "last_seen": rfc3339(at_us),
        "reasons": [a_reason()],
        "not_explained_by": list(TRIED),
    }
    return alert | told


def a_reason(**told: Any) -> dict[str, Any]:
    """Return a reason as `alerts.ndjson` gives it."""
    reason: dict[str, Any] = {
        "detector": "many_strangers",
        "observed": 212,
        "usual": {"actor": 7.4, "peers": 9.1},
        "p_value": 0.00003,
        "text": {
            "fr": "212 patients sans raison ordinaire en 24 h ; "
            "d'ordinaire 7.4 par jour pour cette personne, 9.1 pour ses pairs.",
            "en": "212 patients without an ordinary reason in 24 h; usually 7.4 a day for this person, 9.1 for peers.",
        },
    }
    return reason | told


def us(moment: str) -> int:
    """Return an RFC 3339 time as µs since 1970 UTC."""
    return microseconds(datetime.fromisoformat(moment))


def within(moment: str, since: int | None, until: int | None) -> bool:
    """Tell whether a time lies in [since, until)."""
    return (since is None or us(moment) >= since) and (until is None or us(moment) < until)


@dataclass
class MemoryQuestions:
    """The named questions over lists. `down`: as when the worker is lost."""

    accesses: list[dict[str, Any]] = field(default_factory=list)
    stories: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    raw: dict[str, str] = field(default_factory=dict)
    down: bool = False

    def put(self, alert: dict[str, Any]) -> None:
        """Keep an alert, new or changed."""
        self.stories[alert["id"]] = alert
        self.changes.append(alert)

    def _check(self, tenant: str) -> None:
        assert tenant == TENANT
        if self.down:
            raise UnavailableError("the worker is starting")

    def _page(self, tenant, name, ids, since, until, limit, before=None):
        self._check(tenant)
        rows = [row for row in self.accesses if row[name] in ids and within(row["occurred_at"], since, until)]
        ranked = sorted(((us(row["occurred_at"]), row["key"], row) for row in rows), key=lambda item: item[:2], reverse=True)
        if before:
            at, _, key = before.partition(" ")
            ranked = [item for item in ranked if item[:2] < (int(at), key)]
        shown = ranked[:limit]
        more = f"{shown[-1][0]} {shown[-1][1]}" if len(shown) == limit else None
        return {"accesses": [row for *_, row in shown], "next": more}

    async def accesses_to_patient(self, tenant, patient_ids, *, since, until, limit, before):
        """See the port."""
        return self._page(tenant, "patient_id", patient_ids, since, until, limit, before)

    async def accesses_by_actor(self, tenant, actor_ids, *, since, until, limit, before):
        """See the port."""
        return self._page(tenant, "actor_id", actor_ids, since, until, limit, before)

    async def summary_of_patient(self, tenant, patient_ids, *, since, until):
        """See the port."""
        people = defaultdict(list)
        for row in self._page(tenant, "patient_id", patient_ids, since, until, ALL)["accesses"]:
            people[row["actor_id"]].append(row)
        return [
            {name: rows[0][name] for name in ("actor_id", "actor_type", "actor_role", "actor_unit")}
            | {
                "first": rows[-1]["occurred_at"],
                "last": rows[0]["occurred_at"],
                "count": len(rows),
                "explained": sum(bool(row["explained_by"]) for row in rows),
            }
            for rows in people.values()
        ]

    async def hour_by_weekday(self, tenant, actor_ids, *, since, until, timezone):
        """See the port."""
        week = [[0] * 24 for _ in range(7)]
        for row in self._page(tenant, "actor_id", actor_ids, since, until, ALL)["accesses"]:
            at = datetime.fromisoformat(row["occurred_at"]).astimezone(ZoneInfo(timezone))
            week[at.weekday()][at.hour] += 1
        return week

    async def alerts(
        self, tenant, *, since, until, min_priority, severity, detector, actor, patient, suppressed=False, order, limit, before
    ):
        """See the port."""
        self._check(tenant)
        stories = [
            story
            for story in self.stories.values()
            if within(story["last_seen"], since, until)
            and story["priority"] >= min_priority
            and severity in {None, story["severity"]}
            and (detector is None or detector in story["detectors"])
            and actor in {None, story["actor"]}
            and (patient is None or patient in story["patients"])
            and suppressed in {None, story.get("suppressed", False)}
        ]
        rank = {"priority": lambda story: float(story["priority"]), "time": lambda story: float(us(story["last_seen"]))}[order]
        ranked = sorted(((rank(story), story["id"], story) for story in stories), key=lambda item: item[:2], reverse=True)
        if before:
            least, _, id_ = before.partition(" ")
            ranked = [item for item in ranked if item[:2] < (float(least), id_)]
        shown = ranked[:limit]
        more = f"{shown[-1][0]!r} {shown[-1][1]}" if len(shown) == limit else None
        return {"alerts": [story for *_, story in shown], "next": more}

    async def alerts_changed_since(self, tenant, cursor, *, limit):
        """See the port."""
        self._check(tenant)
        start = int(cursor or 0)
        changed = self.changes[start : start + limit]
        return {"alerts": changed, "cursor": str(start + len(changed))}

    async def alert(self, tenant, alert_id):
        """See the port."""
        self._check(tenant)
        return self.stories.get(alert_id)

    async def evidence(self, tenant, alert_id):
        """See the port."""
        self._check(tenant)
        keys = set(self.stories[alert_id]["event_keys"])
        rows = sorted((r for r in self.accesses if r["key"] in keys), key=lambda r: r["occurred_at"])
        return [{"access": row, "raw": self.raw.get(row["key"])} for row in rows]

    async def counts(self, tenant, *, since, until):
        """See the port."""
        self._check(tenant)
        days: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in self.accesses:
            if within(row["occurred_at"], since, until):
                explained = bool(row["patient_id"] and row["explained_by"])
                days[row["occurred_at"][:10]].update(events=1, accesses=bool(row["patient_id"]), explained=explained)
        for story in self.stories.values():
            if within(story["last_seen"], since, until):
                days[story["last_seen"][:10]].update(alerts=1)
        total = sum(days.values(), Counter())
        return {
            "events": total["events"],
            "accesses": total["accesses"],
            "alerts": total["alerts"],
            "explained": total["explained"] / total["accesses"] if total["accesses"] else None,
            "days": [{"day": day} | {name: days[day][name] for name in COUNTED} for day in sorted(days, reverse=True)],
        }


@dataclass(frozen=True)
class FixedClock:
    """A clock that stands still."""

    us: int = NOW_US

    def now_us(self) -> int:
        """Return µs since 1970 UTC."""
        return self.us


SITE = Site(
    tenant=TENANT,
    version="0.1.0",
    zone=ZONE,
    clock=FixedClock(),
    detectors=tuple(discover("models.detectors", "DETECTOR", Detector).values()),
    model="session_trees",
)


def a_hospital() -> MemoryQuestions:
    """Return a few weeks of a small hospital: ordinary accesses, four stories, and one whose ids are hostile."""
    questions = MemoryQuestions()
    draw = random.Random(7)
    staff = [
        ("dr-martin", "Infirmier", "Cardiologie", "PC-CARDIO-03"),
        ("dr-leroy", "Médecin", "Cardiologie", "PC-CARDIO-01"),
        ("inf-petit", "Infirmier", "Urgences", "PC-URG-11"),
        ("sec-moreau", "Secrétaire médicale", "Oncologie", "PC-ONCO-02"),
        ("lab-garnier", "Technicien de laboratoire", "Laboratoire", "PC-LABO-05"),
    ]
    reasons = ("stay-in-unit", "stay-in-unit", "appointment", "encounter", "care-team", "order", "own-act")
    for day in range(30):
        for actor, role, unit, device in staff:
            for _ in range(draw.randint(4, 10)):
                minute = int(draw.triangular(7 * 60, 19 * 60, 10 * 60))
                at = NOW_US - day * 24 * HOUR_US - (14 * 60 + 32 - minute) * 60_000_000 - draw.randint(0, 59_000_000)
                if at > NOW_US or draw.random() < (0.75 if (day % 7) in {1, 2} else 0.0):
                    continue
                questions.accesses.append(
                    an_access(
                        at,
                        actor_id=actor,
                        actor_role=role,
                        actor_unit=unit,
                        device=device,
                        patient_id=f"p-{draw.randint(1, 25)}",
                        action=draw.choice(("read", "read", "read", "update", "create", "search", "print")),
                        explained_by=draw.choice(reasons) if draw.random() < 0.97 else "",
                        client_address=f"10.20.{draw.randint(1, 9)}.{draw.randint(2, 250)}",
                    )
                )
    _stories(questions)
    return questions


def _stories(questions: MemoryQuestions) -> None:
    sweep = [
        an_access(
            NOW_US - 9 * MINUTE_US - i * 47_000_000,
            actor_id="inf-petit",
            actor_unit="Urgences",
            device="PC-URG-11",
            patient_id=f"p-{i % 12 + 1}",
            detectors=["many_strangers"],
        )
        for i in range(40)
    ]
    export = an_access(
        NOW_US - 11 * HOUR_US,
        actor_id="sec-moreau",
        actor_role="Secrétaire médicale",
        actor_unit="Oncologie",
        patient_id="p-4",
        action="export",
        resource_count=412,
        resource_sensitivity="R",
        destination="removable",
        detectors=["mass_export"],
    )
    home = an_access(
        NOW_US - 30 * HOUR_US,
        actor_id="lab-garnier",
        actor_role="Technicien de laboratoire",
        patient_id="p-9",
        reason="vérification",
        detectors=["household_record"],
    )
    hostile = an_access(
        NOW_US - 50 * HOUR_US,
        actor_id=HOSTILE,
        actor_role="<b>x</b>",
        patient_id=HOSTILE,
        device=HOSTILE,
        resource_id=HOSTILE,
        reason="</script><script>alert(2)</script>",
        detectors=["household_record"],
    )
    questions.accesses += [*sweep, export, home, hostile]
    questions.raw |= {row["key"]: _audit_event(row) for row in (*sweep, export, home, hostile)}
    questions.put(
        an_alert(
            SWEEP,
            NOW_US - 9 * MINUTE_US,
            priority=14.2,
            severity="critical",
            actor="inf-petit",
            patients=sorted({row["patient_id"] for row in sweep}),
            event_keys=[row["key"] for row in sweep],
            detectors=["many_strangers", "off_hours"],
            first_seen=sweep[-1]["occurred_at"],
            reasons=[a_reason(), _OFF_HOURS],
        )
    )
    questions.put(
        an_alert(
            "b" * 32,
            NOW_US - 11 * HOUR_US,
            priority=9.7,
            actor="sec-moreau",
            patients=["p-4"],
            event_keys=[export["key"]],
            detectors=["mass_export"],
            reasons=[_EXPORT],
            not_explained_by=[],
        )
    )
    questions.put(
        an_alert(
            "c" * 32,
            NOW_US - 30 * HOUR_US,
            priority=6.1,
            severity="medium",
            actor="lab-garnier",
            patients=["p-9"],
            event_keys=[home["key"]],
            detectors=["household_record", "session_trees"],
            reasons=[_HOUSEHOLD],
        )
    )
    questions.put(
        an_alert(
            HOSTILE_ALERT,
            NOW_US - 50 * HOUR_US,
            priority=2.3,
            severity="low",
            actor=HOSTILE,
            patients=[HOSTILE],
            event_keys=[hostile["key"]],
            detectors=["<i>nothing</i>"],
            reasons=[
                a_reason(
                    detector="<i>nothing</i>",
                    observed="<svg onload=alert(3)>",
                    usual={"actor": "<b>1</b>", "peers": None},
                    text={"fr": "motif <script>alert(4)</script>", "en": "reason <script>alert(4)</script>"},
                )
            ],
        )
    )


def _audit_event(row: dict[str, Any]) -> str:
    resource = {
        "resourceType": "AuditEvent",
        "id": row["id"],
        "action": "R",
        "recorded": row["occurred_at"],
        "agent": [{"who": {"reference": f"Practitioner/{row['actor_id']}"}, "requestor": True}],
        "entity": [{"what": {"reference": f"Patient/{row['patient_id']}"}}],
    }
    return json.dumps(resource, separators=(",", ":"), ensure_ascii=False)


_OFF_HOURS = a_reason(
    detector="off_hours",
    observed="15:32",
    usual={"actor": "07:00 – 14:30", "peers": None},
    p_value=0.004,
    text={
        "fr": "Activité à 15 h 32, hors des heures de cette personne et de sa fonction.",
        "en": "Activity at 15:32, outside the hours of this person and role.",
    },
)
_EXPORT = a_reason(
    detector="mass_export",
    observed=412,
    usual={"actor": 0, "peers": 3.2},
    text={
        "fr": "412 dossiers exportés, imprimés ou partagés en 24 h ; "
        "d'ordinaire 0 par jour pour cette personne, 3.2 pour ses pairs.",
        "en": "412 records exported, printed or shared in 24 h; usually 0 a day for this person, 3.2 for peers.",
    },
)
_HOUSEHOLD = a_reason(
    detector="household_record",
    observed=1,
    usual={"actor": 0.031, "peers": 0.0029},
    p_value=0.0007,
    text={
        "fr": "Dossier d'une personne vivant à la même adresse ouvert sans raison ordinaire trouvée ; 0.29 % des "
        "consultations présentent ce lien. Seules 3.1 % des consultations de cette personne sont sans raison ordinaire.",
        "en": "The record of someone at the same address was opened with no ordinary reason found; 0.29 % of openings "
        "have this tie. Only 3.1 % of this person's openings have no ordinary reason.",
    },
)
