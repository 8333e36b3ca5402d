"""Rights: what each role may do, in one table.

In: a role and what is to be done. Out: yes or no. Left to `app`: what two people have to agree on, whatever their role.
"""

from collections.abc import Mapping
from typing import Final

from stillwatch.terms.person import ROLES

RIGHTS: Final[Mapping[str, str]] = {
    "look": "viewer",
    "try_policy": "analyst",
    "decide": "analyst",
    "open_appeal": "analyst",
    "second": "approver",
    "answer_appeal": "approver",
    "people": "admin",
}
"""What may be done -> the least role for it."""
MEANING: Final[Mapping[str, str]] = {
    "look": "see every page",
    "try_policy": "try rules on the last week",
    "decide": "confirm, dismiss, step up or release a verdict, or propose it where two people are needed",
    "open_appeal": "write down an appeal",
    "second": "agree as the second person, or turn down",
    "answer_appeal": "answer an appeal",
    "people": "add and disable people, change roles, make and end tokens",
}


def may(role: str, right: str) -> bool:
    """Return whether a role has a right.

    >>> may("viewer", "look"), may("viewer", "decide"), may("admin", "decide"), may("nobody", "look")
    (True, False, True, False)
    """
    return role in ROLES and ROLES.index(role) >= ROLES.index(RIGHTS[right])


def rights_of(role: str) -> list[str]:
    """Return all that a role may do."""
    return [right for right in RIGHTS if may(role, right)]
