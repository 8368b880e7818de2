"""The staff that directories told: kept as they stood last, so that only what changes is told on, and who leaves is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, timedelta
from typing import Final

from sentinel.core.event import EPOCH
from sentinel.core.ids import derive
from streams.context.staff import Kept, Person, changed, encoded, kept
from streams.listeners.feeding import ContextFeed
from streams.marks import MarkReader
from streams.record import Mark, MarkKind

BATCH: Final = 200  # people told on in one commit
Names = tuple[str, str]
"""What a document is, and its name."""


class Directory:
    """The people of one feed, by their names in it; and documents of its own that a feed wants to keep beside them."""

    def __init__(self, name: str, feed: ContextFeed, marks: MarkReader) -> None:
        self.name, self._feed = name, feed
        self.people: dict[str, Kept] = {}
        self.documents: dict[Names, bytes] = {}
        self.lock = asyncio.Lock()
        for mark in marks.all(MarkKind.STAFF):
            self._recall(mark)

    def now(self) -> str:
        """Return the time as FHIR writes it, to the second."""
        at = (EPOCH + timedelta(microseconds=self._feed.now_us())).astimezone(UTC)
        return at.isoformat(timespec="seconds").replace("+00:00", "Z")

    def now_us(self) -> int:
        """Return the time in µs."""
        return self._feed.now_us()

    async def tell(
        self,
        people: Mapping[str, Person],
        documents: Mapping[Names, bytes] | None = None,
        units: Mapping[str, bytes] | None = None,
    ) -> None:
        """Return once what changes of these people is durable, with documents beside it (empty: forgotten) and units.

        Raises:
            RejectedError: something of them cannot be told; then nothing is.
        """
        now, marks = self.now(), list[Mark]()
        new, told = dict[str, Kept](), dict[Names, bytes]()
        for name, person in people.items():
            new[name], resources = changed(self.name, person, self.people.get(name), now)
            told |= resources
            if resources or self.people.get(name) != new[name]:
                marks.append(self._mark("person", name, encoded(new[name])))
        told |= {("Organization", unit): raw for unit, raw in (units or {}).items()}
        for raw in told.values():
            self._feed.check(raw)
        marks += [self._mark(kind, name, raw) for (kind, name), raw in (documents or {}).items()]
        await self._feed.keep(self.name, told, marks)
        self.people |= new
        self.documents |= documents or {}
        self.documents = {name: raw for name, raw in self.documents.items() if raw} if documents else self.documents

    async def tell_all(self, people: Iterable[tuple[str, Person]]) -> None:
        """Tell a whole directory: who was in it and is not any more has left."""
        found = dict(people)
        gone = {name for name, one in self.people.items() if one.person.active} - found.keys()
        whole = list(found.items()) + [(name, left(self.people[name].person)) for name in sorted(gone)]
        for at in range(0, len(whole), BATCH):
            await self.tell(dict(whole[at : at + BATCH]))

    def _recall(self, mark: Mark) -> None:
        feed, kind, name, raw = mark.value.split(b"\0", 3)
        if feed.decode() != self.name:
            return
        if kind == b"person":
            self.people[name.decode()] = kept(raw)
        else:
            self.documents[kind.decode(), name.decode()] = raw

    def _mark(self, kind: str, name: str, raw: bytes) -> Mark:
        told = b"\0".join((self.name.encode(), kind.encode(), name.replace("\0", "").encode(), raw)) if raw else b""
        return Mark(MarkKind.STAFF, derive("staff", self.name, kind, name), told, self._feed.now_us())


def left(person: Person) -> Person:
    """Return a person who is not there any more."""
    return Person(**{name: getattr(person, name) for name in person.__struct_fields__} | {"active": False})
