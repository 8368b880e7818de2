"""A webhook: an alert as JSON, signed so that its receiver knows whom it comes from (Standard Webhooks 1.0)."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from pydantic import BeforeValidator, Field, field_validator, model_validator
from standardwebhooks.webhooks import Webhook

from streams.outputs.contract import Output, Section, Telling, Tools, format_of
from streams.outputs.guarded_http import GuardedHttp, HttpSection
from streams.yaml_file import Secret

SECRET_BYTES: Final = range(24, 65)  # Standard Webhooks: between 192 and 512 bits


def _constant(told: object) -> object:
    """Return what a text says as JSON, where it is a number or a boolean: the file has texts alone."""
    try:
        read = msgspec.json.decode(told) if isinstance(told, str) else told
    except msgspec.DecodeError:
        return told
    return read if isinstance(read, int | float) else told


Constant = Annotated[bool | int | float | str, BeforeValidator(_constant)]


class WebhookSection(HttpSection):
    """Settings of a webhook."""

    format: str = Field("sentinel_json", description="what the body looks like")
    secrets: tuple[Secret, ...] = Field(
        (), description="what it is signed with, `whsec_` and 24 to 64 bytes in base64; several while they are changed"
    )
    authorization: Secret | None = Field(None, description="the header `Authorization`, such as `Bearer …`, where one is wanted")
    fields: dict[str, Constant] = Field({}, description="members of the body, set or replaced, such as `alert_customer_id: 3`")

    @field_validator("secrets")
    @classmethod
    def _can_sign(cls, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        for secret in secrets:
            try:
                size = len(base64.b64decode(secret.get_secret_value().removeprefix("whsec_") + "==", validate=False))
            except binascii.Error:
                size = 0
            if size not in SECRET_BYTES:
                raise ValueError("a secret is whsec_ and 24 to 64 bytes in base64")
        return secrets

    @model_validator(mode="after")
    def _is_known(self) -> WebhookSection:
        if not self.secrets and self.authorization is None:
            raise ValueError("a receiver must be able to tell that it is us: set secrets or authorization")
        return self


class WebhookSender:
    """Posts alerts, signed when they are sent."""

    def __init__(self, section: WebhookSection, tools: Tools) -> None:
        self._section, self._clock, self._format = section, tools.clock, format_of(section.format, tools)
        self._signing = [Webhook(secret.get_secret_value()) for secret in section.secrets]
        self._http = GuardedHttp(section)

    async def tell(self, telling: Telling) -> None:
        """See `Sender`."""
        body = self._format.render(telling)
        if isinstance(body, dict):
            body = msgspec.json.encode(body | self._section.fields).decode()
        headers = {"Content-Type": self._format.media_type, "webhook-id": telling.id, "Idempotency-Key": telling.id}
        if self._section.authorization is not None:
            headers["Authorization"] = self._section.authorization.get_secret_value()
        await self._http.post(body.encode(), headers | self._signed(telling.id, body))

    async def close(self) -> None:
        """See `Sender`."""
        await self._http.close()

    def _signed(self, id_: str, body: str) -> dict[str, str]:
        moment = datetime.fromtimestamp(self._clock.now_us() // 1_000_000, UTC)
        signatures = " ".join(webhook.sign(id_, moment, body) for webhook in self._signing)
        told = {"webhook-timestamp": str(int(moment.timestamp()))}
        return told | {"webhook-signature": signatures} if signatures else told


def _open(section: Section, tools: Tools) -> WebhookSender:
    assert isinstance(section, WebhookSection)
    return WebhookSender(section, tools)


OUTPUT: Final = Output("webhook", "JSON over HTTPS, signed (Standard Webhooks), in any of the formats", WebhookSection, _open)
