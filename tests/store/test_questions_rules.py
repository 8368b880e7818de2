"""What rules keep back is stored, and answered to whoever asks for it."""

from __future__ import annotations

from pathlib import Path

from sentinel.store.client import connect
from sentinel.store.migrate import migrate
from sentinel.store.questions import Questions
from sentinel.store.writer import Writer
from streams.alert_json import alert_of
from tests.store.making import TENANT, an_alert


def test_what_rules_keep_back_is_given_on_request_alone(tmp_path: Path) -> None:
    """Not in the queue, its counts or its changes; asked for by itself, or with the others."""
    connections = connect(f"chdb://{tmp_path / 'store'}")
    migrate(connections.writer)
    writer, ask = Writer(connections.writer), Questions(connections.reader())
    writer.write_alerts([an_alert("told"), an_alert("kept", suppressed=True, suppressed_by=("calm-nights",))])
    writer.flush()

    def names(suppressed: bool | None) -> list[str]:
        return sorted(alert["id"] for alert in ask.alerts(TENANT, suppressed=suppressed).alerts)

    assert (names(False), names(True), names(None)) == (["told"], ["kept"], ["kept", "told"])
    assert [alert["id"] for alert in ask.alerts(TENANT).alerts] == ["told"]
    assert ask.counts(TENANT).alerts == 1
    changed = ask.alerts_changed_since(TENANT)
    assert [alert["id"] for alert in changed.alerts] == ["told"]
    kept = ask.alert(TENANT, "kept")
    assert kept is not None
    assert alert_of(kept) == an_alert("kept", suppressed=True, suppressed_by=("calm-nights",))
    writer.write_alerts([an_alert("kept", version=2, suppressed_by=("calm-nights",))])
    writer.flush()
    assert [alert["id"] for alert in ask.alerts_changed_since(TENANT, changed.cursor).alerts] == ["kept"]
    connections.close()
