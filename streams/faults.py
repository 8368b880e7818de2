"""Logs failures: where they came from, never what they were about, for messages and frames may hold records."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Final

FRAMES: Final = 4


def report(event: str, error: BaseException | None = None, **told: str | int | bool | None) -> None:
    """Log that `event` went wrong, with the class of `error` and the places it came through."""
    import structlog  # noqa: PLC0415 - a third of a second, of use only when something fails

    cause = {} if error is None else {"error": type(error).__name__, "at": path_of(error)}
    structlog.get_logger().error(event, **cause, **told)


def path_of(error: BaseException) -> str:
    """Return the places the failure came through, innermost last: files and lines."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return " > ".join(f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in frames)
