"""Sealed segments: how exchanges lie on disk for the seconds between a worker and the watcher.

In: exchanges to seal, or segment files and the key. Out: frames, or exchanges and counts of what could not be read.
A segment is a clear header (magic, layout, key id, salt, worker) and frames; a frame is its length, its number and
one AES-256-GCM sealed list of the exchange's fields. The frame's number is the nonce and the header is authenticated
with it, so that frames can be counted without the key but neither read, moved nor altered.
Cost: about 6 microseconds to seal 2 KB. Left to `spool`: files; to `app.watch`: what is done with the exchanges.
Source: NIST SP 800-38D (GCM; 96-bit nonces that never repeat under a key).
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.served import Served

KEY_BYTES: Final = 32
OPEN_SUFFIX: Final = ".open"
CLOSED_SUFFIX: Final = ".seg"
MAX_FRAME_BYTES: Final = 1 << 28
"""A frame that says it is longer is damage."""

_FIELDS: Final = tuple(f.name for f in fields(Served))
_ADDED: Final = (("twin",), ("treatments",))
"""Fields that came later, newest first, all with a default: segments that an earlier release left are still read."""
_HEADER: Final = struct.Struct("<8s4s8s16s28s")
_MAGIC: Final = b"SWSEG\x00\x01\n"
_FRAME: Final = struct.Struct("<IQ")
_TAG_BYTES: Final = 16
_NONCE_PAD: Final = b"\x00\x00\x00\x00"
_take = attrgetter(*_FIELDS)


def _layouts() -> dict[bytes, tuple[str, ...]]:
    """Return the fields of each layout that can be read, by its mark; this release's own first."""
    names, found = _FIELDS, {}
    for added in ((), *_ADDED):
        names = tuple(name for name in names if name not in added)
        found[hashlib.blake2b(",".join(names).encode(), digest_size=4).digest()] = names
    return found


_LAYOUTS: Final = _layouts()
_LAYOUT: Final = next(iter(_LAYOUTS))


def key_id(key: bytes) -> bytes:
    """Return the 8 bytes that name a spool key in the clear."""
    return hashlib.blake2b(key, digest_size=8, person=b"stillwatch spool").digest()


class Sealer:
    """Seals one writer's exchanges; numbers never repeat under its key, which no other writer has."""

    def __init__(self, key: bytes, worker: str, salt: bytes | None = None) -> None:
        """Derive the writer's own key.

        Args:
            key: The spool's key, 32 bytes.
            worker: Name of the worker, at most 28 bytes.
            salt: 16 random bytes; drawn when None.
        """
        if len(key) != KEY_BYTES:
            raise StillwatchError(f"spool key: {len(key)} bytes; must be {KEY_BYTES}.")
        salt = salt or os.urandom(16)
        self.header = _HEADER.pack(_MAGIC, _LAYOUT, key_id(key), salt, worker.encode()[:28])
        self._cipher = _cipher(key, self.header)
        self._encode = msgspec.msgpack.Encoder().encode
        self._next = 0

    def next(self) -> int:
        """Return a number that was never given before; ask from one thread only."""
        number = self._next
        self._next = number + 1
        return number

    def seal(self, served: Served, number: int) -> bytes:
        """Return the frame of one exchange under a number from `next`, used once.

        Raises:
            ValueError, TypeError, OverflowError: a field holds what cannot be written, such as half a character.
        """
        nonce = _NONCE_PAD + number.to_bytes(8, "little")
        sealed = self._cipher.encrypt(nonce, self._encode(_take(served)), self.header)
        return _FRAME.pack(len(sealed), number) + sealed


def _cipher(key: bytes, header: bytes) -> AESGCM:
    """Return the cipher of one writer: its key is derived from the spool's and from the header's salt."""
    return AESGCM(hashlib.blake2b(header, key=key, digest_size=32, person=b"sw segment key").digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What one segment file gave."""

    name: str
    """File name without suffix: `<worker>-<boot>-<n>`."""
    digest: str
    """Stands for the segment in the store: BLAKE2b of name and header, 32 hex digits."""
    worker: str
    exchanges: tuple[Served, ...]
    frames: int
    """Whole frames met, readable or not."""
    unreadable: int
    """Whole frames that the key does not open: another boot's, another version's, or altered."""
    torn: int
    """1 when the file ends inside a frame, else 0."""
    size: int
    """Bytes."""


def closed_segments(folder: Path) -> list[Path]:
    """Return the closed segments, oldest first; none where there is no such folder."""
    found: list[tuple[int, str, Path]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(CLOSED_SUFFIX):
                    found.append((entry.stat().st_mtime_ns, entry.name, Path(entry.path)))
    except FileNotFoundError:
        return []
    return [path for _, _, path in sorted(found)]


def read_segment(path: Path, key: bytes) -> Segment:
    """Return what can be read of a segment; a torn tail and frames that do not open are counted, never raised.

    Raises:
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    header = content[: _HEADER.size]
    digest = hashlib.blake2b(path.stem.encode() + b"\0" + header, digest_size=16).hexdigest()
    exchanges: list[Served] = []
    frames = unreadable = torn = 0
    worker = ""
    opener: _Opener | None = None
    if len(header) == _HEADER.size and header.startswith(_MAGIC[:5]):
        worker = header[-28:].rstrip(b"\0").decode(errors="replace")
        opener = _opener(key, header)
    for number, sealed in _frames(content):
        if sealed is None:
            torn = 1
            break
        frames += 1
        served = opener.open(number, sealed) if opener is not None else None
        if served is None:
            unreadable += 1
        else:
            exchanges.append(served)
    return Segment(
        name=path.stem, digest=digest, worker=worker, exchanges=tuple(exchanges), frames=frames,
        unreadable=unreadable, torn=torn, size=len(content),
    )  # fmt: skip


def read_segments(folder: Path, key: bytes) -> Iterator[Segment]:
    """Yield every closed segment of a folder, oldest first."""
    for path in closed_segments(folder):
        yield read_segment(path, key)


def _frames(content: bytes) -> Iterator[tuple[int, memoryview | None]]:
    """Yield (number, sealed bytes) of each whole frame, and (0, None) where the file ends inside one."""
    view, at, end = memoryview(content), _HEADER.size, len(content)
    if end < at:
        if end:
            yield 0, None
        return
    while at < end:
        if end - at < _FRAME.size:
            yield 0, None
            return
        length, number = _FRAME.unpack_from(content, at)
        start = at + _FRAME.size
        if not _TAG_BYTES <= length <= MAX_FRAME_BYTES or start + length > end:
            yield 0, None
            return
        yield number, view[start : start + length]
        at = start + length


class _Opener:
    def __init__(self, key: bytes, header: bytes, names: tuple[str, ...]) -> None:
        self._cipher = _cipher(key, header)
        self._header = header
        self._names = names
        self._decode = msgspec.msgpack.Decoder(list[Any]).decode

    def open(self, number: int, sealed: memoryview) -> Served | None:
        try:
            plain = self._cipher.decrypt(_NONCE_PAD + number.to_bytes(8, "little"), bytes(sealed), self._header)
            return Served(**dict(zip(self._names, self._decode(plain), strict=True)))
        except (InvalidTag, msgspec.MsgspecError, ValueError, TypeError):
            return None


def _opener(key: bytes, header: bytes) -> _Opener | None:
    """Return what opens the frames under this header; None where the key or the version is another."""
    magic, layout, named, _, _ = _HEADER.unpack(header)
    names = _LAYOUTS.get(layout)
    if magic != _MAGIC or names is None or named != key_id(key):
        return None
    return _Opener(key, header, names)
