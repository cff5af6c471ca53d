"""Blocks: paragraphs, quotes, lists and code, line by line.

1. A line after a quote or a list belongs to it only if it has the marker or the indentation. There is no lazy
   continuation.
2. Lists show the numbers that were typed. `1986.` and `1)` are text, and so is a line of markers alone: `* * *`.
3. Nesting ends at `MAX_DEPTH`: markers below that level are text.
4. Code begins and ends with a fence. A fence that is never closed is text.
5. Headings, rules, tables, definitions, and indentation are text: comments are chat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from app.comments.markdown.inline import Findings, as_typed, inline
from app.text.visible_text import shows_something

MAX_DEPTH = 6  # nested levels of quotes and lists
ITEM_INDENT_COLUMNS = 2  # columns of indentation with which a line belongs to an item
TAB_COLUMNS = 4

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`~]*)$")
# A quote's marker stands before a space, a letter or nothing: `>100`, `>:(` and `>=` are text.
_QUOTE = re.compile(r" {0,3}>(?=[> ]*(?:[^\W\d_]|$)|[> ]*(?<= )) ?")
_BULLET = re.compile(r"( *)([-*+])[ \t]+(?=\S)")
_NUMBER = re.compile(r"( *)(0|[1-9]\d{0,2})\.[ \t]+(?=\S)", re.ASCII)
_BEGINNINGS = frozenset("`~>-*+0123456789")
_MARKERS = re.compile(r"[\s*_+-]*$")  # (2)


@dataclass(slots=True)
class Item:
    """An item's marker, and the lines that belong to it without their indentation."""

    indent: int
    bullet: str  # empty in a numbered list
    number: int
    lines: list[str]


def blocks(text: str, findings: Findings) -> str:
    """`text` as HTML, not yet cleaned."""
    parts = _Blocks(text.split("\n"), findings, level=0).parsed()
    return "\n".join(paragraph(html) if is_text else html for is_text, html in parts)


def paragraph(html: str) -> str:
    return f'<p dir="auto">{html}</p>'


class _Blocks:
    """Parses some lines into blocks, each a pair (whether it is a paragraph, its HTML)."""

    def __init__(self, lines: list[str], findings: Findings, level: int, in_item: bool = False) -> None:
        self.lines = lines
        self.findings = findings
        self.level = level
        self.in_item = in_item
        self.unclosed: dict[str, int] = {}  # by character, the length of the shortest fence that is never closed
        self.open: list[str] = []  # lines of the paragraph
        self.made: list[tuple[bool, str]] = []

    def parsed(self) -> list[tuple[bool, str]]:
        at = 0
        while at < len(self.lines):
            at = self._block(at)
        self._close()
        return self.made

    def _block(self, at: int) -> int:
        line = self.lines[at]
        if not line.strip():
            self._close()
            return at + 1
        if self.level < MAX_DEPTH and line.lstrip()[0] in _BEGINNINGS and self.findings.take_marker():  # (3)
            after = self._fence(at) or self._quote(at) or self._list(at)
            if after:
                return after
        self.open.append(line.strip())
        return at + 1

    def _close(self) -> None:
        if self.open:
            self.made.append((True, inline("\n".join(self.open), self.findings)))
            self.open = []

    def _make(self, html: str) -> None:
        self._close()
        self.made.append((False, html))

    def _show_as_typed(self, start: int, end: int) -> None:
        """Show the lines of markup without content as typed. They do not count as words."""
        self._close()
        self.made.append((True, as_typed("\n".join(line.strip() for line in self.lines[start:end]))))

    # -- code -----------------------------------------------------------------------------------------------

    def _fence(self, at: int) -> int:
        opening = _FENCE.match(self.lines[at])
        end = self._end_of_fence(at, opening[1]) if opening else 0
        if not opening or not end:
            return 0
        indent = len(opening[0]) - len(opening[0].lstrip())
        code = "\n".join(_dedented(line, indent) for line in self.lines[at + 1 : end])
        if not shows_something(code):
            if label := opening[2].strip():
                self.findings.words.append(label)
            self._show_as_typed(at, end + 1)
            return end + 1
        label = opening[2].strip()
        self.findings.words += [label, code]
        self.findings.is_marked = True
        shown = f"<em>{escape(label, quote=False)}</em>\n" if label else ""
        self._make(f'<pre dir="auto">{shown}<code>{escape(code, quote=False)}\n</code></pre>')
        return end + 1

    def _end_of_fence(self, at: int, fence: str) -> int:
        """The line that closes this fence; 0 if there is none (4). A failed search is not repeated."""
        kind, length = fence[0], len(fence)
        if length >= self.unclosed.get(kind, length + 1):
            return 0
        for end in range(at + 1, len(self.lines)):
            closing = _FENCE.match(self.lines[end])
            if closing and closing[1][0] == kind and len(closing[1]) >= length and not closing[2].strip():
                return end
        self.unclosed[kind] = length
        return 0

    # -- quotes ---------------------------------------------------------------------------------------------

    def _quote(self, at: int) -> int:
        end, quoted = at, []
        while end < len(self.lines) and (marker := _QUOTE.match(self.lines[end])) and self.findings.take_marker():
            quoted.append(self.lines[end][marker.end() :])
            end += 1
        if end == at:
            return 0
        if not shows_something("".join(quoted).replace(">", "")):
            self._show_as_typed(at, end)
            return end
        self.findings.quotes += 1
        parts = _Blocks(quoted, self.findings, self.level + 1).parsed()
        self.findings.quotes -= 1
        self.findings.is_marked = True
        inner = "\n".join(paragraph(html) if is_text else html for is_text, html in parts)
        self._make(f'<blockquote dir="auto">\n{inner}\n</blockquote>')
        return end

    # -- lists ----------------------------------------------------------------------------------------------

    def _list(self, at: int) -> int:
        first = self._item(at)
        if first is None or (self.in_item and at == 0) or (self.open and not first.bullet and first.number != 1):
            return 0
        items, end = [first], at + 1
        while end < len(self.lines):
            line = self.lines[end]
            if not line.strip():
                end += 1
            elif _indent(line) >= first.indent + ITEM_INDENT_COLUMNS:
                items[-1].lines += self._blank_before(end)
                items[-1].lines.append(_dedented(line, items[-1].indent + ITEM_INDENT_COLUMNS))
                end += 1
            elif self.findings.take_marker() and (following := self._item(end)) and following.bullet == first.bullet:
                items.append(following)
                end += 1
            else:
                break
        self.findings.is_marked = True
        self._make(self._list_html(items))
        return end

    def _blank_before(self, at: int) -> list[str]:
        return [""] if not self.lines[at - 1].strip() else []

    def _item(self, at: int) -> Item | None:
        line = self.lines[at]
        found = _BULLET.match(line) or _NUMBER.match(line)
        if not found or _MARKERS.match(line) or not shows_something(line[found.end() :]):
            return None
        is_bullet = found[2] in "-*+"
        content = line[found.end() :]
        return Item(len(found[1]), found[2] if is_bullet else "", 0 if is_bullet else int(found[2]), [content])

    def _list_html(self, items: list[Item]) -> str:
        tag = "ul" if items[0].bullet else "ol"
        start = f' start="{items[0].number}"' if tag == "ol" and items[0].number != 1 else ""
        rows, expected = [], items[0].number
        for item in items:
            value = f' value="{item.number}"' if item.number != expected else ""
            rows.append(f'<li dir="auto"{value}>{self._item_html(item)}</li>')
            expected = item.number + 1 if tag == "ol" else 0
        return f'<{tag} dir="auto"{start}>\n' + "\n".join(rows) + f"\n</{tag}>"

    def _item_html(self, item: Item) -> str:
        parts = _Blocks(item.lines, self.findings, self.level + 1, in_item=True).parsed()
        if len(parts) == 1 and parts[0][0]:
            return parts[0][1]
        if sum(is_text for is_text, _ in parts) == 1 and parts[0][0]:
            return "\n".join(html for _, html in parts) + "\n"
        return "\n" + "\n".join(paragraph(html) if is_text else html for is_text, html in parts) + "\n"


def _indent(line: str) -> int:
    """Columns of white space before the text."""
    blank = line[: len(line) - len(line.lstrip(" \t"))]
    return len(blank) + blank.count("\t") * (TAB_COLUMNS - 1)


def _dedented(line: str, columns: int) -> str:
    """The line without at most so many columns of leading white space."""
    at = 0
    while columns > 0 and line[at : at + 1] in (" ", "\t"):
        columns -= TAB_COLUMNS if line[at] == "\t" else 1
        at += 1
    return line[at:]
