"""Rules: how what a record says becomes a field, and what is never taken for something else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.mappings.mapped import names, read, refusals, source

BASE = {"when": "2026-03-02T09:00:00Z", "what": "read", "who": "ann"}


def made_of(rules: str, *documents: dict[str, Any], head: str = "") -> Any:
    """Return what JSON documents become; `rules` are fields beside, or in place of, time, action and actor."""
    told = {"occurred_at": "when", "action": "what", "actor_id": "who"}
    lines = [f"  {name}: {place}" for name, place in told.items() if f"{name}:" not in rules]
    fields = "\n".join(["fields:", *lines, *(f"  {line}" for line in rules.splitlines())]) + "\n"
    data = "\n".join(json.dumps(BASE | document) for document in documents or ({},))
    return read(source(f"format: json\n{head}", fields), data.encode())


def test_a_map_knows_values_whatever_their_case() -> None:
    """What it does not know is refused, kept, or has a default, as the rule says."""
    rule = "action: {from: code, map: {Lecture: read, MODIF: update}%s}"
    decoded = made_of(rule % "", {"code": "LECTURE"}, {"code": "modif "}, {"code": "x"}, {})
    assert names(decoded.rows, "action") == [("read",), ("update",)]
    assert refusals(decoded) == [(2, "bad-value", "/code"), (3, "missing-field", "/code")]
    decoded = made_of(rule % ", default: other", {"code": "x"}, {})
    assert names(decoded.rows, "action") == [("other",), ("other",)]
    decoded = made_of("device: {from: code, map: {a: b}, keep: yes}", {"code": "x"}, {"code": "A"}, {})
    assert names(decoded.rows, "device") == [("x",), ("b",), ("",)]
    assert refusals(made_of("device: {from: code, map: {a: b}}", {"code": "x"})) == [(0, "bad-value", "/code")]


def test_a_match_looks_for_patterns_after_the_map() -> None:
    """The first that is found gives the value."""
    rule = "action: {from: code, map: {x-select: search}, match: [{like: '-select$', value: read}, {like: '^x', value: delete}]}"
    decoded = made_of(rule, *({"code": code} for code in ("x-select", "y-select", "x-y", "z")))
    assert names(decoded.rows, "action") == [("search",), ("read",), ("delete",)]
    assert len(decoded.rejections) == 1


def test_several_places() -> None:
    """The first that tells something; or all, joined, without those that tell nothing."""
    rules = "device: [a, b]\nsite: {join: [a, b], between: '/'}"
    decoded = made_of(rules, {"a": "1", "b": "2"}, {"b": "2"}, {})
    assert names(decoded.rows, "device", "site") == [("1", "1/2"), ("2", "2"), ("", "")]


def test_a_decision_on_two_places() -> None:
    """Joined, then looked up: a login that failed."""
    rule = "action: {join: [what, ok], between: '/', map: {login/1: login, login: login-failed, login/0: login-failed}}"
    decoded = made_of(rule, *({"what": "login", "ok": ok} for ok in (1, 0, None)))
    assert names(decoded.rows, "action") == [("login",), ("login-failed",), ("login-failed",)]


def test_patterns_take_a_part() -> None:
    """The first group of the first that is found; all of it when there is no group; nothing when none is."""
    rule = r"actor_id: {from: who, pattern: ['^CHU\\(.+)$', '^[a-z]+'], lower: yes, prefix: 'u-'}"
    decoded = made_of(rule, {"who": "CHU\\Ann"}, {"who": "bob@chu"}, {"who": "42"})
    assert names(decoded.rows, "actor_id") == [("u-ann",), ("u-bob",)]
    assert refusals(decoded) == [(2, "no-actor", "/who")]


def test_words_that_tell_nothing() -> None:
    """A dash or NULL is nobody's name; the mapping says which words are nothing."""
    decoded = made_of("device: pc", {"pc": "-"}, {"pc": " NULL "}, {"pc": "?"}, {"who": "-"})
    assert names(decoded.rows, "device") == [("",), ("",), ("?",)]
    assert refusals(decoded) == [(3, "no-actor", "/who")]
    assert names(made_of("device: pc", {"pc": "?"}, head="not_told: ['?']").rows, "device") == [("",)]


def test_what_is_passed_over_is_counted() -> None:
    """Any of the conditions is enough; each may ask for several things."""
    head = """skip:
  - {where: what, is: [PING, beat]}
  - {where: who, like: '^svc', and: [{where: what, is_not: delete}]}
  - {where: room, told: yes}
  - {where: kind, unlike: '^[au]', and: [{where: kind, told: yes}]}
"""
    told = [{"what": "ping"}, {"who": "svc1"}, {"who": "svc1", "what": "delete"}, {"room": "4"}, {"kind": "b"}, {"kind": "au"}]
    decoded = made_of("", *told, head=head)
    assert names(decoded.rows, "actor_id", "action") == [("svc1", "delete"), ("ann", "read")]
    assert (decoded.skipped, decoded.rejections) == (4, [])
    assert decoded.records == [2, 5]


def test_a_noise_line_need_not_be_readable() -> None:
    """What is passed over is not looked at any further."""
    assert made_of("", {"what": "ping", "when": "never"}, head="skip: [{where: what, is: ping}]").skipped == 1


def test_numbers_of_records() -> None:
    """Whole numbers; 1 where none is told."""
    decoded = made_of("resource_count: n", {"n": 17}, {}, {"n": "3"}, {"n": 1.5}, {"n": -1}, {"n": 99999999999})
    assert names(decoded.rows, "resource_count") == [(17,), (1,), (3,)]
    assert [code for _, code, _ in refusals(decoded)] == ["bad-value"] * 3


def test_ids_are_never_cut_and_texts_are() -> None:
    """A shortened id would be somebody else's."""
    decoded = made_of("device: pc\nreason: why", {"pc": "x" * 300, "why": "y" * 2_000}, {"who": "z" * 300})
    assert names(decoded.rows, "device", "reason") == [("x" * 256, "y" * 1_024)]
    assert refusals(decoded) == [(1, "bad-value", "/who")]


def test_control_characters_are_refused() -> None:
    """As everywhere; tabs and line breaks are text."""
    decoded = made_of("device: pc", {"pc": "a\u0001"}, {"pc": "a\tb\nc"})
    assert names(decoded.rows, "device") == [("a\tb\nc",)]
    assert refusals(decoded) == [(0, "bad-value", "/pc")]


def test_addresses_are_written_one_way() -> None:
    """As in every other format."""
    decoded = made_of("client_address: ip", {"ip": "::ffff:10.0.0.7"}, {"ip": "2001:0DB8::0001"}, {"ip": "poste-7"})
    assert names(decoded.rows, "client_address") == [("10.0.0.7",), ("2001:db8::1",), ("poste-7",)]


def test_derived_ids_hang_on_what_a_record_says() -> None:
    """The same record has the same id, another another; the order of its keys changes nothing."""
    made = source("format: json")
    one, same, other = (json.dumps(told).encode() for told in (BASE, dict(reversed(BASE.items())), BASE | {"x": 1}))
    ids = [row.id for record in (one, same, other) for row in made.decode([record]).rows]
    assert ids[0] == ids[1] != ids[2]
    assert refusals(made_of("id: no", {})) == [(0, "missing-field", "/no")]


PARTS = """parts:
  - {from: msg, as: head, format: pattern, pattern: '^(?P<kind>\\w+): (?P<rest>.*)$'}
  - {from: head.rest, as: cells, format: csv, columns: [patient, note]}
  - {from: blob, as: inner, format: json}
  - {from: pairs, as: p, format: key-value, key-value: {sign: ':', between: ','}}
"""


def test_a_value_may_be_in_a_format_of_its_own() -> None:
    """CSV within JSON, JSON within a text, pairs; a part of a part. What cannot be read tells nothing, unless it is needed."""
    rules = "patient_id: cells.patient\nresource_type: head.kind\nsession: 'inner.a[0].b'\nsite: p.org"
    told = {"msg": 'VIEW: p1,"a, b"', "blob": '{"a": [{"b": 5}]}', "pairs": "org: chu, user:x"}
    decoded = made_of(rules, told, {"msg": "?", "blob": "{", "pairs": ""}, head=PARTS)
    assert names(decoded.rows, "patient_id", "resource_type", "session", "site") == [("p1", "VIEW", "5", "chu"), ("",) * 4]
    needed = PARTS.replace("format: json", "format: json, required: yes")
    assert refusals(made_of(rules, told | {"blob": "{"}, head=needed)) == [(0, "unparseable", "/blob")]


@pytest.mark.parametrize(
    ("layout", "line", "expected"),
    [
        ("", '<13>noise a="x y" who=ann b= c="q\\"r" what=read when=2026-03-02T09:00:00Z', ("ann", 'q"r')),
        ("{sign: ':', between: ','}", "who:ann, c: d e,what: read ,when:2026-03-02T09:00:00Z", ("ann", "d e")),
        ("{quote: none}", 'who="ann" c=1 what=read when=2026-03-02T09:00:00Z', ('"ann"', "1")),
    ],
)
def test_names_and_values(layout: str, line: str, expected: tuple[str, str]) -> None:
    """With quotes or without, between blanks or commas; what is neither is passed over."""
    fields = "fields: {occurred_at: when, action: what, actor_id: who, device: c}"
    made = source(f"format: key-value\n{f'key-value: {layout}' if layout else ''}", fields)
    assert names(read(made, f"{line}\n".encode()).rows, "actor_id", "device") == [expected]


LINES = """format: lines
lines:
  otherwise: %s
  kinds:
    - {pattern: '^(?P<when>\\S+) (?P<who>\\w+) opens', set: {what: read}}
    - {pattern: '^(?P<when>\\S+) (?P<who>\\w+) (?P<what>\\w+)'}
"""


def test_kinds_of_lines() -> None:
    """The first that is found counts; each may say what its lines have in common; others are refused or passed over."""
    data = b"2026-03-02T09:00:00Z ann opens\n\n2026-03-02T09:00:00Z bob delete\r\n???\n"
    decoded = read(source(LINES % "refuse"), data)
    assert names(decoded.rows, "actor_id", "action") == [("ann", "read"), ("bob", "delete")]
    assert refusals(decoded) == [(2, "unparseable", "")]
    assert read(source(LINES % "skip"), data).skipped == 1
    together = source(LINES % "refuse").decode([data])
    assert (together.records, refusals(together)) == ([0, 0], [(0, "unparseable", "/3")])
