"""The published verdicts: what the watcher concluded, as every worker reads it.

In: verdicts as policy holds them. Out: one small JSON file, replaced whole, with a version and a generation.
A worker that finds none acts on no verdict. Left to `gateway.desk`: reading it behind the scenes.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.terms.action import Held
from stillwatch.terms.errors import StillwatchError

PUBLISHED_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The verdicts in force; the defaults say that nothing was published yet."""

    generation: int = -1
    """Rises by one with each publication, also over restarts; -1 before the first."""
    made_at: float = 0.0
    """Seconds since 1970 of the wall clock."""
    judged_until: float = 0.0
    """Event time up to which traffic was weighed, seconds since 1970."""
    held: Mapping[str, Held] = field(default_factory=dict)
    """By account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _File(_Version):
    generation: int
    made_at: float
    judged_until: float
    held: tuple[Held, ...]


def read_published(path: Path) -> Published:
    """Return what stands in `path`; an empty `Published` where there is no such file.

    Raises:
        StillwatchError: the file cannot be read, is damaged, or is of another version.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Published()
    except OSError as problem:
        raise StillwatchError(f"{path}: {problem.strerror}; the gateway must be able to read it.") from None
    try:
        version = msgspec.json.decode(content, type=_Version).version
        if version == PUBLISHED_VERSION:
            file = msgspec.json.decode(content, type=_File)
            held = {one.account: one for one in file.held}
            return Published(
                generation=file.generation, made_at=file.made_at, judged_until=file.judged_until, held=held
            )
    except msgspec.MsgspecError as problem:
        raise StillwatchError(
            f"{path}: no published verdicts ({type(problem).__name__}); delete it, and the watcher writes it again."
        ) from None
    raise StillwatchError(
        f"{path}: verdicts of version {version}; must be {PUBLISHED_VERSION}. Run gateway and watcher of one version; "
        "after a change of version delete the file."
    )


def write_published(path: Path, published: Published) -> None:
    """Replace the file whole: a reader sees the old or the new one, after a power cut too.

    Raises:
        OSError: the folder cannot be written; the old file stays.
    """
    file = _File(
        version=PUBLISHED_VERSION, generation=published.generation, made_at=published.made_at,
        judged_until=published.judged_until, held=tuple(published.held.values()),
    )  # fmt: skip
    replace_whole(path, msgspec.json.encode(file))


def replace_whole(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, sync it, and rename it over `path`.

    Raises:
        OSError: the folder cannot be written; what stood at `path` stays.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
