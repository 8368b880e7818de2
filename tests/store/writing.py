"""Writes a log's events to a store, from what is stored on: `writing.py DSN EVENTS ACKNOWLEDGED`."""

import sys

from sentinel.store.client import connect
from sentinel.store.migrate import migrate
from sentinel.store.writer import Writer
from tests.store.making import TENANT, a_batch, an_alert, an_assessment, some_events

ROWS = 400  # a flush; over three months, so that a kill may tear it


def main(dsn: str, total: int, acknowledged: int) -> None:
    connections = connect(dsn)
    migrate(connections.writer)
    writer = Writer(connections.writer)
    stored = writer.stored_beyond(0, -1)
    lost = [offset for offset in range(acknowledged) if (offset, 0) not in stored]
    print("lost", len(lost), flush=True)
    checkpoint = acknowledged // (2 * ROWS) * 2 * ROWS  # older than what is stored, as after a crash
    for first in range(checkpoint, total, ROWS):
        events = some_events(ROWS, seed=first, first=first)
        batch = a_batch(events, offset=first)
        assessment = an_assessment(batch)
        missing = [at for at in range(ROWS) if (first + at, 0) not in stored]
        if len(missing) == ROWS:
            writer.write(batch, assessment)
        elif missing:
            batch = a_batch([events[at] for at in missing])
            batch.offset[:] = [first + at for at in missing]
            writer.write(batch, an_assessment(batch))
        writer.write_raw(TENANT, 0, [(first + at, "sentinel_json", f"{first + at}".encode(), first) for at in range(ROWS)])
        writer.write_alerts([an_alert(f"story-{first}"), an_alert("one story", version=first)])
        writer.flush()
        print("acknowledged", first + ROWS, flush=True)
    connections.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
