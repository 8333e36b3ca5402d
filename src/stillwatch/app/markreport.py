"""What reading texts for marks came to: hypotheses, their p-values after Holm, who is named, and an exit code.

In: one `Line` a hypothesis tried. Out: a frozen `MarkReport`. No text, no token and no key is in it.
A name comes from a key of its own alone: the provider's key says that a text is ours, never whose.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from stillwatch.forensics.marks.reading import Reading, log_holm

LEAST_SCORED: Final = 400
"""Distinct pairs below which a text without a mark says nothing: a mark of strength 1 in a small model's answers
shows at 1e-6 nine times in ten from there on, stronger ones sooner (bench/RESULTS.md)."""
LEAST_SITES: Final = 40
"""The same for the mark in the wording, which says more a site."""
NO_MARK, MARK, CANNOT_TELL = 0, 1, 3
SHOWN: Final = 1
"""Names that do not stand out and are shown all the same, strongest first."""
NAMING: Final = ("account", "account, campaign contexts too", "campaign")
"""Keys that name somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One hypothesis: whose key was tried, and what it says."""

    scheme: str
    epoch: int
    """0 for marks of others."""
    key: str
    """Which key, in words."""
    who: str = ""
    """Account or campaign; empty for a key that is nobody's."""
    scored: int
    hits: float
    log_p: float
    """Nats, exact, by itself."""
    log_p_adjusted: float = 0.0
    """Nats, after Holm over all that were tried."""
    dummy_mean: float
    dummy_sd: float
    fits: bool
    why: str = ""

    @property
    def names(self) -> bool:
        """Whether the key belongs to whoever is named."""
        return self.key in NAMING and bool(self.who)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkReport:
    """What was read."""

    scheme: str
    texts: int
    tokens: int
    tokenizer: str
    """Empty where token ids were given."""
    tried: int
    """Hypotheses, all of which Holm's correction counts."""
    alpha: float
    lines: tuple[Line, ...] = field(default_factory=tuple)
    """Those that stand out, those of nobody's key, and the strongest of the rest."""
    named: tuple[str, ...] = ()
    """Accounts and campaigns whose own key stands out, strongest first, such as `account acme`."""
    exit_code: int
    """0 no mark, 1 a mark, 3 too little text or chance is not what it must be."""
    conclusion: str


def line_of(reading: Reading, epoch: int = 0, who: str = "") -> Line:
    """Return a reading as a line."""
    return Line(
        scheme=reading.scheme, epoch=epoch, key=reading.key_name, who=who, scored=reading.scored,
        hits=float(reading.hits), log_p=reading.log_p, dummy_mean=reading.dummy_mean, dummy_sd=reading.dummy_sd,
        fits=reading.fits, why=reading.why,
    )  # fmt: skip


def report_of(
    lines: Sequence[Line], *, sizes: tuple[int, int], tokenizer: str, scheme: str, alpha: float
) -> MarkReport:
    """Return the report on everything that was tried.

    Args:
        lines: One a hypothesis, none left out.
        sizes: Texts and tokens.
        tokenizer: Name of the tokeniser's file.
        scheme: What was read for.
        alpha: Family-wise error rate, between 0 and 1.
    """
    adjusted = log_holm([line.log_p if line.fits else 0.0 for line in lines])
    held = [replace(line, log_p_adjusted=float(log_p)) for line, log_p in zip(lines, adjusted, strict=True)]
    held.sort(key=lambda line: (line.log_p_adjusted, line.log_p))
    found = [line for line in held if line.log_p_adjusted <= math.log(alpha)]
    named = tuple(dict.fromkeys(f"{line.key.split(',')[0]} {line.who}" for line in found if line.names))
    owners = {line.who for line in found if line.names}
    rest = [line for line in held if line.log_p_adjusted > math.log(alpha)]
    shown = [
        *(line for line in found if not line.who or line.who in owners),  # all tiers together say little of whose
        *(line for line in rest if not line.who), *[line for line in rest if line.who][:SHOWN],
    ]  # fmt: skip
    code, conclusion = _concluded(held, found, named)
    return MarkReport(
        scheme=scheme, texts=sizes[0], tokens=sizes[1], tokenizer=tokenizer, tried=len(lines), alpha=alpha,
        lines=tuple(shown), named=named, exit_code=code, conclusion=conclusion,
    )  # fmt: skip


def _concluded(held: list[Line], found: list[Line], named: tuple[str, ...]) -> tuple[int, str]:
    if found:
        whose = f"it carries the key of {', '.join(named)}" if named else "no account's key stands out"
        return MARK, f"The text carries a mark; {whose}."
    misfits = [line for line in held if not line.fits]
    if misfits:
        return CANNOT_TELL, f"Cannot tell: {misfits[0].why}"
    scored = max((line.scored for line in held), default=0)
    least = LEAST_SITES if held and held[0].scheme == "surface" else LEAST_SCORED
    if scored < least:
        return CANNOT_TELL, f"Too little text to tell: {scored} scored; give text with {least} or more."
    return NO_MARK, "No mark found."
