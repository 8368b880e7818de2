"""FHIR R4 AuditEvents in the shapes of IHE BALP, put together from fragments made once."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from .clock import Clock
from .people import Patient, Person
from .roster import Session

DCM = "http://dicom.nema.org/resources/ontology/DCM"
REST = "http://terminology.hl7.org/CodeSystem/audit-event-type"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ENTITY_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
BALP = "https://profiles.ihe.net/ITI/BALP"
HOST = "chu-valmont.example"

APPS = {
    "ehr": "Dossier patient informatisé",
    "pacs": "Archive d'images",
    "lis": "Gestion de laboratoire",
    "rx": "Prescription et dispensation",
    "adm": "Gestion administrative des patients",
}
SITES = ("CHU de Valmont, site Nord", "CHU de Valmont, site Brenne")
ABBREVIATIONS = {"DocumentReference": "doc", "DiagnosticReport": "cr", "Observation": "obs", "ImagingStudy": "img"}
LABELLED = frozenset({"DocumentReference", "DiagnosticReport", "Condition", "CarePlan", "MedicationRequest"})

USB, EMAIL, CD, LINK, PAPER = (
    ("110030", "USB Disk Emulation"),
    ("110031", "Email"),
    ("110032", "CD"),
    ("110037", "URI"),
    ("110038", "Paper Document"),
)


@dataclass(frozen=True, slots=True)
class Service:
    """An application's own account, known as a Device."""

    id: str
    login: str
    name: str
    host: str
    address: str


Actor = Person | Service


class SimulatedEvent(NamedTuple):
    """One AuditEvent in UTF-8 JSON; `label` and `case` tell misuse, None for ordinary work.

    `occurred_at_us` is in µs since 1970 UTC, a whole number of ms: it is the `recorded` of the resource.
    """

    occurred_at_us: int
    id: str
    resource: bytes
    label: str | None = None
    case: str | None = None


@dataclass(slots=True)
class Deed:
    """What someone did with an application, before it is written as an AuditEvent."""

    at_ms: int
    actor: Actor
    session: Session
    op: str  # one of OPERATIONS
    app: str  # one of APPS
    patients: tuple[Patient, ...] = ()
    resource: str = ""  # type and id
    query: str = ""  # path and parameters of a search
    outcome: str = "0"
    note: str = ""  # outcomeDesc: motive or refusal
    purpose: str = ""  # v3-ActReason
    media: tuple[str, str] | None = None
    destination: str = ""  # where the media went, a URI
    count: int = 0  # records in one act; 0 is not told
    label: str = ""  # v3-ActCode of the resource
    target: str = ""  # the account whose rights change


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _coding(system: str, code: str, display: str = "") -> dict[str, str]:
    return {"system": system, "code": code} | ({"display": display} if display else {})


def _head(profile: str, kind: dict[str, str], subtype: dict[str, str], action: str) -> str:
    meta = {"meta": {"profile": [f"{BALP}/StructureDefinition/IHE.BasicAudit.{profile}"]}} if profile else {}
    return _json({**meta, "type": kind, "subtype": [subtype], "action": action})[1:-1]


def _rest(profile: str, code: str, action: str) -> str:
    return _head(profile, _coding(REST, "rest", "Restful Operation"), _coding(INTERACTION, code, code), action)


def _dicom(kind: tuple[str, str], subtype: tuple[str, str], action: str = "E") -> str:
    return _head("", _coding(DCM, *kind), _coding(DCM, *subtype), action)


_LOGIN = ("110114", "User Authentication")
_EXPORT = ("110106", "Export")
_ALERT = ("110113", "Security Alert")

# Head of the resource, and the type of the agent who asked, for each thing that can be done.
OPERATIONS: dict[str, tuple[str, str]] = {
    "read": (_rest("PatientRead", "read", "R"), "IRCP"),
    "search": (_rest("PatientQuery", "search", "E"), "IRCP"),
    "create": (_rest("PatientCreate", "create", "C"), "AUT"),
    "update": (_rest("PatientUpdate", "update", "U"), "AUT"),
    "delete": (_rest("PatientDelete", "delete", "D"), "CST"),
    "export": (_head("", _coding(DCM, *_EXPORT), _coding(LIFECYCLE, "extract", "Extract"), "R"), "IRCP"),
    "print": (_head("", _coding(DCM, *_EXPORT), _coding(LIFECYCLE, "report", "Output/Report"), "R"), "IRCP"),
    "login": (_dicom(_LOGIN, ("110122", "Login")), "humanuser"),
    "logout": (_dicom(_LOGIN, ("110123", "Logout")), "humanuser"),
    "break-glass": (_dicom(_ALERT, ("110127", "Emergency Override Started")), "IRCP"),
    "roles": (_dicom(_ALERT, ("110136", "Security Roles Changed")), "IRCP"),
    "rights": (_dicom(_ALERT, ("110137", "User Security Attributes Changed")), "IRCP"),
}  # fmt: skip

_AGENT_TYPES = {
    "IRCP": _coding(PARTICIPATION, "IRCP"),
    "AUT": _coding(PARTICIPATION, "AUT"),
    "CST": _coding(PARTICIPATION, "CST"),
    "humanuser": _coding("http://terminology.hl7.org/CodeSystem/extra-security-role-type", "humanuser"),
    "service": _coding(DCM, "110150", "Application"),
}
# The workstation: where what is read goes to, where what is asked or written comes from.
_GOES_TO = _json({"type": {"coding": [_coding(DCM, "110152", "Destination Role ID")]}})[:-1]
_COMES_FROM = _json({"type": {"coding": [_coding(DCM, "110153", "Source Role ID")]}})[:-1]
_MEDIA = _json({"type": {"coding": [_coding(DCM, "110154", "Destination Media")]}})[:-1]
_PERSON = _json({"type": _coding(ENTITY, "1"), "role": _coding(ENTITY_ROLE, "1")})[1:-1]
_OBJECT = _json({"type": _coding(ENTITY, "2"), "role": _coding(ENTITY_ROLE, "4")})[1:-1]
_USER = _json({"type": _coding(ENTITY, "1"), "role": _coding(ENTITY_ROLE, "11")})[1:-1]
_QUERY = _json({"type": _coding(ENTITY, "2"), "role": _coding(ENTITY_ROLE, "24")})[1:-1]
_REQUEST = _json({"type": _coding(f"{BALP}/CodeSystem/BasicAuditEntityType", "XrequestId")})[1:-1]
_SESSION = _json({"type": _coding(f"https://{HOST}/fhir/CodeSystem/audit-entity", "session")})[1:-1]


def patient_labels(patient: Patient) -> list[dict[str, str]]:
    """Return the security labels of a patient's record: protected people, restricted access."""
    labels = [_coding(ACT, "CEL", "celebrity information sensitivity")] if patient.celebrity else []
    if patient.celebrity or patient.restricted:
        code = ("V", "very restricted") if patient.celebrity else ("R", "restricted")
        labels.append(_coding(CONFIDENTIALITY, *code))
    return labels


def resource_of(patient: Patient, kind: str, number: int) -> tuple[str, str]:
    """Return type and id of one of a patient's resources, and its v3-ActCode, often empty."""
    if kind == "Patient":
        return f"Patient/{patient.id}", ""
    short = ABBREVIATIONS.get(kind) or kind.lower()[:4]
    label = patient.label if kind in LABELLED and number % 3 == 0 else ""
    return f"{kind}/{short}-{patient.index * 41 + number:07d}", label


class Scribe:
    """Writes deeds as AuditEvents; fragments of people, patients and places are kept as text."""

    def __init__(self, seed: int, clock: Clock) -> None:
        """Keep the seed, from which ids are derived, and the clock of the hospital."""
        self._seed, self._clock = seed, clock
        self._actors: dict[tuple[str, str], str] = {}
        self._patients: dict[int, str] = {}
        self._sources = {(app, site): self._source(app, site) for app in APPS for site in range(len(SITES))}

    def write(self, deed: Deed, key: str, label: str | None = None, case: str | None = None) -> SimulatedEvent:
        """Return the event of a deed; its ids are derived from `key`, unique to the deed."""
        digest = blake2b(f"{self._seed}|{key}".encode(), digest_size=32).hexdigest()
        number = _uuid(digest[:32])
        head, agent_type = OPERATIONS[deed.op]
        note = f'"outcomeDesc":{_json(deed.note)},' if deed.note else ""
        text = (
            f'{{"resourceType":"AuditEvent","id":"{number}",{head},"recorded":"{self._clock.stamp(deed.at_ms)}",'
            f'"outcome":"{deed.outcome}",{note}{self._purpose(deed)}"agent":[{self._actor(deed.actor, agent_type)}'
            f"{self._place(deed)}{self._media(deed)}],{self._sources[deed.app, deed.session.site]},"
            f'"entity":[{self._entities(deed)}{_told(deed.session.token, _SESSION)},{_told(_uuid(digest[32:]), _REQUEST)}]}}'
        )
        return SimulatedEvent(deed.at_ms * 1000, number, text.encode(), label, case)

    @staticmethod
    def _source(app: str, site: int) -> str:
        return _json({"source": {"site": SITES[site], "observer": {"reference": f"Device/{app}"}}})[1:-1]

    @staticmethod
    def _purpose(deed: Deed) -> str:
        return f'"purposeOfEvent":[{{"coding":[{{"system":"{REASON}","code":"{deed.purpose}"}}]}}],' if deed.purpose else ""

    def _actor(self, actor: Actor, agent_type: str) -> str:
        found = self._actors.get((actor.login, agent_type))
        if found is None:
            found = self._actors[actor.login, agent_type] = _json(_agent(actor, agent_type))[:-1]
        return found

    @staticmethod
    def _place(deed: Deed) -> str:
        session, machine = deed.session, _GOES_TO if deed.op == "read" else _COMES_FROM
        network = f'"network":{{"address":"{session.address}","type":"2"}}}}'
        return (
            f',"policy":["urn:ietf:params:oauth:jti:{session.token}"],{network},'
            f'{machine},"who":{{"display":"{session.host}"}},"requestor":false,{network}'
        )

    @staticmethod
    def _media(deed: Deed) -> str:
        if deed.media is None:
            return ""
        code, display = deed.media
        media = f'"media":{{"system":"{DCM}","code":"{code}","display":"{display}"}}'
        network = f',"network":{{"address":"{deed.destination}","type":"5"}}' if deed.destination else ""
        return f',{_MEDIA},"requestor":false,{media}{network}}}'

    def _entities(self, deed: Deed) -> str:
        parts = [self._patient(patient) for patient in deed.patients]
        if deed.resource or deed.count:
            parts.append(self._resource(deed))
        if deed.query:
            query = b64encode(f"GET https://{deed.app}.{HOST}/fhir/{deed.query}".encode()).decode()
            parts.append(f'{{{_QUERY},"query":"{query}"}},')
        if deed.target:
            parts.append(f'{{"what":{{"reference":"{deed.target}"}},{_USER}}},')
        return "".join(parts)

    def _patient(self, patient: Patient) -> str:
        found = self._patients.get(patient.index)
        if found is None:
            labels = patient_labels(patient)
            told = f',"securityLabel":{_json(labels)}' if labels else ""
            found = self._patients[patient.index] = f'{{"what":{{"reference":"Patient/{patient.id}"}},{_PERSON}{told}}},'
        return found

    @staticmethod
    def _resource(deed: Deed) -> str:
        what = f'"what":{{"reference":"{deed.resource}"}},' if deed.resource else ""
        label = f',"securityLabel":{_json([_coding(ACT, deed.label), _coding(CONFIDENTIALITY, "R")])}' if deed.label else ""
        count = f',"detail":[{{"type":"count","valueString":"{deed.count}"}}]' if deed.count else ""
        return f"{{{what}{_OBJECT}{label}{count}}},"


def _told(value: str, kind: str) -> str:
    return f'{{"what":{{"identifier":{{"value":"{value}"}}}},{kind}}}'


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _agent(actor: Actor, agent_type: str) -> dict[str, object]:
    if isinstance(actor, Service):
        who: dict[str, object] = {"reference": f"Device/{actor.id}"}
        return {"type": {"coding": [_AGENT_TYPES["service"]]}, "who": who, "altId": actor.login, "name": actor.name,
                "requestor": True}  # fmt: skip
    system, value = actor.identifier
    who = {"reference": f"Practitioner/{actor.id}", "identifier": {"system": system, "value": value}}
    role = {"coding": [_coding(actor.role.system, actor.role.code)], "text": actor.role.text}
    return {"type": {"coding": [_AGENT_TYPES[agent_type]]}, "role": [role], "who": who, "altId": actor.login,
            "name": f"{actor.given} {actor.family}", "requestor": True}  # fmt: skip
