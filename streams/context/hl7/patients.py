"""PID, PD1, MRG and what else tells of a patient, as the Patient resource that it amounts to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from sentinel.core.errors import RejectedError, RejectionCode
from streams.context import ins
from streams.context.dates import PARIS
from streams.context.hl7.memory import Memory, Resource, moment, reference
from streams.context.hl7.message import Message, Part, Segment

# HL7 tables 0200 and 0190 in FHIR's words; names and addresses of other kinds are not kept.
_NAME_USES: Final = {"": None, "L": "official", "D": "usual", "M": "maiden", "B": "maiden", "N": "nickname", "C": "official"}
_ADDRESS_USES: Final = {"": "home", "H": "home", "P": "home", "L": "home", "RH": "home", "C": "temp", "V": "temp", "M": "billing"}
_RECORD_NUMBERS: Final = ("PI", "MR", "")  # which identifier names the record, the best first: table 0203
_NOT_RECORDS: Final = frozenset({"NI", "NH", "SS", "INS", "INS-C", "INS-NIR", "INS-NIA", "PPN", "DL", "VN", "AN"})
_LABELS: Final = "http://terminology.hl7.org/CodeSystem/"
_VIP: Final = {"system": f"{_LABELS}v3-ActCode", "code": "CEL"}
_RESTRICTED: Final = {"system": f"{_LABELS}v3-Confidentiality", "code": "R"}
_NOT: Final = frozenset({"", "N", "NO", "NON", "0", "F"})
_MERGES_MAX: Final = 8  # records merged into records merged


@dataclass(frozen=True, slots=True)
class Site:
    """How a site's messages are read.

    `zone`: of times without an offset. `authority`: who gives the numbers that events name patients by, as CX-4 names it
    (namespace or OID); empty: the first number of type PI, else MR, else the first that is no national one.
    `processing`: the MSH-11 that are taken; others are exercises.
    """

    zone: ZoneInfo = PARIS
    authority: str = ""
    processing: tuple[str, ...] = ("P",)


def patient_of(message: Message, site: Site, memory: Memory) -> str:
    """Take in what a message says of its patient, and return the id.

    Raises:
        RejectedError: it names no patient, or says what cannot be read.
    """
    pid = message.need("PID")
    told = record_of(pid, 3, site) or record_of(pid, 2, site)
    if not told:
        raise RejectedError(RejectionCode.MISSING_FIELD, "/PID/3", "no patient is named")
    patient = _survivor(told, memory)
    before = memory.get("Patient", patient, dict) or {}
    now = before | {"resourceType": "Patient", "id": patient}
    _identifiers(now, pid, told, is_whole=message.header.text(9) == "ADT")
    _describe(now, pid, site.zone)
    _surely_dead(now, message, site.zone)
    _protect(now, message)
    _doctors(now, message)
    if now != before:
        memory.put(now, now)
    return patient


def merge(message: Message, site: Site, memory: Memory) -> None:
    """Let what was known under the ids of MRG be the patient's of PID.

    Raises:
        RejectedError: MRG is not there, or names no patient.
    """
    survivor, mrg = patient_of(message, site, memory), message.need("MRG")
    gone = record_of(mrg, 1, site)
    if not gone:
        raise RejectedError(RejectionCode.MISSING_FIELD, "/MRG/1", "no patient is named")
    others = [_identifier(one) for one in mrg.repetitions(1) if one.text()]
    if gone == survivor or _survivor(gone, memory) == survivor:
        return
    before = memory.get("Patient", gone, dict) or {}
    kept = [one for one in before.get("identifier", ()) if one not in others]
    link = [{"other": reference("Patient", survivor), "type": "replaced-by"}]
    merged = {"resourceType": "Patient", "id": gone, "identifier": [*kept, *others], "link": link}
    memory.put(merged, merged)


def record_of(segment: Segment, field: int, site: Site) -> str:
    """Return the number by which events name the patient; empty when there is none."""
    numbers = [one for one in segment.repetitions(field) if one.text()]
    if site.authority:
        return next((one.text() for one in numbers if site.authority in (one.text(4), one.text(4, 2))), "")
    for kind in _RECORD_NUMBERS:
        if found := next((one.text() for one in numbers if one.text(5) == kind), ""):
            return found
    return next((one.text() for one in numbers if one.text(5) not in _NOT_RECORDS), "") or (numbers[0].text() if numbers else "")


def _survivor(patient: str, memory: Memory) -> str:
    """Return the record that a record was merged into, or itself."""
    for _ in range(_MERGES_MAX):
        links: Sequence[Any] = (memory.get("Patient", patient, dict) or {}).get("link", ())
        if not links:
            break
        patient = links[0]["other"]["identifier"]["value"]
    return patient


def _identifiers(now: Resource, pid: Segment, own: str, *, is_whole: bool) -> None:
    """Take PID-3 as the whole of the identifiers, or, from appointments, as some of them."""
    numbers = [_identifier(one) for one in (*pid.repetitions(3), *pid.repetitions(2), *pid.repetitions(4)) if one.text()]
    told = [one for one in numbers if _may_be_told(one, pid)]
    systems = {one.get("system") for one in told}
    kept = [] if is_whole else [one for one in now.get("identifier", ()) if one.get("system") not in systems]
    named = [{"value": own}] if own != now["id"] else []
    now["identifier"] = _once([*kept, *told, *named])


def _identifier(number: Part) -> Resource:
    """Return an identifier with its authority as the system: an OID when it has one, else its namespace."""
    oid, namespace = number.text(4, 2), number.text(4)
    system = f"urn:oid:{oid}" if oid and number.text(4, 3) in ("", "ISO") else oid or namespace
    return {"value": number.text()} | ({"system": system} if system else {})


def _may_be_told(identifier: Resource, pid: Segment) -> bool:
    """Tell whether a number may name the patient: an INS may not while their identity is not qualified (PID-32)."""
    statuses = {one.text() for one in pid.repetitions(32)}
    return not statuses or ins.QUALIFIED in statuses or identifier.get("system") not in ins.SYSTEMS


def _once(items: Iterable[Resource]) -> list[Resource]:
    found: list[Resource] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _describe(now: Resource, pid: Segment, zone: ZoneInfo) -> None:
    """Take civil traits over: a field that says nothing leaves what is known, one that says "" empties it."""
    for field, key, value in (
        (5, "name", [_name(one) for one in pid.repetitions(5) if one.text(7) in _NAME_USES]),
        (7, "birthDate", _day(pid, 7)),
        (11, "address", [_address(one) for one in pid.repetitions(11) if one.text(7) in _ADDRESS_USES]),
        (29, "deceasedDateTime", _death(pid, zone)),
        (30, "deceasedBoolean", pid.text(30).upper() == "Y"),
    ):
        if pid.is_told(field):
            now.pop(key, None)
            if value:
                now[key] = value
    if pid.text(30).upper() == "N":
        now.pop("deceasedDateTime", None)


def _surely_dead(now: Resource, message: Message, zone: ZoneInfo) -> None:
    """Of a patient who is dead, nobody says since when: since the record last changed, or the first message that says it."""
    meta = dict(now.get("meta", {}))
    if not now.get("deceasedBoolean"):
        meta.pop("lastUpdated", None)
    elif "lastUpdated" not in meta:
        told = message.need("PID").span(33, zone) or message.header.span(7, zone)
        meta |= {"lastUpdated": moment(told[0])} if told else {}
    if meta or "meta" in now:
        now["meta"] = meta


def _name(one: Part) -> Resource:
    use = _NAME_USES[one.text(7)]
    told: Resource = {"family": one.text(1), "given": [given for given in (one.text(2), one.text(3)) if given]}
    return told | ({"use": use} if use else {})


def _address(one: Part) -> Resource:
    lines = [line for line in (one.text(1), one.text(2)) if line]
    return {"use": _ADDRESS_USES[one.text(7)], "line": lines, "city": one.text(3), "postalCode": one.text(5)}


def _day(segment: Segment, field: int) -> str:
    """Return a day as FHIR writes it, however much of it is told."""
    told = segment.span(field, PARIS)
    text = segment.text(field)[:8]
    return "" if told is None else "-".join(part for part in (text[:4], text[4:6], text[6:8]) if part)


def _death(pid: Segment, zone: ZoneInfo) -> str:
    told = pid.span(29, zone)
    if told is None:
        return ""
    return moment(told[0]) if told[0] == told[1] else _day(pid, 29)


def _protect(now: Resource, message: Message) -> None:
    """Take over whether the patient is known to the public (PV1-16), or access is restricted (PD1-12, PV2-22, ARV)."""
    for name, field, label in (("PV1", 16, _VIP), ("PD1", 12, _RESTRICTED), ("PV2", 22, _RESTRICTED)):
        segment = message.first(name)
        if segment is not None and segment.is_told(field):
            _label(now, label, is_on=segment.text(field).upper() not in _NOT)
    for arv in message.all("ARV"):
        _label(now, _RESTRICTED, is_on=arv.text(2).upper() != "D" and arv.text(3).upper() not in {"", "NO"})


def _label(now: Resource, label: Resource, *, is_on: bool) -> None:
    meta = dict(now.get("meta", {}))
    meta["security"] = [one for one in meta.get("security", ()) if one != label] + ([label] if is_on else [])
    now["meta"] = meta


def _doctors(now: Resource, message: Message) -> None:
    """Take over who is the patient's general practitioner: PD1-4, or a role PP of ROL."""
    pd1 = message.first("PD1")
    told = pd1.repetitions(4) if pd1 else []
    told += [one for rol in message.all("ROL") if rol.text(3) == "PP" and rol.text(2) != "DE" for one in rol.repetitions(4)]
    if told:
        now["generalPractitioner"] = [reference("Practitioner", one.text()) for one in told if one.text()]
    elif pd1 and pd1.is_deleted(4):
        now.pop("generalPractitioner", None)
