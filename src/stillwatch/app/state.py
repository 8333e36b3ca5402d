"""The state folder: the master key and one working store a scan.

In: a folder. Out: paths and the key. The key is made on first use, readable by its owner only;
without it sketches of two runs cannot be compared, so it must be backed up like any secret.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from stillwatch.terms.errors import StillwatchError

KEY_BYTES: Final = 32


def master_key(state: Path) -> bytes:
    """Return the master key of a state folder, made on first use; 32 bytes.

    Raises:
        StillwatchError: the folder cannot be written, or the key file is damaged.
    """
    path = state / "master.key"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            _write_new(path, secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
    except OSError as problem:
        raise StillwatchError(
            f"state folder {state}: {problem.strerror}; give a folder you may write with --state."
        ) from None
    if len(key) != KEY_BYTES:
        raise StillwatchError(
            f"key file {path}: {len(key)} bytes; must be {KEY_BYTES}. Restore it, or use a new state folder."
        )
    return key


def has_key(state: Path) -> bool:
    """Return whether the state folder has a master key; makes none."""
    return (state / "master.key").is_file()


def _write_new(path: Path, content: bytes) -> None:
    """Create the file whole: two first runs at once must end up with one key."""
    if path.exists():
        raise FileExistsError(path)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)
    finally:
        draft.unlink()
