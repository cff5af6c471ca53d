"""Links: finds web and mail addresses in a text, each in a time proportional to its length.

1. A link leads to http, https or mailto.
2. A bare address ends before a character of a script without spaces and before punctuation that is not ASCII. ASCII
   punctuation at its end belongs to the sentence, except a closing bracket that the address has opened.
"""

from __future__ import annotations

import re
import unicodedata

from app.text.visible_text import is_written_without_spaces

MAX_URL_LENGTH = 2_048  # characters; a longer one is text

_BARE = re.compile(rf'(?ai:https?://|mailto:)[^\s<>"`]{{1,{MAX_URL_LENGTH}}}')
_WEB = re.compile(r"(?ai:https?://)(?:[^\W_]|\[[0-9A-Fa-f:.]+\])")
_MAIL = re.compile(r"(?ai:mailto:)[^\s@/:]+@[^\W_][^\s@]*")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_ANGLED = re.compile(rf"<([^\s<>]{{1,{MAX_URL_LENGTH}}})>")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_HOST_END = re.compile(r"[/?#]|$")

_TRAILING = ".,:;!?'*_~|\\"
_CLOSING = {")": "(", "]": "[", "}": "{"}


def is_link(url: str) -> bool:
    """Whether `url` is a whole address that a link may lead to (1)."""
    if len(url) > MAX_URL_LENGTH or any(character.isspace() or character in '<>"`' for character in url):
        return False
    return bool(_WEB.match(url) or _MAIL.fullmatch(url))


def bare_url_at(text: str, start: int) -> tuple[str, int]:
    """(the address that begins here, which may be empty (2); the number of characters searched)."""
    found = _BARE.match(text, start)
    if not found:
        return "", 0
    url = _trimmed(found[0][: _end(found[0])].partition("](")[0])
    return url if is_link(url) else "", len(found[0])


def angled_at(text: str, start: int) -> tuple[str, str, int] | None:
    """(address, shown text, end) of `<https://example.com>` or `<me@example.com>`."""
    found = _ANGLED.match(text, start)
    if not found:
        return None
    if is_link(found[1]):
        return found[1], found[1], found.end()
    if _ADDRESS.fullmatch(found[1]):
        return f"mailto:{found[1]}", found[1], found.end()
    return None


def closing_parentheses(text: str) -> dict[int, int]:
    """Where each parenthesis that encloses no space is closed: {opening index: closing index}. One pass for all."""
    closings: dict[int, int] = {}
    opened: list[int] = []
    for found in re.finditer(r"[()\s]", text):
        if found[0] == "(":
            opened.append(found.start())
        elif found[0] != ")":
            opened.clear()
        elif opened:
            closings[opened.pop()] = found.start()
    return closings


def _end(url: str) -> int:
    """The index at which the address ends (2). A host name may be in a script without spaces."""
    host = url.find("://") + 3
    first = url[host : host + 1]
    after_host = 0
    if host > 2 and first and is_written_without_spaces(first):
        found = _HOST_END.search(url, host)
        after_host = found.start() if found else len(url)
    for found in _NOT_ASCII.finditer(url):
        character = found[0]
        is_word = unicodedata.category(character)[0] in "LMN"
        if not is_word or (found.start() >= after_host and is_written_without_spaces(character)):
            return found.start()
    return len(url)


def _trimmed(url: str) -> str:
    counts = {mark: url.count(mark) for mark in (*_CLOSING, *_CLOSING.values())}
    end = len(url)
    while end:
        last = url[end - 1]
        if (last in _CLOSING and counts[last] > counts[_CLOSING[last]]) or last in _CLOSING.values():
            counts[last] -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    return url[:end]
