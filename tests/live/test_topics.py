from __future__ import annotations

import pytest

from app.live.topics import BadTopic, Topic


@pytest.mark.parametrize("name", ["Article/1", "Page/about/us", "User/0b7f", "Article/ä ö", "A/" + "x" * 200])
def test_a_name_survives_parsing(name: str) -> None:
    assert str(Topic.parse(name)) == name


@pytest.mark.parametrize(
    "name", ["", "Article", "Article/", "/1", "article/1", "Ar ticle/1", "Article/\n", "Article/\0", "A/" + "x" * 201]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BadTopic):
        Topic.parse(name)


def test_keys_are_short_and_differ() -> None:
    keys = {Topic("Article", str(number)).key for number in range(1_000)}
    assert len(keys) == 1_000
    assert {len(key) for key in keys} == {11}


def test_an_accounts_topic_is_its_users() -> None:
    assert Topic.account("7").is_account
    assert str(Topic.account("7")) == "User/7"
    assert not Topic("Article", "7").is_account
