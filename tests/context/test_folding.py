"""Spellings of one name or address fold to the same key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.context.folding import address_keys, fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("DUPONT", "dupont"),
        ("Zoé", "ZOE"),
        ("Jean-Paul", "jean paul"),
        ("D'Été-Léger", "d ete leger"),
        ("Lœtitia", "LOETITIA"),
        ("Weiß", "WEISS"),
        ("Søren Łukasz", "soren lukasz"),
        ("  O’Brien ", "o brien"),
        ("Nguyễn", "nguyen"),
        ("İnci", "inci"),
        ("ﬁancé", "fiance"),
        ("Müller", "Müller"),
    ],
)
def test_spellings_of_one_name_fold_alike(one: str, other: str) -> None:
    """Case, accents, ligatures, hyphens, apostrophes and spaces don't tell people apart."""
    assert fold(one) == fold(other) != ""


def test_other_scripts_are_kept() -> None:
    """A name in another alphabet is not folded away."""
    assert fold("Иванов") == "иванов"
    assert fold("李") == "李"


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text: str) -> None:
    """A folded text is in its final form, with one space between words and none at the ends."""
    once = fold(text)
    assert fold(once) == once
    assert once == " ".join(once.split())


@given(st.text(st.characters(codec="ascii"), max_size=60), st.sampled_from(["\u0301", "\u0308", "\u0327"]))
def test_the_quick_way_for_ascii_gives_what_the_long_way_gives(text: str, mark: str) -> None:
    """A combining mark at the start, which forces the long way, changes nothing."""
    assert fold(mark + text) == fold(text)


@pytest.mark.parametrize(
    ("lines", "street"),
    [
        (["12 rue des Lilas"], "rue des lilas"),
        (["12 bis rue des Lilas"], "rue des lilas"),
        (["12bis, r. des Lilas"], "rue des lilas"),
        (["12 B rue des Lilas"], "rue des lilas"),
        (["12-14 rue des Lilas"], "rue des lilas"),
        (["Appt 4", "12 rue des Lilas"], "rue des lilas"),
        (["12 rue des Lilas", "Bât. C", "Apt 4"], "rue des lilas"),
        (["Résidence Les Cèdres", "12 rue des Lilas"], "rue des lilas"),
        (["3e étage, 12 rue des Lilas", "BP 12"], "rue des lilas"),
        (["rue des Lilas"], "rue des lilas"),
        (["5 av. du 8 mai 1945"], "avenue du 8 mai 1945"),
        (["avenue du 8 mai 1945"], "avenue du 8 mai 1945"),
        (["7 grande rue"], "grande rue"),
        (["Lieu-dit Les Granges"], "lieu dit les granges"),
        (["Hauptstraße 12"], "hauptstrasse 12".removesuffix(" 12")),
        (["221b Baker Street"], "baker street"),
    ],
)
def test_neighbours_share_the_street(lines: list[str], street: str) -> None:
    """House number, flat, floor, building and residence are left out; numbers in the street's name stay."""
    assert address_keys(lines, "38000", "Grenoble")[1] == f"{street} 38000 grenoble"


def test_a_household_shares_the_whole_address() -> None:
    """The number and the flat count, spelling does not."""
    one = address_keys(["12 bis rue des Lilas", "Appt 4"], "38000", "GRENOBLE CEDEX 9")[0]
    assert one == address_keys(["12bis, r. des Lilas", "apt. 4"], "38000", "Grenoble")[0]
    assert one != address_keys(["12 bis rue des Lilas", "Appt 5"], "38000", "Grenoble")[0]


@pytest.mark.parametrize("lines", [[], [""], [" - "]])
def test_a_town_is_not_an_address(lines: list[str]) -> None:
    """Without a place in the town there is no key: all its people would be one household."""
    assert address_keys(lines, "38000", "Grenoble") == ("", "")


@given(st.lists(st.text(max_size=30), max_size=4), st.text(max_size=8), st.text(max_size=20))
def test_any_address_gives_folded_keys(lines: list[str], postal_code: str, city: str) -> None:
    """Keys are folded text, and there is a street only where there is an address."""
    address, street = address_keys(lines, postal_code, city)
    assert fold(address) == address
    assert fold(street) == street
    assert address or not street
