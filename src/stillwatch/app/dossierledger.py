"""What the ledger shows of an examination: that secrets were there first, how many there were, what was tried.

In: the ledger's files in a dossier, the protocol, what was acquired, what was revealed. Out: `LedgerSaid`, and what is
wrong. The same function makes the record when a dossier is built and checks it when one is read.
The order that must show: commitments, protocol, first query, findings. A commitment whose opening is missing hides a
denominator; an attempt without its record hides a failure; either is wrong.
Left to `forensics.planned`: whether the denominators are those of the protocol.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stillwatch.app.dossierfiles import PUBLIC, Files
from stillwatch.app.examination import attempt_kind
from stillwatch.forensics.dossier import LedgerSaid, Timed
from stillwatch.forensics.planned import denominator_problems
from stillwatch.ledger import stamps
from stillwatch.ledger.checkpoint import Note, read_note
from stillwatch.ledger.folder import COMMIT
from stillwatch.ledger.logfile import Entry, Opening, hashes, read_entry
from stillwatch.ledger.merkle import root_of
from stillwatch.ledger.signing import PublicKey, read_public
from stillwatch.ledger.stamps import Stamp
from stillwatch.terms.canon import canonical, read_canonical
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Acquired
from stillwatch.terms.protocol import Denominator, ExamProtocol
from stillwatch.terms.reveal import Reveal, fits

ENTRIES, OPENINGS, NOTES = "ledger/entries.jsonl", "ledger/openings.json", "ledger/notes/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What is held against the ledger."""

    protocol: ExamProtocol
    digest: str
    """SHA-256 of the protocol."""
    acquired: tuple[Acquired, ...]
    findings: str
    """SHA-256 of the findings."""
    reveals: tuple[Reveal, ...] = field(repr=False)
    """Everything that the materials open, the seed included."""


@dataclass(slots=True)
class _Log:
    """The log as the dossier has it."""

    key: PublicKey
    entries: list[Entry]
    leaves: list[bytes]
    openings: dict[str, Opening]
    notes: dict[str, Note]
    timed: list[Timed]
    problems: list[str]

    def payload(self, index: int) -> Mapping[str, Any] | None:
        """Return what an entry is about; None where that is not opened."""
        opening = self.openings.get(self.entries[index].body)
        return None if opening is None else opening.payload

    def of_kind(self, kind: str) -> Iterator[int]:
        """Yield the entries of one kind."""
        return (index for index, entry in enumerate(self.entries) if entry.kind == kind)


def ledger_said(files: Files, examined: Examined) -> tuple[LedgerSaid, tuple[str, ...]]:
    """Return what the ledger shows, and what is wrong.

    Raises:
        StillwatchError: a file of the ledger is missing or is not what it must be.
    """
    log = _read(files)
    first = _protocol_index(log, examined.digest)
    committed = _committed(log, first)
    attempts = _attempts(log, examined, first)
    log.problems += denominator_problems(examined.protocol, _denominators(log, first))
    log.problems += _reveal_problems(log, examined, committed)
    log.problems += _picked(_denominators(log, first), examined)
    log.problems += _findings_problems(log, examined, attempts)
    counts = Counter[str]()
    for one in _denominators(log, first):
        counts[one.kind] += one.count
    last = list(log.notes.values())[-1].checkpoint
    said = LedgerSaid(
        origin=last.origin, fingerprint=log.key.fingerprint, size=last.size, root=last.root.hex(), protocol_index=first,
        committed=dict(counts), attempts=len(attempts), protocols=_protocols(log, examined, first),
        timed=tuple(log.timed),
    )  # fmt: skip
    return said, tuple(log.problems)


def _read(files: Files) -> _Log:
    for name in (ENTRIES, OPENINGS, PUBLIC):
        if name not in files:
            raise StillwatchError(f"dossier: {name} is not there.")
    leaves = files[ENTRIES].removesuffix(b"\n").split(b"\n")
    opened = read_canonical(files[OPENINGS], tuple[Opening, ...], OPENINGS)
    names = sorted(name for name in files if name.startswith(NOTES) and name.endswith(".note"))
    log = _Log(
        key=read_public(files[PUBLIC]), entries=[read_entry(leaf) for leaf in leaves], leaves=leaves,
        openings={one.digest: one for one in opened}, notes={name: read_note(files[name]) for name in names}, timed=[],
        problems=[],
    )  # fmt: skip
    if not log.notes:
        raise StillwatchError("dossier: has no checkpoint of the ledger.")
    if set(log.openings) - {entry.body for entry in log.entries}:
        log.problems.append(f"{OPENINGS}: opens an entry that is not in the log")
    grown, origins = hashes(leaves), {note.checkpoint.origin for note in log.notes.values()}
    if len(origins) > 1 or list(log.notes.values())[-1].checkpoint.size != len(leaves):
        log.problems.append("checkpoints: are of several logs, or the last does not cover the log")
    for name, note in log.notes.items():
        log.problems += _note_problems(files, name, note, log.key)
        if root_of(grown[: note.checkpoint.size]) != note.checkpoint.root:
            log.problems.append(f"{name}: an entry before it was altered, or the log was written anew")
        log.timed += _timed(files, name, note, log.problems)
    return log


def _note_problems(files: Files, name: str, note: Note, key: PublicKey) -> list[str]:
    try:
        signature = note.signature_of(key)
    except StillwatchError as problem:
        return [f"{name}: {problem}"]
    stem = name.removesuffix(".note")
    if (files.get(f"{stem}.txt"), files.get(f"{stem}.sig")) != (note.checkpoint.text, signature):
        return [f"{stem}.txt, {stem}.sig: are not those of the note"]
    return []


def _timed(files: Files, name: str, note: Note, problems: list[str]) -> list[Timed]:
    found = []
    for answer, stamp in stamps_of(files, name, problems):
        at = stamp.at.strftime("%Y-%m-%dT%H:%M:%SZ")
        found.append(Timed(size=note.checkpoint.size, at=at, by=stamp.by, file=answer))
    return found


def stamps_of(files: Files, name: str, problems: list[str]) -> Iterator[tuple[str, Stamp]]:
    """Yield the timestamps of a file with the name of each; what does not hold goes to `problems`."""
    for answer in sorted(one for one in files if one.startswith(f"{name}.") and one.endswith(".tsr")):
        roots = files.get(answer.removesuffix(".tsr") + ".pem", b"")
        try:
            if stamps.plain_roots(roots) != roots:
                raise StillwatchError("timestamp: its roots are not in the form in which they are kept.")
            yield answer, stamps.check(files[answer], files[name], stamps.read_roots(roots))
        except StillwatchError as problem:
            problems.append(f"{answer}: {problem}")


def _protocol_index(log: _Log, digest: str) -> int:
    for index in log.of_kind("protocol"):
        payload = log.payload(index)
        if payload is not None and payload.get("protocol") == digest:
            return index
    raise StillwatchError("protocol: is not in the ledger; it was changed, or never logged.")


def _protocols(log: _Log, examined: Examined, first: int) -> int:
    """Return how many protocols may have been about this suspect: those, and those that are not opened."""
    name, found = examined.protocol.suspect.name, 0
    for index in log.of_kind("protocol"):
        payload = log.payload(index)
        found += index == first or payload is None or payload.get("suspect") == name
    return found


def _committed(log: _Log, first: int) -> dict[str, int]:
    """Return which entry before the protocol commits to each item."""
    found: dict[str, int] = {}
    for index, entry in enumerate(log.entries[:first]):
        if not entry.kind.startswith(COMMIT):
            continue
        payload = log.payload(index)
        if payload is None:
            log.problems.append(
                f"entry {index}: commits to {entry.count} secrets and is not opened: a denominator is hidden"
            )
        elif len(payload["items"]) != entry.count or sum(payload["groups"].values()) != entry.count:
            log.problems.append(f"entry {index}: says {entry.count} secrets and opens to another number")
        else:
            for digest in payload["items"]:
                found.setdefault(str(digest), index)
    return found


def _denominators(log: _Log, first: int) -> tuple[Denominator, ...]:
    groups: dict[str, Counter[str]] = {}
    for index, entry in enumerate(log.entries[:first]):
        payload = log.payload(index) if entry.kind.startswith(COMMIT) else None
        if payload is not None:
            groups.setdefault(entry.kind.removeprefix(COMMIT), Counter()).update(payload["groups"])
    return tuple(
        Denominator(kind=kind, count=sum(found.values()), size=first, groups=dict(sorted(found.items())))
        for kind, found in sorted(groups.items())
    )


def _reveal_problems(log: _Log, examined: Examined, committed: Mapping[str, int]) -> Iterator[str]:
    for one in {reveal.item.digest: reveal for reveal in examined.reveals}.values():
        where = f"{one.item.kind} {one.item.id}"
        if not fits(one):
            yield f"{where}: what is revealed is not what was committed to"
        at = committed.get(one.item.digest)
        if at is None:
            yield f"{where}: was not committed to before the protocol: a late secret"
        elif one.item.kind != "seed":
            yield from _late(log, examined, where, at)
    if examined.protocol.seed not in {one.item.digest for one in examined.reveals if one.item.kind == "seed"}:
        yield "seed: is not revealed, so nobody can tell whether samples were picked"


def _picked(held: Sequence[Denominator], examined: Examined) -> Iterator[str]:
    """Yield where some secrets of a group are revealed and others are not."""
    digests = {reveal.item.digest: reveal.item for reveal in examined.reveals}
    shown = Counter((item.kind, item.group) for item in digests.values())
    for one in held:
        if one.kind in ("canary", "withheld"):
            for group, count in one.groups.items():
                if 0 < shown[one.kind, group] != count:
                    yield f"{one.kind} {group}: {shown[one.kind, group]} of {count} are revealed: a picked trigger"


def _late(log: _Log, examined: Examined, where: str, at: int) -> Iterator[str]:
    """Yield why a secret cannot be said to have been there before the suspect was."""
    available = examined.protocol.suspect.available
    if not available:
        return
    if log.entries[at].at > available:
        yield f"{where}: was logged on {log.entries[at].at}, after the suspect was to be had: a late secret"
    covering = [timed.at for timed in log.timed if timed.size > at]
    if log.timed and (not covering or min(covering) > available):
        yield f"{where}: no timestamp says that it was there before {available}: a late secret"


def _attempts(log: _Log, examined: Examined, first: int) -> list[int]:
    found = list(log.of_kind(attempt_kind(examined.digest)))
    if any(index < first for index in found):
        log.problems.append("attempts: one was logged before the protocol")
    told = [log.payload(index) for index in found]
    own = [{**msgspec.to_builtins(one), "protocol": examined.digest} for one in examined.acquired]
    if [canonical(one) if one is not None else b"" for one in told] != [canonical(one) for one in own]:
        log.problems.append(
            f"attempts: the ledger has {len(found)}, the acquisition log {len(own)}, not one by one equal: "
            "a transcript or an attempt was edited, added or left out"
        )
    return found


def _findings_problems(log: _Log, examined: Examined, attempts: Sequence[int]) -> Iterator[str]:
    logged = [
        index for index in log.of_kind("findings") if (log.payload(index) or {}).get("protocol") == examined.digest
    ]
    if not logged:
        yield "findings: are not in the ledger"
    elif (log.payload(logged[-1]) or {}).get("findings") != examined.findings:
        yield "findings: are not those that were logged"
    elif attempts and logged[-1] < attempts[-1]:
        yield "findings: were logged before the last attempt"
