"""The file of a configuration: the detectors' and the model's numbers, and the budget. `docs/shadow.md` says what for."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Annotated

from pydantic import Field

from streams.yaml_file import Strict, parse, read_bytes

Number = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,99}$")]


class Configuration(Strict):
    """The file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,39}$")] = Field(
        description="what it is called in alerts, with a digest of all that it says behind it"
    )
    reason: Annotated[str, Field(min_length=2, max_length=500)] = Field(description="what it is to change, and why")
    budget: float | None = Field(None, ge=0, description="alerts a day; left out: as `SENTINEL_BUDGET` says")
    model: bool | None = Field(None, description="whether the online model runs; left out: as `SENTINEL_MODEL` says")
    model_parameters: dict[Name, Number] = Field(
        {}, description="numbers of the model: `p_max`, `window_hours` … ([model](model.md))"
    )
    off: list[Name] = Field(
        [], max_length=200, description="detectors that don't run, of those that `SENTINEL_DETECTORS` lets run"
    )
    parameters: dict[Name, dict[Name, Number]] = Field(
        {}, description="by detector: its numbers as [detectors](detectors.md) lists them, and `weight`"
    )

    @property
    def version(self) -> str:
        """Its name and a digest of what it says: another file is another version."""
        said = self.model_dump_json(exclude={"name", "reason"})
        return f"{self.name}@{blake2b(said.encode(), digest_size=4).hexdigest()}"


def read(path: Path) -> Configuration:
    """Return what a file of a configuration says.

    Raises:
        WrongFileError: it is not there, not YAML, or says what such a file cannot.
    """
    return parse(read_bytes(path), path.name, Configuration, "configuration")
