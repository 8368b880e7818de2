"""The embedded service on the counting pipeline, as a program: `counting_service.py FOLDER OPTIONS_JSON`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import SecretStr

from sentinel.assembly.outputs import delivery
from sentinel.core.errors import RefusedToStartError
from sentinel.settings import Settings
from streams.embedded import Edges, EmbeddedConfig, Service, SystemClock, serve
from streams.intake_log import LogBounds
from streams.parts import WorkerLimits
from tests.service import counting


def make_app(service: Service, folder: Path, options: dict):
    from sentinel.web.app import create_app
    from sentinel.web.ports import Limits, Ports, Security
    from streams.context.fhir import CONTEXT_TYPES, decode
    from streams.record import guarded

    keys = {name: SecretStr(value) for name, value in options.get("security", {}).items()}
    return create_app(
        Ports(
            tenant="default",
            intake=service.intake,
            questions=service.questions,
            changes=service.changes,
            vitals=service.vitals,
            sources={name: guarded(source) for name, source in counting.sources().items()},
            context_types=CONTEXT_TYPES,
            decode_context=decode,
            clock=SystemClock(),
            security=Security(**keys),
            limits=Limits(**options.get("limits", {})),
        )
    )


def main() -> None:
    counting.prepare()
    folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    config = EmbeddedConfig(
        folder=folder,
        port=options.get("port", 0),
        checkpoint_key=b"counting",
        log=LogBounds(**options.get("log", {})),
        worker=WorkerLimits(**options.get("worker", {})),
        **options.get("service", {}),
    )
    try:
        with delivery(Settings(data=folder, **options.get("settings", {}))) as deliver:
            serve(
                config,
                counting.parts(folder),
                Edges(lambda service: make_app(service, folder, options), deliver=deliver),
                SystemClock(),
                lambda address: print(address, flush=True),
            )
    except RefusedToStartError as refused:
        print(f"refused: {refused}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
