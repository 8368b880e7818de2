"""Records that other projects published: where they lie, and the mark of the tests that read them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

REAL: Final = Path(os.environ.get("SENTINEL_REAL", Path(__file__).parents[2] / "shared" / "real"))
needs_real: Final = pytest.mark.skipif(
    not REAL.is_dir(),
    reason="records of other projects, of mixed licences, may not be kept here: SENTINEL_REAL names a folder of them",
)
