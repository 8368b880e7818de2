"""A directory of the staff on a real server: people, what changes of them, and who is there no more."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

import ldap3
import pytest
from ldap3.core.exceptions import LDAPException
from pydantic import ValidationError

from streams.context.fhir import decode
from streams.context.ldap import person_of, time_of
from streams.listeners.directory import Directory
from streams.listeners.document import Attributes, Ldap
from streams.listeners.feeding import ContextFeed
from streams.listeners.ldap import LdapListener, NotReadError
from tests.kafka.certificates import Authority
from tests.listeners.listening import Kept, free_port
from tests.web.api_parts import FixedClock

PARIS = ZoneInfo("Europe/Paris")
SLAPD = shutil.which("slapd") or shutil.which("slapd", path="/usr/sbin")
BASE = "dc=chu,dc=example"
READER = {"user": f"cn=admin,{BASE}", "password": "env:LDAP_PASSWORD"}
CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
database mdb
suffix "{base}"
rootdn "cn=admin,{base}"
rootpw reading-all-of-it
directory {folder}
sizelimit size.prtotal=unlimited
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the server's certificate comes from."""
    return Authority(tmp_path_factory.mktemp("ldap-authority") / "files")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[str]:
    """Debian's slapd with an empty directory; its address."""
    assert SLAPD is not None, "Debian's slapd is to be installed: make test does"
    folder = tmp_path_factory.mktemp("slapd")
    (folder / "data").mkdir()
    signed = authority.sign("broker", "ldap-server")
    told = {"ca": authority.file, "certificate": signed.certificate, "key": signed.key, "base": BASE, "folder": folder / "data"}
    (folder / "slapd.conf").write_text(CONFIG.format(**told))
    url = f"ldap://127.0.0.1:{free_port()}"
    process = subprocess.Popen([SLAPD, "-f", folder / "slapd.conf", "-h", url, "-d", "0"], stderr=subprocess.DEVNULL)
    try:
        admin = _connected(url, process)
        admin.add(BASE, ["dcObject", "organization"], {"o": "CHU"})
        admin.add(f"ou=people,{BASE}", "organizationalUnit")
        yield url
        admin.unbind()
    finally:
        process.terminate()
        process.wait(30)


def _connected(url: str, process: subprocess.Popen[bytes] | None = None) -> ldap3.Connection:
    deadline = time.monotonic() + 30
    while True:
        try:
            return ldap3.Connection(url, READER["user"], "reading-all-of-it", auto_bind=True, raise_exceptions=True)
        except LDAPException:
            assert time.monotonic() < deadline
            assert process is None or process.poll() is None
            time.sleep(0.05)


def put(url: str, uid: str, **told: Any) -> None:
    admin = _connected(url)
    admin.add(f"uid={uid},ou=people,{BASE}", ["inetOrgPerson", "shadowAccount"], {"sn": uid.title(), "cn": uid} | told)
    admin.unbind()


def a_listener(kept: Kept, url: str, **told: Any) -> LdapListener:
    settings = Ldap.model_validate({"name": "staff", "url": url, "base": BASE, "page": 7} | READER | told)
    feed = ContextFeed("t", decode, kept.intake, FixedClock().now_us, kept.counts)
    return LdapListener(settings, Directory("staff", feed, kept.marks), PARIS)


def stands(kept: Kept) -> dict[str, dict]:
    told = [json.loads(record.raw) for record in kept.records()]
    return {f"{one['resourceType']}/{one['id']}": one for one in told}


def positions(kept: Kept) -> dict[str, bool]:
    found = [one for one in stands(kept).values() if one["resourceType"] == "PractitionerRole"]
    return {
        f"{one['practitioner']['identifier']['value']} {one['organization']['identifier']['value']}": one["active"]
        for one in found
    }


def test_people_come_change_and_leave(kept: Kept, server: str, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS, in pages; told again only when something changed; a listener made anew knows who was there."""
    monkeypatch.setenv("LDAP_PASSWORD", "reading-all-of-it")
    for number in range(20):
        put(
            server,
            f"u{number}",
            departmentNumber=["CARDIO", "REA"] if number == 0 else "MED",
            title="Infirmière",
            mail=f"u{number}@x.fr",
        )

    def look() -> int:
        before = len(kept.records())
        asyncio.run(a_listener(kept, server, ca_file=str(authority.file)).look())
        return len(kept.records()) - before

    assert look() == 41
    assert look() == 0
    assert stands(kept)["Practitioner/u0"]["telecom"][0]["value"] == "u0@x.fr"
    admin = _connected(server)
    admin.modify(f"uid=u0,ou=people,{BASE}", {"departmentNumber": [(ldap3.MODIFY_REPLACE, ["CARDIO"])]})
    admin.modify(f"uid=u1,ou=people,{BASE}", {"shadowExpire": [(ldap3.MODIFY_ADD, ["19000"])]})
    admin.delete(f"uid=u2,ou=people,{BASE}")
    admin.unbind()
    assert look() == 5
    found = positions(kept)
    assert {name for name, active in found.items() if not active} == {"u0 REA", "u1 MED", "u2 MED"}
    ends = [one["period"]["end"] for one in stands(kept).values() if one.get("active") is False and "period" in one]
    assert sorted(ends) == ["2022-01-08T00:00:00Z", "2026-02-25T06:13:20Z", "2026-02-25T06:13:20Z"]
    assert stands(kept)["Practitioner/u2"]["active"] is False


@pytest.mark.parametrize(
    "told", [{"base": "dc=nowhere"}, {"filter": "(uid=nobody)"}, {"password": "env:WRONG"}, {"ca_file": None}, {"people_max": 3}]
)
def test_what_cannot_be_read_changes_nothing(
    kept: Kept, server: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, told: dict
) -> None:
    """A wrong base, filter, password or certificate, or too many: nobody has left for that."""
    monkeypatch.setenv("LDAP_PASSWORD", "reading-all-of-it")
    monkeypatch.setenv("WRONG", "SECRET")
    for uid in ("v1", "v2", "v3", "v4"):
        with suppress(LDAPException):  # there already
            put(server, uid)
    asyncio.run(a_listener(kept, server, ca_file=str(authority.file)).look())
    before = len(kept.records())
    with pytest.raises(NotReadError) as refused:
        asyncio.run(a_listener(kept, server, **{"ca_file": str(authority.file), **told}).look())
    assert "SECRET" not in str(refused.value)
    assert len(kept.records()) == before


def test_passwords_do_not_go_unencrypted() -> None:
    """Another machine is spoken to over TLS, or not at all."""
    with pytest.raises(ValidationError):
        Ldap.model_validate({"name": "a", "url": "ldap://dc.chu.example", "base": BASE, "start_tls": False})


def test_active_directory() -> None:
    """Its names, its disabled accounts, its times of expiry."""
    entry = {
        "samaccountname": ["MLefebvre"],
        "department": ["CARDIO"],
        "accountexpires": ["133000000000000000"],
        "sn": ["Lefebvre"],
    }
    attributes = Attributes().model_dump()
    person = person_of(entry, attributes, 0, PARIS)
    assert person is not None
    assert (person.id, person.aliases, person.units, person.active) == ("MLefebvre", ("mlefebvre",), ("CARDIO",), True)
    assert person.end == "2022-06-18T04:26:40Z"
    assert not person_of(entry | {"useraccountcontrol": ["514"]}, attributes, 0, PARIS).active
    assert not person_of(entry, attributes, 2_000_000_000_000_000, PARIS).active
    assert person_of({"sn": ["x"]}, attributes, 0, PARIS) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("20240301103000Z", 1_709_289_000),
        ("20240301", 1_709_247_600),
        ("2024-03-01", 1_709_247_600),
        ("19783", 1_709_251_200),
        ("9223372036854775807", None),
        ("0", None),
        ("soon", None),
    ],
)
def test_times(text: str, told: int | None) -> None:
    """However directories write them."""
    assert time_of(text, PARIS) == (None if told is None else told * 1_000_000)
