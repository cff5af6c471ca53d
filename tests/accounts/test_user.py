from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from app.accounts.user import DELETED, RESERVED, User, clean_email, clean_username, render, username_key
from app.text.lookalikes import skeleton


@pytest.mark.parametrize(
    "name", ["alice", "Álice", "李小龍", "हिन्दी", "ไทยคน", "o'neill", "anne-marie", "a.b", "x" * 30]
)
def test_a_usual_name_is_accepted(name: str) -> None:
    assert clean_username(name) == name


@pytest.mark.parametrize(
    "name", ["", "al", "x" * 31, " . ", "<b>alice</b>", "alice\nbob", "alice\0", "a\u202eb c", "-alice", "alice "[:2]]
)
def test_an_unusable_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"characters|letters"):
        clean_username(name)


@pytest.mark.parametrize(("one", "other"), [("Alice", "alice"), ("STRASSE", "straße"), ("ﬁona", "fiona")])
def test_names_that_look_equal_are_the_same(one: str, other: str) -> None:
    assert username_key(clean_username(one)) == username_key(clean_username(other))


def test_an_address_is_normalized() -> None:
    assert clean_email("Alice@Example.COM") == "alice@example.com"


@pytest.mark.parametrize("address", ["", "alice", "alice@", "@example.com", "a b@example.com", "alice@example.com\0"])
def test_a_text_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the words are the library's)
        clean_email(address)


@pytest.mark.parametrize(
    "address",
    ["=?utf-8?q?boss?=@corp.example", "=?utf-8?q?a=0d=0ax?=@corp.example", "a=?x@corp.example", "=?@corp.example",
     '"boss"@corp.example', "boss(x)@corp.example", "<boss@corp.example>", "boss@corp.example,x@corp.example",
     "@relay.example:boss@corp.example", "boss@[127.0.0.1]", "boss\u200b@corp.example", "bo\u202ess@corp.example"],
)  # fmt: skip
def test_an_address_that_mail_software_would_read_differently_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        clean_email(address)


@pytest.mark.parametrize(
    ("typed", "form"),
    [
        ("JÜRGEN@xn--bcher-kva.example", "jürgen@bücher.example"),
        ("ju\u0308rgen@BÜCHER.example", "jürgen@bücher.example"),
        ("O'Brien+talk@Example.com", "o'brien+talk@example.com"),
        ("a=b?c@example.com", "a=b?c@example.com"),
    ],
)
def test_all_spellings_of_an_address_have_one_form(typed: str, form: str) -> None:
    assert clean_email(typed) == form
    assert clean_email(form) == form


@pytest.mark.parametrize(
    ("typed", "name"),
    [("O\u2019Brien", "O\u2019Brien"), ("\u5c0f\u660e", "\u5c0f\u660e"), ("Bob \u00a0 Smith", "Bob Smith"),
     ("\u0645\u06cc\u200c\u0631\u0648\u062f", "\u0645\u06cc\u200c\u0631\u0648\u062f"),
     ("Nguy\u1ec5n Th\u1ecb", "Nguy\u1ec5n Th\u1ecb"), ("\u7530\u4e2dTaro", "\u7530\u4e2dTaro")],
)  # fmt: skip
def test_names_of_all_countries_are_accepted(typed: str, name: str) -> None:
    assert clean_username(typed) == name
    assert clean_username(name) == name


@pytest.mark.parametrize(
    "name",
    ["\u0410lice", "\u0430dmin", "B\u03bfb", "\u0301\u0302\u0303", "a\u0301\u0302\u0303\u0304bc", "a\u20ddbc", "___",
     "ab\u200dc", "\u5c0f", "Bob \u0301x", "\u2800\u2800\u2800"],
)  # fmt: skip
def test_a_name_that_is_made_to_deceive_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Use "):
        clean_username(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Coco", "\u0441\u043e\u0441\u043e"), ("BOB", "\u0412\u041e\u0412"), ("Alice", "AIice"), ("Bob", "B0b"),
     ("Bob Smith", "Bob  Smith"), ("O'Brien", "O\u2019Brien"), ("Jos\u00e9", "Jose\u0301"), ("Bernard", "Bemard"),
     ("vvill", "will")],
)  # fmt: skip
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("Ian", "Lan"), ("Jose", "Jos\u00e9"), ("Anna", "Hannah")])
def test_names_that_look_different_have_different_skeletons(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


def test_a_typographic_apostrophe_mentions_the_same_person() -> None:
    assert username_key("O\u2019Brien") == username_key("o'brien")


# -- reserved names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RESERVED - {"deletedaccount"}))
def test_the_names_of_the_service_are_reserved(name: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        clean_username(name)


@pytest.mark.parametrize(
    "name",
    ["Admin", "ADMIN", "ａｄｍｉｎ", "a.d.m.i.n", "ad-min", "ad min", "_admin_", "a'dmin", "ROOT", "r.o.o.t",
     "Deleted Account", "deleted-account", "ｄｅｌｅｔｅｄ ａｃｃｏｕｎｔ", "ⓡⓞⓞⓣ", "no-reply", "Par.ley"],
)  # fmt: skip
def test_names_that_look_like_the_service_are_reserved(name: str) -> None:
    with pytest.raises(ValueError, match=r"reserved|letters"):
        clean_username(name)


@pytest.mark.parametrize(
    "name",
    ["Parley Team", "ParleyTeam", "Support Bob", "my support", "the_admin", "Adm\u00edn", "adm1n", "ADMlN", "siteadmin",
     "The Moderators", "Official Parley", "Admin1", "support 24", "rnoderator"],
)  # fmt: skip
def test_names_of_official_roles_are_reserved(name: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        clean_username(name)


@pytest.mark.parametrize("name", ["Adminson", "parleyvous", "rooted", "Ann Root", "administra"])
def test_names_that_only_contain_a_reserved_word_are_accepted(name: str) -> None:
    assert clean_username(name) == name


def test_the_name_shown_for_deleted_accounts_is_reserved() -> None:
    with pytest.raises(ValueError, match="reserved"):
        clean_username(DELETED)


# -- accounts -----------------------------------------------------------------------------------------------


def alice() -> User:
    id_ = uuid4()
    return User(
        id=id_, topic=f"User/{id_}", email="alice@example.com", username="Alice", username_key="alice",
        password_hash="a hash", role="member", created_at=datetime.now(UTC), confirmed_at=datetime.now(UTC),
        unconfirmed_email="alice@new.example", sign_in_count=0, signed_in_address="",
    )  # fmt: skip


def test_the_tombstone_of_an_account_has_no_personal_data() -> None:
    user = alice()
    for address in ("203.0.113.7", "203.0.113.8"):
        user.track_sign_in(address)
    user.erase()
    left = {column.name: getattr(user, column.name) for column in User.__table__.columns}
    assert not re.search(r"alice|203\.0|a hash", str(left), re.IGNORECASE)
    assert (left["username"], left["password_hash"], left["sign_in_count"]) == (DELETED, "", 0)
    assert left["signed_in_at"] is left["last_signed_in_at"] is left["confirmed_at"] is None


def test_deleted_accounts_do_not_reserve_a_name_or_address() -> None:
    one, other = alice(), alice()
    one.erase()
    other.erase()
    assert one.email != other.email
    assert one.username_key != other.username_key
    assert max(len(one.email), len(one.username_key)) <= 120


def test_an_account_knows_its_previous_sign_in() -> None:
    user = alice()
    assert (user.sign_in_count, user.last_signed_in_at) == (0, None)
    user.track_sign_in("203.0.113.7")
    first = user.signed_in_at
    user.track_sign_in("2001:db8::1")
    assert (user.sign_in_count, user.signed_in_address) == (2, "2001:db8::1")
    assert (user.last_signed_in_at, user.last_signed_in_address) == (first, "203.0.113.7")


def test_an_account_shows_its_owner_the_unconfirmed_address() -> None:
    assert {key: render(alice())[key] for key in ("email", "unconfirmed_email", "confirmed", "role")} == {
        "email": "alice@example.com", "unconfirmed_email": "alice@new.example", "confirmed": True, "role": "member",
    }  # fmt: skip
    assert "password_hash" not in render(alice())


@pytest.mark.parametrize("name", ["Alice\ufe0f", "Al\u034fice", "admin\u115f", "\u3164Alice", "Ali\u17b4ce"])
def test_invisible_characters_make_no_other_name(name: str) -> None:
    with pytest.raises(ValueError, match="Use letters, numbers"):
        clean_username(name)
