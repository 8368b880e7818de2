"""Tells one alert through an output as settings describe it, formats and all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sentinel.core.plugins import discover
from streams.delivery import Outlet, attempt
from streams.outputs.contract import Format, NotTakenError, Output, Telling, Tools
from tests.outputs.receiving import Clock, a_telling

FORMATS = discover("streams.outputs.formats", "FORMAT", Format)


def told(output: Output, telling: Telling | None = None, clock: Clock | None = None, **section: Any) -> NotTakenError | None:
    """Return why it was not taken, None: it was; as delivery tries it."""

    async def run() -> NotTakenError | None:
        read = output.section.model_validate({"name": "soc", **section})
        sender = output.open(read, Tools(FORMATS, clock or Clock()))
        try:
            return await attempt(Outlet(output.name, read, sender), telling or a_telling())
        finally:
            await sender.close()

    return asyncio.run(run())


def tell(output: Output, telling: Telling | None = None, **section: Any) -> None:
    """Tell, and see it taken."""
    failed = told(output, telling, **section)
    assert failed is None, failed.code


def refuse(output: Output, telling: Telling | None = None, **section: Any) -> NotTakenError:
    """Tell, and return why it was not taken."""
    failed = told(output, telling, **section)
    if failed is None:
        pytest.fail("it was taken")
    return failed
