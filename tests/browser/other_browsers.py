"""Browsers other than Chromium: those that this machine has and that a test can drive."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

FIREFOXES = ("firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox")
# Mozilla's own Firefox, over WebDriver BiDi. Playwright's patched Firefox needs no channel.
CHANNEL = "moz-firefox"
PROBE_SECONDS = 60  # on a busy machine

# In a process of its own, because Playwright's sync API leaves an event loop in the thread that used it.
PROBE = f"""
import sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright, playwright.firefox.launch(channel="{CHANNEL}", executable_path=sys.argv[1]) as it:
    it.new_page()
    print(it.version)
"""


@cache
def firefox() -> Path | None:
    """A Firefox in which this Playwright opens a page. A snap, or an unsupported version, counts as none."""
    for name in FIREFOXES:
        if (path := shutil.which(name)) and _version(path):
            return Path(path)
    return None


@cache
def _version(path: str) -> str:
    try:
        result = subprocess.run(
            [sys.executable, "-c", PROBE, path],
            capture_output=True,
            text=True,
            check=False,
            timeout=PROBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return ""
    return result.stdout.strip()


@cache
def webkit() -> bool:
    """Whether WebKitGTK's driver and a virtual screen for it are installed (webkit.py)."""
    return bool(shutil.which("WebKitWebDriver") and shutil.which("Xvfb"))


def list_browsers() -> list[str]:
    path = firefox()
    return [*([f"Firefox {_version(str(path))}"] if path else []), *(["WebKitGTK"] if webkit() else [])]
