"""The demo: three short articles, three people, the first of them the owner, and what they said.

For development, into an empty database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from app.live.parley import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.models import account as accounts
from app.models import comment as comments
from app.models import commentable as commentables
from app.models import role
from app.models.user import Role, anybody

PASSWORD = "talk among friends"


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
    """Write the demo, unless there is anybody already. Answers whether it did."""
    async with parley.reading() as reading:
        if await anybody(reading):
            return False
    viewers = {}
    for name in PEOPLE:
        user = await accounts.make(parley, f"{name.lower()}@example.com", name, PASSWORD)
        viewers[name] = Viewer(user.id, user.username)
    for topic, article in ARTICLES.items():
        async with parley.writing(topic.about) as write, commentables.changing(write, topic) as commentable:
            commentable.title = article.title
    await role.give(parley, f"{PEOPLE[0].lower()}@example.com", Role.OWNER)
    for name, topic, body in CONVERSATION:
        await comments.post(parley, viewers[name], topic, body, uuid4())
    return True
