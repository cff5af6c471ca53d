"""The demo: three short articles, three accounts (the first is the owner) and their comments.

It is written into an empty database, in development only. The README publishes the password of its accounts. So
production does not start while one of them can sign in with that password: see `refuse_accounts`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from app.accounts import accounts, roles
from app.accounts.passwords import verify_password
from app.accounts.user import Role, User, any_account_exists, oldest_created
from app.commentables import commentables
from app.comments import posting
from app.database import Reading, Schema, log_error
from app.errors import Refusal
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer

PASSWORD = "talk among friends"
CANDIDATES = 20  # accounts; the demo is written into an empty database, so its three are the oldest
RETRY_SECONDS = 5.0  # between two checks while the database does not answer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Article:
    title: str
    byline: str
    summary: str
    paragraphs: tuple[str, ...]


ARTICLES: Mapping[Topic, Article] = {
    Topic("Article", "1"): Article(
        "The parrot that would not say hello",
        "From the harbour pages",
        "A ship's parrot, three harbour masters, and the only word it ever refused.",
        (
            "The grey parrot of the customs house knew the tide tables, two shanties and the names of "
            "eleven ships, all but one of them sunk. What it would not say, to anyone, was hello.",
            "Three harbour masters tried. The first brought almonds, the second a mirror, the third a rival "
            "parrot, who said hello all day to an audience that turned its back.",
            "On the morning the third retired, he closed the door softly, so as not to wake it. “Mind the "
            "step,” said the parrot. He had worked there for thirty years, and there was a step.",
        ),
    ),
    Topic("Article", "2"): Article(
        "How to read a river",
        "Notes from a slow walk",
        "Where it runs smooth it runs deep, and other things the water tells you for nothing.",
        (
            "Begin with the sound. A river that talks is shallow; one that hums has found its depth. Where "
            "it falls silent, stay on the bank.",
            "Then look for the line of foam. It marks the fastest water, and whatever floats down will keep "
            "to it: leaves, hats, the morning's news from upstream.",
            "Last, turn round. The river you have read is already somebody else's, further down.",
        ),
    ),
    Topic("Page", "about"): Article(
        "About this place",
        "A page like any other",
        "What Parley is. Anything with a type and an id can be talked about, this page too.",
        (
            "Parley puts a conversation under anything. Open this page in two windows, sign in as two people "
            "and write: each sees what the other does, as it happens.",
            "Pull the plug on the network, write on in the other window, and put it back. Nothing is missing.",
        ),
    ),
}

PEOPLE = ("Alice", "Bob", "Carol")
ADDRESSES = tuple(f"{name.lower()}@example.com" for name in PEOPLE)

CONVERSATION = (
    ("Alice", Topic("Article", "1"), "There is always a step."),
    (
        "Bob",
        Topic("Article", "1"),
        "Ours, a cockatoo, answered the telephone. It never said hello either; it listened.",
    ),
    ("Carol", Topic("Article", "1"), "The almonds were a mistake. You never open with almonds."),
    (
        "Alice",
        Topic("Article", "2"),
        "“One that hums has found its depth.” I shall be insufferable about this all summer.",
    ),
    ("Carol", Topic("Page", "about"), "Tried it with two windows. It really is that quick."),
)


async def seed(parley: Parley) -> bool:
    """Write the demo if the database has no accounts. Returns whether it was written."""
    async with parley.reading() as reading:
        if await any_account_exists(reading):
            return False
    viewers = {}
    for name in PEOPLE:
        user = await accounts.create_account(parley, f"{name.lower()}@example.com", name, PASSWORD)
        viewers[name] = Viewer(user.id, user.username)
    for topic, article in ARTICLES.items():
        async with parley.writing(topic.about) as write, commentables.changing(write, topic) as commentable:
            commentable.title = article.title
    await roles.assign_role(parley, f"{PEOPLE[0].lower()}@example.com", Role.OWNER)
    for name, topic, body in CONVERSATION:
        await posting.post(parley, viewers[name], topic, body, uuid4())
    return True


# -- in production ------------------------------------------------------------------------------------------


class DemoAccounts(Refusal):
    """These accounts accept the password that the README publishes."""

    def __init__(self, users: Sequence[User]) -> None:
        super().__init__(f"{describe(users)} Remove them before you start: parley demo remove")


def describe(users: Sequence[User]) -> str:
    """A sentence that names the accounts, the most powerful first."""
    named = [f"{user.email} ({user.role})" for user in sorted(users, key=lambda user: user.role, reverse=True)]
    return f"Demo accounts with the published password: {', '.join(named)}."


async def find_accounts(reading: Reading) -> tuple[list[User], list[User]]:
    """(accounts that accept the published password, demo accounts whose password was changed).

    The candidates are the oldest accounts that were made without a sign-up, as the demo's are. So a demo account that
    was renamed or given another address is found, too. Each candidate costs one password hash.
    """
    published, changed = [], []
    for user in await oldest_created(reading, CANDIDATES):
        if await verify_password(PASSWORD, user.password_hash):
            published.append(user)
        elif user.email in ADDRESSES:
            changed.append(user)
    return published, changed


async def refuse_accounts(parley: Parley) -> None:
    """Raises DemoAccounts in production if the published password signs somebody in."""
    if parley.settings.environment == "production":
        async with parley.reading() as reading:
            published, _ = await find_accounts(reading)
        if published:
            raise DemoAccounts(published)


async def refuse_accounts_at_start(parley: Parley) -> bool:
    """Like `refuse_accounts`. Returns False if the database cannot be asked yet, for example before it is migrated."""
    if parley.settings.environment != "production":
        return True
    try:
        if await parley.database.schema() is Schema.BEHIND:
            return False
        await refuse_accounts(parley)
    except DemoAccounts as found:
        log.critical("Not started. %s", found)
        raise
    except Exception as error:
        log_error(log, error, "demo accounts")
        return False
    return True


async def keep_refusing_accounts(parley: Parley) -> None:
    """Check again until the database answers. If it has demo accounts, end this process as SIGTERM does."""
    while True:
        await asyncio.sleep(RETRY_SECONDS)
        try:
            if await refuse_accounts_at_start(parley):
                return
        except DemoAccounts:
            signal.raise_signal(signal.SIGTERM)
            return


async def remove(parley: Parley, *, changed_too: bool = False) -> tuple[list[str], list[str]]:
    """Delete the demo's accounts with their comments, and its titles. Returns (addresses deleted, addresses left).

    An account whose password was changed probably belongs to somebody: it stays, unless `changed_too`.
    """
    async with parley.reading() as reading:
        published, changed = await find_accounts(reading)
        found = await commentables.of(reading, list(ARTICLES))
    doomed, left = ([*published, *changed], []) if changed_too else (published, changed)
    for user in doomed:
        await accounts.remove(parley, user.id)
    for topic, article in ARTICLES.items():
        if found[topic].title == article.title:
            async with parley.writing(topic.about) as write, commentables.changing(write, topic) as commentable:
                commentable.title = ""
    return [user.email for user in doomed], [user.email for user in left]
