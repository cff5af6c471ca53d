"""Browsers that are no Chromium: those that this machine has and that can be driven."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

FIREFOXES = ("firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox")
# Mozilla's own Firefox, over WebDriver BiDi; the one that Playwright has patched needs no channel.
CHANNEL = "moz-firefox"
PATIENCE = 60  # seconds, on a machine that is busy

# In a process of its own, as its sync API leaves a loop behind in the thread that used it.
TRY = f"""
import sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright, playwright.firefox.launch(channel="{CHANNEL}", executable_path=sys.argv[1]) as it:
    it.new_page()
    print(it.version)
"""


@cache
def firefox() -> Path | None:
    """A Firefox that opens a page for this Playwright. One that cannot (a snap, a version apart) is as good as none."""
    for name in FIREFOXES:
        if (path := shutil.which(name)) and _version(path):
            return Path(path)
    return None


@cache
def _version(path: str) -> str:
    try:
        tried = subprocess.run(
            [sys.executable, "-c", TRY, path], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return ""
    return tried.stdout.strip()


@cache
def webkit() -> bool:
    """WebKitGTK's driver, and a screen that nobody sees for it to draw on (webkit.py)."""
    return bool(shutil.which("WebKitWebDriver") and shutil.which("Xvfb"))


def found() -> list[str]:
    path = firefox()
    return [*([f"Firefox {_version(str(path))}"] if path else []), *(["WebKitGTK"] if webkit() else [])]
