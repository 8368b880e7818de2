"""Yesterday's machine code never runs for today's code: what is kept hangs on every file that is compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from sentinel.compiled import COMPILED, ROOT, folder, version

PASS = Path("sentinel/core/facts")


def a_copy(to: Path) -> Path:
    """Return the root of a copy of all code that is compiled."""
    for part in COMPILED:
        shutil.copytree(ROOT / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
    return to


def test_an_edit_of_any_file_of_the_pass_changes_the_version(tmp_path: Path) -> None:
    """Numba looks at the file of the function that is called alone: an edited stage would go on as it was."""
    root = a_copy(tmp_path)
    before = version(root)
    files = sorted((root / PASS).glob("*.py"))
    assert {"kernel.py", "stage.py", "person.py", "reasons.py", "opening.py", "counts.py", "pairs.py", "numbers.py"} <= {
        file.name for file in files
    }
    for file in files:
        text = file.read_bytes()
        file.write_bytes(text + b"# another\n")
        assert version(root) != before, file.name
        file.write_bytes(text)
    assert version(root) == before


def test_code_moved_from_file_to_file_is_another_version(tmp_path: Path) -> None:
    """The same lines in other files are other functions."""
    root = a_copy(tmp_path)
    before = version(root)
    (root / PASS / "counts.py").rename(root / PASS / "counting.py")
    assert version(root) != before


def test_the_version_hangs_on_content_alone(tmp_path: Path) -> None:
    """Wherever the code was installed, and whenever, it finds what was compiled of it."""
    assert version(a_copy(tmp_path)) == version(ROOT)
    assert folder().name == f"sentinel-{version(ROOT)}"


def cache_of_a_start(told: Path) -> Path:
    """Return where numba keeps its machine code in a process that is told to keep it in a folder."""
    program = "import sentinel, numba; print(numba.config.CACHE_DIR)"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(told), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    return Path(done.stdout.strip())


def test_a_folder_of_ones_own_is_divided_by_version_too(tmp_path: Path) -> None:
    """A folder that numba is told to use outlives updates; a process started by another finds that one's code."""
    kept = cache_of_a_start(tmp_path)
    assert kept == tmp_path / f"sentinel-{version(ROOT)}"
    assert cache_of_a_start(kept) == kept
    assert cache_of_a_start(tmp_path / "sentinel-of-another-version") == kept
