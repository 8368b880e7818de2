"""Plug-ins: one file whose name is the plug-in's name, exporting one frozen value. Found is not enabled."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from sentinel.core.errors import RefusedToStartError


class Named(Protocol):
    """What every plug-in has."""

    @property
    def name(self) -> str:
        """The plug-in's name: its file's."""
        ...


Plugin = TypeVar("Plugin", bound=Named)


def discover(package: str, value: str, kind: type[Plugin]) -> dict[str, Plugin]:
    """Return the plug-ins in `package` and in the entry-point group `sentinel.<last part of package>`, by name.

    Raises:
        RefusedToStartError: one is misnamed, of another kind, cannot be imported, or is there twice.
    """
    found: dict[str, Plugin] = {}
    for name, plugin in (*_own(package, value), *_others(f"sentinel.{package.rpartition('.')[2]}")):
        if not isinstance(plugin, kind):
            raise RefusedToStartError(f"plug-in {name}: exports no {value} of type {kind.__name__}")
        if plugin.name != name:
            raise RefusedToStartError(f"plug-in {name}: calls itself {plugin.name}")
        if name in found:
            raise RefusedToStartError(f"plug-in {name}: there twice")
        found[name] = plugin
    return found


def enabled(found: dict[str, Plugin], names: Iterable[str]) -> list[Plugin]:
    """Return the plug-ins called `names`, in the order of their names.

    Raises:
        RefusedToStartError: one is not there.
    """
    missing = sorted(set(names) - found.keys())
    if missing:
        raise RefusedToStartError(f"no such plug-in: {', '.join(missing)} (there are: {', '.join(sorted(found))})")
    return [found[name] for name in sorted(set(names))]


def _own(package: str, value: str) -> Iterator[tuple[str, object]]:
    for module in pkgutil.iter_modules(import_module(package).__path__):
        exported = getattr(_loaded(module.name, partial(import_module, f"{package}.{module.name}")), value, None)
        if exported is not None:
            yield module.name, exported


def _others(group: str) -> Iterator[tuple[str, object]]:
    for point in sorted(_entry_points(tuple(sys.path)).select(group=group), key=lambda point: point.name):
        yield point.name, _loaded(point.name, point.load)


@cache
def _entry_points(_path: tuple[str, ...]) -> Any:
    """Return what all packages on the path offer: read once, as it means opening a file of each."""
    return entry_points()


def _loaded(name: str, load: Callable[[], object]) -> object:
    try:
        return load()
    except Exception as error:
        raise RefusedToStartError(f"plug-in {name}: cannot be imported ({type(error).__name__}: {error})") from error
