"""Extracts of RPPS and FINESS tell of the people and sites that a hospital knows, and of no others; INS numbers name patients."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.core.context import PatientFlag, PatientRecord, Position, StaffMember, Unit
from sentinel.core.errors import RejectionCode
from streams.context import ins
from streams.context.fhir import decode
from streams.context.folder import FileRejection, files, kinds, load, unread
from tests.context.hl7.speaking import PID, Told, adt

COLUMNS = (
    "Type d'identifiant PP|Identifiant PP|Identification nationale PP|Nom d'exercice|Prénom d'exercice|Code profession|"
    "Libellé profession|Libellé savoir-faire|Numéro SIRET site|Numéro FINESS site|"
)
PEOPLE = """\
8|10100000001|810100000001|DUVAL|PAUL|10|Médecin|Cardiologie||410000001|
8|10100000002|810100000002|MARCHAL|LÉA|60|Infirmier|||410000001|
8|10100000003|810100000003|D'ÉTÉ "LÉGER"|ANNE|10|Médecin|Radio-diagnostic||410000001|
8|10100000003|810100000003|D'ÉTÉ "LÉGER"|ANNE|10|Médecin|Radio-diagnostic||410000099|
8|10100000009|810100000009|AILLEURS|JEAN|10|Médecin|||750000001|
0|419000001|0419000001|ROUX|LUC|95|Ostéopathe|||410000001|
8|10100000010
"""
SITES = """\
finess;etalab;96;2026-01-09
structureet;410000001;410000000;CH VILLE;CENTRE HOSPITALIER DE VILLE;;;1;R;DU CHÂTEAU;;
structureet;410000099;410000000;CH ANNEXE;;;;2;R;DU CHÂTEAU;;
structureet;750000001;750000000;AUTRE;AUTRE;;;3;R;D'AILLEURS;;
geolocalisation;410000001;1.0;2.0;1,ATLASANTE;2026-01-09
"""


def a_folder(folder: Path, *, codec: str = "utf-8") -> Path:
    (folder / "Practitioner.csv").write_text("id,rpps\nd1,10100000001\nd2,10100000002\n")
    (folder / "PractitionerRole.csv").write_text("practitioner,role,unit,end\nd1,Médecin,410000001,2025-01-01\n")
    (folder / "Organization.csv").write_text("id,name\n410000000,CHU\n")
    (folder / "PS_LibreAcces_Personne_activite_202601.txt").write_bytes(f"{COLUMNS}\n{PEOPLE}".encode(codec))
    (folder / "etalab-cs1100502-stock-20260109.csv").write_bytes(SITES.encode("cp1252"))
    return folder


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp1252"])
def test_who_is_known_and_who_practises_here(tmp_path: Path, codec: str) -> None:
    """Nothing of whom the hospital tells itself, what they are of whom it does not, and the others of its sites."""
    found = list(load(a_folder(tmp_path, codec=codec)))
    assert unread(tmp_path) == []
    assert kinds(tmp_path) == {"Organization", "Practitioner", "PractitionerRole"}
    assert files(tmp_path)[-1].name.startswith("etalab")
    positions = {(one.actor_id, one.unit, one.role) for one in found if isinstance(one, Position)}
    assert positions == {
        ("d1", "410000001", "medecin"),
        ("d2", "410000001", "infirmier"),
        ("10100000003", "410000001", "medecin radio diagnostic"),
    }
    new = [one for one in found if isinstance(one, StaffMember) and not one.actor_id.startswith("d")]
    assert [(one.actor_id, one.identity.family, one.rpps) for one in new] == [("10100000003", "d ete leger", "10100000003")]
    assert "810100000003" in new[0].aliases
    refused = [one for one in found if isinstance(one, FileRejection)]
    assert [(one.line, one.code) for one in refused] == [(8, RejectionCode.UNPARSEABLE)]


def test_sites_of_the_hospital(tmp_path: Path) -> None:
    """Those of its legal entity, and those where people work, below it."""
    units = {one.unit: one for one in load(a_folder(tmp_path)) if isinstance(one, Unit)}
    assert {name: (one.name, one.part_of) for name, one in units.items()} == {
        "410000000": ("CHU", ""),
        "410000001": ("CENTRE HOSPITALIER DE VILLE", "410000000"),
        "410000099": ("CH ANNEXE", "410000000"),
    }


def test_a_header_that_is_another(tmp_path: Path) -> None:
    """It is told, once."""
    (tmp_path / "PS_LibreAcces_Personne_activite.txt").write_text("a|b\n1|2\n3|4\n")
    (refused,) = load(tmp_path)
    assert (refused.line, refused.code) == (1, RejectionCode.BAD_VALUE)


NIR = "255081416802538"  # INSEE's and the health insurance's own example of a number with its key


@pytest.mark.parametrize(
    ("told", "others"),
    [
        (NIR, {NIR[:13]}),
        (NIR[:13], {NIR}),
        ("2 55 08 14 168 025 38", {NIR, NIR[:13]}),
        ("255081416802539", set()),
        ("12", set()),
        ("299122A123456", {"299122A123456" + ins.key_of("299122A123456")}),
    ],
)
def test_forms_of_a_number(told: str, others: set[str]) -> None:
    """With and without its key, when that is right; Corsica's letters."""
    assert set(ins.forms(told)) == others


def test_numbers_name_patients() -> None:
    """Whichever form an event uses; the numbers of tests and demonstrations are of nobody."""
    identifier = {"system": "urn:oid:1.2.250.1.213.1.4.8", "value": NIR}
    (_, one) = decode({"resourceType": "Patient", "id": "1", "identifier": [identifier]})
    assert isinstance(one, PatientRecord)
    assert {NIR, NIR[:13], f"urn:oid:1.2.250.1.213.1.4.8|{NIR}"} == set(one.aliases)
    assert not one.flags
    for oid in ("10", "11"):
        (_, one) = decode(
            {"resourceType": "Patient", "id": "1", "identifier": [identifier | {"system": f"urn:oid:1.2.250.1.213.1.4.{oid}"}]}
        )
        assert one.flags == {PatientFlag.TEST}


@pytest.mark.parametrize(("status", "is_told"), [("VALI", True), ("PROV", False), ("VALI~HOMD", True), ("", True)])
def test_only_a_qualified_identity_has_a_number(status: str, is_told: bool) -> None:
    """Of one that is provisional or in doubt the INS names nobody, though it is told."""
    number = f"~{NIR}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
    pid = PID.replace("&ISO^PI", f"&ISO^PI{number}") + "|" * (32 - 18) + status
    told = Told().take(adt("A28", pid))["Patient", "80012000"]
    assert (NIR.encode() in told) is is_told
