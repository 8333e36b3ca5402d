"""One exam as every exam is: what it needs, what it claims, and how a result becomes a finding.

In: a planned test and materials. Out: findings; where something is missing or chance misfits, a finding that says so
and claims nothing. Left to each exam: `outcomes`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from stillwatch.forensics.exams.given import Given
from stillwatch.forensics.exams.signs import SHARP
from stillwatch.terms.canon import exact, sha256
from stillwatch.terms.finding import WHOLE, Finding, Material
from stillwatch.terms.protocol import PlannedTest, Value

_VAULT = (
    "It takes twin answers in the evidence vault, its private key (--vault-key), and a suspect that tells "
    "log-probabilities of given texts."
)
DEEPEST = -1e12
"""Stands for the logarithm of a p-value of 0, which no test gives."""


@dataclass(frozen=True, slots=True)
class Need:
    """One material that an exam takes."""

    parameter: str
    role: str
    """As `Material.role` has it."""
    what: str
    """In words."""
    optional: bool = False
    vault: bool = False
    """Only the evidence vault holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an exam measured for one subject."""

    subject: str = WHOLE
    n: int
    log_p: float | None = None
    least_log_p: float | None = None
    observed: Mapping[str, Value] = field(default_factory=dict)
    power: str = ""
    skipped: str = ""


class Examination(ABC):
    """One forensic test."""

    name: ClassVar[str]
    kind: ClassVar[str]
    """One of `terms.finding.KINDS`."""
    null: ClassVar[str]
    statistic: ClassVar[str]
    unit: ClassVar[str]
    access: ClassVar[str]
    """`texts`, `text`, `logprobs` or `weights`: the least it needs of a suspect."""
    needs: ClassVar[tuple[Need, ...]]
    limits: ClassVar[str]
    power: ClassVar[str]
    """What it takes to find copying, in words."""

    def find(self, test: PlannedTest, materials: Mapping[str, bytes]) -> tuple[Finding, ...]:
        """Return what the materials come to; see `terms.finding.Exam`."""
        given = Given(test, materials)
        lacking = [need for need in self.needs if not need.optional and not given.has(need.parameter)]
        if lacking:
            where = " " + _VAULT if any(need.vault for need in lacking) else ""
            why = "not run: there is no " + ", no ".join(need.what for need in lacking) + "." + where
            return (self._finding(given, Outcome(n=0, skipped=why)),)
        return tuple(self._finding(given, one) for one in self.outcomes(given))

    @abstractmethod
    def outcomes(self, given: Given) -> Sequence[Outcome]:
        """Return what was measured, one outcome a subject."""

    def _finding(self, given: Given, one: Outcome) -> Finding:
        test = given.test
        used = tuple(
            Material(name=name, sha256=sha256(raw), size=len(raw), role=need.role)
            for need in self.needs
            if given.has(need.parameter)
            for name, raw in ((given.text(need.parameter), given.raw(need.parameter)),)
        )
        return Finding(
            test=test.id, exam=self.name, kind=self.kind, subject=one.subject, null=self.null, statistic=self.statistic,
            observed=one.observed, n=one.n, unit=self.unit, log_p=_log(one.log_p), least_log_p=_log(one.least_log_p),
            power=one.power, access=self.access, materials=used, parameters=test.parameters, limits=self.limits,
            skipped=one.skipped,
        )  # fmt: skip


def _log(value: float | None) -> str | None:
    return None if value is None else exact(min(0.0, max(value, DEEPEST)))


def decimal(value: float) -> str:
    """Return a real number for a person, six digits."""
    return f"{value:.6g}"


def z_needed(log_alpha: float) -> float:
    """Return the standardised sum whose sharp tail is `alpha`.

    >>> round(z_needed(math.log(1e-6)), 2)
    4.98
    """
    from scipy.special import ndtri_exp

    return float(-ndtri_exp(log_alpha - math.log(SHARP)))


def more(n: int, z: float, log_alpha: float, unit: str) -> str:
    """Return in words how many more samples this strength would need; strength grows as the root of the number.

    >>> more(1000, 2.5, math.log(1e-6), "tokens")
    'about 3,000 more tokens for p <= 1e-06'
    """
    level = f"p <= {math.exp(log_alpha):.0e}"
    if n == 0:
        return f"nothing was scored; {level} needs {unit}"
    wanted = z_needed(log_alpha)
    if z >= wanted:
        return f"enough: {level} reached with {n:,} {unit}"
    if z < 1.0:
        return f"no strength seen to reckon from in {n:,} {unit}"
    lacking = n * ((wanted / z) ** 2 - 1.0)
    digits = 1 - math.ceil(math.log10(max(lacking, 1.0)))
    return f"about {max(1, int(round(lacking, digits))):,} more {unit} for {level}"
