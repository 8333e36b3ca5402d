"""Put a backup back: every file checked first, what was there moved aside, never deleted.

In: a backup, a state folder that no process uses. Out: the state as it was backed up; sessions of the console end, and
trail and ledger say that it was put back. What was said to others since is not unsaid: a ledger with the books of twins
that it commits to, and the record of what was told to a hub, stay as they are where they are.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.app.bundle import Manifest, opened
from stillwatch.app.ledgerpack import unpack_ledger
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.servedindex import unpack_served
from stillwatch.app.state import KEY_BYTES
from stillwatch.app.statecopies import MEMBERS, SECRETS, check_unused, has_secret
from stillwatch.app.trailledger import say_restored
from stillwatch.app.twinbooks import COINS, PAIRS
from stillwatch.exchange.taxii.hubfile import FILE_NAME as HUB
from stillwatch.exchange.taxii.received import FILE_NAME as RECEIVED
from stillwatch.store.control import FILE_NAME as CONTROL
from stillwatch.store.control import SqliteControl
from stillwatch.store.lock import FolderLock
from stillwatch.terms.errors import StillwatchError, StoreBusy

_ASIDE: Final = (
    *SECRETS, *(f"{name}{end}" for name in (CONTROL, HUB, MEMBERS) for end in ("", "-wal", "-shm")), "published.json",
    "settings.toml", "live", "spool", "marks",
)  # fmt: skip
"""What is moved aside before a backup takes its place."""
_KEPT: Final = frozenset({RECEIVED, COINS, PAIRS})
"""What is put back only where there is none: what was told or committed to since cannot be untold."""
_NOT_PLAIN: Final = frozenset({"live/events.parquet", "live/names.json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """What `stillwatch restore` was asked."""

    source: Path
    state: Path
    replace: bool = False
    """Go on although the state folder has a key of its own; what is there is moved aside."""
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back."""

    manifest: Manifest
    events: int
    aside: Path | None
    """Folder with what was there before; None where there was nothing."""


def restore(request: RestoreRequest) -> Restored:
    """Check a backup, and put it in the place of what a state folder holds.

    Raises:
        StillwatchError: the backup is damaged, the state folder has a key and `replace` is not set, or a process
            still uses it. Nothing is changed then.
    """
    state = request.state
    with opened(request.source) as (folder, manifest):
        found = [manifest.files[name] for name in SECRETS if name in manifest.files]
        if not found or any(entry.size != KEY_BYTES for entry in found):
            raise StillwatchError(f"backup {request.source}: has no whole {' or '.join(SECRETS)}; take another backup.")
        if has_secret(state) and not request.replace:
            raise StillwatchError(
                f"state folder {state}: has a key of its own. --replace moves what is there aside and puts the backup "
                "in its place; or name a new folder with --state."
            )
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_control(folder, state)
            with LiveFolder(state).taken():
                with _unused(state):
                    check_unused(state)
                aside = _move_aside(state, request.now)
                _put(folder, manifest, state)
                unpack_served(state)
                unpack_ledger(state)
                say_restored(state, manifest.made_at, request.now)
        except OSError as problem:
            raise StillwatchError(f"state folder {state}: {problem.strerror}; nothing was deleted.") from None
        events = _put_events(folder, manifest, state) if "live/events.parquet" in manifest.files else 0
    return Restored(manifest, events, aside)


def _check_control(folder: Path, state: Path) -> None:
    """Raise when the control file of the backup is damaged; a copy is opened, so that the backup stays untouched."""
    if not (folder / "control.sqlite").is_file():
        return
    trial = state / f".trial-{secrets.token_hex(4)}.sqlite"
    try:
        shutil.copyfile(folder / "control.sqlite", trial)
        with SqliteControl(trial) as book:
            book.check()
    finally:
        for left in state.glob(f"{trial.name}*"):
            left.unlink()


@contextmanager
def _unused(state: Path) -> Iterator[None]:
    """Hold the live store for the while, which a running watcher, or what a killed gateway left, would not allow."""
    store = LiveFolder(state).store
    lock = None
    try:
        lock = FolderLock.acquire(store) if store.is_dir() else None
    except StoreBusy:
        raise StillwatchError(
            f"state folder {state}: a process still uses it; stop `stillwatch serve`, then restore again."
        ) from None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _move_aside(state: Path, now: float) -> Path | None:
    present = [state / name for name in _ASIDE if (state / name).exists()]
    if not present:
        return None
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    aside = state / f"replaced-{stamp}-{secrets.token_hex(2)}"
    aside.mkdir(mode=0o700)
    for path in present:
        path.rename(aside / path.name)
    return aside


def _put(folder: Path, manifest: Manifest, state: Path) -> None:
    """Copy the small files, secrets last: a state that is only half put back has none, and no key is good there."""
    there = {name for name in _KEPT if (state / name).exists()}
    names = [name for name in manifest.files if name not in {*_NOT_PLAIN, *SECRETS, *there}]
    for name in (*names, *(name for name in SECRETS if name in manifest.files)):
        path = state / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write((folder / name).read_bytes())
            file.flush()
            os.fsync(file.fileno())


def _put_events(folder: Path, manifest: Manifest, state: Path) -> int:
    from stillwatch.store.eventfiles import read_events
    from stillwatch.store.serve import connect

    names = msgspec.json.decode((folder / "live/names.json").read_bytes(), type=dict[str, list[tuple[int, str]]])
    digest = manifest.files["live/events.parquet"].sha256
    store = connect(LiveFolder(state).store)
    try:
        kept = store.ingest(f"backup-{digest[:32]}", read_events(folder / "live/events.parquet"), "backup")
        for epoch, pairs in names.items():
            store.put_names(int(epoch), dict(pairs))
    finally:
        store.close()
    return kept
