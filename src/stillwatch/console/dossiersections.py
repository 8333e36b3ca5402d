"""What a dossier's pages say, section by section, once for the page in HTML and the one in PDF.

In: the dossier's records. Out: `Section` records of plain text, tables and lists; no page says more or less.
Cost: linear in findings and attempts. Left to `dossierpage`, `dossierpdf`: how it looks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from stillwatch.console.wording import plural
from stillwatch.forensics.conclusion import NOT_SHOWN, SHOWN, Judged
from stillwatch.forensics.dossier import DossierFacts
from stillwatch.terms.canon import number
from stillwatch.terms.finding import WHOLE, Acquired, Finding
from stillwatch.terms.protocol import ExamProtocol

_LISTED = 200
"""Rows of a table that are printed; the records hold all."""

_KINDS: Final = {"mark-epoch": "epochs of marks", "mark-context": "context keys of marks", "mark-key": "keys of marks",
                 "canary": "canaries", "seed": "seeds", "withheld": "withheld samples", "code": "code"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wide: tuple[float, ...]
    """Share of the width that each column takes, 1 together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of the pages."""

    title: str
    paragraphs: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    """Name and value."""
    grid: Grid | None = None
    points: tuple[str, ...] = ()
    parts: tuple["Section", ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierRecords:
    """All that the pages are made of."""

    facts: DossierFacts
    protocol: ExamProtocol
    findings: tuple[Finding, ...]
    acquired: tuple[Acquired, ...]


def headline(records: DossierRecords) -> str:
    """Return the conclusion in a few words."""
    found = records.facts.conclusion
    if found.verdict == SHOWN:
        return f"Copying shown at error rate {found.alpha}{', mark only' if found.mark_only else ''}"
    return "Copying not shown" if found.verdict == NOT_SHOWN else "Too little to tell"


def sections(records: DossierRecords) -> tuple[Section, ...]:
    """Return every section in its order."""
    return (
        _question(records), _found(records), _hypotheses(records), _commitments(records), _acquisition(records),
        *([] if not records.findings else [_findings(records)]), _rates(records), _limits(records), _custody(records),
        _terms(records), _measures(records), _environment(records), _verify(),
    )  # fmt: skip


def chance(log_p: float) -> str:
    """Return a p-value from its natural log, below any underflow.

    >>> chance(math.log(0.04)), chance(-1000.0), chance(0.0)
    ('0.04', '5.1e-435', '1')
    """
    if log_p > math.log(1e-3):
        return f"{math.exp(log_p):.2g}"
    tens = log_p / math.log(10.0)
    whole = math.floor(tens)
    lead = f"{10.0 ** (tens - whole):.1f}"
    return f"1.0e{whole + 1}" if lead == "10.0" else f"{lead}e{whole}"


def _question(records: DossierRecords) -> Section:
    said = records.protocol
    return Section(
        title="Question",
        paragraphs=(said.question,),
        pairs=(
            ("Suspect", said.suspect.name), ("Where", said.suspect.where or "not said"),
            ("Access", said.suspect.access), ("Available since", said.suspect.available or "not said"),
            ("On whose authority", f"{said.authority.kind}: {said.authority.reference}"),
            ("Who answers for it", said.authority.by), ("Planned by", f"{said.by}, {said.made}"),
            ("Error rate promised", f"{said.alpha} over {_hypotheses_of(records)} (Holm)"),
        ),
    )  # fmt: skip


def _found(records: DossierRecords) -> Section:
    found = records.facts.conclusion
    shown = [one for one in found.judged if one.rejected]
    lead = [found.words]
    if found.protocols > 1:
        lead.append(
            f"{found.protocols} protocols may have been about this suspect, so every p-value was multiplied by "
            f"{found.protocols}."
        )
    if found.traced:
        lead.append(f"Accounts and campaigns whose own key or canary was found: {', '.join(found.traced[:_LISTED])}.")
    rows = tuple(_judged(one) for one in found.judged[:_LISTED])
    more = len(found.judged) - len(rows)
    if more > 0:
        lead.append(f"The {len(rows)} smallest p-values are listed; {more} more are in the records.")
    if not shown and found.judged:
        lead.append("No hypothesis is rejected after Holm.")
    head = ("Test", "About", "Kind", "p", "p after Holm", "Rejected")
    wide = (0.1, 0.3, 0.15, 0.15, 0.17, 0.13)
    return Section(
        title="Conclusion", paragraphs=tuple(lead), grid=Grid(head=head, rows=rows, wide=wide) if rows else None
    )


def _judged(one: Judged) -> tuple[str, ...]:
    after = chance(number(one.adjusted_log_p))
    return (one.test, one.subject, one.kind, chance(number(one.log_p)), after, "yes" if one.rejected else "no")


def _hypotheses(records: DossierRecords) -> Section:
    said = records.protocol
    parts = tuple(
        Section(title=f"Hypothesis {one.id}", pairs=(("Null", one.null), ("Claim", one.claim)))
        for one in said.hypotheses
    )
    rows = tuple(
        (test.id, test.exam, test.hypothesis, test.statistic, f"{test.samples:,} {test.unit}", str(test.family))
        for test in said.tests
    )
    head, wide = ("Test", "Exam", "Of", "Statistic", "Samples", "Hypotheses"), (0.07, 0.17, 0.06, 0.4, 0.17, 0.13)
    return Section(
        title="Hypotheses and tests, fixed before the first query",
        paragraphs=(f"Combination: {said.combination}.",), parts=parts, grid=Grid(head=head, rows=rows, wide=wide),
    )  # fmt: skip


def _commitments(records: DossierRecords) -> Section:
    said = records.facts.ledger
    order = (
        f"The protocol is entry {said.protocol_index} of a log that can only be added to. What is counted here was "
        "committed to in entries before it; what was asked of the suspect is in entries after it."
    )
    if not records.protocol.suspect.available:
        order += " Since when the suspect is available is not said, so no date can be compared with it."
    timed = tuple((str(one.size), one.at, one.by, one.file) for one in said.timed)
    grid = None
    if timed:
        grid = Grid(head=("Entries", "Time", "Authority", "File"), rows=timed, wide=(0.1, 0.22, 0.28, 0.4))
    return Section(
        title="Commitments and their number",
        paragraphs=(order, "Timestamps by third parties:" if timed else "No third-party timestamp: that the log was as "
                    "it is on the dates it names is the provider's own word."),
        pairs=(
            ("Log", said.origin), ("Key (SHA-256)", said.fingerprint), ("Entries", str(said.size)), ("Root", said.root),
            *((f"Committed: {_KINDS.get(kind, kind)}", f"{count:,}") for kind, count in said.committed.items()),
            ("Protocols that may be about this suspect", str(said.protocols)),
        ),
        grid=grid,
    )  # fmt: skip


def _acquisition(records: DossierRecords) -> Section:
    rows = tuple(
        (
            str(one.n),
            one.at,
            one.by,
            one.test,
            f"{one.answered} of {one.asked}",
            one.sha256[:16] or "-",
            one.note or "-",
        )
        for one in records.acquired[:_LISTED]
    )
    head = ("No.", "Ended", "By", "Test", "Answered", "SHA-256", "Note")
    return Section(
        title="Acquisition log",
        paragraphs=(f"{plural(len(records.acquired), 'attempt')}: all that the ledger has under this protocol.",),
        grid=Grid(head=head, rows=rows, wide=(0.06, 0.2, 0.16, 0.08, 0.14, 0.18, 0.18)) if rows else None,
    )


def _findings(records: DossierRecords) -> Section:
    parts = tuple(_finding(one) for one in records.findings[:_LISTED])
    more = len(records.findings) - len(parts)
    lead = (f"The first {len(parts)} are printed; {more} more are in the records.",) if more > 0 else ()
    return Section(title="Findings", paragraphs=lead, parts=parts)


def _finding(one: Finding) -> Section:
    about = "the suspect as such" if one.subject == WHOLE else one.subject
    pairs = [
        ("Null", one.null), ("Statistic", one.statistic), ("Sample", f"{one.n:,} {one.unit}"),
        ("Access needed", one.access),
    ]  # fmt: skip
    if one.skipped:
        pairs.append(("Not counted", one.skipped))
    elif one.log_p is not None:
        pairs.append(("p", chance(number(one.log_p))))
    elif one.nats is not None:
        pairs.append(("Evidence", f"{number(one.nats):.1f} nats, pre-registered bet"))
    else:
        pairs.append(("p", "none: triage"))
    pairs += [(f"Observed: {name}", _plain(value)) for name, value in one.observed.items()]
    pairs += [("Power", one.power or "not said"), ("Limits", one.limits or "those of every dossier")]
    return Section(title=f"{one.test}: {one.exam}, {about}", pairs=tuple(pairs))


def _rates(records: DossierRecords) -> Section:
    rows = tuple(
        (one.what, one.promised or "-", one.measured, one.upper or "-", f"{one.n:,}", one.source)
        for one in records.facts.error_rates
    )
    head = ("Of what", "Promised", "Measured", "At most (95 %)", "Of", "Source")
    lead = (
        f"If every null holds, the chance that anything is rejected among {_hypotheses_of(records)} is at most "
        f"{records.protocol.alpha}."
    )
    return Section(
        title="Error rates",
        paragraphs=(
            lead,
            "Rates of the detection by which accounts were found, as measured on traffic with known truth:",
        )
        if rows
        else (lead,),
        grid=Grid(head=head, rows=rows, wide=(0.3, 0.12, 0.12, 0.15, 0.11, 0.2)) if rows else None,
    )


def _limits(records: DossierRecords) -> Section:
    return Section(title="Limits", points=records.facts.limits)


def _custody(records: DossierRecords) -> Section:
    rows = tuple((one.at, one.by, one.what, one.sha256[:16] or "-") for one in records.facts.custody[:_LISTED])
    grid = Grid(head=("When", "Who", "What", "SHA-256"), rows=rows, wide=(0.2, 0.2, 0.42, 0.18))
    return Section(title="Custody", grid=grid if rows else None)


def _terms(records: DossierRecords) -> Section:
    said = records.protocol.terms
    return Section(
        title="Terms of use, and controls that were got round",
        pairs=(("Terms in force", said.version or "not said"), ("SHA-256 of their text", said.sha256 or "not said")),
        points=said.circumvented or ("None is named.",),
    )


def _measures(records: DossierRecords) -> Section:
    rows = tuple((one.name, one.state, one.source) for one in records.facts.measures)
    lead = "What the provider does to protect the model, as its settings and records say on the day of this dossier."
    return Section(
        title="Protective measures", paragraphs=(lead,) if rows else ("Nothing is on record.",),
        grid=Grid(head=("Measure", "State", "Source"), rows=rows, wide=(0.25, 0.5, 0.25)) if rows else None,
    )  # fmt: skip


def _environment(records: DossierRecords) -> Section:
    facts = records.facts
    return Section(
        title="Environment",
        pairs=(*sorted(facts.environment.items()), ("packages.txt (SHA-256)", facts.packages_sha256)),
    )


def _verify() -> Section:
    return Section(
        title="How to check this",
        points=(
            "VERIFY.txt has the commands by which OpenSSL alone checks every signature and timestamp here.",
            "stillwatch dossier verify FOLDER also computes every number again from the materials.",
            "Compare the key's fingerprint with one that reached you another way: without that, the seal only shows "
            "that nothing changed since somebody sealed it.",
        ),
    )


def _hypotheses_of(records: DossierRecords) -> str:
    return plural(records.facts.conclusion.family, "hypothesis", "hypotheses")


def _plain(value: object) -> str:
    if isinstance(value, str) and "0x" in value:
        return f"{number(value):.6g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value[:24])) + (" ..." if len(value) > 24 else "")
    return str(value)
