"""Markdown: the small, safe set that comments are written in, as HTML.

Emphasis, code, quotes, lists and links; a line break is a line break. No headings, images, tables or HTML: they are
shown as they were typed. What markdown-it makes of it goes through nh3 all the same: one of the two may be wrong.

1. Links lead to http, https and mailto, and say that somebody else wrote them.
2. `@name` is marked wherever somebody may have been meant; who was, is looked up when the comment is written. To mark
   only the names that there are, their being there would have to be kept with each comment, and changed in all of them
   when somebody comes or goes; and who may read would be told which names there are.
3. A text without any of this is plain, and shown to the letter: HTML would lose its spaces and blank lines. `&amp;`
   is what somebody typed, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from app.models.user import LONGEST_USERNAME, SHORTEST_USERNAME, is_letter

KEPT = 2_048  # texts whose HTML is remembered

BETWEEN = ".'’-"  # one of these, between two letters, may be in a name; an underscore stands for a space as well
BEFORE = "@/."  # what comes after these is an address
LONGEST_MENTION = 2 * LONGEST_USERNAME  # characters: a name, and what stands behind it as if it belonged to it

TAGS = {"a", "blockquote", "br", "code", "em", "li", "ol", "p", "pre", "s", "span", "strong", "ul"}
ATTRIBUTES: dict[str, set[str]] = {"*": set(), "a": {"href"}, "ol": {"start"}}
REL = "ugc nofollow noopener"  # (1)
PLAIN = {"paragraph_open", "inline", "paragraph_close", "text", "softbreak", "hardbreak"}  # kinds of tokens


def html(text: str) -> str:
    """`text` as HTML that is safe to put into a page."""
    return _read(text)[0]


def is_plain(text: str) -> bool:
    """Whether there is nothing in `text` but words (3)."""
    return _read(text)[1]


@lru_cache(KEPT)
def _read(text: str) -> tuple[str, bool]:
    tokens = _MARKDOWN.parse(text)
    cleaned = nh3.clean(
        _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}).strip(),
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes={"span": {"mention"}},
        url_schemes={"http", "https", "mailto"},
        link_rel=REL,
    )
    return cleaned, _says_no_more(tokens, text)


def _says_no_more(tokens: Sequence[Token], text: str) -> bool:
    all_tokens = [part for token in tokens for part in (token, *(token.children or ()))]
    words = "".join(part.content for part in all_tokens if part.type == "text")
    return {part.type for part in all_tokens} <= PLAIN and "".join(words.split()) == "".join(text.split())


def mentions(text: str) -> Iterator[str]:
    """The names that are mentioned in `text`, in order, each once; not those in code."""
    seen: set[str] = set()
    for block in _MARKDOWN.parse(text):
        for token in block.children or ():
            if token.type == "mention" and token.content not in seen:
                seen.add(token.content)
                yield token.content


def _mention(state: StateInline, silent: bool) -> bool:
    at = state.pos
    if state.src[at] != "@" or (at > 0 and (is_letter(state.src[at - 1]) or state.src[at - 1] in BEFORE)):
        return False
    name = _name_at(state.src, at + 1)
    if not SHORTEST_USERNAME <= len(name) <= LONGEST_MENTION:
        return False
    if not silent:
        state.push("mention", "", 0).content = name
    state.pos = at + 1 + len(name)
    return True


def _name_at(text: str, start: int) -> str:
    """Letters from here on, and single marks between two of them."""
    end = start
    while end < len(text) and end - start <= LONGEST_MENTION:
        inside = start < end < len(text) - 1 and text[end] in BETWEEN and is_letter(text[end + 1])
        if not (is_letter(text[end]) or inside):
            break
        end += 1
    return text[start:end]


def _render_mention(_self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    return f'<span class="mention">@{nh3.clean_text(tokens[index].content)}</span>'


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True})
    parser.disable(["heading", "lheading", "hr", "image", "html_block", "html_inline", "reference", "code", "entity"])
    parser.enable(["strikethrough", "linkify"])
    assert parser.linkify
    parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})  # what says that it is a link
    parser.inline.ruler.before("emphasis", "mention", _mention)
    parser.add_render_rule("mention", _render_mention)
    return parser


_MARKDOWN = _parser()
