"""Which patient is in whose care, where and when: stays, visits, appointments, teams, requests and acts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final

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
_MINUTE: Final = 60_000_000
_POSITIVE_INT_MAX: Final = 2**31 - 1

Window = tuple[int, int]


class Care(msgspec.Struct, frozen=True, gc=False):
    """Ties one patient to the people and units that a resource refers to."""

    at: Scope
    patient: str
    kind: LinkKind

    def tie(
        self,
        reference: fhir.Reference | None,
        pointer: str,
        window: Window,
        *,
        planned: bool = False,
        default: str = "Practitioner",
    ) -> Iterator[ContextRecord]:
        """Yield a link with a person, a stay with a unit, nothing for a relative, a group or the patient."""
        target = self.at.target(reference, pointer, default)
        if target is None:
            return
        start, end = window
        if target.kind in STAFF_KINDS:
            yield CareLink(self.at.name, self.patient, target.id, self.kind, start, end)
        elif target.kind in UNIT_KINDS:
            yield Stay(self.at.name, self.patient, target.id, start, end, planned)


def patients(at: Scope, pointer: str, about: fhir.References) -> list[str]:
    """Return the patients a resource is about; none when it is about a group, a device or a place.

    Raises:
        RejectedError: it does not say whom it is about.
    """
    found = [at.target(one, f"{pointer}{end}", "Patient") for end, one in each(about)]
    told = [target for target in found if target]
    if not told:
        raise RejectedError(RejectionCode.MISSING_FIELD, pointer, "no patient is told")
    return [target.id for target in told if target.kind == "Patient"]


def encounter(resource: fhir.Encounter, at: Scope) -> Iterator[ContextRecord]:
    """Yield a stay for each unit of a stay or visit, a link for each person who takes part."""
    window = _encounter_window(resource, at)
    planned = resource.status == "planned"
    for patient in patients(at, "/subject", resource.subject):
        care = Care(at, patient, LinkKind.ENCOUNTER)
        yield from care.tie(resource.service_provider, "/serviceProvider", window, planned=planned, default="Organization")
        for end, service in each(resource.service_type):
            yield from care.tie(service, f"/serviceType{end}", window, planned=planned, default="HealthcareService")
        for index, place in enumerate(resource.location or ()):
            yield from _place(care, place, f"/location/{index}", window, planned=planned)
        yield from _participants(care, resource.participant, window, planned=planned)


def _place(care: Care, place: fhir.EncounterLocation, pointer: str, window: Window, *, planned: bool) -> Iterator[ContextRecord]:
    own = _within(care.at.period(place.period, f"{pointer}/period"), window)
    planned = planned or place.status in ("planned", "reserved")
    yield from care.tie(place.location, f"{pointer}/location", own, planned=planned, default="Location")


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
) -> Iterator[ContextRecord]:
    for index, one in enumerate(participants or ()):
        pointer = f"/participant/{index}"
        field, who = _participant(one)
        own = care.at.period(one.period or one.coverage_period, f"{pointer}/period")
        if one.status != "declined":
            yield from care.tie(who, f"{pointer}/{field}", _within(own, window), planned=planned)


def _participant(one: fhir.Participant) -> tuple[str, fhir.Reference | None]:
    if one.individual:
        return "individual", one.individual
    return ("actor", one.actor) if one.actor else ("member", one.member)


def appointment(resource: fhir.Appointment, at: Scope) -> Iterator[ContextRecord]:
    """Yield, for each patient who takes part, a link with each person and a planned stay in each unit."""
    window = _appointment_window(resource, at)
    if window is None:
        return
    targets = [at.target(resource.subject, "/subject", "Patient")]
    targets += [at.target(one.actor, f"/participant/{index}/actor") for index, one in enumerate(resource.participant or ())]
    for patient in dict.fromkeys(target.id for target in targets if target and target.kind == "Patient"):
        care = Care(at, patient, LinkKind.APPOINTMENT)
        yield from _participants(care, resource.participant, window, planned=True)


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


def care_team(resource: fhir.CareTeam, at: Scope) -> Iterator[ContextRecord]:
    """Yield a link for each person of the team, a stay for each unit of it."""
    if resource.status == "proposed":
        return  # drafted, and nobody takes part yet
    window = at.period(resource.period, "/period")
    window = at.closed(window) if resource.status in _OVER else window
    for patient in patients(at, "/subject", resource.subject):
        yield from _participants(Care(at, patient, LinkKind.CARE_TEAM), resource.participant, window)


def episode_of_care(resource: fhir.EpisodeOfCare, at: Scope) -> Iterator[ContextRecord]:
    """Yield a stay with the organisation in charge, a link with the care manager."""
    window = at.period(resource.period, "/period")
    window = at.closed(window) if resource.status in _OVER else window
    planned = resource.status in ("planned", "waitlist")
    if planned and window[0] == EVER:
        return  # to come, and nobody knows when
    unit = resource.managing_organization
    for patient in patients(at, "/patient", resource.patient):
        care = Care(at, patient, LinkKind.CARE_TEAM)
        yield from care.tie(unit, "/managingOrganization", window, planned=planned, default="Organization")
        yield from care.tie(resource.care_manager, "/careManager", window)


def act(resource: fhir.Act, at: Scope) -> Iterator[ContextRecord]:
    """Yield links with those who asked for an act, did it or were asked to, stays with the units that do it."""
    ties = list(_ties(resource))
    if not ties or (isinstance(resource, _MAYBE_NOBODYS) and not resource.subject):
        return  # nobody is named, or it is about no patient
    window = _act_window(resource, at)
    asked = isinstance(resource, REQUESTS)
    vaccination = isinstance(resource, fhir.Immunization)
    about = ("/patient", resource.patient) if vaccination else ("/subject", resource.subject)
    for patient in patients(at, *about):
        for reference, pointer, kind, default in ties:
            yield from Care(at, patient, kind).tie(reference, pointer, window, planned=asked, default=default)


def _ties(resource: fhir.Act) -> Iterator[tuple[fhir.Reference, str, LinkKind, str]]:
    for (name, kind, default), many in zip(_TIES, _tied(resource), strict=True):
        if many is not None:
            for end, reference in each(many):
                yield reference, f"/{name}{end}", kind, default


def _act_window(resource: fhir.Act, at: Scope) -> Window:
    """Return the time from the request, or from the first moment of the act, to the last moment told of it.

    One moment told is a window of no length: how long an act explains is for the explanation to say.
    """
    windows = list(_windows(resource, at))
    if not windows and resource.recorded:
        windows = [(at.start(resource.recorded, "/recorded"), at.end(resource.recorded, "/recorded"))]
    if not windows:
        raise RejectedError(RejectionCode.MISSING_FIELD, "", "no time of the act is told")
    start = min(start for start, _ in windows)
    return start, max(start, *(end for _, end in windows))


def _windows(resource: fhir.Act, at: Scope) -> Iterator[Window]:
    """Yield each time that is told; a period with a start alone is a moment, one without a start tells nothing."""
    for name, text in zip(_MOMENTS, _moments(resource), strict=True):
        if text:
            yield at.start(text, f"/{name}"), at.end(text, f"/{name}")
    for name, period in zip(_PERIODS, _periods(resource), strict=True):
        if period is not None:
            start, end = at.period(period, f"/{name}")
            if start != EVER:
                yield start, end if end != FOREVER else start


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


# What an act may say, by FHIR name: who takes part and why, and when.
_TIES: Final = (
    ("requester", LinkKind.ORDER, "Practitioner"),
    ("referrer", LinkKind.ORDER, "Practitioner"),
    ("performer", LinkKind.RESULT, "Practitioner"),
    ("recorder", LinkKind.RESULT, "Practitioner"),
    ("author", LinkKind.RESULT, "Practitioner"),
    ("authenticator", LinkKind.RESULT, "Practitioner"),
    ("attester", LinkKind.RESULT, "Practitioner"),
    ("interpreter", LinkKind.RESULT, "Practitioner"),
    ("resultsInterpreter", LinkKind.RESULT, "Practitioner"),
    ("location", LinkKind.RESULT, "Location"),
    ("locationReference", LinkKind.RESULT, "Location"),
)
_MOMENTS: Final = (
    "authoredOn",
    "performedDateTime",
    "occurrenceDateTime",
    "occurenceDateTime",
    "effectiveDateTime",
    "effectiveInstant",
    "started",
    "whenPrepared",
    "whenHandedOver",
    "date",
    "issued",
)
_PERIODS: Final = ("performedPeriod", "occurrencePeriod", "occurencePeriod", "effectivePeriod")
_tied: Final = attrgetter(*(_snake(name) for name, _, _ in _TIES))
_moments: Final = attrgetter(*map(_snake, _MOMENTS))
_periods: Final = attrgetter(*map(_snake, _PERIODS))
