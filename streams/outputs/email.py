"""E-mail: an alert as a text in French and English, over SMTP with TLS."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import aiosmtplib
from pydantic import Field, field_validator, model_validator

from sentinel.core.event import EPOCH
from streams.outputs.contract import NotTakenError, Output, Section, Telling, Tools, Trouble, causes
from streams.outputs.product import described
from streams.outputs.trust import Trust
from streams.yaml_file import Secret

LANGUAGES: Final[tuple[Literal["fr", "en"], ...]] = ("fr", "en")
SUBJECTS: Final = {"fr": ("Alerte", "mise à jour"), "en": ("Alert", "update")}
Address = Annotated[str, Field(max_length=254, pattern=r"^[^\s@<>,;\"]+@[^\s@<>,;\"]+$")]


class EmailSection(Section, Trust):
    """Settings of e-mail."""

    host: str = Field(min_length=1, description="the mail server")
    port: int = Field(587, ge=1, le=65_535, description="its port; 465 with `implicit`, as a rule")
    tls: Literal["starttls", "implicit", "none"] = Field("starttls", description="how the connection is made secret")
    allow_plain: bool = Field(default=False, description="whether `tls: none` will do: what is told can be read on the way")
    user: str | None = Field(None, description="who we are, where the server asks")
    password: Secret | None = Field(None, description="that user's password")
    sender: Address = Field(description="the address that mails come from")
    recipients: tuple[Address, ...] = Field(min_length=1, max_length=50, description="who is told")
    timezone: str = Field("Europe/Paris", description="the zone of the times in the text")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no such time zone") from None
        return name

    @model_validator(mode="after")
    def _is_secret(self) -> EmailSection:
        if self.tls == "none" and not self.allow_plain:
            raise ValueError("tls: none needs allow_plain: true")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        return self


class EmailSender:
    """Sends one mail an alert; what was told of a story before makes one thread with it."""

    def __init__(self, section: EmailSection, tools: Tools) -> None:
        self._section, self._clock = section, tools.clock
        self._context = section.context() if section.tls != "none" else None

    async def tell(self, telling: Telling) -> None:
        """See `Sender`. Taken is what the server takes for at least one recipient."""
        section = self._section
        try:
            await aiosmtplib.send(
                letter(section, telling, self._clock.now_us()),
                hostname=section.host,
                port=section.port,
                username=section.user,
                password=section.password.get_secret_value() if section.password else None,
                use_tls=section.tls == "implicit",
                start_tls=section.tls == "starttls",
                tls_context=self._context,
                timeout=section.timeout_seconds,
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _trouble(error) from None

    async def close(self) -> None:
        """See `Sender`: nothing is kept open."""


def letter(section: EmailSection, telling: Telling, now_us: int) -> EmailMessage:
    """Return the mail. Its subject names nobody; its id is the telling's."""
    alert, domain = telling.alert, section.sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["From"], mail["To"] = section.sender, ", ".join(section.recipients)
    mail["Subject"] = _subject(telling)
    mail["Date"] = format_datetime(_moment(now_us, "UTC"))
    mail["Message-ID"] = f"<{telling.id}@{domain}>"
    mail["References"] = f"<{alert.id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice answers it
    first, last = (f"{_moment(seen, section.timezone):%Y-%m-%d %H:%M %Z}" for seen in (alert.first_seen, alert.last_seen))
    order = sorted(LANGUAGES, key=lambda language: language != telling.language)
    texts = [described(replace(telling, language=one), first, last) for one in order]
    mail.set_content("\n\n* * *\n\n".join(texts), cte="quoted-printable")  # which a person can read in a queue, too
    return mail


def _subject(telling: Telling) -> str:
    alert, update = SUBJECTS[telling.language]
    mark = f" ({update})" if telling.is_update else ""
    return f"[Sentinel] {alert} {telling.title}{mark}"


def _moment(us: int, zone: str) -> datetime:
    moment = EPOCH + timedelta(microseconds=us)
    return moment.astimezone(UTC if zone == "UTC" else ZoneInfo(zone))


def _trouble(error: BaseException) -> NotTakenError:
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error)):
        return NotTakenError(Trouble.CERTIFICATE)
    match error:
        case aiosmtplib.SMTPAuthenticationError():
            return NotTakenError(Trouble.UNAUTHORISED)
        case aiosmtplib.SMTPTimeoutError():
            return NotTakenError(Trouble.TIMEOUT)
        case aiosmtplib.SMTPRecipientsRefused():
            return _answered(min(one.code for one in error.recipients))
        case aiosmtplib.SMTPConnectError() | aiosmtplib.SMTPServerDisconnected():
            return NotTakenError(Trouble.UNREACHABLE)
        case aiosmtplib.SMTPResponseException():
            return _answered(error.code)
    return NotTakenError(Trouble.UNREACHABLE if isinstance(error, OSError) else Trouble.OTHERWISE)


def _answered(code: int) -> NotTakenError:
    """Return what a reply code means: 4xx another time, 5xx never (RFC 5321, 4.2.1)."""
    return NotTakenError(Trouble.REFUSED, is_final=True) if code >= 500 else NotTakenError(Trouble.BUSY)


def _open(section: Section, tools: Tools) -> EmailSender:
    assert isinstance(section, EmailSection)
    return EmailSender(section, tools)


OUTPUT: Final = Output("email", "E-mail in French and English", EmailSection, _open)
