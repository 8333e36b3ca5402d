"""A signed note of one harvest: what may be cleaned, and that the lab itself made it.

In: rows, the cell they came from, the key of a run folder. Out: a `Manifest`, and the rows again where it fits them.
Removal and spoofing take nothing else, so that the lab is of no use on anybody's real harvest: rows that no run of
this lab signed are refused. The note holds digests, no text.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from stillwatch.lab.cell import Cell
from stillwatch.lab.task import Harvest
from stillwatch.terms.errors import StillwatchError

KEY_FILE = "lab.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was harvested."""

    cell: Cell
    rows: int
    digest: str
    """Of every row, in order; hex."""
    signature: str = field(repr=False)
    """HMAC-SHA-256 of all that under the run folder's key; hex."""


def lab_key(folder: Path) -> bytes:
    """Return the key of a run folder, made on first use; 32 bytes.

    Raises:
        StillwatchError: the file is of another length, such as one that was never written whole.
    """
    path = folder / KEY_FILE
    with contextlib.suppress(FileExistsError):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    key = path.read_bytes()
    if len(key) != 32:
        raise StillwatchError(f"{path}: {len(key)} bytes; must be 32. Remove it with the folder's manifests and go on.")
    return key


def signed(harvest: Harvest, cell: Cell, key: bytes) -> Manifest:
    """Return the manifest of a harvest that was just made."""
    digest = digest_of(harvest)
    return Manifest(cell=cell, rows=len(harvest), digest=digest, signature=_signature(cell, len(harvest), digest, key))


def keep_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest; it holds digests, no text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a file.

    Raises:
        StillwatchError: it is none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as problem:
        raise StillwatchError(f"manifest {path}: {type(problem).__name__}; must be one that the lab wrote.") from None


def checked(harvest: Harvest, manifest: Manifest, key: bytes) -> Harvest:
    """Return the harvest where the manifest is its own and signed under this key.

    Raises:
        StillwatchError: it is not: the lab made no such harvest in this run folder.
    """
    wanted = _signature(manifest.cell, manifest.rows, manifest.digest, key)
    if not hmac.compare_digest(wanted, manifest.signature) or digest_of(harvest) != manifest.digest:
        raise StillwatchError(
            "harvest: not one that this run of the lab made and signed; removal and spoofing take no other."
        )
    return harvest


def digest_of(harvest: Harvest) -> str:
    """Return a digest of every row, in order; 64 hex digits."""
    digest = hashlib.sha256()
    for row in harvest:
        part = msgspec.json.encode(
            [row.item.id, row.item.text, row.answer, row.reasoning, [sorted(x.items()) for x in row.logprobs]]
        )
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _signature(cell: Cell, rows: int, digest: str, key: bytes) -> str:
    return hmac.digest(key, msgspec.json.encode([cell, rows, digest]), "sha256").hex()
