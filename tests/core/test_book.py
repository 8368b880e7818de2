"""The context as arrays says what a plain reading of the same records says, however often they were told and withdrawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.book import ContextBook
from sentinel.core.context import (
    EVER,
    FOREVER,
    ActorAlias,
    CareLink,
    ContextRecord,
    Identity,
    LinkKind,
    PatientAlias,
    Position,
    StaffMember,
    Stay,
    Withdrawn,
)
from sentinel.core.explain import EXPLANATIONS, LINK_EXPLAINS, ExplanationCode, RoleClass, role_class
from sentinel.core.facts.person import GRACE_MAX_US, GRACE_MIN_US, POSITION_EARLY_US
from tests.builders import DAY_US, Seen, a_patient, a_person, a_stay, an_event, an_opening, on, seen_by

NOW = on(0, 12)
BY_CODE = {reason.code: reason for reason in EXPLANATIONS}
PEOPLE, PATIENTS, UNITS = ("anne", "luc"), ("p", "q"), ("medecine", "chirurgie")
IDS = st.sampled_from([f"Resource/{i}" for i in range(6)])
DAYS = st.integers(-220, 40)
STARTS = DAYS.map(on) | st.just(EVER)
ENDS = DAYS.map(on) | st.just(FOREVER)
ROLES = st.sampled_from(["infirmier", "pharmacien", "technicien dim"])
POSITIONS = st.builds(Position, IDS, st.sampled_from(PEOPLE), st.sampled_from(UNITS), ROLES, STARTS, ENDS)
STAYS = st.builds(Stay, IDS, st.sampled_from(PATIENTS), st.sampled_from(UNITS), STARTS, ENDS, st.booleans())
LINKS = st.builds(CareLink, IDS, st.sampled_from(PATIENTS), st.sampled_from(PEOPLE), st.sampled_from(LinkKind), STARTS, ENDS)
RECORDS = st.lists(POSITIONS | STAYS | LINKS | st.builds(Withdrawn, IDS), max_size=25)
OTHER_CARE = a_stay("somebody-else", "elsewhere")


def standing(records: Iterable[ContextRecord]) -> list[Position | Stay | CareLink]:
    """Return the records that were not withdrawn later."""
    left: list[Position | Stay | CareLink] = []
    for record in records:
        if isinstance(record, Withdrawn):
            left = [kept for kept in left if kept.id != record.id]
        elif isinstance(record, Position | Stay | CareLink):
            left.append(record)
    return left


def within(code: ExplanationCode, record: Stay | CareLink) -> bool:
    """Whether a reason that refers to `record` holds now."""
    told = BY_CODE[code]
    return record.start - told.before_days * DAY_US <= NOW <= record.end + told.after_days * DAY_US


def reasons_of(records: Iterable[ContextRecord], actor: str, patient: str) -> set[ExplanationCode]:
    """Return every reason that a plain reading finds for `actor` to open `patient` now."""
    left = standing(records)
    mine = [record for record in left if isinstance(record, Position) and record.actor_id == actor]
    stays = [record for record in left if isinstance(record, Stay) and record.patient_id == patient]
    links = [record for record in left if isinstance(record, CareLink) and record.patient_id == patient]
    units = {p.unit for p in mine if p.start - POSITION_EARLY_US <= NOW <= p.end + _grace(p)}
    classes = {role_class(p.role) for p in mine if p.start <= NOW <= p.end}
    planned = {True: ExplanationCode.PLANNED_IN_UNIT, False: ExplanationCode.STAY_IN_UNIT}
    found = {planned[s.planned] for s in stays if s.unit in units and within(planned[s.planned], s)}
    found |= {LINK_EXPLAINS[link.kind] for link in links if link.actor_id == actor and within(LINK_EXPLAINS[link.kind], link)}
    if max(classes, default=RoleClass.UNIT) is RoleClass.TRANSVERSAL:
        found |= {code for record in (*stays, *links) if within(code := ExplanationCode.TRANSVERSAL_ROLE, record)}
    if max(classes, default=RoleClass.UNIT) is RoleClass.CODING:
        found |= {code for stay in stays if within(code := ExplanationCode.CODING_BILLING, stay)}
    return found


def _grace(position: Position) -> int:
    return min(GRACE_MAX_US, max(GRACE_MIN_US, position.end - position.start))


def opened(records: Sequence[ContextRecord]) -> Seen:
    """Return what is seen when everybody opens everybody's record now."""
    rows = [an_opening(patient, NOW, actor) for actor in PEOPLE for patient in PATIENTS]
    return seen_by([OTHER_CARE, *records], rows, names=[])


@settings(max_examples=150)
@given(RECORDS)
def test_the_first_reason_that_a_plain_reading_finds_is_kept(records: list[ContextRecord]) -> None:
    """Told, withdrawn and told again under the same ids, in any order."""
    first = [min(reasons_of(records, actor, patient), default=None) for actor in PEOPLE for patient in PATIENTS]
    assert opened(records).explained_by == ["" if code is None else BY_CODE[code].name for code in first]


@settings(max_examples=100)
@given(RECORDS)
def test_departures_and_gaps_follow_what_stands(records: list[ContextRecord]) -> None:
    """The last position's end and the last care's end, of the records that were not withdrawn."""
    seen, left = opened(records), standing(records)
    for i, actor in enumerate(PEOPLE):
        ends = [record.end for record in left if isinstance(record, Position) and record.actor_id == actor]
        held = any(r.start <= NOW <= r.end for r in left if isinstance(r, Position) and r.actor_id == actor)
        expected = (NOW - max(ends)) / DAY_US if ends and max(ends) < NOW and not held else math.nan
        assert seen.fact("departed_days")[2 * i] == pytest.approx(expected, nan_ok=True)
    for i, patient in enumerate(PATIENTS):
        of_patient = [r for r in left if isinstance(r, Stay | CareLink) and r.patient_id == patient]
        ends = [r.end for r in of_patient if not (isinstance(r, CareLink) and r.kind is LinkKind.GENERAL_PRACTITIONER)]
        gap = max(0.0, (NOW - max(ends)) / DAY_US) if ends else math.nan
        assert seen.fact("care_gap_days")[i] == pytest.approx(gap, nan_ok=True)


ALIASES = st.builds(ActorAlias, st.sampled_from(PEOPLE), st.just("dr-anne")) | st.builds(
    PatientAlias, st.sampled_from(PATIENTS), st.just("p-old")
)
TOLD = st.lists(POSITIONS | STAYS | LINKS | ALIASES | st.builds(Withdrawn, IDS), max_size=25)


@settings(max_examples=100)
@given(TOLD, st.lists(st.integers(0, 25), max_size=5).map(sorted))
def test_the_state_does_not_hang_on_how_records_are_cut(records: list[ContextRecord], cuts: list[int]) -> None:
    """Entries wait to be written together: the lists, and who works and is cared for until when, are as if they had not."""
    whole, cut = ContextBook(), ContextBook()
    whole.apply(records)
    for start, stop in pairwise([0, *cuts, len(records)]):
        cut.apply(records[start:stop])
    assert state_of(cut) == state_of(whole)


def state_of(book: ContextBook) -> list[object]:
    """Return every list of every pool, front to back, and what hangs on them."""
    heads = [
        (book.positions, book.actors.position_head, len(book.actor_codes)),
        (book.stays, book.patients.stay_head, len(book.patient_codes)),
        (book.links, book.patients.link_head, len(book.patient_codes)),
    ]
    lists = [
        [[tuple(int(column[row]) for column in pool.rows) for row in pool.entries(int(head[owner]))] for owner in range(owners)]
        for pool, head, owners in heads
    ]
    people, patients = len(book.actor_codes), len(book.patient_codes)
    employed = (book.actors.employed_from[:people].tolist(), book.actors.employed_until[:people].tolist())
    by_id = [pool.by_id for pool, _, _ in heads]
    return [lists, employed, book.patients.care_until[:patients].tolist(), by_id]


def test_what_came_before_a_failure_is_on_file() -> None:
    """The source of records breaks: those before it hold, in the state and in what is asked of it."""

    def broken() -> Iterator[ContextRecord]:
        yield Stay("Encounter/1", "p", "medecine", on(-1))
        raise OSError("the disk went away")

    book = ContextBook()
    with pytest.raises(OSError, match="went away"):
        book.apply(broken())
    assert len(list(book.stays.entries(int(book.patients.stay_head[book.patient_codes.find("p")])))) == 1


def test_what_is_told_anew_replaces_what_was_told() -> None:
    """A stay in progress that gets its end, and a position that gets its: how every discharge and departure arrives."""
    records: list[ContextRecord] = [
        Position("PractitionerRole/1", "anne", "medecine", "infirmier"),
        Withdrawn("PractitionerRole/1"),
        Position("PractitionerRole/1", "anne", "medecine", "infirmier", EVER, on(-20, 12)),
        Stay("Encounter/1", "p", "medecine", on(-300)),
        Withdrawn("Encounter/1"),
        Stay("Encounter/1", "p", "medecine", on(-300), on(-290, 12)),
    ]
    seen = opened(records)
    assert seen.fact("departed_days")[0] == pytest.approx(20)
    assert seen.fact("care_gap_days")[0] == pytest.approx(290)


ANNE = Identity("le goff", "anne", "1980-04-01")


@settings(max_examples=30)
@given(st.permutations([*a_person("anne", "medecine", identity=ANNE), a_patient("p", ANNE), a_patient("q", ANNE)]))
def test_people_at_work_are_recognised_as_patients(records: list[ContextRecord]) -> None:
    """By family name, given name and date of birth, in every record of them, whichever was told first."""
    rows = [an_opening(patient, NOW, actor) for patient in PATIENTS for actor in ("anne", "luc")]
    seen = seen_by([OTHER_CARE, *records], rows, names=[])
    assert seen.fact("own_record") == [1.0, 0.0, 1.0, 0.0]
    assert [value > 0 for value in seen.fact("coworker")] == [False, True, False, True]


@pytest.mark.parametrize(
    "other",
    [
        Identity("le goff", "anne", "1980-04-02"),
        Identity("le goff", "annie", "1980-04-01"),
        Identity("le goff", "anne"),
        Identity(),
    ],
    ids=["birth-date", "given-name", "no-birth-date", "nothing"],
)
def test_namesakes_are_not_the_same_person(other: Identity) -> None:
    """One trait that differs, or is not told, and nobody is taken for somebody else."""
    seen = seen_by(
        [*a_person("anne", "medecine", identity=ANNE), a_patient("p", other)], [an_opening("p", NOW, "anne")], names=[]
    )
    assert seen.fact("own_record") == [0.0]


def test_a_corrected_identity_is_the_one_that_counts() -> None:
    """A patient entered under the wrong name is nobody's colleague once it is corrected."""
    wrong, right = a_patient("p", ANNE), a_patient("p", Identity("petit", "zoe", "1990-01-01"))
    context = [*a_person("anne", "medecine", identity=ANNE), wrong, right]
    assert seen_by(context, [an_opening("p", NOW, "anne")], names=[]).fact("own_record") == [0.0]


def test_a_corrected_identity_stays_corrected_when_staff_are_read_again() -> None:
    """A nightly reload of Practitioners does not bring the old name back."""
    wrong, right = a_patient("p", ANNE), a_patient("p", Identity("petit", "zoe", "1990-01-01"))
    staff = a_person("anne", "medecine", identity=ANNE)
    assert seen_by([*staff, wrong, right, *staff], [an_opening("p", NOW, "anne")], names=[]).fact("own_record") == [0.0]


def test_an_account_that_was_closed_has_departed() -> None:
    """A Practitioner who is not active and holds no position."""
    closed = StaffMember("anne", "anne", Identity(), active=False)
    assert seen_by([closed], [an_event(when=NOW, actor_id="anne")], names=[]).fact("departed_days") == [0.0]
    held = [closed, Position("1", "anne", "medecine", "infirmier")]
    assert math.isnan(seen_by(held, [an_event(when=NOW, actor_id="anne")], names=[]).fact("departed_days")[0])
