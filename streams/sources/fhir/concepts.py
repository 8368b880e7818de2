"""Codings and CodeableConcepts that come again and again: kept undecoded, joined, digested once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.sources.fhir.elements import Concept
from streams.sources.shared.documents import BROKEN, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

BETWEEN: Final = b"\0"  # which no JSON holds
joined: Final = BETWEEN.join

_decode_concept: Final = msgspec.json.Decoder(Concept | None).decode
_decode_concepts: Final = msgspec.json.Decoder(list[Concept] | None).decode


def concept(raw: bytes, pointer: str) -> Concept | None:
    """Return one concept, None when it is absent.

    Raises:
        RejectedError: not of the type FHIR says, below `pointer`.
    """
    try:
        return _decode_concept(raw) if raw else None
    except BROKEN as error:
        raise refusal(error, raw, pointer) from None


def concepts(raw: bytes, pointer: str) -> Sequence[Concept]:
    """Return several concepts, none when they are absent. Raises as `concept` does."""
    try:
        return (_decode_concepts(raw) if raw else None) or ()
    except BROKEN as error:
        raise refusal(error, raw, pointer) from None
