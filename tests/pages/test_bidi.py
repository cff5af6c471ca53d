"""Bidirectional text: names and comments in any script never reorder the words around them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from app.settings import PACKAGE
from app.text.bidi import isolated
from tests.support.people import sign_up, write

if TYPE_CHECKING:
    from tests.support.serving import Site

NAME = "דוד כהן"
VOID = {"br", "hr", "img", "input", "link", "meta", "path", "wbr"}
# Templates that the browser fills with names, titles and texts of people.
FILLED = {
    "comment.html": ["comment__author", "comment__answered", "comment__body"],
    "thread_section.html": ["composer__name", "composer__body", "editor__body", "editor__theirs", "kept__text"],
    "base.html": ["account__name"],
    "bell.html": ["conversation__title", "notification__excerpt"],
    "front.html": ["card__summary"],
    "thread.html": ["article__title"],
    "moderation.html": [
        "case__author",
        "case__link",
        "case__text",
        "decision__by",
        "decision__person",
        "decision__place",
    ],
    "report.html": ["report__author"],
}


class Texts(HTMLParser):
    """The texts of a page, and whether each is isolated from the text around it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._open: list[tuple[str, bool]] = []
        self.found: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self._open.append((tag, tag == "bdi" or dict(attrs).get("dir") == "auto"))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(tag == "script" for tag, _ in self._open):
            self.found.append((data, any(is_isolated for _, is_isolated in self._open)))


async def test_a_hebrew_name_does_not_reorder_a_page(site: Site) -> None:
    async with site.client() as david:
        await sign_up(david, NAME, email="david@example.com")
        comment = await write(david, f"{NAME} was here")
        await write(david, "And again", parent_id=comment["id"])
        for path in ("/", "/Article/1", "/embed/Article/1", "/account", "/inbox"):
            found = [text for text in Texts((await david.get(path)).text).found if NAME in text[0]]
            assert path == "/" or found
            assert [text for text, is_isolated in found if not is_isolated] == []


@pytest.mark.parametrize(("template", "names"), FILLED.items(), ids=FILLED)
def test_texts_of_people_have_their_own_direction(template: str, names: list[str]) -> None:
    text = (PACKAGE / "templates" / template).read_text()
    for name in names:
        tags = re.findall(rf'<[^<]*class="[^"]*\b{name}\b.*?>', text)
        assert tags, name
        assert all('dir="auto"' in tag for tag in tags), name


def test_plain_text_isolates_texts_that_would_reorder_it() -> None:
    assert isolated("Alice") == "Alice"
    assert isolated("Zoë 小明") == "Zoë 小明"
    assert isolated(NAME) == f"\u2068{NAME}\u2069"
    assert isolated("a\u202eb") == "\u2068a\u202eb\u2069"


def test_styles_of_peoples_texts_use_start_and_end_only() -> None:
    """Left and right are for the layout of the page. Styles of people's texts use only start and end."""
    for name in ("thread.css", "moderation.css", "notifications.css"):
        rules = re.findall(r"([^{}]*)\{([^{}]*)\}", (PACKAGE / "static/css" / name).read_text())
        for selector, body in rules:
            if re.search(r"is-marked|__text|__theirs|__body|__title", selector):
                assert not re.search(r"(margin|padding|border)-(left|right)|text-align: (left|right)", body), selector
