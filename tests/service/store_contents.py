"""Prints what the store in a folder holds, as JSON: `store_contents.py FOLDER`. A process of its own: chDB is one a path."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.service import counting


def main() -> None:
    store = counting.ChdbStore(Path(sys.argv[1]))
    client = store.questions()._client
    rows = client.query("SELECT id, lower(hex(key)), offset, ordinal, detectors FROM access").result_rows
    alerts = client.query("SELECT body FROM alert FINAL ORDER BY id").result_rows
    raw = client.query("SELECT offset FROM raw_record FINAL").result_rows
    told = {"rows": [list(row) for row in rows], "alerts": [body for (body,) in alerts], "raw": [offset for (offset,) in raw]}
    json.dump(told, sys.stdout)
    store.close()


if __name__ == "__main__":
    main()
