"""Operations: what each endpoint takes and answers, said once, for `app.http.openapi` to describe.

What follows from the rest is not said: a body may be no JSON, who writes may come from another site, and so on; see
`Operation.refusals`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from app import streams, typing_indicator
from app.accounts import accounts_api, logins_api, mailed_links_api, name_completion, users_api
from app.accounts.identity import ACCOUNT_HEADER
from app.accounts.user import MAX_USERNAME_LENGTH
from app.commentables import commentables_api
from app.comments import comments_api, threads
from app.http import health, schemas
from app.http.rate_limits import FREE_READS
from app.http.requests import Input
from app.http.routes import Endpoint
from app.likes import likes_api
from app.live.cursors import MAX_SEQ
from app.moderation import moderation_api, moderation_queue
from app.notifications import inbox, mutes_api, notifications_api

Schema = dict[str, Any]

ETAG = {"ETag": "The seq it has now, for `If-Match`."}
COUNTED = {likes_api.COUNTED: "The comment's seq from which on its `likes_count` has what was done."}
SIGNED_IN = {"Set-Cookie": "The login, and that its owner knows this browser."}
SIGNED_OUT = {"Set-Cookie": "The login is forgotten."}


@dataclass(frozen=True)
class Parameter:
    name: str
    schema: Schema
    description: str
    required: bool = False
    where: str = "query"

    def described(self) -> dict[str, Any]:
        return {
            "name": self.name, "in": self.where, "required": self.required, "description": self.description,
            "schema": self.schema,
        }  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One endpoint. `answers` are models, None for an answer without a body; `refuses` with which other statuses."""

    summary: str
    answers: Mapping[int, type[BaseModel] | None]
    description: str = ""
    takes: type[Input] | None = None
    wrapped_as: str | None = None
    parameters: Sequence[Parameter] = ()
    signs_in: bool = False  # whether one has to be signed in
    limited: bool = False  # in how often
    stale: type[BaseModel] | None = None  # the 412 of what takes `If-Match`
    refuses: Sequence[int] = ()
    headers: Mapping[str, str] | None = None

    def all_parameters(self) -> Sequence[Parameter]:
        of_login = [MEANT] if self.signs_in else []
        return [*self.parameters, *([IF_MATCH] if self.stale else []), *of_login]

    def refusals(self, method: str, path: str) -> list[int]:
        """The statuses of all refusals, of those that follow from the rest, too."""
        follow = {
            400: self.takes or self.stale,
            401: self.signs_in,
            403: method != "GET",  # from another site
            404: "{" in path,
            412: self.stale,
            413: self.takes,
            415: self.takes,
            422: self.takes,
            429: self.limited or (method == "GET" and path not in FREE_READS),
            503: path != "/healthz",  # no database
        }
        return sorted({*self.refuses, *(status for status, follows in follow.items() if follows)} - {*self.answers})


# Those that `app.http.openapi` knows more of, by the settings.
TYPE = {"$ref": "#/components/schemas/CommentableType"}
ID = {"$ref": "#/components/schemas/CommentableId"}
TOPIC = {"$ref": "#/components/schemas/Topic"}
SEQ = {"type": "integer", "minimum": 1, "maximum": MAX_SEQ}

MEANT = Parameter(
    "-".join(part.capitalize() for part in ACCOUNT_HEADER.split("-")),
    {"type": "string", "format": "uuid"},
    "For which account the request is meant. Where another is signed in, it is refused.",
    where="header",
)
IF_MATCH = Parameter(
    "If-Match",
    {"type": "string"},
    'An `ETag`, like `"57"`: refused with 412 where the content has changed after it.',
    where="header",
)
PLACE = (
    Parameter("commentable_type", TYPE, "What kind of thing is commented on.", required=True),
    Parameter("commentable_id", ID, "Which one.", required=True),
)


def limit(usual: int, most: int) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": usual}
    return Parameter("limit", schema, "How many at most.")


def paged(usual: int, most: int) -> tuple[Parameter, ...]:
    return Parameter("before", SEQ, "Those created before this seq."), limit(usual, most)


def topics(schema: Schema, most: int, required: bool = False) -> Parameter:
    schema = {"type": "array", "items": schema, "minItems": 1, "maxItems": most}
    return Parameter("topic", schema, "Like `Article/1`; it may be repeated.", required)


FLAG = {"type": "string", "enum": ["0", "1"]}
STREAM = (
    topics({"type": "string"}, streams.MAX_TOPICS),
    Parameter(
        "cursor",
        {"type": "array", "items": {"type": "string"}, "maxItems": streams.MAX_CURSORS},
        "From where on: those of snapshots, or the last `id:`. Where several name a topic, the smallest counts. A "
        "topic that none names starts at its head.",
    ),
    Parameter(
        "Last-Event-ID", {"type": "string"}, "The last `id:`. It wins over `cursor`; browsers send it.", where="header"
    ),
    Parameter("once", FLAG, "`1`: the stream ends after the first batch, for long polling."),
    Parameter("user", {"type": "string"}, "Who the page is shown to: an account's id, or nothing for a guest. "
              "Where another is signed in, `auth` comes at once."),
    Parameter("guest", FLAG, "`1`: the stream is a guest's, even if the request has the cookie of a login."),
    Parameter("presence", FLAG, "`1`: take part in presence, to be seen and to be told who else is."),
)  # fmt: skip

BY_NAME = Parameter(
    "by_name",
    FLAG,
    "`1`: an invalid name does not affect the others. The response says for each name its topic, or what is wrong.",
)
PREFIX = Parameter(
    "prefix",
    {"type": "string", "minLength": 1, "maxLength": MAX_USERNAME_LENGTH, "pattern": r"[^\s\u0000]"},
    "The beginning of the names; case does not matter.",
    required=True,
)

OPERATIONS: Mapping[Endpoint, Operation] = {
    # -- accounts
    accounts_api.sign_up: Operation(
        "Make an account", {201: schemas.User, 202: schemas.MailTo},
        "Answered 201, and signed in; 202 where a link in a mail comes first, and then with no word on whether the "
        "address is new.",
        takes=accounts_api.SignUp, wrapped_as="user", limited=True,
    ),
    accounts_api.sign_in: Operation(
        "Sign in", {200: schemas.User}, "One answer for an unknown address and for a wrong password.",
        takes=accounts_api.SignIn, wrapped_as="user", limited=True, refuses=[401], headers=SIGNED_IN,
    ),
    users_api.index: Operation(
        "Complete a name after `@`", {200: schemas.Names},
        f"At most {name_completion.MAX_NAMES} accounts whose names begin with `prefix`, without the viewer's own. With "
        "`commentable_type` and `commentable_id`, people who have commented there come first.",
        parameters=[
            PREFIX,
            Parameter("commentable_type", TYPE, "Give both, or neither."),
            Parameter("commentable_id", ID, "Give both, or neither."),
        ],
        signs_in=True, limited=True, refuses=[422],
    ),
    accounts_api.show: Operation("Who am I", {200: schemas.WhoAmI}),
    accounts_api.sign_out: Operation("Sign out", {204: None}, headers=SIGNED_OUT),
    accounts_api.change_email: Operation(
        "Change the address", {202: schemas.User}, "The new one waits until the link in the mail is used.",
        takes=accounts_api.NewEmail, signs_in=True, limited=True,
    ),
    accounts_api.change_username: Operation(
        "Change the display name", {200: schemas.User}, "The account's comments show the new name soon after.",
        takes=accounts_api.NewUsername, wrapped_as="user", signs_in=True, limited=True,
    ),
    accounts_api.change_password: Operation(
        "Change the password", {200: schemas.User}, "Every other login ends.",
        takes=accounts_api.ChangedPassword, signs_in=True, limited=True, headers=SIGNED_IN,
    ),
    accounts_api.delete: Operation(
        "Leave", {204: None}, "The account's comments are kept without a name, or erased. The last owner is refused.",
        takes=accounts_api.Leaving, signs_in=True, limited=True, refuses=[409], headers=SIGNED_OUT,
    ),
    # -- logins
    logins_api.index: Operation("Where one is signed in", {200: schemas.Logins}, signs_in=True),
    logins_api.end_others: Operation("End all other logins", {204: None}, signs_in=True),
    logins_api.end: Operation("End one login", {204: None}, signs_in=True),
    # -- links by mail
    mailed_links_api.ask_to_reset: Operation(
        "Ask for a link to choose a new password", {202: schemas.MailTo}, takes=mailed_links_api.Asked, limited=True
    ),
    mailed_links_api.reset: Operation("Choose a new password", {204: None}, takes=mailed_links_api.Reset, limited=True),
    mailed_links_api.ask_to_confirm: Operation(
        "Ask for a link to confirm the address", {202: schemas.MailTo}, takes=mailed_links_api.Asked, limited=True
    ),
    mailed_links_api.confirm: Operation(
        "Confirm the address", {204: None},
        "A new account gets this `password` and, if given, this `username`. The browser that signed up may leave both "
        "out.",
        takes=mailed_links_api.Confirmed, limited=True,
    ),
    mailed_links_api.ask_to_unlock: Operation(
        "Ask for a link to unlock the account", {202: schemas.MailTo}, takes=mailed_links_api.Asked, limited=True
    ),
    mailed_links_api.unlock: Operation("Unlock the account", {204: None}, takes=mailed_links_api.Used, limited=True),
    # -- comments
    comments_api.index: Operation(
        "A page of comments", {200: schemas.Comments},
        "The newest, or where the query says, by at most one of `before`, `after` and `around`. The cursor streams on "
        "from exactly there. What nobody has commented on yet is empty.",
        parameters=[
            *PLACE,
            Parameter("before", SEQ, "Those created before this seq."),
            Parameter("after", {**SEQ, "minimum": 0}, "Those created after this seq."),
            Parameter("around", {"type": "string", "format": "uuid"}, "Those around this comment, or where it was."),
            limit(threads.PAGE, threads.MAX_PAGE_SIZE),
        ],
        refuses=[404, 422],
    ),
    comments_api.create: Operation(
        "Write a comment", {201: schemas.Comment, 200: schemas.Comment},
        "Sent again with the same `id`, 200 with the comment that is there: it takes effect once. Any other use of "
        "that id is a conflict.",
        takes=comments_api.NewComment, wrapped_as="comment", signs_in=True, limited=True, refuses=[409],
        headers=ETAG | {"Location": "Where a new one is."},
    ),
    comments_api.show: Operation("A comment", {200: schemas.Comment}, headers=ETAG),
    comments_api.replace: Operation(
        "Edit a comment", {200: schemas.Comment}, "Only `body` is taken. It never creates.",
        takes=comments_api.Edit, wrapped_as="comment", signs_in=True, limited=True, stale=schemas.StaleComment,
        headers=ETAG,
    ),
    comments_api.patch: Operation(
        "Edit a comment, or nothing of it", {200: schemas.Comment},
        takes=comments_api.Patch, wrapped_as="comment", signs_in=True, limited=True, stale=schemas.StaleComment,
        headers=ETAG,
    ),
    comments_api.delete: Operation(
        "Delete a comment", {204: None}, "Again, it is no error.",
        signs_in=True, limited=True, stale=schemas.StaleComment,
    ),
    comments_api.ancestors: Operation("What a comment is drawn under", {200: schemas.Ancestors}),
    # -- likes
    likes_api.put: Operation(
        "Like a comment", {200: schemas.Like}, "As often as one likes.",
        signs_in=True, limited=True, headers=ETAG | COUNTED,
    ),
    likes_api.delete: Operation(
        "Like it no more", {204: None}, signs_in=True, limited=True, headers=ETAG | COUNTED
    ),
    likes_api.index: Operation(
        "What one likes there", {200: schemas.Likes}, "With the cursor of one's own topic.",
        parameters=PLACE, signs_in=True, refuses=[422],
    ),
    # -- commentables
    commentables_api.index: Operation(
        "Titles, locks and counts", {200: schemas.Commentables},
        "They are streamed under topics like `Commentable/Article/1`.",
        parameters=[topics(TOPIC, commentables_api.MAX_TOPICS, required=True), BY_NAME], refuses=[422],
    ),
    # -- notifications
    notifications_api.index: Operation(
        "One's inbox", {200: schemas.Notifications},
        parameters=paged(inbox.PAGE, inbox.MAX_PAGE_SIZE), signs_in=True, refuses=[422],
    ),
    notifications_api.patch: Operation(
        "Mark one as read, or as unread", {200: schemas.Notification},
        takes=notifications_api.Mark, wrapped_as="notification", signs_in=True, limited=True,
        stale=schemas.StaleNotification, headers=ETAG,
    ),
    notifications_api.read_all: Operation(
        "Mark all as read, up to a seq", {200: schemas.Marked}, takes=notifications_api.MarkAll, signs_in=True,
        limited=True,
    ),
    # -- mutes
    mutes_api.index: Operation("The people whom you have muted", {200: schemas.Mutes}, signs_in=True),
    mutes_api.put: Operation(
        "Mute somebody", {204: None}, "Their comments stay, and no longer notify you. It is no error to repeat this.",
        signs_in=True, limited=True, refuses=[403, 422],
    ),
    mutes_api.delete: Operation("Unmute somebody", {204: None}, signs_in=True, limited=True),
    # -- presence
    typing_indicator.create: Operation(
        "Say that one types", {204: None}, "Who takes part in presence there sees it for six seconds.",
        takes=typing_indicator.Where, signs_in=True, limited=True,
    ),
    # -- moderation
    moderation_api.report: Operation(
        "Report a comment", {200: schemas.Reported}, "Once for each person and comment; other words take its place.",
        takes=moderation_api.NewReport, signs_in=True, limited=True,
    ),
    moderation_api.dismiss: Operation("Let a comment stand: its reports are settled", {204: None}, signs_in=True),
    moderation_api.hide: Operation(
        "Hide a comment", {200: schemas.Comment}, takes=moderation_api.Decided, signs_in=True
    ),
    moderation_api.restore: Operation("Show it again", {204: None}, signs_in=True),
    moderation_api.erase: Operation(
        "Erase a comment for good", {204: None},
        "For owners. The text is deleted from the database; readers see that a moderator removed the comment. It is no "
        "error to repeat this.",
        takes=moderation_api.Decided, signs_in=True,
    ),
    moderation_api.change: Operation(
        "Lock a conversation, or call it something else", {200: schemas.Commentable},
        takes=moderation_api.Change, wrapped_as="commentable", signs_in=True,
    ),
    moderation_api.block: Operation(
        "Block an account", {200: schemas.Account}, takes=moderation_api.Decided, signs_in=True,
    ),
    moderation_api.unblock: Operation("Unblock it", {204: None}, signs_in=True),
    moderation_api.appoint: Operation(
        "Say what an account may do", {200: schemas.Account}, "For owners.",
        takes=moderation_api.Appointment, signs_in=True,
    ),
    moderation_api.index_reports: Operation(
        "Reports that are open", {200: schemas.Reports}, "For moderators.",
        parameters=paged(moderation_queue.PAGE, moderation_queue.MAX_PAGE_SIZE), signs_in=True, refuses=[403, 422],
    ),
    moderation_api.index_decisions: Operation(
        "What moderators did", {200: schemas.Decisions}, "For moderators.",
        parameters=paged(moderation_queue.PAGE, moderation_queue.MAX_PAGE_SIZE), signs_in=True, refuses=[403, 422],
    ),
    # -- beside
    streams.show: Operation(
        "The stream of these topics", {200: None},
        "Server-Sent Events, as long as the client listens. What it says is described by `x-events`. A signed-in "
        "person's own `User/<id>` is included; a guest must name a topic. If an address or a login has too many "
        "streams, or they follow too many topics, the response is 200 with `retry:`, and ends: after any other status, "
        "a browser's EventSource does not reconnect.",
        parameters=STREAM, refuses=[403, 422],
    ),
    health.healthz: Operation("Is the process alive", {200: schemas.Alive}),
    health.readyz: Operation(
        "Can it serve", {200: schemas.Readiness, 503: schemas.Readiness}, "Without Redis it is slower, and ready."
    ),
}  # fmt: skip
