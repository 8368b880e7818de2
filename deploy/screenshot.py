"""Takes the README's picture of the console: of a running service, or of a demonstration that it starts and stops.

usage: python -m deploy.screenshot [--url URL] [--out docs/images/console.png] [--lang fr|en] [--scheme light|dark]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

CHROMIUM: Final = "/usr/bin/chromium"
CHROMIUM_ARGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SENTINEL: Final = Path(sys.executable).with_name("sentinel")
READY: Final = re.compile(r"http://127\.0\.0\.1:\d+")
ALERTS_MIN: Final = 8  # a screen of them
QUIET_SECONDS: Final = 8  # nothing new in that time: the demonstration is over, or goes at the pace of a hospital
DEMO_SECONDS_MAX: Final = 300
STOP_SECONDS_MAX: Final = 30


def main() -> None:
    """Take the picture."""
    asked = _asked()
    if not shutil.which(CHROMIUM):
        sys.exit("Chromium is missing: apt-get install chromium")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    if asked.url:
        take(asked.url, asked.out, asked.lang, asked.scheme)
        return
    with tempfile.TemporaryDirectory() as folder, demonstration(Path(folder)) as url:
        take(url, asked.out, asked.lang, asked.scheme)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a running service; none: start a demonstration")
    parser.add_argument("--out", type=Path, default=Path("docs/images/console.png"))
    parser.add_argument("--lang", choices=("fr", "en"), default="en")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    return parser.parse_args()


@contextmanager
def demonstration(folder: Path) -> Iterator[str]:
    """Run `sentinel demo --fast` on a free port, give its address, and stop it as Ctrl-C does."""
    command = [str(SENTINEL), "demo", "--data", str(folder / "data"), "--port", "0", "--fast"]
    log = folder / "demo.log"
    with log.open("w") as said, subprocess.Popen(command, stdout=said, stderr=said, env=os.environ | {"COLUMNS": "200"}) as demo:
        try:
            yield _address(demo, log)
        finally:
            demo.send_signal(signal.SIGINT)
            try:
                demo.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                demo.kill()


def _address(demo: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the demonstration says where it is."""
    while demo.poll() is None:
        found = READY.search(log.read_text())
        if found:
            return found[0]
        time.sleep(0.2)
    sys.exit(f"the demonstration did not start:\n{log.read_text()}")


def take(url: str, out: Path, lang: str, scheme: str) -> None:
    """Wait for alerts to show at `url`, then write the queue as `out` at twice the pixels."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGS))
        context = chromium.new_context(
            viewport={"width": 1280, "height": 800},
            device_scale_factor=2,
            color_scheme="dark" if scheme == "dark" else "light",
            locale={"fr": "fr-FR", "en": "en-GB"}[lang],
        )
        page = context.new_page()
        page.goto(url)
        _wait_for_alerts(page)
        page.screenshot(path=out)
        chromium.close()
    print(f"{out}: {out.stat().st_size:,} bytes")


def _wait_for_alerts(page: Page) -> None:
    """Look again until there is a screen of alerts and no event has come for a while, or time is up."""
    deadline = time.monotonic() + DEMO_SECONDS_MAX
    before = ""
    while time.monotonic() < deadline:
        page.reload()
        page.locator("#live").wait_for()
        counters = page.locator("#counters").inner_text()
        if page.locator("#queue .row").count() >= ALERTS_MIN and counters == before:
            return
        before = counters
        page.wait_for_timeout(QUIET_SECONDS * 1_000)


if __name__ == "__main__":
    main()
