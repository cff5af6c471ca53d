from __future__ import annotations

import pytest

from app.models.user import clean_email, clean_username, username_key


@pytest.mark.parametrize(
    "name", ["alice", "Álice", "李小龍", "हिन्दी", "ไทยคน", "o'neill", "anne-marie", "a.b", "x" * 30]
)
def test_names_that_people_have(name: str) -> None:
    assert clean_username(name) == name


@pytest.mark.parametrize(
    "name", ["", "al", "x" * 31, " . ", "<b>alice</b>", "alice\nbob", "alice\0", "a\u202eb c", "-alice", "alice "[:2]]
)
def test_names_that_nobody_has(name: str) -> None:
    with pytest.raises(ValueError, match=r"characters|letters"):
        clean_username(name)


@pytest.mark.parametrize(("one", "other"), [("Alice", "alice"), ("STRASSE", "straße"), ("ﬁona", "fiona")])
def test_names_that_look_the_same_are_the_same(one: str, other: str) -> None:
    assert username_key(clean_username(one)) == username_key(clean_username(other))


def test_addresses_have_one_form() -> None:
    assert clean_email("Alice@Example.COM") == "alice@example.com"


@pytest.mark.parametrize("address", ["", "alice", "alice@", "@example.com", "a b@example.com", "alice@example.com\0"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the words are the library's)
        clean_email(address)
