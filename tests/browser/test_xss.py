"""Cross-site scripting: no text, name or link that a person writes runs as a script or imitates a part of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from playwright.async_api import BrowserContext

from app.comments.comments import Comment
from app.live.topics import Topic
from tests.browser.people import Person
from tests.support.people import write

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.browser.conftest import OpenBrowser

# Each calls `hacked()` if a browser takes it for more than text.
MARKUP = (
    "<script>hacked()</script>",
    "<SCRIPT>hacked()</SCRIPT>",
    "<script src=data:text/javascript,hacked()></script>",
    "<script/x>hacked()</script >",
    "<scr<script>ipt>hacked()</scr</script>ipt>",
    "</div></li></ol><script>hacked()</script>",
    "</script><script>hacked()</script>",
    "</template><img src=x onerror=hacked()>",
    "<!--><img src=x onerror=hacked()>-->",
    "<![CDATA[<img src=x onerror=hacked()>]]>",
    "<?xml version='1.0'?><img src=x onerror=hacked()>",
    "<img src=x onerror=hacked()>",
    "<img src=x onerror=hacked()//",
    "<img/src=x/onerror=hacked()>",
    "<img src='x' onerror\n=\nhacked()>",
    '"><img src=x onerror=hacked()>',
    "'><img src=x onerror=hacked()>",
    "<img src=x:x onload=hacked() onerror=hacked()>",
    "<image src=x onerror=hacked()>",
    "<picture><source srcset=x><img src=x onerror=hacked()></picture>",
    "<svg onload=hacked()>",
    "<svg/onload=hacked()>",
    "<svg><script>hacked()</script></svg>",
    "<svg><animate onbegin=hacked() attributeName=x dur=1s>",
    "<svg><a xlink:href='javascript:hacked()'><text y=9>x</text></a></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg onload=hacked()/>#x'></svg>",
    "<svg><foreignObject><iframe srcdoc='<script>parent.hacked()</script>'></iframe></foreignObject></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=hacked()></style></mglyph></table></mtext></math>",
    "<math href='javascript:hacked()'>x</math>",
    "<iframe srcdoc='<script>parent.hacked()</script>'></iframe>",
    "<iframe src='javascript:parent.hacked()'></iframe>",
    "<object data='javascript:hacked()'></object>",
    "<embed src='data:text/html,<script>parent.hacked()</script>'>",
    "<link rel=stylesheet href='data:text/css,*{color:red}'>",
    "<link rel=import href=x onload=hacked()>",
    "<style>@import 'x'; * { background: url(javascript:hacked()) }</style>",
    "<style onload=hacked()></style>",
    "<base href='https://elsewhere.example/'>",
    "<meta http-equiv=refresh content='0;url=javascript:hacked()'>",
    "<body onload=hacked() onpageshow=hacked()>",
    "<details open ontoggle=hacked()><summary>x</summary></details>",
    "<dialog open onclose=hacked()>x</dialog>",
    "<input autofocus onfocus=hacked()>",
    "<select autofocus onfocus=hacked()><option>x</select>",
    "<textarea autofocus onfocus=hacked()>x</textarea>",
    "<button form=x formaction='javascript:hacked()'>x</button>",
    "<form action='javascript:hacked()'><input type=submit></form>",
    "<a href='javascript:hacked()'>x</a>",
    "<a href=x onmouseover=hacked() style='position:fixed;inset:0'>x</a>",
    "<video onloadstart=hacked()><source src=x onerror=hacked()></video>",
    "<audio src=x onerror=hacked()></audio>",
    "<marquee onstart=hacked()>x</marquee>",
    "<div style='background-image:url(javascript:hacked())'>x</div>",
    "<div style='position:fixed;inset:0;z-index:99'>x</div>",
    "<div id=bootstrap name=parley class=announcer>x</div>",
    "<form id=parley><input name=comments></form>",
    "<noscript><p title='</noscript><img src=x onerror=hacked()>'></noscript>",
    "<xmp><p title='</xmp><img src=x onerror=hacked()>'></xmp>",
    "<template><script>hacked()</script></template>",
    "<custom-element onclick=hacked() is=relative-time datetime=x>x</custom-element>",
    "&lt;script&gt;hacked()&lt;/script&gt;",
    "&#60;img src=x onerror=hacked()&#62;",
    "\\x3cimg src=x onerror=hacked()\\x3e",
    "{{constructor.constructor('hacked()')()}} ${hacked()} <%= hacked() %> #{hacked()}",
    "\u202e<img src=x onerror=hacked()>\u202c",
)

# The same in Markdown.
MARKDOWN = (
    "[x](javascript:hacked())",
    "[x](JaVaScRiPt:hacked())",
    "[x]( javascript:hacked())",
    "[x](<javascript:hacked()>)",
    "[x](java\tscript:hacked())",
    "[x](java%0ascript:hacked())",
    "[x](&#106;avascript:hacked())",
    "[x](\\javascript:hacked())",
    "[x](javascript&colon;hacked())",
    "[x](\x01javascript:hacked())",
    "[x](vbscript:hacked())",
    "[x](data:text/html,<script>hacked()</script>)",
    "[x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9aGFja2VkKCk+)",
    "[x](file:///etc/passwd)",
    "[x](blob:hacked())",
    "[x](//elsewhere.example/)",
    '[x](https://a.example/"onmouseover=hacked())',
    '[x](https://a.example/ "x\' onmouseover=hacked()")',
    "[x](https://a.example/'><img/src=x/onerror=hacked()>)",
    "[<img src=x onerror=hacked()>](https://a.example/)",
    "[*[x](javascript:hacked())*](https://a.example/)",
    '![x](x"onerror="hacked())',
    "![x](javascript:hacked())",
    "<javascript:hacked()>",
    '<https://a.example/"onmouseover="hacked()>',
    "<hacked@a.example?onclick=hacked()>",
    'https://a.example/"onmouseover="hacked()',
    "https://a.example/<img/src=x/onerror=hacked()>",
    "[x]: javascript:hacked()\n\n[x]",
    "`<img src=x onerror=hacked()>`",
    "``` <img src=x onerror=hacked()>\n<script>hacked()</script>\n```",
    '```"onmouseover=hacked()\nx\n```',
    "> <script>hacked()\n> </script>",
    "- <img src=x\n  onerror=hacked()>",
    "**<svg onload=hacked()>**",
    "~~<b onclick=hacked()>x</b>~~",
    "@<img src=x onerror=hacked()>",
    '@x"onclick=hacked()',
    "1. <iframe src=javascript:hacked()>\n2. x",
    "*a<b *onmouseover=hacked()*>*",
    "    <script>hacked()</script>",
    "a\\\n<img src=x onerror=hacked()>",
)

RECORD_VIOLATIONS = """() => {
  window.violations = [];
  document.addEventListener("securitypolicyviolation", ({ blockedURI, violatedDirective }) =>
    window.violations.push(`${violatedDirective}: ${blockedURI}`));
}"""

# The elements in the texts of comments that Markdown does not produce.
UNEXPECTED_ELEMENTS = """() => {
  const allowed = {
    A: ["href", "rel"], SPAN: ["class"], P: ["dir"], BLOCKQUOTE: ["dir"], PRE: ["dir"], UL: ["dir"],
    OL: ["dir", "start"], LI: ["dir", "value"],
  };
  const tags = ["A", "BLOCKQUOTE", "BR", "CODE", "EM", "LI", "OL", "P", "PRE", "S", "SPAN", "STRONG", "UL"];
  const isStrange = (el) => !tags.includes(el.tagName)
    || el.getAttributeNames().some((name) => !allowed[el.tagName]?.includes(name))
    || (el.hasAttribute("dir") && el.getAttribute("dir") !== "auto")
    || (el.tagName === "SPAN" && el.className !== "mention")
    || (el.hasAttribute("href") && !["http:", "https:", "mailto:"].includes(el.protocol))
    || (el.tagName === "A" && el.rel !== "ugc nofollow noopener");
  const bodies = document.querySelectorAll(".comment__body *");
  return Array.from(bodies).filter(isStrange).map((el) => el.outerHTML);
}"""
TAGS_OUTSIDE_TEXTS = (
    "() => Array.from(document.querySelectorAll('body *:not(.comment__body *)'), (el) => el.tagName).sort()"
)
# Of every element but the page's own icon, which is a data: URL.
LINKS = """() => {
  const elements = document.querySelectorAll("[href]:not(head > link[rel=icon]), [src], [action]");
  return Array.from(elements, (el) => el.href ?? el.src ?? el.action);
}"""


async def store_texts(parley: Parley, like: dict[str, Any]) -> list[str]:
    """Store a comment for each text, with the text also as its author's name. Returns the texts in order."""
    texts = [*MARKUP, *MARKDOWN]
    async with parley.writing(Topic("Article", "1")) as writing:
        row = await writing.get(Comment, UUID(like["id"]))
        assert row
        same = {name: getattr(row, name) for name in ("topic", "user_id", "created_at", "updated_at")}
        for text in texts:
            comment = Comment(id=uuid4(), body=text, username=text, likes_count=0, **same)
            writing.create(comment)
            comment.content_seq = comment.seq
    return texts


async def record_hacked_calls(context: BrowserContext) -> list[str]:
    """The calls of `hacked` in pages of this context. These pages were opened with the script `RECORD_VIOLATIONS`."""
    calls: list[str] = []
    await context.expose_function("hacked", lambda: calls.append("hacked"))
    return calls


async def test_alice_reads_hostile_comments_and_no_script_runs(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, served: Parley
) -> None:
    first = await write(carol_client, "A word")
    alice = await open_browser("Alice", scripts=[f"({RECORD_VIOLATIONS})()"])
    calls = await record_hacked_calls(alice.context)
    before = set(await alice.page.evaluate(TAGS_OUTSIDE_TEXTS))
    texts = await store_texts(served, first)
    # The comments arrive over the stream, then with the page, then with pages of earlier comments.
    await alice.until(f"parley.comments.length === {len(texts) + 1}", "all comments")
    await assert_harmless(alice, texts, before)
    await alice.reload()
    while await alice.page.evaluate("parley.comments.before"):
        loaded = await alice.page.evaluate("parley.comments.length")
        await alice.page.locator(".thread__earlier").click()
        await alice.until(f"parley.comments.length > {loaded}", "an earlier page")
    await assert_harmless(alice, texts, before)
    assert calls == []


async def assert_harmless(person: Person, texts: list[str], before: set[str]) -> None:
    assert [text for text in texts if text not in await fetch_authors(person)] == []
    for name in await person.page.evaluate(LINKS):
        assert name.startswith(("http://", "https://", "mailto:")), name
    assert await person.page.evaluate(UNEXPECTED_ELEMENTS) == []
    assert set(await person.page.evaluate(TAGS_OUTSIDE_TEXTS)) == before
    assert await person.page.evaluate("violations") == []
    assert await person.page.evaluate("typeof parley.comments.length") == "number"


async def fetch_authors(person: Person) -> set[str]:
    names: list[str] = await person.page.evaluate(
        "Array.from(document.querySelectorAll('.comment__author'), (el) => el.textContent)"
    )
    return set(names)


async def test_alice_writes_hostile_comments_and_no_script_runs(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", scripts=[f"({RECORD_VIOLATIONS})()"])
    calls = await record_hacked_calls(alice.context)
    for text in (MARKUP[11], MARKDOWN[0], MARKDOWN[18]):
        await alice.write(text)
        assert await alice.page.evaluate(UNEXPECTED_ELEMENTS) == []
    await alice.is_settled()
    await alice.open_editor(MARKUP[11])
    assert await alice.editor.input_value() == MARKUP[11]
    assert await alice.page.evaluate(UNEXPECTED_ELEMENTS) == []
    assert await alice.page.evaluate("violations") == []
    assert calls == []
