"""Selectors: how a mapping names a place in a record, and how what stands there is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

STEPS_MAX: Final = 16

Step = str | int | tuple[str, str]
Getter = Callable[[Any], str | None]

_STEP: Final = re.compile(r'\.?(?:"([^"]+)"|([^.\[\]"]+))|\[(\d{1,6})\]|\[([^=\]"]+)=([^\]]*)\]')


@dataclass(frozen=True, slots=True)
class Selector:
    """A place in a record: `root` is the alias of a list's item or of a part (empty: the record itself), `steps` lead on."""

    text: str
    root: str
    steps: tuple[Step, ...]

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer (RFC 6901); a filter of a list is told as the mapping writes it."""
        return "".join(f"/{_escaped(step)}" for step in self.steps)


def _escaped(step: Step) -> str:
    text = f"{step[0]}={step[1]}" if isinstance(step, tuple) else str(step)
    return text.replace("~", "~0").replace("/", "~1")


def selector(text: str, aliases: Collection[str], *, flat: bool, flat_aliases: Collection[str] = ()) -> Selector:
    """Return the selector that `text` writes. In a `flat` record a name is a column's, whatever is in it.

    Raises:
        ValueError: it cannot be read.
    """
    root, _, rest = text.partition(".")
    head, bracket, inside = root.partition("[")
    if head in aliases and (bracket or root == head):
        rest = f"[{inside}{'.' + rest if rest else ''}" if bracket else rest
        return Selector(text, head, _steps(rest, flat=head in flat_aliases))
    return Selector(text, "", _steps(text, flat=flat))


def _steps(text: str, *, flat: bool) -> tuple[Step, ...]:
    if not text:
        return ()
    if flat:
        return (text,)
    if text.startswith("/"):
        parts = text[1:].split("/")
        return tuple(int(p) if p.isdigit() else p.replace("~1", "/").replace("~0", "~") for p in parts)
    return _dotted(text)


def _dotted(text: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (match[0].startswith(".") != (at > 0) and not match[0].startswith("[")):
            raise ValueError("not a selector: names joined by dots, [0], [name=value], or a JSON pointer")
        quoted, plain, index, key, wanted = match.groups()
        steps.append(int(index) if index is not None else (key, wanted) if key is not None else quoted or plain)
        at = match.end()
    if len(steps) > STEPS_MAX:
        raise ValueError(f"a selector of more than {STEPS_MAX} steps")
    return tuple(steps)


def node_of(value: Any, steps: tuple[Step, ...]) -> Any:
    """Return what stands at the end of `steps`; None when there is nothing.

    Raises:
        TypeError: a name is asked of a list or a scalar, or a place in something that is no list.
    """
    for step in steps:
        if value is None:
            return None
        if isinstance(value, dict):
            value = value if step == 0 else value.get(str(step)) if not isinstance(step, tuple) else _filtered([value], step)
        elif isinstance(value, list) and not isinstance(step, str):
            value = _filtered(value, step) if isinstance(step, tuple) else value[step] if step < len(value) else None
        elif step != 0:
            raise TypeError
    return value


def _filtered(items: list[Any], wanted: tuple[str, str]) -> Any:
    key, value = wanted
    return next((item for item in items if isinstance(item, dict) and scalar(item.get(key)) == value), None)


def scalar(value: Any) -> str | None:
    """Return a scalar as text, empty for what is not told; None when it is no scalar."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return scalar(value.get("#text")) if isinstance(value, dict) and "#text" in value else None


def getter(steps: tuple[Step, ...]) -> Getter:
    """Return what reads the text at `steps`: empty when nothing stands there, None when it is no scalar."""
    if len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]

        def of_name(value: Any) -> str | None:
            found = value.get(name) if isinstance(value, dict) else None if isinstance(value, list) else ""
            return found if isinstance(found, str) else scalar(found) if not isinstance(value, list) else None

        return of_name

    def of_path(value: Any) -> str | None:
        try:
            return scalar(node_of(value, steps))
        except TypeError:
            return None

    return of_path
