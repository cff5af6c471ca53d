"""Guest page: the HTML of a thread as guests see it, compressed once for many responses.

1. Two values differ in each response: the time, and the id of the composer's form. No comment can contain those of the
   stored page: a comment that is written after somebody has seen them changes the thread, and with it the page.
2. In the compressed page, the two values stand in gaps: blocks without compression (RFC 1951, 3.2.4). Later parts of a
   compressed text may refer to earlier ones, but none refers to a gap: the compressor gets NULs there, which HTML does
   not contain. A value has the length of its gap.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from uuid import UUID

from app.pages.compression import compressor, gzip_file, uncompressed


class GuestPage:
    """A page that was rendered with this time and form id. Its length is the number of bytes that it keeps."""

    def __init__(self, html: str, now: str, form_id: UUID, is_indexed: bool) -> None:
        own = _own(now, form_id)
        parts = [part.encode() for part in re.split(f"({'|'.join(map(re.escape, own))})", html)]
        self.is_indexed = is_indexed
        self._parts = parts[::2]
        self._gaps = [own.index(value.decode()) for value in parts[1::2]]  # which value each gap is for
        self._compressed = list(_compress(parts))
        self._crc = zlib.crc32(parts[0])

    def __len__(self) -> int:
        return sum(map(len, self._parts)) + sum(map(len, self._compressed))

    def html(self, now: str, form_id: UUID) -> bytes:
        """The HTML for another request (1)."""
        return _interleaved(self._parts, self._values(now, form_id))

    def gzip(self, now: str, form_id: UUID) -> bytes:
        """The same as a gzip file (2)."""
        values = self._values(now, form_id)
        rest = _interleaved([b"", *self._parts[1:]], values)
        deflated = _interleaved(self._compressed, [uncompressed(value) for value in values])
        return gzip_file(deflated, zlib.crc32(rest, self._crc), len(self._parts[0]) + len(rest))

    def _values(self, now: str, form_id: UUID) -> list[bytes]:
        own = [value.encode() for value in _own(now, form_id)]
        return [own[which] for which in self._gaps]


def _own(now: str, form_id: UUID) -> tuple[str, str]:
    """The values of one response. The time is written as in the page's bootstrap."""
    return f'"now":"{now}"', str(form_id)


def _compress(parts: list[bytes]) -> Iterator[bytes]:
    """Each part between two gaps; `parts` alternate between the two."""
    stream = compressor()
    for part, gap in zip_longest(parts[::2], parts[1::2]):
        yield stream.compress(part) + stream.flush(zlib.Z_FINISH if gap is None else zlib.Z_SYNC_FLUSH)
        if gap is not None:
            stream.compress(bytes(len(gap)))
            stream.flush(zlib.Z_SYNC_FLUSH)


def _interleaved(parts: list[bytes], values: list[bytes]) -> bytes:
    return b"".join(piece for pair in zip_longest(parts, values, fillvalue=b"") for piece in pair)
