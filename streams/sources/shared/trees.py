"""Values in JSON documents whose shape only the sender knows, found by their paths."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.shared.values import told

DOTS_MAX: Final = 12  # in a name; what follows is one name

Tree = dict[str, Any]
Path = tuple[str, ...]

_decode: Final = msgspec.json.Decoder(Tree).decode


def tree_of(document: bytes) -> Tree:
    """Return a document.

    Raises:
        RejectedError: `not-an-event` for JSON that is no object; else what the decoder raises.
    """
    try:
        return _decode(document)
    except msgspec.ValidationError:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not an object") from None


def paths(*dotted: str) -> tuple[Path, ...]:
    """Return paths told with dots between names, several in a text."""
    return tuple(tuple(one.split(".")) for several in dotted for one in several.split())


def at(tree: object, path: Path) -> Any:
    """Return the value at a path, None when it is not there; of a list on the way, its first item counts."""
    for name in path:
        if type(tree) is not dict:
            tree = tree[0] if isinstance(tree, list) and tree else None
            if type(tree) is not dict:
                return None
        tree = tree.get(name)
    return tree


def first(tree: Tree, among: tuple[Path, ...]) -> str:
    """Return the first scalar that is told at one of some paths, empty when none is."""
    for path in among:
        if (value := at(tree, path)) is not None and (text := told(value)):
            return text
    return ""


def branches(tree: Tree, path: Path) -> list[Tree]:
    """Return the objects in the list at a path, or the one that stands there alone."""
    value = at(tree, path)
    several = value if isinstance(value, list) else [value]
    return [one for one in several if isinstance(one, dict)]


def undotted(tree: Tree) -> Tree:
    """Return a document in which `{"a.b": 1}` has become `{"a": {"b": 1}}`, on all levels; what is told twice counts once."""
    grown: Tree = {}
    for name, value in tree.items():
        held = undotted(value) if isinstance(value, dict) else value
        *way, last = name.split(".", DOTS_MAX) if "." in name else (name,)
        branch = grown
        for step in way:
            below = branch.setdefault(step, {})
            branch = below if isinstance(below, dict) else {}
        known = branch.get(last)
        branch[last] = {**known, **held} if isinstance(known, dict) and isinstance(held, dict) else held
    return grown
