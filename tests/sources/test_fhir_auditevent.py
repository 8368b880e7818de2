"""AuditEvents of every release become rows, whatever their shape; what cannot is refused with its place."""

from __future__ import annotations

import copy
import json
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import EPOCH, REASON_MAX, TEXT_MAX, AccessEvent
from streams.sources.contract import Decoded
from streams.sources.fhir_auditevent import SOURCE, split
from streams.sources.shared.documents import REFUSED_MAX
from tests.sources.fhir_events import (
    ABSENT,
    EVENTS,
    PERSON,
    QUERY,
    an_event,
    coding,
    concept,
    encoded,
    refusal,
    row_of,
    rows_of,
)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        (b'{"resourceType":"AuditEvent"', (Code.UNPARSEABLE, "")),
        (b'{"resourceType":"AuditEvent","id":"\xe9"}', (Code.NOT_UTF8, "")),
        (b'{"resourceType":"AuditEvent","contained":[' + b'{"x":[' * 50_000, (Code.TOO_DEEP, "")),
        (None, (Code.WRONG_TYPE, "")),
        ({}, (Code.NOT_AN_EVENT, "")),
        ({"resourceType": "Patient", "id": "p"}, (Code.NOT_AN_EVENT, "")),
        ({"resourceType": "OperationOutcome"}, (Code.NOT_AN_EVENT, "")),
        ({"resourceType": ["AuditEvent"]}, (Code.WRONG_TYPE, "/resourceType")),
        (an_event(recorded=None), (Code.MISSING_FIELD, "/recorded")),
        (an_event(recorded=None, _recorded=ABSENT), (Code.MISSING_FIELD, "/recorded")),
        (an_event(recorded="2025-03-04"), (Code.BAD_TIME, "/recorded")),
        (an_event(recorded="2025-03-04T09:15:30"), (Code.BAD_TIME, "/recorded")),
        (an_event(recorded="soon"), (Code.BAD_TIME, "/recorded")),
        (an_event(recorded="1970-01-01T00:00:00Z"), (Code.BAD_TIME, "/recorded")),
        (an_event(period={"start": "2025-03"}), (Code.BAD_TIME, "/period/start")),
        (an_event(occurredDateTime="2025"), (Code.BAD_TIME, "/occurredDateTime")),
        (an_event(occurredPeriod={"start": "2025-03-04T10:00:00"}), (Code.BAD_TIME, "/occurredPeriod/start")),
        (an_event(recorded=20250304), (Code.WRONG_TYPE, "/recorded")),
        (an_event(agent=None), (Code.NO_ACTOR, "/agent")),
        (an_event(agent=[]), (Code.NO_ACTOR, "/agent")),
        (an_event(agent=[{"_requestor": ABSENT}]), (Code.NO_ACTOR, "/agent")),
        (an_event(agent=[{"name": "Volume 1", "media": coding("110033")}]), (Code.NO_ACTOR, "/agent")),
        (an_event(agent=PERSON), (Code.WRONG_TYPE, "/agent")),
        (an_event(agent=[PERSON, {"who": {"reference": 5}}]), (Code.WRONG_TYPE, "/agent/1/who/reference")),
        (an_event(agent=[PERSON, "x"]), (Code.WRONG_TYPE, "/agent/1")),
        (
            an_event(agent=[PERSON | {"role": [concept("x"), {"coding": [{"code": 1}]}]}]),
            (Code.WRONG_TYPE, "/agent/0/role/1/coding/0/code"),
        ),
        (an_event(subtype=concept("read")), (Code.WRONG_TYPE, "/subtype")),
        (an_event(type="rest"), (Code.WRONG_TYPE, "/type")),
        (an_event(outcome=0), (Code.WRONG_TYPE, "/outcome")),
        (an_event(source=[]), (Code.WRONG_TYPE, "/source")),
        (an_event(entity=[{"what": {"identifier": {"value": 7}}}]), (Code.WRONG_TYPE, "/entity/0/what/identifier/value")),
        (an_event(id="x" * (TEXT_MAX + 1)), (Code.BAD_VALUE, "/id")),
        (an_event(agent=[{"name": "x" * (TEXT_MAX + 1)}]), (Code.BAD_VALUE, "/agent")),
        (an_event(patient={"reference": "Patient/" + "x" * (TEXT_MAX + 1)}), (Code.BAD_VALUE, "/entity")),
        (an_event(agent=[{"name": "p\x1f17"}]), (Code.BAD_VALUE, "")),
        (an_event(outcomeDesc="\x00"), (Code.BAD_VALUE, "")),
        ({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}, (Code.NOT_AN_EVENT, "")),
        ({"resourceType": "Bundle", "entry": {}}, (Code.WRONG_TYPE, "/entry")),
        (
            {"resourceType": "Bundle", "entry": [{}, {"resource": an_event(agent=[{}])}]},
            (Code.NO_ACTOR, "/entry/1/resource/agent"),
        ),
        (
            {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": 1}}]},
            (Code.WRONG_TYPE, "/entry/0/resource/resourceType"),
        ),
    ],
)
def test_a_refusal_says_why_and_where(document: object, why: tuple[Code, str]) -> None:
    """One code out of the bounded set, and a JSON pointer to the element."""
    assert refusal(document) == why


def test_a_time_that_names_no_instant_says_why() -> None:
    """A date is good FHIR, and yet no moment: the integrator is told which of the two it was."""
    details = [
        SOURCE.decode([json.dumps(an_event(recorded=text)).encode()]).rejections[0].detail
        for text in ("2025-03-04", "2025-03-04T09:15:30", "yesterday", "2500-01-01T00:00:00Z")
    ]
    assert details == [
        "a date alone names no instant",
        "a time without an offset names no instant",
        "not an RFC 3339 time with an offset",
        "out of 1990..2100",
    ]


def test_bundles_have_a_depth() -> None:
    """A Bundle may hold Bundles, as batch-response does, but not without end."""
    document: dict[str, Any] = an_event()
    for _ in range(3):
        document = {"resourceType": "Bundle", "entry": [{"resource": document}]}
    assert len(SOURCE.decode([json.dumps(document).encode()]).rows) == 1
    deeper = {"resourceType": "Bundle", "entry": [{"resource": document}]}
    assert refusal(deeper) == (Code.TOO_DEEP, "/entry/0/resource/entry/0/resource/entry/0/resource")


@pytest.mark.parametrize("bundle", [{}, {"entry": []}, {"entry": [{"resource": None}, {"response": {"status": "201"}}]}])
def test_an_empty_bundle_is_nothing(bundle: dict[str, Any]) -> None:
    """An empty page of a search, or the answer to a transaction, has no events and no faults."""
    decoded = SOURCE.decode([json.dumps({"resourceType": "Bundle"} | bundle).encode()])
    assert (decoded.rows, decoded.rejections) == ([], [])


def test_a_warning_beside_no_event_is_nothing() -> None:
    """A search that found nothing may say so in an OperationOutcome."""
    outcome = {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}
    decoded = SOURCE.decode([json.dumps({"resourceType": "Bundle", "entry": [outcome, outcome | {"search": None}]}).encode()])
    assert (decoded.rows, decoded.rejections) == ([], [])


# What is kept, and what is not


def test_a_logged_request_is_never_kept() -> None:
    """Requests hold names, tokens and search terms: only patients, type and request id are read from them."""
    request = "GET /Observation?patient=a&_content=SECRET\nAuthorization: Bearer SECRET\nX-Request-Id: r-1\n\nSECRET"
    for entity in ({"query": encoded(request)}, {"description": request}, {"query": request}):
        row = row_of(entity=[QUERY | entity])
        assert "SECRET" not in repr(row)
        assert (row.patient_id, row.resource_type, row.session) == ("a", "Observation", "r-1")


def test_long_descriptions_are_cut_and_long_ids_are_not() -> None:
    """A text that describes may lose its end; an id that lost its end would be somebody else's."""
    row = row_of(outcomeDesc="é" * 5_000, agent=[PERSON | {"role": [{"text": "r" * 5_000}]}], source={"site": "s" * 5_000})
    assert (len(row.reason), len(row.actor_role), len(row.site)) == (REASON_MAX, TEXT_MAX, TEXT_MAX)


def _shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: _shuffled(value[key], rng) for key in keys}
    return [_shuffled(one, rng) for one in value] if isinstance(value, list) else value


@given(seed=st.integers(0, 2**16), indent=st.sampled_from([None, 1, 4]), number=st.integers(0, len(EVENTS) - 1))
@settings(max_examples=60, deadline=None)
def test_a_row_depends_on_what_is_said_alone(seed: int, indent: int | None, number: int) -> None:
    """Order of keys and blanks change nothing, not even the id derived for an event that came without."""
    event = copy.deepcopy(EVENTS[number])
    event.pop("id", None)
    record = json.dumps(_shuffled(event, random.Random(seed)), indent=indent).encode()
    assert SOURCE.decode([record]) == SOURCE.decode([json.dumps(event, ensure_ascii=False).encode()])


def test_derived_ids_tell_events_apart() -> None:
    """Two events that differ in anything at all have two ids."""
    variants = [
        an_event(id=None),
        an_event(id=None, note="x"),
        an_event(id=None, note=["x"]),
        an_event(id=None, recorded="2025-03-04T09:15:31Z"),
    ]
    ids = {SOURCE.decode([json.dumps(one).encode()]).rows[0].id for one in variants}
    assert len(ids) == len(variants)


def test_what_is_not_read_may_be_of_any_shape() -> None:
    """Narratives, unknown elements and huge numbers are skipped; nulls are taken as absent."""
    odd = an_event(text={"div": "<div/>"}, meta=5, zz=[[[{}]]], action=None, _action=ABSENT, outcome=None, language=[])
    odd |= {"type": None, "subtype": None, "entity": None, "source": None, "patient": None, "period": None}
    assert len(SOURCE.decode([json.dumps(odd).replace('"meta": 5', '"meta": 1e999').encode()]).rows) == 1


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["#x", "Patient/", "110153", "\x1f", "=" * 9]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["coding", "code", "value", "reference", "id", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, one in inner for deeper in _paths(one, (*path, key)))]


def _replaced(document: Any, path: tuple[Any, ...], value: Any, drop: bool) -> Any:
    if not path:
        return value
    changed = copy.copy(document)
    if drop and len(path) == 1:
        del changed[path[0]]
    else:
        changed[path[0]] = _replaced(document[path[0]], path[1:], value, drop)
    return changed


@settings(max_examples=700, deadline=None)
@given(data=st.data())
def test_a_damaged_event_is_taken_or_refused_and_nothing_else(data: st.DataObject) -> None:
    """Whatever is dropped or replaced by any JSON, nothing is raised, and rows keep what they promise."""
    document = copy.deepcopy(data.draw(st.sampled_from(EVENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        paths = _paths(document)
        path = data.draw(st.sampled_from(paths))
        document = _replaced(document, path, data.draw(anything), data.draw(st.booleans()))
    decoded = SOURCE.decode([json.dumps(document).encode()])
    assert decoded.rows or decoded.rejections or not document
    for row in decoded.rows:
        fields = row._asdict() | {"occurred_at": EPOCH + timedelta(microseconds=row.occurred_at)}
        del fields["sub"], fields["marks"]
        AccessEvent.model_validate(fields)


@pytest.mark.parametrize(
    "repeat", [{"what": {"reference": "#c0"}}, {"query": encoded("/Patient/a/$everything")}, {"what": {"reference": "Patient/x"}}]
)
def test_a_large_event_takes_time_in_proportion(repeat: dict[str, Any]) -> None:
    """Ten thousand entities and contained resources are read once each."""
    contained = [{"resourceType": "Patient", "id": f"c{number}"} for number in range(5_000)]
    assert rows_of(entity=[repeat] * 10_000, contained=contained)[0].actor_id == "p-17"


# Files


def test_a_file_is_cut_into_its_documents() -> None:
    """NDJSON, one document over many lines, several of them, or an array: the same events."""
    events = [an_event(id=f"a-{number}") for number in range(3)]
    lines = [json.dumps(one) for one in events]
    files = [
        "\n".join(lines),
        "\r\n\r\n".join(lines) + "\n\n",
        "\n".join(json.dumps(one, indent=2) for one in events),
        json.dumps(events, indent=1),
    ]
    for text in (*files, "\ufeff" + files[0]):
        decoded = SOURCE.decode(split(text.encode()))
        assert ([row.id for row in decoded.rows], decoded.rejections) == (["a-0", "a-1", "a-2"], [])


def test_a_broken_line_is_refused_alone() -> None:
    """One bad line costs itself; a broken document over many lines is refused as one."""
    lines = [json.dumps(an_event()), '{"resourceType": "AuditEvent", "id"', json.dumps(an_event())]
    assert len(split("\n".join(lines).encode())) == 3
    assert len(split(json.dumps(an_event(), indent=2).encode()[:-2])) == 1


def test_a_record_that_nobody_cut_is_cut_here() -> None:
    """An array, or several documents handed over as one record, count as that record's."""
    two = json.dumps([an_event(id="a-0"), {}, an_event(id="a-2")]).encode()
    decoded = SOURCE.decode([b"{", two, two[1:-1].replace(b"}, {", b"}\n{")])
    assert [row.id for row in decoded.rows] == ["a-0", "a-2", "a-0", "a-2"]
    assert decoded.records == [1, 1, 2, 2]
    assert [(one.index, one.pointer) for one in decoded.rejections] == [(0, ""), (1, "/1"), (2, "/1")]


@pytest.mark.parametrize("bundled", [False, True])
def test_a_record_of_garbage_is_not_refused_without_end(bundled: bool) -> None:
    """A thousand bad events in a record are some rejections and one that says so; good ones among them are taken."""

    def decoded(*events: object) -> Decoded:
        bundle = {"resourceType": "Bundle", "entry": [{"resource": one} for one in events]}
        return SOURCE.decode([json.dumps(bundle if bundled else events).encode()])

    bad = an_event(agent=[])
    garbage = decoded(*[bad] * 1_000)
    assert len(garbage.rejections) == REFUSED_MAX + 1
    assert garbage.rejections[-1].code == Code.TOO_LARGE
    mixed = decoded(an_event(id="first"), *[bad] * 1_000, an_event(id="last"))
    assert [row.id for row in mixed.rows] == ["first", "last"]
    assert len(mixed.rejections) == REFUSED_MAX + 1


# What is kept in memory


def _padded(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event with its repeated parts made too large to be kept digested."""
    padding = {"_padding": "x" * 5_000}
    agents = [one | padding for one in event["agent"]]
    return event | {"agent": agents, "source": event.get("source", {}) | padding} | {"type": (event.get("type") or {}) | padding}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.get("id", "without-id"))
def test_what_is_kept_says_what_is_read_anew(event: dict[str, Any]) -> None:
    """Agents, sources and codes are digested once; the second event like the first is the same row."""
    named = {"id": "a-1"}
    records = [json.dumps(one).encode() for one in (event | named, event | named, _padded(event) | named)]
    first, second, anew = (SOURCE.decode([record]).rows for record in records)
    assert first == second == anew


@pytest.mark.parametrize(
    ("contained", "actor"),
    [
        ([], "r"),
        ([{"resourceType": "PractitionerRole", "id": "r"}], "r"),
        ([{"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "Practitioner/p-17"}}], "p-17"),
        ([{"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "#r"}}], "r"),
        ([{"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "#gone"}}], "r"),
        ([{"resourceType": "Practitioner", "id": "r", "identifier": {"value": "n-1"}}], "n-1"),
        ([{"resourceType": "Practitioner", "id": "r", "identifier": [{"value": "n-1"}, {"value": "n-2"}]}], "n-1"),
        ([{"resourceType": "Practitioner", "id": "r", "identifier": "n-1"}], "r"),
        ([5, {"id": "r", "identifier": [{"value": "n-1"}]}], "n-1"),
    ],
)
def test_a_contained_reference_is_followed_as_far_as_it_goes(contained: list[Any], actor: str) -> None:
    """To the practitioner and the identifiers; what leads nowhere, or in a circle, stays the id it was."""
    assert row_of(agent=[{"who": {"reference": "#r"}, "requestor": True}], contained=contained).actor_id == actor
