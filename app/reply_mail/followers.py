"""Followers: finds new comments in followed conversations, and queues the mails about them for many followers at once.

The author of a comment does nothing for followers, so ten thousand of them cost the author nothing. A conversation has
news if its counter is ahead of `FollowedConversation.seq`. Then its followers are woken: each gets the time at which
mail is due. `app.reply_mail.queueing` decides about followers who are due if no mail about a reply is.

1. Followers are woken in batches, each in one transaction. The conversation's seq moves when a batch finds nobody left.
   A process that is killed before that loses nothing: another one wakes the rest. Nobody is woken twice, because only
   followers who do not wait, and about whom nothing was decided since the comment, are woken.
2. The conversation is locked first, and its counter is read afterwards. So a new follower is either in the batch or has
   begun to follow after these comments.
3. One transaction queues the mails of a batch, and moves each follower's `decided_seq`. So a mail is queued once.
4. Two processes work on different followers: a follower who is locked by another process is skipped.
5. A mail has the comments that the follower still wants when its text is written (`news`). A comment with a
   notification of its own is not among them: mail about replies and mentions has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, exists, func, select, update

from app.accounts.user import MailChoice, User
from app.among import among
from app.comments.comments import SHOWN_TO_ALL, Comment
from app.database import Reading, Writing
from app.live.service import Parley
from app.live.write.sequences import Counter
from app.mail import mail_queue
from app.mail.mail_queue import Kind, Priority
from app.notifications.mutes import Mute
from app.notifications.notifications import Notification
from app.reply_mail import last_mails
from app.reply_mail.choices import FOLLOWED, choice_of
from app.reply_mail.follows import Follow, FollowedConversation, MailedRange
from app.reply_mail.schedule import next_digest_at, next_mail_at

WAKE_BATCH = 500  # followers whom one transaction wakes
QUEUE_BATCH = 25  # mails that one transaction queues; a batch holds the event loop for about 15 ms

# The members of an account that its choice depends on.
CHOOSING = (User.id, User.gets_bulk_mail.label("gets_bulk_mail"), User.mail_on_followed)


def news(after: SQLColumnExpression[int], upto: SQLColumnExpression[int]) -> Sequence[ColumnElement[bool]]:
    """The comments between two seqs that mail to a `Follow` may contain, beside its query (5)."""
    is_muted = exists().where(Mute.user_id == Follow.user_id, Mute.muted_id == Comment.user_id)
    same = (Notification.comment_id == Comment.id, Notification.user_id == Follow.user_id)
    return (
        Comment.topic == Follow.place,
        Comment.created_seq > after,
        Comment.created_seq > Follow.read_seq,
        Comment.created_seq <= upto,
        Comment.user_id != Follow.user_id,
        SHOWN_TO_ALL,
        ~is_muted.correlate(Follow, Comment),
        ~exists().where(*same).correlate(Follow, Comment),
    )


# -- wake ---------------------------------------------------------------------------------------------------


async def wake_next(parley: Parley) -> bool:
    """Wake followers of a conversation with news. Returns False if there is none, or another process does it."""
    behind = select(FollowedConversation.place).join(Counter, Counter.name == FollowedConversation.place)
    async with parley.reading() as reading:
        place = await reading.scalar(behind.where(Counter.seq > FollowedConversation.seq).limit(1))
    return place is not None and await parley.own(_wake(parley, place))


async def _wake(parley: Parley, place: str) -> bool:
    delay = timedelta(seconds=parley.settings.reply_mail_delay_seconds)
    async with parley.database.transaction() as writing, writing.begin():
        this = select(FollowedConversation).where(FollowedConversation.place == place)
        followed = await writing.scalar(this.with_for_update(skip_locked=True))
        if followed is None:
            return False
        head = await writing.scalar(select(Counter.seq).where(Counter.name == place)) or 0  # (2)
        new = (Comment.topic == place, Comment.created_seq > followed.seq, Comment.created_seq <= head, SHOWN_TO_ALL)
        newest = select(func.max(Comment.created_seq), func.min(Comment.created_at)).where(*new)
        seq, since = (await writing.execute(newest)).one()
        if not seq or not await _wake_batch(writing, place, seq, since, delay):
            followed.seq = head
            if not await writing.scalar(select(exists().where(Follow.place == place))):
                await writing.delete(followed)
    return True


async def _wake_batch(writing: Writing, place: str, seq: int, since: datetime, delay: timedelta) -> bool:
    """Wake some followers about comments since this time. Returns False if nobody is left (1)."""
    now = datetime.now(UTC)
    asleep = (Follow.place == place, Follow.mail_due_at.is_(None), Follow.decided_seq < seq, Follow.read_seq < seq)
    people = select(*CHOOSING).join(Follow, Follow.user_id == User.id).where(*asleep).limit(WAKE_BATCH)
    found = (await writing.execute(people)).all()
    due = {MailChoice.AT_ONCE: min(since, now) + delay, MailChoice.DAILY: next_digest_at(now, None, now)}
    for choice in MailChoice:
        if ids := [row.id for row in found if choice_of(row, FOLLOWED) is choice]:
            values = {"waiting_since": since, "mail_due_at": due[choice]} if choice in due else {"decided_seq": seq}
            theirs = (Follow.place == place, among(Follow.user_id, values=ids))
            await writing.execute(update(Follow).where(*theirs).values(values))
    return bool(found)


# -- queue --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Due:
    """A follower whose mail is due. `alone`: the mail has only comments of this conversation, and is sent at once."""

    user_id: UUID
    place: str
    alone: bool


@dataclass(frozen=True)
class Waiting:
    """A follow that waits for mail, under its lock. `head` is the counter, and `wanted` whether there is news."""

    follow: Follow
    email: str
    head: int
    wanted: bool

    def range_of(self, mail_id: UUID) -> MailedRange:
        return MailedRange(
            mail_id=mail_id, place=self.follow.place, after_seq=self.follow.decided_seq, upto_seq=self.head
        )


_WAITS_FOR_REPLY = exists().where(
    Notification.user_id == Follow.user_id, Notification.mail_due_at.is_not(None), Notification.place == Follow.place
)


async def first_due(reading: Reading) -> Due | None:
    """The follower whose mail has been due longest."""
    due = select(Follow.place, _WAITS_FOR_REPLY.correlate(Follow).label("waits"), *CHOOSING)
    due = due.join(User, User.id == Follow.user_id).where(Follow.mail_due_at <= datetime.now(UTC))
    row = (await reading.execute(due.order_by(Follow.mail_due_at).limit(1))).first()
    if row is None:
        return None
    return Due(row.id, row.place, choice_of(row, FOLLOWED) is MailChoice.AT_ONCE and not row.waits)


async def queue_together(parley: Parley, place: str) -> bool:
    """Decide about a batch of followers of this conversation whose mail is due: those who are `Due.alone`.
    Returns False if there is none."""
    now = datetime.now(UTC)
    async with parley.database.transaction() as writing, writing.begin():
        due = select(Follow.user_id, *CHOOSING).join(User, User.id == Follow.user_id)
        due = due.where(Follow.place == place, Follow.mail_due_at <= now, ~_WAITS_FOR_REPLY.correlate(Follow))
        due = due.order_by(Follow.mail_due_at).limit(QUEUE_BATCH).with_for_update(of=Follow, skip_locked=True)  # (4)
        people = (await writing.execute(due)).all()
        ids = [row.user_id for row in people if choice_of(row, FOLLOWED) is MailChoice.AT_ONCE]
        if not ids:
            return False
        last = await last_mails.lock(writing, place, ids)
        mailed: list[UUID] = []
        for waiting in await read_waiting(writing, Follow.place == place, among(Follow.user_id, values=ids)):
            follow = waiting.follow
            if waiting.wanted and (at := next_mail_at(now, last[follow.user_id])) > now:
                follow.mail_due_at = at
                continue
            if waiting.wanted:
                mail_id = mail_queue.queue(
                    writing, Kind.FOLLOWED, waiting.email, follow.user_id, priority=Priority.FOLLOWERS
                )
                writing.add(waiting.range_of(mail_id))
                mailed.append(follow.user_id)
            follow.decide(waiting.head)  # (3)
        if mailed:
            await last_mails.note(writing, place, mailed, now)
    return True


async def lock_waiting(writing: Writing, user_id: UUID, place: str) -> Sequence[Waiting]:
    """Lock what this account waits for in one conversation, or in all, except what another process has locked (4)."""
    theirs = [Follow.user_id == user_id, Follow.mail_due_at.is_not(None)]
    if place:
        theirs.append(Follow.place == place)
    places = await writing.scalars(select(Follow.place).where(*theirs).with_for_update(skip_locked=True))
    return await read_waiting(writing, Follow.user_id == user_id, Follow.place.in_(places.all()))


async def read_waiting(writing: Writing, *where: ColumnElement[bool]) -> Sequence[Waiting]:
    """These follows, which are locked. Their counters are read after that, and the comments in the same statement."""
    head = select(Counter.seq).where(Counter.name == Follow.place).correlate(Follow).scalar_subquery()
    wanted = exists().where(*news(Follow.decided_seq, head)).correlate(Follow)
    rows = await writing.execute(select(Follow, User.email, head, wanted).join(User).where(*where))
    return [Waiting(*row) for row in rows]
