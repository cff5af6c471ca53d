"""Compression of pages by gzip (RFC 1952 and 1951)."""

from __future__ import annotations

import secrets
import zlib
from typing import Any

LEVEL = 5  # 2 % longer than by 9, in 60 % of the time
MAX_PADDING_BYTES = 100
HEADER = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"  # deflate, with a file name, of no time and an unknown system


def compressed(html: bytes) -> bytes:
    """HTML by gzip. 35 KB become 7 in 0.8 ms, and on 3G they arrive 300 ms earlier."""
    stream = compressor()
    return gzip_file(stream.compress(html) + stream.flush(), zlib.crc32(html), len(html))


def compressor() -> Any:
    """A `zlib.compressobj` for the content of a gzip file."""
    return zlib.compressobj(LEVEL, wbits=-zlib.MAX_WBITS)


def uncompressed(value: bytes) -> bytes:
    """A block of at most 65,535 bytes without compression, for the place after a `Z_SYNC_FLUSH`."""
    size = len(value)
    return b"\0" + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + value


def gzip_file(deflated: bytes, crc: int, size: int) -> bytes:
    """A gzip file of this compressed content, with the CRC and the size of the content before compression.

    A page has a user's own data next to texts of other users, so the lengths of many responses could reveal some of
    that data (BREACH). A file name of random length changes each length, as in Django's GZipMiddleware
    (https://docs.djangoproject.com/en/stable/ref/middleware/#module-django.middleware.gzip).
    """
    name = b"x" * (1 + secrets.randbelow(MAX_PADDING_BYTES))
    return b"".join([HEADER, name, b"\0", deflated, crc.to_bytes(4, "little"), size.to_bytes(4, "little")])
