"""The same hospital told by HL7 v2 and by FHIR is the same context, and explains the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sentinel.assembly import replay
from sentinel.core.context import ContextRecord, Position, Unit, Withdrawn
from sentinel.settings import Settings
from streams.context.folder import FileRejection, load
from tests.context.hl7.speaking import PID, adt, pv1, siu, zbe

FHIR = {
    "Patient": {
        "id": "80012000",
        "identifier": [{"system": "urn:oid:1.2.250.1.999.1", "value": "80012000"}],
        "name": [{"use": "official", "family": "Bertrand", "given": ["Eva"]}],
        "birthDate": "1951-11-21",
        "address": [{"use": "home", "line": ["37 allée de la Poste"], "city": "Ville", "postalCode": "41240"}],
    },
    "Encounter": {
        "id": "V1",
        "status": "finished",
        "subject": {"reference": "Patient/80012000"},
        "period": {"start": "2024-03-01T09:12:00+01:00", "end": "2024-03-06T11:00:00+01:00"},
        "location": [
            {
                "location": {"reference": "Location/URG"},
                "period": {"start": "2024-03-01T09:12:00+01:00", "end": "2024-03-01T15:40:00+01:00"},
            },
            {
                "location": {"reference": "Location/CARDIO"},
                "period": {"start": "2024-03-01T15:40:00+01:00", "end": "2024-03-06T11:00:00+01:00"},
            },
        ],
        "participant": [{"individual": {"reference": "Practitioner/10100000001"}}],
    },
    "Appointment": {
        "id": "R1",
        "status": "booked",
        "start": "2024-04-02T14:00:00+02:00",
        "end": "2024-04-02T14:30:00+02:00",
        "participant": [
            {"actor": {"reference": "Patient/80012000"}},
            {"actor": {"reference": "Practitioner/10100000001"}},
            {"actor": {"reference": "Location/CONSULT"}},
        ],
    },
}
DOCTOR = "10100000001^Duval^Paul^^^^^^RPPS&1.2.250.1.71.4.2.1&ISO^L^^^RPPS"
MESSAGES = [
    adt("A01", PID, pv1("URG", f7=DOCTOR, f44="20240301091200")),
    adt("A02", PID, pv1("CARDIO", f7=DOCTOR, f44="20240301091200"), at="20240301154000"),
    adt("A03", PID, pv1("CARDIO", f7=DOCTOR, f45="20240306110000"), at="20240306110500"),
    siu("S12", "SCH|P1|R1|||||||30|MIN|^^^20240402140000", PID, "RGS|1", f"AIP|1||{DOCTOR}", "AIL|1||CONSULT^B1", f12="2.4"),
]


def told(folder: Path) -> set[ContextRecord]:
    """Return what a folder tells, but for withdrawals of what nobody told."""
    found = list(load(folder))
    assert not [one for one in found if isinstance(one, FileRejection)], found
    latest: dict[str, list[ContextRecord]] = {}
    for one in found:  # what stands at the end
        if isinstance(one, Withdrawn):
            latest[one.id] = []
        else:
            latest.setdefault(getattr(one, "id", ""), []).append(one)
    return {one for many in latest.values() for one in many if not isinstance(one, (Position, Unit))}


def test_the_same_hospital_both_ways(tmp_path: Path) -> None:
    """A stay with a transfer, its doctor, an appointment: records equal to the microsecond."""
    by_fhir, by_hl7 = tmp_path / "fhir", tmp_path / "hl7"
    by_fhir.mkdir()
    by_hl7.mkdir()
    for kind, resource in FHIR.items():
        (by_fhir / f"{kind}.json").write_text(json.dumps({"resourceType": kind} | resource))
    (by_hl7 / "pam-2024-03.hl7").write_bytes(b"".join(MESSAGES))
    assert told(by_hl7) == told(by_fhir)


def test_with_movements_named(tmp_path: Path) -> None:
    """ZBE tells the same stay, out of order, with one movement told wrong and corrected, one taken back."""
    (tmp_path / "fhir").mkdir()
    for kind in ("Patient", "Encounter"):
        (tmp_path / "fhir" / f"{kind}.json").write_text(json.dumps({"resourceType": kind} | FHIR[kind]))
    (tmp_path / "hl7").mkdir()
    (tmp_path / "hl7" / "a.hl7").write_bytes(
        b"".join(
            [
                adt("A01", PID, pv1("URG", f7=DOCTOR), zbe("1", "20240301091200")),
                adt("A02", PID, pv1("REA"), zbe("3", "20240303100000")),
                adt("A02", PID, pv1("CHIR"), zbe("2", "20240301160000")),
                adt("A03", PID, pv1("CARDIO"), zbe("4", "20240306110000")),
                adt("Z99", PID, pv1("CARDIO"), zbe("2", "20240301154000", "UPDATE", "A02")),
                adt("A12", PID, pv1("CARDIO"), zbe("3", "20240303100000", "CANCEL", "A02")),
            ]
        )
    )
    assert told(tmp_path / "hl7") == told(tmp_path / "fhir")


def test_the_same_is_explained(tmp_path: Path) -> None:
    """Accesses of whoever is there, was there, is named, or is expected: as many with a reason, and the same alerts."""
    staff = "practitioner,role,unit\nn1,Infirmière,CARDIO\nn2,Infirmière,URG\nn3,Secrétaire,CONSULT\n"
    accesses = [
        ("n1", "2024-03-02T10:00:00+01:00"),
        ("n2", "2024-03-01T10:00:00+01:00"),
        ("n2", "2024-05-20T10:00:00+02:00"),
        ("n3", "2024-04-02T14:10:00+02:00"),
        ("10100000001", "2024-03-04T10:00:00+01:00"),
        ("n9", "2024-03-04T11:00:00+01:00"),
    ]
    events = tmp_path / "events.ndjson"
    lines = [
        {"id": str(n), "occurred_at": at, "action": "read", "actor_id": actor, "patient_id": "80012000"}
        for n, (actor, at) in enumerate(accesses)
    ]
    events.write_text("".join(json.dumps(line) + "\n" for line in sorted(lines, key=lambda line: str(line["occurred_at"]))))
    found = {}
    for way in ("fhir", "hl7"):
        folder = tmp_path / way
        folder.mkdir()
        (folder / "PractitionerRole.csv").write_text(staff)
        for kind, resource in FHIR.items() if way == "fhir" else ():
            (folder / f"{kind}.json").write_text(json.dumps({"resourceType": kind} | resource))
        if way == "hl7":
            (folder / "adt.hl7").write_bytes(b"".join(MESSAGES))
        out = tmp_path / f"{way}-out"
        summary = replay(Settings.read(budget=0), "sentinel_json", [str(events)], folder, out, lambda *_: None)
        found[way] = summary.explained, (out / "alerts.ndjson").read_bytes()
    assert found["fhir"] == found["hl7"]
    assert found["hl7"][0] == pytest.approx(4 / 6, abs=1e-3)
