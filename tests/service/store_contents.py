"""Prints what the store in a folder holds, as JSON: `store_contents FOLDER`. A process of its own: chDB is one a path."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.service import counting


def main() -> None:
    store = counting.ChdbStore(Path(sys.argv[1]))
    questions = store.questions()
    rows = questions._client.query("SELECT id, offset, ordinal FROM access").result_rows
    raw = questions._client.query("SELECT DISTINCT offset FROM raw_record").result_rows
    alerts, before = [], None
    while True:
        page = questions.alerts("default", order="time", limit=1_000, before=before)
        alerts += page.alerts
        before = page.next
        if before is None:
            break
    told = {"rows": [list(row) for row in rows], "raw": [offset for (offset,) in raw], "alerts": alerts}
    json.dump(told, sys.stdout)
    store.close()


if __name__ == "__main__":
    main()
