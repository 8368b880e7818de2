"""The embedded service as `sentinel serve` assembles it, with checkpoints every second: `real_service FOLDER OPTIONS_JSON`."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from sentinel.assembly.embedded import application, parts
from sentinel.settings import Settings
from streams.embedded import EmbeddedConfig, SystemClock, serve
from streams.parts import WorkerLimits


def main() -> None:
    folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    settings = Settings(data=folder, **options["settings"])
    config = EmbeddedConfig(folder, port=options["port"], checkpoint_key=b"real", worker=WorkerLimits(**options["worker"]))
    serve(config, parts(settings), partial(application, settings), SystemClock(), print)


if __name__ == "__main__":
    main()
