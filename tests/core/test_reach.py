"""What a source does not tell keeps detectors silent: which, and what would wake them, is known without a run."""

from __future__ import annotations

import numpy as np
import pytest

from sentinel.assembly import detectors
from sentinel.core.detector import Detector
from sentinel.core.event import Action, ActorType, Destination
from sentinel.core.explain import EXPLANATIONS
from sentinel.core.facts.declare import INDEX
from sentinel.core.reach import _DEAD, EVERYTHING, Told, can_find, missing_for, reasons, told_by
from tests.builders import an_event

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


def test_what_stays_dead_is_a_fact() -> None:
    """Names out of the table of facts."""
    assert all(fact in INDEX for _, facts in _DEAD for fact in facts)
    assert all(np.isnan(value) or value == 0.0 for _, facts in _DEAD for value in facts.values())


def test_ordinary_reasons_say_what_they_lack() -> None:
    """All that are declared; the patient's own access and interfaces need their kind of actor."""
    found = {one.name: one for one in reasons(READS)}
    assert list(found) == [one.name for one in EXPLANATIONS]
    assert found["stay-in-unit"].missing == ()
    assert found["interface"].missing == ("actor_type service",)
    assert found["own-act"].missing == ("action create or update",)
    assert all(not one.missing for one in reasons(EVERYTHING))
