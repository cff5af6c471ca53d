"""Markdown for chat: markup is rendered, other text is shown as typed, and no character is lost."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.comments.comments import Comment
from app.comments.markdown import html, is_heavy, plain_html, render

REL = 'rel="ugc nofollow noopener"'


def p(inner: str) -> str:
    return f'<p dir="auto">{inner}</p>'


def link(url: str, shown: str = "") -> str:
    return f'<a href="{url}" {REL}>{shown or url}</a>'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Two\nlines", "Two<br>\nlines"),
        ("*so* **very** `x < 1` ~~not~~", "<em>so</em> <strong>very</strong> <code>x &lt; 1</code> <s>not</s>"),
        ("***a*** *a **b***", "<em><strong>a</strong></em> <em>a <strong>b</strong></em>"),
        ("_a**_*ab**", "<em>a**</em><em>ab</em>*"),
        ("**重要。**です", "<strong>重要。</strong>です"),
        ("Hi @bob, hi", 'Hi <span class="mention">@bob</span>, hi'),
        ("_@bob_ 谢谢＠bob", '<em><span class="mention">@bob</span></em> 谢谢<span class="mention">＠bob</span>'),
        ("[a](https://b.c/d(e))", link("https://b.c/d(e)", "a")),
        ("[https://a.com](https://b.com)", link("https://b.com", "https://a.com")),
        ("[a [b](https://b.c) d](https://e.f)", f"[a {link('https://b.c', 'b')} d]({link('https://e.f')})"),
        ("<https://a.b> <me@a.b>", f"{link('https://a.b')} {link('mailto:me@a.b', 'me@a.b')}"),
        ("mailto:a@b.c", link("mailto:a@b.c")),
        ("\\*a\\*", "*a*"),
    ],
)
def test_inline_markup_is_shown_as(text: str, shown: str) -> None:
    assert html(text) == p(shown) or render(text, ["bob"]).html == p(shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("> a\nb", f'<blockquote dir="auto">\n{p("a")}\n</blockquote>\n{p("b")}'),
        (">a\n>\n>b", f'<blockquote dir="auto">\n{p("a")}\n{p("b")}\n</blockquote>'),
        ("- a\n- b\nc", f'<ul dir="auto">\n<li dir="auto">a</li>\n<li dir="auto">b</li>\n</ul>\n{p("c")}'),
        ("- a\n  b", '<ul dir="auto">\n<li dir="auto">a<br>\nb</li>\n</ul>'),
        (
            "3. a\n7. b",
            '<ol dir="auto" start="3">\n<li dir="auto">a</li>\n<li dir="auto" value="7">b</li>\n</ol>',
        ),
        (
            "1. a\n7. b\n3. c",
            '<ol dir="auto">\n<li dir="auto">a</li>\n<li dir="auto" value="7">b</li>\n'
            '<li dir="auto" value="3">c</li>\n</ol>',
        ),
        ("````\n```\n````", '<pre dir="auto"><code>```\n</code></pre>'),
        ("```\n*a*\n```", '<pre dir="auto"><code>*a*\n</code></pre>'),
        ("```py\nx = 1\n```", '<pre dir="auto"><em>py</em>\n<code>x = 1\n</code></pre>'),
    ],
)
def test_blocks_are_shown_as(text: str, shown: str) -> None:
    assert html(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "1986.", "2000.\n1986.", "1986. A year", "1. \n2.", "1) a\n2) b", "007. a", "* * *", "- - -", "***", "___",
        "---", "-", "+", "¯\\_(ツ)_/¯", "![a](b)", "C:\\*.txt", "a\\\nb", "# a", "a\n===", "a\n---", "|a|b|\n|-|-|",
        "[a]: b", "[a](/b)", "[a](javascript:x)", "&amp; &#65; &nbsp;", "<b>no</b>", "<!-- a -->", ">100", ">:(",
        "2*3*4", "a*b*c", "2 * 3 * 4", "a_b_c", "2**3**4", "```\nnever closed", "    indented", "a\tb", "*a *", "~a~",
        "****a****", "me@example.com", "@bob", "www.example.com", "Two  words\n\nand more",
        " a ", "\ufeff🦜\x01", "[[](]()",
    ],
)  # fmt: skip
def test_text_without_markup_is_shown_as_typed(text: str) -> None:
    assert render(text).html is None
    assert render(text).shows_something


@pytest.mark.parametrize(
    ("text", "url", "rest"),
    [
        ("https://e.com/。次", "https://e.com/", "。次"),
        ("https://e.com/です", "https://e.com/", "です"),
        ("見てhttps://e.com/a、", "https://e.com/a", "、"),
        ("https://e.com/！", "https://e.com/", "！"),
        ("“https://e.com/”", "https://e.com/", "”"),
        ("https://e.com/.", "https://e.com/", "."),
        ("https://e.com/?!", "https://e.com/", "?!"),
        ("(https://e.com/a_(b))", "https://e.com/a_(b)", ")"),
        ("https://e.com/에서", "https://e.com/", "에서"),
        ("https://例え.jp/a。", "https://例え.jp/a", "。"),
        ("https://ru.wikipedia.org/wiki/Москва,", "https://ru.wikipedia.org/wiki/Москва", ","),
        ("https://e.com/🦜", "https://e.com/", "🦜"),
    ],
)
def test_a_link_ends_where_the_sentence_goes_on(text: str, url: str, rest: str) -> None:
    assert f"{link(url)}{rest}</p>" in html(text)


def test_a_long_japanese_sentence_after_a_link_keeps_it() -> None:
    assert link("https://e.com/") in html("https://e.com/。" + "長" * 5_000)


@pytest.mark.parametrize(
    ("text", "names", "mentioned"),
    [
        ("@小明你好", ["小", "小明"], ["小明"]),
        ("@می\u200cخواهم!", ["می", "می\u200cخواهم"], ["می\u200cخواهم"]),
        ("@Zoë Newcomer, @Zoë", ["Zoë", "Zoë Newcomer"], ["Zoë Newcomer", "Zoë"]),
        ("@bobby @bob\u0301 @bob@example.com a@bob /@bob `@bob`", ["bob"], []),
        (".@bob", ["bob"], ["bob"]),
    ],
)
def test_the_longest_known_name_is_marked(text: str, names: list[str], mentioned: list[str]) -> None:
    assert list(render(text, names).mentioned) == mentioned


def test_links_say_that_somebody_else_wrote_them() -> None:
    for text in ("[here](https://example.com/)", "https://example.com/"):
        assert REL in html(text)
    for text in ("[here](javascript:alert)", "[here](/there)", "HTTPſ://a.b", "https://", "http://-["):
        assert "<a" not in html(text)


def test_a_link_has_no_more_than_its_address() -> None:
    assert "title=" not in html('[here](https://example.com/ "click me")')


@pytest.mark.parametrize("marker", ["> ", ">", "- ", "* ", "1. ", "> - ", "- > "])
@pytest.mark.parametrize("levels", [5, 25, 300])
def test_words_that_are_nested_too_deep_are_shown(marker: str, levels: int) -> None:
    shown = html(marker * levels + "deep")
    assert "deep" in shown
    assert shown.count("<blockquote") + shown.count("<ul") + shown.count("<ol") <= 6


def test_nested_lists_keep_every_item() -> None:
    text = "\n".join(f"{'  ' * level}- item{level}" for level in range(40))
    assert all(f"item{level}" in html(text) for level in range(40))


def test_markers_beyond_the_limit_are_shown_as_text() -> None:
    shown = html("*a* " * 2_500)
    assert shown.startswith(p("")[:-4] + "<em>a</em> <em>a</em>")
    assert shown.endswith("*a* *a*</p>")


@pytest.mark.parametrize("text", ["*a*", "1. a", "> a", "`a`", "\\*a\\*", "https://example.com"])
def test_a_text_that_is_shown_differently_than_typed_is_not_plain(text: str) -> None:
    assert render(text).html is not None


@pytest.mark.parametrize(
    "text",
    ["[](http://e.com)", ">", "> >", ">\n>", "**", "****", "```\n```", "~~~\n\u200b\n~~~", "` `", "[\u200b](http://e.com)",
     "> [](http://e.com)", "**\u200b**", "\u200b", "> \u2800", "[\u3164](https://e.com) \u00ad"],
)  # fmt: skip
def test_markup_around_nothing_shows_nothing(text: str) -> None:
    assert not render(text).shows_something


# -- nothing is lost ------------------------------------------------------------------------------------------


class _Shown(HTMLParser):
    """The visible parts of some HTML: its text, the numbers of its lists, and the targets of its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.numbers: list[int | None] = []
        self.links: list[tuple[str, int]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("ul", "ol"):
            self.numbers.append(int(given.get("start") or 1) if tag == "ol" else None)
        elif tag == "li" and self.numbers[-1] is not None:
            number = int(given.get("value") or self.numbers[-1])
            self.parts.append(f"{number}.")
            self.numbers[-1] = number + 1
        elif tag == "a":
            self.links.append((given["href"] or "", len(self.parts)))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("ul", "ol"):
            self.numbers.pop()
        elif tag == "a":
            url, start = self.links.pop()
            if url not in (shown := "".join(self.parts[start:])) and url != f"mailto:{shown}":
                self.parts.append(url)

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def shown_of(text: str) -> str:
    return "".join(_Shown(html(text)).parts)


MARKUP = set("*_~`[]()<>\\-+")
FRAGMENTS = (
    "*", "**", "***", "_", "__", "~~", "`", "``", "```", "\n```\n", "~~~\n", "[", "](http://e.com/x)", "](", ")", "![",
    "<", ">", "<http://a.b>", "<a@b.c>", "<b>", "\\", "\\_", "\\*", "@bob", "https://e.com/q", "。", "- ", "* ", "+ ",
    "1. ", "24. ", "1986. ", "2) ", "> ", ">", "\n", "\n\n", "\n  ", "\n    ", "\n- ", "\n> ", "\n1. ", " ", "\t", "# ",
    "&amp;", "&", "|", "---", "===", "word", "é", "谢谢", "7", "\u200b", "\u0301", "🦜", "(ツ)", ":", '"', "'", "[a]: ",
)  # fmt: skip
typed = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join)


def visible(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character)[0] not in "ZC")


@settings(max_examples=400, deadline=None)
@given(typed)
@example("> a\n> - b\n>   1. c\nd")
@example("- a\n\n  b\n\n  ```\n  c\n  ```\n- d")
@example("1. a\n2. b\n1986. c\n3. d")
def test_every_character_that_is_no_markup_is_shown_in_its_order(text: str) -> None:
    rest = iter(visible(shown_of(text)))
    shown = next(rest, None)
    for character in visible(text):
        if character == shown:
            shown = next(rest, None)
        else:
            assert character in MARKUP, f"{character!r} of {text!r} is lost: {html(text)}"
    assert shown is None, f"something else is shown of {text!r}: {html(text)}"


@settings(max_examples=150, deadline=None)
@given(typed)
def test_a_plain_text_reads_the_same_as_html(text: str) -> None:
    if render(text).html is None:
        assert re.sub(r"\s+", "", shown_of(text)) == re.sub(r"\s+", "", text)
        assert html(text) == plain_html(text)


@settings(max_examples=150, deadline=None)
@given(typed, st.lists(st.sampled_from(["bob", "bob word", "word", "谢"]), max_size=3))
def test_a_rendering_depends_on_the_text_and_the_names_that_it_marks(text: str, names: list[str]) -> None:
    first = render(text, names)
    assert render(text, first.mentioned) == first
    assert render(text.replace("\n", "\r\n"), names).html == first.html


# -- what is stored with a comment ----------------------------------------------------------------------------


def test_another_text_is_never_shown_with_the_old_html() -> None:
    comment = Comment(body="")
    comment.write("*a*", render("*a*"))
    assert comment.shown() == (p("<em>a</em>"), False)
    comment.body = "**b**"
    assert comment.shown() == (p("<strong>b</strong>"), False)
    comment.write("*a*", render("*a*"))
    comment.erase()
    assert (comment.html, comment.mentioned, comment.shown()) == (None, [], ("", True))


def test_reading_a_stored_text_parses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    comment = Comment(body="")
    comment.write("*a* " * 2_500, render("*a* " * 2_500))
    monkeypatch.delattr("app.comments.markdown.render")
    assert comment.shown()[0].startswith('<p dir="auto"><em>a</em>')


def test_a_heavy_text_that_nobody_has_rendered_is_shown_as_typed() -> None:
    text = "*a* " * 2_500
    assert is_heavy(text)
    assert not is_heavy("*A* word, `code` and [a link](https://example.com/), and so on.\n" * 20)
    assert Comment(body=text).shown() == (plain_html(text), True)
