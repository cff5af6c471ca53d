from __future__ import annotations

import pytest

from app.live.topics import MAX_RAW_ID, BadTopic, Topic, canonical_id

PERSIAN = "می\u200cخواهم"  # "I want": correct spelling needs the ZWNJ between its two parts


@pytest.mark.parametrize("name", ["Article/1", "Page/about/us", "User/0b7f", "Article/ä ö", "A/" + "x" * 200])
def test_a_topic_is_parsed_from_its_name(name: str) -> None:
    assert str(Topic.parse(name)) == name


@pytest.mark.parametrize(
    "name", ["", "Article", "Article/", "/1", "article/1", "Ar ticle/1", "Article/\n", "Article/\0", "A/" + "x" * 201]
)
def test_a_name_that_is_no_topic_is_refused(name: str) -> None:
    with pytest.raises(BadTopic):
        Topic.parse(name)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("2024/hello/", "2024/hello"),
        ("/2024//hello", "2024/hello"),
        ("///a///", "a"),
        (" 1 ", "1"),
        (" /a b/ ", "a b"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u1100\u1161", "\uac00"),
        ("A", "A"),
        ("a%2Fb", "a%2Fb"),
        (".hidden/a..b/...", ".hidden/a..b/..."),
        (PERSIAN, PERSIAN),
        ("CD\u200cها", "CD\u200cها"),
        ("क्\u200dष", "क्\u200dष"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("🏳\ufe0f\u200d🌈/❤\ufe0f/1\ufe0f\u20e3", "🏳\ufe0f\u200d🌈/❤\ufe0f/1\ufe0f\u20e3"),
        ("e\u0301" * 200, "\u00e9" * 200),
    ],
)
def test_all_spellings_of_a_commentables_id_have_one_canonical_form(written: str, canonical: str) -> None:
    assert canonical_id(written) == canonical
    assert canonical_id(canonical) == canonical
    assert Topic.canonical(f"Article/{written}") == Topic.commentable("Article", written) == Topic("Article", canonical)
    assert Topic.canonical(f"Commentable/Article/{written}") == Topic("Article", canonical).about


@pytest.mark.parametrize(
    "id_",
    [
        "", "/", " / ", ".", "..", "a/../b", "./a", "a/..", "x" * 201, "/" * (MAX_RAW_ID + 1),
        "\ufffd", "caf\ufffd", "a\0", "1\n", "\t1", "\u00a01", "\u202e1", "\u2066a\u2069", "a\u200bb", "\ufeffa",
        "a\u00adb", "\u2800", "\u3164", "a\u034fb", "a\u2060b", "\U000e0041",
        "\u200c", f"\u200c{PERSIAN}", f"{PERSIAN}\u200d", "می\u200c/خواهم", "می\u200c\u200cخواهم", "a\u200cb",
        "日\u200d本", "a\ufe0f", "\ufe0f", "❤\ufe0f\ufe0f",
    ],
)  # fmt: skip
def test_an_id_that_is_invisible_or_looks_like_another_is_refused(id_: str) -> None:
    with pytest.raises(BadTopic):
        canonical_id(id_)


@pytest.mark.parametrize("name", ["", "Article", "Commentable", "Commentable/Article", "Commentable/" * 5_000, "a/1"])
def test_a_name_that_is_no_topic_has_no_canonical_form(name: str) -> None:
    with pytest.raises(BadTopic):
        Topic.canonical(name)


def test_a_stored_name_is_parsed_without_change() -> None:
    for name in ("Article/2024/hello/", "Article/cafe\u0301", f"Article/{PERSIAN}"):
        assert str(Topic.parse(name)) == name


def test_keys_of_topics_are_short_and_differ() -> None:
    keys = {Topic("Article", str(number)).key for number in range(1_000)}
    assert len(keys) == 1_000
    assert {len(key) for key in keys} == {11}


def test_the_topic_of_an_account_is_its_users() -> None:
    assert Topic.account("7").is_account
    assert str(Topic.account("7")) == "User/7"
    assert not Topic("Article", "7").is_account
