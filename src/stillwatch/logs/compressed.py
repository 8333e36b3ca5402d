"""Bytes of a log file, unpacked as they are read.

In: a path to a plain, gzip or zstd file (told by its first bytes, not by its name). Out: chunks of bytes of
bounded size. Whatever can be read before a cut or a damage is read first; then `CutOff` says so.
Cost: zlib's and zstd's own; 16 MB at most held at once, whatever the file expands to.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import zstandard

CHUNK = 1 << 20
"""Bytes read at once from plain and gzip files."""
_ZSTD_CHUNK = 1 << 12
"""Bytes of zstd read at once: one block of a few bytes may expand to 128 KiB."""

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
PARQUET = b"PAR1"


class CutOff(Exception):
    """Compressed data end early or are damaged; all that came before has been given out."""


def magic_of(path: Path) -> bytes:
    """Return the first four bytes of a file."""
    with path.open("rb") as file:
        return file.read(4)


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield the unpacked bytes of a file.

    Raises:
        CutOff: after everything readable was given out.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head.startswith(GZIP):
            yield from _gunzip(file)
        elif head == ZSTD:
            yield from _unzstd(file)
        else:
            while chunk := file.read(CHUNK):
                yield chunk


def _gunzip(file: IO[bytes]) -> Iterator[bytes]:
    unpack = zlib.decompressobj(31)
    data = b""
    fresh = True
    while True:
        data = data or file.read(CHUNK >> 2)
        if not data:
            break
        if fresh and not data.strip(b"\0"):  # zero padding after the last member is allowed
            data = b""
            continue
        fresh = False
        try:
            out = unpack.decompress(data, CHUNK)
        except zlib.error:
            raise CutOff("compressed data are damaged; what came before was read") from None
        if out:
            yield out
        data = unpack.unconsumed_tail
        if unpack.eof:
            data = unpack.unused_data
            unpack = zlib.decompressobj(31)
            fresh = True
    if not fresh:
        yield unpack.flush()
        raise CutOff("file ends inside a compressed block; what came before was read")


def _unzstd(file: IO[bytes]) -> Iterator[bytes]:
    factory = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    unpack = factory.decompressobj()
    data = b""
    fresh = True
    while data := data or file.read(_ZSTD_CHUNK):
        fresh = False
        try:
            out = unpack.decompress(data)
        except zstandard.ZstdError:
            raise CutOff("compressed data are damaged; what came before was read") from None
        if out:
            yield out
        data = b""
        if unpack.eof:
            data = unpack.unused_data
            unpack = factory.decompressobj()
            fresh = True
    if not fresh:
        raise CutOff("file ends inside a compressed block; what came before was read")
