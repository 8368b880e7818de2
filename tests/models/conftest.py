"""One simulated hospital for all that look at it."""

from __future__ import annotations

import pytest

from models.hospital import Hospital, SimulatedEvent, write
from tests.models.simulated import SETTINGS, Written


@pytest.fixture(scope="session")
def hospital() -> Hospital:
    return Hospital(SETTINGS)


@pytest.fixture(scope="session")
def made(hospital: Hospital) -> list[SimulatedEvent]:
    return list(hospital.events())


@pytest.fixture(scope="session")
def written(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Written:
    out = tmp_path_factory.mktemp("hospital")
    write(hospital, out)
    return Written(out)
