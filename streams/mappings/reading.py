"""A mapping's file into its model."""

from __future__ import annotations

from pathlib import Path

from streams.mappings.document import Mapping
from streams.yaml_file import WrongFileError, read_bytes
from streams.yaml_file import parse as parse_yaml


def read(path: Path) -> Mapping:
    """Return the mapping that a file describes.

    Raises:
        WrongFileError: it is not there, not YAML, or says what a mapping cannot.
    """
    mapping = parse(read_bytes(path), path.name)
    if path.stem != mapping.mapping:
        raise WrongFileError(f"{path.name}: calls itself {mapping.mapping}; a mapping is named as its file")
    return mapping


def parse(data: bytes, name: str) -> Mapping:
    """Return the mapping that YAML text describes; `name` stands in complaints.

    Raises:
        WrongFileError: see `read`.
    """
    return parse_yaml(data, name, Mapping, "mapping")
