"""The folder of one `stillwatch run`: state, settings, demo keys, and how far the replay got.

In: a folder. Out: paths, and what stands in them. Everything is readable by its owner only: `keys.json` holds
the raw keys of made-up accounts, so that a person can call the gateway as one of them, and `console.json` a made-up
password of the console. No other command keeps a raw key or password.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from stillwatch.app.livefolder import LiveFolder
from stillwatch.gateway.published import replace_whole
from stillwatch.lab.traffic import Truth
from stillwatch.terms.errors import StillwatchError

VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run got; written after each step, read when it goes on."""

    version: int = VERSION
    seed: int
    start: float
    """Event time of the first composed day, seconds since 1970."""
    seconds: float
    """Wall seconds that the replay takes."""
    replayed: int = 0
    """Requests of the replay that were sent."""
    origin: float = 0.0
    """Event time at which the gateway's clock began, anew where a replay was broken off."""
    further: int = 0
    """Requests sent after the replay."""
    asked: int = 0
    """Requests that reached the teacher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Who signs in to the console of a run; made up, like its keys."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of one run."""

    folder: Path

    @property
    def live(self) -> LiveFolder:
        """The state folder of the gateway."""
        return LiveFolder(self.folder / "state")

    @property
    def settings(self) -> Path:
        """Settings file of the gateway."""
        return self.folder / "settings.toml"

    @property
    def log(self) -> Path:
        """What the gateway's processes say; holds no text of requests."""
        return self.folder / "gateway.log"

    @property
    def keys(self) -> Path:
        """Raw keys of the made-up accounts."""
        return self.folder / "keys.json"

    @property
    def console(self) -> Path:
        """Name and password of the console of this run."""
        return self.folder / "console.json"

    @property
    def truth(self) -> Path:
        """What each account is; nothing but the terminal reads it."""
        return self.folder / "truth.json"

    @contextmanager
    def taken(self, *, fresh: bool = False) -> Iterator[None]:
        """Make the folder and hold it for this process; `fresh` deletes what is in it first.

        Raises:
            StillwatchError: it cannot be written, or another run holds it.
        """
        lock = self.folder.with_name(f"{self.folder.name}.lock")
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with open(lock, "ab") as file:
                self._lock(file.fileno())
                if fresh:
                    shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(mode=0o700, exist_ok=True)
                yield
        except OSError as problem:
            if problem.filename is None:
                raise
            raise StillwatchError(f"{problem.filename}: {problem.strerror}; give another folder with --out.") from None

    def _lock(self, file: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StillwatchError(
                f"folder {self.folder}: another run of this seed is going on; stop it, or draw another seed."
            ) from None

    def progress(self) -> Progress | None:
        """Return how far the last run got; None where there was none.

        Raises:
            StillwatchError: the file is damaged or of another version.
        """
        found: Progress | None = _read(self.folder / "progress.json", Progress)
        return found

    def keep_progress(self, progress: Progress) -> None:
        """Replace what stands there."""
        replace_whole(self.folder / "progress.json", msgspec.json.encode(progress))

    def read_keys(self) -> dict[str, str]:
        """Return account -> key; empty before they were made."""
        found: dict[str, str] | None = _read(self.keys, dict[str, str])
        return found or {}

    def keep_keys(self, keys: dict[str, str]) -> None:
        """Write the keys, readable by their owner only."""
        replace_whole(self.keys, msgspec.json.encode(keys))

    def read_sign_in(self) -> SignIn | None:
        """Return who signs in to the console of this run; None before it was made."""
        found: SignIn | None = _read(self.console, SignIn)
        return found

    def keep_sign_in(self, sign_in: SignIn) -> None:
        """Write it, readable by its owner only."""
        replace_whole(self.console, msgspec.json.encode(sign_in))

    def keep_truth(self, truth: Mapping[str, Truth]) -> None:
        """Write what each account is."""
        replace_whole(self.truth, msgspec.json.format(msgspec.json.encode(dict(sorted(truth.items()))), indent=2))

    def open_log(self) -> int:
        """Open the log for the gateway's processes to append to; return its descriptor."""
        return os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _read(path: Path, kind: Any) -> Any:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError):
        found = None
    if found is None or getattr(found, "version", VERSION) != VERSION:
        raise StillwatchError(f"{path}: not a file of this version; begin anew with --fresh.")
    return found
