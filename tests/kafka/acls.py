"""Sets the ACLs that docs/kafka.md tells: the options of `kafka-acls`, through Kafka's protocol."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path

from streams.bus import Bus, admin, started

PAGE = Path(__file__).parents[2] / "docs/kafka.md"
TOPIC, GROUP = 2, 3
PATTERN = {"literal": 3, "prefixed": 4}
OPERATION = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
ALLOW = 3
PARSER = ArgumentParser(exit_on_error=False)
PARSER.add_argument("--add", action="store_true", required=True)
PARSER.add_argument("--allow-principal", required=True)
PARSER.add_argument("--operation", action="append", choices=OPERATION, required=True)
PARSER.add_argument("--topic", action="append", default=[])
PARSER.add_argument("--group", action="append", default=[])
PARSER.add_argument("--resource-pattern-type", choices=PATTERN, default="literal")


def told() -> list[str]:
    """Return the lines of the page."""
    blocks = re.findall(r"^```acl\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


async def allow(bus: Bus, lines: Sequence[str] = ()) -> None:
    """Set `lines`, or those of the page, as an administrator."""
    from aiokafka.protocol.admin import CreateAclsRequest

    async with started(bus, admin(bus)) as kafka:
        for line in lines or told():
            for kind, name, pattern, principal, operation in _parsed(line):
                answer = await kafka._send_to_controller(CreateAclsRequest(kind, name, pattern, principal, "*", operation, ALLOW))
                assert [code for code, _ in answer.creation_responses] == [0]


def _parsed(line: str) -> Iterator[tuple[int, str, int, str, int]]:
    asked = PARSER.parse_args(shlex.split(line))
    for kind, names in ((TOPIC, asked.topic), (GROUP, asked.group)):
        for name in names:
            for operation in asked.operation:
                yield kind, name, PATTERN[asked.resource_pattern_type], asked.allow_principal, OPERATION[operation]
