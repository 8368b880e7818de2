"""What a source does not tell keeps detectors silent: which, and what would wake them, is known without a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sentinel.assembly import detectors
from sentinel.core.context import Judgement, StaffMember, Verdict
from sentinel.core.detector import Detector
from sentinel.core.event import Action, ActorType, Destination, EventRow
from sentinel.core.explain import EXPLANATIONS
from sentinel.core.facts.declare import INDEX
from sentinel.core.reach import _DEAD, EVERYTHING, Told, can_find, missing_for, reasons, told_by
from tests.builders import UNITS, a_hospital, a_patient, a_person, an_event, on, seen_by

READS = Told(
    fields=frozenset({"id", "occurred_at", "action", "actor_id", "patient_id"}),
    actions=frozenset({Action.READ}),
    actor_types=frozenset({ActorType.HUMAN}),
    destinations=frozenset({""}),
    opens=True,
    emergency=False,
)
BY_NAME = {detector.name: detector for detector in detectors()}
each = pytest.mark.parametrize("detector", BY_NAME.values(), ids=BY_NAME)


@each
def test_all_told_every_detector_can_find_something(detector: Detector) -> None:
    """Else it could never find anything at all."""
    assert can_find(detector, EVERYTHING)
    assert missing_for(detector, EVERYTHING) == []


@each
def test_what_is_missing_is_enough(detector: Detector) -> None:
    """Nothing told, each says what it would take; and none is silent with that and everything it does not name."""
    nothing = Told(
        frozenset(), frozenset({Action.OTHER}), frozenset({ActorType.HUMAN}), frozenset({""}), opens=False, emergency=False
    )
    missing = missing_for(detector, nothing)
    assert bool(missing) is not can_find(detector, nothing)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("no_care_relation", []),
        ("vip_record", []),
        ("name_probing", ["action search"]),
        ("shared_account", ["field device"]),
        ("sensitive_record", ["field resource_sensitivity"]),
        ("brute_force_success", ["action login", "action login-failed"]),
        ("privilege_used", ["action permission-change"]),
        ("public_link", ["destination link", "action export"]),
        ("break_glass_no_act", ["action break-glass"]),
    ],
)
def test_reads_alone_leave_detectors_silent(name: str, missing: list[str]) -> None:
    """Each for what it looks at, and nothing else."""
    assert missing_for(BY_NAME[name], READS) == missing


def test_what_events_tell_is_read_off_them() -> None:
    """Fields with any value; our own values that occur; whether a record is opened, or an emergency told."""
    told = told_by([an_event(), an_event(Action.LOGIN, patient_id="p"), an_event(purpose="BTG", device="pc")])
    assert {"device", "purpose", "actor_id"} <= told.fields
    assert "site" not in told.fields
    assert told.actions == {Action.READ, Action.LOGIN}
    assert (told.opens, told.emergency) == (False, True)
    assert told_by([an_event(patient_id="p", destination=str(Destination.LINK))]).destinations == {"link"}


HOSPITAL = a_hospital(20, people=20, patients=60, days=30)
COLLEAGUE = next(one for one in HOSPITAL.context if isinstance(one, StaffMember))
CONTEXT = [
    *HOSPITAL.context,
    *a_person("leader", UNITS[0], "cadre de santé"),
    *a_person("technician", UNITS[1], "technicien informatique"),
    a_patient("colleague", COLLEAGUE.identity),
    a_patient("child", birth_date="2019-05-01"),
    Verdict("an-alert", "actor-1", ("vip_record",), (), Judgement.MISUSE, on(1)),
]
ODD = [  # what nobody does in that hospital
    an_event(when=on(30), actor_id="actor-0", application="imaging"),
    an_event(when=on(30), actor_id="nobody-of-the-hospital", patient_id="patient-0"),
    an_event(when=on(30), actor_id="leader", patient_id="colleague"),
    *(an_event(when=on(day), actor_id="technician", patient_id="child") for day in (29, 30)),
    an_event(when=on(30), actor_id="actor-1", application="sentinel", patient_id="patient-0"),
    an_event(when=on(30), actor_id="actor-1", application="sentinel", resource_type="Practitioner", resource_id="actor-2"),
]
EVENTS = [*HOSPITAL.events, *ODD]
NEEDED = ("id", "sub", "occurred_at", "action", "outcome", "actor_id", "actor_type", "resource_count")
BY_FIELD = ("patient_id", "device", "application", "site", "resource_sensitivity", "destination")
BY_ACTION: tuple[tuple[Action, ...], ...] = (
    *((one,) for one in (Action.SEARCH, Action.DELETE, Action.LOGIN, Action.LOGIN_FAILED, Action.PERMISSION_CHANGE)),
    (Action.EXPORT, Action.PRINT, Action.SHARE),
    (Action.CREATE, Action.UPDATE, Action.DELETE),
)
OF_SOURCES = "log_"  # is found of hours that end, not of events
COMPARED = ("_actor", "_peers", "_limit", "_spread")  # what a count is compared with finds nothing alone


def lived(events: Sequence[EventRow]) -> dict[str, float]:
    """Return the facts that stay at one value over all events, missing ones aside; missing when they always are."""
    dead = {}
    for name, values in zip(INDEX, seen_by(CONTEXT, events).matrix(), strict=True):
        if name.startswith(OF_SOURCES):
            continue
        known = np.unique(values[~np.isnan(values)])
        if len(known) < 2 and not name.endswith(COMPARED):
            dead[name] = float(known[0]) if len(known) else float("nan")
    return dead


def without_fields(*names: str) -> list[EventRow]:
    """Return the hospital's events without some fields."""
    emptied: dict[str, Any] = dict.fromkeys(names, "")
    return [one._replace(**emptied) for one in EVENTS]


def without_actions(*actions: Action) -> list[EventRow]:
    """Return the hospital's events, some of which are told as `other` ones."""
    return [one._replace(action=str(Action.OTHER)) if one.action in actions else one for one in EVENTS]


LACKING = {
    **{name: without_fields(name) for name in BY_FIELD},
    "all other fields": without_fields(*(name for name in EventRow._fields if name not in (*NEEDED, *BY_FIELD, "purpose"))),
    **{" ".join(actions): without_actions(*actions) for actions in BY_ACTION},
    "all other actions": without_actions(Action.LOGOUT, Action.IMPORT, Action.EXECUTE),
    "emergencies": [
        one._replace(purpose="", action=str(Action.READ) if one.action == Action.BREAK_GLASS else one.action) for one in EVENTS
    ],
}


def test_with_everything_told_no_fact_is_dead() -> None:
    """The hospital from which the next test takes things shows all there is."""
    assert lived(EVENTS) == {}


@pytest.mark.parametrize("what", LACKING)
def test_what_is_dead_is_declared(what: str) -> None:
    """Events without one thing leave just those facts at one value that the table says: a fact forgotten there is found here."""
    told = told_by(LACKING[what])
    declared = {fact: value for lacks, facts in _DEAD if lacks(told) for fact, value in facts.items()}
    assert lived(LACKING[what]) == pytest.approx(declared, abs=0, nan_ok=True)


def test_every_row_of_the_table_is_tried() -> None:
    """Else what it declares is held by nothing."""
    tried = [told_by(events) for events in LACKING.values()]
    assert all(any(lacks(told) for told in tried) for lacks, _ in _DEAD)


def test_ordinary_reasons_say_what_they_lack() -> None:
    """All that are declared; the patient's own access and interfaces need their kind of actor."""
    found = {one.name: one for one in reasons(READS)}
    assert list(found) == [one.name for one in EXPLANATIONS]
    assert found["stay-in-unit"].missing == ()
    assert found["interface"].missing == ("actor_type service",)
    assert found["own-act"].missing == ("action create or update",)
    assert all(not one.missing for one in reasons(EVERYTHING))
