"""A mapping's file into its model: every complaint names the file, the line and the place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from sentinel.core.errors import RefusedToStartError
from streams.mappings.document import Mapping

FILE_BYTES_MAX: Final = 1 << 20
COMPLAINTS_MAX: Final = 5
DEPTH_MAX: Final = 40
_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every scalar is a text: `no` is no boolean, `010` no number


class WrongMappingError(RefusedToStartError):
    """A mapping that cannot be used; the message is a line a complaint, each with file and line."""


def read(path: Path) -> Mapping:
    """Return the mapping that a file describes.

    Raises:
        WrongMappingError: it is not there, not YAML, or says what a mapping cannot.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WrongMappingError(f"{path}: {type(error).__name__}") from None
    mapping = parse(data, path.name)
    if path.stem != mapping.mapping:
        raise WrongMappingError(f"{path.name}: calls itself {mapping.mapping}; a mapping is named as its file")
    return mapping


def parse(data: bytes, name: str) -> Mapping:
    """Return the mapping that YAML text describes; `name` stands in complaints.

    Raises:
        WrongMappingError: see `read`.
    """
    root = _composed(data, name)
    try:
        return Mapping.model_validate(_plain(root, name))
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False, include_context=False)
        lines = [_complaint(root, name, one["loc"], one["msg"]) for one in told[:COMPLAINTS_MAX]]
        raise WrongMappingError("\n".join(dict.fromkeys(lines))) from None


def _composed(data: bytes, name: str) -> yaml.Node:
    if len(data) > FILE_BYTES_MAX:
        raise WrongMappingError(f"{name}: more than {FILE_BYTES_MAX} bytes")
    try:
        events = list(yaml.parse(data, Loader=_LOADER))
        _check(events, name)
        root = yaml.compose(data, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise WrongMappingError(f"{name}:{line}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise WrongMappingError(f"{name}:1: not YAML") from None
    if not isinstance(root, yaml.MappingNode):
        raise WrongMappingError(f"{name}:1: a mapping is keys and values")
    return root


def _check(events: Sequence[yaml.Event], name: str) -> None:
    """Refuse what YAML can say and a mapping has no use for: anchors, which can multiply a text without end, and depth."""
    depth = 0
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise WrongMappingError(f"{name}:{line}: anchors and aliases are not taken")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            raise WrongMappingError(f"{name}:{line}: nested more than {DEPTH_MAX} deep")


def _plain(node: yaml.Node, name: str) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, name) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return node.value
    plain: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise WrongMappingError(f"{name}:{line}: a key is a text")
        if key.value in plain:
            raise WrongMappingError(f"{name}:{line}: {key.value} is there twice")
        plain[key.value] = _plain(value, name)
    return plain


def _complaint(root: yaml.Node, name: str, place: Sequence[int | str], message: str) -> str:
    node, steps = root, []
    for step in place:
        found = _child(node, step)
        if found is None:
            steps += [str(step)] if isinstance(step, str) and step.replace("_", "").replace("-", "").isalnum() else []
            break
        node = found
        steps.append(str(step))
    return f"{name}:{node.start_mark.line + 1}: {'.'.join(steps) or 'mapping'}: {message.removeprefix('Value error, ')}"


def _child(node: yaml.Node, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step] if step < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    return None
