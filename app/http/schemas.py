"""Schemas: models of the responses and of the streamed events, for `app.http.openapi`.

Nothing is rendered by them: renderers are functions of the models. They are held against real answers by
`tests/http/test_openapi.py`, which lets no member be missing here, and against real frames by `test_stream_events.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.accounts.logins import End
from app.accounts.name_completion import MAX_NAMES
from app.accounts.user import Role
from app.comments.comments import Remover
from app.live.presence.messages import Person
from app.live.stream.resume import Reason as Lost
from app.moderation.audit_log import Act
from app.moderation.reports import Reason
from app.notifications.notifications import About

Seq = Annotated[int, Field(ge=0, description="Where in its topic's order of changes.")]
Count = Annotated[int, Field(ge=0)]
Cursor = Annotated[str, Field(description="From where to stream on: opaque, for `/streams?cursor=`.")]
Before = Annotated[int | None, Field(description="What to ask for next, as `before=`; null at the beginning.")]

# -- objects ------------------------------------------------------------------------------------------------


class Tombstone(BaseModel):
    """What is left to say of an object that is gone, or that this viewer may not see."""

    id: UUID
    commentable_type: str
    commentable_id: str
    seq: Seq
    created_seq: Seq


class Removed(Tombstone):
    """A comment that a moderator has hidden from this viewer, or that an owner has erased."""

    removed_by: Literal[Remover.MODERATOR]


class Comment(Tombstone):
    """A comment as whoever asks sees it."""

    body: str
    html: Annotated[str, Field(description="The body as safe HTML, rendered from Markdown for chat.")]
    plain: Annotated[bool, Field(description="Whether the body has no Markdown in it.")]
    user_id: UUID | None
    username: str
    role: Annotated[Role | None, Field(description="The author's role, if it is `moderator` or `owner`.")]
    likes_count: Count
    parent_id: Annotated[UUID | None, Field(description="What it replies to.")]
    path: Annotated[list[UUID], Field(description="Under which it is drawn, from the top down.", max_length=4)]
    created_at: datetime
    updated_at: datetime
    edited: bool
    hidden: Annotated[bool, Field(description="By a moderator: only its author and moderators see it.")]
    current_user_can_edit: bool


class LikesChanged(Tombstone):
    """An update in which only the number of likes has changed: all other members are as they were."""

    likes_count: Count


class Remains(Tombstone):
    """An ancestor that is gone: what replies to it is still drawn under its place."""

    parent_id: UUID | None
    path: list[UUID]
    deleted: Literal[True]


class RemovedRemains(Remains):
    """An ancestor that a moderator has hidden from this viewer, or that an owner has erased."""

    removed_by: Literal[Remover.MODERATOR]


class Commentable(Tombstone):
    """What is commented on. Without a row yet, its `seq` is 0."""

    title: str
    locked: bool
    comments_count: Count
    url: Annotated[str, Field(description="The host's page that the conversation is under; empty if none is known.")]


class Like(Tombstone):
    """One's like of one comment."""

    comment_id: UUID


class Notification(Tombstone):
    """That somebody replied to one, or named one."""

    kind: About
    comment_id: UUID
    title: str
    url: Annotated[str, Field(description="The host's page that the conversation was under then; empty if none.")]
    actor_name: str
    created_at: datetime
    read: bool


class Report(Tombstone):
    """That somebody finds that a comment should not stand. For moderators."""

    comment_id: UUID
    place: Annotated[str, Field(description="The topic it is about, like `Article/1`.")]
    username: str
    reason: Reason
    note: str
    created_at: datetime


class Decision(Tombstone):
    """What a moderator did, and why. For moderators."""

    username: str
    act: Act
    place: str | None
    comment_id: UUID | None
    person_id: UUID | None
    person_name: str
    reason: str
    created_at: datetime


class User(BaseModel):
    """An account as its owner sees it."""

    id: UUID
    username: str
    email: str
    unconfirmed_email: str | None
    confirmed: bool
    role: Role


class Account(BaseModel):
    """As much of an account as moderators may know."""

    id: UUID
    username: str
    role: Role
    blocked: bool


class Login(BaseModel):
    """Where one is signed in."""

    id: UUID
    device: str
    address: str
    created_at: datetime
    seen_at: datetime
    remembered: bool
    current: bool


# What live models are rendered as, by the names in their events.
LIVE: dict[str, type[BaseModel]] = {
    "comment": Comment,
    "commentable": Commentable,
    "like": Like,
    "notification": Notification,
    "report": Report,
    "decision": Decision,
    "user": User,
}

# The form of an update in which only these members have changed.
PARTIAL: dict[str, type[BaseModel]] = {"comment": LikesChanged}

# Another form of a destroy.
REMOVED: dict[str, type[BaseModel]] = {"comment": Removed}

# -- answers ------------------------------------------------------------------------------------------------


class Place(BaseModel):
    commentable_type: str
    commentable_id: str
    seq: Seq


class Comments(BaseModel):
    """A page of a thread: a snapshot, and the cursor that goes with it."""

    comments: Annotated[list[Comment], Field(description="In order of creation.")]
    ancestors: Annotated[
        list[Comment | Remains | RemovedRemains], Field(description="Their ancestors that are not in the page.")
    ]
    cursor: Cursor
    before: Before
    after: Annotated[int | None, Field(description="What to ask for next, as `after=`; null at the live end.")]
    commentable: Place


class Ancestors(BaseModel):
    ancestors: list[Comment | Remains | RemovedRemains]


class Likes(BaseModel):
    likes: list[Like]
    cursor: Cursor
    before: None


class Commentables(BaseModel):
    commentables: list[Commentable]
    cursor: Cursor
    before: None
    names: Annotated[dict[str, str], Field(description="With `by_name=1`: the topic of each valid name.")] = {}
    refused: Annotated[dict[str, str], Field(description="With `by_name=1`: what is wrong with each other name.")] = {}


class Notifications(BaseModel):
    notifications: list[Notification]
    cursor: Cursor
    before: Before
    unread: Annotated[Count, Field(description="Of all.")]
    earlier_unread: Annotated[Count, Field(description="Of those before this page.")]


class Marked(BaseModel):
    read: Annotated[Count, Field(description="So many have been marked.")]


class Reports(BaseModel):
    reports: list[Report]
    cursor: Cursor
    before: Before


class Decisions(BaseModel):
    decisions: list[Decision]
    cursor: Cursor
    before: Before


class Reported(BaseModel):
    comment_id: UUID
    reason: Reason
    note: str


class Name(BaseModel):
    """An account as others know it."""

    id: UUID
    username: str


class Names(BaseModel):
    users: Annotated[list[Name], Field(max_length=MAX_NAMES)]


class Mutes(BaseModel):
    mutes: Annotated[list[Name], Field(description="By name.")]


class WhoAmI(BaseModel):
    user: Annotated[User | None, Field(description="Null for a guest.")]


class MailTo(BaseModel):
    """The same answer whether or not there is an account for it."""

    email: str


class SignIns(BaseModel):
    """How often, and the sign-in before this one: who was not it themselves then should know."""

    count: Count
    last_at: datetime | None
    last_address: str | None


class Logins(BaseModel):
    logins: list[Login]
    sign_ins: SignIns | None


class Alive(BaseModel):
    status: Literal["alive"]


class Readiness(BaseModel):
    status: Literal["ready", "not ready"]
    database: Annotated[str, Field(description="`up`, or what is wrong.")]
    migrations: Literal["up to date", "behind", "ahead", "unknown"]
    mail: Annotated[str, Field(description="`up`, `kept` for `/dev/mail`, `off`, or how many have waited for long.")]
    redis: Literal["up", "down"]


# -- refusals -----------------------------------------------------------------------------------------------


class Wrong(BaseModel):
    field: str
    detail: str


class Problem(BaseModel):
    """A refusal (RFC 9457). It never repeats what was sent."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    errors: list[Wrong] = []
    topic_positions: Annotated[
        list[int], Field(description="The positions, from 0, of a stream's topics that cannot be followed.")
    ] = []


class Invalid(Problem):
    """What cannot be taken, field by field."""

    errors: Annotated[list[Wrong], Field(min_length=1)]


class StaleComment(Problem):
    """It has changed since the version that the change was made for."""

    comment: Annotated[Comment, Field(description="What it is now.")]


class StaleNotification(Problem):
    """It has changed since the version that the change was made for."""

    notification: Annotated[Notification, Field(description="What it is now.")]


# -- what a stream says beside changes ----------------------------------------------------------------------


class HeartbeatEvent(BaseModel):
    """The first block of a stream, and then every 15 seconds."""

    cursor: Annotated[str, Field(description="The head. Where it is not the `id:`, more is on its way.")]


class ResetEvent(BaseModel):
    """What the client has of these topics is not sure: fetch them anew. The stream goes on from the `id:`."""

    topics: list[str]
    reason: Annotated[str, Field(json_schema_extra={"enum": [*Lost]})]


class AuthEvent(BaseModel):
    """The login of this stream has ended, and how, where that is known."""

    reason: End | None


class PresenceEvent(BaseModel):
    """Who is at a topic, and who types there, for who takes part (`presence=1`)."""

    topic: str
    people: Annotated[list[Person], Field(description="The first of them.")]
    count: Count
    guests: Count
    typing: list[Person]
    typing_count: Count


STREAM: dict[str, type[BaseModel]] = {
    "heartbeat": HeartbeatEvent,
    "reset": ResetEvent,
    "auth": AuthEvent,
    "presence": PresenceEvent,
}
