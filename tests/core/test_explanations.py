"""The ordinary reasons: each holds inside its window and not outside, and none is made up where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.book import WHOLE_HOUSE_PEOPLE
from sentinel.core.context import (
    FOREVER,
    ActorAlias,
    ContextRecord,
    Identity,
    LinkKind,
    PatientAlias,
    Position,
    StaffMember,
    Unit,
    Withdrawn,
)
from sentinel.core.event import Action, ActorType, EventRow
from sentinel.core.explain import EXPLANATIONS, LINK_EXPLAINS, TRIED, ExplanationCode, RoleClass, Trade, leads, role_class, trade
from sentinel.core.facts.person import GRACE_MAX_US, GRACE_MIN_US
from tests.builders import (
    DAY_US,
    HOUR_US,
    a_batch,
    a_link,
    a_patient,
    a_person,
    a_pipeline,
    a_stay,
    an_event,
    an_opening,
    on,
    seen_by,
)

START, END = on(0), on(10)
OTHER_CARE = a_stay("somebody-else", "elsewhere")  # care is on file, of another patient
NURSE = a_person("nurse", "medecine")
BY_CODE = {reason.code: reason for reason in EXPLANATIONS}


def reasons(context: Sequence[ContextRecord], *rows: EventRow) -> list[str]:
    """Return the ordinary reason of each event, empty where none holds."""
    return seen_by([OTHER_CARE, *context], rows, names=[]).explained_by


def reason(context: Sequence[ContextRecord], when: int, actor: str = "nurse", **told: Any) -> str:
    """Return the ordinary reason for opening `p` at that time."""
    return reasons(context, an_opening("p", when, actor, **told))[0]


WITH_A_PERIOD: dict[ExplanationCode, list[ContextRecord]] = {
    ExplanationCode.STAY_IN_UNIT: [*NURSE, a_stay("p", "medecine", START, END)],
    ExplanationCode.PLANNED_IN_UNIT: [*NURSE, a_stay("p", "medecine", START, END, planned=True)],
    ExplanationCode.TRANSVERSAL_ROLE: [*a_person("nurse", "pui", "pharmacien"), a_stay("p", "medecine", START, END)],
    ExplanationCode.CODING_BILLING: [*a_person("nurse", "dim", "technicien dim"), a_stay("p", "medecine", START, END)],
    **{code: [*NURSE, a_link("p", "nurse", kind, START, END)] for kind, code in LINK_EXPLAINS.items()},
}
WITHOUT_A_PERIOD = {ExplanationCode.PATIENT_REQUEST, ExplanationCode.INTERFACE, ExplanationCode.OWN_ACT}


def test_every_reason_is_tried_below() -> None:
    """A new reason needs its scenario here."""
    assert WITH_A_PERIOD.keys() | WITHOUT_A_PERIOD == set(BY_CODE)


@pytest.mark.parametrize("code", WITH_A_PERIOD, ids=lambda code: BY_CODE[code].name)
def test_a_reason_holds_within_its_window_and_not_outside(code: ExplanationCode) -> None:
    """From `before_days` before what it refers to, to `after_days` after its end; a microsecond more is too much."""
    told = BY_CODE[code]
    first, last = START - round(told.before_days * DAY_US), END + round(told.after_days * DAY_US)
    tried = [reason(WITH_A_PERIOD[code], when) for when in (first - 1, first, START, END, last, last + 1)]
    assert tried == ["", *[told.name] * 4, ""]


@pytest.mark.parametrize("kind", LinkKind)
def test_a_link_says_nothing_of_other_people_or_patients(kind: LinkKind) -> None:
    """It names one person and one patient."""
    context = [*NURSE, *a_person("other", "chirurgie"), a_link("p", "nurse", kind, START, END)]
    assert reason(context, START, "other") == ""
    assert reasons(context, an_opening("q", START)) == [""]


def test_patients_read_their_own_record() -> None:
    """Whatever the context, and whoever acts for them."""
    assert reason([], START, "portal", actor_type=ActorType.PATIENT) == "patient-request"


def test_exchanges_between_applications_are_ordinary() -> None:
    """Told by the event, or by a Device on file."""
    service = StaffMember("hl7", "hl7", NURSE[0].identity, is_service=True)  # type: ignore[union-attr]
    assert reason([], START, "hl7", actor_type=ActorType.SERVICE) == "interface"
    assert reason([service], START, "hl7") == "interface"


def test_an_act_of_ones_own_explains_for_ninety_days() -> None:
    """Who wrote in a record for an ordinary reason may come back to it, for as long as `own-act` says."""
    context = [*NURSE, a_link("p", "nurse", LinkKind.CARE_TEAM, START, START)]
    last = START + round(BY_CODE[ExplanationCode.OWN_ACT].after_days * DAY_US)
    act = an_opening("p", START, action=Action.UPDATE)
    assert reasons(context, act, an_opening("p", last)) == ["care-team", "own-act"]
    assert reasons(context, act, an_opening("p", last + 1)) == ["care-team", ""]


@pytest.mark.parametrize("action", [Action.CREATE, Action.UPDATE, Action.DELETE])
def test_an_act_without_a_reason_explains_nothing_after(action: Action) -> None:
    """Writing in a stranger's record is no ticket to read it again."""
    assert reasons(NURSE, an_opening("p", START, action=action), an_opening("p", START + HOUR_US)) == ["", ""]


def test_reading_is_no_act() -> None:
    """An explained reading alone does not carry over."""
    context = [*NURSE, a_link("p", "nurse", LinkKind.CARE_TEAM, START, START)]
    later = START + 20 * DAY_US
    assert reasons(context, an_opening("p", START), an_opening("p", later)) == ["care-team", ""]


def test_an_act_that_failed_is_no_act() -> None:
    """A refused update leaves nothing to come back to."""
    context = [*NURSE, a_link("p", "nurse", LinkKind.CARE_TEAM, START, START)]
    failed = an_opening("p", START, action=Action.UPDATE, outcome="serious-failure")
    assert reasons(context, failed, an_opening("p", START + 20 * DAY_US))[1] == ""


def test_an_act_is_the_persons_own() -> None:
    """A colleague's act explains nothing."""
    context = [*NURSE, *a_person("other", "chirurgie"), a_link("p", "nurse", LinkKind.CARE_TEAM, START, START)]
    rows = [an_opening("p", START, action=Action.UPDATE), an_opening("p", START + HOUR_US, "other")]
    assert reasons(context, *rows) == ["care-team", ""]


def test_a_stay_in_a_ward_counts_for_the_units_above() -> None:
    """The head of a division sees the patients of its wards; a ward does not see the division's."""
    units = [Unit("ward", "ward", "service"), Unit("service", "service", "pole"), Unit("pole", "pole")]
    assert reason([*units, *a_person("nurse", "pole"), a_stay("p", "ward", START, END)], START) == "stay-in-unit"
    assert reason([*units, *a_person("nurse", "ward"), a_stay("p", "pole", START, END)], START) == ""
    sister = [*units, Unit("ward-2", "ward-2", "service"), *a_person("nurse", "ward-2"), a_stay("p", "ward", START, END)]
    assert reason(sister, START) == ""


def test_units_that_are_part_of_each_other_do_not_stop_the_pass() -> None:
    """A loop in the register of units is walked a few steps, not for ever."""
    loop = [Unit("a", "a", "b"), Unit("b", "b", "a"), Unit("c", "c", "c")]
    assert reason([*loop, *NURSE, a_stay("p", "a", START, END), a_stay("p", "c", START, END)], START) == ""
    assert reason([*loop, *a_person("nurse", "b"), a_stay("p", "a", START, END)], START) == "stay-in-unit"


@pytest.mark.parametrize("unit_first", [True, False])
def test_the_names_of_a_unit_are_one_unit(unit_first: bool) -> None:
    """A stay under a unit's other id is a stay in it, whichever was told first."""
    unit, others = Unit("u1", "Médecine", aliases=("UF1234",)), [*a_person("nurse", "u1"), a_stay("p", "UF1234", START, END)]
    assert reason([unit, *others] if unit_first else [*others, unit], START) == "stay-in-unit"


def test_the_unit_that_the_event_tells_counts() -> None:
    """Who is sent to another ward for a night has no position there; the application says where they work."""
    context = [*NURSE, a_stay("p", "chirurgie", START, END)]
    assert reason(context, START, actor_unit="chirurgie") == "stay-in-unit"
    assert reason(context, START, actor_unit="psychiatrie") == ""


@pytest.mark.parametrize("stay_in", ["house", "ward"])
def test_a_unit_in_which_everybody_works_explains_nothing(stay_in: str) -> None:
    """The hospital as a whole is no unit: a stay in it says nothing of who cares for whom."""
    units = [Unit("ward", "ward", "house"), Unit("house", "house")]
    people = [record for i in range(WHOLE_HOUSE_PEOPLE) for record in a_person(f"person-{i}", "house")]
    stay = a_stay("p", stay_in, START, END)
    assert reason([*units, *people, stay], START, "person-1") == ""
    assert reason([*units, *a_person("ward-nurse", "ward"), stay, *people], START, "ward-nurse") == (
        "stay-in-unit" if stay_in == "ward" else ""
    )


def test_a_small_practice_is_one_unit() -> None:
    """Among a handful of people, working in the same place is a reason."""
    people = [record for i in range(WHOLE_HOUSE_PEOPLE - 1) for record in a_person(f"person-{i}", "practice")]
    assert reason([*people, a_stay("p", "practice", START, END)], START, "person-1") == "stay-in-unit"


def test_a_position_counts_while_it_is_held_and_a_while_after() -> None:
    """Letters are written after the move to another ward: for as long as one was there, between three days and a month."""
    for held, grace in ((100 * DAY_US, GRACE_MAX_US), (10 * DAY_US, 10 * DAY_US), (DAY_US // 2, GRACE_MIN_US)):
        start, before = END - held, END - held - 30 * DAY_US
        context = [*a_person("nurse", "medecine", start=start, end=END), a_stay("p", "medecine", before)]
        told = [reason(context, when) for when in (before, start, END, END + grace, END + grace + 1)]
        assert told == ["", "stay-in-unit", "stay-in-unit", "stay-in-unit", ""]


def test_a_stay_told_late_counts_from_its_beginning() -> None:
    """What matters is what is known when the event passes, not when it was written down."""
    pipeline = a_pipeline([])
    pipeline.know([OTHER_CARE, *NURSE])
    before = pipeline.process(a_batch([an_opening("p", on(5))])).assessment.explained_by
    pipeline.know([a_stay("p", "medecine", START, END)])
    late = an_opening("p", on(4))
    assert (before, pipeline.process(a_batch([late])).assessment.explained_by) == ([""], ["stay-in-unit"])


def test_what_is_withdrawn_explains_no_longer() -> None:
    """A stay or a link entered in error is forgotten; another of the same patient still holds."""
    stay, link = a_stay("p", "medecine"), a_link("p", "nurse", LinkKind.ORDER)
    assert reason([*NURSE, stay, Withdrawn(stay.id)], START) == ""
    assert reason([*NURSE, link, Withdrawn(link.id)], START) == ""
    assert reason([*NURSE, stay, link, Withdrawn(stay.id)], START) == "order"
    assert reason([*NURSE, stay, Withdrawn(stay.id), stay], START) == "stay-in-unit"


def test_a_withdrawn_position_counts_no_longer() -> None:
    """Nobody works where they were never posted."""
    assert reason([*NURSE, a_stay("p", "medecine"), Withdrawn("PractitionerRole/nurse")], START) == ""


def test_withdrawing_what_is_not_on_file_changes_nothing() -> None:
    """A resource deleted twice, or never told, is no error."""
    stay = a_stay("p", "medecine")
    context = [*NURSE, Withdrawn("Encounter/none"), stay]
    assert reason(context, START) == "stay-in-unit"
    assert reason([*context, Withdrawn(stay.id), Withdrawn(stay.id)], START) == ""


PEOPLE_BY_OTHER_NAMES: dict[str, list[ContextRecord]] = {
    "login": a_person("nurse", "medecine", aliases=("n.dupont",)),
    "rpps": a_person("nurse", "medecine", rpps="n.dupont"),
    "alias": [*NURSE, ActorAlias("n.dupont", "nurse")],
    "alias-first": [ActorAlias("n.dupont", "nurse"), *NURSE],
    "position-first": [*reversed(a_person("nurse", "medecine", aliases=("n.dupont",)))],
    "position-by-login": [Position("1", "n.dupont", "medecine", ""), StaffMember("nurse", "", Identity(), ("n.dupont",))],
    "role-alone": [ActorAlias("n.dupont", "nurse"), Position("1", "nurse", "medecine", "")],
    "role-alone-told-twice": [*[Position("1", "nurse", "medecine", ""), ActorAlias("n.dupont", "nurse")] * 2],
}


@pytest.mark.parametrize("context", PEOPLE_BY_OTHER_NAMES.values(), ids=PEOPLE_BY_OTHER_NAMES)
def test_people_are_known_by_all_their_names(context: list[ContextRecord]) -> None:
    """A login, an RPPS number or the id of a role stands for the person, whichever was told first."""
    assert reason([*context, a_stay("p", "medecine")], START, "n.dupont") == "stay-in-unit"


PATIENTS_BY_OTHER_NAMES: dict[str, list[ContextRecord]] = {
    "ipp": [a_patient("p-main", aliases=("p",))],
    "alias": [a_patient("p-main"), PatientAlias("p", "p-main")],
    "alias-first": [PatientAlias("p", "p-main"), a_patient("p-main")],
}


@pytest.mark.parametrize("context", PATIENTS_BY_OTHER_NAMES.values(), ids=PATIENTS_BY_OTHER_NAMES)
def test_patients_are_known_by_all_their_names(context: list[ContextRecord]) -> None:
    """An identifier of another register stands for the patient."""
    assert reason([*context, *NURSE, a_stay("p-main", "medecine")], START) == "stay-in-unit"
    assert reason([a_stay("p-main", "medecine"), *context, *NURSE], START) == "stay-in-unit"
    assert reason([a_stay("p", "medecine"), *context, *NURSE], START) == "stay-in-unit"
    assert reasons([a_stay("p", "medecine"), *context, *NURSE], an_opening("p-main", START)) == ["stay-in-unit"]


def test_a_merged_record_is_the_survivor_s() -> None:
    """On a live feed it was a patient of its own until then: stays told before go along, both ways."""
    merged = [Withdrawn("Patient/p"), PatientAlias("p", "p-main")]
    for stay in ("p", "p-main"):
        context = [*NURSE, a_patient("p"), a_patient("p-main"), a_stay(stay, "medecine"), *merged]
        assert reasons(context, an_opening("p", START), an_opening("p-main", START)) == ["stay-in-unit"] * 2


def test_an_id_is_not_taken_by_somebody_else_s_number() -> None:
    """The id of a Person, or a number of another register, may be the id of another patient: that patient stays who they are."""
    context = [*NURSE, a_patient("p"), a_patient("other"), a_stay("other", "medecine"), PatientAlias("p", "other")]
    assert reason(context, START) == ""


def test_a_number_that_two_people_share_moves_nothing_of_theirs() -> None:
    """Each keeps their positions, whoever the number stands for."""
    context: list[ContextRecord] = [a_stay("p", "medecine")]
    for who in ("one", "two"):
        context += [Position(f"role-{who}", who, "medecine", ""), ActorAlias("0001", who)]
    assert [reason(context, START, who) for who in ("one", "two", "0001")] == ["stay-in-unit"] * 3


def test_a_name_that_events_used_first_is_taken_over() -> None:
    """A login seen in events before anybody told whose it is."""
    pipeline = a_pipeline([])
    pipeline.know([OTHER_CARE])
    before = pipeline.process(a_batch([an_opening("p", START, "n.dupont")])).assessment.explained_by
    pipeline.know([*PEOPLE_BY_OTHER_NAMES["login"], a_stay("p", "medecine")])
    after = pipeline.process(a_batch([an_opening("p", START + HOUR_US, "n.dupont")])).assessment.explained_by
    assert (before, after) == ([""], ["stay-in-unit"])


def test_a_persons_own_name_is_not_taken_from_them() -> None:
    """An alias that is another declared person's id stays that person's."""
    context = [*NURSE, *a_person("other", "chirurgie", aliases=("nurse",)), a_stay("p", "medecine")]
    assert reason(context, START, "nurse") == "stay-in-unit"


NOTHING_OF_CARE: dict[str, list[ContextRecord]] = {
    "nothing": [],
    "people": NURSE,
    "people-and-patients": [*NURSE, a_patient("p")],
}


@pytest.mark.parametrize("context", NOTHING_OF_CARE.values(), ids=NOTHING_OF_CARE)
def test_without_any_care_on_file_there_is_no_opinion(context: list[ContextRecord]) -> None:
    """Where no stay and no link is known, an access is neither explained nor unexplained."""
    seen = seen_by(context, [an_opening("p", on(day), action=Action.READ) for day in range(5)])
    assert all(map(math.isnan, seen.fact("explained")))
    assert all(map(math.isnan, seen.p_values))
    assert set(seen.explained_by) == {""}
    assert not seen.alerts
    assert seen.fact("unexplained_24h") == [0.0] * 5


def test_an_event_on_no_patient_needs_no_reason() -> None:
    """A login is not unexplained."""
    seen = seen_by([OTHER_CARE, *NURSE], [an_event(Action.LOGIN, START), an_event(Action.SEARCH, START + 1)])
    assert all(map(math.isnan, seen.fact("explained")))
    assert not seen.found


def test_alerts_tell_which_reasons_were_tried() -> None:
    """All of them but the two that hold for programs and patients alone."""
    seen = seen_by(
        [OTHER_CARE, *NURSE, a_patient("p", NURSE[0].identity)], [an_opening("p", START, destination="link", action=Action.SHARE)]
    )  # type: ignore[union-attr]
    (alert,) = seen.alerts.values()
    assert alert.not_explained_by == TRIED
    assert set(TRIED) == {e.name for e in EXPLANATIONS} - {"patient-request", "interface"}


STAYS = [a_stay("p", "medecine", START, END), a_stay("p", "medecine", START, END, planned=True, id="Appointment/1")]
LINKS = [a_link("p", "nurse", kind, START, END) for kind in (LinkKind.ORDER, LinkKind.APPOINTMENT, LinkKind.RESULT)]


@pytest.mark.parametrize(("records", "first"), [(STAYS + LINKS, "stay-in-unit"), (LINKS, "appointment")])
@settings(max_examples=20)
@given(data=st.data())
def test_the_reason_does_not_hang_on_the_order_of_context(records: list[ContextRecord], first: str, data: st.DataObject) -> None:
    """Files and feeds tell the same things in any order: of all that hold, the first declared is kept."""
    context = data.draw(st.permutations([*records, *NURSE, OTHER_CARE]))
    assert seen_by(context, [an_opening("p", START)], names=[]).explained_by == [first]


def test_reasons_are_declared_once_and_in_two_languages() -> None:
    """Codes count from 1 in the order they are told; names are unique; French and English differ."""
    assert [int(e.code) for e in EXPLANATIONS] == list(range(1, len(EXPLANATIONS) + 1))
    assert len({e.name for e in EXPLANATIONS}) == len(EXPLANATIONS)
    assert all(e.fr and e.en and e.fr != e.en and e.before_days >= 0 <= e.after_days for e in EXPLANATIONS)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("infirmier", RoleClass.UNIT),
        ("medecin", RoleClass.UNIT),
        ("nurse", RoleClass.UNIT),
        ("", RoleClass.UNIT),
        ("pharmacien", RoleClass.TRANSVERSAL),
        ("radiologist", RoleClass.TRANSVERSAL),
        ("medecin anesthesiste reanimateur", RoleClass.TRANSVERSAL),
        ("assistante sociale", RoleClass.TRANSVERSAL),
        ("technicien dim", RoleClass.CODING),
        ("medical billing clerk", RoleClass.CODING),
    ],
)
def test_roles_are_classed_by_their_words(role: str, expected: RoleClass) -> None:
    """In French and in English."""
    assert role_class(role) is expected


def test_an_open_end_is_an_end_that_never_comes() -> None:
    """A stay that is not over explains years later, without overflow."""
    assert reason([*NURSE, a_stay("p", "medecine", START, FOREVER)], on(3_000)) == "stay-in-unit"


@pytest.mark.parametrize(
    ("role", "known"),
    [
        ("Technicien informatique", Trade.TECHNICIAN),
        ("Hébergeur HDS, exploitation", Trade.TECHNICIAN),
        ("Administrateur réseau", Trade.TECHNICIAN),
        ("Database Administrator", Trade.TECHNICIAN),
        ("Prestataire informatique", Trade.CONTRACTOR),
        ("Sous-traitant", Trade.CONTRACTOR),
        ("Vendor support", Trade.CONTRACTOR),
        ("Technicien d'information médicale", Trade.CARE),
        ("Médecin de l'information médicale", Trade.CARE),
        ("Étudiant externe", Trade.CARE),
        ("Technicien de laboratoire", Trade.CARE),
        ("Infirmier", Trade.CARE),
        ("", Trade.CARE),
    ],
)
def test_a_role_s_text_says_whom_somebody_works_for(role: str, known: Trade) -> None:
    """Work on the machines is told from care, in either language, as sources write it."""
    assert trade(role) is known


@pytest.mark.parametrize(
    ("role", "led"),
    [
        *(("cadre de sante", True), ("chef de service", True), ("head nurse", True), ("nurse manager", True)),
        *(("directeur des soins", True), ("infirmier", False), ("medecin", False), ("secretaire medicale", False)),
    ],
)
def test_a_role_s_text_says_who_leads(role: str, *, led: bool) -> None:
    """Who leads a unit's people is told by the role; everybody else leads nobody."""
    assert leads(role) is led


def test_a_leader_leads_the_units_below() -> None:
    """1: the person leads where the patient works; 2: the reverse; neither across departments."""
    luc = Identity("petit", "luc", "1990-02-02")
    people = [
        *a_person("head", "pole", "chef de pole", luc),
        *a_person("nurse", "medecine", identity=Identity("roy", "al", "1991-01-01")),
    ]
    records = [a_patient("of-head", luc), a_patient("of-nurse", Identity("roy", "al", "1991-01-01"))]
    rows = [an_opening("of-nurse", on(0), "head"), an_opening("of-head", on(0), "nurse"), an_opening("of-head", on(0), "other")]
    for unit_above, told in (("pole", [1.0, 2.0, 0.0]), ("", [0.0, 0.0, 0.0])):
        units = [Unit("medecine", "medecine", unit_above), Unit("pole", "pole")]
        assert seen_by([*units, *people, *records], rows, names=[]).fact("hierarchy") == told


@pytest.mark.parametrize(
    ("born", "age"), [("2006-01-05", 20.0), ("2006-01", 20.0), ("2006", 20.0), ("", math.nan), ("05/01/2006", math.nan)]
)
def test_ages_are_those_of_the_day(born: str, age: float) -> None:
    """In years, from as much of the date of birth as is told; nothing is made of what is no date."""
    told = seen_by([a_patient("p", birth_date=born)], [an_opening("p", on(0))], names=[]).fact("age_years")
    assert told == [pytest.approx(age, abs=0.02, nan_ok=True)]
