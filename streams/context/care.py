"""Which patient is in whose care, where and when: stays, visits, appointments, teams, requests and acts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec

from sentinel.core.context import EVER, FOREVER, CareLink, ContextRecord, LinkKind, Stay
from sentinel.core.errors import RejectedError, RejectionCode
from streams.context import resources as fhir
from streams.context.references import STAFF_KINDS, UNIT_KINDS, Scope, each

REQUESTS: Final = (fhir.ServiceRequest, fhir.MedicationRequest)
_OVER: Final = frozenset({"finished", "completed", "discharged", "discontinued", "inactive"})
_TIMELESS: Final = frozenset({"proposed", "pending", "waitlist"})  # an appointment that has no time yet
_MAYBE_NOBODYS: Final = (
    fhir.Observation,
    fhir.DiagnosticReport,
    fhir.MedicationDispense,
    fhir.DocumentReference,
    fhir.Composition,
)
_UNTOLD: Final = (EVER, FOREVER)
_MINUTE: Final = 60_000_000
_POSITIVE_INT_MAX: Final = 2**31 - 1

Window = tuple[int, int]
Named = TypeVar("Named")


class Care(msgspec.Struct, frozen=True, gc=False):
    """Ties one patient to the people and units that a resource refers to, and adds what this gives to `told`."""

    at: Scope
    patient: str
    kind: LinkKind
    told: list[ContextRecord]

    def tie(
        self,
        reference: fhir.Reference | None,
        pointer: str,
        window: Window,
        *,
        planned: bool = False,
        default: str = "Practitioner",
    ) -> None:
        """Add a link with a person, a stay with a unit, nothing for a relative, a group or the patient."""
        target = self.at.target(reference, pointer, default)
        if target is None:
            return
        kind, id_ = target
        start, end = window
        if kind in STAFF_KINDS:
            self.told.append(CareLink(self.at.name, self.patient, id_, self.kind, start, end))
        elif kind in UNIT_KINDS:
            self.told.append(Stay(self.at.name, self.patient, id_, start, end, planned))


def patients(at: Scope, pointer: str, about: fhir.References) -> list[str]:
    """Return the patients a resource is about; none when it is about a group, a device or a place.

    Raises:
        RejectedError: it does not say whom it is about.
    """
    found = [target for end, one in each(about) if (target := at.target(one, pointer + end, "Patient"))]
    if not found:
        raise RejectedError(RejectionCode.MISSING_FIELD, pointer, "no patient is told")
    return [id_ for kind, id_ in found if kind == "Patient"]


def encounter(resource: fhir.Encounter, at: Scope) -> list[ContextRecord]:
    """Return a stay for each unit of a stay or visit, a link for each person who takes part."""
    window = _encounter_window(resource, at)
    planned = resource.status == "planned"
    told: list[ContextRecord] = []
    for patient in patients(at, "/subject", resource.subject):
        care = Care(at, patient, LinkKind.ENCOUNTER, told)
        care.tie(resource.service_provider, "/serviceProvider", window, planned=planned, default="Organization")
        for end, service in each(resource.service_type):
            care.tie(service, f"/serviceType{end}", window, planned=planned, default="HealthcareService")
        for index, place in enumerate(resource.location or ()):
            _place(care, place, f"/location/{index}", window, planned=planned)
        _participants(care, resource.participant, window, planned=planned)
    return told


def _place(care: Care, place: fhir.EncounterLocation, pointer: str, window: Window, *, planned: bool) -> None:
    own = _within(care.at.period(place.period, f"{pointer}/period"), window)
    planned = planned or place.status in ("planned", "reserved")
    care.tie(place.location, f"{pointer}/location", own, planned=planned, default="Location")


def _encounter_window(resource: fhir.Encounter, at: Scope) -> Window:
    """Return the period told; without a start, from the first one planned or told of a location."""
    pointer = "/actualPeriod" if resource.actual_period else "/period"
    start, end = at.period(resource.actual_period or resource.period, pointer)
    if start == EVER:
        planned = at.start(resource.planned_start_date, "/plannedStartDate"), at.end(resource.planned_end_date, "/plannedEndDate")
        places = [at.period(place.period, f"/location/{i}/period") for i, place in enumerate(resource.location or ())]
        start, end = _span([planned, *places], end)
    if start == EVER:
        raise RejectedError(RejectionCode.MISSING_FIELD, f"{pointer}/start", "no start is told")
    return at.closed((start, end)) if resource.status in _OVER else (start, end)


def _span(windows: Iterable[Window], end: int) -> Window:
    """Return the window from the first start told to `end`, or to the last end when that is not told."""
    told = [window for window in windows if window[0] != EVER]
    if not told:
        return EVER, end
    return min(start for start, _ in told), end if end != FOREVER else max(over for _, over in told)


def _within(own: Window, whole: Window) -> Window:
    """Return a part's own period, its missing bounds taken from the whole."""
    start = own[0] if own[0] != EVER else whole[0]
    end = own[1] if own[1] != FOREVER else whole[1]
    return start, max(start, end)


def _participants(
    care: Care,
    participants: Iterable[fhir.Participant] | None,
    window: Window,
    *,
    planned: bool = False,
) -> None:
    whole = _within(_UNTOLD, window)
    for index, one in enumerate(participants or ()):
        pointer = f"/participant/{index}"
        field, who = _participant(one)
        period = one.period or one.coverage_period
        own = _within(care.at.period(period, f"{pointer}/period"), window) if period else whole
        if one.status != "declined":
            care.tie(who, f"{pointer}/{field}", own, planned=planned)


def _participant(one: fhir.Participant) -> tuple[str, fhir.Reference | None]:
    if one.individual:
        return "individual", one.individual
    return ("actor", one.actor) if one.actor else ("member", one.member)


def appointment(resource: fhir.Appointment, at: Scope) -> list[ContextRecord]:
    """Return, for each patient who takes part, a link with each person and a planned stay in each unit."""
    told: list[ContextRecord] = []
    window = _appointment_window(resource, at)
    if window is None:
        return told
    targets = [at.target(resource.subject, "/subject", "Patient")]
    targets += [at.target(one.actor, f"/participant/{index}/actor") for index, one in enumerate(resource.participant or ())]
    for patient in dict.fromkeys(target.id for target in targets if target and target.kind == "Patient"):
        _participants(Care(at, patient, LinkKind.APPOINTMENT, told), resource.participant, window, planned=True)
    return told


def _appointment_window(resource: fhir.Appointment, at: Scope) -> Window | None:
    """Return start and end, else the first period asked for; None while a proposal has neither."""
    start, end = at.period(fhir.Period(resource.start, resource.end), "")
    if start == EVER and resource.requested_period:
        start, end = at.period(resource.requested_period[0], "/requestedPeriod/0")
    if start == EVER:
        if resource.status in _TIMELESS:
            return None
        raise RejectedError(RejectionCode.MISSING_FIELD, "/start", "no start is told")
    return start, end if end != FOREVER else start + _duration(resource)


def _duration(resource: fhir.Appointment) -> int:
    """Return how long an appointment without an end lasts, in µs; 0 when not told."""
    minutes = resource.minutes_duration or 0
    if not 0 <= minutes <= _POSITIVE_INT_MAX:
        raise RejectedError(RejectionCode.BAD_VALUE, "/minutesDuration", "out of FHIR's positiveInt")
    return minutes * _MINUTE


def care_team(resource: fhir.CareTeam, at: Scope) -> list[ContextRecord]:
    """Return a link for each person of the team, a stay for each unit of it."""
    told: list[ContextRecord] = []
    if resource.status == "proposed":
        return told  # drafted, and nobody takes part yet
    window = at.period(resource.period, "/period")
    window = at.closed(window) if resource.status in _OVER else window
    for patient in patients(at, "/subject", resource.subject):
        _participants(Care(at, patient, LinkKind.CARE_TEAM, told), resource.participant, window)
    return told


def episode_of_care(resource: fhir.EpisodeOfCare, at: Scope) -> list[ContextRecord]:
    """Return a stay with the organisation in charge, a link with the care manager."""
    window = at.period(resource.period, "/period")
    window = at.closed(window) if resource.status in _OVER else window
    planned = resource.status in ("planned", "waitlist")
    told: list[ContextRecord] = []
    if planned and window[0] == EVER:
        return told  # to come, and nobody knows when
    unit = resource.managing_organization
    for patient in patients(at, "/patient", resource.patient):
        care = Care(at, patient, LinkKind.CARE_TEAM, told)
        care.tie(unit, "/managingOrganization", window, planned=planned, default="Organization")
        care.tie(resource.care_manager, "/careManager", window)
    return told


def act(resource: fhir.Act, at: Scope) -> list[ContextRecord]:
    """Return links with those who asked for an act, did it or were asked to, stays with the units that do it."""
    told: list[ContextRecord] = []
    ties = _present(_TIES, _tied(resource))
    if not ties or (not resource.subject and isinstance(resource, _MAYBE_NOBODYS)):
        return told  # nobody is named, or it is about no patient
    window = _act_window(resource, at)
    asked = isinstance(resource, REQUESTS)
    vaccination = isinstance(resource, fhir.Immunization)
    about = ("/patient", resource.patient) if vaccination else ("/subject", resource.subject)
    for patient in patients(at, *about):
        for (pointer, kind, default), many in ties:
            care = Care(at, patient, kind, told)
            for end, reference in each(many):
                care.tie(reference, pointer + end, window, planned=asked, default=default)
    return told


def _act_window(resource: fhir.Act, at: Scope) -> Window:
    """Return the time from the request, or from the first moment of the act, to the last moment told of it.

    One moment told is a window of no length: how long an act explains is for the explanation to say.
    """
    windows = _windows(resource, at)
    if not windows and resource.recorded:
        windows = [at.moment(resource.recorded, "/recorded")]
    if not windows:
        raise RejectedError(RejectionCode.MISSING_FIELD, "", "no time of the act is told")
    return windows[0] if len(windows) == 1 else (min(windows)[0], max(end for _, end in windows))


def _windows(resource: fhir.Act, at: Scope) -> list[Window]:
    """Return each time that is told; a period with a start alone is a moment, one without a start tells nothing."""
    windows = []
    for pointer, told in _present(_TIMES, _timed(resource)):
        if isinstance(told, str):
            windows.append(at.moment(told, pointer))
            continue
        start, end = at.period(told, pointer)
        if start != EVER:
            windows.append((start, end if end != FOREVER else start))
    return windows


def _present(names: Sequence[Named], values: Sequence[Any]) -> list[tuple[Named, Any]]:
    """Return each name with its value, of those that are told: few of many, so no Python code runs for the others."""
    return list(zip(compress(names, values), filter(None, values), strict=True))


def _fields(*pointers: str) -> attrgetter[tuple[Any, ...]]:
    """Return what reads the fields that pointers such as "/authoredOn" name."""
    return attrgetter(*(re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", pointer[1:]) for pointer in pointers))


# What an act may say, by pointer: who takes part and why, and when.
_TIES: Final = (
    ("/requester", LinkKind.ORDER, "Practitioner"),
    ("/referrer", LinkKind.ORDER, "Practitioner"),
    ("/performer", LinkKind.RESULT, "Practitioner"),
    ("/recorder", LinkKind.RESULT, "Practitioner"),
    ("/author", LinkKind.RESULT, "Practitioner"),
    ("/authenticator", LinkKind.RESULT, "Practitioner"),
    ("/attester", LinkKind.RESULT, "Practitioner"),
    ("/interpreter", LinkKind.RESULT, "Practitioner"),
    ("/resultsInterpreter", LinkKind.RESULT, "Practitioner"),
    ("/location", LinkKind.RESULT, "Location"),
    ("/locationReference", LinkKind.RESULT, "Location"),
)
_TIMES: Final = (
    "/authoredOn",
    "/performedDateTime",
    "/occurrenceDateTime",
    "/occurenceDateTime",
    "/effectiveDateTime",
    "/effectiveInstant",
    "/started",
    "/whenPrepared",
    "/whenHandedOver",
    "/date",
    "/issued",
    "/performedPeriod",
    "/occurrencePeriod",
    "/occurencePeriod",
    "/effectivePeriod",
)
_tied: Final = _fields(*(pointer for pointer, _, _ in _TIES))
_timed: Final = _fields(*_TIMES)
