"""Invalid input is refused with the name of the field, never stored, and never causes a 500."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.support.cases import check_each
from tests.support.database import count_rows
from tests.support.people import ARTICLE, PASSWORD, read_json, snapshot, write
from tests.support.problems import read_problem

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.support.serving import Site

JSON = {"Content-Type": "application/json"}
MAX_BYTES = 65_536  # of a request
MAX_COMMENT_BYTES = 12 * 10_000 + 10_240  # of a request with a comment


@pytest.fixture
def site(shared_site: Site) -> Site:
    return shared_site


@pytest.fixture
def alice(shared_alice: httpx.AsyncClient) -> httpx.AsyncClient:
    return shared_alice


@pytest.fixture
async def comment(alice: httpx.AsyncClient) -> dict[str, Any]:
    """A comment for this test only, and the only one under its commentable."""
    return await write(alice, "As it was", commentable_id=uuid4().hex)


@pytest.fixture
async def nothing_stored(site_parley: Parley) -> AsyncIterator[None]:
    """Fail a test that stores a row in any table except the counts of wrong passwords."""
    before = await count_rows(site_parley)
    yield
    assert {**await count_rows(site_parley), "failures": 0} == {**before, "failures": 0}


def path(comment: dict[str, Any]) -> str:
    return f"/api/comments/{comment['id']}"


# -- JSON ---------------------------------------------------------------------------------------------------

BROKEN = {
    "nothing": b"",
    "half": b'{"body": "x"',
    "single quotes": b"{'body': 'x'}",
    "not UTF-8": b'{"body": "\xff\xfe"}',
    "UTF-16": '{"body": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"body": "x"}',
    "a surrogate in UTF-8": b'{"body": "\xed\xa0\x80"}',
    "a line break in a string": b'{"body": "a\nb"}',
    "two documents": b'{"body": "x"} {"body": "y"}',
    "deep lists": b"[" * 60_000,
    "deep objects": b'{"a":' * 12_000,
    "deep and closed": b"[" * 30_000 + b"]" * 30_000,
    "a number of 60,000 digits": b'{"body": ' + b"9" * 60_000 + b"}",
}


@pytest.mark.usefixtures("nothing_stored")
async def test_a_body_that_is_not_json_is_refused(alice: httpx.AsyncClient) -> None:
    async def check(body: bytes) -> None:
        for method, url in (
            ("POST", "/api/comments/"),
            ("PUT", f"/api/comments/{uuid4()}"),
            ("PATCH", f"/api/comments/{uuid4()}"),
            ("POST", "/api/users"),
            ("POST", "/api/session"),
        ):
            read_problem(await alice.request(method, url, content=body, headers=JSON), 400)

    await check_each(BROKEN, check)


@pytest.mark.parametrize("value", [None, [], "body", 17, True, [{"body": "x"}], 1.5])
async def test_json_that_is_no_object_is_refused(alice: httpx.AsyncClient, value: Any) -> None:
    for url in ("/api/comments/", "/api/users", "/api/session"):
        read_problem(await alice.post(url, content=json.dumps(value), headers=JSON), 422, "body of the request")


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""])
async def test_only_json_is_accepted(alice: httpx.AsyncClient, comment: dict[str, Any], media: str) -> None:
    new, headers = json.dumps({**ARTICLE, "body": "x"}), {"Content-Type": media}
    read_problem(await alice.post("/api/comments/", content=new, headers=headers), 415)
    read_problem(await alice.put(path(comment), content=new, headers=headers), 415)
    read_problem(await alice.patch(path(comment), content=new, headers=headers), 415)
    read_problem(await alice.post("/api/users", content=new, headers=headers), 415)
    read_problem(await alice.post("/api/session", content=new, headers=headers), 415)
    assert (await alice.get(path(comment))).json() == comment


@pytest.mark.usefixtures("nothing_stored")
async def test_a_body_without_a_content_type_is_refused(alice: httpx.AsyncClient) -> None:
    response = await alice.post("/api/comments/", content=json.dumps({**ARTICLE, "body": "x"}))
    assert "content-type" not in response.request.headers
    read_problem(response, 415)
    assert response.headers["accept"] == "application/json"


async def test_json_may_say_its_charset(alice: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    content = json.dumps({**ARTICLE, "body": "é"}, ensure_ascii=False).encode()
    assert read_json(await alice.post("/api/comments/", content=content, headers=headers), 201)["body"] == "é"


# -- size ---------------------------------------------------------------------------------------------------


def padded(size: int) -> bytes:
    """A valid comment of exactly this number of bytes."""
    start = json.dumps({**ARTICLE, "body": "x"}).encode()
    return start + b" " * (size - len(start))


async def parts_of(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 8_192):
        yield body[at : at + 8_192]


async def test_a_request_of_the_largest_size_is_accepted(alice: httpx.AsyncClient) -> None:
    read_json(await alice.post("/api/comments/", content=padded(MAX_COMMENT_BYTES), headers=JSON), 201)
    read_json(await alice.post("/api/comments/", content=parts_of(padded(MAX_COMMENT_BYTES)), headers=JSON), 201)


async def test_the_longest_comment_is_accepted_with_escaped_characters(alice: httpx.AsyncClient) -> None:
    escaped = json.dumps({"comment": {**ARTICLE, "body": "\U0001f99c" * 10_000}}).encode()
    assert len(escaped) > 120_000
    comment = read_json(await alice.post("/api/comments/", content=escaped, headers=JSON), 201)
    assert comment["body"] == "\U0001f99c" * 10_000
    for method in ("PUT", "PATCH"):
        read_json(await alice.request(method, path(comment), content=escaped, headers=JSON), 200)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("size", [MAX_BYTES + 1, MAX_COMMENT_BYTES + 1, 4_000_000])
async def test_a_request_over_the_limit_is_refused(alice: httpx.AsyncClient, size: int) -> None:
    for url in ("/api/comments/", "/api/users", "/api/session"):
        if url == "/api/comments/" and size <= MAX_COMMENT_BYTES:
            continue
        told = await alice.post(url, content=padded(size), headers=JSON)
        assert "content-length" in told.request.headers
        read_problem(told, 413)
        untold = await alice.post(url, content=parts_of(padded(size)), headers=JSON)
        assert untold.request.headers["transfer-encoding"] == "chunked"
        read_problem(untold, 413)


# -- comments -----------------------------------------------------------------------------------------------

TOO_MUCH: dict[str, tuple[dict[str, Any], str]] = {
    "no body": ({"body": ...}, "body"),
    "an empty body": ({"body": ""}, "body"),
    **{
        f"a body that shows nothing, {body!a}": ({"body": body}, "body")
        for body in (
            "\u200b",
            "\u2800",
            "\u3164 \u115f\uffa0",
            "\u00ad\ufe0f",
            "\U000e0041",
            "\u0301",
            "[](http://e.com)",
            ">",
            "> >",
            "**",
            "```\n```",
            "> [\u200b](http://e.com)",
            "` `",
        )
    },
    "a blank body": ({"body": " \r\n\t\u00a0\u2003 "}, "body"),
    "10,001 characters": ({"body": "x" * 10_001}, "body"),
    "a NUL": ({"body": "a\0b"}, "body"),
    "a lone surrogate": ({"body": "\ud800"}, "body"),
    "the other half": ({"body": "x\udfff"}, "body"),
    "null": ({"body": None}, "body"),
    "a number": ({"body": 17}, "body"),
    "a list": ({"body": ["x"]}, "body"),
    "an object": ({"body": {"x": "y"}}, "body"),
    "true": ({"body": True}, "body"),
    "a float too large": ({"body": float("inf")}, "body"),
    "no type": ({"commentable_type": ...}, "commentable_type"),
    "an unknown type": ({"commentable_type": "Planet"}, "commentable_type"),
    "an account": ({"commentable_type": "User"}, "commentable_type"),
    "a type in small letters": ({"commentable_type": "article"}, "commentable_type"),
    "a type with a slash": ({"commentable_type": "Article/1"}, "commentable_type"),
    "a surrogate for a type": ({"commentable_type": "\ud800"}, "commentable_type"),
    "a list for a type": ({"commentable_type": ["Article"]}, "commentable_type"),
    "no id of the commentable": ({"commentable_id": ...}, "commentable_id"),
    "an empty one": ({"commentable_id": ""}, "commentable_id"),
    "one of 201 characters": ({"commentable_id": "x" * 201}, "commentable_id"),
    "a huge one": ({"commentable_id": "x" * 50_000}, "commentable_id"),
    "one with a NUL": ({"commentable_id": "a\0b"}, "commentable_id"),
    "one with a line break": ({"commentable_id": "1\n"}, "commentable_id"),
    "one with DEL": ({"commentable_id": "\x7f"}, "commentable_id"),
    "one with a surrogate": ({"commentable_id": "\udc80"}, "commentable_id"),
    "one that turns the text": ({"commentable_id": "\u202e1"}, "commentable_id"),
    "one that is a number": ({"commentable_id": 1}, "commentable_id"),
    "one that is a huge number": ({"commentable_id": 10**400}, "commentable_id"),
    "an id that is a number": ({"id": 17}, "id"),
    "an id that is a huge number": ({"id": 2**128}, "id"),
    "an id that is no UUID": ({"id": "17"}, "id"),
    "an empty id": ({"id": ""}, "id"),
    "a huge id": ({"id": "0" * 50_000}, "id"),
    "an id with a NUL": ({"id": "\0"}, "id"),
    "an id with a surrogate": ({"id": "\ud800"}, "id"),
    "an id in braces": ({"id": f"{{{uuid4()}}}"}, "id"),
    "an id without hyphens": ({"id": uuid4().hex}, "id"),
    "an id in other digits": ({"id": "٠" * 8 + "-0000-4000-8000-000000000000"}, "id"),
    "a parent that is no UUID": ({"parent_id": "17"}, "parent_id"),
    "a parent that is a number": ({"parent_id": 17}, "parent_id"),
    "a parent that is nobody": ({"parent_id": str(uuid4())}, "parent_id"),
}


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "wrapped"])
async def test_an_invalid_comment_is_refused(alice: httpx.AsyncClient, wrapped: bool) -> None:
    async def check(case: tuple[dict[str, Any], str]) -> None:
        change, field = case
        new = {name: value for name, value in {**ARTICLE, "body": "x", **change}.items() if value is not ...}
        content = json.dumps({"comment": new} if wrapped else new)
        read_problem(await alice.post("/api/comments/", content=content, headers=JSON), 422, field)

    await check_each(TOO_MUCH, check)


async def test_every_invalid_field_is_named(alice: httpx.AsyncClient) -> None:
    problem = (await alice.post("/api/comments/", json={"body": 1, "id": "x"})).json()
    fields = [entry["field"] for entry in problem["errors"]]
    assert sorted(fields) == ["body", "commentable_id", "commentable_type", "id"]


async def test_a_refusal_does_not_repeat_the_input(alice: httpx.AsyncClient) -> None:
    secret = "correct horse battery staple"
    for response in (
        await alice.post("/api/comments/", json={**ARTICLE, "body": [secret], "id": secret}),
        await alice.post("/api/users", json={"email": secret, "username": [secret], "password": {secret: secret}}),
        await alice.get("/api/comments/", params={**ARTICLE, "limit": secret, "before": secret}),
    ):
        read_problem(response, 422, *(entry["field"] for entry in response.json()["errors"]))
        assert secret not in response.text


EDITS = {name: case for name, case in TOO_MUCH.items() if case[1] == "body" and name != "no body"}


async def test_an_invalid_edit_is_refused(alice: httpx.AsyncClient, comment: dict[str, Any]) -> None:
    async def check(case: tuple[dict[str, Any], str]) -> None:
        content = json.dumps({**comment, **case[0]})
        read_problem(await alice.put(path(comment), content=content, headers=JSON), 422, "body")
        read_problem(await alice.patch(path(comment), content=content, headers=JSON), 422, "body")
        assert (await alice.get(path(comment))).json() == comment

    await check_each(EDITS, check)


async def test_unknown_members_are_ignored(alice: httpx.AsyncClient, comment: dict[str, Any]) -> None:
    odd = '{"\\ud800": 1, "\\u0000": {}, "seq": 1e999, "id": [[]], "x": -Infinity, "likes_count": NaN, "body": "Fine"}'
    response = await alice.put(path(comment), content=odd, headers=JSON)
    assert read_json(response, 200)["body"] == "Fine"


IDS = {
    "a number": "1",
    "a huge one": "x" * 5_000,
    "a NUL": "%00",
    "a surrogate": "%ED%A0%80",
    "not UTF-8": "%FF",
    "without hyphens": "0" * 32,
    "in braces": f"%7B{uuid4()}%7D",
    "a URN": f"urn:uuid:{uuid4()}",
    "a parrot": "%F0%9F%A6%9C",
    "a path": "..%2F..%2Fetc",
}


async def test_an_id_that_is_no_uuid_is_not_found(alice: httpx.AsyncClient) -> None:
    async def check(id_: str) -> None:
        url = f"/api/comments/{id_}"
        read_problem(await alice.get(url), 404)
        if "%2F" in id_:  # more than one segment, so no path of a comment
            return
        read_problem(await alice.put(url, json={"body": "Hm"}), 404)
        read_problem(await alice.patch(url, json={"body": "Hm"}), 404)
        read_problem(await alice.delete(url), 404)

    await check_each(IDS, check)


async def test_an_id_in_capitals_is_the_same_id(alice: httpx.AsyncClient, comment: dict[str, Any]) -> None:
    assert read_json(await alice.get(path(comment).upper().replace("/API/COMMENTS", "/api/comments")), 200) == comment


# -- pages --------------------------------------------------------------------------------------------------

QUERIES: dict[str, tuple[Mapping[str, str | None], str]] = {
    "no type": ({"commentable_type": None}, "commentable_type"),
    "no id": ({"commentable_id": None}, "commentable_id"),
    "an unknown type": ({"commentable_type": "Planet"}, "commentable_type"),
    "an empty type": ({"commentable_type": ""}, "commentable_type"),
    "an account": ({"commentable_type": "User"}, "commentable_type"),
    "an empty id": ({"commentable_id": ""}, "commentable_id"),
    "an id of 201 characters": ({"commentable_id": "x" * 201}, "commentable_id"),
    "an id with a NUL": ({"commentable_id": "a\0"}, "commentable_id"),
    "no comments at all": ({"limit": "0"}, "limit"),
    "fewer than none": ({"limit": "-1"}, "limit"),
    "a word": ({"limit": "many"}, "limit"),
    "a float": ({"limit": "1e3"}, "limit"),
    "other digits": ({"limit": "٣"}, "limit"),
    "an empty limit": ({"limit": ""}, "limit"),
    "a thousand comments": ({"limit": "1000"}, "limit"),
    "a huge limit": ({"limit": "9" * 5_000}, "limit"),
    "before the first": ({"before": "0"}, "before"),
    "before less": ({"before": "-5"}, "before"),
    "before a half": ({"before": "1.5"}, "before"),
    "before null": ({"before": "null"}, "before"),
    "before more than there can be": ({"before": str(2**63)}, "before"),
}


async def test_an_invalid_request_for_a_page_is_refused(guest: httpx.AsyncClient) -> None:
    async def check(case: tuple[Mapping[str, str | None], str]) -> None:
        change, field = case
        query = {name: value for name, value in {**ARTICLE, **change}.items() if value is not None}
        read_problem(await guest.get("/api/comments/", params=query), 422, field)

    await check_each(QUERIES, check)


async def test_a_request_for_a_page_without_a_commentable_names_both_fields(guest: httpx.AsyncClient) -> None:
    read_problem(await guest.get("/api/comments/"), 422, "commentable_type", "commentable_id")


async def test_the_greatest_possible_seq_is_accepted(guest: httpx.AsyncClient) -> None:
    assert (await snapshot(guest, commentable_id=uuid4().hex, before=2**63 - 1))["comments"] == []


# -- If-Match -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["*", '"7", "1"', '"x","1"', 'W/"1"', '"",W/"1" , "3"'])
async def test_if_match_may_have_many_tags_or_an_asterisk(
    alice: httpx.AsyncClient, comment: dict[str, Any], header: str
) -> None:
    response = await alice.put(path(comment), json={"body": "Second"}, headers={"If-Match": header})
    assert read_json(response, 200)["seq"] == 2


async def test_if_match_may_come_in_several_headers(alice: httpx.AsyncClient, comment: dict[str, Any]) -> None:
    headers = [("If-Match", '"7"'), ("If-Match", '"1"')]
    assert read_json(await alice.put(path(comment), json={"body": "Second"}, headers=headers), 200)["seq"] == 2


async def test_if_match_that_names_another_version_is_stale(alice: httpx.AsyncClient, comment: dict[str, Any]) -> None:
    async def check(tag: str) -> None:
        response = await alice.put(path(comment), json={"body": "Second"}, headers={"If-Match": tag.encode()})
        assert read_problem(response, 412)["comment"] == comment
        assert (await alice.get(path(comment))).json() == comment

    tags = ['"0"', '"2"', '"x"', '"-1"', '"1.0"', '""', f'"{"9" * 5_000}"', '"0", "3"', '"١"']
    await check_each({tag[:40]: tag for tag in tags}, check)


async def test_an_if_match_without_a_valid_tag_is_refused(alice: httpx.AsyncClient, comment: dict[str, Any]) -> None:
    async def check(header: str) -> None:
        headers = {"If-Match": header.encode("latin-1")}
        read_problem(await alice.put(path(comment), json={"body": "Second"}, headers=headers), 400, "If-Match")
        read_problem(await alice.delete(path(comment), headers=headers), 400, "If-Match")
        assert (await alice.get(path(comment))).json() == comment

    wrong = ["1", "", "'1'", '"1', '1"', '"1" "2"', '"1",', "W/1", "* *", '*, "1"', "\x80"]
    await check_each({repr(header): header for header in wrong}, check)


# -- accounts -----------------------------------------------------------------------------------------------

FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "no address": ({"email": ...}, "email"),
    "an empty address": ({"email": ""}, "email"),
    "an address without an at": ({"email": "carol.example.com"}, "email"),
    "an address with two": ({"email": "carol@example@com"}, "email"),
    "an address with a NUL": ({"email": "ca\0rol@example.com"}, "email"),
    "an address with a surrogate": ({"email": "\ud800@example.com"}, "email"),
    "an address with a header": ({"email": "carol@example.com\r\nBcc: all@example.com"}, "email"),
    "a huge address": ({"email": f"{'c' * 60_000}@example.com"}, "email"),
    "an address of 255": ({"email": f"carol@{'x' * 60}.{'x' * 60}.{'x' * 60}.{'x' * 62}.com"}, "email"),
    "an address in braces": ({"email": "{reason} {0} {carol"}, "email"),
    "an address that is a number": ({"email": 17}, "email"),
    "no name": ({"username": ...}, "username"),
    "a name of two": ({"username": "Ca"}, "username"),
    "a name of 31": ({"username": "C" * 31}, "username"),
    "a name that grows when normal": ({"username": "ﷺ" * 3}, "username"),
    "a huge name": ({"username": "C" * 60_000}, "username"),
    "a blank name": ({"username": "     "}, "username"),
    "a name with a NUL": ({"username": "Ca\0rol"}, "username"),
    "a name with a surrogate": ({"username": "Carol\ud800"}, "username"),
    "a name with markup": ({"username": "<b>Carol</b>"}, "username"),
    "a name with a line break": ({"username": "Carol\nAnn"}, "username"),
    "a name that turns the text": ({"username": "Ca\u202erol"}, "username"),
    "a name in braces": ({"username": "{reason} {0} {"}, "username"),
    "a name that is a list": ({"username": ["Carol"]}, "username"),
    "no password": ({"password": ...}, "password"),
    "a password of seven": ({"password": "1234567"}, "password"),
    "a password of 129": ({"password": "x" * 129}, "password"),
    "a huge password": ({"password": "x" * 60_000}, "password"),
    "a password with a surrogate": ({"password": "x" * 8 + "\ud800"}, "password"),
    "a password that is a number": ({"password": 12345678}, "password"),
    "a password that is null": ({"password": None}, "password"),
}


@pytest.mark.usefixtures("nothing_stored")
async def test_an_invalid_sign_up_is_refused(guest: httpx.AsyncClient) -> None:
    good = {"email": "carol@example.com", "username": "Carol", "password": PASSWORD}

    async def check(case: tuple[dict[str, Any], str]) -> None:
        change, field = case
        form = {name: value for name, value in {**good, **change}.items() if value is not ...}
        response = await guest.post("/api/users", content=json.dumps(form), headers=JSON)
        read_problem(response, 422, field)
        assert "set-cookie" not in response.headers

    await check_each(FORMS, check)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("change", "status", "fields"),
    [
        ({"email": ...}, 422, ["email"]),
        ({"email": 1}, 422, ["email"]),
        ({"email": None}, 422, ["email"]),
        ({"email": "\ud800"}, 401, []),
        ({"email": "nonsense\0"}, 401, []),
        ({"email": ""}, 401, []),
        ({"email": "x" * 60_000}, 401, []),
        ({"password": ...}, 422, ["password"]),
        ({"password": ["x"]}, 422, ["password"]),
        ({"password": "\udfff"}, 422, ["password"]),
        ({"password": ""}, 401, []),
        ({"password": "\0"}, 401, []),
        ({"password": "x" * 60_000}, 422, ["password"]),
        ({"remember_me": "yes"}, 422, ["remember_me"]),
        ({"remember_me": 1}, 422, ["remember_me"]),
        ({"remember_me": None}, 422, ["remember_me"]),
    ],
)
async def test_an_invalid_sign_in_is_refused(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, change: dict[str, Any], status: int, fields: list[str]
) -> None:
    good = {"email": "alice@example.com", "password": PASSWORD}
    form = {name: value for name, value in {**good, **change}.items() if value is not ...}
    response = await guest.post("/api/session", content=json.dumps(form), headers=JSON)
    read_problem(response, status, *fields)
    assert "set-cookie" not in response.headers
