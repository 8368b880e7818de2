"""Rules on records as they came: what is met is marked on the rows, in every shape of a format, and found on the stream."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest

from models.sigma.loading import Loaded
from models.sigma.refusals import Reason
from sentinel.assembly import source
from sentinel.assembly.sigma import marked
from sentinel.core.batch import Provenance, batch_of
from sentinel.core.pipeline import Pipeline
from tests.real import REAL, needs_real

WINDOWS = """
title: Logon failed from outside
name: outside
logsource: {product: windows, service: security}
detection:
  selection: {EventID: 4625}
  inside: {IpAddress|cidr: [10.0.0.0/8, '::1/128']}
  condition: selection and not inside
level: high
"""
TRAIL = """
title: Trail stopped, or keys for another
name: trail
logsource: {service: cloudtrail}
detection:
  stopped: {eventSource: cloudtrail.amazonaws.com, eventName: [StopLogging, DeleteTrail]}
  keys: {eventName: CreateAccessKey, userIdentity.arn|contains: '*'}
  failed: {errorCode|contains: '*'}
  word: [beehive]
  condition: (stopped or keys) and not failed or word
level: high
"""
DATA = {"TargetUserName": "jmartin", "TargetDomainName": "CHU", "IpAddress": "203.0.113.9", "LogonType": "3"}
TIME = "2026-03-02T08:15:01.000Z"


def _marks(loaded: Loaded, name: str, *records: bytes) -> list[str]:
    found = marked(source(name), loaded.markers()[name])
    return [row.marks.strip() for row in found.decode(list(records)).rows]


def _winlogbeat(data: dict[str, str]) -> bytes:
    told = {"event_id": 4625, "channel": "Security", "computer_name": "dc1", "record_id": 7, "event_data": data}
    return json.dumps({"@timestamp": TIME, "winlog": told}).encode()


XML = f"""<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>
<Provider Name="Microsoft-Windows-Security-Auditing"/><EventID>4625</EventID><TimeCreated SystemTime="{TIME}"/>
<EventRecordID>9</EventRecordID><Channel>Security</Channel><Computer>dc1</Computer></System><EventData>
{"".join(f'<Data Name="{name}">{value}</Data>' for name, value in DATA.items())}</EventData></Event>""".encode()


def test_every_shape_of_a_format_is_seen(rules: Callable[[str], Loaded]) -> None:
    """A rule names a field as Windows does: it is found where Winlogbeat puts it, flat, and in XML; its exceptions hold."""
    loaded = rules(WINDOWS)
    flat = json.dumps({"EventID": 4625, "EventTime": TIME, "Channel": "Security", "Hostname": "dc1", **DATA}).encode()
    inside = _winlogbeat(DATA | {"IpAddress": "10.1.2.3"})
    assert _marks(loaded, "windows_security", _winlogbeat(DATA), flat, XML, inside) == ["sigma:outside"] * 3 + [""]


def _trail(name: str, **told: object) -> dict[str, object]:
    who = {"type": "IAMUser", "arn": "arn:aws:iam::1:user/x", "userName": "x"}
    return {"eventName": name, "eventTime": TIME, "eventSource": "cloudtrail.amazonaws.com", "userIdentity": who, **told}


def test_documents_of_an_envelope_are_seen_one_by_one(rules: Callable[[str], Loaded]) -> None:
    """Of a delivery of several events each is marked by what it says itself; case and what was not told do not matter."""
    several = [
        _trail("stoplogging"),
        _trail("StopLogging", errorCode="AccessDenied"),
        _trail("GetTrail"),
        _trail("CreateAccessKey"),
    ]
    several.append(_trail("GetTrail", requestParameters={"name": "the-Beehive-1"}))
    delivery = json.dumps({"Records": several}).encode()
    assert _marks(rules(TRAIL), "aws_cloudtrail", delivery) == ["sigma:trail", "", "", "sigma:trail", "sigma:trail"]


def test_a_mark_is_a_finding(rules: Callable[[str], Loaded]) -> None:
    """What a record met is found on the stream, on the person who acted."""
    loaded = rules(TRAIL)
    rows = (
        marked(source("aws_cloudtrail"), loaded.markers()["aws_cloudtrail"])
        .decode([json.dumps(_trail("StopLogging")).encode()])
        .rows
    )
    done = Pipeline("ch", (), sigma=loaded.rule_set).process(batch_of("ch", rows, Provenance("aws_cloudtrail")))
    assert [alert.detectors for alert in done.alerts] == [("sigma:trail",)]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("logsource: {product: cisco, service: duo}\ndetection: {s: {a: b}, condition: s}", Reason.NO_FORMAT),
        ("logsource: {category: process_creation, product: windows}\ndetection: {s: {a: b}, condition: s}", Reason.NO_FORMAT),
        (
            "taxonomy: sentinel\nlogsource: {product: sentinel}\ndetection: {s: {eventName: b}, condition: s}",
            Reason.FIELD_NOT_KEPT,
        ),
        ("taxonomy: sentinel\nlogsource: {product: sentinel}\ndetection: {s: [word], condition: s}", Reason.FIELD_NOT_KEPT),
        (
            "taxonomy: sentinel\nlogsource: {product: sentinel}\ndetection: {s: {explained: often}, condition: s}",
            Reason.BAD_VALUE,
        ),
        ("logsource: {service: cloudtrail}\ndetection: {s: {a|re: '(a)\\1'}, condition: s}", Reason.BAD_PATTERN),
        ("logsource: {service: cloudtrail}\ndetection: {s: {a|fieldref: b}, condition: s}", Reason.COMPARES_FIELDS),
        ("logsource: {service: cloudtrail}\ndetection: {s: {a|expand: '%b%'}, condition: s}", Reason.PLACEHOLDER),
        ("logsource: {service: cloudtrail}\ndetection: {s: {a: b}, condition: s | count() > 3}", Reason.OLD_AGGREGATION),
        (
            "correlation: {type: event_count, rules: [x], group-by: [actor_id], timespan: 1m, condition: {gte: 2}}",
            Reason.NO_SUCH_RULE,
        ),
        ("detection: 7", Reason.UNREADABLE),
    ],
)
def test_what_cannot_run_is_refused_with_a_reason(rules: Callable[[str], Loaded], rule: str, reason: Reason) -> None:
    """A rule that cannot run is told with a reason of a bounded set, and never matches nothing in silence."""
    loaded = rules(f"title: x\nlevel: low\n{rule}\n")
    assert [one.reason for one in loaded.refused] == [reason]
    assert not loaded.rule_set


@pytest.mark.parametrize(
    ("correlation", "reason"),
    [
        ("{type: event_count, rules: [r], group-by: [client_address], timespan: 1m, condition: {gte: 2}}", Reason.NOT_BY_PERSON),
        ("{type: event_count, rules: [r], timespan: 1m, condition: {gte: 2}}", Reason.NOT_BY_PERSON),
        ("{type: event_count, rules: [r], group-by: [actor_id], timespan: 1m, condition: {lt: 2}}", Reason.NOT_COUNTABLE),
        (
            "{type: value_sum, rules: [r], group-by: [actor_id], timespan: 1m, condition: {gte: 2, field: a}}",
            Reason.NOT_COUNTABLE,
        ),
        (
            "{type: value_count, rules: [r], group-by: [actor_id], timespan: 1m, condition: {gte: 2, field: a}}",
            Reason.FIELD_NOT_KEPT,
        ),
        ("{type: event_count, rules: [r], group-by: [actor_id], timespan: 3M, condition: {gte: 2}}", Reason.NOT_COUNTABLE),
    ],
)
def test_correlations_across_people_are_refused(rules: Callable[[str], Loaded], correlation: str, reason: Reason) -> None:
    """People are divided among workers: what joins several people's events, or is known only afterwards, is refused."""
    base = "title: r\nname: r\ntaxonomy: sentinel\nlogsource: {product: sentinel}\ndetection: {s: {action: read}, condition: s}"
    loaded = rules(f"title: x\nlevel: low\ncorrelation: {correlation}\n---\n{base}\nlevel: low\n")
    assert [one.reason for one in loaded.refused] == [reason]
    assert not loaded.rule_set.patterns  # nor does the rule find each read, which nobody asked for


@needs_real
def test_rules_find_what_real_records_hold(rules: Callable[[str], Loaded]) -> None:
    """On a real trail of an attack the trail that was stopped is found, and the keys that were made."""
    records = gzip.decompress((REAL / "aws_cloudtrail/invictus-aws_dataset.ndjson.gz").read_bytes()).splitlines()
    assert sum(map(bool, _marks(rules(TRAIL), "aws_cloudtrail", *records))) > 2
