"""Dossiers as the console shows them: what each concludes by its own findings, and whether its seal holds.

In: the folder that the settings name. Out: records of `console.records`. A dossier may be a stranger's: its files are
bounded, its conclusion is drawn again from its findings, and no number in it is computed again here: that takes
`stillwatch dossier verify`, which the page names. No material is opened or handed out, since those hold text.
Cost: a page of one dossier hashes its files, up to `LARGEST_SEALED`.
"""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from stillwatch.app.boundedread import read_bounded
from stillwatch.app.consolestate import ConsoleState
from stillwatch.app.dossierfiles import PUBLIC, read_folder, seal_problems, size_of
from stillwatch.app.dossierpages import FACTS, HTML, PDF
from stillwatch.app.examination import ACQUISITION, FINDINGS, PROTOCOL, is_plain
from stillwatch.app.ledger import find_ledger
from stillwatch.console import records as r
from stillwatch.console.dossiersections import DossierRecords, chance, headline
from stillwatch.forensics.conclusion import conclude
from stillwatch.forensics.dossier import DossierFacts
from stillwatch.ledger.signing import read_public
from stillwatch.terms.canon import number, read_canonical
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import WHOLE, Acquired, Finding
from stillwatch.terms.protocol import ExamProtocol

LISTED: Final = 200
LARGEST_READ: Final = 8 << 20
"""Bytes of one record that are read for a page."""
LARGEST_SEALED: Final = 64 << 20
"""Bytes of a dossier up to which a page checks its seal."""
HANDED_OUT: Final = (HTML, PDF, "VERIFY.txt", FACTS, FINDINGS, PROTOCOL, ACQUISITION)
_RECORDS: Final = (FACTS, PROTOCOL, FINDINGS, ACQUISITION)


def dossier_folder(open_state: ConsoleState) -> Path:
    """Return where dossiers lie."""
    given = open_state.settings.console.dossiers
    return Path(given) if given else open_state.state / "dossiers"


def dossiers(open_state: ConsoleState) -> r.DossierList:
    """Return the dossiers of the folder, newest first by what they say."""
    folder = dossier_folder(open_state)
    entries = [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
    found = [path for path in entries if is_plain(path.name) and (path / FACTS).is_file() and not path.is_symlink()]
    newest = sorted(found, key=lambda path: -_changed(path))[:LISTED]
    lines = [_line(path) for path in newest]
    return r.DossierList(
        folder="console.dossiers", set=bool(open_state.settings.console.dossiers) or folder.is_dir(),
        others=len(entries) - len(found), items=sorted(lines, key=lambda line: line.made, reverse=True),
    )  # fmt: skip


def dossier(open_state: ConsoleState, name: str) -> r.DossierPage | None:
    """Return one dossier; None where there is none of this name."""
    path = _found(open_state, name)
    if path is None:
        return None
    line, seal = _line(path), _seal(open_state, path)
    verify = f"stillwatch dossier verify {shlex.quote(str(path))}{f' --key {seal.key}' if seal.own else ''}"
    files = [one for one in HANDED_OUT if (path / one).is_file()]
    if line.problem:
        return r.DossierPage(
            line=line, words="", question="", authority="", access="", where="", attempts=0, protocols=0,
            timestamps=[], findings=[], limits=[], seal=seal, verify=verify, files=files,
        )  # fmt: skip
    records = _records(path)
    said, planned = records.facts, records.protocol
    return r.DossierPage(
        line=line, words=said.conclusion.words, question=planned.question,
        authority=f"{planned.authority.kind}: {planned.authority.reference}, {planned.authority.by}",
        access=planned.suspect.access, where=planned.suspect.where, attempts=len(records.acquired),
        protocols=said.conclusion.protocols, timestamps=[f"{one.at} by {one.by}" for one in said.ledger.timed],
        findings=list(_findings(records)), limits=list(said.limits), seal=seal, verify=verify, files=files,
    )  # fmt: skip


def dossier_file(open_state: ConsoleState, name: str, file: str) -> tuple[bytes, str] | None:
    """Return content and name of one file of a dossier that may be handed out; None for any other."""
    path = _found(open_state, name)
    if path is None or file not in HANDED_OUT or (path / file).is_symlink() or not (path / file).is_file():
        return None
    return read_bounded(path / file, LARGEST_SEALED), f"{name}-{file}"


def _found(open_state: ConsoleState, name: str) -> Path | None:
    path = dossier_folder(open_state) / name
    good = is_plain(name) and "/" not in name and not path.is_symlink() and (path / FACTS).is_file()
    return path if good else None


def _changed(path: Path) -> float:
    try:
        return (path / FACTS).stat().st_mtime
    except OSError:
        return 0.0


def _line(path: Path) -> r.DossierLine:
    try:
        records = _records(path)
    except StillwatchError as problem:
        return r.DossierLine(name=path.name, suspect="", made="", by="", headline="Cannot be read", verdict="",
                             alpha="", family=0, rejected=0, problem=str(problem).partition("\n")[0])  # fmt: skip
    found = records.facts.conclusion
    return r.DossierLine(
        name=path.name, suspect=records.protocol.suspect.name, made=records.facts.made, by=records.facts.by,
        headline=headline(records), verdict=found.verdict, alpha=found.alpha, family=found.family,
        rejected=sum(one.rejected for one in found.judged),
    )  # fmt: skip


def _records(path: Path) -> DossierRecords:
    """Return a dossier's records, its conclusion drawn again from its own findings.

    Raises:
        StillwatchError: one is missing, too large, or not in its form.
    """
    try:
        stamps = tuple((one.stat().st_mtime_ns, one.stat().st_size) for one in (path / name for name in _RECORDS))
    except OSError as problem:
        raise StillwatchError(f"dossier {path.name}: {problem.strerror}; build it anew.") from None
    return _read(path, stamps)


@lru_cache(maxsize=256)
def _read(path: Path, _: Any) -> DossierRecords:
    raw = {name: read_bounded(path / name, LARGEST_READ) for name in _RECORDS}
    facts = read_canonical(raw[FACTS], DossierFacts, FACTS)
    protocol = read_canonical(raw[PROTOCOL], ExamProtocol, PROTOCOL)
    findings = read_canonical(raw[FINDINGS], tuple[Finding, ...], FINDINGS)
    try:
        again = conclude(protocol, findings, facts.ledger.protocols)
    except (ValueError, ArithmeticError):
        raise StillwatchError(f"dossier {path.name}: its findings come to nothing that can be concluded.") from None
    if again != facts.conclusion:
        raise StillwatchError(f"dossier {path.name}: says another conclusion than its own findings come to.")
    return DossierRecords(
        facts=replace(facts, conclusion=again), protocol=protocol, findings=findings,
        acquired=read_canonical(raw[ACQUISITION], tuple[Acquired, ...], ACQUISITION),
    )  # fmt: skip


def _findings(records: DossierRecords) -> Iterator[r.FindingLine]:
    judged = {(one.test, one.subject): one for one in records.facts.conclusion.judged}
    for one in records.findings[:LISTED]:
        found = judged.get((one.test, one.subject))
        yield r.FindingLine(
            test=one.test, exam=one.exam, about="the suspect as such" if one.subject == WHOLE else one.subject,
            null=one.null, statistic=one.statistic, sample=f"{one.n:,} {one.unit}",
            p=chance(number(found.log_p)) if found else "",
            p_adjusted=chance(number(found.adjusted_log_p)) if found else "", rejected=bool(found and found.rejected),
            needs=f"{one.access}; {one.power or 'power not said'}", limits=one.limits, skipped=one.skipped,
        )  # fmt: skip


def _seal(open_state: ConsoleState, path: Path) -> r.SealState:
    key = ""
    try:
        public = read_public(read_bounded(path / PUBLIC, 10_000))
        key = public.fingerprint
        ledger = find_ledger(open_state.state)
        own = ledger is not None and ledger.public == public
        if size_of(path) > LARGEST_SEALED:
            return r.SealState(state="not checked", key=key, own=own,
                               problem=f"it has more than {LARGEST_SEALED >> 20} MiB")  # fmt: skip
        problems = seal_problems(read_folder(path), public)
    except StillwatchError as problem:
        return r.SealState(state="broken", key=key, own=False, problem=str(problem).partition("\n")[0])
    return r.SealState(
        state="broken" if problems else "holds", key=key, own=own, problem=problems[0] if problems else ""
    )
