"""Step-up: the least that an account can prove to clear the evidence against it.

In: the edge families that tie it to others, and what it proved already. Out: one thing to ask for, or none.
Left to a person: checking the proof (`stillwatch accounts verify`).
"""

from typing import Final

ASKS: Final = ("contact", "payment", "workload", "organisation")
"""What can be asked for, least first; a verified organisation clears every family."""
_CLEARED_BY: Final = {
    "payment": "payment",
    "network": "contact",
    "client": "contact",
    "timing": "contact",
    "content": "workload",
    "work": "workload",
}


def least_ask(families: tuple[str, ...], verified: tuple[str, ...]) -> str:
    """Return what to ask for; empty when all that would clear the evidence is proved already.

    Args:
        families: Edge families of the verdict; none known asks for the organisation.
        verified: Among `ASKS`.

    >>> least_ask(("network", "client"), ())
    'contact'
    >>> least_ask(("payment", "content"), ())
    'organisation'
    >>> least_ask(("payment", "content"), ("payment",))
    'workload'
    >>> least_ask(("payment",), ("payment",))
    ''
    """
    if "organisation" in verified:
        return ""
    clears = {_CLEARED_BY.get(family, "organisation") for family in families} or {"organisation"}
    left = clears.difference(verified)
    if not left:
        return ""
    return left.pop() if len(left) == 1 else "organisation"
