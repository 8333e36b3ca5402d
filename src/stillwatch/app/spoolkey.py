"""The key of the spool: in memory only where the machine has a memory file system, and made anew at each boot.

In: the live folder. Out: 32 bytes, and where they are. Whoever takes the disk finds sealed segments without a key.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.app.livefolder import LiveFolder
from stillwatch.gateway.segments import KEY_BYTES
from stillwatch.terms.errors import StillwatchError

_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_MOUNTS: Final = Path("/proc/self/mounts")


class SpoolKey(NamedTuple):
    """A key and how it is kept."""

    key: bytes
    path: Path
    in_memory: bool
    """Whether the file is in memory, so that no disk ever had it."""

    def __repr__(self) -> str:
        return f"SpoolKey(path={str(self.path)!r}, in_memory={self.in_memory})"


def spool_key(folder: LiveFolder) -> SpoolKey:
    """Return the spool's key, made where there is none.

    Raises:
        StillwatchError: it can be kept nowhere, or what is kept is damaged.
    """
    places = list(_places(folder))
    for place, _ in places:
        with contextlib.suppress(OSError):
            _make(place)
            break
    else:
        raise StillwatchError(f"spool key: no place in {places[-1][0].parent}; give a state folder you may write.")
    key = place.read_bytes()
    if len(key) != KEY_BYTES:
        raise StillwatchError(f"spool key {place}: {len(key)} bytes; must be {KEY_BYTES}. Delete it and start again.")
    return SpoolKey(key, place, dict(places)[place])


def _places(folder: LiveFolder) -> Iterator[tuple[Path, bool]]:
    """Yield where the key may be kept, best first, and whether that is in memory."""
    for base in (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):
        if base and os.path.isdir(base) and _in_memory(Path(base)):
            yield Path(base) / f"stillwatch-{folder.name()}" / "spool.key", True
    yield folder.run / "spool.key", False


def _in_memory(path: Path) -> bool:
    """Return whether the file system that holds `path` is in memory; False where nothing says so."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    real = path.resolve()
    best, kind = -1, ""
    for line in lines:
        parts = line.split(" ")
        if len(parts) > 2 and real.is_relative_to(parts[1]) and len(parts[1]) >= best:
            best, kind = len(parts[1]), parts[2]
    return kind in _IN_MEMORY


def _make(path: Path) -> None:
    """Make the key file whole unless it is there; its folder must be this user's alone.

    Raises:
        OSError: the place cannot be used.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.parent.lstat()
    if found.st_uid != os.getuid():
        raise PermissionError(f"{path.parent} belongs to another user")
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
