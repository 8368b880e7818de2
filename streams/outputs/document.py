"""The file of outputs: a list for each kind, in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, Field, create_model, model_validator

from streams.outputs.contract import Output, Section
from streams.yaml_file import Strict, parse, read_bytes

OUTPUTS_MAX: Final = 100


class Outputs(Strict):
    """What every such file holds to; the lists are added by `model`."""

    @model_validator(mode="after")
    def _are_told_apart(self) -> Outputs:
        names = [section.name for section in self.sections()]
        if len(names) != len(set(names)):
            raise ValueError("two outputs have one name")
        return self

    def sections(self) -> list[Section]:
        """Return what is described, kind by kind."""
        return [section for kind in type(self).model_fields for section in getattr(self, kind)]


def model(kinds: Mapping[str, Output]) -> type[Outputs]:
    """Return what a file of these kinds may say."""
    lists: dict[str, Any] = {
        name: (list[kind.section], Field([], max_length=OUTPUTS_MAX, description=kind.title))  # type: ignore[name-defined]
        for name, kind in kinds.items()
    }
    return create_model("Outputs", __base__=Outputs, **lists)


def read(path: Path, kinds: Mapping[str, Output]) -> list[tuple[Output, Section]]:
    """Return the outputs that a file describes, each with its kind.

    Raises:
        RefusedToStartError: it is not there or cannot be used; the message names file, line and key, never a value.
    """
    told: BaseModel = parse(read_bytes(path), path.name, model(kinds), "file")
    return [(kind, section) for name, kind in kinds.items() for section in getattr(told, name)]
