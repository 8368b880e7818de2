"""An analyst's verdict on an alert, as the service keeps it in its log: with all that is needed to learn from it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final

import msgspec

from sentinel.core.context import ContextRecord, Judgement, Verdict
from sentinel.core.errors import RejectedError, RejectionCode
from sentinel.core.event import TEXT_MAX, microseconds
from sentinel.core.ids import derive
from streams.record import Kind, LogRecord

SOURCE: Final = "verdict"
ALERT_ID: Final = re.compile(r"[0-9a-zA-Z]{1,64}")
REASON_MAX: Final = 4_000
DETECTORS_MAX: Final = 200
PATIENTS_MAX: Final = 200  # of one alert

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A verdict with the alert it is about as it stood then. `by`: who gave it, as they call themselves."""

    alert: Annotated[str, msgspec.Meta(pattern=rf"^{ALERT_ID.pattern}\Z")]
    actor: Text
    detectors: Annotated[tuple[Text, ...], msgspec.Meta(max_length=DETECTORS_MAX)]
    patients: Annotated[tuple[Text, ...], msgspec.Meta(max_length=PATIENTS_MAX)]
    verdict: Judgement
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    by: Annotated[str, msgspec.Meta(max_length=TEXT_MAX)] = ""
    reason: Annotated[str, msgspec.Meta(max_length=REASON_MAX)] = ""


_decoder: Final = msgspec.json.Decoder(Told)


def record(tenant: str, told: Told) -> LogRecord:
    """Return what goes into the log: the newest verdict on each alert is never forgotten there."""
    subject = derive("subject", SOURCE, told.alert)
    return LogRecord(tenant, Kind.CONTEXT, SOURCE, msgspec.json.encode(told), microseconds(told.at), subject)


def decode(raw: bytes) -> list[ContextRecord]:
    """Return what the pipeline learns of a verdict.

    Raises:
        RejectedError: it is not one; neither code nor detail quotes it.
    """
    return [learnt(read(raw))]


def learnt(told: Told) -> Verdict:
    """Return what the pipeline learns of a verdict."""
    return Verdict(told.alert, told.actor, told.detectors, told.patients, told.verdict, microseconds(told.at))


def taken_back(alert: str) -> Verdict:
    """Return what takes the verdict on an alert back, whatever it was and whomever it was about."""
    return Verdict(alert, "", (), (), Judgement.UNCLEAR, 0)


def read(raw: bytes) -> Told:
    """Return a verdict as it was told.

    Raises:
        RejectedError: as `decode`.
    """
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError:
        raise RejectedError(RejectionCode.BAD_VALUE, "", "a field is missing, unknown or out of its range") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RejectedError(RejectionCode.UNPARSEABLE, "", "not JSON") from None
