"""E-mail: to a real SMTP server on this machine, secret on the way, in both languages, in threads."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from email import message_from_bytes, policy
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from pydantic import SecretStr, ValidationError

from streams.outputs.email import OUTPUT, EmailSection
from tests.outputs.receiving import a_telling, an_alert
from tests.outputs.telling_once import refuse, tell

MAIL = {"sender": "sentinel@ch.example", "recipients": ["rssi@ch.example", "dpo@ch.example"], "host": "localhost"}


class Mailbox:
    """Keeps what comes; answers each recipient and the data as bidden."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.recipients: list[list[str]] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        """See aiosmtpd."""
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        """See aiosmtpd."""
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"sentinel", b"PASSWORD")
    return AuthResult(success=known, handled=False)


@contextmanager
def server(context: ssl.SSLContext | None = None, *, implicit: bool = False):
    """Run one; with a context STARTTLS and a password are required."""
    box = Mailbox()
    told: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0}
    if implicit:
        told["ssl_context"] = context
    elif context:
        told |= {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": authenticate}
    controller = Anywhere(box, **told)
    controller.start()
    yield box, controller.server.sockets[0].getsockname()[1]
    controller.stop()


class Anywhere(Controller):
    """On any free port: the base class connects to the port it was told to see that it is up."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def factory(self) -> SMTP:
        """See aiosmtpd."""
        return SMTP(self.handler, **self.SMTP_kwargs)


@pytest.fixture
def tls(tmp_path):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    return context


def test_over_starttls_with_a_password(tls, tmp_path):
    """All recipients; the subject names nobody, the text says all in both languages, in the site's time."""
    with server(tls) as (box, port):
        known = {"user": "sentinel", "password": SecretStr("PASSWORD")}
        tell(
            OUTPUT,
            a_telling(console="https://sentinel.example", language="fr"),
            port=port,
            ca_file=tmp_path / "ca.pem",
            **MAIL,
            **known,
        )
    (mail,), (recipients,) = box.mails, box.recipients
    assert recipients == MAIL["recipients"]
    assert mail["Subject"] == "[Sentinel] Alerte HIGH: household_record, mass_export"
    assert mail["Message-ID"] == f"<{a_telling().id}@ch.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Thu, 26 Feb 2026 06:13:20 +0000"
    text = mail.get_content()
    assert text.index("Dossier d'un proche | 2 % = rare\\") < text.index("A relative's record")
    assert "Dernier accès : 2026-02-25 08:13 CET" in text
    assert f"https://sentinel.example/alerts/{an_alert().id}" in text
    assert "PATIENT" not in mail.as_string()


def test_an_update_joins_the_thread():
    """Another mail, with the same reference."""
    with server() as (box, port):
        tell(OUTPUT, port=port, tls="none", allow_plain=True, **MAIL)
        tell(
            OUTPUT,
            a_telling(an_alert(version=2), is_update=True, patients="clear"),
            port=port,
            tls="none",
            allow_plain=True,
            **MAIL,
        )
    first, update = box.mails
    assert first["Message-ID"] != update["Message-ID"]
    assert first["References"] == update["References"]
    assert update["Subject"].endswith("(update)")
    assert "Patients: 2 (PATIENT-1, PATIENT-2)" in update.get_content()


def test_tls_from_the_first_byte(tls, tmp_path):
    """As on port 465."""
    with server(tls, implicit=True) as (box, port):
        tell(OUTPUT, port=port, tls="implicit", ca_file=tmp_path / "ca.pem", **MAIL)
    assert len(box.mails) == 1


def test_nothing_is_told_to_whom_we_do_not_know(tls, tmp_path):
    """Another authority, another name, no TLS where it is asked for, a wrong password."""
    with server(tls) as (box, port):
        assert refuse(OUTPUT, port=port, **MAIL).code == "certificate"
        assert refuse(OUTPUT, port=port, ca_file=tmp_path / "ca.pem", **{**MAIL, "host": "127.0.0.1"}).code == "certificate"
        wrong = {"user": "sentinel", "password": SecretStr("wrong")}
        assert refuse(OUTPUT, port=port, ca_file=tmp_path / "ca.pem", **MAIL, **wrong).code == "unauthorised"
    assert box.mails == []
    with server() as (box, port):
        assert refuse(OUTPUT, port=port, **MAIL).code == "answered-otherwise"
    assert box.mails == []
    assert refuse(OUTPUT, port=port, **MAIL).code == "unreachable"


@pytest.mark.parametrize(
    ("answers", "code", "is_final"),
    [
        ({"DATA": "554 no"}, "refused", True),
        ({"DATA": "451 later"}, "busy", False),
        (dict.fromkeys(MAIL["recipients"], "550 nobody"), "refused", True),
        (dict.fromkeys(MAIL["recipients"], "450 greylisted"), "busy", False),
    ],
)
def test_what_the_server_says(answers, code, is_final):
    """5xx is not tried again, 4xx is."""
    with server() as (box, port):
        box.answers = answers
        said = refuse(OUTPUT, port=port, tls="none", allow_plain=True, **MAIL)
    assert (said.code, said.is_final) == (code, is_final)


def test_one_recipient_is_enough():
    """The others' addresses are wrong or their boxes full: the server said so to whoever reads its log."""
    with server() as (box, port):
        box.answers = {"dpo@ch.example": "550 nobody"}
        tell(OUTPUT, port=port, tls="none", allow_plain=True, **MAIL)
    assert box.recipients == [["rssi@ch.example"]]


@pytest.mark.parametrize(
    "told",
    [
        {"tls": "none"},
        {"recipients": []},
        {"recipients": ["a@b.example\r\nBcc: c@d.example"]},
        {"user": "sentinel"},
        {"timezone": "Nowhere"},
    ],
)
def test_settings_that_cannot_be_used_are_refused(told):
    """Mail in the clear has to be asked for; an address is one."""
    with pytest.raises(ValidationError):
        EmailSection.model_validate({"name": "dpo", **MAIL, **told})
