"""Civil traits folded so that two spellings of one person, or one address, are the same text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

_SPELT: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_NOT_WORD: Final = re.compile(r"[\W_]+")

# Abbreviations of the French postal norm (AFNOR XP Z10-011) and the ones people write.
_WORDS: Final = {
    "all": "allee",
    "app": "appartement",
    "appt": "appartement",
    "apt": "appartement",
    "av": "avenue",
    "ave": "avenue",
    "bat": "batiment",
    "bd": "boulevard",
    "bld": "boulevard",
    "blvd": "boulevard",
    "ch": "chemin",
    "che": "chemin",
    "chem": "chemin",
    "crs": "cours",
    "esc": "escalier",
    "etg": "etage",
    "fg": "faubourg",
    "imp": "impasse",
    "lot": "lotissement",
    "pass": "passage",
    "pl": "place",
    "r": "rue",
    "res": "residence",
    "rte": "route",
    "sq": "square",
    "st": "saint",
    "ste": "sainte",
}
_WAYS: Final = (
    "allee|avenue|boulevard|chemin|chaussee|cite|clos|cours|esplanade|faubourg|hameau|impasse|lotissement|montee|"
    "passage|place|promenade|quai|route|rue|ruelle|sentier|square|traverse|venelle|villa|voie"
)
_NOT_A_TOWN: Final = frozenset({"cedex", "arrondissement"})
_ORDINAL: Final = r"(?:bis|ter|quater|quinquies|[a-h])"
_NUMBER: Final = rf"\d+ ?{_ORDINAL}?\b"
_GLUED: Final = re.compile(rf"(\d)(?={_ORDINAL}\b)")
_INSIDE: Final = re.compile(  # where in the building, not which building
    r"\b(?:(?:appartement|batiment|boite|bp|chambre|cs|escalier|logement|porte) \w+|etage \d+|\d+ ?(?:e|er|eme|ere) etage)\b"
)
_INSIDE_WORDS: Final = frozenset(
    {"appartement", "batiment", "boite", "bp", "chambre", "cs", "escalier", "logement", "porte", "etage"}
)
_LEADING_NUMBER: Final = re.compile(rf"(?:{_NUMBER} )+(?=\D)")
_WAY_AFTER_NUMBER: Final = re.compile(rf"\b{_NUMBER} ((?:\w+ )?(?:{_WAYS})\b.*)")
_ANY_WAY: Final = re.compile(rf"\b(?:{_WAYS})\b")
_TRAILING_NUMBER: Final = re.compile(rf" {_NUMBER}$")


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Return `text` without case, accents and punctuation: words of letters and digits, one space between.

    A hyphen or an apostrophe is a space: "D'Été-Léger" and "d ete leger" are the same. Folding twice
    changes nothing. Letters that are not Latin are kept.
    """
    return " ".join(text.translate(_FOLDED).split())


class _Folded(dict[int, str]):
    """What becomes of each character, found once: at most as many as Unicode has."""

    def __missing__(self, code: int) -> str:
        plain = _strip_marks(_strip_marks(chr(code)).casefold().translate(_SPELT))
        self[code] = folded = _NOT_WORD.sub(" ", plain)
        return folded


_FOLDED: Final = _Folded()


def _strip_marks(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if unicodedata.category(letter)[0] != "M")


def address_keys(lines: Iterable[str], postal_code: str, city: str) -> tuple[str, str]:
    """Return the whole postal address in one key, and the street: what a household and what neighbours share.

    The street leaves out house number, flat, floor, staircase and building. Both are empty when no
    place within a town is named: a town alone would make one household of all its people.
    """
    words = _spelt_out(" ".join(lines))
    if not words:
        return "", ""
    place = street = " ".join(words)
    if not _INSIDE_WORDS.isdisjoint(words):
        street = " ".join(_INSIDE.sub(" ", place).split())
    street = _without_number(street)
    town = _town(postal_code, city)
    return f"{place} {town}".rstrip(), f"{street} {town}".rstrip() if street else ""


def _spelt_out(text: str) -> list[str]:
    return [_WORDS.get(word, word) for word in _GLUED.sub(r"\1 ", fold(text)).split()]


@lru_cache(maxsize=4_096)
def _town(postal_code: str, city: str) -> str:
    """Return postal code and town, without "Cedex 9" and "15e arrondissement": the code tells those."""
    words = [word for word in _spelt_out(city) if word not in _NOT_A_TOWN and not word[0].isdigit()]
    return " ".join([fold(postal_code), *words]).strip()


def _without_number(place: str) -> str:
    if match := _LEADING_NUMBER.match(place):
        return place[match.end() :]
    if match := _WAY_AFTER_NUMBER.search(place):
        return match[1]
    if _ANY_WAY.search(place):
        return place  # a number in it belongs to its name: "rue du 8 mai 1945"
    return _TRAILING_NUMBER.sub("", place)  # "Hauptstrasse 12"
