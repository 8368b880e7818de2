"""Splunk's HTTP Event Collector: an alert an event."""

from __future__ import annotations

from typing import Final

import msgspec
from pydantic import Field

from streams.outputs.contract import Output, Section, Telling, Tools, format_of
from streams.outputs.guarded_http import GuardedHttp, HttpSection
from streams.yaml_file import Secret


class SplunkSection(HttpSection):
    """Settings of a collector; `url` ends in `/services/collector/event`."""

    token: Secret = Field(description="the collector's token")
    format: str = Field("sentinel_json", description="what the event looks like")
    index: str | None = Field(None, min_length=1, description="the index; none: the token's own")
    source: str = Field("sentinel", min_length=1, description="Splunk's `source`")
    sourcetype: str = Field("sentinel:alert", min_length=1, description="Splunk's `sourcetype`")
    host: str = Field("sentinel", min_length=1, description="Splunk's `host`")


class SplunkSender:
    """Posts alerts. Splunk does not know an event that comes again: `telling_id` among its indexed fields tells."""

    def __init__(self, section: SplunkSection, tools: Tools) -> None:
        self._section, self._format, self._http = section, format_of(section.format, tools), GuardedHttp(section)

    async def tell(self, telling: Telling) -> None:
        """See `Sender`."""
        section = self._section
        event: dict[str, object] = {
            "time": round(telling.alert.last_seen / 1e6, 6),
            "host": section.host,
            "source": section.source,
            "sourcetype": section.sourcetype,
            "event": self._format.render(telling),
            "fields": {"telling_id": telling.id, "alert_id": telling.alert.id, "version": str(telling.alert.version)},
        }
        body = msgspec.json.encode(event | ({"index": section.index} if section.index else {}))
        headers = {"Authorization": f"Splunk {section.token.get_secret_value()}", "Content-Type": "application/json"}
        await self._http.post(body, headers)

    async def close(self) -> None:
        """See `Sender`."""
        await self._http.close()


def _open(section: Section, tools: Tools) -> SplunkSender:
    assert isinstance(section, SplunkSection)
    return SplunkSender(section, tools)


OUTPUT: Final = Output("splunk_hec", "Splunk's HTTP Event Collector", SplunkSection, _open)
