"""What a dossier's facts must say: custody, limits and error rates follow from its records and from this version.

In: protocol, attempts, findings. Out: those parts of `DossierFacts`, and where a dossier's own are others. They are
written and checked by the same functions, so that a maker can leave out no limit and improve no rate.
Left to `dossiercheck`: the order of checks.
"""

from collections.abc import Sequence
from typing import Any

from stillwatch.app.measured import measured_rates
from stillwatch.forensics.dossier import LIMITS, Custody, DossierFacts, ErrorRate
from stillwatch.terms.finding import Acquired, Finding
from stillwatch.terms.protocol import ExamProtocol


def custody_of(protocol: ExamProtocol, digest: str, acquired: Sequence[Acquired]) -> tuple[Custody, ...]:
    """Return who held or made what: the protocol, then every attempt in order.

    Args:
        protocol: The protocol.
        digest: Its SHA-256 in hex.
        acquired: Attempts.
    """
    planned = Custody(at=protocol.made, by=protocol.by, what="protocol planned and signed", sha256=digest)
    taken = (
        Custody(at=one.at, by=one.by, what=f"{one.material or 'nothing'} taken with {one.tool}", sha256=one.sha256)
        for one in acquired
    )
    return (planned, *taken)


def limits_of(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the limits of every dossier, then those of the findings, each once."""
    return (*LIMITS, *dict.fromkeys(finding.limits for finding in findings if finding.limits))


def rates() -> tuple[ErrorRate, ...]:
    """Return the error rates of this version, promised and measured."""
    return tuple(
        ErrorRate(what=one.what, promised=_decimal(one.promised), measured=_decimal(one.measured),
                  upper=_decimal(one.upper), n=one.n, source=one.source)
        for one in measured_rates()
    )  # fmt: skip


def version_problems(facts: DossierFacts, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return where limits or error rates are not those of this version; only the version that made them can tell."""
    found = []
    if facts.limits != limits_of(findings):
        found.append("facts: limits were left out or changed")
    if facts.error_rates != rates():
        found.append("facts: the error rates are not those that were measured of this version")
    return tuple(found)


def _decimal(value: Any) -> str:
    return "" if value is None else f"{value:g}"
