"""Excerpts: the first words of a comment, as plain text in one line."""

from __future__ import annotations

import re
from html import unescape
from itertools import islice

MAX_LENGTH = 80  # characters, without the ellipsis
MAX_TAGS = 1_000  # the text after more tags is not read; so an excerpt takes about a millisecond at most
MAX_READ = 2_000  # characters of HTML, without tags; an excerpt shows the first of these

# The tags of `app.comments.markdown`. Only an attribute's value in quotation marks can contain ">".
_TAG = re.compile(r'<(/?)(\w+)(?:[^">]|"[^"]*")*>')
_INLINE = {"a", "code", "em", "s", "span", "strong"}  # no space around these separates words


def excerpt(html: str) -> str:
    """The beginning of this rendered comment, which is in tags. Quotes are left out, unless there is nothing else."""
    said, quoted = _words(html)
    return _shortened(said or quoted)


def _words(html: str) -> tuple[str, str]:
    """(the text outside quotes, the text in quotes), each in one line."""
    texts: tuple[list[str], list[str]] = [], []
    depth = end = 0
    for tag in islice(_TAG.finditer(html), MAX_TAGS):
        texts[depth > 0].append(html[end : tag.start()])
        end = tag.end()
        if tag[2] == "blockquote":
            depth += -1 if tag[1] else 1
        if tag[2] not in _INLINE:
            texts[0].append(" ")
            texts[1].append(" ")
    said, quoted = (" ".join(unescape("".join(parts)[:MAX_READ]).split()) for parts in texts)
    return said, quoted


def _shortened(text: str) -> str:
    """At most `MAX_LENGTH` characters and an ellipsis. A cut between words leaves out less than half of them."""
    if len(text) <= MAX_LENGTH:
        return text
    space = text.rfind(" ", MAX_LENGTH // 2, MAX_LENGTH + 1)
    return f"{text[: space if space > 0 else MAX_LENGTH]}…"
