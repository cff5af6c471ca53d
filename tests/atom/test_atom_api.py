"""Atom feeds over HTTP: they have what the public may see, and an independent parser understands them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4
from xml.etree import ElementTree

import feedparser
import httpx
import pytest

from app.accounts import roles
from app.accounts.user import Role, User
from app.atom import atom, atom_api
from app.live.topics import Topic
from app.main import create_app
from tests.support.people import PASSWORD, delete, edit, email_of, me, person, read_json, sign_in, write
from tests.support.people_without_http import hide_comment
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.serving import Site

ATOM = "{http://www.w3.org/2005/Atom}"
THREAD = "{http://purl.org/syndication/thread/1.0}"
LISTED = "https://www.example.com"
PUBLIC = "https://talk.example.com"
ARTICLE, ALL, ADDRESS = "/feeds/Article/1", "/feeds/all", "/api/account/atom"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"public_url": PUBLIC, "allowed_origins": frozenset({LISTED})})


async def read(client: httpx.AsyncClient, path: str, **headers: str) -> Any:
    """The feed at this path, as feedparser understands it. It must be well-formed XML with all that Atom requires."""
    response = await client.get(path, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/atom+xml; charset=utf-8"
    check(ElementTree.fromstring(response.content))
    feed = feedparser.parse(response.content)
    assert (feed.bozo, feed.version) == (False, "atom10")
    return feed


def check(root: ElementTree.Element) -> None:
    """The rules of RFC 4287, 4.1: each element that is required is there once."""
    assert root.tag == f"{ATOM}feed"
    for one in (root, *root.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            (found,) = one.findall(f"{ATOM}{name}")
            assert found.text
        assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one.findtext(f"{ATOM}id") or "")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", one.findtext(f"{ATOM}updated") or "")
    for entry in root.iter(f"{ATOM}entry"):
        assert entry.findtext(f"{ATOM}author/{ATOM}name")
        assert len(entry.findall(f"{ATOM}link[@rel='alternate']")) == 1
        (content,) = entry.findall(f"{ATOM}content")
        assert (content.get("type"), len(content)) == ("html", 0), "HTML is text in XML"


def texts(feed: Any) -> list[str]:
    return [re.sub("<.*?>", "", entry.content[0].value) for entry in feed.entries]


def links(feed: Any) -> dict[str, str]:
    return {link.rel: link.href for link in feed.feed.links}


async def path_of(client: httpx.AsyncClient) -> str:
    """The path of this person's own feed."""
    return _path(read_json(await client.get(ADDRESS), 200)["url"])


def _path(url: str) -> str:
    assert url.startswith(f"{PUBLIC}/feeds/replies?key=")
    return url.removeprefix(PUBLIC)


# -- content ------------------------------------------------------------------------------------------------


async def test_a_guest_reads_a_conversation_newest_first(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    first = await write(alice, "*Good* morning")
    second = await write(alice, "I reply to <myself>", parent_id=first["id"])
    await write(alice, "Elsewhere", commentable_id="2")
    feed = await read(guest, ARTICLE)
    assert texts(feed) == ["I reply to &lt;myself&gt;", "Good morning"]
    assert feed.entries[1].content[0].value == '<p dir="auto"><em>Good</em> morning</p>'
    assert [entry.id for entry in feed.entries] == [f"urn:uuid:{one['id']}" for one in (second, first)]
    assert [entry.author for entry in feed.entries] == ["Alice", "Alice"]
    assert feed.entries[0].link == f"{PUBLIC}/Article/1#comment-{second['id']}"
    assert feed.entries[0].published == second["created_at"].replace("Z", "+00:00")
    assert feed.feed.updated == feed.entries[0].updated
    assert links(feed) == {"self": PUBLIC + ARTICLE, "alternate": f"{PUBLIC}/Article/1"}
    root = ElementTree.fromstring((await guest.get(ARTICLE)).content)
    assert [one.get("ref") for one in root.iter(f"{THREAD}in-reply-to")] == [f"urn:uuid:{first['id']}"]


@pytest.mark.both_databases
async def test_a_guest_reads_the_newest_comments_of_all_conversations(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await write(alice, "One")
    await write(bob, "Two", commentable_type="Page", commentable_id="über/uns")
    await write(alice, "Three", commentable_id="2")
    feed = await read(guest, ALL)
    assert texts(feed) == ["Three", "Two", "One"]
    assert feed.entries[1].link.startswith(f"{PUBLIC}/Page/%C3%BCber/uns#comment-")
    assert [entry.title.partition(" on ")[0] for entry in feed.entries] == ["Alice", "A comment by Bob", "Alice"]
    assert links(feed) == {"self": PUBLIC + ALL, "alternate": f"{PUBLIC}/"}


@pytest.mark.both_databases
async def test_alice_reads_replies_and_mentions_and_nothing_else(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    comment = await write(alice, "Who is there?")
    await write(bob, "Bob", parent_id=comment["id"])
    await write(bob, "And @Alice knows him", commentable_id="2")
    await write(bob, "Somebody else")
    feed = await read(guest, await path_of(alice))
    assert texts(feed) == ["And @Alice knows him", "Bob"]
    assert feed.feed.title == "Replies and mentions for Alice · Parley"
    assert links(feed) == {"self": PUBLIC + await path_of(alice), "alternate": f"{PUBLIC}/inbox"}
    assert texts(await read(guest, await path_of(bob))) == []


async def test_a_comment_in_a_host_page_is_linked_there(
    site: Site, alice: httpx.AsyncClient, guest: httpx.AsyncClient, settings: Settings
) -> None:
    url = f"{LISTED}/posts/hello?a=1&b=2"
    comment = await write(alice, "Hello", commentable_id="7", page={"url": url, "title": 'Hello & "welcome"'})
    for path in ("/feeds/Article/7", ALL):
        (entry,) = (await read(guest, path)).entries
        assert (entry.link, entry.title) == (f"{url}#comment-{comment['id']}", 'Alice on Hello & "welcome"')
    feed = await read(guest, "/feeds/Article/7")
    assert (links(feed)["alternate"], feed.feed.title) == (url, 'Hello & "welcome" · Parley')
    unlisted = settings.model_copy(update={"allowed_origins": frozenset()})
    async with serving(create_app(unlisted)) as later, later.client() as client:
        (entry,) = (await read(client, ALL)).entries
    assert entry.link == f"{PUBLIC}/Article/7#comment-{comment['id']}", "the host may no longer show the conversation"


async def test_hostile_texts_and_names_stay_text(
    site: Site, alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    hostile = "]]></content><script>alert(1)</script> & &#0; \x01\x0b\ufffe <b \"'> \U0001f99c"
    await write(alice, hostile)
    async with person(site, "Conan", username="Conan O'Brien") as conan:
        await write(conan, "`]]>`")
    await roles.assign_role(site_parley, email_of("Alice"), Role.MODERATOR)
    read_json(await alice.patch("/api/commentables/Article/1", json={"title": "</title> & <b>]]>"}), 200)
    for path in (ARTICLE, ALL):
        feed = await read(guest, path)
        assert [entry.author for entry in feed.entries] == ["Conan O'Brien", "Alice"]
        assert "</title> & <b>]]>" in (feed.feed.title if path == ARTICLE else feed.entries[0].title)
        shown = feed.entries[1].content[0].value
        assert "<script" not in shown
        assert "\U0001f99c" in shown
        assert not re.search("[\x01\x0b\ufffe]", (await guest.get(path)).text)


async def test_a_right_to_left_name_does_not_turn_the_title(site: Site, guest: httpx.AsyncClient) -> None:
    async with person(site, "שלום") as shalom:
        await write(shalom, "Hello")
    (entry,) = (await read(guest, ARTICLE)).entries
    assert entry.title.startswith("\u2068שלום\u2069 on ")
    assert entry.author == "שלום"


async def test_a_feed_has_fifty_entries_and_fewer_long_ones(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(52):
        await write(alice, f"Comment {number}")
    for path in (ARTICLE, ALL):
        assert texts(await read(guest, path)) == [f"Comment {number}" for number in reversed(range(2, 52))]
    monkeypatch.setattr(atom, "MAX_CONTENT_LENGTH", 100)
    assert texts(await read(guest, ARTICLE)) == ["Comment 51", "Comment 50"]
    monkeypatch.setattr(atom, "MAX_CONTENT_LENGTH", 1)
    assert texts(await read(guest, ARTICLE)) == ["Comment 51"], "the newest is always there"


async def test_a_feed_of_the_longest_comments_is_bounded(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    for _ in range(8):
        await write(alice, "& " * 5_000)
    response = await guest.get(ARTICLE, headers={"Accept-Encoding": "identity"})
    assert 1 < len(texts(feedparser.parse(response.content))) < 8
    assert len(response.content) < 300_000


# -- what the public may see --------------------------------------------------------------------------------


async def test_deleted_and_hidden_comments_leave_every_feed_at_once(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    paths = [ARTICLE, ALL, await path_of(alice)]
    comment = await write(alice, "Well?")
    replies = [await write(bob, text, parent_id=comment["id"]) for text in ("Kept", "Hidden", "Deleted")]
    for path in paths:
        assert texts(await read(guest, path))[:3] == ["Deleted", "Hidden", "Kept"]
    await hide_comment(site_parley, replies[1]["id"])
    await delete(bob, replies[2])
    for path in paths:
        for client in (guest, alice, bob):  # a login makes no difference
            assert texts(await read(client, path))[:1] == ["Kept"], path
    await hide_comment(site_parley, replies[1]["id"], hidden=False)
    for path in paths:
        assert texts(await read(guest, path))[:2] == ["Hidden", "Kept"]


async def test_conversations_of_a_type_that_is_no_longer_listed_are_in_no_feed(
    alice: httpx.AsyncClient, settings: Settings, site: Site
) -> None:
    await write(alice, "Listed", commentable_type="Page")
    await write(alice, "Not listed")
    only_pages = settings.model_copy(update={"commentable_types": frozenset({"Page"})})
    async with serving(create_app(only_pages)) as later, later.client() as client:
        assert texts(await read(client, ALL)) == ["Listed"]
        read_problem(await client.get(ARTICLE), 404)


# -- ids ----------------------------------------------------------------------------------------------------


async def test_ids_stay_the_same_after_an_edit_a_rename_and_a_move(
    site: Site, alice: httpx.AsyncClient, guest: httpx.AsyncClient, settings: Settings
) -> None:
    comment = await write(alice, "First")
    paths = [ARTICLE, ALL, await path_of(alice)]

    async def ids(client: httpx.AsyncClient) -> list[list[str]]:
        feeds = [await read(client, path) for path in paths]
        return [[feed.feed.id, *(entry.id for entry in feed.entries)] for feed in feeds]

    before = await ids(guest)
    assert len({one for feed in before for one in feed}) == 4, "each feed has an id of its own"
    await edit(alice, comment, "Second")
    read_json(await alice.put("/api/account/username", json={"username": "Alice Newname"}), 200)
    moved = settings.model_copy(update={"public_url": "https://elsewhere.example/talk", "root_path": "/talk"})
    async with serving(create_app(moved)) as later, later.client() as client:
        assert await ids(client) == before
        (entry,) = (await read(client, ARTICLE)).entries
        assert entry.link.startswith("https://elsewhere.example/talk/Article/1#")
        assert 'href="/talk/feeds/Article/1"' in (await client.get("/Article/1")).text
        assert 'href="/talk/feeds/all"' in (await client.get("/")).text


async def test_an_edit_changes_the_time_of_the_entry_and_of_the_feed(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    comment = await write(alice, "First")
    await write(alice, "Newest")
    before = await read(guest, ARTICLE)
    await edit(alice, comment, "Second")
    after = await read(guest, ARTICLE)
    assert texts(after) == ["Newest", "Second"]
    assert after.entries[1].published == before.entries[1].published
    assert after.entries[1].updated > before.entries[1].updated
    assert after.feed.updated == after.entries[1].updated


async def shows_author(client: httpx.AsyncClient, comment: dict[str, Any], name: str) -> bool:
    found = read_json(await client.get(f"/api/comments/{comment['id']}"), 200)
    return bool(found["username"] == name)


# -- conditional requests -----------------------------------------------------------------------------------


async def test_an_unchanged_feed_is_not_sent_or_rendered_again(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment = await write(alice, "Good morning")
    await write(bob, "To you", parent_id=comment["id"])
    paths = [ARTICLE, ALL, await path_of(alice)]
    tags = [(await guest.get(path)).headers["etag"] for path in paths]
    read_json(await bob.put(f"/api/comments/{comment['id']}/like"), 200)

    def fail(*_: object) -> None:
        raise AssertionError("rendered")

    monkeypatch.setattr(atom_api, "rendered", fail)
    for path, tag in zip(paths, tags, strict=True):
        for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            response = await guest.get(path, headers={"If-None-Match": known})
            assert (response.status_code, response.content) == (304, b"")
            assert (response.headers["etag"], response.headers["cache-control"]) == (tag, "no-cache")


@pytest.mark.parametrize("change", ["create", "edit", "delete", "hide", "rename", "title", "release"])
@pytest.mark.both_databases
async def test_every_change_that_a_reader_sees_changes_the_tag(
    alice: httpx.AsyncClient,
    bob: httpx.AsyncClient,
    guest: httpx.AsyncClient,
    site_parley: Parley,
    change: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    comment = await write(alice, "Good morning")
    reply = await write(bob, "To you", parent_id=comment["id"])
    paths = [ARTICLE, ALL, await path_of(alice)]
    before = [await guest.get(path) for path in paths]
    if change == "create":
        await write(bob, "And again", parent_id=comment["id"])
    elif change == "edit":
        await edit(bob, reply, "To all")
    elif change == "delete":
        await delete(bob, reply)
    elif change == "hide":
        await hide_comment(site_parley, reply["id"])
    elif change == "rename":
        read_json(await bob.put("/api/account/username", json={"username": "Robert"}), 200)
        await wait_until(lambda: shows_author(guest, reply, "Robert"), "the new name in the comment")
    elif change == "title":
        await roles.assign_role(site_parley, email_of("Alice"), Role.MODERATOR)
        read_json(await alice.patch("/api/commentables/Article/1", json={"title": "The parrot"}), 200)
    else:
        monkeypatch.setattr(atom, "__version__", "next")
    for path, known in zip(paths, before, strict=True):
        after = await guest.get(path, headers={"If-None-Match": known.headers["etag"]})
        assert after.status_code == 200, path
        assert (after.content != known.content) is (change != "release"), path


async def test_a_feed_is_compressed_for_clients_that_accept_it(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await write(alice, "Good morning")
    plain = await guest.get(ARTICLE, headers={"Accept-Encoding": "identity"})
    packed = await guest.get(ARTICLE, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert plain.headers["etag"] == packed.headers["etag"]


async def test_a_feed_answers_head_requests(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    await write(alice, "Good morning")
    for path in (ARTICLE, ALL, await path_of(alice)):
        response = await guest.head(path)
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["etag"] == (await guest.get(path)).headers["etag"]
        assert (await guest.post(path)).status_code == 405


# -- names of conversations ---------------------------------------------------------------------------------


async def test_every_spelling_of_an_id_is_the_same_feed(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    await write(alice, "Hello", commentable_id="blog/cafe\u0301")
    canonical = quote("blog/caf\u00e9")
    for written in ("blog/cafe\u0301", "blog//caf\u00e9/", "blog%2Fcaf\u00e9"):
        path = f"/feeds/Article/{quote(written, safe='/%')}"
        feed = await read(guest, path)
        assert texts(feed) == ["Hello"]
        assert links(feed)["self"] == f"{PUBLIC}/feeds/Article/{canonical}"


async def test_a_conversation_without_comments_has_an_empty_feed(guest: httpx.AsyncClient) -> None:
    feed = await read(guest, "/feeds/Article/none")
    assert (feed.entries, feed.feed.title) == ([], "Comments · Parley")
    assert texts(await read(guest, ALL)) == []


async def test_a_conversation_that_cannot_exist_has_no_feed(guest: httpx.AsyncClient) -> None:
    for path in ("Unknown/1", "User/1", "Moderation/queue", "Article/%E2%80%8B", "Article", "replies/1", ""):
        read_problem(await guest.get(f"/feeds/{path}"), 404)
        page = await guest.get(f"/feeds/{path}", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")


async def test_pages_name_their_feeds(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    for reader in (alice, guest):
        for path, feed in {
            "/": ALL,
            "/Article/1": ARTICLE,
            "/Article/caf%C3%A9/x?after=0": "/feeds/Article/caf%C3%A9/x",
            "/embed/Article/caf%C3%A9/x": "/feeds/Article/caf%C3%A9/x",
        }.items():
            html = (await reader.get(path)).text
            found = re.findall(
                r'<link rel="alternate" type="application/atom\+xml" title="[^"]+" href="([^"]+)">', html
            )
            assert found == [feed]


# -- an account's own address -------------------------------------------------------------------------------


async def test_an_address_survives_the_end_of_the_login_and_a_new_password(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    path = await path_of(alice)
    change = {"current_password": PASSWORD, "password": "another talk, other friends"}
    read_json(await alice.put("/api/account/password", json=change), 200)
    assert (await alice.delete("/api/session")).status_code == 204
    await read(guest, path)
    await sign_in(alice, "Alice", password=change["password"])
    assert await path_of(alice) == path


async def test_a_new_address_ends_the_old_one(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    old = await path_of(alice)
    new = _path(read_json(await alice.post(ADDRESS), 200)["url"])
    assert new == await path_of(alice) != old
    await read(guest, new)
    read_problem(await guest.get(old), 404)


async def test_the_address_of_a_deleted_or_blocked_account_is_not_valid(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    paths = [await path_of(alice), await path_of(bob)]
    deletion = {"current_password": PASSWORD, "comments": "keep"}
    assert (await alice.post("/api/account/deletion", json=deletion)).status_code == 204
    await block(site_parley, bob)
    for path in paths:
        read_problem(await guest.get(path), 404)


async def block(parley: Parley, client: httpx.AsyncClient) -> None:
    user = await me(client)
    assert user
    async with parley.writing(Topic.account(user["id"])) as write:
        row = await write.get(User, UUID(user["id"]))
        assert row
        row.blocked_at = datetime.now(UTC)
        write.update(row)


async def test_nobody_can_guess_or_change_an_address(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    hers, his = [(await path_of(one)).partition("key=")[2] for one in (alice, bob)]
    id_, number, signature = hers.split(".")
    forged = [
        f"{his.split('.')[0]}.{number}.{signature}", f"{id_}.1.{signature}", f"{id_}.{number}.", f"{id_}.{number}",
        f"{id_}.{number}.{signature[:-2]}AA", f"{id_}.{number}.{'é' * 43}", "", "..", "x" * 5_000, f"{uuid4()}.0.x",
    ]  # fmt: skip
    for key in forged:
        read_problem(await guest.get("/feeds/replies", params={"key": key}), 404)
    read_problem(await guest.get("/feeds/replies"), 404)


async def test_only_the_owner_sees_an_address(guest: httpx.AsyncClient, alice: httpx.AsyncClient) -> None:
    read_problem(await guest.get(ADDRESS), 401)
    read_problem(await guest.post(ADDRESS), 401)
    read_problem(await alice.post(ADDRESS, headers={"Sec-Fetch-Site": "cross-site"}), 403)
    address = urlsplit(read_json(await alice.get(ADDRESS), 200)["url"])
    assert address.path == "/feeds/replies"


async def test_an_address_stays_valid_when_the_operator_adds_a_key(
    alice: httpx.AsyncClient, settings: Settings, site: Site
) -> None:
    path = await path_of(alice)
    two = settings.model_copy(update={"secret_key": f"a new key of thirty-two characters,{settings.secret_key}"})
    async with serving(create_app(two)) as later, later.client() as client:
        await read(client, path)
        await sign_in(client, "Alice")
        assert await path_of(client) != path
        await read(client, await path_of(client))
    new = settings.model_copy(update={"secret_key": "another key of thirty-two characters"})
    async with serving(create_app(new)) as later, later.client() as client:
        read_problem(await client.get(path), 404)
