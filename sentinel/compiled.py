"""Where what is made once from the code is kept between runs: machine code and the model's trees.

numba's own cache looks at the file of the function that is called alone, and the pass calls stages in other files and
freezes their constants: a folder named after the content of all that is compiled makes it impossible to run yesterday's
code, or its constants, with today's.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
COMPILED: Final = ("sentinel/core", "models/online")  # what numba compiles, with the constants that it freezes
_TOLD: Final = "NUMBA_CACHE_DIR"
_NAME: Final = "sentinel-"


def folder() -> Path:
    """Return the folder of this version of the code, made if need be.

    It is where numba is told to keep its own, else beside the code, else in the user's cache, else in the system's
    temporary folder; for this process alone when none of them can be written to.
    """
    name = f"{_NAME}{version(ROOT)}"
    for parent in _parents():
        try:
            (parent / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(parent / name, os.W_OK):
            return parent / name
    return Path(tempfile.mkdtemp(prefix=_NAME))


def _parents() -> Iterator[Path]:
    told = os.environ.get(_TOLD)
    if told:  # by a person, or by the process that started this one, which added the name of its own version
        yield Path(told).parent if Path(told).name.startswith(_NAME) else Path(told)
    yield ROOT / "sentinel" / "__pycache__"
    yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    yield Path(tempfile.gettempdir()) / f"cache-{os.getuid()}"


def version(root: Path) -> str:
    """Return the digest of all code below `root` that is compiled: another one after an edit of any file of it."""
    digest = blake2b(digest_size=8)
    for part in COMPILED:
        for file in sorted((root / part).rglob("*.py")):
            digest.update(f"{file.relative_to(root)}\n".encode())
            digest.update(blake2b(file.read_bytes()).digest())
    return digest.hexdigest()


def use() -> None:
    """Let numba keep its machine code there: before numba is imported."""
    os.environ[_TOLD] = str(folder())
