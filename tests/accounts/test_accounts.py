from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any, Literal
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.util import await_only

from app import maintenance
from app.accounts import accounts, logins
from app.accounts.login_throttle import MAX_FAILURES
from app.accounts.logins import Browser, Login, viewer_of
from app.accounts.mailed_links import Purpose, write_link
from app.accounts.user import DELETED, User
from app.comments import posting, threads
from app.comments.comments import Comment
from app.errors import Forbidden, Invalid, Missing, SignInFirst, TooMany
from app.live.gids import Gid
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import GUEST, LoginEnded, Viewer
from app.live.write import batches
from app.live.write.group_commit import GroupWrite
from app.mail.mail_queue import Kind
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.support.mail_queue import (
    compose_mail_to,
    dump_database,
    find_token_to,
    find_user_named,
    list_kinds_to,
    list_queued,
    send_next,
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
async def strict_parley(settings: Settings) -> Any:
    """A Parley that demands confirmed addresses."""
    async with Parley(settings.model_copy(update={"require_confirmation": True}), LIVE_MODELS) as parley:
        yield parley


async def can_sign_in(parley: Parley, email: str = ALICE, password: str = PASSWORD) -> bool:
    return await logins.sign_in(parley, email, password, remember=False) is not None


async def another_login(parley: Parley) -> Viewer:
    found = await logins.sign_in(parley, ALICE, PASSWORD, remember=True)
    assert found
    async with parley.reading() as reading:
        return (await viewer_of(reading, found[1].id))[0]


async def read_end_reason(parley: Parley, viewer: Viewer) -> str | None:
    assert viewer.login_id
    with pytest.raises(LoginEnded) as ended:
        async with parley.reading() as reading:
            await viewer_of(reading, viewer.login_id)
    return ended.value.reason


async def count_rows_of(parley: Parley, model: type[User] | type[Login]) -> int:
    async with parley.reading() as reading:
        return await reading.scalar(select(func.count()).select_from(model)) or 0


def outcomes(results: list[Any]) -> Counter[str]:
    """How many calls succeeded, and the errors of the others."""
    unexpected = [result for result in results if isinstance(result, BaseException) and not isinstance(result, Invalid)]
    assert not unexpected, unexpected
    return Counter(result.field if isinstance(result, Invalid) else "done" for result in results)


# -- signing up ---------------------------------------------------------------------------------------------


async def test_a_person_who_signs_up_is_signed_in(parley: Parley) -> None:
    made = await accounts.sign_up(parley, ALICE, "alice", PASSWORD, Browser("203.0.113.7", "Firefox on Linux"))
    assert made
    user, login = made
    assert (user.sign_in_count, user.signed_in_address, user.confirmed_at) == (1, "203.0.113.7", None)
    assert (login.address, login.device, login.remember) == ("203.0.113.7", "Firefox on Linux", False)
    assert await list_queued(parley) == []


async def test_a_sign_up_with_a_taken_address_looks_like_any_other(strict_parley: Parley) -> None:
    await accounts.create_account(strict_parley, ALICE, "alice", PASSWORD)
    assert isinstance(await accounts.sign_up(strict_parley, ALICE, "mallory", ANOTHER_PASSWORD), Gid)
    assert isinstance(await accounts.sign_up(strict_parley, ALICE, "mallory", ANOTHER_PASSWORD), Gid)
    assert await count_rows_of(strict_parley, User) == 1
    assert await count_rows_of(strict_parley, Login) == 0
    assert await list_kinds_to(strict_parley, ALICE) == [Kind.TAKEN] * 2
    assert await can_sign_in(strict_parley)
    assert not await can_sign_in(strict_parley, password=ANOTHER_PASSWORD)


async def test_an_owner_does_not_confirm_the_earlier_sign_up_of_a_stranger(strict_parley: Parley) -> None:
    """A person who signs up twice, because no mail has arrived, gets the same response again."""
    assert isinstance(await accounts.sign_up(strict_parley, ALICE, "mallory", ANOTHER_PASSWORD), Gid)
    mallorys = await find_token_to(strict_parley, ALICE, Kind.CONFIRM)
    for _ in range(2):
        assert isinstance(await accounts.sign_up(strict_parley, ALICE, "alice", PASSWORD), Gid)
    with pytest.raises(Invalid):
        await accounts.confirm(strict_parley, mallorys)
    await accounts.confirm(strict_parley, await find_token_to(strict_parley, ALICE, Kind.CONFIRM), PASSWORD)
    assert await can_sign_in(strict_parley)
    assert not await can_sign_in(strict_parley, password=ANOTHER_PASSWORD)
    assert await count_rows_of(strict_parley, User) == 1


async def test_a_link_confirms_an_address_and_may_be_opened_twice(strict_parley: Parley) -> None:
    known_as = await accounts.sign_up(strict_parley, ALICE, "alice", PASSWORD)
    assert isinstance(known_as, Gid)
    token = await find_token_to(strict_parley, ALICE, Kind.CONFIRM)
    for _ in range(2):
        await accounts.confirm(strict_parley, token, known_as=known_as)
    assert await can_sign_in(strict_parley)
    assert await compose_mail_to(strict_parley, ALICE, Kind.CONFIRM) is None, "the address is confirmed already"


async def test_an_unconfirmed_person_gets_the_link_again(strict_parley: Parley) -> None:
    await accounts.sign_up(strict_parley, ALICE, "alice", PASSWORD)
    await accounts.send_link(strict_parley, Purpose.CONFIRM, ALICE)
    await accounts.send_link(strict_parley, Purpose.CONFIRM, "nobody@example.com")
    assert await list_kinds_to(strict_parley, ALICE) == [Kind.CONFIRM] * 2
    assert await compose_mail_to(strict_parley, "nobody@example.com", Kind.CONFIRM) is None
    await accounts.confirm(strict_parley, await find_token_to(strict_parley, ALICE, Kind.CONFIRM), PASSWORD)
    assert await can_sign_in(strict_parley)


async def test_the_person_who_has_the_mail_chooses_the_password(strict_parley: Parley) -> None:
    """Mallory signs up with Alice's address before or after her, and Alice opens the newest link."""
    assert isinstance(await accounts.sign_up(strict_parley, ALICE, "alice", PASSWORD), Gid)
    mallorys = await accounts.sign_up(strict_parley, ALICE, "mallory", ANOTHER_PASSWORD)
    assert isinstance(mallorys, Gid)
    token = await find_token_to(strict_parley, ALICE, Kind.CONFIRM)
    with pytest.raises(Invalid) as refusal:
        await accounts.confirm(strict_parley, token)
    assert refusal.value.field == "password"
    with pytest.raises(Invalid) as refusal:
        await accounts.confirm(strict_parley, token, "alice1234", "alice")
    assert refusal.value.field == "password"
    await accounts.confirm(strict_parley, token, "a password of her own", "alice")
    words = ("a password of her own", PASSWORD, ANOTHER_PASSWORD)
    assert [await can_sign_in(strict_parley, password=word) for word in words] == [True, False, False]
    assert (await find_user_named(strict_parley, "alice")).email == ALICE
    with pytest.raises(Invalid) as refusal:
        await accounts.confirm(strict_parley, token, "another password", known_as=mallorys)
    assert refusal.value.field == "token", "the link was used before"


async def test_the_first_confirmed_account_gets_the_name(strict_parley: Parley) -> None:
    for email in (ALICE, NEW):
        assert isinstance(await accounts.sign_up(strict_parley, email, "alice", PASSWORD), Gid)
    await accounts.confirm(strict_parley, await find_token_to(strict_parley, NEW, Kind.CONFIRM), PASSWORD)
    token = await find_token_to(strict_parley, ALICE, Kind.CONFIRM)
    with pytest.raises(Invalid) as refusal:
        await accounts.confirm(strict_parley, token, PASSWORD)
    assert refusal.value.field == "username"
    await accounts.confirm(strict_parley, token, PASSWORD, "another alice")
    assert (await find_user_named(strict_parley, "another alice")).email == ALICE


async def test_a_wrong_password_does_not_reveal_an_unconfirmed_address(strict_parley: Parley) -> None:
    await accounts.sign_up(strict_parley, ALICE, "alice", PASSWORD)
    for email, password in ((ALICE, PASSWORD), (ALICE, "a wrong one"), ("nobody@example.com", PASSWORD)):
        assert not await can_sign_in(strict_parley, email, password)


@pytest.mark.both_databases
async def test_one_of_two_people_who_sign_up_with_one_address_at_once_gets_it(parley: Parley) -> None:
    results = await asyncio.gather(
        *(accounts.sign_up(parley, ALICE, f"alice {number}", PASSWORD) for number in range(4)), return_exceptions=True
    )
    assert outcomes(results) == {"done": 1, "email": 3}
    assert await count_rows_of(parley, User) == await count_rows_of(parley, Login) == 1


@pytest.mark.both_databases
async def test_one_of_two_people_who_take_a_name_at_once_gets_it(parley: Parley) -> None:
    results = await asyncio.gather(
        *(accounts.sign_up(parley, f"{number}@example.com", "Alice", PASSWORD) for number in range(4)),
        return_exceptions=True,
    )
    assert outcomes(results) == {"done": 1, "username": 3}


async def test_a_name_that_looks_like_a_taken_one_is_refused(parley: Parley) -> None:
    await create_viewer(parley, "Coco")
    with pytest.raises(Invalid) as refusal:
        await accounts.sign_up(parley, ALICE, "\u0441\u043e\u0441\u043e", PASSWORD)
    assert refusal.value.field == "username"
    user = await find_user_named(parley, "Coco")
    await accounts.remove(parley, user.id)
    assert await accounts.sign_up(parley, ALICE, "\u0441\u043e\u0441\u043e", PASSWORD), "the name is free again"


@pytest.mark.both_databases
async def test_neither_of_two_sign_ups_with_one_address_at_once_reveals_the_other(strict_parley: Parley) -> None:
    results = await asyncio.gather(
        *(accounts.sign_up(strict_parley, ALICE, f"alice {number}", PASSWORD) for number in range(4)),
        return_exceptions=True,
    )
    assert outcomes(results) == {"done": 4}
    assert Counter(await list_kinds_to(strict_parley, ALICE)) == {Kind.CONFIRM: 4}
    assert await count_rows_of(strict_parley, User) == 1


@pytest.mark.parametrize("password", ["password1", "alicealice", "parley2026"])
async def test_a_sign_up_with_a_weak_password_is_refused(parley: Parley, password: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await accounts.sign_up(parley, ALICE, "alice", password)
    assert refusal.value.field == "password"
    assert await count_rows_of(parley, User) == 0


async def test_an_account_made_by_the_operator_is_confirmed(strict_parley: Parley) -> None:
    await accounts.create_account(strict_parley, ALICE, "alice", PASSWORD)
    assert await can_sign_in(strict_parley)
    assert await list_queued(strict_parley) == []


# -- the address --------------------------------------------------------------------------------------------


async def test_a_new_address_waits_until_its_link_is_opened(parley: Parley, alice: Viewer) -> None:
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


async def test_the_later_of_two_changes_of_address_counts(parley: Parley, alice: Viewer) -> None:
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
async def test_two_changes_of_address_at_once_leave_one_unconfirmed_address(parley: Parley, alice: Viewer) -> None:
    addresses = [f"{number}@example.com" for number in range(4)]
    await asyncio.gather(*(accounts.change_email(parley, alice, address, PASSWORD) for address in addresses))
    waiting = (await find_user_named(parley, "alice")).unconfirmed_email
    assert waiting in addresses
    good = [address for address in addresses if await compose_mail_to(parley, address, Kind.CONFIRM_CHANGE)]
    assert good == [waiting]


async def test_a_change_back_to_the_own_address_cancels_the_other_change(parley: Parley, alice: Viewer) -> None:
    await accounts.change_email(parley, alice, NEW, PASSWORD)
    token = await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE)
    user = await accounts.change_email(parley, alice, ALICE, PASSWORD)
    assert user.unconfirmed_email is None
    with pytest.raises(Invalid):
        await accounts.confirm(parley, token)
    assert await list_kinds_to(parley, ALICE) == [Kind.CHANGING], "a change to the same address sends no mail"


async def test_an_address_that_two_people_want_goes_to_the_one_whose_link_is_opened(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
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
async def test_one_of_two_people_who_confirm_an_address_at_once_gets_it(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    tokens = []
    for viewer in (alice, bob):
        await accounts.change_email(parley, viewer, NEW, PASSWORD)
        tokens.append(await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE))
    results = await asyncio.gather(*(accounts.confirm(parley, token) for token in tokens), return_exceptions=True)
    assert outcomes(results) == {"done": 1, "token": 1}
    assert sorted([(await find_user_named(parley, name)).email == NEW for name in ("alice", "bob")]) == [False, True]


async def test_a_taken_address_gets_a_mail_without_a_link(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    user = await accounts.change_email(parley, alice, "bob@example.com", PASSWORD)
    assert user.unconfirmed_email == "bob@example.com", "Alice does not learn that the address is taken"
    letter = await compose_mail_to(parley, "bob@example.com", Kind.CONFIRM_CHANGE)
    assert letter
    assert letter.subject == "You already have an account"
    assert "/confirm" not in letter.text


async def test_a_change_of_password_cancels_an_unconfirmed_address(parley: Parley, alice: Viewer) -> None:
    """A thief may have asked for that address, and may be the reason for the new password."""
    await accounts.change_email(parley, alice, "mallory@example.com", PASSWORD)
    token = await find_token_to(parley, "mallory@example.com", Kind.CONFIRM_CHANGE)
    await accounts.change_password(parley, alice, PASSWORD, ANOTHER_PASSWORD, Browser())
    with pytest.raises(Invalid):
        await accounts.confirm(parley, token)
    assert (await find_user_named(parley, "alice")).email == ALICE


async def test_a_deleted_account_confirms_nothing(parley: Parley, alice: Viewer) -> None:
    await accounts.change_email(parley, alice, NEW, PASSWORD)
    token = await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE)
    await accounts.delete(parley, alice, PASSWORD, "erase")
    with pytest.raises(Invalid):
        await accounts.confirm(parley, token)


# -- the current password -----------------------------------------------------------------------------------


async def attempt(parley: Parley, what: str, viewer: Viewer, password: str) -> None:
    if what == "address":
        await accounts.change_email(parley, viewer, NEW, password)
    elif what == "password":
        await accounts.change_password(parley, viewer, password, ANOTHER_PASSWORD, Browser())
    else:
        await accounts.delete(parley, viewer, password, "erase")


@pytest.mark.parametrize("what", ["address", "password", "deletion"])
async def test_changes_in_an_open_browser_need_the_password(parley: Parley, alice: Viewer, what: str) -> None:
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
    assert await can_sign_in(parley), "the owner can still sign in"


@pytest.mark.parametrize("what", ["address", "password", "deletion"])
async def test_a_guest_cannot_change_an_account(parley: Parley, alice: Viewer, what: str) -> None:
    with pytest.raises(SignInFirst):
        await attempt(parley, what, GUEST, PASSWORD)


async def test_the_right_password_resets_the_count_of_wrong_ones(parley: Parley, alice: Viewer) -> None:
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
    assert [await read_end_reason(parley, other) for other in others] == ["password"] * 3
    assert await read_end_reason(parley, alice) == "replaced"
    async with parley.reading() as reading:
        assert (await viewer_of(reading, login.id))[0].user_id == alice.user_id
    assert (await can_sign_in(parley), await can_sign_in(parley, password=ANOTHER_PASSWORD)) == (False, True)
    assert await list_kinds_to(parley, ALICE) == [Kind.PASSWORD]


async def test_a_remembered_login_stays_remembered_after_a_new_password(parley: Parley, alice: Viewer) -> None:
    phone = await another_login(parley)
    _, login = await accounts.change_password(
        parley, phone, PASSWORD, ANOTHER_PASSWORD, Browser(login_id=phone.login_id)
    )
    assert login.remember


@pytest.mark.both_databases
async def test_the_second_of_two_changes_at_once_needs_the_first_new_password(parley: Parley, alice: Viewer) -> None:
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
    await accounts.send_link(parley, Purpose.RESET, email)
    return await find_token_to(parley, email, Kind.RESET)


async def test_a_reset_sets_a_password_and_ends_every_login(parley: Parley, alice: Viewer) -> None:
    phone = await another_login(parley)
    await accounts.change_email(parley, alice, "mallory@example.com", PASSWORD)
    user = await accounts.reset_password(parley, await reset_token(parley), ANOTHER_PASSWORD)
    assert user.confirmed_at, "the person has proved that the address is theirs"
    assert user.unconfirmed_email is None
    assert [await read_end_reason(parley, viewer) for viewer in (alice, phone)] == ["password"] * 2
    assert (await can_sign_in(parley), await can_sign_in(parley, password=ANOTHER_PASSWORD)) == (False, True)
    assert (await list_kinds_to(parley, ALICE))[-1] == Kind.PASSWORD


async def test_a_reset_link_can_be_used_once(parley: Parley, alice: Viewer) -> None:
    token = await reset_token(parley)
    await accounts.reset_password(parley, token, ANOTHER_PASSWORD)
    with pytest.raises(Invalid) as refusal:
        await accounts.reset_password(parley, token, "talk among thieves")
    assert refusal.value.field == "token"
    assert await can_sign_in(parley, password=ANOTHER_PASSWORD)


@pytest.mark.both_databases
async def test_one_of_two_uses_of_a_link_at_once_succeeds(parley: Parley, alice: Viewer) -> None:
    token = await reset_token(parley)
    new = [f"talk among others {number}" for number in range(4)]
    results = await asyncio.gather(
        *(accounts.reset_password(parley, token, password) for password in new), return_exceptions=True
    )
    assert outcomes(results) == {"done": 1, "token": 3}
    assert [await can_sign_in(parley, password=password) for password in new].count(True) == 1
    assert (await list_kinds_to(parley, ALICE)).count(Kind.PASSWORD) == 1


async def test_a_weak_new_password_does_not_use_up_the_link(parley: Parley, alice: Viewer) -> None:
    token = await reset_token(parley)
    with pytest.raises(Invalid) as refusal:
        await accounts.reset_password(parley, token, "alice1234")
    assert refusal.value.field == "password"
    await accounts.reset_password(parley, token, ANOTHER_PASSWORD)


async def test_a_reset_link_is_worthless_after_a_change_of_password(parley: Parley, alice: Viewer) -> None:
    token = await reset_token(parley)
    await accounts.change_password(parley, alice, PASSWORD, ANOTHER_PASSWORD, Browser())
    with pytest.raises(Invalid):
        await accounts.reset_password(parley, token, "talk among thieves")


async def test_a_reset_link_is_worthless_after_a_change_of_address(parley: Parley, alice: Viewer) -> None:
    """The readers of the old mailbox must not get into the account."""
    token = await reset_token(parley)
    await accounts.change_email(parley, alice, NEW, PASSWORD)
    await accounts.confirm(parley, await find_token_to(parley, NEW, Kind.CONFIRM_CHANGE))
    with pytest.raises(Invalid):
        await accounts.reset_password(parley, token, "talk among thieves")


async def test_a_link_of_one_account_does_not_work_for_another(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    assert bob.user_id
    bound = accounts.bound_to(await find_user_named(parley, "alice"))
    token = write_link(parley, Purpose.RESET, bob.user_id, bound).partition("#")[2]
    with pytest.raises(Invalid):
        await accounts.reset_password(parley, token, ANOTHER_PASSWORD)
    assert await can_sign_in(parley, "bob@example.com")


async def test_a_deleted_account_has_no_password_to_reset(parley: Parley, alice: Viewer) -> None:
    token = await reset_token(parley)
    await accounts.delete(parley, alice, PASSWORD, "keep")
    with pytest.raises(Invalid):
        await accounts.reset_password(parley, token, ANOTHER_PASSWORD)


async def test_a_reset_confirms_an_address(strict_parley: Parley) -> None:
    await accounts.sign_up(strict_parley, ALICE, "alice", PASSWORD)
    await accounts.reset_password(strict_parley, await reset_token(strict_parley), ANOTHER_PASSWORD)
    assert await can_sign_in(strict_parley, password=ANOTHER_PASSWORD)


# -- leaving ------------------------------------------------------------------------------------------------

DELETIONS: list[Literal["keep", "erase"]] = ["keep", "erase"]


async def comments_by(parley: Parley, viewer: Viewer) -> list[Comment]:
    async with parley.reading() as reading:
        by = select(Comment).where(Comment.user_id == viewer.user_id).order_by(Comment.topic, Comment.seq)
        return list((await reading.scalars(by)).all())


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_SIZE", 3)


@pytest.mark.usefixtures("small_batches")
async def test_comments_of_a_deleted_account_may_stay_without_a_name(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
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


@pytest.mark.usefixtures("small_batches")
async def test_comments_may_be_deleted_with_their_author(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    for number in range(8):
        await post_comment(parley, alice, f"a secret {number}", Topic("Article", str(number % 2)))
    await post_comment(parley, bob, "hello alice")
    await accounts.delete(parley, alice, PASSWORD, "erase")
    assert all(comment.deleted_at for comment in await comments_by(parley, alice))
    assert "secret" not in await dump_database(parley)
    assert [comment.body for comment in await comments_by(parley, bob)] == ["hello alice"]


@pytest.mark.parametrize("how", DELETIONS)
async def test_no_personal_data_is_left_of_a_deleted_account(parley: Parley, how: Literal["keep", "erase"]) -> None:
    made = await accounts.sign_up(parley, ALICE, "alice", PASSWORD, Browser("203.0.113.7", "Firefox on Linux"))
    assert made
    async with parley.reading() as reading:
        alice, _ = await viewer_of(reading, made[1].id)
    await post_comment(parley, alice, "hello")
    await accounts.change_email(parley, alice, "waiting@example.com", PASSWORD)
    await accounts.delete(parley, alice, PASSWORD, how)
    assert (await list_kinds_to(parley, ALICE))[-1] == Kind.DELETED
    async with Parley(parley.settings.model_copy(update={"environment": "production"}), LIVE_MODELS) as office:
        while await send_next(office):  # without a mail server, mail is only marked as sent
            pass
    left = await dump_database(parley)
    for trace in ("alice", "waiting", "203.0.113", "Firefox", "argon2"):
        assert trace not in left, trace


@pytest.mark.parametrize("how", DELETIONS)
async def test_a_deleted_account_is_signed_out_everywhere(
    parley: Parley, alice: Viewer, how: Literal["keep", "erase"]
) -> None:
    phone = await another_login(parley)
    comment = await post_comment(parley, alice, "hello")
    await accounts.delete(parley, alice, PASSWORD, how)
    assert [await read_end_reason(parley, viewer) for viewer in (alice, phone)] == ["deleted"] * 2
    assert not await can_sign_in(parley)
    with pytest.raises(SignInFirst):
        await accounts.delete(parley, alice, PASSWORD, how)
    with pytest.raises(SignInFirst):
        await post_comment(parley, alice, "one more thing")
    with suppress(Missing, Forbidden, SignInFirst):  # a request that began before the deletion
        await edit_comment(parley, alice, comment, "alice was here")
    assert not [comment for comment in await comments_by(parley, alice) if comment.username == "alice"]


async def test_the_name_and_address_of_a_deleted_account_are_free_again(parley: Parley, alice: Viewer) -> None:
    await post_comment(parley, alice, "hello")
    await accounts.delete(parley, alice, PASSWORD, "keep")
    again = await create_viewer(parley, "alice")
    assert again.user_id != alice.user_id
    assert await comments_by(parley, again) == []


@pytest.mark.both_databases
async def test_two_deletions_at_once_are_one(parley: Parley, alice: Viewer) -> None:
    results = await asyncio.gather(
        *(accounts.delete(parley, alice, PASSWORD, "keep") for _ in range(3)), return_exceptions=True
    )
    assert Counter(type(result).__name__ for result in results) == {"NoneType": 1, "SignInFirst": 2}
    assert (await list_kinds_to(parley, ALICE)).count(Kind.DELETED) == 1


@pytest.mark.parametrize("how", DELETIONS)
async def test_a_deletion_waits_for_a_comment_that_is_being_committed(
    parley: Parley, alice: Viewer, how: Literal["keep", "erase"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comment passed all checks and only needs its commit, when the account is deleted."""
    written, go_on, finish = asyncio.Event(), asyncio.Event(), GroupWrite.finish
    loop = asyncio.get_running_loop()

    def slow(write: GroupWrite) -> None:
        finish(write)
        loop.call_soon_threadsafe(written.set)
        if write.connection.dialect.is_async:
            await_only(go_on.wait())
        else:  # in a thread
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()

    monkeypatch.setattr(GroupWrite, "finish", slow)
    writing = asyncio.create_task(post_comment(parley, alice, "hello"))
    await written.wait()
    leaving = asyncio.create_task(accounts.delete(parley, alice, PASSWORD, how))
    await asyncio.wait([leaving], timeout=0.5)
    assert not leaving.done(), "the deletion cannot know all comments before that commit"
    go_on.set()
    await writing
    await leaving
    (comment,) = await comments_by(parley, alice)
    assert comment.username == (DELETED if how == "keep" else "")


@pytest.mark.parametrize("how", DELETIONS)
@pytest.mark.usefixtures("small_batches")
async def test_a_person_who_writes_during_the_deletion_leaves_no_name(
    parley: Parley, settings: Settings, how: Literal["keep", "erase"]
) -> None:
    """Two processes write on several topics again and again. In any order, no comment keeps the old name."""
    async with Parley(settings, LIVE_MODELS, listening=False) as other:
        for number in range(2):  # the deletion is requested from one process, then from the other
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
        for number in range(1_000):  # on SQLite the deletion gets its turn to write by chance, and sometimes late
            topic = Topic("Article", f"{author.username} {(writer + number) % 3}")
            await posting.post(process, author, topic, f"number {number}", uuid4())
            if number > 1:
                began.set()
        raise AssertionError("nobody was stopped")


@pytest.mark.parametrize("how", DELETIONS)
@pytest.mark.usefixtures("small_batches")
async def test_a_deletion_that_a_killed_process_began_is_finished(
    parley: Parley, alice: Viewer, how: Literal["keep", "erase"], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        await post_comment(parley, alice, f"number {number}", Topic("Article", str(number % 2)))
    writing, writes = parley.writing, []

    def killed_at_the_third(*topics: Topic) -> Any:
        writes.append(topics)
        if len(writes) == 3:  # after the account and three comments
            raise SystemError("killed")
        return writing(*topics)

    with monkeypatch.context() as doomed:
        doomed.setattr(parley, "writing", killed_at_the_third)
        with pytest.raises(SystemError):
            await accounts.delete(parley, alice, PASSWORD, how)
    named = [comment for comment in await comments_by(parley, alice) if comment.username == "alice"]
    assert len(named) == 5
    assert await read_end_reason(parley, alice) == "deleted", "the account is deleted first"

    await maintenance.run_once(parley)
    left = await comments_by(parley, alice)
    assert {comment.username for comment in left} == {DELETED if how == "keep" else ""}
    async with parley.reading() as reading:
        assert await reading.scalar(select(User.leaving).where(User.id == alice.user_id)) is None
    before = [comment.seq for comment in left]
    await maintenance.run_once(parley)
    assert [comment.seq for comment in await comments_by(parley, alice)] == before, (
        "a finished deletion changes nothing more"
    )


@pytest.mark.both_databases
async def test_several_processes_may_finish_a_deletion_at_once(
    parley: Parley, settings: Settings, alice: Viewer
) -> None:
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


async def test_a_page_shows_only_that_somebody_wrote_here(parley: Parley, alice: Viewer) -> None:
    await post_comment(parley, alice, "hello")
    await accounts.delete(parley, alice, PASSWORD, "keep")
    async with parley.reading() as reading:
        (comment,) = (await threads.page(reading, GUEST, ARTICLE)).comments
    rendered = threads.render(comment, GUEST)
    assert (rendered["username"], rendered["body"], rendered["current_user_can_edit"]) == (DELETED, "hello", False)
