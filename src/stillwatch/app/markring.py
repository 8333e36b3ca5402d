"""The keys of marks in a state folder: made, rotated, loaded, followed while the gateway runs; and who was marked.

In: the state folder and the section `[mark]`. Out: `Ring`, and `MarkKeys` for a worker, which sees a rotation within
seconds. The file holds the secrets of every epoch, readable by its owner only: engines need a copy of it, nobody else.
Who was marked is noted beside it, one line the first time, so that a reader knows for whom to look.
Left to `treatments.marks`: what the keys do.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from stillwatch.app.settings import Settings
from stillwatch.gateway.published import replace_whole
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.config import MarkConfig
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.marks.signer import Marked, Marks

LOOK_SECONDS: Final = 1.0
"""How often a worker looks whether the keys were rotated."""


def ring_path(state: Path) -> Path:
    """Return where the keys of marks lie, there or not."""
    return state / "marks" / "ring.json"


def load_ring(state: Path) -> Ring:
    """Return the keys of marks.

    Raises:
        StillwatchError: there are none, or the file cannot be read or is no such file.
    """
    path = ring_path(state)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise StillwatchError(
            f"keys of marks {path}: there are none; make them with `stillwatch watermark keys new`."
        ) from None
    except OSError as problem:
        raise StillwatchError(f"keys of marks {path}: {problem.strerror}; make the file readable.") from None
    return Ring.from_json(content)


def new_ring(state: Path, config: MarkConfig, now: float, secret: bytes = b"") -> Ring:
    """Make the first epoch's keys and keep them; `secret` only where a run of the lab must come out the same again.

    Raises:
        StillwatchError: there are keys already, or the folder cannot be written.
    """
    with _alone(state):
        if ring_path(state).exists():
            raise StillwatchError(
                f"keys of marks {ring_path(state)}: are there already; `stillwatch watermark keys rotate` adds an "
                "epoch. Without the old keys nothing that was marked with them can be read."
            )
        return _kept(state, Ring.new(secret or secrets.token_bytes(32), now, **_settings(config)))


def rotate_ring(state: Path, config: MarkConfig, now: float) -> Ring:
    """Add an epoch with new keys; earlier ones stay, for reading.

    Raises:
        StillwatchError: there are no keys yet, or the folder cannot be written.
    """
    load_ring(state)  # says so where there is none, before anything is made
    with _alone(state):
        return _kept(state, load_ring(state).rotated(secrets.token_bytes(32), now, **_settings(config)))


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold the keys for one change: of two at one moment the later would lose keys that had marked already."""
    path = ring_path(state).with_name("ring.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise StillwatchError(f"keys of marks {path}: {problem.strerror}; make its folder writable.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _settings(config: MarkConfig) -> dict[str, Any]:
    return {
        "scheme": config.scheme, "width": config.width, "shares": config.shares, "delta": config.delta,
        "spare": config.spare, "vocab": config.vocabulary, "native_key": config.native_key,
    }  # fmt: skip


def _kept(state: Path, ring: Ring) -> Ring:
    """Commit to the keys where there is a ledger, then keep them: none marks before it is committed to."""
    from stillwatch.app.committed import mark_reveals
    from stillwatch.app.ledger import find_ledger

    path, ledger = ring_path(state), find_ledger(state)
    if ledger is not None:
        ledger.commit(reveal.item for reveal in mark_reveals(ring, ()))
        ledger.append("mark.rotated", {"commitment": ring.current.commitment, "epoch": ring.current.number})
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_whole(path, ring.to_json())
    except OSError as problem:
        raise StillwatchError(f"keys of marks {path}: {problem.strerror}; make its folder writable.") from None
    return ring


def marked_in(state: Path) -> tuple[Marked, ...]:
    """Return every account that was marked, with epoch and campaign; in order, none twice."""
    found: set[Marked] = set()
    for path in sorted(ring_path(state).parent.glob("marked-*.jsonl")):
        found.update(_lines(path))
    return tuple(sorted(found, key=lambda one: (one.epoch, one.account, one.campaign)))


def _lines(path: Path) -> Iterator[Marked]:
    for line in path.read_bytes().split(b"\n"):
        try:
            yield msgspec.json.decode(line, type=Marked)
        except msgspec.DecodeError:
            continue  # a line that a crash cut short, or the empty one at the end


def mark_warnings(settings: Settings, state: Path) -> tuple[str, ...]:
    """Return what is wrong between the rules that order marks and the keys that the state folder has."""
    ordering = [rule.name for rule in settings.policy.rules if "watermark" in rule.applied]
    if not ordering:
        return ()
    if not ring_path(state).is_file():
        return (
            f"policy rule {ordering[0]!r}: orders `watermark`, and {state} has no keys of marks: nothing is marked. "
            "Make them with `stillwatch watermark keys new`.",
        )
    current, said = load_ring(state).current, []
    for name, now, kept in (
        ("scheme", settings.mark.scheme, current.scheme), ("width", settings.mark.width, current.width),
        ("delta", settings.mark.delta, current.delta), ("spare", settings.mark.spare, current.spare),
        ("shares", settings.mark.shares, current.shares), ("vocabulary", settings.mark.vocabulary, current.vocab),
    ):  # fmt: skip
        if now != kept:
            said.append(f"mark.{name} = {now}: epoch {current.number} was made with {kept}, which holds until "
                        "`stillwatch watermark keys rotate`.")  # fmt: skip
    return tuple(said)


class MarkKeys:
    """Keys of marks as one worker has them; called with every request that is to be marked."""

    def __init__(self, state: Path, seconds: float, name: str) -> None:
        """Look at nothing yet.

        Args:
            state: The state folder.
            seconds: How long a signed order holds.
            name: Of this worker, for the file in which it notes whom it marked.
        """
        self._state, self._seconds = state, seconds
        self._notes = ring_path(state).parent / f"marked-{name}.jsonl"
        self._stamp: tuple[int, int] | None = None
        self._marks: Marks | None = None
        self._looked = float("-inf")

    def __call__(self) -> Marks | None:
        """Return the current keys; None where there are none.

        Raises:
            StillwatchError: the file is there and cannot be read.
        """
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._marks

    def _look(self) -> None:
        try:
            status = ring_path(self._state).stat()
        except FileNotFoundError:
            self._stamp = self._marks = None
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._marks = Marks(load_ring(self._state), seconds=self._seconds, note=self._note)
            self._stamp = stamp

    def _note(self, marked: Marked) -> None:
        with open(os.open(self._notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab") as file:
            file.write(msgspec.json.encode(marked) + b"\n")
