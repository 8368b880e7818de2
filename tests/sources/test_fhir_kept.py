"""What is digested once, or by a shorter way, says what is digested anew; and what is kept has a bound."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sentinel.core.errors import RejectionCode as Code
from streams.sources.fhir.elements import Reference
from streams.sources.fhir.kept import DIGEST_BYTES, KEPT_LENGTH_MAX, Kept
from streams.sources.fhir.references import pointed_at, target
from streams.sources.fhir_auditevent import SOURCE

segments = st.sampled_from(
    ["Patient", "CarePlan", "A", "Ab", "_history", "$everything", "80-1.a", "care-024", "é1", "a b", "x?y=1", "#p", "", "-", "\n"]
) | st.text(max_size=4)


@given(st.lists(segments, min_size=1, max_size=5).map("/".join))
def test_a_reference_is_read_alike_by_the_shorter_way(reference: str) -> None:
    """Relative, absolute, versioned, with a query or no reference at all: the search says the same."""
    assume(not reference.startswith("#"))  # contained
    assert pointed_at(Reference(reference=reference)) == target(reference)


@given(st.lists(st.text(max_size=3), max_size=60))
def test_what_was_forgotten_is_digested_again(asked: list[str]) -> None:
    """However little room there is, the answer is the digest's."""
    kept = Kept(str.upper, room=3 * DIGEST_BYTES)
    assert [kept[text] for text in asked] == [text.upper() for text in asked]
    assert len(kept) <= 3


def test_what_is_asked_for_is_kept_longest() -> None:
    """A text asked for again and again survives any number of others that come once."""
    digested: list[str] = []

    def digest(text: str) -> str:
        digested.append(text)
        return text

    kept = Kept(digest, room=10 * (DIGEST_BYTES + 8))
    for number in range(1_000):
        kept["often"]
        kept[str(number)]
    assert digested.count("often") == 1


def test_what_is_long_is_not_kept() -> None:
    """One record cannot fill the room of all others."""
    kept = Kept(str.upper)
    assert kept["x" * (KEPT_LENGTH_MAX + 1)][0] == "X"
    assert not kept


def _event(**fields: Any) -> bytes:
    event = {"resourceType": "AuditEvent", "id": "a-1", "recorded": "2025-03-04T09:15:30Z", "agent": [{"name": "p-17"}]}
    return json.dumps(event | fields).encode()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"purposeOfEvent": [{}, {"coding": [{"code": 1}]}]}, "/purposeOfEvent/1/coding/0/code"),
        ({"authorization": {}}, "/authorization"),
        ({"category": [5]}, "/category/0"),
        ({"agent": [{"name": "p"}, {"type": 5}]}, "/agent/1/type"),
        ({"agent": [{"purposeOfUse": [{"text": 1}]}]}, "/agent/0/purposeOfUse/0/text"),
        ({"agent": [{"authorization": ""}]}, "/agent/0/authorization"),
        ({"agent": [{"name": "p"}, 5]}, "/agent/1"),
        ({"agent": [{"name": "p"}, {"who": {"reference": 1}}]}, "/agent/1/who/reference"),
        ({"agent": [{"name": "p", "policy": ["t-1", 2]}]}, "/agent/0/policy/1"),
        ({"agent": [{"name": "p", "network": {"address": 1}}]}, "/agent/0/network/address"),
        ({"agent": [{"name": "p", "networkUri": 1}]}, "/agent/0/networkUri"),
        ({"entity": [{}, {"type": {"code": 1}}]}, "/entity/1/type/code"),
        ({"entity": [{"role": []}]}, "/entity/0/role"),
        ({"entity": [{"lifecycle": True}]}, "/entity/0/lifecycle"),
        ({"entity": [{"securityLabel": [{"coding": {}}]}]}, "/entity/0/securityLabel/0/coding"),
    ],
)
def test_what_is_digested_later_is_refused_at_its_place(fields: dict[str, Any], pointer: str) -> None:
    """A code of another type than FHIR says has the pointer it would have had when read at once."""
    (rejection,) = SOURCE.decode([_event(**fields)]).rejections
    assert (rejection.code, rejection.pointer) == (Code.WRONG_TYPE, pointer)


def test_the_session_is_told_wherever_it_stands() -> None:
    """Before a request's id, after it, or alone; without one the first request that has an id is told."""
    entities = [
        {"type": {"code": kind}, "what": {"identifier": {"value": value}}}
        for kind, value in (("X-Request-Id", ""), ("X-Request-Id", "r-1"), ("traceparent", "r-2"), ("session", "s-1"))
    ]
    told = {
        SOURCE.decode([_event(entity=entities)]).rows[0].session,
        SOURCE.decode([_event(entity=entities[::-1])]).rows[0].session,
        SOURCE.decode([_event(entity=entities[-1:])]).rows[0].session,
    }
    assert told == {"s-1"}
    assert SOURCE.decode([_event(entity=entities[:3])]).rows[0].session == "r-1"


def _actor(**fields: Any) -> tuple[str, str]:
    row = SOURCE.decode([_event(agent=[fields])]).rows[0]
    return row.actor_id, row.client_address


def test_one_agent_is_told_from_another_by_all_that_tells_who() -> None:
    """A token names its holder when nothing else does; a person with a token keeps their name, wherever they are."""
    token = {"type": {"coding": [{"code": "UserOauthAgent"}]}}
    assert [_actor(**token, policy=[id_])[0] for id_ in ("t-1", "t-2", "t-1")] == ["t-1", "t-2", "t-1"]
    assert [_actor(**token, policy=[id_], name="p-17")[0] for id_ in ("t-1", "t-2")] == ["p-17", "p-17"]
    at = [_actor(name="p-17", policy=["t-1"], network={"address": address, "type": "2"}) for address in ("10.0.0.1", "10.0.0.2")]
    assert at == [("p-17", "10.0.0.1"), ("p-17", "10.0.0.2")]


def test_a_token_agent_without_a_token_is_nobody() -> None:
    """Neither no policy at all nor an empty one names anybody, and neither is remembered for the next."""
    token = {"type": {"coding": [{"code": "UserSamlAgent"}]}}
    for fields in (token, token | {"policy": []}, token | {"policy": None}, token | {"policy": [""]}):
        (rejection,) = SOURCE.decode([_event(agent=[fields])]).rejections
        assert (rejection.code, rejection.pointer) == (Code.NO_ACTOR, "/agent")
    assert _actor(**token, policy=["t-1"])[0] == "t-1"
