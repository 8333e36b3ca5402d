"""Two exams against control models: wrong answers in common, and next tokens in common.

In: what teacher, suspect and controls chose on the same items. Out: one outcome each. Controls are models known
not to come from the teacher, asked the same in the same words.
Cost: items squared for the first. Left to `shared`: the tests.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

from stillwatch.forensics.exams.examination import Examination, Need, Outcome, decimal
from stillwatch.forensics.exams.given import Given
from stillwatch.forensics.exams.shared import Agreement, closer_than_all, shared_errors


class ErrorAgreement(Examination):
    """Wrong options in common."""

    name: ClassVar[str] = "error-agreement"
    kind: ClassVar[str] = "errors"
    null: ClassVar[str] = (
        "On items that the teacher gets wrong, given who is wrong too, suspect and controls are exchangeable in which "
        "wrong option they choose, item by item."
    )
    statistic: ClassVar[str] = "items on which the suspect chose the teacher's wrong option, exactly Poisson binomial"
    unit: ClassVar[str] = "items"
    access: ClassVar[str] = "text"
    needs: ClassVar[tuple[Need, ...]] = (Need("choices", "controls", "choices of teacher, suspect and controls"),)
    power: ClassVar[str] = "some hundred items that all get wrong, with five controls or more"
    limits: ClassVar[str] = (
        "Controls of other size or training may err otherwise without any copying; choose them like the suspect."
    )

    def outcomes(self, given: Given) -> Sequence[Outcome]:
        """Return one outcome, see `Examination`."""
        right, teacher, suspect, controls = given.arrays("choices", "right", "teacher", "suspect", "controls")
        return [_told(shared_errors(right, teacher, suspect, controls), given, "items")]


class Provenance(Examination):
    """Next tokens in common."""

    name: ClassVar[str] = "provenance"
    kind: ClassVar[str] = "provenance"
    null: ClassVar[str] = "There is a control that agrees with the teacher at least as often as the suspect does."
    statistic: ClassVar[str] = "paired sign test against each control; the largest p-value"
    unit: ClassVar[str] = "prompts"
    access: ClassVar[str] = "text"
    needs: ClassVar[tuple[Need, ...]] = (Need("choices", "controls", "next tokens of teacher, suspect and controls"),)
    power: ClassVar[str] = "shared weights from some hundred prompts; students by distillation alone often not"
    limits: ClassVar[str] = "Shows that the suspect is nearer than these controls, which is no copying by itself."

    def outcomes(self, given: Given) -> Sequence[Outcome]:
        """Return one outcome, see `Examination`."""
        teacher, suspect, controls = given.arrays("choices", "teacher", "suspect", "controls")
        if len(controls) == 0:
            raise given.bad("choices", "has no control; ask at least one model that is not suspected")
        return [_told(closer_than_all(teacher, suspect, controls), given, "prompts")]


def _told(found: Agreement, given: Given, unit: str) -> Outcome:
    observed = {"agreed": found.agreed, "items": found.items}
    if not math.isnan(found.expected):
        observed["expected"] = decimal(found.expected)  # type: ignore[assignment]
    lacking = given.log_alpha / found.log_p if found.log_p < -1.0 else math.inf
    if lacking <= 1.0:
        power = f"enough: p <= {math.exp(given.log_alpha):.0e} reached with {found.items:,} {unit}"
    elif lacking < 1e3:
        power = f"about {round(found.items * (lacking - 1.0)):,} more {unit} for p <= {math.exp(given.log_alpha):.0e}"
    else:
        power = f"no strength seen to reckon from in {found.items:,} {unit}"
    return Outcome(
        n=found.items, log_p=found.log_p, least_log_p=found.least_log_p, observed=observed, power=power,
        skipped="" if found.items else f"there are no {unit} that count.",
    )  # fmt: skip
