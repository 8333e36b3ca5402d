"""What other providers' warnings come to here, as every worker reads it: one small file, replaced whole.

In: accounts that warnings match. Out: the same, by account. A file that is gone or of another version holds nothing:
warnings fail towards leaving accounts alone. Left to `policy.coalition`: who is in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.gateway.published import replace_whole
from stillwatch.terms.action import Warned
from stillwatch.terms.errors import StillwatchError

WARNED_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    version: int
    warned: tuple[Warned, ...]


def read_warned(path: Path) -> dict[str, Warned]:
    """Return what stands in `path`, by account; nothing where there is no such file.

    Raises:
        StillwatchError: the file cannot be read, or is damaged or of another version.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as problem:
        raise StillwatchError(
            f"{path}: cannot be read ({type(problem).__name__}); delete it, and it is written again."
        ) from None
    if file.version != WARNED_VERSION:
        raise StillwatchError(f"{path}: of version {file.version}; must be {WARNED_VERSION}. Delete it.")
    return {one.account: one for one in file.warned}


def write_warned(path: Path, warned: Sequence[Warned]) -> None:
    """Replace the file whole.

    Raises:
        OSError: the folder cannot be written; the old file stays.
    """
    replace_whole(path, msgspec.json.encode(_File(version=WARNED_VERSION, warned=tuple(warned))))


class WarnedView:
    """The file as one worker holds it."""

    def __init__(self, path: Path) -> None:
        """Nothing is read before `refresh`."""
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self.by: Mapping[str, Warned] = {}
        """By account."""

    def refresh(self) -> bool:
        """Read the file again if it changed; return whether it did.

        Raises:
            StillwatchError: it cannot be read; then nothing is warned of.
        """
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            gone, self._stamp, self.by = self._stamp is not None, None, {}
            return gone
        if stamp == self._stamp:
            return False
        self._stamp, self.by = stamp, {}
        self.by = read_warned(self._path)
        return True
