"""Markdown for chat: renders comments, which are written in a small and safe part of Markdown, as HTML.

It has emphasis, code, quotes, lists, links and mentions, and keeps line breaks. CommonMark is made for documents: it
reads `1986.` as a list and the line after a quote as a part of it, and drops text that is nested too deep. Even a
linear parser for it in Python takes 100 to 300 ms for 10,000 characters of dense markup. So these rules differ:

1. A character is markup only if it took effect. All others are shown as typed, in their order. Markup beyond a limit
   is shown as text, and never dropped.
2. The time is linear in the length of the text: each rule either advances or stores that it failed.
   `tests/comments/test_slow_markdown.py` searches for texts that are slow.
3. Links lead to http, https and mailto, and are marked as written by users (`ugc`).
4. A rendering depends on the text and the names that it mentions, which are stored with the comment.
5. nh3 sanitizes the parser's HTML, so that a mistake in one of the two does no harm.
6. A text without any markup is plain, and shown exactly as typed: HTML would lose its spaces and blank lines.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape

import nh3

from app.comments.markdown.blocks import blocks, paragraph
from app.comments.markdown.inline import Findings
from app.text.visible_text import shows_something

VERSION = 2  # of the rules; `app.comments.rerender` replaces renderings of older versions
CACHED_RENDERINGS = 256  # texts, of 80 KB at most, whose HTML is not stored yet
HEAVY = 400  # markers; a text with more is rendered in a thread, and never during a page request

TAGS = {"a", "blockquote", "br", "code", "em", "li", "ol", "p", "pre", "s", "span", "strong", "ul"}
ATTRIBUTES: dict[str, set[str]] = {"*": set(), "a": {"href"}, "ol": {"start"}, "li": {"value"}}
DIRECTED = {"blockquote", "li", "ol", "p", "pre", "ul"}  # each takes its direction from its first letter
REL = "ugc nofollow noopener"  # (3)

_MARKERS = re.compile(r"[`*_~\[\]<>@＠﹫:\\\n-]")
# A text that is only emphasis around nothing.
_HOLLOW = re.compile(r"\s*(?:\*\*|\*{4}|__|_{4}|~~~~|``|````)\s*")

# Built once, because building it takes longer than cleaning a comment.
_CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes=ATTRIBUTES,
    allowed_classes={"span": {"mention"}},
    tag_attribute_values={tag: {"dir": {"auto"}} for tag in DIRECTED},
    url_schemes={"http", "https", "mailto"},
    link_rel=REL,
)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A rendered text. `html` is None for a plain text (6)."""

    html: str | None
    mentioned: tuple[str, ...]  # the names as typed, in order, each once
    shows_something: bool


def render(text: str, names: Collection[str] = ()) -> Rendering:
    """`text` as HTML that is safe to put into a page, with mentions of these names marked."""
    return _render(text, tuple(sorted(set(names))))


async def render_in_thread(text: str, names: Collection[str] = ()) -> Rendering:
    """Like `render`, but a heavy text is rendered in a thread, so that it does not block the event loop."""
    if is_heavy(text):
        return await asyncio.to_thread(render, text, names)
    return render(text, names)


def key(text: str) -> int:
    """Identifies the rules and the text of a stored rendering: the version, and the text's CRC-32."""
    return VERSION << 32 | zlib.crc32(text.encode("utf-8", "surrogatepass"))


def html(text: str) -> str:
    """`text` as HTML, also if it is plain."""
    marked = render(text).html
    return plain_html(text) if marked is None else marked


def plain_html(text: str) -> str:
    """The HTML that shows `text` as typed, in paragraphs and with line breaks."""
    return "\n".join(paragraph("<br>\n".join(lines)) for lines in _paragraphs(_normal(text)))


def is_heavy(text: str) -> bool:
    """Whether so much of `text` may be markup that rendering it takes more than about a millisecond."""
    return len(_MARKERS.findall(text)) > HEAVY


def _paragraphs(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line.strip():
            lines.append(escape(line.strip(), quote=False))
        elif lines:
            yield lines
            lines = []


@lru_cache(CACHED_RENDERINGS)
def _render(text: str, names: tuple[str, ...]) -> Rendering:
    findings = Findings(names)
    made = blocks(_normal(text), findings)
    words = "".join(findings.words)
    return Rendering(
        _CLEANER.clean(made) if findings.is_marked else None,
        tuple(findings.mentioned),
        shows_something(words) and not _HOLLOW.fullmatch(text),
    )


def _normal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
