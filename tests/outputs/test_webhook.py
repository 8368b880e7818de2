"""Webhooks: signed so that any Standard Webhooks library verifies them, and sent nowhere they may not go."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme
from pydantic import SecretStr, ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.responses import RedirectResponse, Response

from sentinel.core.errors import RefusedToStartError
from streams.outputs.contract import NotTakenError, Tools
from streams.outputs.formats import sentinel_json
from streams.outputs.guarded_http import Guard, ip_network
from streams.outputs.webhook import OUTPUT, WebhookSection
from tests.outputs.receiving import Clock, a_telling, an_alert, receiver

OLD, NEW = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
HERE = {"allow_plain": True, "allow_networks": ["127.0.0.0/8"]}


def section(url: str, **told: Any) -> WebhookSection:
    return WebhookSection.model_validate({"name": "soc", "url": url, "secrets": [SecretStr(OLD)], **HERE, **told})


def tell(url: str, telling=None, clock: Clock | None = None, **told: Any) -> None:
    """Tell once."""

    async def run() -> None:
        formats = {"sentinel_json": sentinel_json.FORMAT}
        sender = OUTPUT.open(section(url, **told), Tools(formats, clock or Clock()))
        try:
            await sender.tell(telling or a_telling())
        finally:
            await sender.close()

    asyncio.run(run())


def trouble(url: str, **told: Any) -> NotTakenError:
    with pytest.raises(NotTakenError) as failed:
        tell(url, **told)
    return failed.value


def now() -> Clock:
    return Clock(int(datetime.now(UTC).timestamp()) * 1_000_000)


def test_a_receiver_verifies_it_with_either_secret_while_they_are_changed():
    """The signature is over id, time and body; a wrong secret or a changed body is found out."""
    with receiver() as soc:
        tell(soc.url, clock=now(), secrets=[SecretStr(OLD), SecretStr(NEW)])
    (post,) = soc.posts
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(post.body, post.headers)["type"] == "alert.created"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(bytes(32)).decode()).verify(post.body, post.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(post.body.replace(b"high", b"low "), post.headers)
    assert post.headers["content-type"] == "application/json"
    assert post.headers["webhook-id"] == post.headers["idempotency-key"] == a_telling().id


def test_a_second_try_has_the_same_id_and_body_and_a_time_of_its_own():
    """So that a receiver knows it, and takes it for no replay."""
    with receiver() as soc:
        tell(soc.url, clock=Clock(1_772_000_000_000_000))
        tell(soc.url, clock=Clock(1_772_000_300_000_000))
        tell(soc.url, a_telling(an_alert(version=2), is_update=True))
    first, again, update = soc.posts
    assert (first.body, first.headers["webhook-id"]) == (again.body, again.headers["webhook-id"])
    assert [post.headers["webhook-timestamp"] for post in (first, again)] == ["1772000000", "1772000300"]
    assert first.headers["webhook-signature"] != again.headers["webhook-signature"]
    assert update.headers["webhook-id"] != first.headers["webhook-id"]
    assert update.json["type"] == "alert.updated"


@pytest.mark.parametrize(("patients", "told"), [("none", []), ("clear", ["PATIENT-1", "PATIENT-2"])])
def test_patients_leave_only_where_they_may(patients: str, told: list[str]):
    """Their number does; reasons and ids do."""
    with receiver() as soc:
        tell(soc.url, a_telling(patients=patients, console="https://sentinel.example/"))
    data = soc.posts[0].json["data"]
    assert (data["patients"], data["patient_count"]) == (told, 2)
    assert data["reasons"][0]["text"]["en"] == "A relative's record"
    assert data["url"] == f"https://sentinel.example/alerts/{data['id']}"
    assert (b"PATIENT-1" in soc.posts[0].body) == bool(told)


@pytest.mark.parametrize(
    ("status", "code", "is_final"),
    [
        (302, "redirected", False),
        (400, "refused", True),
        (401, "unauthorised", False),
        (404, "answered-otherwise", False),
        (422, "refused", True),
        (429, "busy", False),
        (500, "answered-otherwise", False),
        (503, "busy", False),
    ],
)
def test_what_an_answer_means(status: int, code: str, is_final: bool):
    """What was refused for itself is not sent again; all else is."""
    with receiver() as soc:
        soc.answers = iter([Response(status_code=status, headers={"Retry-After": "17", "Location": "/other"})])
        failed = trouble(soc.url)
    assert (failed.code, failed.is_final, len(soc.posts)) == (code, is_final, 1)
    assert failed.retry_after_seconds == (17 if status in {404, 429, 500, 503} else 0)


def test_a_redirect_is_not_followed():
    """Wherever it leads: it could lead inside."""
    with receiver() as soc:
        soc.answers = iter([RedirectResponse(soc.url + "/elsewhere", 307)])
        assert trouble(soc.url).code == "redirected"
    assert [post.path for post in soc.posts] == ["/in"]


def test_nobody_there():
    """A port without a listener, a name without an address."""
    with receiver() as soc:
        url = soc.url
    assert trouble(url).code == "unreachable"
    assert trouble("https://no-such-host.invalid/").code == "unreachable"


def test_tls_is_checked_against_the_name(tmp_path):
    """A trusted certificate of the name is taken; another authority's, or another name's, is not."""
    ca, other = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    for names, ca_file, code in (
        (("localhost", "127.0.0.1"), "ca.pem", None),
        (("localhost", "127.0.0.1"), "other.pem", "certificate"),
        (("elsewhere.example",), "ca.pem", "certificate"),
    ):
        issued = ca.issue_cert(*names)
        issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
        with receiver(ssl_certfile=str(tmp_path / "server.pem")) as soc:
            url = soc.url.replace("127.0.0.1", "localhost")
            allowed = {"ca_file": tmp_path / ca_file, "allow_plain": False, "allow_networks": ["127.0.0.0/8", "::1/128"]}
            if code is None:
                tell(url, **allowed)
                assert soc.posts[0].headers["host"].startswith("localhost:")
            else:
                assert trouble(url, **allowed).code == code
                assert soc.posts == []


def test_what_is_inside_is_not_gone_to():
    """Neither by its address nor by a name that leads there, unless its network is named."""
    with receiver() as soc:
        for url in (soc.url, soc.url.replace("127.0.0.1", "localhost")):
            assert trouble(url, allow_networks=["10.0.0.0/8"]).code == "address-refused"
    assert soc.posts == []


def test_a_name_is_looked_up_once_and_as_it_is_written(monkeypatch):
    """Neither a second answer nor another reading of an international name (IDNA 2003: `strasse`) leads elsewhere."""
    asked = []

    def look_up(name, port, *_told):
        asked.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    with receiver() as soc:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        tell(soc.url.replace("127.0.0.1", "xn--strae-oqa.example"))
    assert [name for name in asked if name != "127.0.0.1"] == ["xn--strae-oqa.example"]
    assert soc.posts[0].headers["host"].startswith("xn--strae-oqa.example:")


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("10.1.3.3", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("100.100.100.200", False),
        ("168.63.129.16", False),
        ("192.168.0.1", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("255.255.255.255", False),
    ],
)
def test_which_addresses_may_be_gone_to(address: str, allowed: bool):
    """The internet's and the networks named, in whatever way an address is written."""
    assert Guard((ip_network("10.1.2.0/24"),)).allows(address) == allowed


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"url": "http://soc.example/", "allow_plain": False}, "allow_plain"),
        ({"url": "HTTP://soc.example/", "allow_plain": False}, "allow_plain"),
        ({"url": "ftp://soc.example/"}, "https://"),
        ({"url": "https://soc.example:PLANTED/"}, "https://"),
        ({"url": "https://soc.example:65536/"}, "https://"),
        ({"url": "https://[::1/PLANTED"}, "https://"),
        ({"url": "https://user:PLANTED@soc.example/"}, "without user"),
        ({"secrets": []}, "tell that it is us"),
        ({"secrets": [SecretStr("whsec_c2hvcnQ=")]}, "24 to 64"),
        ({"secrets": ["PLANTED"]}, "env:NAME"),
        ({"allow_networks": ["10.1.2.3/8"]}, "host bits"),
        ({"patient": "clear"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(told: dict[str, Any], why: str):
    """By what is wrong, never by its value."""
    with pytest.raises(ValidationError, match=why) as refused:
        section(**{"url": "https://soc.example/", **told})
    assert "PLANTED" not in str(refused.value)


@pytest.mark.parametrize("place", ["file:{0}", "file:{0}/none", "file:{0}/secret", "env:SENTINEL_NONE", "file:\0"])
def test_a_secret_that_cannot_be_read_is_refused(tmp_path, place: str):
    """A folder, nothing at all, bytes that are no text: by where it should be, without a byte of it."""
    (tmp_path / "secret").write_bytes(b"abc\xff")
    with pytest.raises(ValidationError, match="env:NAME or file:PATH") as refused:
        section("https://soc.example/", authorization=place.format(tmp_path))
    assert "0xff" not in str(refused.value)


def test_a_file_of_authorities_that_is_none_is_refused(tmp_path):
    """At the start, not at the first alert."""
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(RefusedToStartError, match="ca_file"):
        section("https://soc.example/", ca_file=tmp_path / "ca.pem").context()
    assert section("https://soc.example/").context().verify_mode == ssl.CERT_REQUIRED
