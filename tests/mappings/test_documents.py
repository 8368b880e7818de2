"""JSON and XML: places by path, lists divided into events, and nothing an attacker writes is carried out."""

from __future__ import annotations

import json
import time

import pytest

from tests.mappings.mapped import names, read, refusals, source

WHEN = "2026-03-02T09:00:00Z"
NESTED = """
fields:
  occurred_at: at.time
  action: {value: read}
  actor_id: who[0].id
  device: tags[name=host].value
  site: '"a.b"'
"""
ITEMS = "fields: {occurred_at: when, action: {value: read}, actor_id: who, patient_id: item.id}"
SPLIT = "format: json\nsplit: [{list: items, as: item}]"


def event(**told: object) -> dict[str, object]:
    """Return a document with a time and somebody."""
    return {"when": WHEN, "what": "read", "who": "ann", **told}


def test_places_are_found_by_path() -> None:
    """By names, by number, by a value beside it, by a name with a dot; numbers are texts, null is nothing told."""
    document = {"at": {"time": WHEN}, "who": [{"id": 17}], "tags": [{"name": "x"}, {"name": "host", "value": "pc"}], "a.b": None}
    decoded = read(source("format: json", NESTED), json.dumps(document).encode())
    assert names(decoded.rows, "actor_id", "device", "site") == [("17", "pc", "")]


def test_a_pointer_is_a_path_too() -> None:
    """RFC 6901."""
    fields = "fields: {occurred_at: /at/time, action: {value: read}, actor_id: /who/0/a~1b}"
    decoded = read(source("format: json", fields), json.dumps({"at": {"time": WHEN}, "who": [{"a/b": "ann"}]}).encode())
    assert names(decoded.rows, "actor_id") == [("ann",)]


@pytest.mark.parametrize("form", ["lines", "array", "commas", "pretty", "several"])
def test_files_of_json_take_many_forms(form: str) -> None:
    """A document a line, with or without commas; an array; a document over many lines; several in one record."""
    documents = [event(who=who) for who in ("ann", "bob")]
    lines = [json.dumps(one) for one in documents]
    data = {
        "lines": "\n".join(lines),
        "array": json.dumps(documents, indent=1),
        "commas": ",\n".join(lines) + ",",
        "pretty": json.dumps(documents[0], indent=1),
        "several": "",
    }[form]
    made = source("format: json")
    decoded = made.decode([f"{lines[0]}\n{lines[1]}".encode()]) if form == "several" else read(made, data.encode())
    assert names(decoded.rows, "actor_id") == [("ann",), ("bob",)][: len(decoded.rows)]
    assert len(decoded.rows) == (1 if form == "pretty" else 2)
    assert not decoded.rejections


def test_a_broken_first_line_costs_itself_alone() -> None:
    """A log that was cut is still a document a line; a document over lines is still one."""
    line = json.dumps(event()).encode() + b"\n"
    decoded = read(source("format: json"), line[5:] + line + line)
    assert (len(decoded.rows), refusals(decoded)) == (2, [(0, "unparseable", "")])
    decoded = read(source("format: json"), b"[\n" + line.rstrip() + b",\n" + line + b"]\n")
    assert (len(decoded.rows), decoded.rejections) == (2, [])


def test_each_item_of_a_list_is_an_event() -> None:
    """All else is the document's; the items of one act share its id, and are told apart by `sub`."""
    decoded = read(source(SPLIT, ITEMS), json.dumps(event(items=[{"id": "p1"}, {"id": "p2"}])).encode())
    assert names(decoded.rows, "actor_id", "patient_id") == [("ann", "p1"), ("ann", "p2")]
    assert len({(row.id, row.sub) for row in decoded.rows}) == 2
    with_id = ITEMS.replace("{occ", "{id: no, occ")
    decoded = read(source(SPLIT, with_id), json.dumps(event(no=7, items=[{"id": "p1"}, {"id": "p2"}])).encode())
    assert names(decoded.rows, "id", "sub") == [("7", ""), ("7", "1")]


def test_an_event_keeps_its_id_in_other_company() -> None:
    """A list delivered again, longer or cut otherwise, gives no event twice."""
    made = source(
        "format: json\nsplit: [{list: Records, as: r}]", "fields: {occurred_at: r.when, action: {value: read}, actor_id: r.who}"
    )
    one, two = event(who="ann"), event(who="bob")
    both = read(made, json.dumps({"Records": [one, two]}).encode()).rows
    assert read(made, json.dumps({"Records": [two]}).encode()).rows == both[1:]


def test_lists_within_lists() -> None:
    """The outer one first; a pointer leads to the item."""
    text = "format: json\nsplit: [{list: a, as: outer}, {list: outer.b, as: inner}]"
    fields = "fields: {occurred_at: when, action: {value: read}, actor_id: outer.who, patient_id: inner.p}"
    document = event(a=[{"who": "ann", "b": [{"p": 1}, {"p": [2]}]}, {"who": "bob", "b": [{"p": 3}]}])
    decoded = read(source(text, fields), json.dumps(document).encode())
    assert names(decoded.rows, "actor_id", "patient_id") == [("ann", "1"), ("bob", "3")]
    assert refusals(decoded) == [(0, "wrong-type", "/a/0/b/1/p")]


def test_a_list_may_be_left_out_where_the_mapping_says_so() -> None:
    """Then the record is one event; else it is refused; an empty one is no event."""
    assert refusals(read(source(SPLIT, ITEMS), json.dumps(event()).encode())) == [(0, "missing-field", "/items")]
    assert not read(source(SPLIT, ITEMS), json.dumps(event(items=[])).encode()).rows
    optional = SPLIT.replace("item}", "item, optional: yes}")
    assert names(read(source(optional, ITEMS), json.dumps(event()).encode()).rows, "patient_id") == [("",)]


def test_what_is_no_text_is_told() -> None:
    """A list where a text is read would else be lost without a word."""
    decoded = read(source("format: json"), json.dumps([event(who=["ann"]), event(), 7]).encode())
    assert sorted(refusals(decoded)) == [(0, "not-an-event", "/2"), (0, "wrong-type", "/0/who")]
    assert len(decoded.rows) == 1


def test_an_item_of_several_texts_is_divided() -> None:
    """One cell, several patients."""
    text = 'format: csv\nsplit: [{list: patients, as: patient, separator: "/", optional: yes}]'
    fields = "fields: {occurred_at: when, action: what, actor_id: who, patient_id: patient}"
    decoded = read(
        source(text, fields), b"when,what,who,patients\n2026-03-02 09:00:00,read,ann,p1/ p2/\n2026-03-02 09:00:00,read,ann,\n"
    )
    assert names(decoded.rows, "patient_id") == [("p1",), ("p2",), ("",)]
    assert len({(row.id, row.sub) for row in decoded.rows}) == 3


XML = "format: xml\nsplit: [{list: log.entry, as: e}]"
XML_FIELDS = "fields: {occurred_at: e.@at, action: {value: read}, actor_id: e.user, patient_id: e.patient.@id, device: e.patient}"


def test_xml_is_read_by_attributes_and_elements() -> None:
    """Namespaces, comments and declarations aside; one element is a list of one."""
    data = b"""<?xml version="1.0" encoding="ISO-8859-1"?><a:root xmlns:a="urn:x"><!-- x --><a:log>
      <a:entry at="2026-03-02T09:00:00Z"><user>Zo\xe9</user><patient id="p1">told</patient></a:entry></a:log></a:root>"""
    assert names(read(source(XML, XML_FIELDS), data).rows, "actor_id", "patient_id", "device") == [("Zoé", "p1", "told")]


def test_a_document_a_line() -> None:
    """As queues hold them."""
    line = b'<log who="ann" when="2026-03-02T09:00:00Z"/>\n'
    decoded = read(source("format: xml", "fields: {occurred_at: '@when', action: {value: read}, actor_id: '@who'}"), line * 3)
    assert decoded.records == [0, 1, 2]


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>',
        b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>',
        '<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>'.encode("utf-16"),
        b"<r>" * 10_000,
        b"<r><a></r>",
        b"\xff\xfe<",
    ],
)
def test_xml_that_is_none_of_ours_is_refused(data: bytes) -> None:
    """A document type, depth without end, what is not XML."""
    assert [code for _, code, _ in refusals(source(XML, XML_FIELDS).decode([data]))] == ["unparseable"]


def test_depth_is_bounded() -> None:
    """And told as such, in no time."""
    began = time.process_time()
    decoded = source("format: json").decode([b"[" * 100_000, b'{"a":' * 100_000])
    assert [code for _, code, _ in refusals(decoded)] == ["too-deep", "too-deep"]
    assert time.process_time() - began < 5
