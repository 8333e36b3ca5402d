"""Put a dossier together from an examination: records, proofs, pages, index, seal.

In: the state folder, an examination's folder, and what a person says. Out: a folder, complete or not there.
The dossier is checked as a stranger would before it is written: none leaves here that would not hold.
Left to `examination`: what was done. Left to `dossiercheck`: whether it holds.
"""

import importlib.metadata
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillwatch import __version__
from stillwatch.app.dossiercheck import PACKAGES, DossierCheck, check_files, reveals_in
from stillwatch.app.dossierfacts import custody_of, limits_of, rates
from stillwatch.app.dossierfiles import (
    COMMANDS,
    INDEX,
    PUBLIC,
    commands,
    read_folder,
    sealed_again,
    sealed_files,
    write_folder,
)
from stillwatch.app.dossierledger import ENTRIES, NOTES, OPENINGS, Examined, ledger_said
from stillwatch.app.dossierpages import FACTS, pages
from stillwatch.app.examination import (
    ACQUISITION,
    ENVELOPE,
    FINDINGS,
    MATERIALS,
    PROTOCOL,
    Examination,
    load,
    materials,
    read,
)
from stillwatch.app.ledger import open_ledger
from stillwatch.app.measures import measures_of
from stillwatch.forensics.conclusion import conclude
from stillwatch.forensics.dossier import DossierFacts, LedgerSaid
from stillwatch.ledger import stamps
from stillwatch.ledger.checkpoint import Note
from stillwatch.ledger.envelope import parts, pre_authentication
from stillwatch.ledger.folder import COMMIT, LedgerFolder
from stillwatch.ledger.logfile import Entry, Opening, iso
from stillwatch.terms.canon import canonical, read_canonical, sha256
from stillwatch.terms.catalog import Catalog
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Exam

LIBRARIES: Final = ("cryptography", "numpy", "reportlab", "rfc3161-client", "scipy")
"""What computes, checks or draws here, named with its release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierAsk:
    """What a person asks for."""

    state: Path
    examination: Path
    out: Path
    by: str
    config: Path | None = None
    """Settings file, for the record of protective measures."""
    open_protocols: bool = False
    """Open every protocol in the ledger, so that those on other suspects are not counted against this one."""
    tsa: str = ""
    """Timestamp authority for the dossier's index; empty asks nobody."""
    roots: bytes = b""


def build(ask: DossierAsk, exams: Catalog[Exam] | None = None, clock: Callable[[], float] = time.time) -> DossierCheck:
    """Write a dossier and return what its check came to.

    Args:
        ask: What is asked.
        exams: Every exam; those of this version where None.
        clock: Seconds since 1970.

    Raises:
        StillwatchError: the examination is not finished, the dossier would not hold, or the disk refuses.
    """
    found = load(ask.examination)
    if not found.findings:
        raise StillwatchError(f"examination {ask.examination}: has no findings yet; run `stillwatch examine run`.")
    if bool(ask.tsa) != bool(ask.roots):
        raise StillwatchError("dossier build: --tsa and --tsa-roots go together; give both or none.")
    ledger = open_ledger(ask.state, clock)
    ledger.checkpoint()
    files = {**_examined(ask.examination), **_ledger_files(ledger, found, ask)}
    said, problems = ledger_said(files, _held(found, files))
    if problems:
        raise StillwatchError("\n".join(f"dossier: {problem}." for problem in problems))
    facts = _facts(ask, found, said, clock())
    files[FACTS], files[PACKAGES] = canonical(facts), packages()
    files |= pages(facts, found.protocol, found.findings, found.acquired)
    files[COMMANDS] = commands({**files, **({f"{INDEX}.1.tsr": b""} if ask.tsa else {})})
    key = ledger.key()
    files = sealed_files(files, key, {"conclusion": facts.conclusion.words, "protocol": found.digest})
    if ask.tsa:
        answer = stamps.ask(ask.tsa, stamps.request_for(files[INDEX]))
        roots = stamps.plain_roots(ask.roots)
        files = sealed_again({**files, f"{INDEX}.1.tsr": answer, f"{INDEX}.1.pem": roots}, key)
    checked = check_files(files, key.public.fingerprint, exams)
    if checked.problems:
        raise StillwatchError("\n".join(f"dossier: would not hold: {problem}." for problem in checked.problems))
    ledger.append("dossier", {"by": ask.by, "index": sha256(files[INDEX]), "protocol": found.digest})
    write_folder(files, ask.out)
    return checked


def shown(folder: Path) -> DossierFacts:
    """Return what a dossier says, without checking it.

    Raises:
        StillwatchError: it cannot be read.
    """
    files = read_folder(folder)
    if FACTS not in files:
        raise StillwatchError(f"dossier {folder}: has no {FACTS}; name the folder of a dossier.")
    return read_canonical(files[FACTS], DossierFacts, FACTS)


def packages() -> bytes:
    """Return every library installed here with its release, one a line."""
    found = {f"{one.metadata['Name']}=={one.version}" for one in importlib.metadata.distributions()}
    return "".join(f"{line}\n" for line in sorted(found, key=str.lower)).encode()


def _examined(folder: Path) -> dict[str, bytes]:
    found = {name: read(folder, name) for name in (PROTOCOL, ENVELOPE, FINDINGS)}
    acquired = folder / ACQUISITION
    found[ACQUISITION] = acquired.read_bytes() if acquired.is_file() else canonical(())
    payload, found["protocol.sig"] = parts(found[ENVELOPE])
    found["protocol.pae"] = pre_authentication(payload)
    return found | {f"{MATERIALS}/{name}": raw for name, raw in materials(folder).items()}


def _held(found: Examination, files: dict[str, bytes]) -> Examined:
    named = {name.removeprefix(f"{MATERIALS}/"): raw for name, raw in files.items() if name.startswith(f"{MATERIALS}/")}
    return Examined(
        protocol=found.protocol, digest=found.digest, acquired=found.acquired, findings=sha256(files[FINDINGS]),
        reveals=reveals_in(named),
    )  # fmt: skip


def _ledger_files(ledger: LedgerFolder, found: Examination, ask: DossierAsk) -> dict[str, bytes]:
    """Return the log, what of it is opened, and its checkpoints with their timestamps."""
    last = ledger.notes()[-1].checkpoint.size
    leaves = ledger.log.leaves()[:last]
    held = ledger.log.openings()
    opened = [
        held[entry.body]
        for entry in ledger.log.entries()[:last]
        if entry.body in held and _is_told(entry, held[entry.body], found, ask)
    ]
    files = {ENTRIES: b"\n".join(leaves) + b"\n", OPENINGS: canonical(tuple(opened)), PUBLIC: ledger.public.pem}
    for note in ledger.notes():
        files |= _note_files(ledger, note, last=note.checkpoint.size == last)
    return files


def _is_told(entry: Entry, opening: Opening, found: Examination, ask: DossierAsk) -> bool:
    if entry.kind == "protocol":
        own = opening.payload.get("suspect") == found.protocol.suspect.name
        return own or ask.open_protocols
    return entry.kind.startswith(COMMIT) or opening.payload.get("protocol") == found.digest


def _note_files(ledger: LedgerFolder, note: Note, *, last: bool) -> dict[str, bytes]:
    """Return a checkpoint's files; only the last one and those that are stamped are given away."""
    path = ledger.note_path(note.checkpoint.size)
    beside = sorted(one for one in path.parent.glob(f"{path.name}.*") if one.suffix in (".tsr", ".pem"))
    if not last and not beside:
        return {}
    stem = f"{NOTES}{path.stem}"
    files = {f"{stem}.note": note.to_bytes(), f"{stem}.txt": note.checkpoint.text,
             f"{stem}.sig": note.signature_of(ledger.public)}  # fmt: skip
    return files | {f"{NOTES}{one.name}": one.read_bytes() for one in beside}


def _facts(ask: DossierAsk, found: Examination, said: LedgerSaid, now: float) -> DossierFacts:
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return DossierFacts(
        made=iso(now), by=ask.by, conclusion=conclude(found.protocol, found.findings, said.protocols), ledger=said,
        error_rates=rates(), limits=limits_of(found.findings),
        custody=custody_of(found.protocol, found.digest, found.acquired),
        measures=measures_of(ask.config, ask.state, now), packages_sha256=sha256(packages()),
        environment={**versions, "python": platform.python_version(), "stillwatch": __version__,
                     "system": f"{platform.system()} {platform.machine()}"},
    )  # fmt: skip
