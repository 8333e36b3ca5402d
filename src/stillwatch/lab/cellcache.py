"""Rows on disk, each under the address of everything that made it.

In: a folder, addresses, rows. Out: rows that were computed before. A row is written whole or not at all, so that a run
may be broken off anywhere and goes on where it was.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stillwatch.lab.cell import Row


@dataclass(frozen=True, slots=True)
class CellCache:
    """Rows of one run folder."""

    folder: Path

    def get(self, key: str) -> Row | None:
        """Return the row under an address; None where there is none, or one of another version."""
        try:
            return msgspec.json.decode((self.folder / f"{key}.json").read_bytes(), type=Row)
        except (OSError, msgspec.MsgspecError):
            return None

    def put(self, key: str, row: Row) -> None:
        """Keep a row."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{key}.{os.getpid()}.draft"
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(row), indent=1))
        draft.replace(self.folder / f"{key}.json")
