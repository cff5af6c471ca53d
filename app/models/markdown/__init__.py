"""Markdown for chat: the small, safe set that comments are written in, as HTML.

Emphasis, code, quotes, lists, links and mentions; a line break is a line break. CommonMark is made for documents: it
takes `1986.` for a list and the line after a quote for a part of it, and drops what is nested too deep. A parser for it
in Python takes 100 to 300 ms for 10,000 characters of dense markup, however linear it is. So the rules are ours:

1. A character is markup only if it took effect. All others are shown as typed, in their order. Limits make text of
   markup, and never drop it.
2. The time is linear in the length of the text: each rule either moves on or remembers that it failed.
   `tests/models/test_slow_markdown.py` searches for texts that are slow.
3. Links lead to http, https and mailto, and state that somebody else wrote them.
4. A rendering depends on the text and the names that it mentions, which are stored with the comment.
5. nh3 cleans what the parser made: one of the two may be wrong.
6. A text without any markup is plain, and shown to the letter: HTML would lose its spaces and blank lines.
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

from app.models.markdown.blocks import blocks, paragraph
from app.models.markdown.inline import Findings
from app.models.visible_text import shows_something

VERSION = 1  # of the rules; a stored rendering of an older one is made anew
CACHED_RENDERINGS = 256  # texts, of 80 KB at most: those that no row has the HTML of
HEAVY = 400  # markers, from which on a text is rendered in a thread, and not while somebody waits for a page

TAGS = {"a", "blockquote", "br", "code", "em", "li", "ol", "p", "pre", "s", "span", "strong", "ul"}
ATTRIBUTES: dict[str, set[str]] = {"*": set(), "a": {"href"}, "ol": {"start"}, "li": {"value"}}
DIRECTED = {"blockquote", "li", "ol", "p", "pre", "ul"}  # each takes its direction from its first letter
REL = "ugc nofollow noopener"  # (3)

_MARKERS = re.compile(r"[`*_~\[\]<>@＠﹫:\\\n-]")
# A text of nothing but emphasis around nothing.
_HOLLOW = re.compile(r"\s*(?:\*\*|\*{4}|__|_{4}|~~~~|``|````)\s*")


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a text is shown as. `html` is None for a plain one (6)."""

    html: str | None
    mentioned: tuple[str, ...]  # the names as typed, in order, each once
    shows_something: bool


def render(text: str, names: Collection[str] = ()) -> Rendering:
    """`text` as HTML that is safe to put into a page, with these names marked where they are mentioned."""
    return _render(text, tuple(sorted(set(names))))


async def render_aside(text: str, names: Collection[str] = ()) -> Rendering:
    """The same; a heavy text in a thread, so that the event loop goes on."""
    if is_heavy(text):
        return await asyncio.to_thread(render, text, names)
    return render(text, names)


def key(text: str) -> int:
    """Of which rules and which text a stored rendering is: the version, and the text's CRC-32."""
    return VERSION << 32 | zlib.crc32(text.encode("utf-8", "surrogatepass"))


def html(text: str) -> str:
    """`text` as HTML, whatever it is."""
    marked = render(text).html
    return plain_html(text) if marked is None else marked


def plain_html(text: str) -> str:
    """`text` as typed, as HTML: its paragraphs and line breaks."""
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
        _clean(made) if findings.is_marked else None,
        tuple(findings.mentioned),
        shows_something(words) and not _HOLLOW.fullmatch(text),
    )


def _normal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def _clean(made: str) -> str:
    return nh3.clean(
        made,
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes={"span": {"mention"}},
        tag_attribute_values={tag: {"dir": {"auto"}} for tag in DIRECTED},
        url_schemes={"http", "https", "mailto"},
        link_rel=REL,
    )
