"""A draft made of a sample is a mapping that loads, reads the sample, and leaves to people what is theirs to decide."""

from __future__ import annotations

import csv
import io
import json
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.files import opened
from streams.mappings.compiling import compiled
from streams.mappings.guessing import ACTIONS, OUTCOMES, bare, fields_of, meaning_of, time_formats
from streams.mappings.reading import parse
from streams.mappings.sniffing import sniff
from streams.mappings.suggesting import Draft, mapping_name, suggest
from streams.sources.contract import Decoded
from tests.real import REAL, needs_real

FRENCH = """Horodatage;Id trace;Identifiant utilisateur;Fonction;UF;IPP;Type d'action;Poste;Adresse IP;Résultat;Libellé
02/03/2026 09:15:02;1;jmartin;Infirmier;U12;000123;CONSULTATION;PC-1;10.0.0.7;OK;x
02/03/2026 09:15:13;2;jmartin;Infirmier;U12;000124;MODIFICATION;PC-1;10.0.0.7;OK;y
23/03/2026 09:16:00;3;pdurand;Médecin;U14;000125;BRIS DE GLACE;PC-2;10.0.0.8;OK;z
23/03/2026 09:17:00;4;pdurand;Médecin;U14;000125;ZZ9;PC-2;10.0.0.8;KO;z
"""


def drafted(data: bytes) -> tuple[Draft, Decoded]:
    """Return the draft for a sample, and what the mapping it describes makes of the sample."""
    draft = suggest(io.BytesIO(data), "essai DPI.csv")
    assert draft is not None
    made = compiled(parse(draft.text.encode(), "draft.yaml"))
    assert made.split is not None
    return draft, made.decode(made.split(data))


def test_a_french_export_is_understood_by_its_names() -> None:
    """Every event is right at once; the code that nobody can know is marked."""
    draft, decoded = drafted(FRENCH.encode("windows-1252"))
    assert not decoded.rejections
    assert [row.action for row in decoded.rows] == ["read", "update", "break-glass", "other"]
    assert [row.outcome for row in decoded.rows] == ["success"] * 3 + ["serious-failure"]
    row = decoded.rows[2]
    assert (row.id, row.actor_id, row.actor_role, row.actor_unit) == ("3", "pdurand", "Médecin", "U14")
    assert (row.patient_id, row.device, row.client_address) == ("000125", "PC-2", "10.0.0.8")
    assert any("ZZ9" in remark for remark in draft.decide)
    assert "encoding: windows-1252" in draft.text
    assert "# decide:" in draft.text


def test_no_more_than_codes_is_quoted() -> None:
    """Of what records say, a draft holds the codes of actions and outcomes alone."""
    draft, _ = drafted(FRENCH.encode())
    assert not any(word in draft.text for word in ("jmartin", "pdurand", "000123", "10.0.0", "PC-1", "Médecin"))


def test_free_text_is_never_taken_for_codes() -> None:
    """Where no name tells what was done, values with blanks are not quoted, whatever words are in them."""
    draft, _ = drafted(b"date;user;note\n2026-03-02 10:00:00;a;read for MARTIN\n2026-03-02 10:00:01;b;update for DURAND\n")
    assert "MARTIN" not in draft.text
    assert any(remark.startswith("action") for remark in draft.decide)


def test_day_and_month_that_could_be_either_are_asked_about() -> None:
    """Unless a day is beyond the twelfth."""
    open_, _ = drafted(FRENCH.replace("23/03", "03/03").encode())
    assert any(remark.startswith("occurred_at: the sample fits %d/%m/%Y") for remark in open_.decide)
    told, _ = drafted(FRENCH.encode())
    assert not any(remark.startswith("occurred_at") for remark in told.decide)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("Ouverture du dossier", "read"),
        ("patient_VIEW", "read"),
        ("Création d'un courrier", "create"),
        ("Impression", "print"),
        ("Téléchargement", "export"),
        ("Échec de connexion", "login-failed"),
        ("Déconnexion", "logout"),
        ("Connexion", "login"),
        ("Habilitations modifiées", "permission-change"),
        ("Recherche patient", "search"),
        ("qsdf", ""),
    ],
)
def test_codes_are_read_in_french_and_english(value: str, meaning: str) -> None:
    """And left to people when nothing tells."""
    assert meaning_of(value, ACTIONS) == meaning


def test_outcomes_are_told_by_words_not_by_numbers() -> None:
    """0 is a success to some and a failure to others."""
    assert [meaning_of(value, OUTCOMES) for value in ("Succès", "REFUSÉ", "oui", "0", "1")] == [
        "success",
        "serious-failure",
        "success",
        "",
        "",
    ]


def test_names_are_compared_without_their_dress() -> None:
    """Case, accents, blanks, camels and the path before them."""
    assert [bare(name) for name in ("Id Patient", "idPatient", "a.b.ID_PATIENT", "Numéro-dossier")] == [
        "id_patient",
        "id_patient",
        "id_patient",
        "numero_dossier",
    ]


def test_values_tell_what_names_do_not() -> None:
    """Addresses and times are known by their look."""
    columns = {"c1": ["02/03/2026 10:00:00"] * 3, "c2": ["10.0.0.1"] * 3, "c3": ["x"] * 3, "c4": ["VIEW_A", "EDIT", "ZZ"]}
    assert fields_of(columns) == {"occurred_at": "c1", "client_address": "c2", "action": "c4"}
    assert time_formats(["1772439302123"] * 3) is not None
    assert time_formats(["17"] * 3) is None


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b'{"a": 1}\n{"a": 2}\n', "json"),
        (json.dumps({"Records": [{"user": "x"}, {"user": "y"}]}, indent=1).encode(), "json"),
        (b"<log><entry user='x'/><entry user='y'/></log>", "xml"),
        (b'a=1 b=2 c="3 4" user=x\n' * 5, "key-value"),
        (b"a\tb\tc\n1\t2\t3\n", "csv"),
        ("a;b;c\n1;2;3\n".encode("utf-16"), "csv"),
        (b'<13>Mar  2 09:15:02 pc @cee: {"timestamp": "2026-03-02T09:15:02Z", "user": "x"}\n' * 5, "lines"),
        (b"2026-03-02T09:15:02Z something happened to user=x\n" * 5, "lines"),
    ],
)
def test_shapes(data: bytes, form: str) -> None:
    """Each is known by its first lines, and its draft loads."""
    assert sniff(io.BytesIO(data)).format == form
    drafted(data)


def test_lines_that_end_in_json_are_read_by_it() -> None:
    """As syslog carries it, with a cookie before it or without."""
    _, decoded = drafted(b'<13>Mar  2 09:15:02 pc @cee: {"timestamp": "2026-03-02T09:15:02Z", "source": {"userName": "ann"}}\n')
    assert [(row.actor_id, row.occurred_at) for row in decoded.rows] == [("ann", 1_772_442_902_000_000)]


def test_nothing_gives_nothing() -> None:
    """An empty file has no format."""
    assert suggest(io.BytesIO(b" \n"), "x") is None


@given(st.text(max_size=40))
def test_any_name_becomes_one_a_mapping_can_have(name: str) -> None:
    """Letters, digits and underscores, a letter first."""
    parse(
        f"mapping: {mapping_name(name)}\ntitle: x\nformat: json\nfields: {{occurred_at: a, action: b, actor_id: c}}".encode(), "x"
    )


names = st.sampled_from(["date", "user", "IPP", "action", "a b", "x: y", "#z", "", "résultat", "'", '"q"', "[0]", "no"])


@given(
    header=st.lists(names, min_size=1, max_size=8),
    rows=st.lists(st.lists(st.text(max_size=12), max_size=8), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
)
def test_whatever_the_file_the_draft_loads(header: list[str], rows: list[list[str]], delimiter: str) -> None:
    """Names that YAML or a selector would take for something else too."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    draft = suggest(io.BytesIO(text.getvalue().encode("utf-8", "replace")), "x")
    if draft is not None:
        compiled(parse(draft.text.encode(), "draft.yaml"))


@given(st.binary(max_size=300))
def test_whatever_the_bytes_there_is_a_draft_or_nothing(data: bytes) -> None:
    """And it loads."""
    draft = suggest(io.BytesIO(data), "x")
    if draft is not None:
        compiled(parse(draft.text.encode("utf-8", "replace"), "draft.yaml"))


SAMPLES: Final = sorted(
    path
    for folder in ("his_audit", "db_audit", "web_access", "vpn_firewall", "linux_auth", "bastion_pam")
    for path in (REAL / folder).rglob("*")
    if path.is_file() and not path.name.startswith("_")
)


@needs_real
def test_every_real_file_has_a_draft_that_loads() -> None:
    """Of the systems that nobody here knew."""
    for path in SAMPLES:
        with opened(str(path)) as stream:
            draft = suggest(stream, path.stem)
        assert draft is not None, path.name
        compiled(parse(draft.text.encode(), path.name))
