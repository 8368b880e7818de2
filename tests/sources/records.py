"""Records for the tests of sources: with fields left out, as bytes, and why they are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sentinel.core.errors import RejectionCode as Code
from streams.sources.contract import Source


def told(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are told: None leaves one out."""
    return {name: value for name, value in fields.items() if value is not None}


def raw(document: object) -> bytes:
    """Return the bytes of a document: those given, or it in JSON."""
    return document if isinstance(document, bytes) else json.dumps(document).encode()


def refusals(source: Source, document: object) -> list[tuple[Code, str]]:
    """Return why a document is refused, and where."""
    return [(one.code, one.pointer) for one in source.decode([raw(document)]).rejections]
