"""Treatments: from an action to a changed request and answer; off unless an action orders one."""

from stillwatch.terms.action import Action
from stillwatch.terms.catalog import Catalog
from stillwatch.terms.treated import treatments_for
from stillwatch.treatments.canary import Canary
from stillwatch.treatments.chain import Chain
from stillwatch.treatments.dose import Dose
from stillwatch.treatments.experts import Experts
from stillwatch.treatments.logprobpolicy import Logprobs
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.perturb import Perturb
from stillwatch.treatments.privacy import Privacy
from stillwatch.treatments.reasoning import conclude, strip, summarise
from stillwatch.treatments.round import Round
from stillwatch.treatments.surface import Surface
from stillwatch.treatments.treatment import Treatment, TreatmentKind
from stillwatch.treatments.watermark import Watermark
from stillwatch.treatments.withhold import Withhold

TREATMENTS: Catalog[TreatmentKind] = Catalog(
    "treatment", Watermark(), Surface(), Withhold(), Round(), Perturb(), Canary(),
    Logprobs(), strip(), summarise(), conclude(), Dose(), Privacy(), Experts(),
)  # fmt: skip
"""Every treatment; what `terms.treated` says of them is held equal to it by a test."""


def for_action(action: Action, occasion: Occasion) -> Treatment | None:
    """Return the treatment that an action orders; None when it orders none, or only for the record.

    Args:
        action: What policy ordered.
        occasion: The request that it is ordered for.

    Raises:
        StillwatchError: the action names a treatment that does not exist, or that it must not carry.
    """
    if not action.bites or not action.treatments:
        return None
    may = treatments_for(action.kind)
    kinds = [TREATMENTS.get(name) for name in action.treatments]
    begun = [one for kind in kinds if kind.name in may and (one := kind.begin(occasion)) is not None]
    return begun[0] if len(begun) == 1 else Chain(tuple(begun)) if begun else None


__all__ = ["TREATMENTS", "Chain", "Occasion", "Treatment", "TreatmentKind", "for_action"]
