"""What a kind of output is: its settings, and how one alert is told to a receiver."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import BeforeValidator, Field, SecretStr

from sentinel.core.alert import Alert, Severity
from sentinel.core.errors import RefusedToStartError, SentinelError
from sentinel.core.ids import derive
from streams.yaml_file import Strict


class Trouble(StrEnum):
    """Why an alert was not taken. A bounded set: it labels dead letters."""

    UNREACHABLE = "unreachable"  # no connection, or it broke
    TIMEOUT = "timeout"
    CERTIFICATE = "certificate"  # theirs is not trusted
    ADDRESS_REFUSED = "address-refused"  # the name leads where the settings don't allow to go
    REDIRECTED = "redirected"  # never followed
    UNAUTHORISED = "unauthorised"  # they don't know us
    BUSY = "busy"  # they ask to wait
    REFUSED = "refused"  # this very message: the same again would be refused again
    OTHERWISE = "answered-otherwise"
    FAILED = "failed"  # in Sentinel's own code


class NotTakenError(SentinelError):
    """The receiver has not taken an alert. `is_final`: it would not take it another time either."""

    def __init__(self, code: Trouble, *, is_final: bool = False, retry_after_seconds: float = 0.0) -> None:
        super().__init__(code)
        self.code, self.is_final, self.retry_after_seconds = code, is_final, retry_after_seconds


def _read_secret(told: object) -> object:
    """Return what stands at `env:NAME` or in `file:PATH`: a secret never stands in the settings file itself."""
    if not isinstance(told, str):
        return told
    where, _, name = told.partition(":")
    try:
        if where == "env":
            return os.environ[name]
        if where == "file":
            return Path(name).read_text(encoding="utf-8").strip()
    except (KeyError, OSError, ValueError):  # whose words would quote what is there
        pass
    raise ValueError("a secret is told by its place, env:NAME or file:PATH, and has to be there")


Secret = Annotated[SecretStr, BeforeValidator(_read_secret), Field(min_length=1)]


class Updates(StrEnum):
    """Which changes of a story are told after the first time."""

    ALL = "all"
    GRAVER = "graver"
    FIRST = "first"


class Section(Strict):
    """What can be set for every output."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="what it is called in commands and metrics")
    min_severity: Severity = Field(Severity.LOW, description="stories below it are not told")
    updates: Updates = Field(
        Updates.ALL, description="which changes of a story are told: `all`, `graver` (when its severity rises) or `first` (none)"
    )
    late: bool = Field(default=True, description="whether alerts are told that a backfill finds in history")
    patients: Literal["none", "clear"] = Field(
        "none", description="whether patients' ids leave: `none` (their number alone) or `clear`"
    )
    language: Literal["fr", "en"] = Field("en", description="of the sentences, where a format has room for one language")
    console: str | None = Field(
        None, pattern=r"^https?://\S+$", description="address of Sentinel's console, for a link to the alert"
    )
    attempts_max: int = Field(1_000, ge=1, le=100_000, description="tries before an alert becomes a dead letter")
    age_hours_max: float = Field(72.0, gt=0, le=2_160, description="hours of trying before it does")
    timeout_seconds: float = Field(10.0, gt=0, le=120, description="for one try")


@dataclass(frozen=True, slots=True)
class Telling:
    """One alert on its way to one output. `id`: the same at each try, so that a receiver knows what it has.

    `alert.patients` is empty where they may not leave; `patients` is their number.
    `is_update`: an earlier state of the same story was told.
    """

    id: str
    alert: Alert
    patients: int
    is_update: bool
    language: Literal["fr", "en"] = "en"
    link: str | None = None

    @property
    def sentences(self) -> list[str]:
        """The reasons, the strongest first, in the output's language."""
        return [reason.fr if self.language == "fr" else reason.en for reason in self.alert.reasons]

    @property
    def title(self) -> str:
        """Severity and detectors: no person."""
        return f"{self.alert.severity.upper()}: {', '.join(self.alert.detectors)}"


def telling(section: Section, alert: Alert, *, is_update: bool) -> Telling:
    """Return what an output may know of an alert."""
    return Telling(
        id=derive("telling", alert.id, section.name, str(alert.version)),
        alert=alert if section.patients == "clear" else replace(alert, patients=()),
        patients=len(alert.patients),
        is_update=is_update,
        language=section.language,
        link=f"{section.console.rstrip('/')}/alerts/{alert.id}" if section.console else None,
    )


class Sender(Protocol):
    """One output that is set up. Used from one event loop, one telling at a time."""

    async def tell(self, telling: Telling, /) -> None:
        """Return once the receiver has taken it.

        Raises:
            NotTakenError: it has not, or it is not certain that it has.
        """
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...


class Clock(Protocol):
    """Where an output learns the time of a try from."""

    def now_us(self) -> int:
        """Return µs since 1970 UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write an alert. `render` gives text for a line of a log, or a JSON object."""

    name: str
    title: str
    media_type: str
    render: Callable[[Telling], str | dict[str, object]]


@dataclass(frozen=True, slots=True)
class Tools:
    """What senders are given: the formats by name, and the time."""

    formats: Mapping[str, Format] = field(repr=False)
    clock: Clock


def format_of(name: str, tools: Tools) -> Format:
    """Return the format called `name`.

    Raises:
        RefusedToStartError: there is none.
    """
    if name not in tools.formats:
        raise RefusedToStartError(f"no such format: {name} (there are: {', '.join(sorted(tools.formats))})")
    return tools.formats[name]


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield a failure and what led to it: libraries hide a certificate that is not trusted behind errors of their own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@dataclass(frozen=True, slots=True)
class Output:
    """One kind of output. `open` makes no connection; it raises `RefusedToStartError` when the section cannot be used."""

    name: str
    title: str
    section: type[Section]
    open: Callable[[Section, Tools], Sender]
