"""The ledger in a backup: its files as one, and back where there is none.

In: a state folder; a packed ledger. Out: a tar file; a ledger folder. A ledger that is there is never replaced: it may
have entries that the backup knows nothing of and checkpoints given away, and going back would make two histories.
Left to `bundle`: digests. Left out: a signing key that was put elsewhere.
"""

import io
import os
import re
import tarfile
from pathlib import Path
from typing import Final

from stillwatch.app.ledger import find_ledger, ledger_folder
from stillwatch.terms.errors import StillwatchError

PACKED_LEDGER: Final = "ledger.tar"
_GOOD: Final = re.compile(
    r"(ledger\.json|public\.pem|signing\.pem|entries\.log|openings\.log|checkpoints/\d{12}\.note(\.\d+\.(tsr|pem))?)"
)


def pack_ledger(state: Path, target: Path) -> bool:
    """Write the ledger of a state folder into one file, as no writer is at it; return whether there is one.

    Raises:
        OSError: the disk refuses.
    """
    ledger = find_ledger(state)
    if ledger is None:
        return False
    with ledger.log.alone(), tarfile.open(target, "w") as tar:
        for path in sorted(ledger.folder.rglob("*")):
            name = path.relative_to(ledger.folder).as_posix()
            if path.is_file() and _GOOD.fullmatch(name):
                tar.add(path, name)
    return True


def unpack_ledger(state: Path) -> bool:
    """Turn the packed ledger that a backup put into a state folder into its ledger; return whether it was taken.

    Raises:
        StillwatchError: it holds what no ledger holds.
        OSError: the disk refuses.
    """
    packed, folder = state / PACKED_LEDGER, ledger_folder(state)
    if not packed.is_file():
        return False
    raw = packed.read_bytes()
    packed.unlink()
    if folder.exists():
        return False
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
        members = [(member, tar.extractfile(member) if member.isreg() else None) for member in tar]
        if any(held is None or not _GOOD.fullmatch(member.name) for member, held in members):
            raise StillwatchError(f"backup: {PACKED_LEDGER} holds what no ledger holds; take another backup.")
        for member, held in members:
            path = folder / member.name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(held.read() if held else b"")
                file.flush()
                os.fsync(file.fileno())
    return True
