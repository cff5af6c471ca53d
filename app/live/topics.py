"""Topics: ordered feeds of changes.

`Article/1` has the comments of a commentable, `Commentable/Article/1` the commentable itself, `User/<id>` the changes
for one account, and `Moderation/queue` those for moderators.

1. One commentable has one name, which `canonical_id` computes. Pages, API, streams, counts, embeds and the command line
   read ids only through it, by `Topic.commentable` or `Topic.canonical`.
2. `Topic.parse` and `Topic(…)` accept any name that a database may hold. They never change it.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

ACCOUNT = "User"
ABOUT = "Commentable"
MODERATION = "Moderation"
MAX_ID_LENGTH = 200  # characters
MAX_TYPE_LENGTH = 38  # of a commentable, so that a topic about it has 251 characters at most

MAX_RAW_ID = 1_000  # characters before they are composed; a composed character has four parts at most
JOINERS = "\u200c\u200d"  # ZERO WIDTH NON-JOINER and JOINER

_TYPE = re.compile(r"[A-Z][A-Za-z0-9]{0,49}")
# Characters that show nothing although Python calls them printable (Unicode's Default_Ignorable_Code_Point, and the
# Braille blank), and U+FFFD, which replaces bytes that are not UTF-8: different bytes would become one id.
_REFUSED = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0d\uffa0\ufffd\U000e0000-\U000e0fff]"
)
_EMOJI_SELECTORS = "\ufe0e\ufe0f"  # after a symbol: as text, as a picture
_KEYCAP = "\u20e3"
_WITHOUT_JOINERS = dict.fromkeys(map(ord, JOINERS))


class BadTopic(ValueError):
    """The text is not the name of a topic. The message says what is wrong with it."""


def canonical_id(text: str) -> str:
    """The canonical form of a commentable's id: `/2024//hello/` is `2024/hello`. Idempotent. Raises BadTopic.

    Unicode is composed (NFC), spaces at both ends and superfluous slashes are dropped, and case is kept. Segments `.`
    and `..` are refused, because browsers and proxies resolve them (RFC 3986, 5.2.4). Invisible characters are refused,
    too, but ZWNJ and ZWJ may stand where they shape a word (Persian, Indic scripts) or an emoji.
    """
    if len(text) > MAX_RAW_ID:
        raise BadTopic(f"the id has 1 to {MAX_ID_LENGTH} characters")
    segments = [segment for segment in unicodedata.normalize("NFC", text).strip(" /").split("/") if segment]
    id_ = "/".join(segments)
    if not 1 <= len(id_) <= MAX_ID_LENGTH:
        raise BadTopic(f"the id has 1 to {MAX_ID_LENGTH} characters")
    if "." in segments or ".." in segments:
        raise BadTopic("the id has no segment . or ..")
    is_plain = id_.isascii() and id_.isprintable()  # most are, and a stream has a hundred
    if not is_plain and not all(_is_allowed(id_, index) for index in range(len(id_))):
        raise BadTopic("the id has visible characters only")
    return id_


def _is_allowed(id_: str, index: int) -> bool:
    """Whether the character at this index may stand there."""
    character = id_[index]
    if character not in JOINERS and character not in _EMOJI_SELECTORS:
        return character.isprintable() and not _REFUSED.match(character)
    before, after = id_[index - 1 : index], id_[index + 1 : index + 2]
    if character in JOINERS:
        return bool(before and after) and (_is_joined_word(before, after) or _is_joined_emoji(before, after))
    return _is_symbol(before) or (before in set("#*0123456789") and after == _KEYCAP)


def _is_joined_word(before: str, after: str) -> bool:
    """Whether both are parts of words, and one of them is of a script that joins its letters."""
    return all(unicodedata.category(one)[0] in "LMN" for one in (before, after)) and any(
        _is_of_joining_script(one) for one in (before, after)
    )


def _is_of_joining_script(character: str) -> bool:
    """Whether this is a letter or mark of a joining script, for example Arabic, Syriac, Mongolian or Devanagari."""
    return (
        unicodedata.category(character) in ("Lo", "Mn", "Mc")
        and unicodedata.east_asian_width(character) == "N"
        and not unicodedata.name(character, "").startswith(("HEBREW", "COMBINING", "LATIN"))
    )


def _is_joined_emoji(before: str, after: str) -> bool:
    return (_is_symbol(before) or before in _EMOJI_SELECTORS) and _is_symbol(after)


def _is_symbol(character: str) -> bool:
    return character > "\x7f" and unicodedata.category(character) in ("So", "Sk", "Sm", "Po", "Pd")


@dataclass(frozen=True, order=True)
class Topic:
    """A commentable's type and id. Ordered by name, which is the order in which writers lock topics."""

    type: str
    id: str

    def __post_init__(self) -> None:
        if not _TYPE.fullmatch(self.type):
            raise BadTopic("the type is one capitalised word")
        longest = MAX_ID_LENGTH + (MAX_TYPE_LENGTH + 1 if self.is_about else 0)
        if not 1 <= len(self.id) <= longest or not self.id.translate(_WITHOUT_JOINERS).isprintable():
            raise BadTopic(f"the id is 1 to {longest} printable characters")

    @classmethod
    def parse(cls, name: str) -> Topic:
        """The topic with this stored name, for example `Article/1` (2). The id may contain slashes. Raises BadTopic."""
        type_, slash, id_ = name.partition("/")
        if not slash:
            raise BadTopic("a topic is a type and an id, like Article/1")
        return cls(type_, id_)

    @classmethod
    def commentable(cls, type: str, id: str) -> Topic:
        """The commentable that a client means by this type and id (1). Raises BadTopic."""
        return cls(type, canonical_id(id))

    @classmethod
    def canonical(cls, name: str) -> Topic:
        """The topic that a client means by this name (1): a commentable's, or one about it. Raises BadTopic."""
        type_, slash, id_ = name.strip(" ").partition("/")
        if type_ == ABOUT:
            type_, slash, id_ = id_.partition("/")
            return cls.commentable(type_, id_).about
        if not slash:
            raise BadTopic("a topic is a type and an id, like Article/1")
        return cls.commentable(type_, id_)

    @classmethod
    def account(cls, user_id: object) -> Topic:
        return cls(ACCOUNT, str(user_id))

    @property
    def is_account(self) -> bool:
        return self.type == ACCOUNT

    @property
    def is_place(self) -> bool:
        """Whether this is the topic of a commentable."""
        return self.type not in (ACCOUNT, ABOUT, MODERATION)

    @property
    def is_about(self) -> bool:
        return self.type == ABOUT

    @property
    def about(self) -> Topic:
        """The topic of the commentable itself, with its title and count. It has no events for single comments."""
        return Topic(ABOUT, str(self))

    @property
    def place(self) -> Topic:
        """The topic of the commentable that this topic is about: the inverse of `about`. Raises BadTopic."""
        return Topic.parse(self.id)

    @cached_property
    def key(self) -> str:
        """Eleven characters for this topic in cursors. With names, cursors could be too long for a request header."""
        digest = blake2b(str(self).encode(), digest_size=8).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"


QUEUE = Topic(MODERATION, "queue")
