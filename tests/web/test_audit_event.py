"""An access written as an AuditEvent: valid R4, in FHIR's order, and the same event when it is read."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.alert import rfc3339
from sentinel.core.event import (
    EPOCH,
    TIME_MAX_US,
    TIME_MIN_US,
    AccessEvent,
    Action,
    ActorType,
    Destination,
    EventRow,
    Outcome,
    row_of,
)
from sentinel.web.audit_event import audit_event
from sentinel.web.fhir_form import to_xml
from streams.sources.fhir_auditevent import SOURCE
from tests.real import REAL, needs_real
from tests.sources.test_fhir_real_records import FILES as FHIR_FILES
from tests.sources.test_real_logs import FILES, SOURCES, records

KEY = "0f" * 16
FAILURES = (Outcome.MINOR_FAILURE, Outcome.SERIOUS_FAILURE, Outcome.MAJOR_FAILURE)

ids = st.from_regex(r"[A-Za-z0-9éß\\'\"<&][A-Za-z0-9 .:/\\'\"<&é-]{0,20}", fullmatch=True).map(str.strip)
words = st.one_of(st.just(""), st.from_regex(r"[A-Za-zé<&][A-Za-z0-9 '<&\n\té]{0,20}[A-Za-z]", fullmatch=True))
codes = st.one_of(st.just(""), st.sampled_from(["TREAT", "ETREAT", "R", "V", "CEL", "recherche"]))
names = st.one_of(st.just(""), st.from_regex(r"PC-[A-Z]{1,8}-[0-9]{2}", fullmatch=True))

events = st.builds(
    AccessEvent,
    id=ids,
    occurred_at=st.integers(TIME_MIN_US, TIME_MAX_US - 1).map(lambda us: EPOCH + timedelta(microseconds=us)),
    action=st.sampled_from(Action),
    outcome=st.sampled_from(Outcome),
    actor_id=ids,
    actor_type=st.sampled_from(ActorType),
    actor_role=words,
    actor_unit=words,
    actor_rpps=st.sampled_from(["", "10100000001"]),
    patient_id=st.one_of(st.just(""), ids),
    resource_type=st.sampled_from(["", "Patient", "DocumentReference", "dossier"]),
    resource_id=st.one_of(st.just(""), ids),
    resource_sensitivity=codes,
    resource_count=st.integers(0, 2_000_000_000),
    purpose=codes,
    reason=words,
    client_address=st.sampled_from(["", "10.1.2.3", "2001:db8::1"]),
    device=names,
    application=words,
    site=words,
    session=st.one_of(st.just(""), ids),
    destination=st.sampled_from(Destination),
)


def access_of(event: AccessEvent) -> dict[str, Any]:
    """Return the access as the store answers it."""
    return access_of_row(row_of(event))


def access_of_row(row: EventRow) -> dict[str, Any]:
    told = row._asdict() | {"key": KEY, "source": "sentinel_json", "occurred_at": rfc3339(row.occurred_at)}
    return told | {"received_at": rfc3339(row.occurred_at + 1_500_000)}


def read(resource: Any) -> list[EventRow]:
    decoded = SOURCE.decode([json.dumps(resource).encode()])
    assert decoded.rejections == []
    return decoded.rows


def as_fhir_tells_it(row: EventRow) -> EventRow:
    """Return the event but for what FHIR does not tell apart."""
    told: dict[str, Any] = {"id": KEY, "action": _deed(row)}
    if row.action == Action.PRINT:
        told["destination"] = Destination.PAPER.value
    if row.actor_type == ActorType.SERVICE:
        told["device"] = row.device or row.actor_id
    if row.patient_id and (not (row.resource_type or row.resource_id) or (row.resource_type, row.resource_id) == ("Patient", "")):
        told |= {"resource_type": "Patient", "resource_id": row.patient_id}
    elif row.patient_id and row.resource_type == "Patient" and row.resource_id != row.patient_id:
        told["resource_type"] = ""
    elif row.resource_type == "Patient":
        told["patient_id"] = row.resource_id
    return row._replace(**told)


def _deed(row: EventRow) -> str:
    if row.action in {Action.LOGIN, Action.LOGIN_FAILED}:
        return (Action.LOGIN_FAILED if row.outcome in FAILURES else Action.LOGIN).value
    if row.action == Action.EXPORT and row.destination in {Destination.EMAIL, Destination.LINK}:
        return Action.SHARE.value
    is_print = row.action == Action.PRINT or (row.action == Action.EXPORT and row.destination == Destination.PAPER)
    return Action.PRINT.value if is_print else row.action


@given(events)
@settings(max_examples=150, deadline=None)
def test_it_is_read_as_the_same_event(event: AccessEvent):
    """Every field, through our own source."""
    assert read(audit_event(access_of(event))) == [as_fhir_tells_it(row_of(event))]


def skeleton(value: Any) -> Any:
    """Return names alone, in their order."""
    if isinstance(value, dict):
        return [(name, skeleton(one)) for name, one in value.items()]
    return [skeleton(one) for one in value] if isinstance(value, list) else None


@given(events)
@settings(max_examples=40, deadline=None)
def test_it_is_valid_and_in_order(event: AccessEvent):
    """By the published definitions, which XML follows."""
    resource = audit_event(access_of(event))
    known = json.loads(AuditEvent.model_validate(resource).model_dump_json())
    assert skeleton(known) == skeleton(resource)


REAL_FILES = {REAL / name: format_ for name, (format_, *_) in FILES.items()} | dict.fromkeys(FHIR_FILES, SOURCE.name)


@needs_real
@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_real_events_are_read_as_the_same(path: Path):
    """Of all formats, in JSON and in XML: no name, no id and no reason that somebody wrote is lost on the way."""
    source = SOURCES[REAL_FILES[path]]
    for row in source.decode(records(source, path)[:200]).rows[:100]:
        resource = audit_event(access_of_row(row))
        AuditEvent.model_validate(resource)
        assert read(resource) == [as_fhir_tells_it(row._replace(sub=""))]
        assert SOURCE.decode([to_xml(json.dumps(resource).encode())]).rows == read(resource)
