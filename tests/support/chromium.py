"""Where the browser is. `python -m tests.support.chromium` prints it, or fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

# What a Chromium in a test, in a container, as root, is to leave alone.
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


def find() -> Path | None:
    """The system's Chromium or Chrome, else the one that Playwright has downloaded."""
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    for application in map(Path, APPLICATIONS):
        if application.exists():
            return application
    return _playwrights()


def _playwrights() -> Path | None:
    # In a process of its own: Playwright's sync API leaves a loop behind in the thread that used it.
    asked = subprocess.run([sys.executable, "-c", ASK_PLAYWRIGHT], capture_output=True, text=True, check=False)
    found = Path(asked.stdout.strip() or "/nowhere")
    return found if found.exists() else None


if __name__ == "__main__":
    chromium = find()
    sys.exit(0 if chromium and print(chromium) is None else 1)
