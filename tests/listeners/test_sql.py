"""Tables asked for what is new: each row once, whatever is committed late, is killed between, or has a wrong clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, text

from sentinel.core.errors import RefusedToStartError
from streams.listeners.document import Sql
from streams.listeners.sql import SqlListener
from streams.listeners.sql_values import document
from streams.record import MarkKind
from tests.listeners.databases import postgres
from tests.listeners.listening import SOURCES, Kept, ids_of
from tests.web.api_parts import FixedClock

BY_NUMBER = {
    "name": "audit",
    "source": "sentinel_json",
    "statement": "SELECT no, id, occurred_at, action, actor_id, patient_id FROM access WHERE no > :no ORDER BY no LIMIT :limit",
    "watermark": ["no"],
    "start": ["0"],
    "key": ["no"],
    "overlap": 20,
    "batch": 7,
}
TABLE = "CREATE TABLE access (no {number}, id TEXT, occurred_at {time}, action TEXT, actor_id TEXT, patient_id TEXT)"
INSERT = "INSERT INTO access VALUES (:no, :id, :at, 'read', 'a1', 'p1')"


def settings(monkeypatch: pytest.MonkeyPatch, url: str, **changed: Any) -> Sql:
    monkeypatch.setenv("AUDIT_URL", url)
    return Sql.model_validate(BY_NUMBER | {"url": "env:AUDIT_URL"} | changed)


def of(kept: Kept, told: Sql) -> SqlListener:
    return SqlListener(told, SOURCES[told.source], kept.receiver, kept.marks, FixedClock().now_us)


def look(kept: Kept, told: Sql) -> list[str]:
    """Look once with a listener that knows only what is on disk, and return the ids of all that is kept."""

    async def run() -> None:
        one = of(kept, told)
        await one.look()
        await one.stop()

    asyncio.run(run())
    return [json.loads(record.raw)["id"] for record in kept.records()]


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """A database in a file, with a table of accesses without columns that the format does not know."""
    url = f"sqlite:///{tmp_path / 'audit.db'}"
    engine = create_engine(url)
    with engine.begin() as db:
        db.execute(text(TABLE.format(number="INTEGER", time="TEXT")))
    yield url, engine
    engine.dispose()


def put(engine: Any, *numbers: int, at: Any = "2026-03-01T10:00:00Z") -> None:
    with engine.begin() as db:
        db.execute(text(INSERT), [{"no": no, "id": f"e{no}", "at": at} for no in numbers])


PLAIN = "SELECT no, json_object('id', id, 'occurred_at', occurred_at, 'action', action, 'actor_id', actor_id) AS told"


def test_rows_by_number_each_once(kept: Kept, sqlite: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """More pages than one, a number that comes late, a start anew each time; the column that holds the record is the record."""
    url, engine = sqlite
    statement = f"{PLAIN} FROM access WHERE no > :no ORDER BY no LIMIT :limit"
    told = settings(monkeypatch, url, statement=statement, document="told")
    put(engine, *range(1, 31))
    assert look(kept, told) == [f"e{no}" for no in range(1, 31)]
    assert len(look(kept, told)) == 30
    put(engine, 40)
    assert look(kept, told)[30:] == ["e40"]
    put(engine, 35, 41)
    assert look(kept, told)[31:] == ["e35", "e41"]
    assert kept.counts["audit", "sentinel_json", "accepted"] == 33
    assert ids_of(kept.records())[:2] == ["e1", "e2"]


def test_what_cannot_be_read_does_not_stop_the_others(
    kept: Kept, sqlite: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that the format refuses is a dead letter, once; a row is a JSON object of its columns."""
    url, engine = sqlite
    put(engine, 1, 2)
    told = settings(monkeypatch, url)
    look(kept, told)
    look(kept, told)
    assert [letter.letter.code for letter in kept.letters()] == ["unknown-field", "unknown-field"]
    assert json.loads(kept.letters()[0].letter.record.raw)["patient_id"] == "p1"


def test_a_table_by_time_in_postgresql(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that ends after later ones, many rows of one moment, a clock that runs ahead, killed between pages."""
    statement = (
        "SELECT no, id, occurred_at, action, actor_id, patient_id FROM access "
        "WHERE (occurred_at, no) > (:occurred_at, :no) ORDER BY occurred_at, no LIMIT :limit"
    )
    whole = f"SELECT no, occurred_at, row_to_json(a)::jsonb - 'no' AS told FROM ({statement}) a ORDER BY occurred_at, no"
    with postgres() as url:
        told = settings(
            monkeypatch, url, statement=whole, document="told",
            watermark=["occurred_at", "no"], start=["2026-01-01T00:00:00+01:00", "0"], overlap=600,
        )  # fmt: skip
        engine = create_engine(url)
        with engine.begin() as db:
            db.execute(text(TABLE.format(number="BIGINT", time="TIMESTAMPTZ")))
        put(engine, *range(1, 20), at=datetime.fromisoformat("2026-03-01T10:00:00+01:00"))
        with engine.connect() as late:
            late.execute(text(INSERT), {"no": 20, "id": "e20", "at": datetime.fromisoformat("2026-03-01T10:01:00+01:00")})
            put(engine, 21, at=datetime.fromisoformat("2026-03-01T10:05:00+01:00"))
            assert set(look(kept, told)) == {f"e{no}" for no in range(1, 22)} - {"e20"}
            late.commit()
        assert look(kept, told)[20:] == ["e20"]
        put(engine, 22, at=datetime.fromisoformat("2099-01-01T00:00:00+01:00"))
        assert look(kept, told)[21:] == ["e22"]
        kept.receiver, failing = _Failing(kept.receiver, after=1), kept.receiver
        put(engine, *range(100, 120), at=datetime.fromisoformat("2026-03-01T10:06:00+01:00"))
        with pytest.raises(OSError, match="killed"):
            look(kept, told)
        kept.receiver = failing
        found = look(kept, told)
        assert len(found) == len(set(found)) == 42
        assert look(kept, told) == found
        engine.dispose()


class _Failing:
    """A receiver whose machine stops after some pages."""

    def __init__(self, receiver: Any, after: int) -> None:
        self._receiver, self._after = receiver, after

    async def take(self, *told: Any) -> None:
        self._after -= 1
        if self._after < 0:
            raise OSError("killed")
        await self._receiver.take(*told)


def test_what_is_remembered_is_bounded(kept: Kept, sqlite: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only rows within the overlap are, however many there were."""
    url, engine = sqlite
    statement = f"{PLAIN} FROM access WHERE no > :no ORDER BY no LIMIT :limit"
    told = settings(monkeypatch, url, statement=statement, document="told", overlap=5, batch=1_000)
    put(engine, *range(1, 2_001))
    look(kept, told)
    (mark,) = kept.marks.all(MarkKind.SQL)
    assert len(mark.value) < 300


@pytest.mark.parametrize(
    ("address", "statement", "why"),
    [
        ("sqlite://", "SELECT 1", ":limit, :no"),
        ("sqlite://", "SELECT :no, :limit, :more", ":more"),
        ("no address at all, SECRET", "SELECT :no, :limit", "url: ArgumentError"),
    ],
)
def test_what_cannot_be_asked_is_a_refusal_to_start(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, address: str, statement: str, why: str
) -> None:
    """Without the address being quoted; and it never stands in the file itself."""
    with pytest.raises(RefusedToStartError, match=why) as refused:
        of(kept, settings(monkeypatch, address, statement=statement))
    assert "SECRET" not in str(refused.value)
    with pytest.raises(ValidationError):
        Sql.model_validate(BY_NUMBER | {"url": address})


def test_rows_as_documents() -> None:
    """Times as precise as they are, numbers as numbers, bytes as text, and no type that stops a row."""
    row = {
        "at": datetime.fromisoformat("2026-03-01T10:00:00"),
        "n": Decimal("1.50"),
        "b": b"\xff",
        "x": None,
        "l": [b"a"],
        "o": object,
    }
    assert json.loads(document(row))["at"] == "2026-03-01T10:00:00"
    assert document({"n": Decimal("1.50"), "b": b"\xc3\xa9"}) == '{"n":1.50,"b":"é"}'.encode()
