"""A detector with other numbers: its own file, in which some of those declared at its top are others."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from sentinel.core.detector import Detector
from sentinel.core.errors import RefusedToStartError

WEIGHT: Final = "weight"  # of what a detector finds: no number of its file's top, but of the detector itself


def with_parameters(detector: Detector, numbers: Mapping[str, float]) -> Detector:
    """Return a detector of ours with other numbers: those that docs/detectors.md lists, and its `weight`.

    Raises:
        RefusedToStartError: it has no such number, or another's file.
    """
    declared = {name: number for name, number in numbers.items() if name != WEIGHT}
    changed = _made_with(detector.name, declared) if declared else detector
    return replace(changed, weight=numbers.get(WEIGHT, changed.weight))


def _made_with(name: str, numbers: Mapping[str, float]) -> Detector:
    try:
        own = import_module(f"models.detectors.{name}")
    except ModuleNotFoundError:
        raise RefusedToStartError(f"detector {name}: its weight alone can be another") from None
    file = str(own.__file__)
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    places = {node.target.id: node for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    for number, value in numbers.items():
        before = getattr(own, number, None)
        if number not in places or not isinstance(before, int | float):
            raise RefusedToStartError(f"detector {name}: there is no number {number}")
        is_whole = isinstance(before, int) and value == int(value)
        places[number].value = ast.copy_location(ast.Constant(int(value) if is_whole else value), places[number])
    module = ModuleType(own.__name__)
    exec(compile(tree, file, "exec"), module.__dict__)  # noqa: S102  our own file, but for numbers
    made: Detector = module.DETECTOR
    return made
