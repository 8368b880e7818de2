"""The core takes time, chance and the outside world from nobody but its caller, and its errors quote no record."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import sentinel.core
from sentinel.core.errors import RefusedToStartError, RejectedError, RejectionCode, SentinelError
from sentinel.core.event import AccessEvent, moment
from tests.builders import a_pipeline

CORE = Path(sentinel.core.__file__).parent
FILES = sorted(CORE.rglob("*.py"))
SECRET = "sécret-DUPONT-1980"

BANNED_MODULES = {
    "time": "the wall clock: event time decides",
    "random": "chance without a seed",
    "secrets": "chance without a seed",
    "uuid": "ids are derived: sentinel.core.ids.derive",
    "os": "the world outside",
    "io": "the world outside",
    "shutil": "the world outside",
    "tempfile": "the world outside",
    "socket": "the world outside",
    "subprocess": "the world outside",
    "asyncio": "the caller's business",
    "threading": "the caller's business",
    "logging": "signals, not log lines",
    "pickle": "runs code that it reads",
    "marshal": "runs code that it reads",
}
BANNED_CALLS = {
    "open": "the world outside",
    "print": "the world outside",
    "input": "the world outside",
    "eval": "runs code that it reads",
    "exec": "runs code that it reads",
    "hash": "differs from process to process: blake2b",
    "now": "the wall clock: event time decides",
    "utcnow": "the wall clock: event time decides",
    "today": "the wall clock: event time decides",
    "uuid1": "ids are derived: sentinel.core.ids.derive",
    "uuid4": "ids are derived: sentinel.core.ids.derive",
    "default_rng": "chance without a seed",
    "urandom": "chance without a seed",
    "read_text": "the world outside",
    "read_bytes": "the world outside",
    "write_text": "the world outside",
    "write_bytes": "the world outside",
    "getenv": "the world outside",
}


def offences(source: str) -> Iterator[str]:
    """Yield what a module's text does that the core must not, with the reason."""
    for node in ast.walk(ast.parse(source)):
        for module in _imported(node):
            if module in BANNED_MODULES:
                yield f"line {node.lineno}: import {module}: {BANNED_MODULES[module]}"  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and (name := _called(node)) in BANNED_CALLS:
            yield f"line {node.lineno}: {name}(): {BANNED_CALLS[name]}"
        if isinstance(node, ast.Attribute) and node.attr == "random":
            yield f"line {node.lineno}: .random: chance without a seed"


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [(node.module or "").partition(".")[0]] if isinstance(node, ast.ImportFrom) else []


def _called(node: ast.Call) -> str:
    return getattr(node.func, "id", "") or getattr(node.func, "attr", "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CORE)))
def test_the_core_is_pure(file: Path) -> None:
    """No clock, no chance, no files, no sockets, no threads, no code out of data."""
    assert list(offences(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    ["import time", "from random import choice", "datetime.now(UTC)", "uuid4()", "open('x')", "np.random.rand()", "import os"],
)
def test_an_offence_is_found(line: str) -> None:
    """What the test above would say."""
    assert len(list(offences(line))) >= 1


def test_every_file_says_what_it_is() -> None:
    """One sentence at the top of each."""
    for file in FILES:
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), file


RAISED = {"RefusedToStartError", "RejectedError", "SnapshotError", "ValueError", "TypeError"}
NAMES_PLUG_INS = {"plugins.py", "snapshot.py"}  # names of files and classes alone, never what a record said


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CORE)))
def test_errors_are_few_and_constant(file: Path) -> None:
    """What is raised on purpose is of a known kind, and its message is a constant sentence."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            assert _called(node.exc) in RAISED, node.lineno
            constant = all(isinstance(argument, (ast.Constant, ast.Attribute)) for argument in node.exc.args)
            assert constant or file.name in NAMES_PLUG_INS, node.lineno


def test_errors_are_of_two_families() -> None:
    """What is raised on purpose can be caught as one."""
    assert set(SentinelError.__subclasses__()) >= {RefusedToStartError, RejectedError}
    assert not issubclass(RejectedError, RefusedToStartError)


FIELDS = [name for name, field in AccessEvent.model_fields.items() if name != "resource_count"]
EVENT = {"id": "1", "occurred_at": "2026-01-05T09:00:00Z", "action": "read", "actor_id": "nurse"}


def told(attempt: Callable[[], object]) -> str:
    """Return everything that is printed of the error that `attempt` ends in: message, repr and traceback."""
    with pytest.raises((ValueError, TypeError)) as caught:
        attempt()
    return f"{caught.value} {caught.value!r} " + "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [f"{SECRET}\x00", [SECRET], {SECRET: 1}, SECRET * 200], ids=("control", "list", "dict", "long"))
def test_no_refusal_quotes_the_value(field: str, value: object) -> None:
    """A field of the wrong type, length or content is named; what it said is not."""
    text = told(lambda: AccessEvent.model_validate(EVENT | {field: value}))
    assert field in text
    assert SECRET not in text


def test_no_refusal_quotes_an_unknown_field_s_value() -> None:
    """Nor what came beside the fields."""
    assert SECRET not in told(lambda: AccessEvent.model_validate(EVENT | {"unknown": SECRET}))
    with pytest.raises(ValidationError):
        AccessEvent.model_validate_json(b'{"id": "' + SECRET.encode() + b'"')


@given(st.text())
def test_no_refusal_of_a_time_quotes_it(text: str) -> None:
    """The message is a constant sentence."""
    with pytest.raises(ValueError, match=r"^(not an RFC 3339 time with an offset|no such date or time|no leap second then)$"):
        moment(f"{SECRET}{text}")


def test_an_event_keeps_its_patient_out_of_its_repr() -> None:
    """An event that ends up in a log line by mistake names nobody."""
    event = AccessEvent.model_validate(EVENT | {"patient_id": SECRET, "reason": SECRET, "resource_id": SECRET})
    assert SECRET not in repr(event)
    assert SECRET not in str(event)


def test_a_rejection_says_where_and_why() -> None:
    """Code and JSON pointer, and a sentence of ours."""
    assert str(RejectedError(RejectionCode.BAD_TIME, "/period/start", "no offset")) == "bad-time at /period/start: no offset"
    assert str(RejectedError(RejectionCode.UNPARSEABLE)) == "unparseable at /"


def test_a_refused_state_says_nothing_of_it() -> None:
    """Not even a part of the bytes."""
    assert SECRET not in told(lambda: a_pipeline([]).restore(f"SENTINEL-STATE-2{SECRET}{{'value': '{SECRET}'}}".encode()))
