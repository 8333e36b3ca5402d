"""Hold a dossier against itself: seal, signatures, ledger, protocol, every number computed again, every page.

In: a dossier's files. Out: what was checked and what is wrong. Nothing in it is believed that can be computed; what
cannot be is said. The first broken layer ends the check, since what lies above it means nothing.
Cost: hashing, then the exams once more. Left to `dossierfiles`, `dossierledger`, `forensics.planned`: the layers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillwatch import __version__
from stillwatch.app.dossierfacts import custody_of, version_problems
from stillwatch.app.dossierfiles import (
    COMMANDS,
    INDEX,
    PUBLIC,
    Files,
    commands,
    openssl_commands,
    read_folder,
    seal_problems,
)
from stillwatch.app.dossierledger import Examined, ledger_said, stamps_of
from stillwatch.app.dossierpages import FACTS, HTML, PDF, pages
from stillwatch.app.examination import ACQUISITION, ENVELOPE, FINDINGS, MATERIALS, PROTOCOL, STATEMENT, check_material
from stillwatch.forensics.conclusion import Conclusion, conclude
from stillwatch.forensics.dossier import DossierFacts, LedgerSaid
from stillwatch.forensics.planned import finding_problems, opening_problems, protocol_problems, recomputed_problems
from stillwatch.ledger import openssl
from stillwatch.ledger.envelope import opened, parts, pre_authentication
from stillwatch.ledger.signing import PublicKey, read_public
from stillwatch.terms.canon import read_canonical, sha256
from stillwatch.terms.catalog import Catalog
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Acquired, Exam, Finding
from stillwatch.terms.protocol import ExamProtocol
from stillwatch.terms.reveal import Item, Reveal

PACKAGES: Final = "environment/packages.txt"
_UNCOMPARED: Final = "unless the pages are left out of the check"
MADE_HERE: Final = ("transcript", "texts")
"""Roles of materials that come of an attempt and of nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierCheck:
    """What a check of a dossier came to."""

    fingerprint: str
    """Of the key that sealed it; compare it with what the provider gave over another channel."""
    checked: tuple[str, ...]
    """What was found in order, in words."""
    problems: tuple[str, ...]
    """What is wrong; empty when everything holds."""
    notes: tuple[str, ...]
    """What could not be checked here."""
    conclusion: Conclusion | None
    """Computed again; None while something is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A dossier's records, read."""

    protocol: ExamProtocol
    acquired: tuple[Acquired, ...]
    findings: tuple[Finding, ...]
    facts: DossierFacts
    materials: dict[str, bytes]
    examined: Examined


def check_dossier(
    folder: Path, fingerprint: str = "", exams: Catalog[Exam] | None = None, *, compare: bool = True
) -> DossierCheck:
    """Check the dossier in a folder.

    Args:
        folder: The dossier.
        fingerprint: Of the key that must have sealed it; empty takes the one in the dossier and says so.
        exams: Every exam; those of this version where None.
        compare: Compare the pages with the records, which the version that made them can; False says so in a note.

    Raises:
        StillwatchError: the folder cannot be read.
    """
    files = read_folder(folder)
    found = check_files(files, fingerprint, exams, compare=compare)
    if found.problems:
        return found
    return _second_route(folder, files, found)


def check_files(
    files: Files, fingerprint: str = "", exams: Catalog[Exam] | None = None, *, compare: bool = True
) -> DossierCheck:
    """Check a dossier's files; see `check_dossier`. The `openssl` program is not asked."""
    checked: list[str] = []
    notes: list[str] = []
    key: PublicKey | None = None
    try:
        key = read_public(files.get(PUBLIC, b""))
        if fingerprint and key.fingerprint != fingerprint.lower():
            return _wrong(key, ("the key is not the one that was expected",), checked)
        if problems := seal_problems(files, key):
            return _wrong(key, problems, checked)
        checked.append(f"{len(files)} files are those that the key {key.fingerprint[:16]} sealed")
        read = read_parts(files, key)
        for layer in _layers(files, read, (exams, compare), notes):
            wrong, said = layer()
            if wrong:
                return _wrong(key, wrong, checked)
            checked.append(said)
    except StillwatchError as problem:
        return _wrong(key, (str(problem).splitlines()[0],), checked)
    except Exception as problem:
        # Whoever sealed it may have put in anything; what cannot be read is rejected and not explained.
        return _wrong(key, (f"dossier: holds what cannot be read ({type(problem).__name__})",), checked)
    if not fingerprint:
        notes.append("the key was taken from the dossier: compare its fingerprint with what the provider gave you")
    return DossierCheck(
        fingerprint=key.fingerprint, checked=tuple(checked), problems=(), notes=tuple(notes),
        conclusion=read.facts.conclusion,
    )  # fmt: skip


def read_parts(files: Files, key: PublicKey) -> Parts:
    """Return a dossier's records.

    Raises:
        StillwatchError: one is missing, is not in its form, or the protocol is not signed.
    """
    for name in (PROTOCOL, ENVELOPE, ACQUISITION, FINDINGS, FACTS, PACKAGES):
        if name not in files:
            raise StillwatchError(f"dossier: {name} is not there.")
    digest = sha256(files[PROTOCOL])
    said = opened(files[ENVELOPE], key, STATEMENT)
    if [(one.name, dict(one.digest)) for one in said.subject] != [(PROTOCOL, {"sha256": digest})]:
        raise StillwatchError(f"{ENVELOPE}: is of another protocol; it was changed after it was signed.")
    payload, signature = parts(files[ENVELOPE])
    if (files.get("protocol.pae"), files.get("protocol.sig")) != (pre_authentication(payload), signature):
        raise StillwatchError("protocol.pae, protocol.sig: are not those of the envelope.")
    materials = {
        name.removeprefix(f"{MATERIALS}/"): raw for name, raw in files.items() if name.startswith(f"{MATERIALS}/")
    }
    protocol = read_canonical(files[PROTOCOL], ExamProtocol, PROTOCOL)
    acquired = read_canonical(files[ACQUISITION], tuple[Acquired, ...], ACQUISITION)
    return Parts(
        protocol=protocol, acquired=acquired, materials=materials,
        findings=read_canonical(files[FINDINGS], tuple[Finding, ...], FINDINGS),
        facts=read_canonical(files[FACTS], DossierFacts, FACTS),
        examined=Examined(protocol=protocol, digest=digest, acquired=acquired, findings=sha256(files[FINDINGS]),
                          reveals=reveals_in(materials)),
    )  # fmt: skip


def reveals_in(materials: Files) -> tuple[Reveal, ...]:
    """Return everything that the materials open.

    Raises:
        StillwatchError: one is not in its form.
    """
    names = sorted(name for name in materials if name.startswith(("reveal/", "seed/")))
    return tuple(one for name in names for one in read_canonical(materials[name], tuple[Reveal, ...], name))


def opened_in(materials: Files) -> dict[str, tuple[Item, ...]]:
    """Return the items of each material that opens secrets, by the material's name."""
    names = (name for name in materials if name.startswith("reveal/"))
    return {name: tuple(r.item for r in read_canonical(materials[name], tuple[Reveal, ...], name)) for name in names}


def material_problems(read: Parts) -> tuple[str, ...]:
    """Return where materials are not those of the attempts and findings."""
    found = []
    digests = {name: (sha256(raw), len(raw)) for name, raw in read.materials.items()}
    made = {one.material: one.sha256 for one in read.acquired if one.material}
    if len(made) < sum(bool(one.material) for one in read.acquired):
        found.append("attempts: two brought the same material, so the suspect was asked until the answers pleased")
    for name, (digest, _) in digests.items():
        check_material(name)
        if name.partition("/")[0] in MADE_HERE and made.get(name) != digest:
            found.append(f"material {name}: is not what an attempt brought: a transcript was edited or slipped in")
    found += [f"material {name}: an attempt brought it, and it is not there" for name in made if name not in digests]
    for finding in read.findings:
        for one in finding.materials:
            if digests.get(one.name) != (one.sha256, one.size) or one.role != one.name.partition("/")[0]:
                found.append(f"finding of test {finding.test}: was computed from another {one.name}")
    return tuple(found)


def compute_again(read: Parts, exams: Catalog[Exam] | None = None) -> tuple[Finding, ...]:
    """Return every finding, computed from the materials.

    Raises:
        StillwatchError: this version has no such exam, or the exam cannot read a material.
    """
    catalogue = exams if exams is not None else all_exams()
    found: list[Finding] = []
    for test in read.protocol.tests:
        try:
            found += catalogue.get(test.exam).find(test, read.materials)
        except (ValueError, KeyError, TypeError, IndexError, ArithmeticError) as problem:
            raise StillwatchError(f"test {test.id}: cannot be computed again ({type(problem).__name__}).") from None
    return tuple(found)


def all_exams() -> Catalog[Exam]:
    """Return the exams of this version."""
    from stillwatch.forensics.exams import EXAMS

    return Catalog("exam", *EXAMS)


def _layers(
    files: Files, read: Parts, how: tuple[Catalog[Exam] | None, bool], notes: list[str]
) -> tuple[Callable[[], tuple[Sequence[str], str]], ...]:
    """Return what is looked at, in order; each gives what is wrong, and what to say where nothing is."""
    exams, compare = how
    return (
        lambda: (protocol_problems(read.protocol), "the protocol is signed and sound"),
        lambda: _ledger(files, read, notes),
        lambda: (material_problems(read), f"{len(read.materials)} materials are those of the attempts"),
        lambda: (_planned(read), "the findings are those that were planned"),
        lambda: (recomputed_problems(read.findings, compute_again(read, exams)),
                 f"{len(read.findings)} findings, computed again, are the same"),
        lambda: _concluded(read),
        lambda: _pages(files, read, notes, compare=compare),
    )  # fmt: skip


def _ledger(files: Files, read: Parts, notes: list[str]) -> tuple[Sequence[str], str]:
    said, problems = ledger_said(files, read.examined)
    if not problems and said != read.facts.ledger:
        problems = ("facts: say something else of the ledger than it shows",)
    wrong = list(problems)
    if not read.protocol.suspect.available:
        notes.append("the protocol does not say since when the suspect is available: secrets are older than the first "
                     "query, and whether they are older than the suspect cannot be told")  # fmt: skip
    stamped = [f"{stamp.at:%Y-%m-%dT%H:%M:%SZ}" for _, stamp in stamps_of(files, INDEX, wrong)]
    if stamped:
        notes.append(f"a third party stamped the dossier itself: {', '.join(stamped)}")
    return wrong, f"the ledger of {said.size} entries is whole, and the order was {_order(said)}"


def _order(said: LedgerSaid) -> str:
    stamped = f"{len(said.timed)} timestamps by third parties" if said.timed else "no third-party timestamp"
    return f"commitments, protocol (entry {said.protocol_index}), {said.attempts} attempts, findings; {stamped}"


def _planned(read: Parts) -> tuple[str, ...]:
    problems = finding_problems(read.protocol, read.findings)
    return problems or opening_problems(read.protocol, read.findings, opened_in(read.materials))


def _concluded(read: Parts) -> tuple[Sequence[str], str]:
    again = conclude(read.protocol, read.findings, read.facts.ledger.protocols)
    wrong = [] if again == read.facts.conclusion else ["conclusion: computed again it is another"]
    if read.facts.custody != custody_of(read.protocol, read.examined.digest, read.acquired):
        wrong.append("facts: custody is not that of the protocol and the attempts")
    return wrong, f"the conclusion follows: {again.words}"


def _pages(files: Files, read: Parts, notes: list[str], *, compare: bool) -> tuple[Sequence[str], str]:
    """Return where pages are not those that the records make; only the version that made them can tell."""
    if not compare:
        notes.append("pages: were not compared with the records; read what this check prints, and not the pages")
        return (), "the records are complete"
    if sha256(files[PACKAGES]) != read.facts.packages_sha256:
        return (f"{PACKAGES}: is not what the facts say",), ""
    if files.get(COMMANDS) != commands(files):
        return (f"{COMMANDS}: are not the commands of this dossier",), ""
    if read.facts.environment.get("stillwatch") != __version__:
        made_by = read.facts.environment.get("stillwatch", "?")[:40]
        return (f"pages: were made by version {made_by}; only that version can compare them, {_UNCOMPARED}",), ""
    if problems := version_problems(read.facts, read.findings):
        return problems, ""
    if any(_other_printer(name, read) for name in (HTML, PDF)):
        return (f"{PDF}: was made by another release of its library, so it cannot be compared, {_UNCOMPARED}",), ""
    made = pages(read.facts, read.protocol, read.findings, read.acquired)
    wrong = [name for name, raw in made.items() if files.get(name) != raw]
    return tuple(f"{name}: does not say what the records say" for name in wrong), "the pages say what the records say"


def _other_printer(name: str, read: Parts) -> bool:
    from stillwatch.console.dossierpdf import PRINTER

    return name.endswith(".pdf") and read.facts.environment.get("reportlab") != PRINTER


def _second_route(folder: Path, files: Files, found: DossierCheck) -> DossierCheck:
    """Check signatures and timestamps with the `openssl` program, where there is one.

    The commands are made here: a line that a stranger wrote into the dossier is never run.
    """
    if not openssl.present():
        note = "openssl: is not installed here, so signatures and timestamps were checked once"
        return DossierCheck(fingerprint=found.fingerprint, checked=found.checked, problems=(),
                            notes=(*found.notes, note), conclusion=found.conclusion)  # fmt: skip
    asked = openssl_commands(files)
    wrong = tuple(f"the openssl program does not agree: {' '.join(c)}" for c in asked if not openssl.holds(c, folder))
    if wrong:
        return DossierCheck(fingerprint=found.fingerprint, checked=found.checked, problems=wrong, notes=found.notes,
                            conclusion=None)  # fmt: skip
    said = f"the openssl program agrees on all {len(asked)} signatures and timestamps"
    return DossierCheck(fingerprint=found.fingerprint, checked=(*found.checked, said), problems=(), notes=found.notes,
                        conclusion=found.conclusion)  # fmt: skip


def _wrong(key: PublicKey | None, problems: Sequence[str], checked: Sequence[str]) -> DossierCheck:
    return DossierCheck(
        fingerprint=key.fingerprint if key else "", checked=tuple(checked), problems=tuple(problems), notes=(),
        conclusion=None,
    )  # fmt: skip
