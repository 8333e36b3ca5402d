"""Content codings of HTTP that can be read here: gzip, deflate and Zstandard, whole or piece by piece.

In: zipped bytes. Out: plain bytes, never more than asked for. Others, such as Brotli, are asked of nobody.
"""

import zlib
from typing import Any, Final, Protocol

import zstandard

CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate", "zstd"})
_WINDOW: Final = 1 << 27
_PIECE: Final = 1 << 16
_MOST_MEMBERS: Final = 4096
"""Gzip members of one body: honest writers cut every 64 KB at most; an empty member costs more than its 20 bytes."""


class Flow(Protocol):
    """Takes chunks and gives back what can be passed on."""

    def feed(self, chunk: bytes) -> bytes:
        """Return what can be passed on now."""
        ...

    def end(self) -> bytes:
        """Return the rest."""
        ...


def unzip(data: bytes, coding: str, most: int) -> bytes:
    """Return at most `most` bytes of what `data` unzips to; less where `data` ends early.

    Raises:
        ValueError: it is not of that coding.
    """
    try:
        if coding == "zstd":
            return _unzstd(data, most)
        return _inflate(data, coding, most)
    except (zlib.error, zstandard.ZstdError) as error:
        raise ValueError(coding) from error


def _inflate(data: bytes, coding: str, most: int) -> bytes:
    """Several gzip members may follow one another; `deflate` comes with and without zlib's header."""
    bits = 31 if coding != "deflate" else 15 if data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0 else -15
    out: list[bytes] = []
    at, room, members = 0, most, 0
    while at < len(data) and room > 0 and (bits == 31 or not members):
        members += 1
        if members > _MOST_MEMBERS:
            raise ValueError("gzip members")
        unzipper = zlib.decompressobj(bits)
        while at < len(data) and room > 0 and not unzipper.eof:
            piece = data[at : at + _PIECE]  # what follows a member is copied, so that it must not be the whole rest
            part = unzipper.decompress(piece, room)
            at += len(piece) - len(unzipper.unused_data)
            out.append(part)
            room -= len(part)
    return b"".join(out)


def _unzstd(data: bytes, most: int) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(data, read_across_frames=True)
    out: list[bytes] = []
    room = most
    while room > 0 and (part := reader.read(min(room, 1 << 20))):
        out.append(part)
        room -= len(part)
    return b"".join(out)


class UnzippedFlow:
    """A stream that comes zipped and goes through `flow` plain."""

    __slots__ = ("_flow", "_unzipper")

    def __init__(self, coding: str, flow: Flow) -> None:
        """Take the coding, one of `CODINGS`, and what the plain stream goes through."""
        self._flow = flow
        self._unzipper: Any = (
            zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
            if coding == "zstd"
            else zlib.decompressobj(47 if coding != "deflate" else 15)
        )

    def feed(self, chunk: bytes) -> bytes:
        """Return what `chunk` adds.

        Raises:
            OSError: the stream is damaged.
        """
        try:
            return self._flow.feed(self._unzipper.decompress(chunk))
        except (zlib.error, zstandard.ZstdError) as error:
            raise OSError("the stream's content coding is damaged") from error

    def end(self) -> bytes:
        """Return the rest."""
        return self._flow.end()
