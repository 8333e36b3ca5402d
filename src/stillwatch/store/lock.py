"""One process owns a store's folder: an advisory lock that the system lets go when the owner dies.

In: a folder. Out: the lock, or `StoreBusy` naming the folder and the owner's process id.
"""

import contextlib
import fcntl
import os
from pathlib import Path

from stillwatch.terms.errors import StoreBusy

LOCK_NAME = "owner.lock"


class FolderLock:
    """An exclusive lock on `owner.lock` in a folder; the file holds the owner's process id."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, folder: Path) -> "FolderLock":
        """Take the lock of `folder`, which is made if it is not there, readable by its user alone.

        Raises:
            StoreBusy: another process, or another store of this one, holds it.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StoreBusy(
                f"store {folder}: process {owner(folder) or 'unknown'} owns it and does not answer on its socket.\n"
                "Wait for that process to end, or stop it; one process at a time may open a store."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let the folder go; twice does no harm."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def owner(folder: Path) -> int | None:
    """Return the id of the process that last took the folder, or None if none is known."""
    with contextlib.suppress(OSError, ValueError):
        return int((folder / LOCK_NAME).read_text().strip())
    return None
