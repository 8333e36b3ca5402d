"""The transcript: everything a suspect was asked and said, one row at once on disk, digests beside it.

In: probes and replies. Out: a JSON-lines file that only grows, and what it holds already. It is evidence and holds
text: it lies in the examination's folder alone, readable by its owner alone, and goes when that folder goes.
A stop at any moment loses at most the row being written; a torn last row is cut off and asked again.
Cost: one fsync a row.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stillwatch.suspects.suspect import Probe, Reply
from stillwatch.terms.errors import StillwatchError

_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Row:
    """One probe and what came of it."""

    probe: str
    at: str
    prompt: str = field(repr=False)
    prompt_tokens: tuple[int, ...] = field(repr=False)
    reply: Reply
    failed: str = ""
    """Why there is no reply; empty where there is one."""


@dataclass(slots=True)
class Transcript:
    """One file of rows."""

    path: Path
    _done: set[str] = field(default_factory=set, repr=False)
    spent: int = 0
    """Tokens, as the suspect counted them."""
    asked: int = 0
    """Rows, failed ones too."""

    @classmethod
    def open(cls, path: Path) -> "Transcript":
        """Take up a transcript, or begin one.

        Raises:
            StillwatchError: a row that is not the last is damaged.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = cls(path)
        if path.exists():
            whole = found._mend()
            for row in found._rows(whole):
                found._note(row)
        return found

    def done(self, probe: str) -> bool:
        """Whether a probe was answered."""
        return probe in self._done

    def add(self, probe: Probe, reply: Reply, at: str, failed: str = "") -> None:
        """Keep one row; on disk when the call returns."""
        row: dict[str, Any] = {"probe": probe.id, "at": at, "prompt": probe.prompt, "max_tokens": probe.max_tokens,
                               "temperature": probe.temperature, "answer": reply.text, "spent": reply.spent,
                               "ended": reply.ended}  # fmt: skip
        row |= {"prompt_tokens": list(probe.tokens)} if probe.tokens else {}
        row |= {"tokens": list(reply.tokens)} if reply.tokens else {}
        row |= {"told": reply.told} if reply.told else {}
        row |= {"failed": failed} if failed else {}
        raw = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _MODE), "ab") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        self._note(_read(raw, self.path.name, 0))

    def rows(self) -> Iterator[Row]:
        """Yield the answered rows in the order they came."""
        if self.path.exists():
            yield from (row for row in self._rows(self.path.read_bytes()) if not row.failed)

    @property
    def sha256(self) -> str:
        """Digest of the file, 64 hex digits."""
        return hashlib.sha256(self.path.read_bytes() if self.path.exists() else b"").hexdigest()

    def _note(self, row: Row) -> None:
        self.asked += 1
        self.spent += row.reply.spent
        if not row.failed:
            self._done.add(row.probe)

    def _rows(self, raw: bytes) -> Iterator[Row]:
        for number, line in enumerate(raw.splitlines(), 1):
            yield _read(line, self.path.name, number)

    def _mend(self) -> bytes:
        raw = self.path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        return whole


def _read(line: bytes, name: str, number: int) -> Row:
    try:
        row = json.loads(line.decode("utf-8", "surrogatepass"))
        told = tuple(tuple((str(word), float(value)) for word, value in place) for place in row.get("told", ()))
        reply = Reply(text=row["answer"], tokens=tuple(row.get("tokens", ())), told=told, spent=int(row["spent"]),
                      ended=row["ended"])  # fmt: skip
        return Row(row["probe"], row["at"], row["prompt"], tuple(row.get("prompt_tokens", ())), reply,
                   row.get("failed", ""))  # fmt: skip
    except (ValueError, KeyError, TypeError):
        raise StillwatchError(
            f"transcript {name}, line {number}: is damaged; evidence is not mended. Begin another examination."
        ) from None
