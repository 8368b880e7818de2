"""An AuditEvent in XML means what it means in JSON; what is not FHIR's XML is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.errors import RejectionCode as Code
from streams.sources.contract import Decoded
from streams.sources.fhir.xml_form import DEPTH_MAX, DOCUMENT_BYTES_MAX
from streams.sources.fhir_auditevent import SOURCE, split

GOLDEN = Path(__file__).parent / "golden" / "fhir_auditevent"
RESOURCES = {
    path.stem: json.loads(path.read_bytes()) for path in sorted(GOLDEN.glob("*.json")) if not path.name.endswith(".expected.json")
}
NAMESPACE = "http://hl7.org/fhir"
NARRATIVE = '<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p value="x">read</p><div/></div></text>'


def escaped(text: str) -> str:
    """Return an attribute's value with its quotes; line ends would become blanks if they stood there as they are."""
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def elements(name: str, value: Any, prefix: str) -> str:
    """Return a member of a JSON object as XML elements, by the rules of FHIR's JSON."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(elements(name, one, prefix) for one in value)
    if not isinstance(value, dict):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return f"<{prefix}{name} value={escaped(text)}/>"
    if "resourceType" in value:
        return f"<{prefix}{name}>{to_xml(value, prefix)}</{prefix}{name}>"
    url = f" url={escaped(value['url'])}" if name == "extension" else ""
    held = members({key: one for key, one in value.items() if not (url and key == "url")}, prefix)
    return f"<{prefix}{name}{url}>{held}</{prefix}{name}>"


def members(value: dict[str, Any], prefix: str) -> str:
    """Return the members of an object; of an absent primitive (`_name`) its extensions."""
    return "".join(elements(key.removeprefix("_"), one, prefix) for key, one in value.items() if key != "resourceType")


def to_xml(resource: dict[str, Any], prefix: str = "", declared: str = "") -> str:
    """Return a resource as XML; `declared`: attributes of its root."""
    name = f"{prefix}{resource['resourceType']}"
    return f"<{name}{declared}>{members(resource, prefix)}</{name}>"


def document(resource: dict[str, Any], prefix: str = "") -> bytes:
    """Return a resource as an XML document."""
    declared = f' xmlns:{prefix[:-1]}="{NAMESPACE}"' if prefix else f' xmlns="{NAMESPACE}"'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{to_xml(resource, prefix, declared)}'.encode()


def told(decoded: Decoded) -> tuple[Any, ...]:
    """Return what was decoded, comparably."""
    return decoded.rows, [(one.code, one.pointer) for one in decoded.rejections]


def refusal(text: str | bytes) -> tuple[Code, str]:
    """Return why a document is refused, and where."""
    (rejection,) = SOURCE.decode([text.encode() if isinstance(text, str) else text]).rejections
    return rejection.code, rejection.pointer


@pytest.mark.parametrize("prefix", ["", "f:"])
@pytest.mark.parametrize("name", RESOURCES)
def test_a_resource_means_the_same_in_xml(name: str, prefix: str) -> None:
    """Every pattern of every release, alone and in Bundles: the same rows, down to an id derived from the content."""
    record = json.dumps(RESOURCES[name]).encode()
    assert told(SOURCE.decode([document(RESOURCES[name], prefix)])) == told(SOURCE.decode([record]))


texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=12
) | st.sampled_from(["a\nb", '"', "<&>'", "Patient/pat-1", "#c", "110127", "110106", "true", "12", "ITI-43", "é"])
codings = st.fixed_dictionaries({}, optional={"system": texts, "code": texts, "display": texts})
concepts = st.fixed_dictionaries({}, optional={"coding": st.lists(codings, min_size=1, max_size=2), "text": texts})
identifiers = st.fixed_dictionaries({"value": texts}, optional={"system": texts})
references = st.fixed_dictionaries({"reference": texts}, optional={"identifier": identifiers, "display": texts, "type": texts})
extensions = st.fixed_dictionaries({"url": texts, "valueInteger": st.integers(-5, 10**9)})
agents = st.fixed_dictionaries(
    {"requestor": st.booleans()},
    optional={
        "who": references,
        "type": concepts,
        "role": st.lists(concepts, min_size=1, max_size=2),
        "altId": texts,
        "name": texts,
        "network": st.fixed_dictionaries({"address": texts, "type": texts}),
        "policy": st.lists(texts, min_size=1, max_size=2),
        "media": codings,
        "purposeOfUse": st.lists(concepts, min_size=1, max_size=2),
        "extension": st.lists(extensions, min_size=1, max_size=2),
    },
)
details = st.fixed_dictionaries({"type": st.sampled_from(["count", "total", "session", "x"])}) | st.fixed_dictionaries(
    {"type": concepts, "valueQuantity": st.fixed_dictionaries({"value": st.integers(0, 50) | st.sampled_from([1.5, 2.25])})}
)
entities = st.fixed_dictionaries(
    {},
    optional={
        "what": references,
        "type": codings | concepts,
        "role": codings | concepts,
        "lifecycle": codings,
        "securityLabel": st.lists(codings, min_size=1, max_size=2),
        "name": texts,
        "description": texts,
        "query": texts,
        "detail": st.lists(details, min_size=1, max_size=2),
    },
)
contained = st.fixed_dictionaries(
    {"resourceType": st.just("PractitionerRole"), "id": texts},
    optional={"practitioner": references, "organization": references, "code": st.lists(concepts, min_size=1, max_size=2)},
)
events = st.fixed_dictionaries(
    {
        "resourceType": st.just("AuditEvent"),
        "recorded": st.sampled_from(
            ["2025-03-04T09:15:30Z", "2025-03-04T10:15:30.250+01:00", "2025-03-04", "2025-03-04T09:15:30"]
        ),
        "agent": st.lists(agents, min_size=1, max_size=3),
    },
    optional={
        "id": texts,
        "type": codings | concepts,
        "subtype": st.lists(codings, min_size=1, max_size=2),
        "category": st.lists(concepts, min_size=1, max_size=2),
        "code": concepts,
        "action": st.sampled_from("CRUDE"),
        "period": st.fixed_dictionaries({"start": st.just("2025-03-04T09:00:00Z")}),
        "outcome": st.sampled_from(["0", "8"])
        | st.fixed_dictionaries({"code": codings, "detail": st.lists(concepts, min_size=1)}),
        "outcomeDesc": texts,
        "purposeOfEvent": st.lists(concepts, min_size=1, max_size=2),
        "authorization": st.lists(concepts, min_size=1, max_size=2),
        "patient": references,
        "source": st.fixed_dictionaries({"observer": references}, optional={"site": texts | references}),
        "entity": st.lists(entities, min_size=1, max_size=3),
        "contained": st.lists(contained, min_size=1, max_size=2),
        "extension": st.lists(extensions, min_size=1, max_size=2),
    },
)


def without_empty(value: Any) -> Any:
    """Return a resource as FHIR allows it: nothing in it is empty."""
    if isinstance(value, list):
        return [found for one in value if (found := without_empty(one)) not in ({}, [])]
    if isinstance(value, dict):
        return {key: found for key, one in value.items() if (found := without_empty(one)) not in ({}, [])}
    return value


@settings(max_examples=400)
@given(event=events.map(without_empty))
def test_any_event_means_the_same_in_xml(event: dict[str, Any]) -> None:
    """Whatever is told, and whatever is refused: same rows, same places."""
    assert told(SOURCE.decode([document(event)])) == told(SOURCE.decode([json.dumps(event).encode()]))


SMALL = RESOURCES["r4_balp_read"]


def test_a_narrative_is_skipped() -> None:
    """XHTML is for people, and may hold elements of the same names."""
    text = document(SMALL).decode()
    at = text.index("<recorded")
    assert SOURCE.decode([f"{text[:at]}{NARRATIVE}{text[at:]}".encode()]) == SOURCE.decode([text.encode()])


def test_comments_blanks_and_ids_change_nothing() -> None:
    """Laid out on many lines, with comments and the ids of elements."""
    text = document(SMALL).decode()
    laid_out = text.replace("><", ">\n  <!-- <agent/> -->\n  <").replace("<agent>", '<agent xml:id="a">')
    assert SOURCE.decode([b"\xef\xbb\xbf\n " + laid_out.partition("?>\n")[2].encode()]) == SOURCE.decode([text.encode()])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<", (Code.UNPARSEABLE, "")),
        ("<AuditEvent>", (Code.UNPARSEABLE, "")),
        ("<a/>", (Code.NOT_AN_EVENT, "")),
        (f'<Patient xmlns="{NAMESPACE}"><id value="p"/></Patient>', (Code.NOT_AN_EVENT, "")),
        ('<AuditEvent xmlns="http://example.org/other"/>', (Code.NOT_AN_EVENT, "")),
        ("<AuditMessage/>", (Code.NOT_AN_EVENT, "")),
        (f'<AuditEvent xmlns="{NAMESPACE}"/>', (Code.MISSING_FIELD, "/recorded")),
        ("<!DOCTYPE AuditEvent><AuditEvent/>", (Code.UNPARSEABLE, "")),
        (
            '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><AuditEvent><id value="&e;"/></AuditEvent>',
            (Code.UNPARSEABLE, ""),
        ),
        ("<x>" * (DEPTH_MAX + 2) + "</x>" * (DEPTH_MAX + 2), (Code.TOO_DEEP, "")),
        (document(SMALL).replace(b'requestor value="true"', b'requestor value="yes"'), (Code.WRONG_TYPE, "/agent/1/requestor")),
        (document(SMALL | {"recorded": "2025-03-04"}), (Code.BAD_TIME, "/recorded")),
        (
            document({"resourceType": "Bundle", "entry": [{"resource": SMALL | {"agent": []}}]}),
            (Code.NO_ACTOR, "/entry/0/resource/agent"),
        ),
        (b'<AuditEvent a="\xe9"/>', (Code.NOT_UTF8, "")),
        (b" " * DOCUMENT_BYTES_MAX + b"<a/>", (Code.TOO_LARGE, "")),
    ],
    ids=range(15),
)
def test_a_refusal_says_why_and_where(text: str | bytes, why: tuple[Code, str]) -> None:
    """As in JSON: a code, and the place in the resource."""
    assert refusal(text) == why


def test_a_file_is_cut_into_its_documents() -> None:
    """One a line, one after the other, Bundles among them; a record that nobody cut is cut as well."""
    one, two = document(SMALL | {"id": "a"}).decode(), document(SMALL | {"id": "b"}).decode().replace("><", ">\n<")
    bundle = document({"resourceType": "Bundle", "entry": [{"resource": SMALL | {"id": n}} for n in "cd"]}).decode()
    commented = bundle.replace("<entry>", "<!-- <AuditEvent> --><entry>", 1)
    for text in (one + two + bundle, f"{one}\n{two}\n{bundle}", f"\ufeff{one}\r\n{two}{commented}\n"):
        decoded = SOURCE.decode(split(text.encode()))
        assert ([row.id for row in decoded.rows], decoded.rejections) == (["a", "b", "c", "d"], [])
        assert SOURCE.decode([text.encode()]).rows == decoded.rows


def test_a_large_bundle_takes_time_in_proportion() -> None:
    """Ten thousand entries are put together once each."""
    bundle = document({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Basic", "id": "x"}}] * 10_000})
    assert refusal(bundle) == (Code.NOT_AN_EVENT, "")
