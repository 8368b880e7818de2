"""Each format as those who published it describe it: held against their schemas and read by their libraries."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import msgspec
import pycef
import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from thehive4py.types.alert import InputAlert
from thehive4py.types.observable import InputObservable

from sentinel.core.alert import Severity
from sentinel.core.plugins import discover
from streams.outputs.contract import Format
from tests.outputs.receiving import a_telling, an_alert

FORMATS = discover("streams.outputs.formats", "FORMAT", Format)
OCSF = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.5.0")).get_class_schema("detection_finding")
CONSOLE = "https://sentinel.example"
TELLINGS = {
    "new": a_telling(),
    "update": a_telling(an_alert(version=2), is_update=True, patients="clear", console=CONSOLE, language="fr"),
    "late": a_telling(an_alert().as_late(), patients="clear"),
    "least": a_telling(an_alert(detectors=("vip_record",), reasons=(), not_explained_by=(), event_ids=(), patients=())),
    **{severity: a_telling(an_alert(severity=severity)) for severity in Severity},
}


def render(name: str, telling) -> Any:
    """Return what is sent, as its receiver reads it."""
    told = FORMATS[name].render(telling)
    return msgspec.json.decode(msgspec.json.encode(told)) if isinstance(told, dict) else told


def texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


def alerts() -> st.SearchStrategy:
    """Alerts with any text that a source lets through, marks that formats give a meaning among them."""
    marked = texts() | st.text("|\\=^\"'<>[]{}\n\r\t é€", min_size=1, max_size=20)
    reasons = st.lists(marked, max_size=3).map(
        lambda found: tuple(
            an_alert().reasons[0].__class__("vip_record", 1, an_alert().reasons[0].usual, 0.1, text, text) for text in found
        )
    )
    return st.builds(
        an_alert, actor=texts() | st.text("|\\= é", min_size=1), reasons=reasons, event_ids=st.lists(texts()).map(tuple)
    )


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("telling", TELLINGS.values(), ids=TELLINGS)
def test_patients_are_told_where_they_may_and_nowhere_else(name: str, telling):
    """Every format, every alert: a patient's id stands in it only when it may leave; alert and actor always do."""
    text = json.dumps(render(name, telling))
    assert ("PATIENT-1" in text) == bool(telling.alert.patients)
    assert telling.alert.id in text
    assert telling.alert.actor in text


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_telling_gives_the_same_bytes(name: str):
    """At each try: a receiver may compare."""
    assert FORMATS[name].render(a_telling()) == FORMATS[name].render(a_telling())


@pytest.mark.parametrize("telling", TELLINGS.values(), ids=TELLINGS)
def test_ocsf(telling):
    """Valid by the schema of OCSF 1.5.0, which allows no member that it does not know."""
    told = render("ocsf", telling)
    jsonschema.validate(told, OCSF)
    assert told["finding_info"]["uid"] == telling.alert.id
    assert (told["activity_name"], told["type_uid"]) == (("Update", 200402) if telling.is_update else ("Create", 200401))
    assert told["severity"].lower() == telling.alert.severity


@pytest.mark.parametrize("telling", TELLINGS.values(), ids=TELLINGS)
def test_stix(telling):
    """OASIS's library reads the bundle with nothing custom in it; the account's id is the one the standard derives."""
    bundle = stix2.parse(render("stix", telling), allow_custom=False)
    assert [found.type for found in bundle.objects] == ["identity", "user-account", "incident", "observed-data", "note"]
    account = bundle.objects[1]
    assert account.id == stix2.UserAccount(user_id=account.user_id).id
    assert {bundle.objects[at].id for at in (1, 2, 3)} == set(bundle.objects[4].object_refs)


def test_an_update_in_stix_is_a_later_version_of_the_same_objects():
    """So that a platform shows one incident."""
    first, second = (stix2.parse(render("stix", a_telling(an_alert(version=version)))) for version in (1, 2))
    assert first.id != second.id
    assert [found.id for found in first.objects] == [found.id for found in second.objects]
    assert first.objects[2].modified < second.objects[2].modified


@pytest.mark.parametrize("telling", TELLINGS.values(), ids=TELLINGS)
def test_thehive(telling):
    """What TheHive's own client takes for an alert; each state has a reference that was not there before."""
    told = render("thehive", telling)
    assert InputAlert.__required_keys__ <= told.keys() <= InputAlert.__annotations__.keys()
    for observable in told["observables"]:
        assert InputObservable.__required_keys__ <= observable.keys() <= InputObservable.__annotations__.keys()
    assert (type(told["severity"]), type(told["date"]), told["severity"] in range(1, 5)) == (int, int, True)
    assert told["sourceRef"] == f"{telling.alert.id}-{telling.alert.version}"
    assert (len(told["sourceRef"]) <= 128, len(told["title"]) <= 512) == (True, True)


def test_dfir_iris():
    """What IRIS requires of an alert is there, and its time is one that IRIS reads: without an offset."""
    told = render("dfir_iris", TELLINGS["update"])
    required = {"alert_title", "alert_severity_id", "alert_status_id", "alert_customer_id", "alert_source", "alert_source_ref"}
    assert required <= told.keys()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", told["alert_source_event_time"])
    assert told["alert_description"].startswith("Qui : dr-martin\nPatients : 2 (PATIENT-1, PATIENT-2)\n")


def test_ecs():
    """The fields that Elastic's alerts are found by, each of the type that the schema gives it."""
    told = render("ecs", TELLINGS["update"])
    assert (told["event"]["kind"], told["event"]["category"], told["event"]["type"]) == (
        "alert",
        ["intrusion_detection"],
        ["info"],
    )
    assert told["@timestamp"] == told["event"]["end"] == "2026-02-25T07:13:20.123456Z"
    assert isinstance(told["event"]["severity"], int)
    assert (told["user"]["id"], told["related"]["user"]) == ("dr-martin", ["dr-martin"])


@given(alerts())
def test_cef_says_what_it_was_given(alert):
    """Read by a parser of its own, every field is what it was, whatever marks stand in it, on one line."""
    telling = a_telling(alert, console=CONSOLE)
    line = FORMATS["cef"].render(telling)
    assert "\n" not in line
    assert "\r" not in line
    read = cef(line)
    assert read["externalId"] == alert.id
    assert read["suid"] == alert.actor
    assert read.get("msg", "") == " ".join(telling.sentences)[:1023]
    assert read["request"] == telling.link


def cef(line: str) -> dict[str, str]:
    """Read a line by the letter of the format: a key is what stands before an = that is not escaped."""
    head = re.match(r"CEF:0(?:\|(?:[^|\\]|\\[|\\])*){5}\|(?:10|[0-9])\|", line)
    assert head is not None
    parts = re.split(r"(?:^| )([A-Za-z0-9]+)=", line[head.end() :])
    escapes = {"\\\\": "\\", "\\=": "=", "\\n": "\n", "\\r": "\r"}
    values = [re.sub(r"\\[\\=nr]", lambda found: escapes[found[0]], text) for text in parts[2::2]]
    assert not any(re.search(r"(?<!\\)(?:\\\\)*=", text) for text in parts[2::2])
    return dict(zip(parts[1::2], values, strict=True))


def test_cef_is_read_by_others():
    """A public parser finds header and labelled fields."""
    read = pycef.parse(FORMATS["cef"].render(TELLINGS["update"]))
    assert (read["DeviceVendor"], read["Name"], read["Severity"]) == ("Sentinel", "HIGH: household_record, mass_export", "8")
    assert (read["detectors"], read["patients"], read["suid"]) == (
        "household_record,mass_export",
        "PATIENT-1,PATIENT-2",
        "dr-martin",
    )
    assert read["act"] == "update"


@given(alerts())
def test_leef_says_what_it_was_given(alert):
    """Attributes lie between tabs, and none holds one; white space is all that changes."""
    telling = a_telling(alert)
    line = FORMATS["leef"].render(telling)
    *head, attributes = line.split("|", 6)
    assert head == ["LEEF:2.0", "Sentinel", "Sentinel", head[3], "household_record", "x09"]
    assert len(line.splitlines()) == 1
    read = dict(attribute.split("=", 1) for attribute in attributes.split("\t"))
    assert read.get("usrName", "") == " ".join(alert.actor.split())
    assert read["alertId"] == alert.id
    assert read.get("reasons", "") == " ".join(" ".join(telling.sentences).split())
    assert (read["devTime"], read["sev"]) == (str(alert.last_seen // 1_000), "8")


@given(alerts(), st.sampled_from(sorted(FORMATS)))
def test_any_text_can_be_told(alert, name):
    """Nothing that a source lets through makes a format fail."""
    json.dumps(render(name, a_telling(alert)))
