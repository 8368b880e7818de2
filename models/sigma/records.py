"""Conditions over records as they came: what is met is marked on the rows that a source makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from lxml import etree

from models.sigma.expressions import All, Compared, Expression, Field, Like, Not, Some, Test, Time, accepts
from models.sigma.refusals import Reason, RuleRefusedError

VALUES_MAX: Final = 256  # of one field in one record: what stands in lists counts, one by one

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode

Met = Callable[["Document"], bool]
Path = tuple[str, ...]


class Document:
    """One document in JSON, or an event of Windows in XML; fields are looked up when a rule asks for them, once."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._values: dict[tuple[Path, ...], list[str]] = {}
        try:
            self._tree: Mapping[str, Any] = _of_xml(raw) if raw.lstrip()[:1] == b"<" else _decode(raw)
        except (msgspec.MsgspecError, etree.XMLSyntaxError, ValueError, RecursionError):
            self._tree = {}

    def text(self) -> str:
        """Return the whole of it."""
        return self._raw.decode("utf-8", "replace")

    def values(self, paths: tuple[Path, ...]) -> list[str]:
        """Return the values at the first of several places that holds any, as texts; one empty text when none does."""
        if paths not in self._values:
            found = next(filter(None, (list(_texts(self._tree, path)) for path in paths)), [""])
            self._values[paths] = found[:VALUES_MAX]
        return self._values[paths]


def _of_xml(raw: bytes) -> dict[str, Any]:
    """Return an XML document as JSON would have it: elements by local names, `Data` by its `Name`, attributes as `@name`."""
    root = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    return {} if root.getroottree().docinfo.doctype else {_local(root): _of_element(root)}


def _of_element(element: Any) -> Any:
    children = [child for child in element if isinstance(child.tag, str)]
    found: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
    for child in children:
        named = child.get("Name") if _local(child) == "Data" else None
        found[named or _local(child)] = (child.text or "") if named else _of_element(child)
    return found if children or (found and not (element.text or "").strip()) else element.text or ""


def _local(element: Any) -> str:
    return str(etree.QName(element).localname)


def _texts(node: Any, path: Path) -> Sequence[str]:
    """Return the scalars at a path as texts. Lists are looked into; a name may itself hold dots."""
    if isinstance(node, list):
        return [text for one in node[:VALUES_MAX] for text in _texts(one, path)]
    if not path:
        return _as_texts(node)
    if not isinstance(node, dict):
        return []
    if path[0] in node:
        return _texts(node[path[0]], path[1:])
    joined = ".".join(path)
    if len(path) > 1 and joined in node:
        return _texts(node[joined], ())
    folded = path[0].lower()  # rules are not always right about capitals
    named = next((name for name in node if name.lower() == folded), None)
    return [] if named is None else _texts(node[named], path[1:])


def _as_texts(node: Any) -> Sequence[str]:
    match node:
        case None:
            return []
        case str():
            return [node]
        case bool():
            return ["true" if node else "false"]
        case int() | float():
            return [str(node)]
    return [msgspec.json.encode(node).decode()]


def met(tree: Expression, places: Callable[[str], tuple[str, ...]]) -> Met:
    """Return what tells whether a document meets a condition. `places`: where each field may stand.

    Raises:
        RuleRefusedError: it asks what a record does not tell.
    """
    match tree:
        case Field():
            return _about(tree, places)
        case Not():
            inner = met(tree.of, places)
            return lambda document: not inner(document)
    every = [met(one, places) for one in tree.of]
    if isinstance(tree, All):
        return lambda document: all(one(document) for one in every)
    return lambda document: any(one(document) for one in every)


def _about(asked: Field, places: Callable[[str], tuple[str, ...]]) -> Met:
    if isinstance(asked.test, Time):
        raise RuleRefusedError(Reason.BAD_VALUE, f"{asked.name}: a part of a time")
    accept = accepts(asked.test)
    if not asked.name:
        return _anywhere(asked)
    paths = tuple(tuple(place.split(".")) for place in places(asked.name))
    return lambda document: any(map(accept, document.values(paths)))


def _anywhere(asked: Field) -> Met:
    """Return what finds a text anywhere in a record; it need not be the whole record."""
    test = asked.test
    if not isinstance(test, Like):
        raise RuleRefusedError(Reason.KEYWORDS, "only texts are looked for anywhere in a record")
    parts = (None, *test.parts, None)
    accept = accepts(
        Like(
            tuple(part for at, part in enumerate(parts) if part is not None or parts[at - 1] is not None or not at), test.is_cased
        )
    )
    return lambda document: accept(document.text())


@dataclass(frozen=True, slots=True)
class RecordRule:
    """A rule on records of one source. `name`: what it marks; `key`: a field of which it takes few texts, where there is one."""

    name: str
    source: str
    met: Met
    key: tuple[tuple[Path, ...], frozenset[str]] | None = None


def key_of(tree: Expression, places: Callable[[str], tuple[str, ...]]) -> tuple[tuple[Path, ...], frozenset[str]] | None:
    """Return a field, by where it stands, and the texts (in lower case) one of which it must have; None: nothing so plain."""
    wanted = _plain(tree)
    if wanted is None and isinstance(tree, All):
        wanted = min(filter(None, map(_plain, tree.of)), key=lambda one: len(one[1]), default=None)
    if wanted is None:
        return None
    return tuple(tuple(place.split(".")) for place in places(wanted[0])), wanted[1]


def _plain(tree: Expression) -> tuple[str, frozenset[str]] | None:
    """Return the field of which a tree takes none but some plain texts, and those; None: it is no such tree."""
    if isinstance(tree, Field):
        plain = tree.test.plain if isinstance(tree.test, Like) else _whole_number(tree.test)
        return (tree.name, frozenset({plain.lower()})) if tree.name and plain else None
    if isinstance(tree, All):
        return min(filter(None, map(_plain, tree.of)), key=lambda one: len(one[1]), default=None)
    found = list(map(_plain, tree.of)) if isinstance(tree, Some) else [None]
    names = {one[0] for one in found if one is not None}
    if None in found or len(names) != 1:
        return None
    return names.pop(), frozenset(text for one in found if one is not None for text in one[1])


def _whole_number(test: Test) -> str | None:
    is_number = isinstance(test, Compared) and test.order is None and test.number.is_integer()
    return str(int(test.number)) if isinstance(test, Compared) and is_number else None


class Marker:
    """The rules on records of one source: what marks a document."""

    def __init__(self, rules: Sequence[RecordRule]) -> None:
        self._always = [rule for rule in rules if rule.key is None]
        self._by_key: dict[tuple[Path, ...], dict[str, list[RecordRule]]] = {}
        for rule in rules:
            if rule.key is not None:
                paths, texts = rule.key
                for text in texts:
                    self._by_key.setdefault(paths, {}).setdefault(text, []).append(rule)

    def marks(self, raw: bytes) -> str:
        """Return the names of the rules that a document meets, sorted, a space before and behind each; empty: it meets none."""
        document = Document(raw)
        likely = {rule.name: rule for rule in self._always}
        for paths, by_text in self._by_key.items():
            for value in document.values(paths):
                likely.update((rule.name, rule) for rule in by_text.get(value.lower(), ()))
        names = sorted(name for name, rule in likely.items() if rule.met(document))
        return f" {' '.join(names)} " if names else ""
