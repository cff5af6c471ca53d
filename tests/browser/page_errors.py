"""What goes wrong in a page and nobody would see: uncaught exceptions and errors on the console."""

from __future__ import annotations

import re

from playwright.async_api import ConsoleMessage, Error, Page

# What browsers say of every answer that is no success and of every connection that is lost.
NETWORK = r"Failed to load resource|net::ERR_"


class Complaints:
    def __init__(self) -> None:
        self._heard: list[str] = []
        self._allowed: list[str] = []

    def listen(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", self._thrown)

    def allow(self, pattern: str) -> None:
        """This one is provoked."""
        self._allowed.append(pattern)

    def raise_unexpected(self) -> None:
        unexpected = [text for text in self._heard if not any(re.search(known, text) for known in self._allowed)]
        assert not unexpected, f"the browser complained: {unexpected}"

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._heard.append(f"{message.text} ({message.location['url']})")

    def _thrown(self, error: Error) -> None:
        self._heard.append(error.stack or str(error))
