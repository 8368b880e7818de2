"""The compiled pass says what its Python says, and the facts mean what they are declared to mean."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.batch import Provenance, batch_of
from sentinel.core.context import PatientFlag
from sentinel.core.event import Action, ActorType
from sentinel.core.facts.declare import FACTS, INDEX, METRICS
from sentinel.core.facts.person import DEVICE_WARM_UP
from tests.builders import (
    Seen,
    a_hospital,
    a_patient,
    a_person,
    a_pipeline,
    a_stay,
    an_event,
    an_opening,
    on,
    seen_by,
)

SEEDS = range(20, 23)


def small(seed: int) -> Seen:
    """Return what is seen of a hospital small enough for the pass to be run uncompiled."""
    hospital = a_hospital(seed, people=8, patients=30, days=5, busy=5)
    return seen_by(hospital.context, hospital.events)


def concluded(seen: Seen) -> list[object]:
    """Return explanations, findings and alerts, in values that JSON keeps."""
    found = sorted((key.hex(), list(names)) for key, names in seen.found.items())
    return [seen.explained_by, [list(pair) for pair in found], sorted(seen.alerts)]


def keep(folder: str) -> None:
    """Write what this process sees into a folder."""
    for seed in SEEDS:
        seen = small(seed)
        np.save(Path(folder) / f"{seed}.npy", seen.matrix())
        (Path(folder) / f"{seed}.json").write_text(json.dumps(concluded(seen)), encoding="utf-8")


@pytest.fixture(scope="module")
def uncompiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a process without numba's compiler sees."""
    folder = tmp_path_factory.mktemp("uncompiled")
    program = f"from tests.core.test_ordered_pass import keep; keep({str(folder)!r})"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=300)
    return folder


@pytest.mark.parametrize("seed", SEEDS)
def test_compiled_and_uncompiled_give_the_same(seed: int, uncompiled: Path) -> None:
    """Facts to single precision, missing ones in the same places; explanations, findings and alerts exactly.

    A difference that is no bug of the pass is a stale cache of compiled code: numba looks at the time of its file alone.
    """
    seen = small(seed)
    np.testing.assert_allclose(seen.matrix(), np.load(uncompiled / f"{seed}.npy"), rtol=2e-5, atol=1e-6, equal_nan=True)
    assert concluded(seen) == json.loads((uncompiled / f"{seed}.json").read_text(encoding="utf-8"))


NURSE = [*a_person("nurse", "medecine"), a_patient("p"), a_stay("p", "medecine")]


def test_facts_are_declared_once() -> None:
    """Each has one name, a unit, a meaning, and says what its absence means."""
    assert len(INDEX) == len(FACTS) == len({fact.name for fact in FACTS})
    assert all(fact.unit and fact.meaning and fact.missing for fact in FACTS)


SHARES_AND_FLAGS = [fact for fact in FACTS if fact.unit in ("share", "flag")]


@settings(max_examples=6)
@given(st.integers(0, 40))
def test_facts_stay_in_their_range(seed: int) -> None:
    """Shares and flags lie in [0, 1], nothing is infinite, counts and durations are not negative."""
    hospital = a_hospital(seed)
    facts = seen_by(hospital.context, hospital.events).matrix()
    assert not np.isinf(facts).any()
    for fact in FACTS:
        row = facts[INDEX[fact.name]]
        assert np.nanmin(row, initial=0.0) >= 0.0, fact.name
    for fact in SHARES_AND_FLAGS:
        assert np.nanmax(facts[INDEX[fact.name]], initial=0.0) <= 1.0, fact.name


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact.missing == "never"], ids=lambda fact: fact.name)
def test_what_is_never_missing_is_told_of_each_opening(fact: object) -> None:
    """Even of the very first event of an unknown person on an unknown patient."""
    seen = seen_by([], [an_opening("p", on(0))], names=[])
    assert not math.isnan(seen.fact(fact.name)[0])  # type: ignore[attr-defined]


def test_the_last_24_hours_are_counted() -> None:
    """This event included, those of a day ago not: one action of each kind for ten hours, then one a day later."""
    hours = [an_event(Action.DELETE, on(0, hour)) for hour in range(10)]
    seen = seen_by([], [*hours, an_event(Action.DELETE, on(1, 4)), an_event(Action.DELETE, on(3, 0))], names=[])
    assert seen.fact("deleted_24h") == [*range(1, 11), 6.0, 1.0]


def test_searches_count_that_led_to_no_record() -> None:
    """The one that opens a record is work; the one after which somebody searches on was for looking."""
    searches = [an_event(Action.SEARCH, on(0, 9, k)) for k in range(3)]
    rows = [*searches, an_opening("p", on(0, 9, 4)), an_event(Action.SEARCH, on(0, 9, 5)), an_event(Action.SEARCH, on(0, 9, 6))]
    assert seen_by([], rows, names=[]).fact("searches_24h") == [0.0, 1.0, 2.0, 2.0, 2.0, 3.0]


def test_a_stranger_in_whose_record_one_writes_is_none() -> None:
    """Who writes takes part in the care: the count of strangers goes back, once, and the patient's next day counts anew."""
    reads = [an_opening(f"p{k}", on(0, 9, k)) for k in range(3)]
    written = [an_opening("p0", on(0, 10, k), action=Action.UPDATE) for k in range(2)]
    seen = seen_by([*NURSE, a_stay("other", "chirurgie")], [*reads, *written], names=[])
    assert seen.fact("unexplained_24h") == [1.0, 2.0, 3.0, 2.0, 2.0]


def test_returns_are_other_days() -> None:
    """Opened again within the day it is one visit; on another day a return; after months a first visit again."""
    rows = [an_opening("stranger", on(day, hour)) for day, hour in ((0, 9), (0, 15), (3, 9), (9, 9), (60, 9))]
    assert seen_by([*NURSE, a_stay("other", "chirurgie")], rows, names=[]).fact("returns") == [0.0, 0.0, 1.0, 2.0, 0.0]


def test_going_on_at_night_does_not_make_nights_usual() -> None:
    """The share of an hour is of the days before: the second hour of a night out of the ordinary is as rare as the first."""
    work = [an_event(when=on(day, hour), actor_id=f"n{k}") for day in range(4) for hour in range(9, 17) for k in range(4)]
    night = [an_event(when=on(4, 1 + k / 6), actor_id="n0") for k in range(18)]
    shares = seen_by([], [*work, *night], names=[]).fact("hour_share")[-18:]
    assert max(shares) < 0.01


@pytest.mark.parametrize("days", [1, 3])
def test_the_same_patients_count_each_day(days: int) -> None:
    """Distinct records opened in 24 h are as many on the second and the fourth day of the same patients."""
    rows = [an_opening(f"p{k}", on(day, 9, k)) for day in range(days + 1) for k in range(20)]
    seen = seen_by(NURSE, rows, names=[])
    assert seen.fact("patients_24h")[-1] == 20


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_is_counted_of_what_did_not_happen(metric: str) -> None:
    """A first login counts for nothing."""
    assert seen_by(NURSE, [an_event(Action.LOGIN)], names=[]).fact(f"{metric}_24h") == [0.0]


def test_exports_count_records() -> None:
    """One act on 250 records is 250; a refused one is none."""
    rows = [
        an_event(Action.EXPORT, on(0, 9), resource_count=250),
        an_event(Action.PRINT, on(0, 10)),
        an_event(Action.EXPORT, on(0, 11), resource_count=99, outcome="major-failure"),
    ]
    assert seen_by([], rows, names=[]).fact("exported_24h") == [250, 251, 251]


def test_people_who_leave_are_told_from_those_who_left() -> None:
    """Days until the end of the last position, then days since."""
    context = a_person("nurse", "medecine", end=on(10, 0))
    seen = seen_by(context, [an_event(when=on(day, 0)) for day in (-25, 0, 9, 11, 30)], names=[])
    np.testing.assert_allclose(seen.fact("leaving_days"), [np.nan, 10, 1, np.nan, np.nan], rtol=1e-5)
    np.testing.assert_allclose(seen.fact("departed_days"), [np.nan, np.nan, np.nan, 1, 20], rtol=1e-5)


def test_a_device_is_new_once_the_person_is_known() -> None:
    """No opinion while warming up; then yes at the first use, no after."""
    rows = [an_event(when=on(0, 9, k), device="own") for k in range(DEVICE_WARM_UP + 1)]
    rows += [an_event(when=on(1, 9, k), device=device) for k, device in enumerate(("own", "other", "other"))]
    new = seen_by([], rows, names=[]).fact("device_new")
    assert all(map(math.isnan, new[:DEVICE_WARM_UP]))
    assert new[DEVICE_WARM_UP:] == [0.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize("weekdays", [range(7), (0, 1, 2)], ids=["every-day", "closed-on-thursdays"])
def test_contacts_of_long_ago_are_forgotten(weekdays: Sequence[int]) -> None:
    """After a hundred days or so a contact is as good as none, whichever days of the week a practice is open."""
    between = [an_event(when=on(7 * week + day), actor_id="doctor") for week in range(18) for day in weekdays]
    rows = sorted([an_opening("p", on(0, 8)), *between, an_opening("p", on(126, 8))], key=lambda row: row.occurred_at)
    contact = dict(zip(rows, seen_by(NURSE, rows, names=[]).fact("contact_days"), strict=True))
    assert math.isnan(contact[rows[-1]])


def test_many_pairs_at_once_are_all_remembered() -> None:
    """A batch far larger than the table of pairs, and one event at a time, remember the same."""
    rows = [an_opening(f"p{k % 6_000}", on(0, 8, 0, k), f"actor-{k % 7}") for k in range(12_000)]
    told = seen_by(NURSE, rows, names=[]).fact("contact_days")
    np.testing.assert_array_equal(told, seen_by(NURSE, rows, range(0, 12_000, 500), names=[]).fact("contact_days"))
    first_times = sum(map(math.isnan, told))
    assert first_times == len({(row.actor_id, row.patient_id) for row in rows})


def test_contact_and_act_are_told_before_they_are_renewed() -> None:
    """Days since the record was last opened, and since something was last written in it."""
    rows = [
        an_opening("p", on(0)),
        an_opening("p", on(2), action=Action.UPDATE),
        an_opening("p", on(5)),
    ]
    seen = seen_by(NURSE, rows, names=[])
    np.testing.assert_allclose(seen.fact("contact_days"), [np.nan, 2, 3], rtol=1e-5)
    np.testing.assert_allclose(seen.fact("act_days"), [np.nan, np.nan, 3], rtol=1e-5)


def test_programs_and_patients_teach_nothing_of_people() -> None:
    """What an interface and the portal open is no part of what is usual for people at work."""
    rows = [an_opening(f"p{k}", on(0, 9, k), "hl7", actor_type=ActorType.SERVICE) for k in range(300)]
    rows += [an_opening(f"p{k}", on(0, 15, k), f"portal-{k}", actor_type=ActorType.PATIENT) for k in range(50)]
    vip = [a_patient(f"p{k}", flags=frozenset({PatientFlag.VIP})) for k in range(300)]
    taught = seen_by([*NURSE, *vip], [*rows, an_opening("p", on(1)), an_opening("p0", on(1, 10))])
    untaught = seen_by([*NURSE, *vip], [an_opening("p", on(1)), an_opening("p0", on(1, 10))])
    assert taught.fact("unexplained_share")[-2:] == untaught.fact("unexplained_share")
    assert [a.reasons for a in taught.alerts.values()] == [a.reasons for a in untaught.alerts.values()]


def test_hours_are_those_of_the_site() -> None:
    """Half past midnight on a Wednesday in Paris is the hour at which people there work, and late on Tuesday in UTC."""
    mondays = [an_event(when=on(7 * week - 1, 23, k), actor_id=f"n{k}") for week in range(4) for k in range(20)]
    rows = [*mondays, an_event(when=on(23, 23, 30), actor_id="n0")]
    paris, utc = (seen_by([], rows, names=[], timezone=zone).fact("hour_share")[-1] for zone in ("Europe/Paris", "UTC"))
    assert paris > 0.9
    assert utc < 0.1


def test_a_late_event_does_not_turn_time_back() -> None:
    """Yesterday's event that comes today counts for the last 24 h of its person, and the stream's hour stays."""
    rows = [an_event(when=on(1, 9)), an_event(Action.DELETE, on(0, 12)), an_event(when=on(1, 9, 30))]
    seen = seen_by([], rows, names=[])
    assert len(set(seen.fact("hour"))) == 1
    assert seen.fact("deleted_24h")[-1] == 1.0


def test_a_very_late_event_counts_for_nothing_recent() -> None:
    """What happened a month ago is not part of the last 24 h."""
    rows = [an_event(when=on(30)), *[an_event(Action.DELETE, on(0, 9, k)) for k in range(50)], an_event(when=on(30, 10))]
    assert seen_by([], rows, names=[]).fact("deleted_24h")[-1] == 0.0


def test_one_clock_that_is_wrong_does_not_stop_the_others() -> None:
    """An event dated years after its receipt is kept, moves time by a day at most, and days go on being closed."""
    searches = [an_event(Action.SEARCH, on(day, 9, k)) for day in range(5) for k in range(day + 1)]
    rows = [searches[0], an_event(when=on(9_000), actor_id="broken-clock"), *searches[1:]]
    received = np.array([row.occurred_at for row in [searches[0], *searches]], dtype=np.int64)
    pipeline = a_pipeline([])
    done = pipeline.process(batch_of(pipeline.tenant, rows, Provenance("test", received_at=received)))
    assert len(done.kept) == len(rows)
    person = pipeline.book.actor_codes.find(searches[0].actor_id)
    assert pipeline.book.actors.usual_days[person] >= 3


def test_shares_stay_shares_when_reasons_come_and_go() -> None:
    """A patient opened each day once with a reason and once without is half unexplained, not more than wholly."""
    rows = [
        an_opening("p", on(day, hour, day), actor_unit=unit) for day in range(40) for hour, unit in ((8, "chirurgie"), (16, ""))
    ]
    shares = seen_by([*a_person("nurse", "medecine"), a_stay("p", "chirurgie")], rows, names=[]).fact("unexplained_share")
    assert max(shares) <= 1.0
