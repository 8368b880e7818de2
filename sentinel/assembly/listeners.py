"""The ways into the embedded service besides HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sentinel.assembly.core import context_decoder
from sentinel.assembly.extras import needs
from sentinel.assembly.formats import sources
from sentinel.core.errors import RefusedToStartError

if TYPE_CHECKING:
    from sentinel.settings import Settings
    from streams.embedded import Service
    from streams.listeners.document import Bucket, Ldap, Sql
    from streams.listeners.feeding import ContextFeed
    from streams.listeners.receiving import Listener, Receiver
    from streams.sources.contract import Source


def listeners(settings: Settings, service: Service) -> Sequence[Listener]:
    """Return the listeners that the settings name.

    Raises:
        RefusedToStartError: their file cannot be used, names a format that is not taken, or a port cannot be had.
    """
    if settings.listeners is None:
        return ()
    from streams.embedded import SystemClock
    from streams.listeners import document, syslog
    from streams.listeners.feeding import ContextFeed
    from streams.listeners.files import FileListener
    from streams.listeners.hl7 import Hl7Inbox, Hl7Listener
    from streams.listeners.receiving import Receiver
    from streams.record import guarded

    told, known = document.read(Path(settings.listeners)), sources(settings)
    missing = sorted(told.sources() - known.keys())
    if missing:
        raise RefusedToStartError(f"listeners: no such format: {', '.join(missing)}")
    taken, now_us = {name: guarded(known[name]) for name in told.sources()}, SystemClock().now_us
    receiver = Receiver(settings.tenant, taken, service.intake, now_us, service.received)
    feed = ContextFeed(settings.tenant, context_decoder(), service.intake, now_us, service.received)
    inbox, zone = Hl7Inbox(feed, service.marks), ZoneInfo(settings.timezone)
    return [
        *(syslog.listener(one, receiver) for one in told.syslog),
        *(FileListener(one, taken[one.source], receiver, service.marks, now_us) for one in told.files),
        *(Hl7Listener(one, inbox, feed, zone) for one in told.hl7),
        *(_sql(one, taken[one.source], receiver, service, now_us) for one in told.sql),
        *(_bucket(one, taken[one.source], receiver, service, settings.data) for one in told.buckets),
        *(_ldap(one, feed, service, zone) for one in told.ldap),
    ]


def _bucket(one: Bucket, source: Source, receiver: Receiver, service: Service, folder: Path) -> Listener:
    from streams.embedded import SystemClock

    with needs("s3"):
        from streams.listeners.buckets import BucketListener

    return BucketListener(one, source, receiver, service.marks, SystemClock().now_us, folder)


def _ldap(one: Ldap, feed: ContextFeed, service: Service, zone: ZoneInfo) -> Listener:
    from streams.listeners.directory import Directory

    with needs("ldap"):
        from streams.listeners.ldap import LdapListener

    return LdapListener(one, Directory(one.name, feed, service.marks), zone)


def _sql(one: Sql, source: Source, receiver: Receiver, service: Service, now_us: Callable[[], int]) -> Listener:
    with needs("sql"):
        from streams.listeners.sql import SqlListener

    return SqlListener(one, source, receiver, service.marks, now_us)
