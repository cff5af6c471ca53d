"""Followers: the cost of a comment in a conversation with 10,000 followers, and urgent mail beside the mail to them.

1. Two people post in turns in the conversation and in one without followers. The followers wait for their mail then, so
   the CPU time is that of the comments.
2. Somebody requests links for a new password, one at a time. The time runs from the request until the mail server has
   received the mail: first while no other mail is due, then while the mails to all followers are queued and sent.
3. The mail server accepts everything, in the process of the bench. CPU time is that of the server's processes and of
   its Redis, without PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select, update

from app.accounts.user import User
from app.database import Database
from app.live.topics import Topic
from app.live.write.sequences import Counter
from app.reply_mail.follows import Follow, FollowedConversation
from bench import servers
from bench.filling import store, user_row
from bench.measure import cpu, median, percentile
from bench.poster import Poster
from bench.servers import Server
from tests.support.smtp import MailServer, mail_server
from tests.support.waiting import wait_until

FOLLOWERS = 10_000
TOPICS = {"followers": "1", "without": "2"}
POSTS = 100  # in one turn
LINKS = 8  # requested while no other mail is due
BUSY_SECONDS = 20.0  # in which links are requested while followers get mail


async def run(rounds: int, log: Any = print) -> dict[str, Any]:
    found = []
    for kind in servers.DATABASES:
        async with servers.data(kind) as url, mail_server() as mails, _site(url, mails) as server:
            found.append({"database": kind, **await _measure(Database(url), server, mails, rounds)})
        log(f"followers: {found[-1]}")
    return {"followers": FOLLOWERS, "posts": POSTS, "rounds": rounds, "databases": found}


@asynccontextmanager
async def _site(database_url: str, mails: MailServer) -> AsyncIterator[Server]:
    environment = {
        "ENVIRONMENT": "production", "SECRET_KEY": "a key of the bench that is long enough", "SMTP_URL": mails.url,
        "PUBLIC_URL": "http://127.0.0.1:8000", "MAIL_FROM": "parley@talk.example.com", "REQUIRE_CONFIRMATION": "off",
        "REPLY_MAIL_DELAY_SECONDS": "3600",
    }  # fmt: skip
    async with servers.parley(database_url, environment=environment) as server:
        yield server


async def _measure(database: Database, server: Server, mails: MailServer, rounds: int) -> dict[str, Any]:
    try:
        await _follow(database)
        account = await servers.sign_up(server.port, "Author")
        async with Poster(server.port, account.headers(server.port)) as author, Poster(server.port) as guest:
            for topic in TOPICS.values():
                await author.post("/api/comments/", servers.comment(topic))
            began = cpu(server.pids())
            await wait_until(lambda: _are_awake(database), "all followers to wait for their mail", 120)
            woken = cpu(server.pids()) - began
            posts = await _post_in_turns(server, author, rounds)
            idle = [await _request_link(guest, mails) for _ in range(LINKS)]
            await _make_due(database)
            began_at, before = time.monotonic(), len(mails.received)
            busy = []
            while time.monotonic() - began_at < BUSY_SECONDS:
                busy.append(await _request_link(guest, mails))
            sent = len(mails.received) - before - len(busy)
            took = time.monotonic() - began_at
        assert 0 < sent < FOLLOWERS, "the links were not requested beside mail to followers"
        return {
            "wake_cpu_s": woken, "posts": posts, "idle": _summary(idle), "busy": _summary(busy),
            "mails_a_second": sent / took,
        }  # fmt: skip
    finally:
        await database.close()


async def _follow(database: Database) -> None:
    place, now = str(Topic("Article", TOPICS["followers"])), datetime.now(UTC)
    people = [{**user_row(uuid4()), "confirmed_at": now} for _ in range(FOLLOWERS)]
    await store(database, User, people)
    follows = [{"user_id": each["id"], "place": place, "created_at": now, "decided_seq": 0} for each in people]
    await store(database, Follow, [{**each, "read_seq": 0} for each in follows])
    await store(database, FollowedConversation, [{"place": place, "seq": 0}])


async def _are_awake(database: Database) -> bool:
    async with database.reading() as reading:
        waiting = select(func.count()).select_from(Follow).where(Follow.mail_due_at.is_not(None))
        return await reading.scalar(waiting) == FOLLOWERS


async def _make_due(database: Database) -> None:
    """Make all mail due now. Each one has the newest comment only."""
    async with database.transaction() as writing, writing.begin():
        head = select(Counter.seq - 1).where(Counter.name == Follow.place).scalar_subquery()
        due = datetime.now(UTC) - timedelta(seconds=1)
        await writing.execute(update(Follow).values(mail_due_at=due, decided_seq=head))


async def _post_in_turns(server: Server, author: Poster, rounds: int) -> dict[str, Any]:
    waits: dict[str, list[float]] = {name: [] for name in TOPICS}
    costs: dict[str, list[float]] = {name: [] for name in TOPICS}
    for at in range(2 * rounds):
        # Each one is first in every second round.
        for name, topic in list(TOPICS.items())[:: 1 if at % 2 else -1]:
            began = cpu(server.pids())
            for _ in range(POSTS):
                asked = time.monotonic()
                await author.post("/api/comments/", servers.comment(topic))
                waits[name].append(time.monotonic() - asked)
            costs[name].append((cpu(server.pids()) - began) / POSTS)
    return {
        name: {"cpu_ms": median(costs[name]) * 1e3, "p50_ms": percentile(waits[name], 50) * 1e3,
               "p99_ms": percentile(waits[name], 99) * 1e3}
        for name in TOPICS
    }  # fmt: skip


async def _request_link(guest: Poster, mails: MailServer) -> float:
    """The seconds from a request for a link to a new password until the mail server has it."""
    before, began = len(mails.received), time.monotonic()
    await guest.post("/api/resets", json.dumps({"email": "author@example.com"}).encode())
    while all(mail.to != "author@example.com" for mail in mails.received[before:]):
        await asyncio.sleep(0.002)
    return time.monotonic() - began


def _summary(times: list[float]) -> dict[str, float]:
    return {"p50_ms": percentile(times, 50) * 1e3, "worst_ms": max(times) * 1e3, "links": len(times)}
