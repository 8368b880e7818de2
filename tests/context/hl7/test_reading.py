"""What each kind of HL7 v2 message changes of a patient, a visit, an appointment."""

from __future__ import annotations

import json
import random

import pytest

from sentinel.core.errors import RejectedError, RejectionCode
from streams.context.fhir import decode
from streams.context.hl7.message import Message
from streams.context.hl7.patients import Site
from tests.context.hl7.speaking import PID, Told, adt, pv1, siu, zbe


def stands(told: Told, *raws: bytes) -> dict[str, dict]:
    """Return all resources as they stand after messages, each of which FHIR's reader takes."""
    found: dict[str, dict] = {}
    for raw in raws:
        for (kind, id_), resource in told.take(raw).items():
            decode(resource)
            found[f"{kind}/{id_}"] = json.loads(resource)
    return found


def stays(encounter: dict) -> list[tuple[str, str, str]]:
    """Return where a patient was: place, start, end."""
    return [
        (one["location"]["identifier"]["value"], one["period"]["start"][5:16], one["period"].get("end", "")[5:16])
        for one in encounter["location"]
    ]


def test_nothing_told_changes_nothing_and_quotes_delete() -> None:
    """An empty field leaves what is known; one of two quotes empties it."""
    told = Told()
    stands(told, adt("A28", PID))
    assert not told.take(adt("A31", "PID|1||80012000^^^IPP&1.2.250.1.999.1&ISO^PI"))
    number = "PID|1||80012000^^^IPP&1.2.250.1.999.1&ISO^PI"
    patient = stands(told, adt("A31", f'{number}||Colin^Eva^^^^^L||""'))["Patient/80012000"]
    assert patient["name"] == [{"family": "Colin", "given": ["Eva"], "use": "official"}]
    assert "birthDate" not in patient
    assert "address" in patient
    patient = stands(told, adt("A31", f'{number}||||||||""'))["Patient/80012000"]
    assert "address" not in patient


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("8859/1", "latin-1"), ("8859/15", "iso8859-15"), ("UNICODE UTF-8", "utf-8"), ("", "utf-8"), ("", "latin-1")],
)
def test_character_sets(charset: str, codec: str) -> None:
    """Each is read as MSH-18 says, and one that says nothing as what it is."""
    text = adt("A28", PID.replace("Bertrand", "Lefèvre"), f18=charset).decode()
    assert b"Lef" in text.encode(codec)
    patient = stands(Told(), text.encode(codec))["Patient/80012000"]
    assert patient["name"][0]["family"] == "Lefèvre"


def test_escapes_and_other_separators() -> None:
    """Separators within a text, hexadecimal, line breaks; a message may choose its separators."""
    escaped = PID.replace("Bertrand", r"D\T\O\S\N\.br\x\X41\\H\y\N\ ")
    assert stands(Told(), adt("A28", escaped))["Patient/80012000"]["name"][0]["family"] == "D&O^N xAy"
    other = b"MSH#*~!%#A#B#C#D#20240301##ADT*A28#1#P#2.3\rPID#1##7***IPP*PI##Do!F!e*X\r"
    assert stands(Told(), other)["Patient/7"]["name"][0] == {"family": "Do#e", "given": ["X"]}


def test_times() -> None:
    """Without an offset they are the site's, summer and winter; with one they are that moment; ends of lines are any."""
    told = Told()
    found = stands(
        told,
        adt("A01", PID, pv1("A", visit="w", f44="202401011200")),
        adt("A01", PID, pv1("A", visit="s", f44="20240701120000.5")),
        adt("A01", PID, pv1("A", visit="z", f44="20240701120000-0400")).replace(b"\r", b"\r\n"),
        adt("A03", PID, pv1("A", visit="d", f44="20240301", f45="20240302")),
    )
    assert [found[f"Encounter/{v}"]["period"]["start"][5:19] for v in "wsz"] == [
        "01-01T11:00:00",
        "07-01T10:00:00",
        "07-01T16:00:00",
    ]
    assert found["Encounter/d"]["period"] == {"start": "2024-02-29T23:00:00Z", "end": "2024-03-02T23:00:00Z"}
    with pytest.raises(RejectedError) as refused:
        told.take(adt("A01", PID, pv1("A", f44="20240231")))
    assert (refused.value.code, refused.value.pointer) == (RejectionCode.BAD_TIME, "/PV1/44")


def test_a_visit_without_named_movements() -> None:
    """Planned, emergency, ward, cancelled transfer, discharge taken back and told again, cancelled as a whole."""
    told = Told()

    def now(raw: bytes) -> dict:
        return stands(told, raw)["Encounter/V1"]

    assert now(adt("A05", PID, pv1("MED"), "PV2||||||||20240310080000"))["status"] == "planned"
    assert stays(now(adt("A04", PID, pv1("URG"), at="20240301091200"))) == [("URG", "03-01T08:12", "")]
    moved = now(adt("A01", PID, pv1("MED"), at="20240301154000"))
    assert stays(moved) == [("URG", "03-01T08:12", "03-01T14:40"), ("MED", "03-01T14:40", "")]
    assert stays(now(adt("A02", PID, pv1("REA"), at="20240302080000")))[-1] == ("REA", "03-02T07:00", "")
    assert stays(now(adt("A12", PID, pv1("MED"), at="20240302090000")))[-1] == ("MED", "03-01T14:40", "")
    assert stays(now(adt("A12", PID, pv1("MED"), at="20240302090000")))[-1][0] == "MED", "sent again, nothing more goes"
    assert now(adt("A03", PID, pv1("MED"), at="20240303120000"))["status"] == "finished"
    assert "end" not in now(adt("A13", PID, pv1("MED"), at="20240303130000"))["period"]
    assert stays(now(adt("A08", PID, pv1("MED", f45="20240304120000"))))[-1] == ("MED", "03-01T14:40", "03-04T11:00")
    assert now(adt("A11", PID, pv1("MED")))["status"] == "cancelled"


def test_doctors_come_and_go() -> None:
    """Who is not named in a role any more took part until then; roles of ROL have their own times."""
    told = Told()
    rol = "ROL|1|AD|CP|D3^Roux|20240302080000|20240302100000"
    first = stands(told, adt("A01", PID, pv1("MED", f7="D1^Duval")))["Encounter/V1"]
    then = stands(told, adt("A54", PID, pv1("MED", f7="D2^Marchal"), rol, at="20240302080000"))["Encounter/V1"]
    assert first["participant"] == [{"individual": {"type": "Practitioner", "identifier": {"value": "D1"}}, "period": {}}]
    assert [(one["individual"]["identifier"]["value"], one["period"]) for one in then["participant"]] == [
        ("D1", {"end": "2024-03-02T07:00:00Z"}),
        ("D2", {"start": "2024-03-02T07:00:00Z"}),
        ("D3", {"start": "2024-03-02T07:00:00Z", "end": "2024-03-02T09:00:00Z"}),
    ]


def test_the_french_pam_names_movements_and_units() -> None:
    """ZBE inserts, corrects and takes back by id, whatever the order; the units in charge are places as well."""
    told = Told()
    found = stands(
        told,
        adt("A01", PID, pv1("URG"), zbe("1", "20240301091200", unit="2710")),
        adt("A02", PID, pv1("REA"), zbe("2", "20240302080000", unit="2720")),
        adt("Z80", PID, pv1("REA"), zbe("3", "20240303080000", unit="2730")),
        adt("Z99", PID, pv1("URG"), zbe("1", "20240301080000", "UPDATE", "A01", unit="2710")),
        adt("Z81", PID, pv1("REA"), zbe("3", "20240303080000", "CANCEL", unit="2730")),
    )["Encounter/V1"]
    assert stays(found) == [
        ("URG", "03-01T07:00", "03-02T07:00"),
        ("2710", "03-01T07:00", "03-02T07:00"),
        ("REA", "03-02T07:00", ""),
        ("2720", "03-02T07:00", ""),
    ]


def test_merged_records_stay_merged() -> None:
    """What is told of a record that is gone is told of the one that it went into; a changed number is one too."""
    told = Told()
    gone = PID.replace("80012000", "80019999")
    found = stands(told, adt("A28", PID), adt("A28", gone), adt("A40", PID, "MRG|80019999^^^IPP&1.2.250.1.999.1&ISO^PI"))
    assert found["Patient/80019999"]["link"][0]["other"]["identifier"]["value"] == "80012000"
    later = stands(told, adt("A01", gone, pv1("MED")))
    assert later["Encounter/V1"]["subject"]["identifier"]["value"] == "80012000"
    assert "Patient/80019999" not in later
    found = stands(told, adt("A47", PID.replace("80012000", "90000000"), "MRG|80012000^^^IPP&1.2.250.1.999.1&ISO^PI"))
    assert found["Patient/80012000"]["link"][0]["other"]["identifier"]["value"] == "90000000"


def test_whom_events_name() -> None:
    """The hospital's number, whatever stands first; an authority that is told decides; others are aliases."""
    ins = "251112A00100112^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
    numbers = f"{ins}~4711^^^LAB^PI~80012000^^^IPP&1.2.250.1.999.1&ISO^PI"
    pid = PID.replace("80012000^^^IPP&1.2.250.1.999.1&ISO^PI", numbers)
    assert list(stands(Told(), adt("A28", pid))) == ["Patient/4711"]
    for authority in ("IPP", "1.2.250.1.999.1"):
        assert list(stands(Told(Site(authority=authority)), adt("A28", pid))) == ["Patient/80012000"]
    with pytest.raises(RejectedError):
        Told(Site(authority="ELSE")).take(adt("A28", pid))


def test_flags_and_death() -> None:
    """VIP, restricted access, death with a time or without; each can be taken back."""
    told = Told()
    patient = stands(told, adt("A08", PID, pv1("MED", f16="Y"), "PD1||||||||||||Y"))["Patient/80012000"]
    assert {one["code"] for one in patient["meta"]["security"]} == {"CEL", "R"}
    patient = stands(told, adt("A08", PID, pv1("MED", f16='""'), "ARV|1|D|ALL"))["Patient/80012000"]
    assert patient["meta"]["security"] == []
    empty = "|" * (29 - 18)
    assert stands(told, adt("A31", f"{PID}{empty}20240305"))["Patient/80012000"]["deceasedDateTime"] == "2024-03-05"
    assert "deceasedDateTime" not in stands(told, adt("A31", f"{PID}{empty}|N"))["Patient/80012000"]
    dead = stands(told, adt("A31", f"{PID}{empty}|Y"))["Patient/80012000"]
    assert dead["deceasedBoolean"]
    assert dead["meta"]["lastUpdated"] == "2024-03-01T08:12:00Z"


def test_appointments() -> None:
    """Booked, moved with its people kept, changed piece by piece, not come, deleted; times in any place of the version."""
    told = Told()

    def now(raw: bytes) -> dict:
        return stands(told, raw)["Appointment/R1"]

    def who(appointment: dict) -> list[str]:
        return [one["actor"]["identifier"]["value"] for one in appointment["participant"][1:]]

    booked = now(siu("S12", "SCH||R1", "TQ1|1||||||20240402140000|20240402143000", PID, "AIP|1||D1^A", "AIL|1||CONS", f12="2.7"))
    assert (booked["start"], booked["end"], who(booked)) == ("2024-04-02T12:00:00Z", "2024-04-02T12:30:00Z", ["D1", "CONS"])
    moved = now(siu("S13", "SCH||R1|||||||||^^30^20240403140000^20240403144500", PID))
    assert (moved["start"], moved["end"], who(moved)) == ("2024-04-03T12:00:00Z", "2024-04-03T12:45:00Z", ["D1", "CONS"])
    assert who(now(siu("S14", "SCH||R1", PID, "AIP|1|D|D1^A", "AIP|2|A|D2^B"))) == ["CONS", "D2"]
    by_service = now(siu("S14", "SCH||R1", PID, "AIS|1||ECG|20240404140000|||20|MIN"))
    assert (by_service["start"], by_service["end"]) == ("2024-04-04T12:00:00Z", "2024-04-04T12:20:00Z")
    assert now(siu("S26", "SCH||R1", PID))["status"] == "noshow"
    assert now(siu("S17", "SCH||R1", PID))["status"] == "entered-in-error"
    assert not [name for name in told.take(siu("S15", "SCH||R9", PID)) if name[0] == "Appointment"]


def test_damaged_messages_are_refused_and_nothing_else() -> None:
    """Whatever is cut out, doubled or changed, a message is taken or refused with a code."""
    chance, refusals = random.Random(7), 0
    whole = (
        adt("A01", PID, pv1("URG", f7="D1", f44="20240301"), zbe("1", "20240301")) + b"ROL|1|AD|CP|D3||\rPD1||||D4\rARV|1|A|ALL"
    )
    for _ in range(400):
        raw = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            at, size = chance.randrange(len(raw)), chance.randrange(30)
            raw[at : at + size] = chance.choice([b"", raw[at : at + size] * 2, chance.randbytes(size), b"|" * size, b'""'])
        try:
            told = Told().take(bytes(raw))
            for resource in told.values():
                decode(resource)
        except RejectedError:
            refusals += 1
    assert refusals < 400


def test_a_message_is_no_longer_than_it_may_be() -> None:
    """More segments than there can be are refused."""
    with pytest.raises(RejectedError) as refused:
        Message(adt("A01", PID) + b"NTE|1\r" * 6_000)
    assert refused.value.code is RejectionCode.TOO_LARGE
