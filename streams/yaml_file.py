"""A YAML file that people write into its model: every complaint names the file, the line and the place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from sentinel.core.errors import RefusedToStartError

FILE_BYTES_MAX: Final = 1 << 20
COMPLAINTS_MAX: Final = 5
DEPTH_MAX: Final = 40
_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every scalar is a text: `no` is no boolean, `010` no number


class WrongFileError(RefusedToStartError):
    """A file that cannot be used; the message is a line a complaint, each with file and line."""


class Strict(BaseModel):
    """A part of such a file: what it does not know, it refuses; nothing of it changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=False)


def _read_secret(told: object) -> object:
    """Return what stands at `env:NAME` or in `file:PATH`: a secret never stands in the settings file itself."""
    if not isinstance(told, str):
        return told
    where, _, name = told.partition(":")
    try:
        if where == "env":
            return os.environ[name]
        if where == "file":
            return Path(name).read_text(encoding="utf-8").strip()
    except (KeyError, OSError, ValueError):  # whose words would quote what is there
        pass
    raise ValueError("a secret is told by its place, env:NAME or file:PATH, and has to be there")


Secret = Annotated[SecretStr, BeforeValidator(_read_secret), Field(min_length=1)]


M = TypeVar("M", bound=BaseModel)


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        WrongFileError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise WrongFileError(f"{path}: {type(error).__name__}") from None


def parse(data: bytes, name: str, model: type[M], what: str) -> M:
    """Return what YAML text describes; `name` and `what` it is stand in complaints.

    Raises:
        WrongFileError: it is not YAML, or says what the model cannot.
    """
    root = _composed(data, name, what)
    try:
        return model.model_validate(_plain(root, name))
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False, include_context=False)
        lines = [_complaint(root, name, what, one["loc"], one["msg"]) for one in told[:COMPLAINTS_MAX]]
        raise WrongFileError("\n".join(dict.fromkeys(lines))) from None


def _composed(data: bytes, name: str, what: str) -> yaml.Node:
    if len(data) > FILE_BYTES_MAX:
        raise WrongFileError(f"{name}: more than {FILE_BYTES_MAX} bytes")
    try:
        events = list(yaml.parse(data, Loader=_LOADER))
        _check(events, name)
        root = yaml.compose(data, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise WrongFileError(f"{name}:{line}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise WrongFileError(f"{name}:1: not YAML") from None
    if not isinstance(root, yaml.MappingNode):
        raise WrongFileError(f"{name}:1: a {what} is keys and values")
    return root


def _check(events: Sequence[yaml.Event], name: str) -> None:
    """Refuse what YAML can say and such a file has no use for: anchors, which can multiply a text without end, and depth."""
    depth = 0
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise WrongFileError(f"{name}:{line}: anchors and aliases are not taken")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            raise WrongFileError(f"{name}:{line}: nested more than {DEPTH_MAX} deep")


def _plain(node: yaml.Node, name: str) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, name) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return node.value
    plain: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise WrongFileError(f"{name}:{line}: a key is a text")
        if key.value in plain:
            raise WrongFileError(f"{name}:{line}: {key.value} is there twice")
        plain[key.value] = _plain(value, name)
    return plain


def _complaint(root: yaml.Node, name: str, what: str, place: Sequence[int | str], message: str) -> str:
    node, steps = root, []
    for step in place:
        found = _child(node, step)
        if found is None:
            steps += [str(step)] if isinstance(step, str) and step.replace("_", "").replace("-", "").isalnum() else []
            break
        node = found
        steps.append(str(step))
    return f"{name}:{node.start_mark.line + 1}: {'.'.join(steps) or what}: {message.removeprefix('Value error, ')}"


def _child(node: yaml.Node, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step] if step < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    return None
