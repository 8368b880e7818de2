"""The one frozen tree of settings, read by the command line and assembly alone: environment `SENTINEL_*`."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Annotated, Final, Self, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from sentinel.core.errors import RefusedToStartError

PREFIX: Final = "SENTINEL_"
# Of the tests, not of the service.
TEST_SWITCHES: Final = frozenset({"SENTINEL_REAL", "SENTINEL_SOAK", "SENTINEL_KILLS", "SENTINEL_FUZZ_SECONDS"})


class Settings(BaseModel):
    """Everything that can be set. Unknown names are refused; secrets are never shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data: Path = Field(Path("var/sentinel"), description="folder of the intake log, checkpoints and the embedded store")
    host: str = Field("127.0.0.1", description="address to listen on; another than this machine's own needs both keys below")
    port: int = Field(8000, ge=0, le=65_535, description="TCP port of the service; 0: any free one")
    intake_key: SecretStr | None = Field(None, description="what integrators present to push events")
    console_token: SecretStr | None = Field(None, description="what readers of the console and the API present")
    hosts: tuple[str, ...] = Field((), description="names the service is reached by, besides this machine's own")
    store: SecretStr | None = Field(None, description="DSN of ClickHouse; none: chDB in the data folder")
    tenant: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")] = Field(
        "default", description="the controller whose accesses these are"
    )
    timezone: str = Field("Europe/Paris", description="the site's time zone, for hours of work and for display")
    budget: float = Field(10.0, ge=0, description="alerts a day that people can read; 0: all")
    mappings: tuple[str, ...] = Field((), description="files and folders of mappings: formats that a YAML file describes")
    sources: tuple[str, ...] | None = Field(None, description="names of the formats that are taken; none: all that are found")
    detectors: tuple[str, ...] | None = Field(None, description="names of the detectors that run; none: all that are found")
    sigma: tuple[str, ...] = Field((), description="files and folders of Sigma rules that run; `shipped`: those that come along")
    model: bool = Field(default=True, description="whether the online model runs beside the detectors")
    outputs: str | None = Field(None, description="file (YAML) of whom alerts are told to: webhooks, syslog, mail")
    rules: str | None = Field(
        None,
        description="file (YAML) of what is told less, or looked at more closely: suppressions, watch-lists, maintenance windows",
    )
    configuration: str | None = Field(
        None,
        description="file (YAML) of detectors' and the model's numbers, which are off, and the budget; none: as they are made",
    )
    shadow: str | None = Field(
        None, description="file (YAML) of another configuration, which runs beside and tells nothing; embedded service and replay"
    )
    spool_bytes_max: int = Field(8 << 30, ge=1 << 20, description="bytes of the intake log before the service says 503")
    body_bytes_max: int = Field(32 << 20, ge=1 << 10, description="bytes of one request before the service says 413")
    listeners: str | None = Field(None, description="file (YAML) of the ways in besides HTTP: syslog ports, followed files")
    kafka_servers: str = Field(
        "127.0.0.1:9092", min_length=1, description="some of Kafka's brokers, host:port separated by commas"
    )
    kafka_protocol: str = Field(
        "SASL_SSL",
        pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$",
        description="how Kafka is spoken to: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    )
    kafka_mechanism: str = Field(
        "SCRAM-SHA-512",
        pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$",
        description="how the password is proved to Kafka: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN",
    )
    kafka_user: str | None = Field(None, description="Sentinel's user in Kafka, with SASL")
    kafka_password: SecretStr | None = Field(None, description="that user's password")
    kafka_ca_file: str | None = Field(
        None, description="file (PEM) of the authorities that the brokers' certificates come from; none: the system's"
    )
    kafka_certificate_file: str | None = Field(
        None, description="file (PEM) of Sentinel's own certificate with its chain, for brokers that want one"
    )
    kafka_key_file: str | None = Field(None, description="file (PEM) of that certificate's key, not encrypted")
    kafka_prefix: str | None = Field(
        None, max_length=100, pattern=r"^[A-Za-z0-9._-]*$", description="what the names of all topics begin with, such as `chu.`"
    )
    kafka_partitions: int = Field(
        12, ge=1, le=1_000, description="partitions of the topics that grow with the events; never changed once they are made"
    )
    kafka_state_key: SecretStr | None = Field(
        None, min_length=16, description="what the state that workers keep in Kafka is signed with; the same for all workers"
    )
    kafka_replication: int = Field(3, ge=1, le=10, description="copies of each record in Kafka; 1 where there is one broker")

    @field_validator("*", mode="before")
    @classmethod
    def _told_as_json(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str) or not _is_list(cls.model_fields[str(info.field_name)].annotation):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("not a JSON list") from None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no such time zone") from None
        return name

    @classmethod
    def read(cls, **given: object) -> Self:
        """Return the settings of the environment, overridden by `given` where not None.

        Raises:
            RefusedToStartError: one of them cannot be used; the message names it, never its value.
        """
        told = _told(os.environ, cls.model_fields)
        try:
            return cls.model_validate(told | {name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            raise RefusedToStartError(f"settings: {wrong}") from None


def _is_list(annotation: object) -> bool:
    """Tell whether a setting holds several values, which the environment gives as a JSON list."""
    return tuple in (get_origin(annotation), *map(get_origin, get_args(annotation)))


def _told(environment: Mapping[str, str], known: Container[str]) -> dict[str, object]:
    """Return what the environment sets. A mistyped SENTINEL_INTAKE_KEY must not leave the service without its key."""
    told = {name: name.upper().removeprefix(PREFIX).lower() for name in environment if name.upper().startswith(PREFIX)}
    unknown = sorted(name for name, field in told.items() if field not in known and name.upper() not in TEST_SWITCHES)
    if unknown:
        raise RefusedToStartError(f"settings: there is no {', '.join(unknown)}")
    return {field: environment[name] for name, field in told.items() if field in known}
