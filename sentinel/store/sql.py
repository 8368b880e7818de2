"""The statements of the questions and of the writer. What is asked goes in as parameters, never as text."""

# ruff: noqa: S608  only constants of this module are put together here

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_PERIOD: Final = """
    occurred_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
    AND occurred_at < fromUnixTimestamp64Micro({until:Int64}, 'UTC')"""
_LAST_SEEN: Final = """
    last_seen >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
    AND last_seen < fromUnixTimestamp64Micro({until:Int64}, 'UTC')"""
_LAST_SEEN_DAYS: Final = """
    toDate(last_seen) >= toDate(fromUnixTimestamp64Micro({since:Int64}, 'UTC'))
    AND toDate(last_seen) <= toDate(fromUnixTimestamp64Micro({until:Int64} - 1, 'UTC'))"""
_DAYS: Final = """
    toDate(occurred_at) >= toDate(fromUnixTimestamp64Micro({since:Int64}, 'UTC'))
    AND toDate(occurred_at) <= toDate(fromUnixTimestamp64Micro({until:Int64} - 1, 'UTC'))"""
_COLUMNS: Final = """
    lower(hex(key)) AS hex_key, source, id, toUnixTimestamp64Micro(occurred_at), toUnixTimestamp64Micro(received_at),
    action, outcome, actor_id, actor_type, actor_role, actor_unit, actor_rpps, patient_id,
    resource_type, resource_id, resource_sensitivity, resource_count, purpose, reason,
    client_address, device, application, site, session, destination,
    partition, offset, ordinal, explained_by, p_value, detectors, weighed"""


def _within(column: str) -> str:
    moment = f"toUnixTimestamp64Micro({column})"
    return f"arrayExists(period -> {moment} >= period.1 AND {moment} < period.2, {{p:Array(Tuple(Int64, Int64))}})"


_KEYS: Final = "key IN (SELECT toFixedString(unhex(arrayJoin({keys:Array(String)})), 16))"

# The time of the last row of the page is found first, in the order that holds nothing else; then only rows from then on are read.
ACCESSES: Final = f"""
WITH fromUnixTimestamp64Micro({{before_at:Int64}}, 'UTC') AS before
SELECT {_COLUMNS}
FROM access
WHERE tenant = {{tenant:String}} AND {{of:Identifier}} IN {{ids:Array(String)}} AND {_PERIOD}
    AND occurred_at <= before AND (occurred_at, hex_key) < (before, {{before_key:String}})
    AND occurred_at >= (
        SELECT min(occurred_at) FROM (
            SELECT occurred_at FROM access
            WHERE tenant = {{tenant:String}} AND {{of:Identifier}} IN {{ids:Array(String)}} AND {_PERIOD} AND occurred_at < before
            ORDER BY occurred_at DESC LIMIT {{limit:UInt32}}
        )
    )
ORDER BY occurred_at DESC, hex_key DESC
LIMIT {{limit:UInt32}}"""

ACCESSES_BY_KEY: Final = f"""
SELECT {_COLUMNS}
FROM access
WHERE tenant = {{tenant:String}} AND {_PERIOD} AND {_KEYS}
ORDER BY occurred_at, hex_key
LIMIT {{limit:UInt32}}"""

# What a search may ask of an access, each test with the values that `{p}` stands for.
TESTS: Final = {
    "key": _KEYS.replace("{keys:", "{p:"),
    "action": "action IN {p:Array(String)}",
    "outcome": "outcome IN {p:Array(String)}",
    "patient_id": "patient_id IN {p:Array(String)}",
    "actor_id": "actor_id IN {p:Array(String)}",
    "actor_type": "actor_type IN {p:Array(String)}",
    "actor_rpps": "actor_rpps IN {p:Array(String)}",
    "actor_id_or_rpps": "(actor_id IN {p:Array(String)} OR actor_rpps IN {p:Array(String)})",
    "actor_type_and_id": "(actor_type, actor_id) IN {p:Array(Tuple(String, String))}",
    "resource_type": "resource_type IN {p:Array(String)}",
    "resource_id": "resource_id IN {p:Array(String)}",
    "patient": "(patient_id IN {p:Array(String)} OR (resource_type = 'Patient' AND resource_id IN {p:Array(String)}))",
    "resource_or_patient_id": "(resource_id IN {p:Array(String)} OR patient_id IN {p:Array(String)})",
    # the same with their types, an empty one: of any. Slow, as pairs are made of every row: for several types at once
    "type_and_id": """(
        (resource_type, resource_id) IN {p:Array(Tuple(String, String))}
        OR ('', resource_id) IN {p:Array(Tuple(String, String))}
        OR ('Patient', patient_id) IN {p:Array(Tuple(String, String))}
        OR ('', patient_id) IN {p:Array(Tuple(String, String))})""",
    "application": "application IN {p:Array(String)}",
    "address": "client_address IN {p:Array(String)}",
    "address_begins": "arrayExists(told -> startsWith(lowerUTF8(client_address), told), {p:Array(String)})",
    "address_holds": "arrayExists(told -> position(lowerUTF8(client_address), told) > 0, {p:Array(String)})",
    "occurred_within": _within("occurred_at"),
    "received_within": _within("received_at"),
    "empty": "{p:Identifier} = ''",
    "told": "{p:Identifier} != ''",
}
TESTED: Final = frozenset({"patient_id", "client_address", "application"})  # what `empty` and `told` may ask of


def search(tests: Sequence[str], *, latest_first: bool) -> str:
    """Return the statement that asks for what passes all of some `TESTS`; the values of the first are parameter `p0`, and so on.

    Raises:
        ValueError: there is no such test.
    """
    if not TESTS.keys() >= set(tests):
        raise ValueError("no such test")
    passed = " AND ".join(TESTS[name].replace("{p:", f"{{p{number}:") for number, name in enumerate(tests)) or "true"
    behind, ahead, order = ("<", ">", "DESC") if latest_first else (">", "<", "ASC")
    last = "least(min(occurred_at), edge)" if latest_first else "greatest(max(occurred_at), edge)"
    return f"""
WITH fromUnixTimestamp64Micro({{edge_at:Int64}}, 'UTC') AS edge
SELECT {_COLUMNS}
FROM access
WHERE tenant = {{tenant:String}} AND {_PERIOD} AND {passed}
    AND occurred_at {behind}= edge AND (occurred_at, hex_key) {behind} (edge, {{edge_key:String}})
    AND occurred_at {ahead}= (
        SELECT {last} FROM (
            SELECT occurred_at FROM access
            WHERE tenant = {{tenant:String}} AND {_PERIOD} AND {passed} AND occurred_at {behind} edge
            ORDER BY occurred_at {order} LIMIT {{limit:UInt32}}
        )
    )
ORDER BY occurred_at {order}, hex_key {order}
LIMIT {{limit:UInt32}}"""


SUMMARY_OF_PATIENT: Final = f"""
SELECT
    actor_id, argMax(actor_type, occurred_at), argMax(actor_role, occurred_at), argMax(actor_unit, occurred_at),
    toUnixTimestamp64Micro(min(occurred_at)), toUnixTimestamp64Micro(max(occurred_at)) AS last,
    count(), countIf(notEmpty(explained_by))
FROM access
WHERE tenant = {{tenant:String}} AND patient_id IN {{ids:Array(String)}} AND {_PERIOD}
GROUP BY actor_id
ORDER BY last DESC, actor_id
LIMIT {{limit:UInt32}}"""

HOUR_BY_WEEKDAY: Final = f"""
SELECT toDayOfWeek(occurred_at, 1, {{timezone:String}}) AS day, toHour(occurred_at, {{timezone:String}}) AS hour, count()
FROM access
WHERE tenant = {{tenant:String}} AND actor_id IN {{ids:Array(String)}} AND {_PERIOD}
GROUP BY day, hour"""

# As projection `by_day` has it, word for word, or it would not be used.
COUNTS: Final = f"""
SELECT
    toString(toDate(occurred_at)), count(), countIf(notEmpty(patient_id)),
    countIf(notEmpty(patient_id) AND notEmpty(explained_by))
FROM access
WHERE tenant = {{tenant:String}} AND {_DAYS}
GROUP BY toDate(occurred_at)"""

ALERTS: Final = f"""
SELECT body, if({{order:String}} = 'priority', priority, toFloat64(toUnixTimestamp64Micro(last_seen))) AS rank, id
FROM alert FINAL
WHERE tenant = {{tenant:String}} AND {_LAST_SEEN} AND priority >= {{min_priority:Float64}}
    AND {{severity:String}} IN ('', severity)
    AND ({{detector:String}} = '' OR has(detectors, {{detector:String}}))
    AND {{actor:String}} IN ('', actor)
    AND ({{patient:String}} = '' OR has(patients, {{patient:String}}))
    AND ({{late:String}} = '' OR ({{late:String}} = 'yes') = JSONExtractBool(body, 'late'))
    AND ({{suppressed:String}} = '' OR ({{suppressed:String}} = 'yes') = JSONExtractBool(body, 'suppressed'))
    AND (rank, id) < ({{before_rank:Float64}}, {{before_id:String}})
ORDER BY rank DESC, id DESC
LIMIT {{limit:UInt32}}"""

ALERTS_CHANGED: Final = """
SELECT lane, sequence, body
FROM alert FINAL
WHERE tenant = {tenant:String} AND sequence > transform(lane, {lanes:Array(String)}, {sequences:Array(UInt64)}, 0)
    AND NOT JSONExtractBool(body, 'suppressed')
ORDER BY lane, sequence
LIMIT {limit:UInt32}"""

EVENTS_OF_ALERTS: Final = (
    "SELECT id, arrayMap(key -> lower(hex(key)), event_keys) FROM alert FINAL WHERE id IN {ids:Array(String)}"
)

ALERT: Final = """
SELECT
    body, arrayMap(key -> lower(hex(key)), event_keys), toUnixTimestamp64Micro(first_seen), toUnixTimestamp64Micro(last_seen)
FROM alert FINAL
WHERE tenant = {tenant:String} AND id = {id:String}"""

ALERTS_BY_DAY: Final = f"""
SELECT toString(toDate(last_seen)), count()
FROM alert FINAL
WHERE tenant = {{tenant:String}} AND {_LAST_SEEN_DAYS} AND NOT JSONExtractBool(body, 'suppressed')
GROUP BY toDate(last_seen)"""

RAW_RECORDS: Final = """
SELECT source, partition, offset, raw
FROM raw_record
WHERE tenant = {tenant:String} AND (partition, offset) IN {places:Array(Tuple(Int64, Int64))}
LIMIT 1 BY source, partition, offset"""

STORED_BEYOND: Final = """
SELECT offset, ordinal
FROM access
WHERE partition = {partition:Int64} AND offset > {offset:Int64} AND offset <= {until:Int64} AND {source:String} IN ('', source)"""

LAST_STORED: Final = """
SELECT source, partition, max(offset)
FROM access
WHERE offset >= {offset:Int64}
GROUP BY source, partition"""

KNOWN: Final = f"SELECT DISTINCT key FROM access WHERE {_KEYS} AND {_PERIOD}"

KEYS: Final = f"SELECT key FROM access WHERE {_PERIOD}"

VERSIONS: Final = "SELECT tenant, id, max(version) FROM alert WHERE id IN {ids:Array(String)} GROUP BY tenant, id"

LAST_SEQUENCE: Final = "SELECT max(sequence) FROM alert WHERE lane = {lane:String}"

CLAIM: Final = """
INSERT INTO claim (partition, epoch, owner)
SELECT
    arrayJoin({partitions:Array(Int64)}),
    (SELECT max(epoch) FROM claim WHERE partition IN {partitions:Array(Int64)}) + 1,
    {owner:String}"""

CLAIMED_BEFORE: Final = """
SELECT owner FROM claim
WHERE partition IN {partitions:Array(Int64)} AND owner != {owner:String}
GROUP BY owner
ORDER BY max(epoch) DESC
LIMIT 100"""

# Two may have claimed at once: the one that comes last by name holds, and the other claims again.
IS_CLAIMED: Final = """throwIf(
    (SELECT countIf(holder != '{owner}') FROM (
        SELECT argMax(owner, (epoch, owner)) AS holder FROM claim WHERE partition IN ({partitions}) GROUP BY partition
    )) > 0
) = 0"""

COLUMNS_OF: Final = """
SELECT arrayStringConcat(groupArray(concat(name, ' ', type)), ', ')
FROM system.columns
WHERE database = currentDatabase() AND table = {table:String}"""

STOP_OF: Final = "KILL QUERY WHERE arrayExists(name -> query_id LIKE name, {names:Array(String)}) SYNC"

STOP: Final = "KILL QUERY WHERE query_id = {id:String} SYNC"

PARTS: Final = "SELECT table, name, level FROM system.parts WHERE active AND database = currentDatabase()"

CHECK_SETTINGS: Final = "SETTINGS check_query_single_value_result = 1"
