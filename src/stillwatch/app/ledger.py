"""The ledger of a state folder: made, added to, committed to, signed, stamped, proved from, checked.

In: a state folder. Out: records to print. Where a state folder has no ledger nothing is logged and nothing is missed;
where it has one, what cannot be logged does not happen.
Left to `ledger`: the log itself. Left to `committed`: which secrets there are.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stillwatch.app.committed import canary_reveal, mark_reveals
from stillwatch.app.state import has_key
from stillwatch.app.twinbooks import twin_reveals
from stillwatch.ledger import stamps
from stillwatch.ledger.checkpoint import Note, read_note, verifier_key
from stillwatch.ledger.folder import ABOUT, COMMIT, Checked, LedgerFolder
from stillwatch.ledger.logfile import Entry, Opening, hashes, read_entry
from stillwatch.ledger.merkle import holds_inclusion, inclusion_proof, leaf_hash
from stillwatch.ledger.signing import PublicKey
from stillwatch.ledger.stampfiles import StampFile, keep_stamp, stamp_files
from stillwatch.store.control import FILE_NAME
from stillwatch.terms.canon import canonical, read_canonical
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.reveal import Reveal

LEDGER: Final = "ledger"
"""Name of the ledger's folder in the state folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new ledger, as it is told."""

    folder: str
    origin: str
    key_file: str
    fingerprint: str
    """Of the public key: write it down where others see it."""
    verifier_key: str
    """The public key as witnesses take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One entry with what it is about, where its opening is kept."""

    index: int
    entry: Entry
    opening: Opening | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That an entry was in the log when a checkpoint was signed; a file of its own that needs nothing else."""

    checkpoint: str
    """The note."""
    entry: str
    """Canonical JSON of the entry: the leaf."""
    hashes: tuple[str, ...]
    """Hex, from the leaf upwards."""
    index: int
    opening: Opening | None
    """What the entry is about; None where it is not told."""
    public: str
    """The log's public key in PEM; compare its fingerprint with the one you know."""
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """A checkpoint and who said when it was there."""

    note: Note
    path: str
    stamps: tuple[StampFile, ...]


def ledger_folder(state: Path) -> Path:
    """Return where the ledger of a state folder lies, there or not."""
    return state / LEDGER


def find_ledger(state: Path, clock: Callable[[], float] = time.time) -> LedgerFolder | None:
    """Return the ledger of a state folder; None where it has none."""
    folder = ledger_folder(state)
    return LedgerFolder(folder, clock) if (folder / ABOUT).is_file() else None


def open_ledger(state: Path, clock: Callable[[], float] = time.time) -> LedgerFolder:
    """Return the ledger of a state folder.

    Raises:
        StillwatchError: it has none.
    """
    return LedgerFolder(ledger_folder(state), clock)


def note(state: Path, kind: str, payload: Mapping[str, Any]) -> int | None:
    """Log one thing and return its index; None where there is no ledger.

    Raises:
        StillwatchError: there is one, and it cannot be written.
    """
    ledger = find_ledger(state)
    return None if ledger is None else ledger.append(kind, payload)


def make_ledger(state: Path, origin: str = "", key_file: Path | None = None) -> Made:
    """Make the ledger of a state folder and commit to what there is.

    Raises:
        StillwatchError: there is one already, or the disk refuses.
    """
    made = LedgerFolder.make(ledger_folder(state), origin, key_file)
    made.append("ledger.made", {"fingerprint": made.public.fingerprint, "origin": made.about.origin})
    made.commit(reveal.item for reveal in reveals(state))
    return Made(
        folder=str(made.folder), origin=made.about.origin, key_file=str(made.folder / made.about.key_file),
        fingerprint=made.public.fingerprint, verifier_key=verifier_key(made.about.origin, made.public),
    )  # fmt: skip


def reveals(state: Path) -> list[Reveal]:
    """Return every secret of a state folder that a ledger commits to, opened; keep them to yourself.

    Raises:
        StillwatchError: ring, control file or master key cannot be read.
    """
    from stillwatch.app.control import canary_secret, open_control
    from stillwatch.app.markring import load_ring, marked_in, ring_path

    found: list[Reveal] = []
    if ring_path(state).is_file():
        found += mark_reveals(load_ring(state), marked_in(state))
    if (state / FILE_NAME).is_file() and has_key(state):
        with open_control(state, new=False) as book:
            secret = canary_secret(state)
            found += [canary_reveal(record, secret) for record in book.canaries()]
    return [*found, *twin_reveals(state)]


def commit_all(state: Path) -> dict[str, int]:
    """Commit to every key and canary that is not committed to yet; return how many were new, by kind."""
    return open_ledger(state).commit(reveal.item for reveal in reveals(state))


def list_entries(state: Path, kind: str = "") -> tuple[Listed, ...]:
    """Return entries in their order; of one kind, or of kinds that begin with `kind.`."""
    log = open_ledger(state).log
    openings = log.openings()
    return tuple(
        Listed(index=index, entry=entry, opening=openings.get(entry.body))
        for index, entry in enumerate(log.entries())
        if not kind or entry.kind == kind or entry.kind.startswith(kind.rstrip(".") + ".")
    )


def entries_about(state: Path, account: str) -> tuple[Listed, ...]:
    """Return the entries whose opening names an account; none where there is no ledger."""
    if find_ledger(state) is None:
        return ()

    def names(said: Mapping[str, Any]) -> bool:
        return account in (said.get("subject"), said.get("account")) or account in (said.get("accounts") or ())

    return tuple(one for one in list_entries(state) if one.opening is not None and names(one.opening.payload))


def checkpoint(state: Path, tsa: str = "", roots: bytes = b"") -> Stamped:
    """Sign the log as it stands, and have the note stamped where an authority is named.

    Args:
        state: The state folder.
        tsa: Address of a timestamp authority; empty asks nobody.
        roots: The authority's root certificates, PEM; needed with `tsa`.

    Raises:
        StillwatchError: the log is not whole, the key is not there, or the authority's answer does not hold; the note
            is kept all the same.
    """
    if bool(tsa) != bool(roots):
        raise StillwatchError("ledger checkpoint: --tsa and --tsa-roots go together; give both or none.")
    ledger = open_ledger(state)
    signed = ledger.checkpoint()
    path = ledger.note_path(signed.checkpoint.size)
    if tsa:
        keep_stamp(path, stamps.ask(tsa, stamps.request_for(path.read_bytes())), roots)
    return Stamped(note=signed, path=str(path), stamps=stamp_files(path))


def stamp(state: Path, size: int, response: bytes, roots: bytes) -> Stamped:
    """Keep an authority's answer on the checkpoint over `size` entries, after checking it.

    Raises:
        StillwatchError: there is no such checkpoint, or the answer is not on it.
    """
    ledger = open_ledger(state)
    path = ledger.note_path(size)
    if not path.is_file():
        raise StillwatchError(f"ledger stamp: no checkpoint over {size} entries; `stillwatch ledger list` has them.")
    keep_stamp(path, response, roots)
    return Stamped(note=read_note(path.read_bytes()), path=str(path), stamps=stamp_files(path))


def request(state: Path, size: int) -> bytes:
    """Return a timestamp request for the checkpoint over `size` entries, to be taken to an authority by hand.

    Raises:
        StillwatchError: there is no such checkpoint.
    """
    path = open_ledger(state).note_path(size)
    if not path.is_file():
        raise StillwatchError(f"ledger stamp: no checkpoint over {size} entries; sign one with `ledger checkpoint`.")
    return stamps.request_for(path.read_bytes())


def prove(state: Path, index: int, *, show: bool) -> Proof:
    """Return the proof that an entry is in the log, under the smallest checkpoint that covers it.

    Args:
        state: The state folder.
        index: Of the entry, from 0.
        show: Put into the proof what the entry is about.

    Raises:
        StillwatchError: there is no such entry, or no checkpoint covers it.
    """
    ledger = open_ledger(state)
    leaves = ledger.log.leaves()
    if not 0 <= index < len(leaves):
        raise StillwatchError(f"ledger prove {index}: the log has entries 0 to {len(leaves) - 1}.")
    for signed in ledger.notes():
        if (size := signed.checkpoint.size) > index:
            opening = ledger.log.openings().get(read_entry(leaves[index]).body) if show else None
            steps = inclusion_proof(hashes(leaves[:size]), index)
            return Proof(
                checkpoint=signed.to_bytes().decode(), entry=leaves[index].decode(),
                hashes=tuple(step.hex() for step in steps), index=index, opening=opening,
                public=ledger.public.pem.decode(),
            )  # fmt: skip
    raise StillwatchError(f"ledger prove {index}: no checkpoint covers it yet; sign one with `ledger checkpoint`.")


def proof_problems(raw: bytes, known: PublicKey) -> tuple[str, ...]:
    """Return what is wrong with a proof; nothing where it holds under the key that the reader knows.

    Raises:
        StillwatchError: it is no proof.
    """
    proof = read_canonical(raw, Proof, "proof")
    signed = read_note(proof.checkpoint.encode())
    signed.signature_of(known)
    point, found = signed.checkpoint, []
    steps = [bytes.fromhex(step) for step in proof.hashes]
    if proof.public.encode() != known.pem:
        found.append("it names another public key")
    if not holds_inclusion(leaf_hash(proof.entry.encode()), proof.index, point.size, steps, point.root):
        found.append("the entry does not lead to the root of the checkpoint")
    if proof.opening is not None and proof.opening.digest != read_entry(proof.entry.encode()).body:
        found.append("what it says the entry is about is not what was logged")
    return tuple(found)


def check_ledger(state: Path) -> Checked:
    """Return whether the ledger is whole: entries, commitments, checkpoints and timestamps."""
    ledger = open_ledger(state)
    checked = ledger.check()
    problems = list(checked.problems)
    for signed in ledger.notes():
        path = ledger.note_path(signed.checkpoint.size)
        problems += [f"{path.name}: {one.problem}" for one in stamp_files(path) if one.problem]
    return Checked(size=checked.size, root=checked.root, checkpoints=checked.checkpoints, problems=tuple(problems))


def forget(state: Path, index: int) -> None:
    """Drop for good what an entry is about.

    Raises:
        StillwatchError: there is no such entry, nothing is kept of it, or it commits to secrets: who forgot that could
            hide how many there were.
    """
    log = open_ledger(state).log
    entries = log.entries()
    if not 0 <= index < len(entries):
        raise StillwatchError(f"ledger forget {index}: the log has entries 0 to {len(entries) - 1}.")
    if commits_to(entries[index]) or entries[index].kind == "protocol" or entries[index].kind.startswith("attempt."):
        raise StillwatchError(
            f"ledger forget {index}: is of kind {entries[index].kind}, which dossiers stand on; it names nobody."
        )
    if not log.forget(entries[index].body):
        raise StillwatchError(f"ledger forget {index}: nothing is kept of it.")


def proof_bytes(proof: Proof) -> bytes:
    """Return a proof as it is written to a file."""
    return canonical(proof)


def commits_to(entry: Entry) -> str:
    """Return the kind of secret that an entry commits to; empty where it commits to none."""
    return entry.kind.removeprefix(COMMIT) if entry.kind.startswith(COMMIT) else ""
