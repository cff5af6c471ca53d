"""Nothing that people write is ever run, or looks like a part of the page: not as a text, a name, or a link."""

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

# Each calls `hacked()` where it is taken for more than text.
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

# In markdown's own words.
MARKED = (
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

WATCH = """() => {
  window.refused = [];
  document.addEventListener("securitypolicyviolation", ({ blockedURI, violatedDirective }) =>
    refused.push(`${violatedDirective}: ${blockedURI}`));
}"""

# What there is in a comment's text beyond text, and is not a part of markdown.
STRANGE = """() => {
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
PARTS = "() => Array.from(document.querySelectorAll('body *:not(.comment__body *)'), (el) => el.tagName).sort()"
LINKS = "() => Array.from(document.querySelectorAll('[href], [src], [action]'), (el) => el.href ?? el.src ?? el.action)"


async def plant(parley: Parley, like: dict[str, Any]) -> list[str]:
    """All of it, as the texts and as the names of a thread. Answers with the texts, in order."""
    texts = [*MARKUP, *MARKED]
    async with parley.writing(Topic("Article", "1")) as writing:
        row = await writing.get(Comment, UUID(like["id"]))
        assert row
        same = {name: getattr(row, name) for name in ("topic", "user_id", "created_at", "updated_at")}
        for text in texts:
            comment = Comment(id=uuid4(), body=text, username=text, likes_count=0, **same)
            writing.create(comment)
            comment.content_seq = comment.seq
    return texts


async def guarded(context: BrowserContext) -> list[str]:
    """The calls of `hacked` in pages of this context. These pages were opened with the script `WATCH`."""
    calls: list[str] = []
    await context.expose_function("hacked", lambda: calls.append("hacked"))
    return calls


async def test_nothing_that_people_write_is_run(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, served: Parley
) -> None:
    first = await write(carol_client, "A word")
    alice = await open_browser("Alice", scripts=[f"({WATCH})()"])
    calls = await guarded(alice.context)
    before = set(await alice.page.evaluate(PARTS))
    texts = await plant(served, first)
    # As they come over the stream, and as they come with the page, and a page of earlier ones.
    await alice.until(f"parley.comments.length === {len(texts) + 1}", "them all")
    await is_harmless(alice, texts, before)
    await alice.reload()
    while await alice.page.evaluate("parley.comments.before"):
        loaded = await alice.page.evaluate("parley.comments.length")
        await alice.page.locator(".thread__earlier").click()
        await alice.until(f"parley.comments.length > {loaded}", "more")
    await is_harmless(alice, texts, before)
    assert calls == []


async def is_harmless(person: Person, texts: list[str], before: set[str]) -> None:
    assert [text for text in texts if text not in await authors(person)] == []
    for name in await person.page.evaluate(LINKS):
        assert name.startswith(("http://", "https://", "mailto:")), name
    assert await person.page.evaluate(STRANGE) == []
    assert set(await person.page.evaluate(PARTS)) == before
    assert await person.page.evaluate("refused") == []
    assert await person.page.evaluate("typeof parley.comments.length") == "number"


async def authors(person: Person) -> set[str]:
    names: list[str] = await person.page.evaluate(
        "Array.from(document.querySelectorAll('.comment__author'), (el) => el.textContent)"
    )
    return set(names)


async def test_what_one_writes_oneself_is_text_before_and_after_it_is_sent(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", scripts=[f"({WATCH})()"])
    calls = await guarded(alice.context)
    for text in (MARKUP[11], MARKED[0], MARKED[18]):
        await alice.write(text)
        assert await alice.page.evaluate(STRANGE) == []
    await alice.is_settled()
    await alice.open_editor(MARKUP[11])
    assert await alice.editor.input_value() == MARKUP[11]
    assert await alice.page.evaluate(STRANGE) == []
    assert await alice.page.evaluate("refused") == []
    assert calls == []
