"""The Faust application as `faust -A streams.app worker` finds it: wired as the settings of the environment say."""

from __future__ import annotations

from sentinel import assembly
from sentinel.settings import Settings

app = assembly.worker(Settings.read())
