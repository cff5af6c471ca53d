"""Inline markup: code, emphasis, links and mentions in one paragraph, in one pass.

1. A character is markup only if it took effect. All others are shown as typed, in their order.
2. Markup around nothing visible is shown as typed, too, and does not count as words.
3. A backslash escapes a marker. It is shown, as in `¯\\_(ツ)_/¯`, unless it escapes a `*`, `~` or backtick that occurs
   more than once.
4. A link has no link in it. There are no images.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from app.comments.markdown import emphasis
from app.comments.markdown.emphasis import Run
from app.comments.markdown.links import angled_at, bare_url_at, closing_parentheses, is_link
from app.comments.markdown.mention_syntax import may_begin, may_end
from app.text.visible_text import shows_something

_TOKEN = re.compile(
    r"(?=[`*_~!\[\]<@＠﹫hHmM\\])(?:"
    r"(?P<code>`+)|(?P<run>\*+|_+|~+)|(?P<image>!\[)|(?P<open>\[)|(?P<close>\])|(?P<angle><)|(?P<at>[@＠﹫])"
    r"|(?<![A-Za-z0-9])(?P<url>(?ai:https?://|mailto:))|(?P<escape>\\[\\*_~`\[\]<@＠﹫]))"
)
_BACKTICKS = re.compile("`+")
_VANISHING = "*~`"  # (3)

MAX_MARKERS = 1_500  # of one text; further markers are text, so that dense markup takes little time
CHARACTERS_PER_MARKER = 64  # to search for the end of an address, in about the time that one marker takes


@dataclass
class Findings:
    """The results of parsing one text. `words` are the characters that count as shown (2)."""

    names: Sequence[str] = ()  # the names of accounts that the text may mention, as typed
    words: list[str] = field(default_factory=list)
    mentioned: dict[str, None] = field(default_factory=dict)
    is_marked: bool = False  # whether any markup took effect
    left: int = MAX_MARKERS  # markers that may still be parsed
    quotes: int = 0  # around the text that is being parsed; a name in a quote is no mention

    def __post_init__(self) -> None:
        self.lengths = sorted({len(name) for name in self.names}, reverse=True)
        self.known = frozenset(self.names)

    def take_marker(self) -> bool:
        """Use up one marker of the budget. Returns whether it may be parsed."""
        self.left -= 1
        return self.left >= 0


@dataclass(slots=True)
class Anchor:
    """A bare address. It becomes a link, or text if a link encloses it (4)."""

    url: str
    text: str

    def html(self) -> str:
        return _link(self.url, escape(self.text))


Node = str | Run | Anchor


class Bracket(NamedTuple):
    """An opening bracket: its index in the text, among the nodes and among the words."""

    place: int
    node: int
    word: int
    may_open: bool


def inline(text: str, findings: Findings) -> str:
    """One paragraph as HTML, not yet cleaned."""
    if findings.take_marker() and _TOKEN.search(text):
        return _Paragraph(text, findings).html()
    findings.words.append(text)
    return as_typed(text)


class _Paragraph:
    def __init__(self, text: str, findings: Findings) -> None:
        self.text = text
        self.findings = findings
        self.occurrences = {marker: text.count(marker) for marker in _VANISHING}
        self.nodes: list[Node] = []
        self.brackets: list[Bracket] = []
        self.floor = 0  # brackets before this index enclose a link, so they cannot be one (4)
        self.backticks: dict[int, list[int]] | None = None
        self.closings: dict[int, int] | None = None

    def html(self) -> str:
        at = 0
        while self.findings.take_marker() and (found := _TOKEN.search(self.text, at)):
            self.add_text(self.text[at : found.start()])
            at = getattr(self, f"_{found.lastgroup}")(found.start(), found.end())
        self.add_text(self.text[at:])
        return self.join(self.nodes)

    def add_text(self, words: str) -> None:
        if words:
            self.nodes.append(as_typed(words))
            self.findings.words.append(words)

    def add_hollow(self, text: str) -> None:
        """Add markup around nothing, as typed (2)."""
        self.nodes.append(as_typed(text))

    def add_markup(self, node: Node) -> None:
        self.nodes.append(node)
        self.findings.is_marked = True

    def join(self, nodes: Sequence[Node], in_link: bool = False) -> str:
        runs = [node for node in nodes if isinstance(node, Run)]
        emphasis.match_runs(runs)
        parts: list[str] = []
        depth = 0
        for node in nodes:
            if isinstance(node, str):
                parts.append(node)
            elif isinstance(node, Anchor):
                parts.append(escape(node.text, quote=False) if in_link else node.html())
            else:
                depth = self._emphasize(node, depth, parts)
        return "".join(parts)

    def _emphasize(self, run: Run, depth: int, parts: list[str]) -> int:
        if run.left:
            self.findings.words.append(run.marker)
        if not run.closes and not run.opens:
            parts.append(run.marker * run.left)
            return depth
        for pair in run.closes:
            parts.append(pair.marker if pair.is_text else f"</{pair.tag}>")
            depth -= not pair.is_text
        parts.append(run.marker * run.left)
        for pair in reversed(run.opens):
            pair.is_text = depth >= emphasis.MAX_DEPTH
            parts.append(pair.marker if pair.is_text else f"<{pair.tag}>")
            depth += not pair.is_text
        self.findings.is_marked = True
        return depth

    # -- one method for each kind of token `text[start:end]`; it returns the next index ---------------------

    def _code(self, start: int, end: int) -> int:
        closing = self._closing_backticks(end - start, end)
        if closing < 0:
            self.add_text(self.text[start:end])
            return end
        after = closing + end - start
        content = self.text[end:closing].replace("\n", " ")
        if not shows_something(content):
            self.add_hollow(self.text[start:after])
            return after
        if content[0] == content[-1] == " ":
            content = content[1:-1]
        self.add_markup(f"<code>{escape(content, quote=False)}</code>")
        self.findings.words.append(content)
        return after

    def _closing_backticks(self, length: int, start: int) -> int:
        if self.backticks is None:
            self.backticks = {}
            for run in _BACKTICKS.finditer(self.text):
                self.backticks.setdefault(len(run[0]), []).append(run.start())
        places = self.backticks.get(length, [])
        at = bisect_left(places, start)
        return places[at] if at < len(places) else -1

    def _run(self, start: int, end: int) -> int:
        run = emphasis.run_at(self.text, start, end)
        if run is None:
            self.add_text(self.text[start:end])
        else:
            self.nodes.append(run)
        return end

    def _image(self, start: int, end: int) -> int:
        self._bracket(start, may_open=False)
        self.add_text("![")
        return end

    def _open(self, start: int, end: int) -> int:
        self._bracket(start, may_open=True)
        self.add_text("[")
        return end

    def _bracket(self, start: int, may_open: bool) -> None:
        self.brackets.append(Bracket(start, len(self.nodes), len(self.findings.words), may_open))

    def _close(self, start: int, end: int) -> int:
        opening = self.brackets.pop() if self.brackets else None
        may_open = opening is not None and opening.may_open and len(self.brackets) >= self.floor
        self.floor = min(self.floor, len(self.brackets))
        closing = self._closing_parenthesis(end) if may_open else -1
        url = self.text[end + 1 : closing].removeprefix("<").removesuffix(">") if closing > 0 else ""
        if opening is None or not is_link(url):
            self.add_text("]")
            return end
        self._wrap(opening, start, closing + 1, url)
        self.floor = len(self.brackets)
        return closing + 1

    def _wrap(self, opening: Bracket, start: int, after: int, url: str) -> None:
        """Make the text between the brackets a link."""
        content = self.nodes[opening.node + 1 :]
        del self.nodes[opening.node :]
        if shows_something(self.text[opening.place + 1 : start]):
            self.add_markup(_link(url, self.join(content, in_link=True)))
        else:
            del self.findings.words[opening.word :]
            self.add_hollow(self.text[opening.place : after])

    def _closing_parenthesis(self, at: int) -> int:
        if self.closings is None:
            self.closings = closing_parentheses(self.text)
        return self.closings.get(at, -1)

    def _angle(self, start: int, end: int) -> int:
        if not (found := angled_at(self.text, start)):
            self.add_text("<")
            return end
        url, shown, after = found
        self._anchor(url, shown)
        return after

    def _url(self, start: int, end: int) -> int:
        url, searched = bare_url_at(self.text, start)
        self.findings.left -= searched // CHARACTERS_PER_MARKER
        if not url:
            self.add_text(self.text[start:end])
            return end
        self._anchor(url, url)
        return start + len(url)

    def _anchor(self, url: str, shown: str) -> None:
        self.add_markup(Anchor(url, shown))
        self.findings.words.append(shown)

    def _at(self, start: int, end: int) -> int:
        if self.findings.names and not self.findings.quotes and may_begin(self.text, start):
            for length in self.findings.lengths:
                name = self.text[end : end + length]
                if len(name) == length and name in self.findings.known and may_end(self.text, end + length):
                    mention = escape(self.text[start : end + length], quote=False)
                    self.add_markup(f'<span class="mention">{mention}</span>')
                    self.findings.mentioned[name] = None
                    self.findings.words.append(name)
                    return end + length
        self.add_text(self.text[start:end])
        return end

    def _escape(self, start: int, end: int) -> int:
        marker = self.text[end - 1]
        if marker in _VANISHING and self.occurrences[marker] > 1:
            self.findings.is_marked = True
            self.add_text(marker)
        else:
            self.add_text(self.text[start:end])
        return end


def as_typed(text: str) -> str:
    """The HTML that shows `text` as typed, with its line breaks."""
    return escape(text, quote=False).replace("\n", "<br>\n")


def _link(url: str, html: str) -> str:
    return f'<a href="{escape(url)}">{html}</a>'
