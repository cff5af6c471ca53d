"""Moderation: people report comments; moderators hide comments, dismiss reports, and lock conversations.

1. A change and its record in the audit log are one transaction. A request that changes nothing leaves no record.
2. Only its author and moderators see a hidden comment: see `app.comments.comments.visible`.
3. Once a report is settled, the same person cannot report the comment again until its text changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select

from app.accounts.logins import lock_active_user
from app.accounts.user import DELETED, MODERATING, Role, User
from app.commentables import commentables
from app.commentables.commentables import Commentable
from app.comments.comments import Comment, Remover, find_for, leave_tombstones, removing, topic_of
from app.errors import Forbidden, Invalid
from app.live.service import Parley
from app.live.topics import QUEUE, Topic
from app.live.viewers import Viewer
from app.live.write.batches import change_all
from app.live.write.transaction import Write, owned
from app.moderation import reports
from app.moderation.audit_log import Act, Decision, record
from app.moderation.reports import Reason, Report
from app.notifications import notifications

# -- everybody ----------------------------------------------------------------------------------------------


@owned
async def report(parley: Parley, viewer: Viewer, comment_id: UUID, reason: Reason, note: str = "") -> None:
    """Report the comment, or change the viewer's report of it. Raises Missing, Invalid, SignInFirst."""
    topic = await topic_of(parley, comment_id)
    async with parley.writing(topic, QUEUE) as write:
        reporter = await lock_active_user(write.session, viewer)
        comment = find_for(viewer, await write.get(Comment, comment_id))
        if comment.user_id == reporter.id:
            raise Invalid("id", "You can't report your own comment.")
        known = await reports.by(write.session, reporter.id, comment_id)
        if known and known.deleted_at and comment.updated_at <= known.deleted_at:
            return  # (3)
        report = known or Report(
            id=reports.id_of(reporter.id, comment_id), topic=str(QUEUE), user_id=reporter.id, comment_id=comment_id,
            place=str(topic), seq=0,
        )  # fmt: skip
        is_open = report.seq > 0 and report.deleted_at is None
        if is_open and (report.reason, report.note) == (reason, note):
            return
        report.reason, report.note, report.username = reason, note, reporter.username
        if is_open:
            write.update(report)
        else:
            report.created_at, report.deleted_at = datetime.now(UTC), None
            write.create(report)


# -- moderators ---------------------------------------------------------------------------------------------


def refuse_non_moderators(viewer: Viewer) -> None:
    """Raises Forbidden unless the viewer is a moderator."""
    if not viewer.moderator:
        raise Forbidden("Only moderators can do this.")


async def moderator_in(write: Write, viewer: Viewer) -> User:
    """The moderator's account, read and locked in this write. Raises SignInFirst, Forbidden."""
    user = await lock_active_user(write.session, viewer)
    if user.role not in MODERATING:
        raise Forbidden("Only moderators can do this.")
    return user


async def owner_in(write: Write, viewer: Viewer) -> User:
    """The owner's account, read and locked in this write. Raises SignInFirst, Forbidden."""
    user = await moderator_in(write, viewer)
    if user.role != Role.OWNER:
        raise Forbidden("Only owners can do this.")
    return user


@owned
async def hide(parley: Parley, by: Viewer, comment_id: UUID, reason: str = "") -> Comment:
    """Hide the comment from all but its author and moderators, and settle its reports. Raises Missing, Forbidden."""
    topic = await topic_of(parley, comment_id)
    async with removing(parley, topic, comment_id, QUEUE) as write:
        moderator = await moderator_in(write, by)
        comment = find_for(by, await write.get(Comment, comment_id))
        if comment.hidden_at is None:
            comment.hidden_at = datetime.now(UTC)
            write.update(comment)
            await notifications.delete_notifications(write, comment_id)
            await commentables.count(write, topic, -1)
            await reports.settle(write, comment_id)
            _record(write, moderator, Act.HIDE, comment, reason)
    return comment


@owned
async def restore(parley: Parley, by: Viewer, comment_id: UUID) -> None:
    """Show a hidden comment to everybody again. Raises Missing, Forbidden."""
    topic = await topic_of(parley, comment_id)
    async with parley.writing(topic, topic.about, QUEUE) as write:
        moderator = await moderator_in(write, by)
        comment = find_for(by, await write.get(Comment, comment_id))
        if comment.hidden_at is not None:
            comment.hidden_at = None
            write.update(comment)
            await commentables.count(write, topic, 1)
            _record(write, moderator, Act.RESTORE, comment)


@owned
async def dismiss(parley: Parley, by: Viewer, comment_id: UUID) -> None:
    """Settle the reports of this comment, and leave it as it is. Raises Missing, Forbidden."""
    await topic_of(parley, comment_id)
    async with parley.writing(QUEUE) as write:
        moderator = await moderator_in(write, by)
        comment = await write.get(Comment, comment_id)
        if await reports.settle(write, comment_id) and comment:
            _record(write, moderator, Act.DISMISS, comment)


@owned
async def change(
    parley: Parley, by: Viewer, topic: Topic, locked: bool | None, title: str | None, url: str | None = None
) -> Commentable:
    """Lock or unlock a conversation, or change its title or page. None changes nothing. Raises Forbidden."""
    async with parley.writing(topic.about, QUEUE) as write:
        moderator = await moderator_in(write, by)
        commentable = (await commentables.of(write.session, [topic]))[topic]
        acts = dict(_acts(commentable, locked, title, url))
        if acts:
            async with commentables.changing(write, topic) as commentable:
                commentable.locked = commentable.locked if locked is None else locked
                commentable.title = commentable.title if title is None else title
                commentable.url = commentable.url if url is None else url
        for act, reason in acts.items():
            record(write, moderator, act, place=topic, reason=reason)
    return commentable


def _acts(
    commentable: Commentable, locked: bool | None, title: str | None, url: str | None
) -> Iterator[tuple[Act, str]]:
    """The changes that have an effect, each with the reason to record."""
    if locked is not None and locked != commentable.locked:
        yield Act.LOCK if locked else Act.UNLOCK, ""
    if title is not None and title != commentable.title:
        yield Act.TITLE, title
    if url is not None and url != commentable.url:
        yield Act.PAGE, url


@owned
async def erase(parley: Parley, by: Viewer, comment_id: UUID, reason: str = "") -> None:
    """Delete somebody's comment permanently: its text is erased from the database, as when its author deletes it.

    Only owners may do this. It is for content that must not be stored, such as illegal content. It also works for
    hidden comments and for comments of deleted accounts. A deleted comment stays as it is. Raises Missing, Forbidden.
    """
    topic = await topic_of(parley, comment_id)
    async with removing(parley, topic, comment_id, QUEUE) as write:
        owner = await owner_in(write, by)
        comment = await write.get(Comment, comment_id)
        if comment and not comment.deleted_at:
            _record(write, owner, Act.ERASE, comment, reason)
            await notifications.delete_notifications(write, comment_id)
            await leave_tombstones(write, [comment], Remover.MODERATOR)


def _record(write: Write, moderator: User, act: Act, comment: Comment, reason: str = "") -> None:
    place, person = Topic.parse(comment.topic), (comment.user_id, comment.username or DELETED)
    record(write, moderator, act, place=place, comment_id=comment.id, person=person, reason=reason)


# -- deleted accounts ---------------------------------------------------------------------------------------


async def clean_up_account(parley: Parley, user_id: UUID) -> None:
    """Remove the name of a deleted account from its decisions, and from decisions about it."""
    by_them = (Decision.user_id == user_id) & (Decision.username != DELETED)
    about_them = (Decision.person_id == user_id) & (Decision.person_name != DELETED)

    async def remove_name(write: Write, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            if decision.user_id == user_id:
                decision.username = DELETED
            if decision.person_id == user_id:
                decision.person_name = DELETED
            write.update(decision)

    await change_all(parley, select(Decision).where(by_them | about_them), remove_name)
