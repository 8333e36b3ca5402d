"""Take records out of the vault without a key: an account that asked to be forgotten, a span of time, or all.

In: which records. Out: how many went. A segment is written anew without them, frame by frame as it was, and put in the
place of the old one; a stop in between leaves the old one whole. The watcher begins another segment by itself.
Left to `app.vault`: saying so in the read log first.
"""

import os
from collections.abc import Callable
from pathlib import Path

from stillwatch.store.vaultfiles import DRAFT, VaultSegment, read_segment, segment_paths, sync_folder, vault_lock
from stillwatch.store.vaultseal import RecordHead


def purge(folder: Path, gone: Callable[[RecordHead], bool], *, everything: bool = False) -> int:
    """Delete every record that `gone` says; return how many.

    Args:
        folder: The vault's.
        gone: Whether a record is meant.
        everything: Delete every segment whole, whatever `gone` says: also what damage hides.

    Raises:
        StillwatchError, OSError: another process holds the vault, or the disk refuses; some may be gone already.
    """
    return sum((_dropped if everything else _purged)(folder, path, gone) for path in segment_paths(folder))


def _dropped(folder: Path, path: Path, _: Callable[[RecordHead], bool]) -> int:
    with vault_lock(folder):
        try:
            segment = read_segment(path)
        except FileNotFoundError:
            return 0
        path.unlink()
        path.with_name(path.name + DRAFT).unlink(missing_ok=True)
        sync_folder(folder)
    return len(segment.records) if segment is not None else 0


def _purged(folder: Path, path: Path, gone: Callable[[RecordHead], bool]) -> int:
    with vault_lock(folder):
        try:
            segment = read_segment(path)
        except FileNotFoundError:
            return 0
        if segment is None:
            return 0
        left = [placed for placed in segment.records if not gone(placed.head)]
        count = len(segment.records) - len(left)
        if count == 0:
            return 0
        if left:
            _write_anew(segment, [(placed.at, placed.size) for placed in left])
        else:
            path.unlink()
        sync_folder(folder)
    return count


def _write_anew(segment: VaultSegment, parts: list[tuple[int, int]]) -> None:
    draft = segment.path.with_name(segment.path.name + DRAFT)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as new, segment.path.open("rb") as old:
        new.write(segment.header)
        for at, size in parts:
            old.seek(at)
            new.write(old.read(size))
        new.flush()
        os.fsync(new.fileno())
    draft.replace(segment.path)
