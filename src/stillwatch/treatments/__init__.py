"""Treatments: from an action to a changed request and answer; off unless an action orders one."""

from stillwatch.terms.action import Action
from stillwatch.terms.catalog import Catalog
from stillwatch.treatments.perturb import Perturb
from stillwatch.treatments.round import Round
from stillwatch.treatments.treatment import Treatment, TreatmentKind
from stillwatch.treatments.withhold import Withhold

TREATMENTS: Catalog[TreatmentKind] = Catalog("treatment", Withhold(), Round(), Perturb())
"""Every treatment; the first one that carries out an action is its usual one."""


def for_action(action: Action, key: bytes, request_id: str) -> Treatment | None:
    """Return the treatment that an action orders; None when it orders none, or only for the record.

    Args:
        action: What policy ordered.
        key: Secret of keyed treatments; the same for every worker, and for as long as errors must not average out.
        request_id: Of the request.

    Raises:
        StillwatchError: the action names a treatment that does not exist.
    """
    if not action.bites:
        return None
    if action.treatment:
        named = TREATMENTS.get(action.treatment)
        return named.begin(key, request_id) if action.kind in named.actions else None
    usual = next((kind for kind in TREATMENTS if action.kind in kind.actions), None)
    return usual.begin(key, request_id) if usual is not None else None


__all__ = ["TREATMENTS", "Treatment", "TreatmentKind", "for_action"]
