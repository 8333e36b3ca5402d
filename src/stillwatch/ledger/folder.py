"""The ledger as one thing: log, key, checkpoints and timestamps in one folder.

In: what is to be logged, committed to, signed. Out: indices, notes, and what a check of it all came to.
Left to `logfile`: durable entries. Left to `merkle`: proofs. Left to `app`: which secrets there are, who is logged.
"""

import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stillwatch.ledger.checkpoint import Checkpoint, Note, good_name, read_note, signed
from stillwatch.ledger.logfile import Entry, LogFile, Opening, hashes, iso, read_entry
from stillwatch.ledger.merkle import root_of
from stillwatch.ledger.signing import PublicKey, SigningKey, make_key, read_key, read_public
from stillwatch.terms.canon import canonical, read_canonical
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.protocol import Denominator
from stillwatch.terms.reveal import Item

ABOUT: Final = "ledger.json"
PUBLIC: Final = "public.pem"
SECRET: Final = "signing.pem"
CHECKPOINTS: Final = "checkpoints"
COMMIT: Final = "commit."
"""What the kind of an entry that commits to secrets begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a ledger says of itself."""

    key_file: str
    """Where the signing key lies; a name is meant within the folder."""
    made: str
    origin: str
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check of a ledger came to."""

    size: int
    root: str
    """Hex."""
    checkpoints: int
    problems: tuple[str, ...]
    """What is wrong; empty when the ledger is whole."""


class LedgerFolder:
    """A ledger in a folder; it is the port `terms.ports.Ledger`."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Open a ledger.

        Raises:
            StillwatchError: there is none, or what it says of itself was altered.
        """
        self.folder, self._clock = folder, clock
        try:
            self.about = read_canonical((folder / ABOUT).read_bytes(), About, f"ledger {folder}")
            self.public: PublicKey = read_public((folder / PUBLIC).read_bytes())
        except OSError as problem:
            raise StillwatchError(
                f"ledger {folder}: {problem.strerror}; make it with `stillwatch ledger init`."
            ) from None
        self.log = LogFile(folder, clock)

    @classmethod
    def make(
        cls, folder: Path, origin: str = "", key_file: Path | None = None, clock: Callable[[], float] = time.time
    ) -> "LedgerFolder":
        """Make a ledger with a new key.

        Args:
            folder: New folder.
            origin: Name of the log, such as `example.org/stillwatch`; one is drawn where it is empty.
            key_file: New file for the signing key outside of the folder; None keeps it within.
            clock: Seconds since 1970.

        Raises:
            StillwatchError: there is a ledger already, the name is not good, or the disk refuses.
        """
        origin = origin or f"stillwatch.ledger/{secrets.token_hex(8)}"
        if not good_name(origin):
            raise StillwatchError(f"ledger name {origin!r}: must be printable, without blanks and plus signs.")
        if (folder / ABOUT).exists():
            raise StillwatchError(f"ledger {folder}: is there already; it is added to, never made anew.")
        try:
            (folder / CHECKPOINTS).mkdir(mode=0o700, parents=True, exist_ok=True)
            key = make_key(key_file or folder / SECRET)
            about = About(key_file=str(key_file.resolve()) if key_file else SECRET, made=iso(clock()), origin=origin)
            _new_file(folder / PUBLIC, key.public.pem)
            _new_file(folder / ABOUT, canonical(about))
        except OSError as problem:
            raise StillwatchError(f"ledger {folder}: {problem.strerror}; give a folder you may write.") from None
        return cls(folder, clock)

    def append(self, kind: str, payload: Mapping[str, Any]) -> int:
        """Log one thing; see `terms.ports.Ledger`."""
        return self.log.add(kind, payload)

    def commit(self, items: Iterable[Item]) -> dict[str, int]:
        """Commit to secrets that are not committed to yet, one entry a kind; return how many were new by kind.

        What is known already is looked up while no other writer is at the log: a secret that two processes committed
        to would count twice for ever, and half of it could not be revealed.
        """
        given = {item.digest: item for item in items}
        fresh: dict[str, list[Item]] = {}

        def entries() -> Iterator[tuple[str, Mapping[str, Any], int]]:
            known = self.committed()
            for digest, item in given.items():
                if digest not in known:
                    fresh.setdefault(item.kind, []).append(item)
            for kind, new in fresh.items():
                payload = {"groups": dict(Counter(item.group for item in new)), "items": [item.digest for item in new]}
                yield COMMIT + kind, payload, len(new)

        self.log.add_each(entries)
        return {kind: len(new) for kind, new in fresh.items()}

    def committed(self) -> dict[str, int]:
        """Return the index of the entry that commits to each item, by the item's digest."""
        openings = self.log.openings()
        found: dict[str, int] = {}
        for index, entry in enumerate(self.log.entries()):
            if entry.kind.startswith(COMMIT) and entry.body in openings:
                for digest in openings[entry.body].payload["items"]:
                    found.setdefault(str(digest), index)
        return found

    def denominators(self) -> tuple[Denominator, ...]:
        """Return how many secrets are committed to, by kind."""
        entries, openings = self.log.entries(), self.log.openings()
        groups: dict[str, Counter[str]] = {}
        for entry in entries:
            if entry.kind.startswith(COMMIT) and entry.body in openings:
                said = openings[entry.body].payload["groups"]
                groups.setdefault(entry.kind.removeprefix(COMMIT), Counter()).update(said)
        return tuple(
            Denominator(kind=kind, count=sum(found.values()), size=len(entries), groups=dict(sorted(found.items())))
            for kind, found in sorted(groups.items())
        )

    def key(self) -> SigningKey:
        """Return the signing key.

        Raises:
            StillwatchError: its file cannot be read, or holds another key.
        """
        found = read_key(self.folder / self.about.key_file)
        if found.public != self.public:
            raise StillwatchError(f"signing key {self.about.key_file}: is not the key of this ledger; put it back.")
        return found

    def checkpoint(self) -> Note:
        """Sign the log as it stands, keep the note and return it; the same note while nothing is added.

        Raises:
            StillwatchError: the log does not go on from its last checkpoint, or the key or the disk refuses.
        """
        problems = self.check().problems
        if problems:
            raise StillwatchError(f"ledger {self.folder}: {problems[0]}; nothing is signed before that is looked into.")
        leaves = self.log.leaves()
        point = Checkpoint(origin=self.about.origin, size=len(leaves), root=root_of(hashes(leaves)))
        note = signed(point, self.key())
        path = self.note_path(point.size)
        if not path.exists():
            try:
                _new_file(path, note.to_bytes())
            except OSError as problem:
                raise StillwatchError(f"checkpoint {path}: {problem.strerror}; nothing was signed away.") from None
        return note

    def note_path(self, size: int) -> Path:
        """Return where the checkpoint over so many entries lies, there or not."""
        return self.folder / CHECKPOINTS / f"{size:012d}.note"

    def notes(self) -> list[Note]:
        """Return every checkpoint that is kept, smallest first.

        Raises:
            StillwatchError: one was altered.
        """
        return [read_note(path.read_bytes()) for path in sorted((self.folder / CHECKPOINTS).glob("*.note"))]

    def check(self) -> Checked:
        """Return whether the log is whole and goes on from every checkpoint that was signed.

        Raises:
            StillwatchError: it cannot be read, or a line of it was altered.
        """
        leaves = self.log.leaves()
        openings, grown = self.log.openings(), hashes(leaves)
        problems = [*self._entry_problems([read_entry(leaf) for leaf in leaves], openings)]
        notes = self.notes()
        for note in notes:
            problems += self._note_problems(note, grown)
        return Checked(
            size=len(leaves), root=root_of(grown).hex(), checkpoints=len(notes), problems=tuple(problems)
        )  # fmt: skip

    def _entry_problems(self, entries: list[Entry], openings: Mapping[str, Opening]) -> Iterable[str]:
        for index, entry in enumerate(entries):
            opening = openings.get(entry.body)
            if entry.kind.startswith(COMMIT) and opening is None:
                yield f"entry {index}: commits to {entry.count} secrets and its opening is gone"
            elif entry.kind.startswith(COMMIT) and opening and len(opening.payload["items"]) != entry.count:
                yield f"entry {index}: says {entry.count} secrets and has {len(opening.payload['items'])}"

    def _note_problems(self, note: Note, grown: list[bytes]) -> list[str]:
        point = note.checkpoint
        where = f"checkpoint over {point.size} entries"
        if point.origin != self.about.origin:
            return [f"{where}: is of another log, {point.origin}"]
        if point.size > len(grown):
            return [f"{where}: the log has {len(grown)} only; entries are gone"]
        if root_of(grown[: point.size]) != point.root:
            return [f"{where}: an entry before it was altered, or the log was written anew"]
        try:
            note.signature_of(self.public)
        except StillwatchError as problem:
            return [str(problem)]
        return []


def _new_file(path: Path, content: bytes) -> None:
    """Write a file whole and on disk, or not at all; one that is there is refused."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
