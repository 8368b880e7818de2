"""A directory of the staff, read as a whole again and again: who came, who changed, and who is not there any more."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from zoneinfo import ZoneInfo

import ldap3  # type: ignore[import-untyped]
from ldap3.core.exceptions import LDAPException  # type: ignore[import-untyped]

from sentinel.core.errors import RefusedToStartError, SentinelError
from streams.context.ldap import person_of, texts
from streams.context.staff import Person
from streams.faults import report
from streams.listeners.directory import Directory
from streams.listeners.document import Ldap

STOP_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 10
RECEIVE_SECONDS: Final = 60
WAIT_SECONDS_MAX: Final = 300.0
STATE: Final = ("userAccountControl", "pwdAccountLockedTime")  # whether an account is closed


class NotReadError(SentinelError):
    """The directory did not answer, or not with a whole of people; what is known stays as it is."""


class LdapListener:
    """Reads one directory. Only a reading that came to its end says who has left."""

    def __init__(self, settings: Ldap, directory: Directory, zone: ZoneInfo) -> None:
        """Make ready; nothing is connected yet.

        Raises:
            RefusedToStartError: the authorities' file cannot be used.
        """
        self._settings, self._directory, self._zone = settings, directory, zone
        self._attributes = settings.attributes.model_dump()
        self._server = _server(settings)
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Keep what is in hand, and end."""
        self._stopping.set()
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)  # so that nobody writes to a log that is closed

    async def look(self) -> None:
        """Read the directory once, and tell what changed.

        Raises:
            NotReadError: it could not be read to its end.
        """
        people = await asyncio.to_thread(self._read)
        await self._directory.tell_all(people.items())

    async def _run(self) -> None:
        while not self._stopping.is_set():
            wait = self._settings.poll_seconds
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, its message may quote an entry
                report("ldap-failed", error, listener=self._settings.name)
                wait = min(wait, WAIT_SECONDS_MAX)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

    def _read(self) -> dict[str, Person]:
        people: dict[str, Person] = {}
        now_us = self._directory.now_us()
        try:
            with self._connected() as connection:
                for entry in self._entries(connection):
                    person = person_of(texts(entry["raw_attributes"]), self._attributes, now_us, self._zone)
                    if person is not None:
                        people[person.id] = person
                    if len(people) > self._settings.people_max:
                        raise NotReadError("more people than people_max")
        except LDAPException as error:
            raise NotReadError(type(error).__name__) from None
        if not people:
            raise NotReadError("nobody is there: the base, the filter or the rights of the reader")
        return people

    def _connected(self) -> Any:
        told = self._settings
        password = told.password.get_secret_value() if told.password else None
        connection = ldap3.Connection(
            self._server,
            user=told.user or None,
            password=password,
            auto_bind=ldap3.AUTO_BIND_NONE,
            read_only=True,
            raise_exceptions=True,
            receive_timeout=RECEIVE_SECONDS,
            check_names=False,  # attributes that the schema has not are left out by the server
            auto_referrals=False,
        )
        connection.open()
        if told.url.startswith("ldap://") and told.start_tls:
            connection.start_tls()
        connection.bind()
        return connection

    def _entries(self, connection: Any) -> Iterator[dict[str, Any]]:
        wanted = {name for names in self._attributes.values() for name in names} | set(STATE)
        found = connection.extend.standard.paged_search(
            search_base=self._settings.base,
            search_filter=self._settings.filter,
            search_scope=ldap3.SUBTREE,
            attributes=sorted(wanted),
            paged_size=self._settings.page,
            generator=True,
        )
        return (entry for entry in found if entry["type"] == "searchResEntry")


def _server(settings: Ldap) -> Any:
    if settings.ca_file is not None and not settings.ca_file.is_file():
        raise RefusedToStartError(f"listeners: {settings.name}: ca_file is not there")
    ca_file = str(settings.ca_file) if settings.ca_file else None
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, version=ssl.PROTOCOL_TLS_CLIENT, ca_certs_file=ca_file)
    return ldap3.Server(settings.url, tls=tls, get_info=ldap3.NONE, connect_timeout=CONNECT_SECONDS)
