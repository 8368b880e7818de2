"""Uses the store without pandas: pyarrow and chDB import it wherever it is, which takes a second and serves nothing here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder


class _NoPandas(MetaPathFinder):
    """Says that pandas is not there."""

    def find_spec(self, fullname: str, *_: object) -> None:
        """Leave all other modules to the other finders."""
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


@contextmanager
def without_pandas() -> Iterator[None]:
    """Keep pyarrow, which asks once, and chDB, which asks at each insert, from pandas; plug-ins may import it before or after."""
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
