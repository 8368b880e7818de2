"""Which place of a record is which field of the event: by names, in French and in English, and by what values look like."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Final
from zoneinfo import ZoneInfo

from streams.mappings.times import Local, expression, needs_year, reader

VALUES_LOOKED_AT: Final = 500
CODES_MAX: Final = 60
CODE_LENGTH_MAX: Final = 60
MOST: Final = 0.9
DEEDS_MIN: Final = 0.5
RARE: Final = 300  # what a place that tells nothing at all would lose

WORDS: Final[dict[str, str]] = {
    "id": "event_id eventid log_id logid audit_id auditid id_log id_trace idtrace trace_id id uuid guid uid record_id no_trace "
    "numero_trace sequence seq insertid audit_log_id auditlogid",
    "occurred_at": "timestamp time date datetime date_heure dateheure horodatage heure date_action date_acces date_evenement "
    "event_time eventtime occurred_at created_at datecreated date_created creation_time creationtime log_time logtime when ts "
    "access_time accesstime start_time starttime date_time time_stamp published recorded jour",
    "action": "action eventname event_name event eventtype event_type "
    "type_evenement typeevenement type_action operation activity evenement acte verb "
    "action_event access_type type_acces method libelle_action code_action eventname event_name activite atype op",
    "outcome": "outcome status result resultat success succes statut state etat code_retour retcode return_code status_code ok "
    "response_status issue",
    "actor_id": "user user_id userid utilisateur id_utilisateur utilisateur_id login user_name username identifiant_utilisateur "
    "code_utilisateur matricule actor actor_id agent compte account practitioner professionnel ps id_ps who userprincipalname "
    "clinician_id provider_id employee_id staff_id operateur auteur user_login login_utilisateur nom_utilisateur emp_id",
    "actor_role": "role profil profile fonction function metier profession job title user_role role_utilisateur categorie_prof",
    "actor_unit": "department unit unite service uf um pole department_id user_department unite_fonctionnelle groupname group "
    "user_group code_uf service_utilisateur org organization",
    "actor_rpps": "rpps no_rpps numero_rpps",
    "patient_id": "patient patient_id patientid id_patient ipp pid mrn num_patient no_patient numero_patient dossier "
    "medical_record_number patient_mrn ins nip code_patient patient_ipp subject subject_id id_dossier pat_id",
    "resource_type": "resource_type resourcetype object_type objecttype type_objet objet type_document type_dossier module ecran "
    "screen table entity entity_type type_ressource resource document_type category categorie type",
    "resource_id": "resource_id resourceid object_id objectid id_objet document_id id_document doc_id identifier object "
    "objet_id num_document request_path path url",
    "resource_sensitivity": "sensitivity sensibilite confidentiality confidentialite security_label label_securite",
    "resource_count": "count nb nombre nb_dossiers row_count rows records nombre_lignes nb_lignes volume number_of_records",
    "purpose": "purpose purpose_of_use finalite purposeofuse",
    "reason": "reason motif justification motif_acces comment commentaire raison",
    "client_address": "ip ip_address ipaddress adresse_ip client_ip clientip source_ip sourceip src src_ip srcip remote_addr "
    "remoteaddr remote_address client_address ip_client sourceipaddress userip remip remote",
    "device": "device workstation poste host hostname computer machine poste_travail nom_poste terminal station device_name "
    "workstation_name client_host computer_name ordinateur",
    "application": "application app application_name appli logiciel product client_app program source_application system systeme",
    "site": "site location facility etablissement etab finess hopital hospital lieu localisation",
    "session": "session session_id sessionid id_session num_session",
    "destination": "destination media support",
}
ACTIONS: Final[tuple[tuple[str, str], ...]] = (
    ("login-failed", "login.?fail|log.?on.?fail|fail.*(login|log.?on|auth)|echec|auth.*(fail|refus)|connexion.*refus"),
    ("logout", "log.?out|log.?off|deconn|sign.?out|fermeture.session|disconnect"),
    ("login", "log.?in|log.?on|^connexion|connect|sign.?in|authent|ouverture.session"),
    ("break-glass", "break|bris|urgence|emergency|btg|override|force"),
    ("permission-change", "permission|droit|habilit|privil|grant|revoke|role"),
    ("export", "export|extract|downl|telech|run.?report|edition.liste"),
    ("print", "print|impr|edition|edit(er|ion)"),
    ("share", "share|partag|envoi|send|mail|transmi|fax|disclos"),
    ("import", "import|integr|upload"),
    ("search", "search|recherch|query|find|lookup|requete"),
    ("create", "creat|insert|ajout|nouv|new|add|saisie|regist|creation"),
    ("delete", "delet|suppr|remov|purge|effac|^drop "),
    ("update", "updat|modif|write|edit|change|mise.a.jour|maj|valid|sign|correct|put|patch"),
    ("read", "read|view|consult|lect|ouvr|ouvert|open|access|acces|visual|display|affich|select|get|show"),
    ("execute", "exec|run|start|stop|lanc"),
)
OUTCOMES: Final[tuple[tuple[str, str], ...]] = (
    ("serious-failure", "fail|echec|error|erreur|refus|denied|deny|reject|interdit|^ko$|^n(on|o)?$|^false$|forbid|^[45]\\d\\d$"),
    ("success", "succ|^ok$|reussi|^o(ui)?$|^y(es)?$|^true$|allow|grant|accept|^[23]\\d\\d$"),
)
TIME_FORMATS: Final = (
    "iso",
    "epoch",
    *(
        f"{day} {clock}"
        for day in ("%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%y", "%Y%m%d", "%d %b %Y", "%d-%b-%Y")
        for clock in ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
    ),
    "%Y-%m-%d %H:%M:%S %Z",
    "%Y%m%d%H%M%S",
    "%d/%b/%Y:%H:%M:%S %z",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S %Y %z",
    "%B %d%o, %Y at %I:%M:%S %p",
    "%b %d %H:%M:%S",
)
_ANY: Final = Local(ZoneInfo("UTC"), "earlier")


def bare(name: str) -> str:
    """Return a name without case, accents and punctuation, words joined by `_`."""
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name.rpartition(".")[2].strip('"@'))
    plain = unicodedata.normalize("NFKD", parts).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


@lru_cache(maxsize=1)
def _known() -> dict[str, tuple[str, int]]:
    """Return, by word, the field it names and how early among its words."""
    known: dict[str, tuple[str, int]] = {}
    for name, words in WORDS.items():
        for rank, word in enumerate(words.split()):
            known.setdefault(word, (name, rank))
            known.setdefault(word.replace("_", ""), (name, rank))
    return known


@dataclass(frozen=True, slots=True)
class TimeGuess:
    """How times are written: the formats that read all of the sample; several leave it open."""

    formats: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether day and month could be the other way round."""
        return len(self.formats) > 1


def time_formats(values: Sequence[str]) -> TimeGuess | None:
    """Return the formats that read nearly all values; None when none does."""
    told = [value for value in values if value][:VALUES_LOOKED_AT]
    if not told:
        return None
    fitting = [one for one in TIME_FORMATS if _reads(one, told)]
    if not fitting:
        return None
    same = [one for one in fitting if sorted(one) == sorted(fitting[0])]
    return TimeGuess(tuple(same))


def _reads(pattern: str, values: Sequence[str]) -> bool:
    if pattern == "epoch" and not all(len(value.partition(".")[0]) in {10, 13, 16, 19} for value in values[:20]):
        return False
    read = reader([pattern], _ANY, 2024 if needs_year(pattern) else None)
    return sum(read(value) >= 0 for value in values) >= MOST * len(values)


def has_year(pattern: str) -> bool:
    """Tell whether times of a format bear a year."""
    return pattern in {"iso", "epoch"} or bool({"Y", "y"} & expression(pattern).groupindex.keys())


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _is_rpps(value: str) -> bool:
    return len(value) == 11 and value.isdigit() and value.startswith("1")


_BY_VALUE: Final[dict[str, Callable[[str], bool]]] = {"client_address": _is_address, "actor_rpps": _is_rpps}


def fields_of(columns: dict[str, list[str]]) -> dict[str, str]:
    """Return, by field, the place it is best read from; fields that nothing tells are left out."""
    scored: dict[str, list[tuple[int, int, str]]] = {}
    for order, (place, values) in enumerate(columns.items()):
        told = [value for value in values if value]
        rare = round(RARE * (1 - len(told) / len(values))) if values else 0
        name, rank = _known().get(bare(place), ("", 0))
        name, rank = (name, rank) if name else _by_last_word(place)
        for field, score in _scores(name, rank, told[:VALUES_LOOKED_AT]) if told else ():
            scored.setdefault(field, []).append((score + rare, order, place))
    chosen = _assigned(scored)
    if "action" not in chosen and (place := _of_deeds(columns, chosen.values())):
        chosen["action"] = place
    return chosen


_CODE: Final = re.compile(r"[\w./:-]+")


def _of_deeds(columns: dict[str, list[str]], taken: Iterable[str]) -> str:
    """Return the place most of whose codes mean an action, at least two of them; empty when there is none.

    Its values must look like codes: of words with blanks between them nobody knows what they tell.
    """
    shares: dict[str, float] = {}
    for place in columns.keys() - set(taken):
        codes = codes_of(columns[place])
        meanings = [meaning_of(code, ACTIONS) for code in codes]
        if sum(map(bool, meanings)) >= 2 and all(map(_CODE.fullmatch, codes)):
            shares[place] = sum(map(bool, meanings)) / len(meanings)
    best = max(sorted(shares), key=shares.__getitem__, default="")
    return best if best and shares[best] >= DEEDS_MIN else ""


def _by_last_word(place: str) -> tuple[str, int]:
    """Return the field that the end of a name tells: `audit_user_login`."""
    words = bare(place).split("_")
    for start in range(1, len(words)):
        if found := _known().get("_".join(words[start:])):
            return found[0], found[1] + 50 * start
    return "", 0


def _scores(name: str, rank: int, told: Sequence[str]) -> list[tuple[str, int]]:
    scores = [(field, 150) for field, fits in _BY_VALUE.items() if sum(map(fits, told)) >= MOST * len(told)]
    if name == "occurred_at" and time_formats(told) is None:
        return scores
    if name == "client_address" and not any(map(_is_address, told)):
        return scores
    if name:
        scores.append((name, rank))
    if name != "occurred_at" and time_formats(told) is not None:
        scores.append(("occurred_at", 400))
    return scores


def _assigned(scored: dict[str, list[tuple[int, int, str]]]) -> dict[str, str]:
    ways = sorted((score, order, field, place) for field, ways in scored.items() for score, order, place in ways)
    chosen: dict[str, str] = {}
    for _, _, field, place in ways:
        if field not in chosen and place not in chosen.values():
            chosen[field] = place
    return chosen


def codes_of(values: Sequence[str]) -> list[str]:
    """Return the different values of a place, most frequent first, when they are few and short enough to be codes; else none."""
    counted: dict[str, int] = {}
    for value in values:
        if value:
            counted[value] = counted.get(value, 0) + 1
    if len({value.casefold() for value in counted}) > CODES_MAX or any(len(value) > CODE_LENGTH_MAX for value in counted):
        return []
    return sorted(counted, key=lambda value: -counted[value])


def meaning_of(value: str, known: Sequence[tuple[str, str]]) -> str:
    """Return what a code most likely means, empty when nothing tells."""
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().lower()
    return next((meaning for meaning, pattern in known if re.search(pattern, plain)), "")
