"""Canaries on a suspect: opened values held against what it answers, one outcome a subject.

In: answers by probe, opened canaries. Out: outcomes. Cost: milliseconds.
Left to `forensics.canaries`: the exact tests and their controls.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import ClassVar

from stillwatch.forensics.canaries import UNFIT, Answered, CanaryReading, read_subject
from stillwatch.forensics.exams.examination import Examination, Need, Outcome, decimal
from stillwatch.forensics.exams.given import Given
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.reveal import Reveal
from stillwatch.treatments.canaries import Canary
from stillwatch.treatments.canaries.table import template


class CanaryExam(Examination):
    """Does the suspect show the values that were drawn?"""

    name: ClassVar[str] = "canary"
    kind: ClassVar[str] = "canary"
    null: ClassVar[str] = (
        "The suspect's answers do not depend on which of a canary's alternatives was drawn, so that it shows the drawn "
        "one with chance 1/k, or ranks it uniformly."
    )
    statistic: ClassVar[str] = "canaries hit, or the sum of ranks of the drawn values; exact; the lower p-value doubled"
    unit: ClassVar[str] = "canaries shown or ranked"
    access: ClassVar[str] = "text"
    needs: ClassVar[tuple[Need, ...]] = (
        Need("answers", "transcript", "answers of the suspect to the probes"),
        Need("openings", "reveal", "opened canaries"),
    )
    power: ClassVar[str] = "12 hits of 20 among 10 alternatives give 6e-8; 32 first ranks among 16 give 1e-38"
    limits: ClassVar[str] = "Needs canaries that were planted, under a confirmed verdict, in answers it learned from."

    def outcomes(self, given: Given) -> Sequence[Outcome]:
        """Return one outcome a subject, see `Examination`."""
        answers = _answers(given)
        subjects: dict[str, list[Canary]] = defaultdict(list)
        for one in given.reveals("openings"):
            subjects[str(one.facts.get("subject", ""))].append(_canary(given, one))
        return [_told(given, read_subject(name, held, answers)) for name, held in sorted(subjects.items())]


def _canary(given: Given, reveal: Reveal) -> Canary:
    try:
        named = reveal.facts["alternatives"]
        index = int(str(reveal.facts["index"]))
        form = template(str(reveal.facts["template"]))
    except (KeyError, ValueError, StillwatchError):
        raise given.bad("openings", f"{reveal.item.id} must have `template`, `alternatives` and `index`") from None
    alternatives = tuple(str(one) for one in named) if isinstance(named, list | tuple) else ()
    if not 0 <= index < len(alternatives):
        raise given.bad("openings", f"{reveal.item.id} has an index outside its alternatives")
    return Canary(id=reveal.item.id, template=form, alternatives=alternatives, index=index)


def _answers(given: Given) -> Mapping[str, Answered]:
    texts: dict[str, list[str]] = defaultdict(list)
    logs: dict[str, dict[str, float]] = defaultdict(dict)
    for number, line in enumerate(given.raw("answers").splitlines(), 1):
        try:
            row = json.loads(line)
            probe = str(row["probe"])
            if "answer" in row:
                texts[probe].append(str(row["answer"]))
            logs[probe].update({str(k): float(v) for k, v in row.get("log_p", {}).items()})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise given.bad("answers", f"line {number} must have `probe`, and `answer` or `log_p`") from None
    return {name: Answered(texts=tuple(texts[name]), log_p=logs[name]) for name in {*texts, *logs}}


def _told(given: Given, reading: CanaryReading) -> Outcome:
    strength = given.log_alpha / reading.log_p if reading.log_p < -1.0 else math.inf
    asked = max(reading.trials, reading.ranked)
    if strength <= 1.0:
        power = f"enough: p <= {math.exp(given.log_alpha):.0e} reached with {asked} canaries"
    elif strength < 1e3:
        power = f"about {math.ceil(asked * (strength - 1.0))} more canaries for p <= {math.exp(given.log_alpha):.0e}"
    else:
        power = f"no strength seen to reckon from in {asked} canaries"
    why = "" if reading.fits else f"{reading.why} (below {math.exp(UNFIT):g})."
    return Outcome(
        subject=reading.subject or "suspect", n=asked, log_p=reading.log_p, least_log_p=reading.least_log_p,
        observed={
            "canaries": reading.canaries, "shown": reading.trials, "hits": reading.hits,
            "expected": decimal(reading.expected), "ranked": reading.ranked, "rank sum": reading.rank_sum,
            "hits had other values been drawn": reading.control_hits,
        },
        power=power, skipped=why or ("" if asked else "the suspect shows no alternative of any canary."),
    )  # fmt: skip
