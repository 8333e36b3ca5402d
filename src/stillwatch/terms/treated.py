"""Treatments by name: under which action each may be used, what it costs in kind, and what must be said of it.

In: nothing. Out: `TREATED`, which `policy` checks rules against and `treatments` carries out; neither imports
the other, so the names stand here. A conformance test holds the catalogue of treatments equal to it.
"""

from dataclasses import dataclass
from typing import Final

from stillwatch.terms.action import ACTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Treated:
    """What policy has to know of one treatment."""

    name: str
    least: str
    """Mildest action that may carry it; one of `terms.action.ACTIONS`."""
    lowers_quality: bool
    """What is given may be worse for it, not merely less: a rule that bites needs somebody who approved it."""
    disclosure: str
    """What the provider owes its customers in words, where a rule that bites uses it; empty when nothing."""
    alters_text: bool = False
    """The gateway itself changes words of answers; all others leave the text as the upstream gave it."""


_WORDING: Final = (
    "Answers to some accounts carry a statistical mark in the choice of words, by which their origin can be shown."
)
_LESS: Final = "Some accounts get answers without token probabilities or without visible reasoning."

_FREE: Final = (
    "In answers to some accounts, choices that mean nothing, such as an invented person's name, a number in a made-up "
    "example or the order of items without one, are made so that copies of the model can be recognised."
)

_ERRORS: Final = "Some accounts get token probabilities, embeddings and scores with deliberate errors."
_NOISE: Final = "Some accounts get token probabilities, embeddings and scores with random noise, or none."
_WEAKER: Final = (
    "Answers to some accounts are drawn with the help of a weaker model, may be worse for it, and carry a statistical "
    "mark."
)

TREATED: Final = tuple(
    Treated(name=name, least=least, lowers_quality=lowers, disclosure=said, alters_text=name in ("surface", "canary"))
    for name, least, lowers, said in (
        ("watermark", "mark", True, _WORDING),
        ("surface", "mark", False, _WORDING),
        ("withhold", "coarsen", False, _LESS),
        ("round", "coarsen", False, "Some accounts get token probabilities in coarse steps."),
        ("perturb", "perturb", True, "Some accounts get token probabilities with deliberate errors."),
        ("canary", "perturb", True, _FREE),
        ("logprobs", "coarsen", False, "Some accounts get fewer token probabilities, or none."),
        ("reasoning_strip", "coarsen", False, "Some accounts get answers without visible reasoning."),
        ("reasoning_summary", "coarsen", False, "Some accounts see a shortened summary in place of reasoning."),
        ("reasoning_conclusion", "coarsen", True, "Some accounts see reasoning shortened and in another order."),
        ("dose", "perturb", True, _ERRORS),
        ("privacy", "perturb", True, _NOISE),
        ("experts", "perturb", True, _WEAKER),
    )
)
"""Every treatment, mildest first."""

USUAL: Final = {"coarsen": ("withhold",), "perturb": ("perturb",)}
"""What an action does where its rule names nothing. `mark` then only puts the account down: words are never
touched unless a rule says so."""

CARRIERS: Final = ("mark", "slow", "coarsen", "perturb")
"""Actions that can carry treatments: the caller gets an answer."""


def treatments_for(action: str) -> tuple[str, ...]:
    """Return the names that a rule with this action may use, its usual one first; empty when it can carry none.

    >>> treatments_for("coarsen")[0], treatments_for("refuse")
    ('withhold', ())
    """
    if action not in CARRIERS:
        return ()
    rank = ACTIONS.index(action)
    may = [entry for entry in TREATED if ACTIONS.index(entry.least) <= rank]
    own = [entry.name for entry in may if entry.least == action]
    return (*own, *(entry.name for entry in may if entry.least != action))


def usual(action: str) -> tuple[str, ...]:
    """Return what an action does where its rule names nothing."""
    return USUAL.get(action, ())


def facts_of(name: str) -> Treated:
    """Return what policy has to know of a treatment.

    Raises:
        KeyError: there is none of that name.
    """
    for entry in TREATED:
        if entry.name == name:
            return entry
    raise KeyError(name)
