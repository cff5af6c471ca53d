"""Signing: gids with a signature of Parley, each for one purpose and a limited time, for cookies and links in e-mails.

    signed = signer.sign(Gid("User", "7c1…"), "reset")
    gid = signer.open(signed, "reset", seconds=3600)

A signed gid is not secret: its holder can read it. The first key signs and all keys verify, so an operator can change
the key without signing everybody out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from itsdangerous import Signer as KeySigner

from app.live.gids import BadGid, Gid

CACHED_SIGNATURES = 4_096  # of a process, about 0.5 KB each; a request with a cookie needs 5 µs instead of 250
MAX_CLOCK_SKEW_SECONDS = 3600  # between the clocks of two machines, or if a clock is set back


class Signer:
    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(keys)[::-1]  # the library signs with the last of its keys
        self._clock = TimestampSigner(self._keys)
        self._verified = lru_cache(CACHED_SIGNATURES)(self._verify)  # a signature stays valid; only its age changes

    def sign(self, gid: Gid, purpose: str) -> str:
        """The result has letters, digits, `-`, `_` and dots, which need no quoting in cookies and URLs."""
        return self._serializer(purpose).dumps(str(gid))

    def open(self, signed: str, purpose: str, seconds: int) -> Gid:
        """Raises BadGid unless Parley signed it for this purpose, at most `seconds` ago."""
        gid, signed_at = self._verified(signed, purpose)
        # The library rejects a time in the future, but another machine of ours may have a clock that is ahead.
        if not -MAX_CLOCK_SKEW_SECONDS <= self._clock.get_timestamp() - signed_at <= seconds:
            raise BadGid("not signed in this time")
        return gid

    def _verify(self, signed: str, purpose: str) -> tuple[Gid, float]:
        """(the signed gid, the time of its signature). Raises BadGid, which is not cached."""
        try:
            text, signed_at = self._serializer(purpose).loads(signed, return_timestamp=True)
        except BadData:
            raise BadGid("not signed by us") from None
        return Gid.parse(text if isinstance(text, str) else ""), signed_at.timestamp()

    def signatures(self, text: str, purpose: str) -> list[str]:
        """One signature with each key, so that a process which has only one of the keys can verify the text."""
        return [_with([key], purpose).get_signature(text).decode() for key in self._keys]

    def verifies(self, text: str, signatures: Sequence[str], purpose: str) -> bool:
        """Whether one of these signatures was made with one of our keys."""
        ours = _with(self._keys, purpose)
        return any(ours.verify_signature(text, signature) for signature in signatures)

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        # The purpose is part of the key, so that a signature from a link in an e-mail is never valid in a cookie.
        return URLSafeTimedSerializer(self._keys, salt=purpose, signer_kwargs={"digest_method": hashlib.sha256})


def _with(keys: Sequence[str], purpose: str) -> KeySigner:
    return KeySigner(list(keys), salt=purpose, digest_method=hashlib.sha256)


def fingerprint(*texts: str) -> str:
    """A digest of state that a signed gid depends on. If the state changes, the gid is not valid any more."""
    return hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()[:32]
