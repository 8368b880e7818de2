"""What reading each format costs: events per CPU-second to normalised rows, beside bare parsing of the same bytes.

`python -m deploy.bench.sources [NAME ...]`. Each record is read once, in batches of 1,000, by a source that has read
others of the same people before, as in a service that has been up for a minute. A format is one entry of `FORMATS`.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from lxml import etree

from sentinel.assembly import source

SEED: Final = 11
RECORDS: Final = 20_000
BATCH: Final = 1_000
ROUNDS: Final = 3  # the best counts: others use the machine too
_START: Final = datetime(2025, 3, 3, tzinfo=UTC)
_XML: Final = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


@dataclass(frozen=True, slots=True)
class Access:
    """One access of a made-up hospital, out of which each format makes its record."""

    number: int
    at: str
    person: str
    role: str
    station: str
    patient: str
    document: str
    instances: int
    kind: int  # 0-99: what was done, as far as a format tells several


@dataclass(frozen=True, slots=True)
class Format:
    """A source, how one of its records is written, and what parses it and nothing else."""

    name: str
    source: str
    write: Callable[[Access], bytes]
    parse: Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one format: events and records a CPU-second, mean bytes of a record."""

    name: str
    record_bytes: int
    events: int
    rejected: int
    events_per_cpu_second: int
    parsed_per_cpu_second: int


def accesses(count: int) -> list[Access]:
    """Return accesses of 800 people at 500 stations to 5,000 patients, a second after the other."""
    draw = random.Random(SEED)  # noqa: S311
    return [
        Access(
            number=number,
            at=(_START + timedelta(seconds=number, milliseconds=draw.randrange(1_000))).isoformat(timespec="milliseconds"),
            person=f"p-{(person := int(800 * draw.random() ** 2))}",
            role=("Physician", "Nurse", "Radiologist")[person % 3],
            station=f"10.1.{person % 50}.{person % 10 if draw.random() < 0.9 else draw.randrange(10)}",
            patient=f"pat-{draw.randrange(5_000)}",
            document=f"2.999.5.{draw.getrandbits(48)}",
            instances=draw.randrange(1, 900),
            kind=draw.randrange(100),
        )
        for number in range(count)
    ]


def own(one: Access) -> bytes:
    """Return Sentinel's own line."""
    told = {"id": f"e-{one.number}", "occurred_at": one.at, "action": "read", "actor_id": one.person, "actor_role": one.role}
    told |= {"patient_id": one.patient, "resource_type": "DocumentReference", "resource_id": one.document}
    return json.dumps(told | {"client_address": one.station, "application": "DPI", "site": "north", "purpose": "TREAT"}).encode()


def fhir(one: Access) -> bytes:
    """Return IHE's basic audit pattern of a read, R4."""
    return json.dumps(_resource(one), separators=(",", ":")).encode()


def _resource(one: Access) -> dict[str, Any]:
    dicom, role_system = "http://dicom.nema.org/resources/ontology/DCM", "http://terminology.hl7.org/CodeSystem/object-role"
    return {
        "resourceType": "AuditEvent",
        "id": f"e-{one.number}",
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        "subtype": [{"system": "http://hl7.org/fhir/restful-interaction", "code": "read", "display": "read"}],
        "action": "R",
        "recorded": one.at,
        "outcome": "0",
        "purposeOfEvent": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}]}],
        "agent": [
            {
                "type": {"coding": [{"system": dicom, "code": "110153", "display": "Source Role ID"}]},
                "who": {"display": "server"},
                "requestor": False,
                "network": {"address": "10.0.0.5", "type": "2"},
            },
            {
                "type": {"coding": [{"system": dicom, "code": "110152", "display": "Destination Role ID"}]},
                "who": {"display": "client"},
                "requestor": False,
                "network": {"address": one.station, "type": "2"},
            },
            {
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
                "role": [{"text": one.role}],
                "who": {"reference": f"Practitioner/{one.person}"},
                "requestor": True,
            },
        ],
        "source": {"site": "north", "observer": {"display": "DPI"}},
        "entity": [
            {"what": {"reference": f"Patient/{one.patient}"}, "role": {"system": role_system, "code": "1"}},
            {"what": {"reference": f"DocumentReference/{one.number}"}, "role": {"system": role_system, "code": "4"}},
        ],
    }


def fhir_xml(one: Access) -> bytes:
    """Return the same in XML."""
    return _markup("AuditEvent", {"xmlns": "http://hl7.org/fhir"}, _resource(one)).encode()


def _markup(name: str, attributes: dict[str, str], value: Any) -> str:
    told = "".join(f' {key}="{text}"' for key, text in attributes.items())
    if not isinstance(value, dict):
        return f'<{name}{told} value="{str(value).lower() if isinstance(value, bool) else value}"/>'
    held = ((key, one) for key, several in value.items() if key != "resourceType" for one in _list(several))
    return f"<{name}{told}>{''.join(_markup(key, {}, one) for key, one in held)}</{name}>"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def atna(one: Access) -> bytes:
    """Return an audit message behind its syslog header: of each ten, four studies, three documents, two queries, a login."""
    kind = 0 if one.kind < 40 else 1 if one.kind < 70 else 2 if one.kind < 90 else 3
    id_, text, letter, *types = _ATNA_EVENTS[kind]
    parts = [
        f'<EventIdentification EventActionCode="{letter}" EventDateTime="{one.at}" EventOutcomeIndicator="0">',
        _code("EventID", id_, "DCM", text),
        *(_code("EventTypeCode", code, system, name) for code, system, name in types),
        "</EventIdentification>",
        _participant("https://dpi.example.org/ws", "10.0.0.5", "110153", "DCM", "Source Role ID", 'AlternativeUserID="4711" '),
        _participant("https://client.example.org/ws", one.station, "110152", "DCM", "Destination Role ID"),
        _participant(one.person, one.station, one.role[:4], "2.999.7", one.role, 'UserName="somebody" ', asked="true"),
        '<AuditSourceIdentification AuditEnterpriseSiteID="north" AuditSourceID="dpi"><AuditSourceTypeCode csd-code="4"/>',
        "</AuditSourceIdentification>",
        *(_atna_objects(one, kind) if kind < 3 else ()),
    ]
    body = f'<?xml version="1.0" encoding="UTF-8"?><AuditMessage>{"".join(parts)}</AuditMessage>'
    return f"<85>1 {one.at} dpi.example.org dpi 4711 IHE+RFC-3881 - {body}".encode()


_ATNA_EVENTS: Final[tuple[Any, ...]] = (
    ("110103", "DICOM Instances Accessed", "R"),
    ("110107", "Import", "C", ("ITI-43", "IHE Transactions", "Retrieve Document Set")),
    ("110112", "Query", "E", ("ITI-18", "IHE Transactions", "Registry Stored Query")),
    ("110114", "User Authentication", "E", ("110122", "DCM", "Login")),
)
_QUERY: Final = b64encode(b'<query id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"/>' * 4).decode()


def _code(element: str, code: str, system: str, text: str) -> str:
    return f'<{element} csd-code="{code}" codeSystemName="{system}" originalText="{text}"/>'


def _participant(user: str, at: str, role: str, system: str, text: str, more: str = "", asked: str = "false") -> str:
    told = f'UserID="{user}" {more}UserIsRequestor="{asked}" NetworkAccessPointID="{at}" NetworkAccessPointTypeCode="2"'
    return f"<ActiveParticipant {told}>{_code('RoleIDCode', role, system, text)}</ActiveParticipant>"


def _atna_objects(one: Access, kind: int) -> tuple[str, str]:
    patient = _atna_object(
        f"{one.patient}^^^&amp;2.999.1&amp;ISO", "1", "1", _code("ParticipantObjectIDTypeCode", "2", "RFC-3881", "Patient Number")
    )
    if kind == 0:
        inner = _code("ParticipantObjectIDTypeCode", "110180", "DCM", "Study Instance UID")
        held = f'<SOPClass UID="1.2" NumberOfInstances="{one.instances}"/>'
        inner += f"<ParticipantObjectDescription>{held}</ParticipantObjectDescription>"
        return patient, _atna_object(one.document, "2", "3", inner)
    if kind == 1:
        inner = _code("ParticipantObjectIDTypeCode", "9", "RFC-3881", "Report Number")
        inner += '<ParticipantObjectDetail type="Repository Unique Id" value="Mi45OTkuNQ=="/>'
        return patient, _atna_object(f"2.999.5^{one.number}", "2", "3", inner)
    inner = _code("ParticipantObjectIDTypeCode", "ITI-18", "IHE Transactions", "Registry Stored Query")
    inner += f"<ParticipantObjectQuery>{_QUERY}</ParticipantObjectQuery>"
    return patient, _atna_object("urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", "2", "24", inner)


def _atna_object(id_: str, type_: str, role: str, inner: str) -> str:
    told = f'ParticipantObjectID="{id_}" ParticipantObjectTypeCode="{type_}" ParticipantObjectTypeCodeRole="{role}"'
    return f"<ParticipantObjectIdentification {told}>{inner}</ParticipantObjectIdentification>"


def parse_xml(record: bytes) -> object:
    """Parse a record's XML, from its declaration on, with lxml."""
    return etree.fromstring(record[max(record.find(b"<?xml"), 0) :], _XML)


def openemr(one: Access) -> bytes:
    """Return a row of OpenEMR's log after the row that names its columns: a mapping's CSV."""
    at = one.at[:19].replace("T", " ")
    event = ("patient-record-select", "patient-record-update", "order-insert", "view")[one.kind % 4]
    row = f"{one.number + 1},{at},{event},patient-record,{one.person},Default,{one.patient},1,open-emr"
    return f"id,date,event,category,user,groupname,patient_id,success,log_from\n{row}".encode()


def parse_csv(record: bytes) -> object:
    """Parse a record's rows with the csv module."""
    return list(csv.reader(record.decode().splitlines()))


def bahmni(one: Access) -> bytes:
    """Return an entry of Bahmni's audit log: a mapping's JSON."""
    event = ("VIEWED_CLINICAL_DASHBOARD", "EDIT_ENCOUNTER", "RUN_REPORT", "PRINT_PATIENT_STICKER")[one.kind % 4]
    told = {"auditLogId": one.number, "userId": one.person, "patientId": one.patient, "eventType": event, "message": event}
    return json.dumps(told | {"dateCreated": 1_741_000_000_000 + 1_000 * one.number, "uuid": f"0c2b665e-{one.number}"}).encode()


def cloudtrail(one: Access) -> bytes:
    """Return a data event of S3: CloudTrail."""
    name = ("GetObject", "GetObject", "PutObject", "ListObjects")[one.kind % 4]
    arn = f"arn:aws:iam::123456789012:user/{one.person}"
    event = {
        "eventVersion": "1.09",
        "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": arn, "userName": one.person},
        "eventTime": one.at[:19] + "Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-3",
        "sourceIPAddress": f"10.2.{one.number % 200}.9",
        "userAgent": "[aws-cli/2.15]",
        "requestParameters": {"bucketName": "archive", "key": f"{one.patient}/{one.document}"},
        "responseElements": None,
        "additionalEventData": {"bytesTransferredOut": 1_000 * one.instances},
        "requestID": f"R{one.number:016d}",
        "eventID": f"00000000-0000-4000-8000-{one.number:012d}",
        "readOnly": name != "PutObject",
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": "123456789012",
        "eventCategory": "Data",
    }
    return json.dumps(event).encode()


def windows(one: Access) -> bytes:
    """Return a file opened on a share (4663), as Winlogbeat sends it: Windows Security."""
    file = f"D:\\Records\\{one.patient}\\{one.document}.pdf"
    data = {
        "SubjectUserName": one.person,
        "SubjectDomainName": "HOSPITAL",
        "SubjectUserSid": f"S-1-5-21-1-2-3-{one.number % 400}",
    }
    data |= {"SubjectLogonId": f"0x{one.number % 999:x}", "ObjectServer": "Security", "ObjectType": "File", "ObjectName": file}
    data |= {"HandleId": "0x1a4", "AccessList": "%%4416", "AccessMask": "0x1", "ProcessName": "C:\\Windows\\explorer.exe"}
    event = {"code": "4663", "provider": "Microsoft-Windows-Security-Auditing", "outcome": "success", "action": "File System"}
    log = {"channel": "Security", "event_id": "4663", "record_id": one.number, "computer_name": one.station, "event_data": data}
    return json.dumps({"@timestamp": one.at[:19] + "Z", "event": event, "host": {"name": one.station}, "winlog": log}).encode()


def ocsf(one: Access) -> bytes:
    """Return a call of an application's API that reads a record: OCSF."""
    event: dict[str, Any] = {
        "activity_id": 2,
        "category_uid": 6,
        "class_uid": 6003,
        "type_uid": 600302,
        "severity_id": 1,
        "status_id": 1,
    }
    event |= {"time": 1_741_000_000_000 + 1_000 * one.number, "class_name": "API Activity", "activity_name": "Read"}
    product = {"name": "DPI", "vendor_name": "Example"}
    event |= {"metadata": {"uid": f"e-{one.number}", "version": "1.3.0", "product": product}}
    event |= {"actor": {"user": {"name": one.person, "type_id": 1}, "session": {"uid": f"s-{one.number % 900}"}}}
    event |= {"api": {"operation": ("GetRecord", "ListRecords")[one.kind % 2], "service": {"name": "records"}}}
    event |= {"resources": [{"name": one.document, "type": "record"}], "src_endpoint": {"ip": one.station}}
    return json.dumps(event).encode()


def cef(one: Access) -> bytes:
    """Return a document opened, behind a syslog header: CEF."""
    name = ("Document opened", "Document downloaded", "Search", "User logged in")[one.kind % 4]
    fields = f"rt={1_741_000_000_000 + 1_000 * one.number} suser={one.person} src={one.station} fname={one.document}"
    labelled = f"cs1Label=Patient ID cs1={one.patient} cs2Label=Session cs2=s-{one.number % 900} outcome=success"
    return f"<134>1 {one.at} dpi.example.org dpi - - - CEF:0|Example|DPI|2.1|{one.kind % 4}|{name}|3|{fields} {labelled}".encode()


FORMATS: Final = (
    Format("sentinel_json", "sentinel_json", own, orjson.loads),
    Format("fhir_auditevent", "fhir_auditevent", fhir, orjson.loads),
    Format("fhir_auditevent, XML", "fhir_auditevent", fhir_xml, parse_xml),
    Format("dicom_atna", "dicom_atna", atna, parse_xml),
    Format("aws_cloudtrail", "aws_cloudtrail", cloudtrail, orjson.loads),
    Format("windows_security", "windows_security", windows, orjson.loads),
    Format("ocsf", "ocsf", ocsf, orjson.loads),
    Format("cef", "cef", cef, bytes.split),
    Format("mapping, CSV", "openemr_log", openemr, parse_csv),
    Format("mapping, JSON", "bahmni_audit_log", bahmni, orjson.loads),
)


def measure(one: Format, told: Sequence[Access]) -> Measured:
    """Read the records of a format, but for a first tenth that warms it up, and parse them."""
    decode = source(one.source).decode
    records = [one.write(access) for access in told]
    warm = len(records) // 10
    decode(records[:warm])
    batches = [records[at : at + BATCH] for at in range(warm, len(records), BATCH)]
    events = rejected = 0
    seconds = parsed_seconds = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        decoded = [decode(batch) for batch in batches]
        seconds = min(seconds, time.process_time() - began)
        events, rejected = sum(len(batch.rows) for batch in decoded), sum(len(batch.rejections) for batch in decoded)
        began = time.process_time()
        for record in records[warm:]:
            one.parse(record)
        parsed_seconds = min(parsed_seconds, time.process_time() - began)
    size = sum(map(len, records)) // len(records)
    return Measured(one.name, size, events, rejected, round(events / seconds), round((len(records) - warm) / parsed_seconds))


def main(arguments: Sequence[str] | None = None) -> list[Measured]:
    """Measure the formats asked for, all by default, and print a line each."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bench.sources", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="sources; all when none is named")
    parser.add_argument("--records", type=int, default=RECORDS, help="of each format, from 10")
    given = parser.parse_args(arguments)
    told = accesses(max(given.records, 10))
    print(f"{'format':<24}{'bytes':>7}{'events':>9}{'refused':>9}{'events/CPU-s':>14}{'bare parser':>13}")
    found = []
    for one in FORMATS:
        if given.names and one.source not in given.names:
            continue
        row = measure(one, told)
        found.append(row)
        print(
            f"{row.name:<24}{row.record_bytes:>7,}{row.events:>9,}{row.rejected:>9,}"
            f"{row.events_per_cpu_second:>14,}{row.parsed_per_cpu_second:>13,}",
            flush=True,
        )
    return found


if __name__ == "__main__":
    sys.exit(any(row.rejected for row in main()))
