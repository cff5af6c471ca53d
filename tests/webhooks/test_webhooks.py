"""Webhooks with a real receiver that refuses, hangs and redirects. Each change arrives, in order, and signed."""

from __future__ import annotations

import asyncio
import hmac
import random
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from app.accounts import roles
from app.accounts.user import Role
from app.comments import comments, posting, threads
from app.errors import Conflict
from app.live.service import Parley
from app.live.topics import QUEUE, Topic
from app.live.viewers import GUEST
from app.models import LIVE_MODELS
from app.moderation import moderation
from app.moderation.reports import Reason
from app.settings import Settings
from app.webhooks import deliveries, sender
from app.webhooks.deliveries import Delivery
from app.webhooks.sender import send_webhooks
from tests.support.moderators import create_moderator
from tests.support.people import email_of, person
from tests.support.people_without_http import (
    ARTICLE,
    create_viewer,
    delete_comment,
    edit_comment,
    hide_comment,
    post_comment,
)
from tests.support.serving import serving
from tests.support.waiting import cancel_tasks, wait_until
from tests.support.webhook_receiver import Receiver, Webhook, webhook_receiver

KEYS = [b"a key of a receiver, 32 bytes ...", b"the key before that one, 32 bytes"]
SECRETS = tuple(f"whsec_{b64encode(key).decode()}" for key in KEYS)
OTHER = Topic("Article", "2")
PUBLIC_ADDRESS = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 80))]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def settings(settings: Settings, receiver: Receiver) -> Settings:
    return with_webhooks(settings, receiver.url)


@pytest.fixture(autouse=True)
def fast_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "POLL_SECONDS", 0.02)


def with_webhooks(settings: Settings, *urls: str, **more: Any) -> Settings:
    values = {"webhook_urls": urls, "webhook_secret": SECRETS[:1], "webhook_allow_private": True, **more}
    return settings.model_copy(update=values)


@asynccontextmanager
async def sending(*processes: Parley) -> AsyncIterator[None]:
    """Inside the block, the senders of these processes run."""
    running = [asyncio.create_task(send_webhooks(parley)) for parley in processes]
    try:
        yield
    finally:
        await cancel_tasks(*running)


async def wait_for(receiver: Receiver, count: int) -> list[Webhook]:
    await wait_until(lambda: len(receiver.acknowledged) >= count, f"{count} webhooks")
    return receiver.acknowledged


async def count_waiting(parley: Parley) -> int:
    async with parley.reading() as reading:
        return (await deliveries.count_waiting(reading))[0]


async def wait_for_empty_queue(parley: Parley) -> None:
    async def is_empty() -> bool:
        return await count_waiting(parley) == 0

    await wait_until(is_empty, "an empty queue")


async def shift(parley: Parley, **by: timedelta) -> None:
    """Move these times of all deliveries, as if the clock had moved the other way."""
    async with parley.database.transaction() as writing, writing.begin():
        for delivery in await writing.scalars(select(Delivery)):
            for name, delta in by.items():
                if at := getattr(delivery, name):
                    setattr(delivery, name, at + delta)


# -- what arrives -------------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_a_receiver_gets_each_change_of_a_comment_in_order(parley: Parley, receiver: Receiver) -> None:
    alice = await create_viewer(parley, "Alice")
    async with sending(parley):
        comment = await post_comment(parley, alice, "There is a stepp")
        (created,) = await wait_for(receiver, 1)
        await edit_comment(parley, alice, comment, "There is a step")
        await wait_for(receiver, 2)
        await delete_comment(parley, alice, comment)
        await wait_for(receiver, 3)
        await wait_for_empty_queue(parley)
    assert receiver.bodies() == [
        ("comment.create", "There is a stepp"), ("comment.update", "There is a step"), ("comment.destroy", ""),
    ]  # fmt: skip
    assert created.message["data"]["gid"] == f"gid://parley/Comment/{comment.id}"
    assert (created.topic, created.model["seq"]) == ("Article/1", 1)
    assert not created.model["current_user_can_edit"]


async def test_a_receiver_verifies_a_webhook_with_either_secret(parley: Parley, receiver: Receiver) -> None:
    alice = await create_viewer(parley, "Alice")
    parley.settings = parley.settings.model_copy(update={"webhook_secret": SECRETS})
    async with sending(parley):
        await post_comment(parley, alice, "Hello")
        (webhook,) = await wait_for(receiver, 1)
    signed = f"{webhook.id}.{webhook.headers['webhook-timestamp']}.".encode() + webhook.body
    expected = [f"v1,{b64encode(hmac.digest(key, signed, 'sha256')).decode()}" for key in KEYS]
    assert webhook.headers["webhook-signature"].split() == expected
    assert abs(int(webhook.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert webhook.headers["content-type"] == "application/json"


async def test_a_receiver_gets_reports_and_decisions(parley: Parley, receiver: Receiver) -> None:
    alice, bob = await create_viewer(parley, "Alice"), await create_moderator(parley, "Bob")
    comment = await post_comment(parley, alice, "buy this")
    async with sending(parley):
        await moderation.report(parley, bob, comment.id, Reason.SPAM, "an advertisement")
        await wait_for_empty_queue(parley)
        await moderation.hide(parley, bob, comment.id, "no advertisements")
        await wait_for_empty_queue(parley)
    there = [(webhook.type, webhook.topic) for webhook in receiver.acknowledged]
    assert sorted(there) == [
        ("comment.create", "Article/1"),
        ("comment.destroy", "Article/1"),
        ("decision.create", str(QUEUE)),
        ("report.create", str(QUEUE)),
        ("report.destroy", str(QUEUE)),
    ]
    (decision,) = (webhook.model for webhook in receiver.acknowledged if webhook.type == "decision.create")
    assert (decision["act"], decision["reason"], decision["username"]) == ("hide", "no advertisements", "Bob")


@pytest.mark.both_databases
async def test_a_receiver_that_merges_by_seq_has_what_a_guest_has(
    parley: Parley, receiver: Receiver, seed: int
) -> None:
    alice, chance = await create_viewer(parley, "Alice"), random.Random(seed)
    made = []
    async with sending(parley):
        for number in range(40):
            match chance.choice(["post", "post", "edit", "hide", "show", "delete"]) if made else "post":
                case "post":
                    made.append(await post_comment(parley, alice, f"Comment {number}"))
                case "edit":
                    await edit_comment(parley, alice, chance.choice(made), f"Comment {number}")
                case "delete":
                    await delete_comment(parley, alice, made.pop(chance.randrange(len(made))))
                case act:
                    await hide_comment(parley, chance.choice(made).id, act == "hide")
        await wait_for_empty_queue(parley)
    known: dict[str, dict[str, Any]] = {}
    for webhook in receiver.acknowledged:
        model = webhook.model
        if model["seq"] >= known.get(model["id"], {"seq": 0})["seq"]:
            known[model["id"]] = model
    async with parley.reading() as reading:
        page = await threads.page(reading, GUEST, ARTICLE, limit=threads.PAGE)
    shown = {str(comment.id): comment.body for comment in page.comments if comment.counts}
    assert {id_: model["body"] for id_, model in known.items() if "body" in model} == shown


async def test_comments_that_are_written_together_are_all_sent(parley: Parley, receiver: Receiver) -> None:
    people = [await create_viewer(parley, f"Person{number}") for number in range(12)]
    await post_comment(parley, people[0], "The first")
    await asyncio.gather(*(post_comment(parley, one, f"By {one.username}") for one in people))
    async with sending(parley):
        await wait_for(receiver, 13)
    assert [webhook.model["seq"] for webhook in receiver.acknowledged] == list(range(1, 14))


async def test_a_text_that_was_deleted_before_it_was_sent_is_not_sent(parley: Parley, receiver: Receiver) -> None:
    alice = await create_viewer(parley, "Alice")
    comment = await post_comment(parley, alice, "a secret")
    hidden = await post_comment(parley, alice, "another secret")
    await delete_comment(parley, alice, comment)
    await hide_comment(parley, hidden.id)
    async with sending(parley):
        await wait_for(receiver, 4)
    assert {webhook.type for webhook in receiver.acknowledged} == {"comment.destroy"}
    assert not any(b"secret" in webhook.body for webhook in receiver.received)


async def test_a_refused_comment_is_not_sent(parley: Parley) -> None:
    alice, bob = await create_viewer(parley, "Alice"), await create_viewer(parley, "Bob")
    comment = await post_comment(parley, alice, "Mine")
    with pytest.raises(comments.Forbidden):
        await edit_comment(parley, bob, comment, "Not mine")
    with pytest.raises(Conflict):
        await posting.post(parley, bob, ARTICLE, "The same id", comment.id)
    assert await count_waiting(parley) == 1


async def test_without_urls_nothing_is_stored(parley: Parley) -> None:
    parley.settings = parley.recording.settings = parley.settings.model_copy(update={"webhook_urls": ()})
    await post_comment(parley, await create_viewer(parley, "Alice"), "Hello")
    await send_webhooks(parley)  # returns
    assert await count_waiting(parley) == 0


# -- receivers that fail ------------------------------------------------------------------------------------


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "RETRY_WAITS", (timedelta(milliseconds=50), timedelta(milliseconds=200)))


@pytest.mark.both_databases
@pytest.mark.usefixtures("quick_retries")
async def test_a_failure_is_retried_and_holds_up_its_own_topic_only(parley: Parley, receiver: Receiver) -> None:
    alice = await create_viewer(parley, "Alice")
    receiver.respond(500, str(ARTICLE))
    async with sending(parley):
        for body in ("One", "Two", "Three"):
            await post_comment(parley, alice, body)
        await post_comment(parley, alice, "Elsewhere", OTHER)
        await wait_for(receiver, 1)
        await wait_until(lambda: len(receiver.received) > 4, "retries")
        assert {webhook.model["body"] for webhook in receiver.received} == {"One", "Elsewhere"}
        receiver.behave()
        await wait_for(receiver, 4)
    assert [body for _, body in receiver.bodies()] == ["Elsewhere", "One", "Two", "Three"]
    assert len({webhook.id for webhook in receiver.received}) == 4  # a retry has the id of the first attempt


@pytest.mark.usefixtures("quick_retries")
async def test_a_receiver_that_hangs_is_retried(
    parley: Parley, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "TIMEOUT_SECONDS", 0.2)
    alice = await create_viewer(parley, "Alice")
    receiver.hang()
    async with sending(parley):
        await post_comment(parley, alice, "Hello")
        await wait_until(lambda: len(receiver.received) > 1, "a second attempt")
        receiver.behave()
        await wait_for_empty_queue(parley)
    assert {webhook.id for webhook in receiver.received} == {receiver.received[0].id}


async def test_a_receiver_that_hangs_does_not_delay_another_one(settings: Settings, receiver: Receiver) -> None:
    async with webhook_receiver() as other:
        receiver.hang()
        async with process(with_webhooks(settings, receiver.url, other.url)) as parley, sending(parley):
            alice = await create_viewer(parley, "Alice")
            for number in range(sender.SENDERS + 1):
                await post_comment(parley, alice, "Hello", Topic("Article", str(number)))
            await wait_for(other, sender.SENDERS + 1)
            assert receiver.acknowledged == []
            receiver.behave()


async def test_a_redirect_is_not_followed(parley: Parley, receiver: Receiver) -> None:
    receiver.respond(307, location=receiver.url)
    async with sending(parley):
        await post_comment(parley, await create_viewer(parley, "Alice"), "Hello")
        await wait_until(lambda: read_error(parley), "the failure")
        assert await read_error(parley) == "the receiver responded 307"
    assert len(receiver.received) == 1


async def read_error(parley: Parley) -> str | None:
    async with parley.reading() as reading:
        return await reading.scalar(select(Delivery.error))


async def test_a_delivery_that_fails_for_three_days_is_a_dead_letter(parley: Parley, receiver: Receiver) -> None:
    alice = await create_viewer(parley, "Alice")
    receiver.respond(500)
    await post_comment(parley, alice, "One")
    await shift(parley, changed_at=-deliveries.RETRY_PERIOD - timedelta(seconds=1))
    await post_comment(parley, alice, "Two")
    async with sending(parley):
        await wait_until(lambda: find_dead(parley), "the dead letter")
        receiver.behave()
        await wait_for(receiver, 1)  # the next one of the topic is no longer held up
        assert [body for _, body in receiver.bodies()] == ["Two"]
        async with parley.database.transaction() as writing, writing.begin():
            assert await deliveries.retry_dead_letters(writing) == 1
        await wait_for(receiver, 2)
    assert [body for _, body in receiver.bodies()] == ["Two", "One"]
    assert await find_dead(parley) == []


async def test_moderators_see_dead_letters_without_the_paths_of_their_urls(settings: Settings) -> None:
    from app.main import create_app

    quiet = settings.model_copy(update={"webhook_urls": ()})
    async with serving(app := create_app(quiet)) as site, person(site, "Alice") as alice:
        async with app.state.parley.database.transaction() as writing, writing.begin():
            writing.add(
                Delivery(
                    url="https://chat.example/a-secret", model="Comment", object_id=uuid4(), topic="Article/1", seq=1,
                    created=True, changed_at=datetime.now(UTC), failed_at=datetime.now(UTC),
                    error="the receiver responded 404",
                )
            )  # fmt: skip
        await roles.assign_role(app.state.parley, email_of("Alice"), Role.MODERATOR)
        html = (await alice.get("/moderation")).text
    assert "<b>chat.example</b> did not get a comment at Article/1: the receiver responded 404" in html
    assert "a-secret" not in html


async def find_dead(parley: Parley) -> list[Delivery]:
    async with parley.reading() as reading:
        return list(await deliveries.dead_letters(reading, 10))


async def test_old_dead_letters_and_removed_urls_are_dropped(
    parley: Parley, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MAX_DEAD_LETTERS", 2)
    alice, now = await create_viewer(parley, "Alice"), datetime.now(UTC)
    for body in ("waiting", "dead", "dead since yesterday", "dead for a month", "too many", "of a removed URL"):
        await post_comment(parley, alice, body)
    values: list[dict[str, Any]] = [
        {},
        {"failed_at": now},
        {"failed_at": now - timedelta(days=1)},
        {"failed_at": now - timedelta(days=31)},
        {"failed_at": now - timedelta(days=2)},
        {"url": "https://removed.example", "changed_at": now - timedelta(days=4)},
    ]
    async with parley.database.transaction() as writing, writing.begin():
        for seq, change in enumerate(values, 1):
            if change:
                await writing.execute(update(Delivery).where(Delivery.seq == seq).values(change))
        await deliveries.prune(writing, [receiver.url])
        assert list(await writing.scalars(select(Delivery.seq).order_by(Delivery.seq))) == [1, 2, 3]


# -- processes that die, and more than one ------------------------------------------------------------------


def process(settings: Settings) -> Parley:
    return Parley(settings, LIVE_MODELS, listening=False)


async def test_a_process_that_dies_after_the_commit_loses_nothing(settings: Settings, receiver: Receiver) -> None:
    async with process(settings) as dying:
        await post_comment(dying, await create_viewer(dying, "Alice"), "Hello")  # no sender runs
    async with process(settings) as other, sending(other):
        await wait_for(receiver, 1)
    assert receiver.bodies() == [("comment.create", "Hello")]


async def test_a_process_that_dies_while_it_sends_sends_again_with_the_same_id(
    settings: Settings, receiver: Receiver
) -> None:
    async with process(settings) as parley:
        receiver.hang()
        async with sending(parley):
            await post_comment(parley, await create_viewer(parley, "Alice"), "Hello")
            await wait_until(lambda: receiver.received, "the first attempt")
        receiver.behave()  # the sender is gone; nobody has recorded the response
        assert await count_waiting(parley) == 1
        async with sending(parley):
            await shift(parley, due_at=-deliveries.CLAIM_PERIOD)
            await wait_for_empty_queue(parley)
    assert len({webhook.id for webhook in receiver.received}) == 1
    assert len(receiver.received) == 2


@pytest.mark.both_databases
async def test_two_processes_send_each_webhook_once_and_in_order(settings: Settings, receiver: Receiver) -> None:
    topics = [Topic("Article", str(number)) for number in range(5)]
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(process(settings)) for _ in range(2)]
        alice = await create_viewer(one, "Alice")
        async with sending(one, two):
            for number in range(30):
                await post_comment((one, two)[number % 2], alice, str(number), topics[number % 5])
            await wait_for(receiver, 30)
            await wait_for_empty_queue(one)
    assert len(receiver.received) == 30
    for topic in topics:
        seqs = [webhook.model["seq"] for webhook in receiver.acknowledged if webhook.topic == str(topic)]
        assert seqs == list(range(1, 7))


async def test_a_clock_that_jumps_loses_nothing(parley: Parley, receiver: Receiver) -> None:
    alice = await create_viewer(parley, "Alice")
    await post_comment(parley, alice, "Before")
    await shift(parley, changed_at=timedelta(hours=1))  # the clock was ahead
    async with sending(parley):
        await wait_for(receiver, 1)
        await post_comment(parley, alice, "After")
        await wait_for(receiver, 2)


# -- addresses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "receiver.example", "receiver.both.example"])
async def test_a_private_address_is_refused(
    settings: Settings, receiver: Receiver, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def resolve_to_this_machine(host: str, *more: Any, **options: Any) -> Any:
        found = await resolve("127.0.0.1" if host.endswith(".example") else host, *more, **options)
        return [*PUBLIC_ADDRESS, *found] if host == "receiver.both.example" else found

    monkeypatch.setattr(loop, "getaddrinfo", resolve_to_this_machine)
    url = receiver.url.replace("127.0.0.1", name)
    async with process(with_webhooks(settings, url, webhook_allow_private=False)) as parley:
        await post_comment(parley, await create_viewer(parley, "Alice"), "Hello")
        async with sending(parley):
            await wait_until(lambda: read_error(parley), "the failure")
            assert "private" in str(await read_error(parley))
    assert receiver.received == []
