"""The folder of an examination: its protocol signed and logged before the first query, then attempts, then findings.

In: the state folder with its ledger, and a folder that is new. Out: `protocol.json` with its envelope, the seed and
the opened secrets among the materials, `acquisition.json`, `findings.json`; each step is an entry of the ledger.
A stop between two steps loses none that was logged. Left to `suspects` and the exams: asking and computing.
Left to `app.dossier`: what is given away of it.
"""

import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.app.ledger import open_ledger
from stillwatch.forensics.planned import denominator_problems, finding_problems, protocol_problems
from stillwatch.ledger.envelope import sealed, statement
from stillwatch.ledger.logfile import iso
from stillwatch.terms.canon import canonical, read_canonical, sha256
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Acquired, Finding, Material
from stillwatch.terms.protocol import ExamProtocol
from stillwatch.terms.reveal import Reveal, seed_reveal

PROTOCOL: Final = "protocol.json"
ENVELOPE: Final = "protocol.dsse.json"
ACQUISITION: Final = "acquisition.json"
FINDINGS: Final = "findings.json"
MATERIALS: Final = "materials"
SEED: Final = "seed/seed.json"
STATEMENT: Final = "protocol/v1"
ROLES: Final = ("texts", "transcript", "controls", "reference", "served", "reveal", "seed", "tokeniser")
"""What a material's name begins with."""
MOST_NAME: Final = 200
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What an examination's folder holds."""

    protocol: ExamProtocol
    digest: str
    """SHA-256 of the protocol."""
    acquired: tuple[Acquired, ...]
    findings: tuple[Finding, ...]
    """Empty while none were computed."""


def begin(state: Path, folder: Path, planned: ExamProtocol, clock: Callable[[], float] = time.time) -> Examination:
    """Draw the seed, count what the ledger has, sign and log the protocol, and make the folder.

    Args:
        state: The state folder; it must have a ledger.
        folder: New folder.
        planned: The protocol; `denominators`, `seed` and `made` are filled in here.
        clock: Seconds since 1970.

    Raises:
        StillwatchError: the protocol is not sound, counts too few hypotheses, or the folder or ledger refuses.
    """
    if (folder / PROTOCOL).exists():
        raise StillwatchError(f"examination {folder}: has a protocol already; one examination has one. Name another.")
    ledger = open_ledger(state, clock)
    held = tuple(one for one in ledger.denominators() if one.kind != "seed")
    seed = seed_reveal(secrets.token_bytes(32), f"examination {secrets.token_hex(8)}", secrets.token_hex(32))
    protocol = replace(planned, denominators=held, seed=seed.item.digest, made=iso(clock()))
    problems = (*protocol_problems(protocol), *denominator_problems(protocol, held))
    if problems:
        raise StillwatchError("\n".join((f"{problems[0]}.", *(f"{one}." for one in problems[1:]))))
    raw, key = canonical(protocol), ledger.key()
    ledger.commit([seed.item])
    said = {"by": protocol.by, "protocol": sha256(raw), "suspect": protocol.suspect.name}
    ledger.append("protocol", said)
    ledger.checkpoint()
    write(folder, f"{MATERIALS}/{SEED}", canonical([seed]))
    write(folder, ENVELOPE, sealed(statement({PROTOCOL: sha256(raw)}, STATEMENT, said), key))
    write(folder, PROTOCOL, raw)
    return Examination(protocol=protocol, digest=sha256(raw), acquired=(), findings=())


def load(folder: Path) -> Examination:
    """Return what a folder holds.

    Raises:
        StillwatchError: it holds no examination, or a file was altered.
    """
    raw = read(folder, PROTOCOL)
    acquired, findings = folder / ACQUISITION, folder / FINDINGS
    return Examination(
        protocol=read_canonical(raw, ExamProtocol, str(folder / PROTOCOL)), digest=sha256(raw),
        acquired=read_canonical(read(folder, ACQUISITION), tuple[Acquired, ...], ACQUISITION)
        if acquired.exists() else (),
        findings=read_canonical(read(folder, FINDINGS), tuple[Finding, ...], FINDINGS) if findings.exists() else (),
    )  # fmt: skip


def log_attempt(state: Path, folder: Path, acquired: Acquired, content: bytes | None = None) -> Acquired:
    """Keep what an attempt brought, log it, and return it numbered; do so before anything is computed from it.

    Args:
        state: The state folder.
        folder: The examination's.
        acquired: What was tried; `n` and `sha256` are filled in here.
        content: The material that came of it, kept under `acquired.material`; None where nothing did, or where the
            file was written already.

    Raises:
        StillwatchError: the material's name is not good, an attempt brought it already, or folder or ledger refuses.
    """
    found = load(folder)
    if acquired.material:
        check_material(acquired.material)
        if any(one.material == acquired.material for one in found.acquired):
            raise StillwatchError(
                f"material {acquired.material}: an attempt brought it already. A suspect is not asked until answers "
                "please: plan another examination, which counts."
            )
        if content is not None:
            write(folder, f"{MATERIALS}/{acquired.material}", content)
        content = read(folder, f"{MATERIALS}/{acquired.material}")
    done = replace(acquired, n=len(found.acquired) + 1, sha256=sha256(content) if content is not None else "")
    ledger = open_ledger(state)
    ledger.append(attempt_kind(found.digest), {**msgspec.to_builtins(done), "protocol": found.digest})
    write(folder, ACQUISITION, canonical((*found.acquired, done)))
    return done


def open_secrets(folder: Path, name: str, opened: Sequence[Reveal]) -> Material:
    """Put opened secrets among the materials, as `reveal/NAME.json`, and return the material."""
    return keep_material(folder, f"reveal/{name}.json", canonical(tuple(opened)))


def keep_material(folder: Path, name: str, content: bytes) -> Material:
    """Put a material that no attempt brought into the folder, such as control texts or opened secrets."""
    check_material(name)
    write(folder, f"{MATERIALS}/{name}", content)
    return Material(name=name, sha256=sha256(content), size=len(content), role=name.partition("/")[0])


def materials(folder: Path) -> dict[str, bytes]:
    """Return every material by name, as an exam takes them."""
    root = folder / MATERIALS
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def finish(state: Path, folder: Path, findings: Sequence[Finding]) -> Examination:
    """Keep the findings, log their digest and sign the log.

    Raises:
        StillwatchError: they are not those that were planned, or folder or ledger refuses.
    """
    found = load(folder)
    problems = finding_problems(found.protocol, findings)
    if problems:
        raise StillwatchError("\n".join(f"{one}." for one in problems))
    raw = canonical(tuple(findings))
    ledger = open_ledger(state)
    ledger.append("findings", {"findings": sha256(raw), "protocol": found.digest})
    ledger.checkpoint()
    write(folder, FINDINGS, raw)
    return replace(found, findings=tuple(findings))


def attempt_kind(digest: str) -> str:
    """Return the kind of the ledger's entries on attempts under a protocol; it shows which, so that none is hidden."""
    return f"attempt.{digest[:16]}"


def check_material(name: str) -> None:
    """Raise unless a material may be called so.

    Raises:
        StillwatchError: it begins with no role, or leads out of the folder.
    """
    role, slash, _ = name.partition("/")
    if role not in ROLES or not slash or not is_plain(name):
        raise StillwatchError(
            f"material {name[:80]!r}: must be ROLE/NAME, the role one of {', '.join(ROLES)}, the name of letters, "
            "digits, dots, dashes and underscores."
        )


def is_plain(name: str) -> bool:
    """Return whether a path below an examination or a dossier is spelt plainly.

    Every part is letters, digits, `_`, `.` and `-`, and begins with no dot or dash, so that no shell, program or
    terminal can take it for anything but a name.

    >>> is_plain("ledger/notes/000000000012.note.1.tsr"), is_plain("../x"), is_plain("a b"), is_plain("-x")
    (True, False, False, False)
    """
    return len(name) <= MOST_NAME and all(_PART.fullmatch(part) for part in name.split("/"))


def read(folder: Path, name: str) -> bytes:
    """Return a file of an examination.

    Raises:
        StillwatchError: it is not there or cannot be read.
    """
    try:
        return (folder / name).read_bytes()
    except OSError as problem:
        raise StillwatchError(
            f"examination {folder}: {name}: {problem.strerror}; plan one with `stillwatch examine plan`."
        ) from None


def write(folder: Path, name: str, content: bytes) -> None:
    """Write a file of an examination whole, readable by its owner only.

    Raises:
        StillwatchError: the disk refuses.
    """
    path = folder / name
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as problem:
        raise StillwatchError(f"examination {path}: {problem.strerror}; give a folder you may write.") from None
