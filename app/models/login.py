"""Logins: one sign-in of one account on one browser. A cookie carries its id; the database can end it.

A login lives on its account's topic, and its end is a tombstone there: that wakes the account's streams, which
look again whether their own login still stands.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant, Reading
from app.live.model import Live, LiveModel
from app.live.parley import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.writing import Write, owned
from app.models.password import hash_password, verify_password
from app.models.user import User, refuse_taken, username_key


class Login(Live, Base):
    __tablename__ = "logins"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    remember: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Instant)

    @property
    def author_id(self) -> UUID:
        return self.user_id


# Sent to nobody: a login's id is half of what is needed to be that person.
LOGIN = LiveModel("login", Login, render=None)


@owned
async def sign_up(parley: Parley, email: str, username: str, password: str) -> tuple[User, Login]:
    """A new account and its first login. Takes cleaned values; raises Invalid for those that are taken."""
    async with parley.reading() as reading:
        await refuse_taken(reading, email, username)
    id_ = uuid4()
    user = User(
        id=id_, topic=str(Topic.account(id_)), email=email, username=username, username_key=username_key(username),
        password_hash=await hash_password(password), role="member", created_at=datetime.now(UTC),
    )  # fmt: skip
    try:
        async with parley.writing(Topic.account(id_)) as write:
            write.create(user)
            await write.session.flush()  # the login refers to it
            login = _open(write, user, remember=False)
    except IntegrityError:  # somebody was faster
        async with parley.reading() as reading:
            await refuse_taken(reading, email, username)
        raise
    return user, login


@owned
async def sign_in(parley: Parley, email: str, password: str, remember: bool) -> tuple[User, Login] | None:
    """A new login of the account with this address, None unless the password is its own."""
    async with parley.reading() as reading:
        user = await reading.scalar(select(User).where(User.email == email))
    if not await verify_password(password, user.password_hash if user else None) or user is None:
        return None
    async with parley.writing(Topic.account(user.id)) as write:
        return user, _open(write, user, remember)


def _open(write: Write, user: User, remember: bool) -> Login:
    login = Login(id=uuid4(), topic=user.topic, user_id=user.id, remember=remember, created_at=datetime.now(UTC))
    write.create(login)
    return login


async def viewer_of(reading: Reading, login_id: UUID) -> Viewer | None:
    """Who looks with this login, None when it has ended."""
    query = select(User.id, User.username, User.role).join(Login, Login.user_id == User.id)
    found = (await reading.execute(query.where(Login.id == login_id, Login.deleted_at.is_(None)))).one_or_none()
    return found and Viewer(found.id, found.username, moderator=found.role == "moderator", login_id=login_id)


@owned
async def sign_out(parley: Parley, viewer: Viewer) -> None:
    """End this login, and with it its streams. Twice is no error."""
    if viewer.user_id is None or viewer.login_id is None:
        return
    async with parley.writing(Topic.account(viewer.user_id)) as write:
        login = await write.get(Login, viewer.login_id)
        if login and login.deleted_at is None:
            write.destroy(login)
