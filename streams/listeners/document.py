"""What the file of listeners may say: the model of its YAML. `docs/listeners.md` has the reference of these keys."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from streams.listeners.framing import Framing
from streams.yaml_file import Secret, Strict, parse, read_bytes

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Column = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Attribute = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9;.-]{0,63}$")]
Pattern = Annotated[str, Field(min_length=1, max_length=255)]


class Rule(Strict):
    """Which messages a format reads: those whose header matches all that is told. `*` and `?` stand for any characters."""

    source: str = Field(description="the format that reads them")
    app_name: Pattern = Field("*", description="APP-NAME; of older messages the tag")
    msgid: Pattern = Field("*", description="MSGID, such as `IHE+RFC-3881`")
    host: Pattern = Field("*", description="HOSTNAME, as the sender told it")
    whole: bool = Field(default=False, description="whether the format is given the header as well")


class Port(Strict):
    """A port, and who may come to it."""

    name: Name = Field(description="what it is called in metrics")
    transport: Literal["tls", "tcp", "udp"] = Field(description="how it is spoken to")
    host: str = Field("127.0.0.1", description="address to listen on; `::` and `0.0.0.0` are all")
    port: int = Field(ge=1, le=65_535, description="its number")
    message_bytes_max: int = Field(1 << 20, ge=2_048, le=2 << 20, description="bytes of one message; longer ones are refused")
    certificate_file: Path | None = Field(None, description="TLS: our certificate with its chain (PEM)")
    key_file: Path | None = Field(None, description="TLS: its key (PEM), not encrypted")
    client_ca_file: Path | None = Field(
        None, description="TLS: the authorities (PEM) one of which must have signed a sender's certificate"
    )
    clients: list[str] = Field(
        [],
        max_length=10_000,
        description="TLS: senders by a name in their certificate, or by `sha-256:AB:CD:…`; none: all with such a certificate",
    )
    networks: list[IPv4Network | IPv6Network] = Field([], max_length=1_000, description="where senders are; none: anywhere")
    connections_max: int = Field(500, ge=1, le=10_000, description="connections open at once; more are closed")

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        is_tls = self.transport == "tls"
        if is_tls and (self.certificate_file is None or self.key_file is None):
            raise ValueError("tls asks for certificate_file and key_file")
        if not is_tls and (self.certificate_file or self.key_file or self.client_ca_file or self.clients):
            raise ValueError("certificates go with transport: tls")
        if self.clients and self.client_ca_file is None:
            raise ValueError("clients asks for client_ca_file")
        if not (_is_loopback(self.host) or self.networks or self.client_ca_file):
            raise ValueError("beyond this machine it asks for client_ca_file or networks")
        return self


class Syslog(Port):
    """One port that takes syslog."""

    transport: Literal["tls", "tcp", "udp"] = Field(description="`tls` (RFC 5425), `tcp` (RFC 6587) or `udp` (RFC 5426)")
    port: int = Field(ge=1, le=65_535, description="6514 is TLS's, 514 the others'")
    source: str | None = Field(None, description="the format that reads what no rule matches; none: it is left out, and counted")
    whole: bool = Field(default=False, description="whether that format is given the header as well")
    rules: list[Rule] = Field([], max_length=200, description="which format reads what; the first that matches holds")
    framing: Framing = Field(
        Framing.AUTO, description="how messages stand in a stream: `octets` counted, `lines`, or `auto`: each as it shows itself"
    )


class Hl7(Port):
    """One port that takes HL7 v2 messages by MLLP and answers each."""

    transport: Literal["tls", "tcp"] = Field(description="`tls` or `tcp`: what MLLP goes over")
    authority: str = Field(
        "",
        max_length=255,
        description="who gives the numbers that events name patients by: namespace or OID of PID-3 (CX-4); "
        "none: the first of type PI, else MR, else the first that is no national one",
    )
    processing: list[Annotated[str, Field(min_length=1, max_length=3)]] = Field(
        ["P"], min_length=1, max_length=9, description="processing ids (MSH-11) that are taken; messages of others are refused"
    )


class Files(Strict):
    """Files that are written to, or put into a folder."""

    name: Name = Field(description="what it is called in metrics")
    paths: list[Annotated[str, Field(min_length=1, max_length=4_096)]] = Field(
        min_length=1, max_length=100, description="which files: `*`, `?`, `[…]`; `**` is any folders. Absolute"
    )
    source: str = Field(description="the format that reads them")
    whole: bool = Field(
        default=False, description="whether a file is taken once it is finished, as one delivery, not line by line as it grows"
    )
    poll_seconds: float = Field(1.0, ge=0.05, le=3_600, description="how often is looked for what is new")
    quiet_seconds: float = Field(
        30.0, ge=0, le=86_400, description="a file not written to for so long is finished, and a last line without line end too"
    )

    @field_validator("paths")
    @classmethod
    def _absolute(cls, paths: list[str]) -> list[str]:
        if not all(path.startswith("/") for path in paths):
            raise ValueError("a path begins with /")
        return paths


class Sql(Strict):
    """A table of a database that an application writes accesses to."""

    name: Name = Field(description="what it is called in metrics; how far it was read is known by it")
    url: Secret = Field(
        description="where the database is, as SQLAlchemy writes it, with a reader's password: `env:NAME` or `file:PATH`"
    )
    source: str = Field(
        description="the format that reads a row: as a JSON object of its columns, or a line of CSV under its header"
    )
    document: Column | None = Field(None, description="the column that holds the whole record; none: the row is the record")
    statement: str = Field(
        min_length=1,
        max_length=100_000,
        description="what asks for the next rows: those behind `:column` of each watermark, in their order, at most `:limit`",
    )
    watermark: list[Column] = Field(
        min_length=1, max_length=5, description="the columns that rows are ordered by, all together unlike"
    )
    start: list[Annotated[str, Field(max_length=255)]] = Field(
        min_length=1, max_length=5, description="behind which values of them reading begins the first time"
    )
    key: list[Column] = Field(min_length=1, max_length=10, description="the columns that tell a row from all others")
    overlap: int = Field(
        300,
        ge=0,
        le=604_800,
        description="how far before the last row is asked again, for transactions that end late: seconds of a time, "
        "units of a number; of the first watermark",
    )
    batch: int = Field(1_000, ge=1, le=10_000, description="rows asked for at once")
    poll_seconds: float = Field(10.0, ge=0.05, le=3_600, description="how often is looked for what is new")

    @model_validator(mode="after")
    def _has_starts(self) -> Self:
        if len(self.start) != len(self.watermark):
            raise ValueError("start has a value for each watermark")
        return self


class Bucket(Strict):
    """A bucket of an S3-compatible store, into which files are put."""

    name: Name = Field(description="what it is called in metrics; which objects were taken is known by it")
    endpoint: str = Field(pattern=r"^https?://[^/\s]+/?$", description="where the store is, without the bucket")
    region: str = Field("us-east-1", min_length=1, max_length=64, description="the store's region, as it calls it")
    bucket: str = Field(min_length=3, max_length=63, description="the bucket's name")
    prefix: str = Field("", max_length=1_024, description="what the keys of the objects begin with, up to a `/`")
    keys: list[Pattern] = Field(
        ["*"], min_length=1, max_length=100, description="which keys: `*`, `?`, `[…]`; `*` stands for `/` too"
    )
    source: str = Field(description="the format that reads them, each as one delivery; gzip and zstd are known by what they hold")
    access_key: Secret | None = Field(
        None, description="`env:NAME` or `file:PATH`; none: the machine's own role, or AWS_* variables"
    )
    secret_key: Secret | None = Field(None, description="its secret: `env:NAME` or `file:PATH`")
    days: float = Field(
        7.0, gt=0, le=366, description="objects put there longer ago are not looked at: history is for `backfill`"
    )
    names_grow: bool = Field(
        default=False, description="whether later objects have later names: then what is too old is not listed again and again"
    )
    bytes_max: int = Field(1 << 30, ge=1, le=1 << 34, description="bytes of one object; larger ones are left out, and counted")
    poll_seconds: float = Field(60.0, ge=0.05, le=86_400, description="how often is looked for what is new")

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        if self.endpoint.startswith("http://") and not _is_loopback(urlsplit(self.endpoint).hostname or ""):
            raise ValueError("records would come unencrypted: https")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key go together")
        return self


class Attributes(Strict):
    """Which attributes of an entry say what: of several, the first that it has, but where all of them are taken.

    What comes along fits Active Directory and inetOrgPerson.
    """

    id: list[Attribute] = Field(
        ["uid", "sAMAccountName"], min_length=1, description="what events name people by; entries without are left out"
    )
    aliases: list[Attribute] = Field(
        ["uid", "sAMAccountName", "userPrincipalName", "employeeNumber", "employeeID"],
        description="what else may name them: all of them",
    )
    mail: list[Attribute] = Field(["mail"], description="work addresses: all of them")
    rpps: list[Attribute] = Field([], description="the number in RPPS")
    family: list[Attribute] = Field(["sn"], description="family name")
    given: list[Attribute] = Field(["givenName"], description="given name")
    role: list[Attribute] = Field(["title"], description="what they do")
    units: list[Attribute] = Field(
        ["departmentNumber", "department", "ou"], description="where they work: all values of the first"
    )
    start: list[Attribute] = Field([], description="since when they work here")
    end: list[Attribute] = Field(["accountExpires", "shadowExpire"], description="until when")


class Ldap(Strict):
    """A directory of the staff, read as a whole again and again."""

    name: Name = Field(description="what it is called in metrics; who was in it is known by it")
    url: str = Field(pattern=r"^ldaps?://\S+$", description="`ldaps://host:636`, or `ldap://host:389`")
    start_tls: bool = Field(default=True, description="whether ldap:// goes on over TLS; needed unless it is this machine")
    ca_file: Path | None = Field(
        None, description="the authorities (PEM) that the server's certificate comes from; none: the system's"
    )
    user: str = Field("", description="the name (DN or UPN) of a reader; none: anonymous")
    password: Secret | None = Field(None, description="their password: `env:NAME` or `file:PATH`")
    base: str = Field(min_length=1, description="below which entry people are")
    filter: str = Field("(|(objectClass=inetOrgPerson)(&(objectClass=user)(objectCategory=person)))", description="which entries")
    attributes: Attributes = Field(Attributes(), description="which attributes say what: see below")
    page: int = Field(500, ge=1, le=10_000, description="entries asked for at once")
    people_max: int = Field(200_000, ge=1, le=2_000_000, description="a directory of more is refused")
    poll_seconds: float = Field(3_600.0, ge=0.05, le=86_400, description="how often it is read")

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        host = urlsplit(self.url).hostname or ""
        if self.url.startswith("ldap://") and not self.start_tls and not _is_loopback(host):
            raise ValueError("a password would go unencrypted: ldaps, or start_tls")
        return self


class Listeners(Strict):
    """The file."""

    syslog: list[Syslog] = Field([], max_length=50, description="ports that take syslog")
    files: list[Files] = Field([], max_length=50, description="files that are followed")
    hl7: list[Hl7] = Field([], max_length=50, description="ports that take HL7 v2 messages")
    sql: list[Sql] = Field([], max_length=50, description="tables that are asked for what is new")
    buckets: list[Bucket] = Field([], max_length=50, description="S3-compatible buckets into which files are put")
    ldap: list[Ldap] = Field([], max_length=50, description="directories of the staff")

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        ports: tuple[Sequence[Port], ...] = (self.syslog, self.hl7)
        read: tuple[Sequence[Files | Sql | Bucket | Ldap], ...] = (self.files, self.sql, self.buckets, self.ldap)
        names = [one.name for part in (*ports, *read) for one in part]
        if len(set(names)) < len(names):
            raise ValueError("two of one name")
        return self

    def sources(self) -> set[str]:
        """Return the names of all formats that are given something."""
        told = {rule.source for one in self.syslog for rule in one.rules}
        told |= {one.source for one in self.syslog if one.source}
        return told | {one.source for part in (self.files, self.sql, self.buckets) for one in part}


def read(path: Path) -> Listeners:
    """Return what a file of listeners says.

    Raises:
        WrongFileError: it is not there, not YAML, or says what such a file cannot.
    """
    return parse(read_bytes(path), path.name, Listeners, "file of listeners")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
