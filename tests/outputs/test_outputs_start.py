"""Where outputs begin: with the first alert of a new store, with what is new of an old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.assembly.outputs import delivery
from sentinel.settings import Settings
from streams.outbox import Outbox

SYSLOG = "syslog: [{name: siem, host: 127.0.0.1, tls: false, allow_plain: true}]"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "outputs.yaml").write_text(SYSLOG)
    (tmp_path / "data").mkdir()
    return Settings(data=tmp_path / "data", outputs=str(tmp_path / "outputs.yaml"))


def cursor_after_start(settings: Settings) -> str | None:
    """Return where the outputs stand once the service has set them up, before it asked the store anything."""
    with delivery(settings):
        pass
    box = Outbox(settings.data)
    try:
        return box.cursor()
    finally:
        box.close()


def test_a_new_store(settings: Settings):
    """Its first alert is told, whatever an outbox that was left behind says."""
    assert cursor_after_start(settings) == ""
    box = Outbox(settings.data)
    box.take([], "=7", {}, 0)
    box.close()
    assert cursor_after_start(settings) == ""


def test_a_store_that_was_there(settings: Settings):
    """Where it stands is asked for; what was taken already goes on from there."""
    (settings.data / "store").mkdir()
    assert cursor_after_start(settings) is None
    box = Outbox(settings.data)
    box.begin("=7")
    box.close()
    assert cursor_after_start(settings) == "=7"


def test_without_outputs(settings: Settings):
    """Nothing is made, and what an outbox holds goes no further."""
    none = settings.model_copy(update={"outputs": None})
    with delivery(none):
        pass
    assert list(settings.data.iterdir()) == []
    assert cursor_after_start(settings) == ""
    assert cursor_after_start(none) is None
