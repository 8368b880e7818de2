"""The store's front as tests have it: `serving.py FOLDER`. `POST /lose` makes the next insert happen without an answer."""

from __future__ import annotations

import sys

from deploy.store_front import Handler, serve

LOSING: list[bool] = []


class LosingHandler(Handler):
    """Answers, unless it was told to lose an answer."""

    def do_POST(self) -> None:  # noqa: N802
        """Run a statement."""
        if self.path == "/lose":
            LOSING.append(True)
            self.answer(200, b"")
        else:
            super().do_POST()

    def done(self, asked: dict[str, str], result: bytes) -> None:
        """Tell the result of a statement, or lose it."""
        if LOSING and asked.get("query", "").startswith("INSERT INTO"):
            LOSING.clear()
            self.close_connection = True
        else:
            super().done(asked, result)


if __name__ == "__main__":
    serve(sys.argv[1], LosingHandler)
