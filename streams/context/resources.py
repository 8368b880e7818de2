"""The fields of FHIR resources that Sentinel reads, R4, R4B and R5 shapes in one; all others are skipped unread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class Element(msgspec.Struct, gc=False, rename="camel"):
    """A part of a resource. An absent field, and a null (which FHIR forbids and exports write), is None."""


class Coding(Element):
    """A code of a code system."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(Element):
    """One meaning, in several codes and in words."""

    coding: Sequence[Coding] | None = None
    text: str | None = None


class Meta(Element):
    """When the resource last changed, and its security labels."""

    last_updated: str | None = None
    security: Sequence[Coding] | None = None


class Period(Element):
    """A time with two ends, each as precise as its writer wished."""

    start: str | None = None
    end: str | None = None


class Identifier(Element):
    """A number or name that somebody gave."""

    system: str | None = None
    value: str | None = None
    type: CodeableConcept | None = None


class Reference(Element):
    """A Reference, an R5 CodeableReference (`reference` is an object), or an element that has one as `actor` or `party`."""

    reference: str | Reference | None = None
    type: str | None = None
    identifier: Identifier | None = None
    actor: Reference | None = None
    party: Reference | None = None


References = Sequence[Reference] | Reference | None  # one in one release, many in the next


class HumanName(Element):
    """A name, and in which life it is used."""

    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: Sequence[str | None] | None = None
    period: Period | None = None


class Address(Element):
    """A postal address."""

    use: str | None = None
    text: str | None = None
    line: Sequence[str | None] | None = None
    city: str | None = None
    postal_code: str | None = None
    period: Period | None = None


class ContactPoint(Element):
    """A telephone number or mailbox."""

    system: str | None = None
    value: str | None = None
    use: str | None = None


class Resource(msgspec.Struct, gc=False, rename="camel", tag_field="resourceType", tag=True):
    """What every resource has. The subclass's name is its `resourceType`."""

    id: str | None = None
    meta: Meta | None = None
    contained: Sequence[dict[str, Any]] | None = None


class Organization(Resource):
    """A hospital, a pole, a department."""

    identifier: Sequence[Identifier] | None = None
    name: str | None = None
    part_of: Reference | None = None


class Location(Resource):
    """A site, a ward, a room, a bed."""

    identifier: Sequence[Identifier] | None = None
    name: str | None = None
    part_of: Reference | None = None
    managing_organization: Reference | None = None


class HealthcareService(Resource):
    """A service that is offered, such as a consultation."""

    identifier: Sequence[Identifier] | None = None
    name: str | None = None
    provided_by: Reference | None = None


class Practitioner(Resource):
    """A person at work."""

    identifier: Sequence[Identifier] | None = None
    active: bool | None = None
    name: Sequence[HumanName] | None = None
    telecom: Sequence[ContactPoint] | None = None
    address: Sequence[Address] | None = None
    birth_date: str | None = None


class DeviceName(Element):
    """What people call a device."""

    name: str | None = None  # R4
    value: str | None = None  # R5


class Device(Resource):
    """A machine or program that acts, such as an interface engine."""

    identifier: Sequence[Identifier] | None = None
    status: str | None = None
    device_name: Sequence[DeviceName] | None = None  # R4
    name: Sequence[DeviceName] | None = None  # R5
    display_name: str | None = None  # R5


class PractitionerRole(Resource):
    """What a person may do, where, from when to when."""

    identifier: Sequence[Identifier] | None = None
    active: bool | None = None
    period: Period | None = None
    practitioner: Reference | None = None
    organization: Reference | None = None
    code: Sequence[CodeableConcept] | None = None
    specialty: Sequence[CodeableConcept] | None = None
    location: Sequence[Reference] | None = None
    healthcare_service: Sequence[Reference] | None = None


class PersonLink(Element):
    """One record of the same human."""

    target: Reference | None = None


class Person(Resource):
    """One human behind several records."""

    identifier: Sequence[Identifier] | None = None
    link: Sequence[PersonLink] | None = None


class PatientLink(Element):
    """Another record of the same patient."""

    other: Reference | None = None
    type: str | None = None


class Patient(Resource):
    """A person with a record."""

    identifier: Sequence[Identifier] | None = None
    name: Sequence[HumanName] | None = None
    birth_date: str | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None
    address: Sequence[Address] | None = None
    general_practitioner: Sequence[Reference] | None = None
    link: Sequence[PatientLink] | None = None


class Participant(Element):
    """Who takes part: `individual` in an R4 Encounter, `actor` in R5 and in an Appointment, `member` in a CareTeam."""

    individual: Reference | None = None
    actor: Reference | None = None
    member: Reference | None = None
    period: Period | None = None
    coverage_period: Period | None = None  # R5 CareTeam
    status: str | None = None  # Appointment


class EncounterLocation(Element):
    """Where the patient was during an encounter."""

    location: Reference | None = None
    status: str | None = None
    period: Period | None = None


class Encounter(Resource):
    """A stay or a visit."""

    status: str | None = None
    subject: Reference | None = None
    participant: Sequence[Participant] | None = None
    period: Period | None = None  # R4
    actual_period: Period | None = None  # R5
    planned_start_date: str | None = None  # R5
    planned_end_date: str | None = None  # R5
    location: Sequence[EncounterLocation] | None = None
    service_provider: Reference | None = None
    service_type: References = None  # R5; a CodeableConcept in R4, which has no reference


class Appointment(Resource):
    """A visit to come."""

    status: str | None = None
    start: str | None = None
    end: str | None = None
    minutes_duration: int | None = None
    requested_period: Sequence[Period] | None = None
    subject: Reference | None = None  # R5
    participant: Sequence[Participant] | None = None


class CareTeam(Resource):
    """Those who care for a patient together."""

    status: str | None = None
    subject: Reference | None = None
    period: Period | None = None
    participant: Sequence[Participant] | None = None


class EpisodeOfCare(Resource):
    """A condition that a department follows over time."""

    status: str | None = None
    patient: Reference | None = None
    managing_organization: Reference | None = None
    period: Period | None = None
    care_manager: Reference | None = None


class Act(Resource):
    """Something asked for, done or written for a patient. Each kind of act has some of these fields, with one meaning."""

    status: str | None = None
    subject: References = None
    patient: Reference | None = None  # Immunization
    # asked for it
    requester: Reference | None = None
    referrer: Reference | None = None  # ImagingStudy
    # was asked to do it, did it, wrote it, signed it
    performer: References = None
    recorder: Reference | None = None
    author: References = None
    authenticator: Reference | None = None  # DocumentReference R4
    attester: References = None  # Composition; DocumentReference R5
    interpreter: References = None  # ImagingStudy R4
    results_interpreter: References = None  # DiagnosticReport
    # where
    location: References = None
    location_reference: References = None  # ServiceRequest R4
    # when
    authored_on: str | None = None
    performed_date_time: str | None = None  # Procedure R4
    performed_period: Period | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    occurence_date_time: str | None = None  # so spelt in MedicationAdministration R5
    occurence_period: Period | None = None
    effective_date_time: str | None = None
    effective_instant: str | None = None
    effective_period: Period | None = None
    started: str | None = None  # ImagingStudy
    when_prepared: str | None = None  # MedicationDispense
    when_handed_over: str | None = None
    date: str | None = None  # Composition, DocumentReference
    recorded: str | None = None
    issued: str | None = None


class ServiceRequest(Act):
    """An examination, a consultation or an act that is asked for."""


class MedicationRequest(Act):
    """A prescription."""


class Procedure(Act):
    """An act that was done."""


class DiagnosticReport(Act):
    """A report of a laboratory or of imaging."""


class Observation(Act):
    """A measure or a finding."""


class MedicationAdministration(Act):
    """A drug given."""


class MedicationDispense(Act):
    """A drug handed out by the pharmacy."""


class Immunization(Act):
    """A vaccination."""


class ImagingStudy(Act):
    """Images taken."""


class DocumentReference(Act):
    """A document on file."""


class Composition(Act):
    """A structured document."""


class EntryRequest(Element):
    """What a transaction asks, or what a history says was asked."""

    method: str | None = None
    url: str | None = None


class Entry(Element):
    """A resource in a Bundle, not read yet."""

    full_url: str | None = None
    resource: msgspec.Raw = msgspec.Raw()
    request: EntryRequest | None = None


class Bundle(Resource):
    """Several resources; a history holds versions of them, the newest first."""

    type: str | None = None
    entry: Sequence[Entry] | None = None


class Kind(Element):
    """Of which type a resource is, and under which id."""

    resource_type: str | None = None
    id: str | None = None
