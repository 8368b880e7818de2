"""Where what is made once from the code is kept between runs: machine code and the model's trees.

numba's own cache looks at a function's file alone, and the pass freezes constants of its neighbours: a folder named
after the content of the whole core makes it impossible to run yesterday's constants with today's code.
"""

from __future__ import annotations

import os
import tempfile
from hashlib import blake2b
from pathlib import Path


def folder() -> Path:
    """Return the folder of this version of the code, made if need be: beside it, else the user's cache, else /tmp."""
    package = Path(__file__).parent
    name = f"sentinel-{_digest(package / 'core')}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for parent in (package / "__pycache__", home, Path(tempfile.gettempdir()) / f"cache-{os.getuid()}"):
        try:
            (parent / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(parent / name, os.W_OK):
            return parent / name
    return Path(tempfile.mkdtemp(prefix="sentinel-"))


def _digest(code: Path) -> str:
    digest = blake2b(digest_size=8)
    for file in sorted(code.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def use() -> None:
    """Let numba keep its machine code there: before numba is imported."""
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder()))
