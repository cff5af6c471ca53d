"""Find Chromium. `python -m tests.support.chromium` prints its path, or fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HEADLESS_SHELL = "chromium-headless-shell"
COMPLETE = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

# For a Chromium that runs as root in a container, and that must open no connections of its own.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

ASK_PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""


def find(*, complete: bool = False) -> Path | None:
    """Find the system's Chromium or Chrome, else the one that Playwright has downloaded.

    A `complete` browser is not the headless shell, which starts faster but has no back-forward cache.
    """
    for name in COMPLETE if complete else (HEADLESS_SHELL, *COMPLETE):
        if path := shutil.which(name):
            return Path(path)
    for application in map(Path, APPLICATIONS):
        if application.exists():
            return application
    found = _playwrights()
    return None if complete and found and "headless" in found.name else found


def _playwrights() -> Path | None:
    # In a process of its own, because Playwright's sync API leaves an event loop in the thread that used it.
    asked = subprocess.run([sys.executable, "-c", ASK_PLAYWRIGHT], capture_output=True, text=True, check=False)
    found = Path(asked.stdout.strip() or "/nowhere")
    return found if found.exists() else None


if __name__ == "__main__":
    chromium = find()
    sys.exit(0 if chromium and print(chromium) is None else 1)
