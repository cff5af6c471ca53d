from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any, Literal
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from app import maintenance
from app.accounts import accounts, logins
from app.accounts.login_throttle import MAX_FAILURES
from app.accounts.logins import Browser, Login, viewer_of
from app.accounts.mailed_links import Purpose, write_link
from app.accounts.user import DELETED, User
from app.comments import comments, threads
from app.comments.comments import Comment
from app.errors import Forbidden, Invalid, Missing, SignInFirst, TooMany
from app.live.gids import Gid
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import GUEST, LoginEnded, Viewer
from app.live.write.transaction import Write
from app.mail.mail_queue import Kind
from app.mail.mailer import send_next
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.support.mail_queue import (
    compose_mail_to,
    dump_database,
    find_token_to,
    find_user_named,
    list_kinds_to,
    list_queued,
)
from tests.support.people import PASSWORD
from tests.support.people_without_http import ARTICLE, create_viewer, edit_comment, post_comment

ALICE, NEW = "alice@example.com", "alice@new.example"
ANOTHER_PASSWORD = "talk among others"


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


@pytest.fixture
async def bob(parley: Parley) -> Viewer:
    return await create_viewer(parley, "bob")


@pytest.fixture
async def asking(settings: Settings) -> Any:
    """Parley that asks whose an address is."""
    async with Parley(settings.model_copy(update={"require_confirmation": True}), LIVE_MODELS) as parley:
        yield parley


async def can_sign_in(parley: Parley, email: str = ALICE, password: str = PASSWORD) -> bool:
    return await logins.sign_in(parley, email, password, remember=False) is not None


async def another_login(parley: Parley) -> Viewer:
    found = await logins.sign_in(parley, ALICE, PASSWORD, remember=True)
    assert found
    async with parley.reading() as reading:
        return (await viewer_of(reading, found[1].id))[0]


async def how_ended(parley: Parley, viewer: Viewer) -> str | None:
    assert viewer.login_id
    with pytest.raises(LoginEnded) as ended:
        async with parley.reading() as reading:
            await viewer_of(reading, viewer.login_id)
    return ended.value.reason


async def count_of(parley: Parley, model: type[User] | type[Login]) -> int:
    async with parley.reading() as reading:
        return await reading.scalar(select(func.count()).select_from(model)) or 0


def outcomes(results: list[Any]) -> Counter[str]:
    """How many did it, and what the others were told."""
    unexpected = [result for result in results if isinstance(result, BaseException) and not isinstance(result, Invalid)]
    assert not unexpected, unexpected
    return Counter(result.field if isinstance(result, Invalid) else "done" for result in results)


# -- signing up ---------------------------------------------------------------------------------------------


async def test_who_signs_up_is_signed_in(parley: Parley) -> None:
    made = await accounts.sign_up(parley, ALICE, "alice", PASSWORD, Browser("203.0.113.7", "Firefox on Linux"))
    assert made
    user, login = made
    assert (user.sign_in_count, user.signed_in_address, user.confirmed_at) == (1, "203.0.113.7", None)
    assert (login.address, login.device, login.remember) == ("203.0.113.7", "Firefox on Linux", False)
    assert await list_queued(parley) == []


async def test_where_addresses_are_confirmed_a_taken_one_looks_like_any(asking: Parley) -> None:
    await accounts.create_account(asking, ALICE, "alice", PASSWORD)
    assert isinstance(await accounts.sign_up(asking, ALICE, "mallory", ANOTHER_PASSWORD), Gid)
    assert isinstance(await accounts.sign_up(asking, ALICE, "mallory", ANOTHER_PASSWORD), Gid)
    assert await count_of(asking, User) == 1
    assert await count_of(asking, Login) == 0
    assert await list_kinds_to(asking, ALICE) == [Kind.TAKEN] * 2
    assert await can_sign_in(asking)
    assert not await can_sign_in(asking, password=ANOTHER_PASSWORD)


async def test_who_gave_an_address_before_its_owner_does_not_get_it_confirmed(asking: Parley) -> None:
    """And whoever signs up twice, as no mail has come, is told the same again."""
    assert isinstance(await accounts.sign_up(asking, ALICE, "mallory", ANOTHER_PASSWORD), Gid)
    mallorys = await find_token_to(asking, ALICE, Kind.CONFIRM)
    for _ in range(2):
        assert isinstance(await accounts.sign_up(asking, ALICE, "alice", PASSWORD), Gid)
    with pytest.raises(Invalid):
        await accounts.confirm(asking, mallorys)
    await accounts.confirm(asking, await find_token_to(asking, ALICE, Kind.CONFIRM), PASSWORD)
    assert await can_sign_in(asking)
    assert not await can_sign_in(asking, password=ANOTHER_PASSWORD)
    assert await count_of(asking, User) == 1


async def test_a_link_confirms_and_twice_is_no_error(asking: Parley) -> None:
    known_as = await accounts.sign_up(asking, ALICE, "alice", PASSWORD)
    assert isinstance(known_as, Gid)
    token = await find_token_to(asking, ALICE, Kind.CONFIRM)
    for _ in range(2):
        await accounts.confirm(asking, token, known_as=known_as)
    assert await can_sign_in(asking)
    assert await compose_mail_to(asking, ALICE, Kind.CONFIRM) is None, "there is nothing to confirm any more"


async def test_the_link_is_sent_again_to_who_waits_for_it(asking: Parley) -> None:
    await accounts.sign_up(asking, ALICE, "alice", PASSWORD)
    await accounts.ask_to_confirm(asking, ALICE)
    await accounts.ask_to_confirm(asking, "nobody@example.com")
    assert await list_kinds_to(asking, ALICE) == [Kind.CONFIRM] * 2
    assert await compose_mail_to(asking, "nobody@example.com", Kind.CONFIRM) is None
    await accounts.confirm(asking, await find_token_to(asking, ALICE, Kind.CONFIRM), PASSWORD)
    assert await can_sign_in(asking)


async def test_the_person_who_has_the_mail_chooses_the_password(asking: Parley) -> None:
    """Mallory signs up with Alice's address, before or after her, and Alice opens the newest link."""
    assert isinstance(await accounts.sign_up(asking, ALICE, "alice", PASSWORD), Gid)
    mallorys = await accounts.sign_up(asking, ALICE, "mallory", ANOTHER_PASSWORD)
    assert isinstance(mallorys, Gid)
    token = await find_token_to(asking, ALICE, Kind.CONFIRM)
    with pytest.raises(Invalid) as refusal:
        await accounts.confirm(asking, token)
    assert refusal.value.field == "password"
    with pytest.raises(Invalid) as refusal:
        await accounts.confirm(asking, token, "alice1234", "alice")
    assert refusal.value.field == "password"
    await accounts.confirm(asking, token, "a password of her own", "alice")
    words = ("a password of her own", PASSWORD, ANOTHER_PASSWORD)
    assert [await can_sign_in(asking, password=word) for word in words] == [True, False, False]
    assert (await find_user_named(asking, "alice")).email == ALICE
    with pytest.raises(Invalid) as refusal:
        await accounts.confirm(asking, token, "another password", known_as=mallorys)
    assert refusal.value.field == "token", "it is used up"


async def test_the_first_confirmed_account_gets_the_name(asking: Parley) -> None:
    for email in (ALICE, NEW):
        assert isinstance(await accounts.sign_up(asking, email, "alice", PASSWORD), Gid)
    await accounts.confirm(asking, await find_token_to(asking, NEW, Kind.CONFIRM), PASSWORD)
    token = await find_token_to(asking, ALICE, Kind.CONFIRM)
    with pytest.raises(Invalid) as refusal:
        await accounts.confirm(asking, token, PASSWORD)
    assert refusal.value.field == "username"
    await accounts.confirm(asking, token, PASSWORD, "another alice")
    assert (await find_user_named(asking, "another alice")).email == ALICE


async def test_a_wrong_password_tells_nobody_that_an_address_waits(asking: Parley) -> None:
    await accounts.sign_up(asking, ALICE, "alice", PASSWORD)
    for email, password in ((ALICE, PASSWORD), (ALICE, "a wrong one"), ("nobody@example.com", PASSWORD)):
        assert not await can_sign_in(asking, email, password)


@pytest.mark.both_databases
async def test_of_two_who_give_one_address_at_once_one_has_it(parley: Parley) -> None:
    results = await asyncio.gather(
        *(accounts.sign_up(parley, ALICE, f"alice {number}", PASSWORD) for number in range(4)), return_exceptions=True
    )
    assert outcomes(results) == {"done": 1, "email": 3}
    assert await count_of(parley, User) == await count_of(parley, Login) == 1


@pytest.mark.both_databases
async def test_of_two_who_take_one_name_at_once_one_has_it(parley: Parley) -> None:
    results = await asyncio.gather(
        *(accounts.sign_up(parley, f"{number}@example.com", "Alice", PASSWORD) for number in range(4)),
        return_exceptions=True,
    )
    assert outcomes(results) == {"done": 1, "username": 3}


async def test_a_name_that_looks_like_anothers_is_taken(parley: Parley) -> None:
    await create_viewer(parley, "Coco")
    with pytest.raises(Invalid) as refusal:
        await accounts.sign_up(parley, ALICE, "\u0441\u043e\u0441\u043e", PASSWORD)
    assert refusal.value.field == "username"
    user = await find_user_named(parley, "Coco")
    await accounts.remove(parley, user.id)
    assert await accounts.sign_up(parley, ALICE, "\u0441\u043e\u0441\u043e", PASSWORD), "it is free again"


@pytest.mark.both_databases
async def test_of_two_who_give_one_address_at_once_none_is_told(asking: Parley) -> None:
    results = await asyncio.gather(
        *(accounts.sign_up(asking, ALICE, f"alice {number}", PASSWORD) for number in range(4)), return_exceptions=True
    )
    assert outcomes(results) == {"done": 4}
    assert Counter(await list_kinds_to(asking, ALICE)) == {Kind.CONFIRM: 4}
    assert await count_of(asking, User) == 1


@pytest.mark.parametrize("password", ["password1", "alicealice", "parley2026"])
async def test_a_weak_password_makes_no_account(parley: Parley, password: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await accounts.sign_up(parley, ALICE, "alice", password)
    assert refusal.value.field == "password"
    assert await count_of(parley, User) == 0


async def test_an_account_that_we_made_has_nothing_to_confirm(asking: Parley) -> None:
    await accounts.create_account(asking, ALICE, "alice", PASSWORD)
    assert await can_sign_in(asking)
    assert await list_queued(asking) == []


# -- the address --------------------------------------------------------------------------------------------


async def test_a_new_address_waits_until_its_link_was_used(parley: Parley, alice: Viewer) -> None:
    user = await accounts.change_email(parley, alice, NEW, PASSWORD)
    assert (user.email, user.unconfirmed_email) == (ALICE, NEW)
    assert (await list_kinds_to(parley, ALICE), await list_kinds_to(parley, NEW)) == (
        [Kind.CHANGING],
        [Kind.CONFIRM_CHANGE],
    )
    assert (await can_sign_in(parley), await can_sign_in(parley, NEW)) == (True, False)

    token = await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE)
    for _ in range(2):
        await accounts.confirm(parley, token)
    user = await find_user_named(parley, "alice")
    assert (user.email, user.unconfirmed_email) == (NEW, None)
    assert user.confirmed_at
    assert (await can_sign_in(parley), await can_sign_in(parley, NEW)) == (False, True)
    assert await list_kinds_to(parley, ALICE) == [Kind.CHANGING, Kind.CHANGED]


async def test_of_two_changes_the_later_one_counts(parley: Parley, alice: Viewer) -> None:
    await accounts.change_email(parley, alice, "first@example.com", PASSWORD)
    first = await find_token_to(parley, "first@example.com", Kind.CONFIRM_CHANGE)
    await accounts.change_email(parley, alice, NEW, PASSWORD)
    with pytest.raises(Invalid) as refusal:
        await accounts.confirm(parley, first)
    assert refusal.value.field == "token"
    await accounts.confirm(parley, await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE))
    with pytest.raises(Invalid):
        await accounts.confirm(parley, first)
    assert (await find_user_named(parley, "alice")).email == NEW


@pytest.mark.both_databases
async def test_two_changes_at_once_leave_one_that_waits(parley: Parley, alice: Viewer) -> None:
    addresses = [f"{number}@example.com" for number in range(4)]
    await asyncio.gather(*(accounts.change_email(parley, alice, address, PASSWORD) for address in addresses))
    waiting = (await find_user_named(parley, "alice")).unconfirmed_email
    assert waiting in addresses
    good = [address for address in addresses if await compose_mail_to(parley, address, Kind.CONFIRM_CHANGE)]
    assert good == [waiting]


async def test_ones_own_address_again_takes_the_change_back(parley: Parley, alice: Viewer) -> None:
    await accounts.change_email(parley, alice, NEW, PASSWORD)
    token = await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE)
    user = await accounts.change_email(parley, alice, ALICE, PASSWORD)
    assert user.unconfirmed_email is None
    with pytest.raises(Invalid):
        await accounts.confirm(parley, token)
    assert await list_kinds_to(parley, ALICE) == [Kind.CHANGING], "no letter about nothing"


async def test_an_address_that_two_want_is_whose_owner_clicks(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    tokens = {}
    for viewer, name in ((alice, "alice"), (bob, "bob")):
        await accounts.change_email(parley, viewer, NEW, PASSWORD)
        tokens[name] = await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE)
    await accounts.confirm(parley, tokens["bob"])
    with pytest.raises(Invalid) as refusal:
        await accounts.confirm(parley, tokens["alice"])
    assert refusal.value.field == "token"
    assert (await find_user_named(parley, "bob")).email == NEW
    assert (await find_user_named(parley, "alice")).email == ALICE


@pytest.mark.both_databases
async def test_of_two_who_click_at_once_one_gets_it(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    tokens = []
    for viewer in (alice, bob):
        await accounts.change_email(parley, viewer, NEW, PASSWORD)
        tokens.append(await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE))
    results = await asyncio.gather(*(accounts.confirm(parley, token) for token in tokens), return_exceptions=True)
    assert outcomes(results) == {"done": 1, "token": 1}
    assert sorted([(await find_user_named(parley, name)).email == NEW for name in ("alice", "bob")]) == [False, True]


async def test_a_taken_address_gets_a_word_and_no_link(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    user = await accounts.change_email(parley, alice, "bob@example.com", PASSWORD)
    assert user.unconfirmed_email == "bob@example.com", "she is not told"
    letter = await compose_mail_to(parley, "bob@example.com", Kind.CONFIRM_CHANGE)
    assert letter
    assert letter.subject == "You already have an account"
    assert "/confirm" not in letter.text


async def test_a_change_of_password_forgets_an_address_that_waits(parley: Parley, alice: Viewer) -> None:
    """Whoever asked for it may be the reason for the new password."""
    await accounts.change_email(parley, alice, "mallory@example.com", PASSWORD)
    token = await find_token_to(parley, "mallory@example.com", Kind.CONFIRM_CHANGE)
    await accounts.change_password(parley, alice, PASSWORD, ANOTHER_PASSWORD, Browser())
    with pytest.raises(Invalid):
        await accounts.confirm(parley, token)
    assert (await find_user_named(parley, "alice")).email == ALICE


async def test_one_who_has_left_confirms_nothing(parley: Parley, alice: Viewer) -> None:
    await accounts.change_email(parley, alice, NEW, PASSWORD)
    token = await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE)
    await accounts.delete(parley, alice, PASSWORD, "erase")
    with pytest.raises(Invalid):
        await accounts.confirm(parley, token)


# -- once more the password ---------------------------------------------------------------------------------


async def attempt(parley: Parley, what: str, viewer: Viewer, password: str) -> None:
    if what == "address":
        await accounts.change_email(parley, viewer, NEW, password)
    elif what == "password":
        await accounts.change_password(parley, viewer, password, ANOTHER_PASSWORD, Browser())
    else:
        await accounts.delete(parley, viewer, password, "erase")


@pytest.mark.parametrize("what", ["address", "password", "deletion"])
async def test_a_browser_left_open_is_not_enough(parley: Parley, alice: Viewer, what: str) -> None:
    before = await find_user_named(parley, "alice")
    for _ in range(MAX_FAILURES):
        with pytest.raises(Invalid) as refusal:
            await attempt(parley, what, alice, "a wrong one")
        assert refusal.value.field == "current_password"
    with pytest.raises(TooMany):
        await attempt(parley, what, alice, PASSWORD)
    after = await find_user_named(parley, "alice")
    assert (after.seq, after.email, after.password_hash) == (before.seq, before.email, before.password_hash)
    assert await list_queued(parley) == []
    assert await can_sign_in(parley), "and the owner is not locked out at the door"


@pytest.mark.parametrize("what", ["address", "password", "deletion"])
async def test_a_guest_has_nothing_to_change(parley: Parley, alice: Viewer, what: str) -> None:
    with pytest.raises(SignInFirst):
        await attempt(parley, what, GUEST, PASSWORD)


async def test_the_right_one_wipes_the_wrong_ones_out(parley: Parley, alice: Viewer) -> None:
    for _ in range(2):
        for _ in range(MAX_FAILURES - 1):
            with pytest.raises(Invalid):
                await accounts.change_email(parley, alice, NEW, "a wrong one")
        await accounts.change_email(parley, alice, NEW, PASSWORD)


# -- the password -------------------------------------------------------------------------------------------


async def test_a_new_password_ends_every_other_login(parley: Parley, alice: Viewer) -> None:
    others = [await another_login(parley) for _ in range(3)]
    here = Browser("203.0.113.7", "Firefox on Linux", alice.login_id)
    _, login = await accounts.change_password(parley, alice, PASSWORD, ANOTHER_PASSWORD, here)
    assert [await how_ended(parley, other) for other in others] == ["password"] * 3
    assert await how_ended(parley, alice) == "replaced"
    async with parley.reading() as reading:
        assert (await viewer_of(reading, login.id))[0].user_id == alice.user_id
    assert (await can_sign_in(parley), await can_sign_in(parley, password=ANOTHER_PASSWORD)) == (False, True)
    assert await list_kinds_to(parley, ALICE) == [Kind.PASSWORD]


async def test_who_was_remembered_still_is(parley: Parley, alice: Viewer) -> None:
    phone = await another_login(parley)
    _, login = await accounts.change_password(
        parley, phone, PASSWORD, ANOTHER_PASSWORD, Browser(login_id=phone.login_id)
    )
    assert login.remember


@pytest.mark.both_databases
async def test_of_two_changes_at_once_the_second_must_know_the_first(parley: Parley, alice: Viewer) -> None:
    new = [f"talk among others {number}" for number in range(3)]
    results = await asyncio.gather(
        *(accounts.change_password(parley, alice, PASSWORD, password, Browser()) for password in new),
        return_exceptions=True,
    )
    assert outcomes(results) == {"done": 1, "current_password": 2}
    assert [await can_sign_in(parley, password=password) for password in new].count(True) == 1


async def test_a_weak_new_password_changes_nothing(parley: Parley, alice: Viewer) -> None:
    with pytest.raises(Invalid) as refusal:
        await accounts.change_password(parley, alice, PASSWORD, "alice1234", Browser())
    assert refusal.value.field == "password"
    assert await can_sign_in(parley)


async def reset_token(parley: Parley, email: str = ALICE) -> str:
    await accounts.ask_to_reset(parley, email)
    return await find_token_to(parley, email, Kind.RESET)


async def test_a_reset_sets_a_password_and_ends_every_login(parley: Parley, alice: Viewer) -> None:
    phone = await another_login(parley)
    await accounts.change_email(parley, alice, "mallory@example.com", PASSWORD)
    user = await accounts.reset_password(parley, await reset_token(parley), ANOTHER_PASSWORD)
    assert user.confirmed_at, "the mail has shown whose the address is"
    assert user.unconfirmed_email is None
    assert [await how_ended(parley, viewer) for viewer in (alice, phone)] == ["password"] * 2
    assert (await can_sign_in(parley), await can_sign_in(parley, password=ANOTHER_PASSWORD)) == (False, True)
    assert (await list_kinds_to(parley, ALICE))[-1] == Kind.PASSWORD


async def test_a_reset_is_used_once(parley: Parley, alice: Viewer) -> None:
    token = await reset_token(parley)
    await accounts.reset_password(parley, token, ANOTHER_PASSWORD)
    with pytest.raises(Invalid) as refusal:
        await accounts.reset_password(parley, token, "talk among thieves")
    assert refusal.value.field == "token"
    assert await can_sign_in(parley, password=ANOTHER_PASSWORD)


@pytest.mark.both_databases
async def test_of_two_uses_at_once_one_wins(parley: Parley, alice: Viewer) -> None:
    token = await reset_token(parley)
    new = [f"talk among others {number}" for number in range(4)]
    results = await asyncio.gather(
        *(accounts.reset_password(parley, token, password) for password in new), return_exceptions=True
    )
    assert outcomes(results) == {"done": 1, "token": 3}
    assert [await can_sign_in(parley, password=password) for password in new].count(True) == 1
    assert (await list_kinds_to(parley, ALICE)).count(Kind.PASSWORD) == 1


async def test_a_weak_new_password_does_not_use_the_link_up(parley: Parley, alice: Viewer) -> None:
    token = await reset_token(parley)
    with pytest.raises(Invalid) as refusal:
        await accounts.reset_password(parley, token, "alice1234")
    assert refusal.value.field == "password"
    await accounts.reset_password(parley, token, ANOTHER_PASSWORD)


async def test_a_reset_is_overtaken_by_a_change_of_password(parley: Parley, alice: Viewer) -> None:
    token = await reset_token(parley)
    await accounts.change_password(parley, alice, PASSWORD, ANOTHER_PASSWORD, Browser())
    with pytest.raises(Invalid):
        await accounts.reset_password(parley, token, "talk among thieves")


async def test_a_reset_is_overtaken_by_a_change_of_address(parley: Parley, alice: Viewer) -> None:
    """Who reads the old mailbox has no way in any more."""
    token = await reset_token(parley)
    await accounts.change_email(parley, alice, NEW, PASSWORD)
    await accounts.confirm(parley, await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE))
    with pytest.raises(Invalid):
        await accounts.reset_password(parley, token, "talk among thieves")


async def test_a_link_of_one_account_is_no_others(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    assert bob.user_id
    bound = accounts.bound_to(await find_user_named(parley, "alice"))
    token = write_link(parley, Purpose.RESET, bob.user_id, bound).partition("#")[2]
    with pytest.raises(Invalid):
        await accounts.reset_password(parley, token, ANOTHER_PASSWORD)
    assert await can_sign_in(parley, "bob@example.com")


async def test_who_has_left_resets_nothing(parley: Parley, alice: Viewer) -> None:
    token = await reset_token(parley)
    await accounts.delete(parley, alice, PASSWORD, "keep")
    with pytest.raises(Invalid):
        await accounts.reset_password(parley, token, ANOTHER_PASSWORD)


async def test_a_reset_confirms_an_address(asking: Parley) -> None:
    await accounts.sign_up(asking, ALICE, "alice", PASSWORD)
    await accounts.reset_password(asking, await reset_token(asking), ANOTHER_PASSWORD)
    assert await can_sign_in(asking, password=ANOTHER_PASSWORD)


# -- leaving ------------------------------------------------------------------------------------------------

HOW: list[Literal["keep", "erase"]] = ["keep", "erase"]


async def comments_by(parley: Parley, viewer: Viewer) -> list[Comment]:
    async with parley.reading() as reading:
        by = select(Comment).where(Comment.user_id == viewer.user_id).order_by(Comment.topic, Comment.seq)
        return list((await reading.scalars(by)).all())


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comments, "BATCH", 3)


@pytest.mark.usefixtures("few_at_a_time")
async def test_comments_may_stay_under_no_name(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    for number in range(8):
        await post_comment(parley, alice, f"number {number}", Topic("Article", str(number % 2)))
    his = await post_comment(parley, bob, "hello alice")
    await accounts.delete(parley, alice, PASSWORD, "keep")
    left = await comments_by(parley, alice)
    assert {comment.username for comment in left} == {DELETED}
    assert sorted(comment.body for comment in left) == [f"number {number}" for number in range(8)]
    assert [comment for comment in left if comment.deleted_at or comment.edited] == []
    assert [comment.username for comment in await comments_by(parley, bob)] == ["bob"]
    assert (await comments_by(parley, bob))[0].seq == his.seq


@pytest.mark.usefixtures("few_at_a_time")
async def test_comments_may_go_with_their_author(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    for number in range(8):
        await post_comment(parley, alice, f"a secret {number}", Topic("Article", str(number % 2)))
    await post_comment(parley, bob, "hello alice")
    await accounts.delete(parley, alice, PASSWORD, "erase")
    assert all(comment.deleted_at for comment in await comments_by(parley, alice))
    assert "secret" not in await dump_database(parley)
    assert [comment.body for comment in await comments_by(parley, bob)] == ["hello alice"]


@pytest.mark.parametrize("how", HOW)
async def test_nothing_of_the_person_is_left(parley: Parley, how: Literal["keep", "erase"]) -> None:
    made = await accounts.sign_up(parley, ALICE, "alice", PASSWORD, Browser("203.0.113.7", "Firefox on Linux"))
    assert made
    async with parley.reading() as reading:
        alice, _ = await viewer_of(reading, made[1].id)
    await post_comment(parley, alice, "hello")
    await accounts.change_email(parley, alice, "waiting@example.com", PASSWORD)
    await accounts.delete(parley, alice, PASSWORD, how)
    assert (await list_kinds_to(parley, ALICE))[-1] == Kind.DELETED
    async with Parley(parley.settings.model_copy(update={"environment": "production"}), LIVE_MODELS) as office:
        while await send_next(office):  # no mail server: brought to nobody
            pass
    left = await dump_database(parley)
    for trace in ("alice", "waiting", "203.0.113", "Firefox", "argon2"):
        assert trace not in left, trace


@pytest.mark.parametrize("how", HOW)
async def test_who_has_left_is_out(parley: Parley, alice: Viewer, how: Literal["keep", "erase"]) -> None:
    phone = await another_login(parley)
    comment = await post_comment(parley, alice, "hello")
    await accounts.delete(parley, alice, PASSWORD, how)
    assert [await how_ended(parley, viewer) for viewer in (alice, phone)] == ["deleted"] * 2
    assert not await can_sign_in(parley)
    with pytest.raises(SignInFirst):
        await accounts.delete(parley, alice, PASSWORD, how)
    with pytest.raises(SignInFirst):
        await post_comment(parley, alice, "one more thing")
    with suppress(Missing, Forbidden, SignInFirst):  # a request that was on its way
        await edit_comment(parley, alice, comment, "alice was here")
    assert not [comment for comment in await comments_by(parley, alice) if comment.username == "alice"]


async def test_the_name_and_the_address_are_free_again(parley: Parley, alice: Viewer) -> None:
    await post_comment(parley, alice, "hello")
    await accounts.delete(parley, alice, PASSWORD, "keep")
    again = await create_viewer(parley, "alice")
    assert again.user_id != alice.user_id
    assert await comments_by(parley, again) == []


@pytest.mark.both_databases
async def test_a_deletion_twice_at_once_is_one(parley: Parley, alice: Viewer) -> None:
    results = await asyncio.gather(
        *(accounts.delete(parley, alice, PASSWORD, "keep") for _ in range(3)), return_exceptions=True
    )
    assert Counter(type(result).__name__ for result in results) == {"NoneType": 1, "SignInFirst": 2}
    assert (await list_kinds_to(parley, ALICE)).count(Kind.DELETED) == 1


@pytest.mark.parametrize("how", HOW)
async def test_a_comment_on_its_way_is_waited_for(
    parley: Parley, alice: Viewer, how: Literal["keep", "erase"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All has been looked at, and only the commit is left, when the account goes."""
    written, go_on, finish = asyncio.Event(), asyncio.Event(), Write.finish

    async def slow(write: Write) -> None:
        if any(isinstance(row, Comment) for row in write.changed) and not written.is_set():
            written.set()
            await go_on.wait()
        await finish(write)

    monkeypatch.setattr(Write, "finish", slow)
    writing = asyncio.create_task(post_comment(parley, alice, "hello"))
    await written.wait()
    leaving = asyncio.create_task(accounts.delete(parley, alice, PASSWORD, how))
    await asyncio.wait([leaving], timeout=0.5)
    assert not leaving.done(), "it cannot know yet what there is to do"
    go_on.set()
    await writing
    await leaving
    (comment,) = await comments_by(parley, alice)
    assert comment.username == (DELETED if how == "keep" else "")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.usefixtures("few_at_a_time")
async def test_who_writes_while_they_leave_leaves_no_name(
    parley: Parley, settings: Settings, how: Literal["keep", "erase"]
) -> None:
    """Again and again, by two processes and on several topics: whatever comes first, no comment has the old name."""
    async with Parley(settings, LIVE_MODELS, listening=False) as other:
        for number in range(2):  # the leaver's request is in the one process, then in the other
            leaver = await create_viewer(parley, f"leaver{number}")
            began = asyncio.Event()
            async with asyncio.TaskGroup() as everyone:
                for writer in range(6):
                    everyone.create_task(_keep_writing((parley, other)[writer % 2], leaver, writer, began))
                await began.wait()
                email = f"leaver{number}@example.com"
                everyone.create_task(accounts.delete((parley, other)[number % 2], leaver, PASSWORD, how))
            left = await comments_by(parley, leaver)
            assert left, email
            assert not [comment for comment in left if comment.username == f"leaver{number}"]
            assert how == "keep" or all(comment.deleted_at for comment in left)
            async with parley.reading() as reading:
                user = await reading.get(User, leaver.user_id)
            assert user
            assert (user.leaving, bool(user.deleted_at)) == (None, True)


async def _keep_writing(process: Parley, author: Viewer, writer: int, began: asyncio.Event) -> None:
    with suppress(SignInFirst):
        for number in range(1_000):  # on SQLite who leaves comes to write by chance alone, and on a busy machine late
            topic = Topic("Article", f"{author.username} {(writer + number) % 3}")
            await comments.post(process, author, topic, f"number {number}", uuid4())
            if number > 1:
                began.set()
        raise AssertionError("nobody was stopped")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.usefixtures("few_at_a_time")
async def test_what_a_killed_process_left_undone_is_finished(
    parley: Parley, alice: Viewer, how: Literal["keep", "erase"], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        await post_comment(parley, alice, f"number {number}", Topic("Article", str(number % 2)))
    writing, writes = parley.writing, []

    def killed_at_the_third(*topics: Topic) -> Any:
        writes.append(topics)
        if len(writes) == 3:  # the account, three comments, and then
            raise SystemError("killed")
        return writing(*topics)

    with monkeypatch.context() as doomed:
        doomed.setattr(parley, "writing", killed_at_the_third)
        with pytest.raises(SystemError):
            await accounts.delete(parley, alice, PASSWORD, how)
    named = [comment for comment in await comments_by(parley, alice) if comment.username == "alice"]
    assert len(named) == 5
    assert await how_ended(parley, alice) == "deleted", "the account goes first"

    await maintenance.run_once(parley)
    left = await comments_by(parley, alice)
    assert {comment.username for comment in left} == {DELETED if how == "keep" else ""}
    async with parley.reading() as reading:
        assert await reading.scalar(select(User.leaving).where(User.id == alice.user_id)) is None
    before = [comment.seq for comment in left]
    await maintenance.run_once(parley)
    assert [comment.seq for comment in await comments_by(parley, alice)] == before, "and is done"


@pytest.mark.both_databases
async def test_several_may_finish_it_at_once(parley: Parley, settings: Settings, alice: Viewer) -> None:
    for number in range(8):
        await post_comment(parley, alice, f"number {number}")
    async with parley.writing(Topic.account(alice.user_id)) as write:
        user = await write.get(User, alice.user_id or uuid4())
        assert user
        user.leaving = "keep"
        write.destroy(user)
    async with Parley(settings, LIVE_MODELS, listening=False) as other:
        await asyncio.gather(*(accounts.finish_deletions(process) for process in (parley, other, parley)))
    assert [comment.seq for comment in await comments_by(parley, alice)] == list(range(9, 17)), "each was changed once"


async def test_a_page_says_nothing_but_that_somebody_was_here(parley: Parley, alice: Viewer) -> None:
    await post_comment(parley, alice, "hello")
    await accounts.delete(parley, alice, PASSWORD, "keep")
    async with parley.reading() as reading:
        (comment,) = (await threads.page(reading, GUEST, ARTICLE)).comments
    rendered = comments.render(comment, GUEST.kind(comment.user_id))
    assert (rendered["username"], rendered["body"], rendered["current_user_can_edit"]) == (DELETED, "hello", False)
