"""Markdown: the small, safe set that comments are written in, as HTML.

Emphasis, code, quotes, lists and links; a line break is a line break. No headings, images, tables or HTML: they are
shown as they were typed. What markdown-it makes of it goes through nh3 all the same: one of the two may be wrong.

1. Links lead to http, https and mailto, and say that somebody else wrote them.
2. `@name` is marked wherever somebody may have been meant; who was, is looked up when the comment is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

KEPT = 2_048  # texts whose HTML is remembered

# A letter or digit, and what may stand inside a name; an underscore stands for a space as well.
MENTION = re.compile(r"@(?P<name>\w+(?:[.'’-]\w+)*)")
BEFORE_MENTION = re.compile(r"[\w@/.]$")

TAGS = {"a", "blockquote", "br", "code", "em", "li", "ol", "p", "pre", "s", "span", "strong", "ul"}
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
REL = "ugc nofollow noopener"  # (1)


@lru_cache(KEPT)
def html(text: str) -> str:
    """`text` as HTML that is safe to put into a page."""
    return nh3.clean(
        _MARKDOWN.render(text).strip(),
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes={"span": {"mention"}},
        url_schemes={"http", "https", "mailto"},
        link_rel=REL,
    )


def mentions(text: str) -> Iterator[str]:
    """The names that are mentioned in `text`, in order, each once; not those in code."""
    seen: set[str] = set()
    for block in _MARKDOWN.parse(text):
        for token in block.children or ():
            if token.type == "mention" and token.content not in seen:
                seen.add(token.content)
                yield token.content


def _mention(state: StateInline, silent: bool) -> bool:
    found = MENTION.match(state.src, state.pos)
    if not found or BEFORE_MENTION.search(state.src[max(0, state.pos - 1) : state.pos]):
        return False
    if not silent:
        state.push("mention", "", 0).content = found["name"]
    state.pos = found.end()
    return True


def _render_mention(_self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    return f'<span class="mention">@{nh3.clean_text(tokens[index].content)}</span>'


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True})
    parser.disable(["heading", "lheading", "hr", "image", "html_block", "html_inline", "reference", "code"])
    parser.enable(["strikethrough", "linkify"])
    assert parser.linkify
    parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})  # what says that it is a link
    parser.inline.ruler.before("emphasis", "mention", _mention)
    parser.add_render_rule("mention", _render_mention)
    return parser


_MARKDOWN = _parser()
