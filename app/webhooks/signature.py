"""Signatures of webhooks, by the Standard Webhooks specification: HMAC-SHA256 of the id, the time and the body."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime


def signature(keys: Sequence[bytes], id: str, at: datetime, body: bytes) -> str:
    """One signature with each key, separated by spaces. A receiver accepts the message if one of them is right."""
    message = b"%s.%d.%s" % (id.encode(), int(at.timestamp()), body)
    return " ".join(f"v1,{b64encode(hmac.digest(key, message, 'sha256')).decode()}" for key in keys)
