"""A backup as a folder or as one tar file: its files, and a manifest with the digest of each.

In: files in a folder. Out: the same folder, or a tar file, readable by the owner only, complete or not there.
Reading one trusts nothing: names are a fixed list, sizes and digests must be those of the manifest.
Left to `backup` and `restore`: what the files mean.
"""

import hashlib
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.terms.errors import StillwatchError

FORMAT: Final = 2
MANIFEST: Final = "manifest.json"
FILES: Final = (
    "master.key", "control.sqlite", "published.json", "settings.toml", "marks/ring.json", "marks/marked-all.jsonl",
    "marks/served.index", "ledger.tar", "twins/coins.json", "twins/pairs.jsonl",
    "live/tally.json", "live/names.json", "live/events.parquet",
    "hub.sqlite", "identity.key", "members.sqlite", "coalition.sqlite", "live/pages.sqlite",
)  # fmt: skip
"""Every file that a backup can hold, by its path within."""
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a backup."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds."""

    format: int
    made_by: str
    """Version of Stillwatch."""
    made_at: float
    """Seconds since 1970."""
    files: dict[str, Entry]
    counts: dict[str, int]
    """Keys, accounts, decisions, appeals, events and the like in it."""


def is_tar(path: Path) -> bool:
    """Return whether a backup of this name is one file."""
    return path.suffix == ".tar"


def seal(folder: Path, manifest: Manifest, target: Path) -> None:
    """Write the manifest into `folder`, make everything durable and private, and put it at `target` whole.

    Raises:
        StillwatchError: `target` is there already, or the disk refuses.
    """
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    for path in (*(p for p in folder.rglob("*") if p.is_file()),):
        path.chmod(0o600)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    try:
        if is_tar(target):
            _pack(folder, target)
        else:
            folder.rename(target)
    except OSError as problem:
        raise StillwatchError(f"backup {target}: {problem.strerror}; name a new folder, or a new .tar file.") from None


def _pack(folder: Path, target: Path) -> None:
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as tar:
                for name in (MANIFEST, *FILES):
                    if (folder / name).is_file():
                        tar.add(folder / name, name)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, target)  # unlike a rename, never over a file that is there
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def opened(source: Path) -> Iterator[tuple[Path, Manifest]]:
    """Give a backup as a folder with its manifest, every file checked; a tar file is unpacked beside it for the while.

    Raises:
        StillwatchError: it is no backup, of a later format, or a file in it is missing or was changed.
    """
    if not is_tar(source):
        yield source, _checked(source, source)
        return
    folder = source.with_name(f".{source.name}.{secrets.token_hex(4)}")
    try:
        folder.mkdir(mode=0o700)
        _unpack(source, folder)
        yield folder, _checked(folder, source)
    except OSError as problem:
        wanted = "it must be readable, and its folder writable"
        raise StillwatchError(f"backup {source}: {problem.strerror}; {wanted}.") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(source: Path, folder: Path) -> None:
    try:
        with tarfile.open(source, mode="r:") as tar:
            for member in tar:
                held = tar.extractfile(member) if member.isreg() and member.name in (MANIFEST, *FILES) else None
                if held is None:
                    raise StillwatchError(f"backup {source}: holds what no backup holds; take another one.")
                path = folder / member.name
                path.parent.mkdir(mode=0o700, exist_ok=True)
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    shutil.copyfileobj(held, file, _PIECE)
    except tarfile.TarError:
        raise StillwatchError(f"backup {source}: is no tar file, or a damaged one; take another backup.") from None


def _checked(folder: Path, named: Path) -> Manifest:
    """Return the manifest of a folder whose every file is what the manifest says."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError):
        raise StillwatchError(f"backup {named}: has no readable {MANIFEST}; take another backup.") from None
    if manifest.format > FORMAT:
        raise StillwatchError(f"backup {named}: format {manifest.format}; this release reads up to {FORMAT}.")
    for name, entry in manifest.files.items():
        if name not in FILES:
            raise StillwatchError(f"backup {named}: holds {name!r}, which no backup holds.")
        if not (folder / name).is_file() or entry_of(folder / name) != entry:
            raise StillwatchError(f"backup {named}: {name} is missing or was changed since; take another backup.")
    return manifest


def entry_of(path: Path) -> Entry:
    """Return size and digest of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Entry(size=file.tell(), sha256=digest)
