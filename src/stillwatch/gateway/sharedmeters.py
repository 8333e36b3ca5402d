"""One count of what accounts have used for all workers of a machine: a table in a file that each reads and writes.

In: a file, a key. Out: `Meters` whose limits hold whichever worker a connection meets, and over restarts. A slot is
found by a keyed digest of the account, in sets of eight; a full set gives up an account at rest, else the one heard of
longest ago, which is counted. Workers take turns by a lock on the set, which the system lets go when a worker dies; who
does not get it within 3 ms goes on without, so that no answer waits: two may then count one request between them. The
file is not mapped, since a disk that fails under a mapping kills the process; here it costs what was counted.
Cost: 4 MiB, about 10 microseconds a call. Left to `policy.buckets`: the arithmetic.
"""

import fcntl
import hashlib
import math
import os
import struct
import time
from functools import lru_cache
from pathlib import Path
from typing import Final

from stillwatch.policy.buckets import Meter, Rate
from stillwatch.terms.errors import StillwatchError

SETS: Final = 8_192
WAYS: Final = 8
_SLOT: Final = struct.Struct("<16sdddqdd")
"""Digest of the account, requests_at, tokens_at, rate of tokens, day, tokens of the workload, last heard of."""
_FREE: Final = bytes(16)
_MAGIC: Final = b"SWMETERS 1\n" + struct.pack("<HBH", SETS, WAYS, _SLOT.size)
_SET: Final = WAYS * _SLOT.size
_BYTES: Final = len(_MAGIC) + SETS * _SET
_TRIES: Final = 40
_PAUSE: Final = 2e-5
"""Seconds between two tries; with what the system adds, some 3 ms are waited at the most, and mostly nothing."""
_AHEAD: Final = 86_400.0
"""Seconds: a bucket that says it is full later than this is damage, or the clock ran backwards."""


class SharedMeters:
    """`Meters` of all workers that share one file; each worker has one of these and calls it from one thread."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open the file, which is made where there is none of this layout.

        Args:
            path: The file; its folder must be there.
            key: Secret of the digests of accounts, at most 64 bytes.

        Raises:
            StillwatchError: the file cannot be made or has no room on the disk.
        """
        self.part = 1.0
        self.dropped = 0
        self._keyed = hashlib.blake2b(key=key, digest_size=18, person=b"sw meters")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _prepare(self._file)
            except BaseException:
                os.close(self._file)
                raise
        except OSError as problem:
            raise StillwatchError(f"meters {path}: {problem.strerror}; give a state folder you may write.") from None

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def take(self, account: str, rate: Rate, tokens: float, now: float) -> float:
        """As `Meters` says."""
        start, digest = self._place(account)
        locked = self._lock(start)
        try:
            slots, at, meter = self._open(start, digest, now)
            wait = meter.take(rate, tokens, now)
            self._put(start, at if at >= 0 else self._freed(slots, now), digest, meter, now)
        finally:
            self._unlock(locked, start)
        return wait

    def settle(self, account: str, more: float, now: float) -> None:
        """As `Meters` says."""
        start, digest = self._place(account)
        if _found(self._read(start), digest) < 0:
            return  # nobody limits most accounts
        locked = self._lock(start)
        try:
            _, at, meter = self._open(start, digest, now)
            if at >= 0:  # else it was given up meanwhile
                meter.settle(more, now)
                self._put(start, at, digest, meter, now)
        finally:
            self._unlock(locked, start)

    def spend_workload(self, account: str, tokens: float, now: float) -> None:
        """As `Meters` says."""
        start, digest = self._place(account)
        locked = self._lock(start)
        try:
            slots, at, meter = self._open(start, digest, now)
            meter.spend_workload(tokens, now)
            self._put(start, at if at >= 0 else self._freed(slots, now), digest, meter, now)
        finally:
            self._unlock(locked, start)

    def workload_left(self, account: str, quota: float, now: float) -> bool:
        """As `Meters` says."""
        start, digest = self._place(account)
        slots = self._read(start)
        at = _found(slots, digest)
        return (_meter(slots, at) if at >= 0 else Meter()).workload_left(quota, now)

    def restart(self, now: float) -> None:
        """As `Meters` says; what other workers counted by the new clock stays."""
        for start in range(len(_MAGIC), _BYTES, _SET):
            slots = self._read(start)
            for at in range(0, _SET, _SLOT.size):
                digest, _, _, tokens, day, spent, heard = _SLOT.unpack_from(slots, at)
                if digest != _FREE and heard > now:
                    self._write(start + at, _SLOT.pack(digest, -math.inf, -math.inf, tokens, day, spent, now))

    def _open(self, start: int, digest: bytes, now: float) -> tuple[bytes, int, Meter]:
        """Return a set, where in it an account's slot is (-1 for nowhere), and its meter."""
        slots = self._read(start)
        at = _found(slots, digest)
        if at < 0:
            return slots, at, Meter()
        meter = _meter(slots, at)
        if not max(meter.requests_at, meter.tokens_at) <= now + _AHEAD:
            meter.restart()
        return slots, at, meter

    def _put(self, start: int, at: int, digest: bytes, meter: Meter, now: float) -> None:
        slot = _SLOT.pack(
            digest, meter.requests_at, meter.tokens_at, meter.rate.tokens, meter.day, meter.workload_tokens, now
        )
        self._write(start + at, slot)

    def _lock(self, start: int) -> bool:
        for _ in range(_TRIES):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SET, start)
                return True
            except OSError:
                time.sleep(_PAUSE)
        return False

    def _unlock(self, locked: bool, start: int) -> None:
        if locked:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _SET, start)

    def _place(self, account: str) -> tuple[int, bytes]:
        """Return where the set of an account begins, and what stands for it there."""
        state = self._keyed.copy()
        state.update(account.encode("utf-8", "surrogatepass"))
        digest = state.digest()
        return len(_MAGIC) + int.from_bytes(digest[16:], "little") % SETS * _SET, digest[:16]

    def _read(self, start: int) -> bytes:
        """Return a set; an empty one where the file has none any more."""
        try:
            slots = os.pread(self._file, _SET, start)
        except OSError:
            slots = b""
        return slots if len(slots) == _SET else bytes(_SET)

    def _write(self, at: int, slot: bytes) -> None:
        try:
            os.pwrite(self._file, slot, at)
        except OSError:  # the request was answered for; that it was not counted is told
            self.dropped += 1

    def _freed(self, slots: bytes, now: float) -> int:
        """Return the place of a slot of a set for another account."""
        places = range(0, _SET, _SLOT.size)
        for at in places:
            if slots[at : at + 16] == _FREE or _meter(slots, at).full(now):
                return at
        self.dropped += 1
        return min(places, key=lambda at: float(_SLOT.unpack_from(slots, at)[-1]))


def _found(slots: bytes, digest: bytes) -> int:
    """Return the place of an account's slot in its set; -1 where it has none."""
    at = slots.find(digest)
    while at >= 0 and at % _SLOT.size:  # the bytes of two fields may read like a digest
        at = slots.find(digest, at + 1)
    return at


def _meter(slots: bytes, at: int) -> Meter:
    _, requests_at, tokens_at, tokens, day, spent, _ = _SLOT.unpack_from(slots, at)
    return Meter(requests_at, tokens_at, _rate(tokens), day, spent)


@lru_cache(maxsize=256)
def _rate(tokens: float) -> Rate:
    """Return the rate that an answer is settled by; there are few, one a plan and share."""
    return Rate(tokens=tokens) if tokens > 0.0 else Rate()


def _prepare(file: int) -> None:
    """Empty a table of another layout or size, under a lock that all who begin take; its room is taken at once."""
    fcntl.lockf(file, fcntl.LOCK_EX, len(_MAGIC), 0)
    try:
        if os.fstat(file).st_size != _BYTES or os.pread(file, len(_MAGIC), 0) != _MAGIC:
            os.ftruncate(file, 0)
            for start in range(len(_MAGIC), _BYTES, 1 << 20):
                os.pwrite(file, bytes(min(1 << 20, _BYTES - start)), start)
            os.pwrite(file, _MAGIC, 0)
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN, len(_MAGIC), 0)
