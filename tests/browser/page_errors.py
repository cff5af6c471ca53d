"""Errors in pages that a person would not see: uncaught exceptions, and errors and warnings on the console."""

from __future__ import annotations

import re

from playwright.async_api import ConsoleMessage, Error, Page

# The browser logs this for each response that is not a success, and for each lost connection.
NETWORK = r"Failed to load resource|net::ERR_"


class PageErrors:
    def __init__(self) -> None:
        self._found: list[str] = []
        self._allowed: list[str] = []

    def listen(self, page: Page) -> None:
        page.on("console", self._add_console_message)
        page.on("pageerror", self._add_exception)

    def allow(self, pattern: str) -> None:
        """Do not fail on errors that match this pattern, because the test causes them."""
        self._allowed.append(pattern)

    def raise_unexpected(self) -> None:
        unexpected = [text for text in self._found if not any(re.search(allowed, text) for allowed in self._allowed)]
        assert not unexpected, f"the pages logged errors: {unexpected}"

    def _add_console_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._found.append(f"{message.text} ({message.location['url']})")

    def _add_exception(self, error: Error) -> None:
        self._found.append(error.stack or str(error))
