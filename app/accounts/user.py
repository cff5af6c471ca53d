"""Users: people with an account."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import ColumnElement, Index, String, or_, select, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column
from typing_extensions import TypedDict

from app.database import Base, Instant, Reading
from app.errors import Invalid
from app.live.model import Live, LiveModel, is_account, to_its_author
from app.text.lookalikes import is_east_asian, joins_letters, mixes_scripts, skeleton, without_joiners

MIN_USERNAME_LENGTH, MAX_USERNAME_LENGTH = 3, 30  # characters
MIN_EAST_ASIAN_USERNAME_LENGTH = 2  # many names in China, Japan and Korea have 2
MAX_EMAIL_LENGTH = 254
MAX_ADDRESS_LENGTH = 45  # characters of a network address: the longest IPv6 text form
UNCLAIMED_KEY_PREFIX = "waiting "  # plus the id: the key of an unconfirmed account, longer than any name
DELETED = "deleted account"  # shown in place of the name
MARKS = frozenset(" .'-\u2019")  # between letters; the last is the typographic apostrophe
_PLAIN_MARKS = str.maketrans({"\u2010": "-", "\u2011": "-", "\u2018": "\u2019", "\u02bc": "\u2019"})

# More marks on one letter than any language uses, and marks that enclose a letter.
STACKED = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f]{4}|[\u0488\u0489\u20dd-\u20e4]"
)

# Invisible letters and marks (Unicode's Default_Ignorable_Code_Point): with one of them a name looks like another.
INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")

# Names that readers would believe to be the service's.
RESERVED = frozenset({
    "abuse", "admin", "administrator", "anonymous", "deletedaccount", "everyone", "hostmaster", "moderator", "noreply",
    "owner", "parley", "postmaster", "root", "security", "staff", "support", "sysadmin", "system", "webmaster",
})  # fmt: skip
# Words that are not part of people's names, so that a name may not contain them.
OFFICIAL = frozenset({
    "admin", "administrator", "administrators", "admins", "helpdesk", "hostmaster", "moderator", "moderators",
    "noreply", "official", "parley", "postmaster", "support", "sysadmin", "webmaster",
})  # fmt: skip
# Words that make an official name together with an OFFICIAL word: "Parley Team", "siteadmin".
TITLES = ("account", "bot", "comment", "comments", "desk", "help", "my", "service", "site", "system", "team", "the")


def _coarse_form(text: str) -> str:
    """The text without accents, and with i for l. Reserved names are compared in this form, not as skeletons."""
    bare = (character for character in unicodedata.normalize("NFD", text) if not unicodedata.combining(character))
    return "".join(bare).replace("l", "i")


_RESERVED_FORMS = frozenset(map(_coarse_form, RESERVED))
_OFFICIAL_FORMS = frozenset(map(_coarse_form, OFFICIAL))
_ANY_TITLE = "|".join(map(_coarse_form, (*TITLES, *OFFICIAL)))
_SOUNDS_OFFICIAL = re.compile(rf"(?:{_ANY_TITLE})*(?:{'|'.join(_OFFICIAL_FORMS)})(?:{_ANY_TITLE})*")


class Role(StrEnum):
    """An account's permissions beyond writing; see `app.accounts.roles`."""

    MEMBER = "member"
    MODERATOR = "moderator"
    OWNER = "owner"


MODERATING = frozenset({Role.MODERATOR, Role.OWNER})


class MailChoice(StrEnum):
    """When an account gets mail about a kind of notification; see `app.reply_mail`."""

    AT_ONCE = "at_once"
    DAILY = "daily"
    NEVER = "never"


def _mail_choice(default: MailChoice) -> Mapped[MailChoice]:
    return mapped_column(String(10), default=default, server_default=default.value)


class User(Live, Base):
    """An account, on its topic `User/<id>`, so that a change shows in all tabs of the account."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(MAX_EMAIL_LENGTH), unique=True)
    username: Mapped[str] = mapped_column(String(MAX_USERNAME_LENGTH))
    username_key: Mapped[str] = mapped_column(String(4 * MAX_USERNAME_LENGTH), unique=True)
    # Names that look alike have the same skeleton. None for an old name that looks like another one.
    username_skeleton: Mapped[str | None] = mapped_column(String(200), unique=True, index=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[Role] = mapped_column(String(20), default=Role.MEMBER)  # read as a plain string
    created_at: Mapped[datetime] = mapped_column(Instant)
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    unconfirmed_email: Mapped[str | None] = mapped_column(String(MAX_EMAIL_LENGTH))  # replaces `email` later
    sign_in_count: Mapped[int] = mapped_column(default=0, server_default="0")
    signed_in_at: Mapped[datetime | None] = mapped_column(Instant)
    signed_in_address: Mapped[str] = mapped_column(String(MAX_ADDRESS_LENGTH), default="", server_default=text("''"))
    last_signed_in_at: Mapped[datetime | None] = mapped_column(Instant)  # of the previous sign-in
    last_signed_in_address: Mapped[str] = mapped_column(
        String(MAX_ADDRESS_LENGTH), default="", server_default=text("''")
    )
    blocked_at: Mapped[datetime | None] = mapped_column(Instant)  # a blocked account cannot sign in
    byline_changed_at: Mapped[datetime | None] = mapped_column(Instant, index=True)  # see `app.accounts.bylines`
    atom_number: Mapped[int] = mapped_column(default=0, server_default="0")  # see `app.atom.address`
    leaving: Mapped[str | None] = mapped_column(String(5), index=True)  # "keep" or "erase": pending clean-up
    mail_on_reply: Mapped[MailChoice] = _mail_choice(MailChoice.AT_ONCE)
    mail_on_mention: Mapped[MailChoice] = _mail_choice(MailChoice.AT_ONCE)
    mail_on_followed: Mapped[MailChoice] = _mail_choice(MailChoice.AT_ONCE)
    # For accounts with a role; see `app.moderator_mail`.
    mail_on_report: Mapped[MailChoice] = _mail_choice(MailChoice.AT_ONCE)
    mail_on_comment: Mapped[MailChoice] = _mail_choice(MailChoice.NEVER)
    mail_on_edit: Mapped[MailChoice] = _mail_choice(MailChoice.NEVER)
    mail_on_removal: Mapped[MailChoice] = _mail_choice(MailChoice.NEVER)

    @property
    def author_id(self) -> UUID:
        return self.id

    @hybrid_property
    def gets_bulk_mail(self) -> bool:
        """Whether mail that nobody waits for may be sent to it."""
        return bool(self.confirmed_at and not self.blocked_at and not self.deleted_at)

    @gets_bulk_mail.inplace.expression
    @classmethod
    def _gets_bulk_mail(cls) -> ColumnElement[bool]:
        return cls.confirmed_at.is_not(None) & cls.blocked_at.is_(None) & cls.deleted_at.is_(None)

    def rename(self, username: str) -> None:
        self.username = username
        self.username_key, self.username_skeleton = username_key(username), skeleton(username)

    @property
    def is_unclaimed(self) -> bool:
        """Whether nobody has confirmed the address yet. The name is free for others until then."""
        return self.username_key.startswith(UNCLAIMED_KEY_PREFIX)

    def release_name(self) -> None:
        self.username_key, self.username_skeleton = f"{UNCLAIMED_KEY_PREFIX}{self.id}", None

    def track_sign_in(self, address: str) -> None:
        self.last_signed_in_at, self.last_signed_in_address = self.signed_in_at, self.signed_in_address
        self.signed_in_at, self.signed_in_address = datetime.now(UTC), address
        self.sign_in_count += 1

    def erase(self) -> None:
        self.email = f"{self.id}@deleted.invalid"
        self.username, self.username_key, self.username_skeleton = DELETED, f"{DELETED} {self.id}", None
        self.password_hash = self.signed_in_address = self.last_signed_in_address = ""
        self.byline_changed_at = None
        self.unconfirmed_email = self.confirmed_at = self.signed_in_at = self.last_signed_in_at = None
        self.sign_in_count = 0
        self.mail_on_reply = self.mail_on_mention = self.mail_on_followed = self.mail_on_report = MailChoice.AT_ONCE
        self.mail_on_comment = self.mail_on_edit = self.mail_on_removal = MailChoice.NEVER


# The accounts with a role: a few among many.
HAS_ROLE = User.role != text("'member'")
Index("ix_users_role", User.role, postgresql_where=HAS_ROLE, sqlite_where=HAS_ROLE)


class RenderedUser(TypedDict):
    """An account for its owner. Nobody else gets it."""

    id: UUID
    username: str
    email: str
    unconfirmed_email: str | None
    confirmed: bool
    role: Role
    mail_on_reply: MailChoice
    mail_on_mention: MailChoice
    mail_on_followed: MailChoice
    mail_on_report: MailChoice
    mail_on_comment: MailChoice
    mail_on_edit: MailChoice
    mail_on_removal: MailChoice


def render(user: User) -> RenderedUser:
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "unconfirmed_email": user.unconfirmed_email,
        "confirmed": user.confirmed_at is not None,
        "role": user.role,
        "mail_on_reply": user.mail_on_reply,
        "mail_on_mention": user.mail_on_mention,
        "mail_on_followed": user.mail_on_followed,
        "mail_on_report": user.mail_on_report,
        "mail_on_comment": user.mail_on_comment,
        "mail_on_edit": user.mail_on_edit,
        "mail_on_removal": user.mail_on_removal,
    }


USER = LiveModel("user", User, render, to_its_author, lives_on=is_account)


def is_letter(character: str) -> bool:
    """Whether the character is a visible letter, digit or combining mark, or an underscore."""
    return (unicodedata.category(character)[0] in "LNM" and not INVISIBLE.match(character)) or character == "_"


def clean_email(email: str) -> str:
    """The canonical form of the address: NFC, lower case, the domain in Unicode. Raises ValueError.

    Accounts, limits and e-mail all use this form. It is an addr-spec (RFC 5322) without quotes or comments. An address
    with an encoded word (RFC 2047) is refused, because mail software decodes it to another address.
    """
    try:
        cleaned = validate_email(email, check_deliverability=False).normalized.lower()
        if "=?" in cleaned or validate_email(cleaned, check_deliverability=False).normalized != cleaned:
            raise EmailNotValidError
    except EmailNotValidError:
        raise ValueError("Enter an email address, like alice@example.com") from None
    return cleaned


def ascii_email(email: str) -> str:
    """The address with its domain in ASCII, for mail servers without SMTPUTF8, if such a form exists."""
    return validate_email(email, check_deliverability=False).ascii_email or email


def username_key(username: str) -> str:
    """A key that is equal for two spellings of one name. Mentions find accounts by it."""
    plain = unicodedata.normalize("NFKC", without_joiners(username).casefold())
    return re.sub(r"\s+", " ", plain.replace("\u2019", "'"))


def clean_username(username: str) -> str:
    """The canonical form of the name: letters and digits of one script, with a few marks. Raises ValueError."""
    plain = unicodedata.normalize("NFKC", username).translate(_PLAIN_MARKS)
    name = re.sub(r" {2,}", " ", plain).strip()
    shortest = MIN_EAST_ASIAN_USERNAME_LENGTH if any(map(is_east_asian, name)) else MIN_USERNAME_LENGTH
    if not shortest <= len(name) <= MAX_USERNAME_LENGTH:
        raise ValueError(f"Use {shortest} to {MAX_USERNAME_LENGTH} characters.")
    if not _is_spelled(name):
        raise ValueError("Use letters, numbers, spaces, dots, hyphens or apostrophes.")
    if mixes_scripts(name):
        raise ValueError("Use letters of one alphabet.")
    if _is_reserved(name):
        raise ValueError("This name is reserved.")
    return name


def _is_spelled(name: str) -> bool:
    """Whether the name is readable: letters with at most a few combining marks, and single marks between words."""
    if STACKED.search(unicodedata.normalize("NFD", name)) or not any(map(str.isalnum, name)):
        return False
    for before, character, after in zip(f" {name[:-1]}", name, f"{name[1:]} ", strict=True):
        if joins_letters(before, character, after):
            continue
        if not is_letter(character) and character not in MARKS:
            return False
        if unicodedata.category(character)[0] == "M" and (before in MARKS or before == "_"):
            return False
    return is_letter(name[0]) and is_letter(name[-1])


def _is_reserved(name: str) -> bool:
    """Whether the name could pass for the service or its staff, in any spelling."""
    forms = {_coarse_form(username_key(name)), _coarse_form(skeleton(name))}
    words = {word for form in forms for word in re.split(r"[\W\d_]+", form)}  # "Admin1" is an admin
    whole = {"".join(filter(str.isalnum, form)) for form in forms}
    return bool(words & _OFFICIAL_FORMS or whole & _RESERVED_FORMS or any(map(_SOUNDS_OFFICIAL.fullmatch, whole)))


async def find_user(reading: Reading, id: UUID) -> User | None:
    return await reading.get(User, id)


async def any_account_exists(reading: Reading) -> bool:
    return await reading.scalar(select(User.id).limit(1)) is not None


async def user_at(reading: Reading, email: str) -> User | None:
    return await reading.scalar(select(User).where(User.email == email))


async def oldest_created(reading: Reading, limit: int) -> list[User]:
    """The oldest accounts that `accounts.create_account` has made for somebody. It confirms their addresses at once."""
    created = select(User).where(User.confirmed_at == User.created_at, User.deleted_at.is_(None))
    return list((await reading.scalars(created.order_by(User.created_at).limit(limit))).all())


async def refuse_taken_name(reading: Reading, username: str, but: User | None = None) -> None:
    """Raises Invalid if an account other than `but` has this name, or one that looks like it."""
    same = or_(User.username_key == username_key(username), User.username_skeleton == skeleton(username))
    for holder in await reading.scalars(select(User.id).where(same)):
        if not (but and but.id == holder):
            raise Invalid("username", "This name is taken.")
