"""What the findings of one examination come to together, in words that claim no more than was computed.

In: the protocol and the findings. Out: a `Conclusion`: Holm over every hypothesis that was planned, what was rejected,
and one of three verdicts. Planned hypotheses that were not tested count as p = 1. A bet enters as p = exp(-nats).
Cost: microseconds. Left to `forensics.planned`: whether findings are those that were planned.
Source: Holm 1979, "A simple sequentially rejective multiple test procedure"; Markov's inequality for bets.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stillwatch.terms.canon import exact, number
from stillwatch.terms.finding import WHOLE, Finding
from stillwatch.terms.protocol import ExamProtocol

SHOWN, NOT_SHOWN, TOO_LITTLE = "shown", "not shown", "too little"
EXIT_CODES: Final = {SHOWN: 1, NOT_SHOWN: 0, TOO_LITTLE: 3}
ROOTS: Final = {"mark": "marks", "served": "marks", "canary": "canaries", "withheld": "withheld samples",
                "errors": "errors", "provenance": "provenance"}  # fmt: skip
"""Kind of evidence -> what it rests on. Two kinds on one root could be forged with one secret and count once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One tested hypothesis with its p-value after Holm."""

    test: str
    subject: str
    kind: str
    log_p: str
    """As the finding has it, or the bet's; `exact` text like the next."""
    adjusted_log_p: str
    rejected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The outcome of an examination."""

    verdict: str
    """`shown`, `not shown` or `too little`."""
    words: str
    """One sentence."""
    alpha: str
    """Family-wise error rate that was promised, as the protocol spells it."""
    family: int
    """Hypotheses that Holm went over."""
    protocols: int
    """Protocols about this suspect; every p-value was multiplied by it."""
    judged: tuple[Judged, ...]
    """Smallest p first."""
    roots: tuple[str, ...]
    """What the rejected hypotheses rest on."""
    traced: tuple[str, ...]
    """Accounts and campaigns of which copying is shown."""

    @property
    def exit_code(self) -> int:
        """1 shown, 0 not shown, 3 too little to tell."""
        return EXIT_CODES[self.verdict]

    @property
    def mark_only(self) -> bool:
        """Whether nothing but marks shows it, which is not called proof."""
        return self.roots == ("marks",)


def conclude(protocol: ExamProtocol, findings: Sequence[Finding], protocols: int = 1) -> Conclusion:
    """Return what the findings come to.

    Args:
        protocol: As it was signed.
        findings: All of them.
        protocols: How many protocols may have been about this suspect, at least 1; whoever tries three pays thrice.
    """
    alpha, family = number(protocol.alpha), sum(test.family for test in protocol.tests)
    bets = {test.id for test in protocol.tests if test.bet}
    tested = [(_log_p(finding, bets), finding) for finding in findings]
    counted = sorted(
        ((log_p, finding) for log_p, finding in tested if log_p is not None),
        key=lambda pair: (pair[0], pair[1].test, pair[1].subject),
    )
    judged, worst = [], -math.inf
    for rank, (log_p, finding) in enumerate(counted):
        worst = max(worst, log_p + math.log(max(1, family - rank)) + math.log(protocols))
        adjusted = min(0.0, worst)
        judged.append(
            Judged(test=finding.test, subject=finding.subject, kind=finding.kind, log_p=exact(log_p),
                   adjusted_log_p=exact(adjusted), rejected=adjusted <= math.log(alpha))
        )  # fmt: skip
    rejected = [one for one in judged if one.rejected]
    roots = tuple(dict.fromkeys(ROOTS[one.kind] for one in rejected if one.kind in ROOTS))
    able = any(_could(finding, math.log(alpha) - math.log(family * protocols)) for _, finding in counted)
    verdict = SHOWN if roots else NOT_SHOWN if able else TOO_LITTLE
    return Conclusion(
        verdict=verdict, words=_words(verdict, protocol.alpha, roots), alpha=protocol.alpha, family=family,
        protocols=protocols, judged=tuple(judged), roots=tuple(sorted(roots)),
        traced=tuple(sorted({one.subject for one in rejected if one.subject != WHOLE and one.kind in ROOTS})),
    )  # fmt: skip


def _log_p(finding: Finding, bets: set[str]) -> float | None:
    if finding.skipped or finding.kind not in ROOTS:
        return None
    if finding.log_p is not None:
        return min(0.0, number(finding.log_p))
    if finding.nats is not None and finding.test in bets:
        return min(0.0, -number(finding.nats))
    return None


def _could(finding: Finding, log_threshold: float) -> bool:
    """Return whether the most extreme outcome with so many samples would have been enough."""
    return finding.least_log_p is None or number(finding.least_log_p) <= log_threshold


def _words(verdict: str, alpha: str, roots: Sequence[str]) -> str:
    if verdict == TOO_LITTLE:
        return f"Too little to tell: no outcome with so few samples could have passed error rate {alpha}."
    if verdict == NOT_SHOWN:
        return f"Copying is not shown at error rate {alpha}. That is no proof of the contrary."
    if tuple(roots) == ("marks",):
        return (
            f"Copying shown at error rate {alpha}, mark only: a second, independent kind of evidence is missing, and a "
            "mark alone is not called proof."
        )
    return f"Copying shown at error rate {alpha}, by {' and '.join(sorted(roots))}."
