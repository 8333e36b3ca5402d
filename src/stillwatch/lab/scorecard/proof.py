"""What forensics says of the students, in the words of the scorecard.

In: lines of the scorecard. Out: one short text a line, and the reasons why exams could not be applied.
Of several seeds the weakest result stands: what an examiner could count on.
"""

import math
from collections.abc import Sequence
from typing import Final

from stillwatch.lab.cell import Evidence
from stillwatch.lab.scorecard.card import Line

ABOUT: Final = {"mark": "mark", "canary": "canary", "errors": "answers"}
_TEN: Final = math.log(10.0)


def chance(log_p: float) -> str:
    """Return a p-value as the scorecard writes it.

    >>> chance(-36.9), chance(-1.2), chance(0.0)
    ('1e-16', '0.30', '1')
    """
    if log_p >= math.log(0.995):
        return "1"
    return f"{math.exp(log_p):.2f}" if log_p > math.log(0.01) else f"1e{round(log_p / _TEN):d}"


def weakest(line: Line) -> list[Evidence]:
    """Return one entry for each exam of a line: over seeds the one with the highest p; those that apply first."""
    found: dict[tuple[str, str], list[Evidence]] = {}
    for row in line.rows:
        for one in row.evidence:
            found.setdefault((one.about, one.exam), []).append(one)
    out = []
    for entries in found.values():
        told = [one for one in entries if one.log_p is not None and not one.why]
        whole = len(told) == len(entries)
        out.append(max(told, key=lambda one: one.log_p or 0.0) if whole else next(x for x in entries if x.why))
    return sorted(out, key=lambda one: 0.0 if one.log_p is None else one.log_p)


def proof_of(line: Line) -> str:
    """Return what an examiner would find: `no mark` where the defence has none, then the strongest exam with its p."""
    entries = weakest(line)
    if not entries:
        return "-"
    told = [one for one in entries if one.log_p is not None]
    words = [] if any(one.about in ("mark", "canary") and one.log_p is not None for one in entries) else ["no mark"]
    if told and told[0].log_p is not None:
        words.append(f"{told[0].exam} {chance(told[0].log_p)}")
    else:
        words.append("no exam")
    return ", ".join(words)


def details_of(line: Line) -> list[str]:
    """Return every exam of a line with what it found, or why it could say nothing."""
    out = []
    for one in weakest(line):
        if one.log_p is None:
            out.append(f"{ABOUT[one.about]}: no exam: {one.why}" if not one.exam else f"{one.exam}: {one.why}")
            continue
        beside = "" if one.innocent_log_p is None else f"; of an innocent model {chance(one.innocent_log_p)}"
        out.append(f"{one.exam}: p {chance(one.log_p)} on {one.n:,} {one.unit}{beside}")
    return out


def reasons(lines: Sequence[Line]) -> list[str]:
    """Return every reason why an exam said nothing, once each."""
    said = (one.why for line in lines for row in line.rows for one in row.evidence if one.why)
    return list(dict.fromkeys(said))
