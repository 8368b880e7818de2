"""What products say in words means the same everywhere; documents are read by paths, whatever their shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sources.shared.meanings import by_verb, by_word, words
from streams.sources.shared.trees import at, branches, first, paths, undotted
from streams.sources.siem.products import meaning_of, names_patient

TREES = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text("ab.", max_size=4), one, max_size=3),
)


@pytest.mark.parametrize(
    ("said", "word", "verb"),
    [
        ("GetObject", "", "read"),
        ("User logged in", "login", ""),
        ("user_sign_out", "logout", ""),
        ("File was downloaded", "export", ""),
        ("RoleGranted", "permission-change", ""),
        ("record viewed", "", "read"),
        ("patient.list", "", "search"),
        ("LoggedOut", "logout", ""),
        ("Web request", "", ""),
        ("", "", ""),
    ],
)
def test_words_and_verbs_of_a_name(said: str, word: str, verb: str) -> None:
    """A striking word says more than a verb; of what is neither nothing is made up."""
    assert by_word(said) == word
    assert by_verb(said) == verb


def test_words_are_found_in_any_spelling() -> None:
    """Capitals, underscores and dots part them."""
    assert words("GetHTTPObject") == words("get_http_object") == words("get.http-object") == ["get", "http", "object"]


@pytest.mark.parametrize(
    ("said", "results", "action", "outcome"),
    [
        (("Login",), ("success",), "login", "success"),
        (("Login",), ("Failure",), "login-failed", "minor-failure"),
        (("LoginFailed",), ("",), "login-failed", "minor-failure"),
        (("Opened", "deny"), ("", "deny"), "read", "minor-failure"),
        (("Traffic", "accept"), ("", "accept"), "other", "success"),
        (("Record", "print"), ("", "print"), "print", "success"),
    ],
)
def test_a_product_says_what_was_done_and_how_it_ended(
    said: tuple[str, ...], results: tuple[str, ...], action: str, outcome: str
) -> None:
    """Results first; without any, the words of the name. A word that is a result is no action."""
    assert meaning_of(said, results) == (action, outcome)


def test_labels_that_name_a_patient() -> None:
    """However they are written; others are none."""
    assert all(map(names_patient, ("PatientID", "patient_id", "Patient Identifier", "IPP", "mrn")))
    assert not any(map(names_patient, ("", "patients seen", "user", "ip")))


def test_names_with_dots_are_paths() -> None:
    """On all levels, beside names without; what stands in the way of a path is left."""
    assert undotted({"a.b": 1, "a": {"c.d": 2}}) == {"a": {"b": 1, "c": {"d": 2}}}
    assert undotted({"a": 1, "a.b": 2}) == {"a": 1}


@given(tree=st.dictionaries(st.text("ab.", max_size=4), TREES, max_size=4))
def test_any_document_can_be_asked_for_any_path(tree: dict[str, object]) -> None:
    """Of a list on the way the first item counts; nothing is raised."""
    for asked in (tree, undotted(tree)):
        assert isinstance(first(asked, paths("a.b a b.a.b")), str)
        assert all(isinstance(one, dict) for one in branches(asked, ("a",)))
    assert at({"a": [{"b": 1}, {"b": 2}]}, ("a", "b")) == 1
