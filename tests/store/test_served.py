"""A store that is served over HTTP: the same code, another URL."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from urllib.request import urlopen

import pytest

from sentinel.core.errors import RefusedToStartError
from sentinel.store.client import connect
from sentinel.store.errors import StoreError
from sentinel.store.migrate import migrate, packaged
from sentinel.store.questions import Questions
from sentinel.store.writer import Writer
from tests.store.making import TENANT, a_batch, an_alert, an_assessment, nothing_found, some_events
from tests.store.test_writer import expected

SECRET = "PATIENT-NOT-TO-BE-TOLD"


def test_all_works_as_embedded(tmp_path: Path, run: Callable[..., Popen[str]], caplog: pytest.LogCaptureFixture) -> None:
    """Migrations, writing, questions; a lost answer doubles nothing; a wrong password or a lost server tells no data."""
    process = run("serving.py", tmp_path / "store")
    assert process.stdout is not None
    server = f"127.0.0.1:{int(process.stdout.readline())}"
    connections = connect(f"clickhouse://sentinel:let%20me%20in@{server}/default")
    assert migrate(connections.writer) == [migration.version for migration in packaged()]
    writer, questions = Writer(connections.writer), Questions(connections.reader())

    batch = a_batch(some_events(300))
    assessment = an_assessment(batch)
    writer.write(batch, assessment)
    writer.write_raw(TENANT, 0, [(offset, "sentinel_json", b"\xff", 5) for offset in range(300)])
    writer.write_alerts([an_alert("story 'é'", batch=batch.take(range(10)))])
    writer.flush()
    found = questions.accesses_by_actor(TENANT, sorted(set(batch.actor_id)), limit=1_000).accesses
    assert {access.key: access for access in found} == expected(batch, assessment)
    assert [one.raw for one in questions.evidence(TENANT, "story 'é'")] == ["\\xff"] * 10
    assert writer.stored_beyond(0, 297) == {(298, 0), (299, 0)}
    assert writer.known(batch.key[:5], batch.occurred_at[:5]) == set(batch.key[:5])

    lost = a_batch(some_events(5_000, first=300), offset=300)
    writer.write(lost, nothing_found(lost))
    urlopen(f"http://{server}/lose", data=b"").close()
    with pytest.raises(StoreError):
        writer.flush()
    writer.flush()
    assert connections.writer.command("SELECT count(), uniqExact(key) FROM access") == ["5300", "5300"]

    with pytest.raises(RefusedToStartError, match=f"no ClickHouse to be had at {server} \\(AUTHENTICATION_FAILED\\)"):
        connect(f"clickhouse://sentinel:wrong@{server}/default")
    process.kill()
    process.wait()
    with pytest.raises(StoreError) as failed:
        questions.accesses_to_patient(TENANT, [SECRET])
    told = "".join(traceback.format_exception(failed.value))
    told += caplog.text
    assert SECRET not in told
    assert "let me in" not in told
