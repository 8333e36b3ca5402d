"""What was told and has lost its ground here: the confirmation ended, or accounts were released since.

In: the control records, what was published, the time. Out: why, by subject. A person withdraws it or publishes again;
nothing is withdrawn by itself, because a decision that lapsed over a weekend is no finding.
"""

from typing import Final

from stillwatch.app.coalitionpublish import confirmed_decision
from stillwatch.app.control import Book
from stillwatch.exchange.taxii.received import Received
from stillwatch.policy.decisions import in_force
from stillwatch.terms.errors import StillwatchError

ENDED: Final = "is no longer confirmed"
RELEASED: Final = "holds accounts that a person dismissed or released since"


def unsupported(book: Book, received: Received, now: float) -> dict[str, str]:
    """Return by subject why what was told of it should be withdrawn, or told again.

    Args:
        book: The control records.
        received: What was published.
        now: Seconds since 1970.
    """
    found: dict[str, str] = {}
    force = in_force(book.decisions(), now)
    for subject, at in received.told().items():
        try:
            decision, _ = confirmed_decision(book, subject, now)
        except StillwatchError:
            found[subject] = ENDED
            continue
        if any(a in force and force[a].verb != "confirm" and force[a].at > at for a in decision.accounts):
            found[subject] = RELEASED
    return found
