"""What one person asks for and a second has to agree to: kept, and who said it told from the door it came in by.

In: a proposal. Out: its number. The console writes names that signed in; the shell writes the name that was stated
and, in brackets, the system's user, so that one is never taken for the other. Left to `consolechanges`: agreeing.
"""

import re
from collections.abc import Sequence
from typing import Final

from stillwatch.app.controlnames import check_text
from stillwatch.store.people import People
from stillwatch.terms.account import Decision
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.person import Proposal

_SHELL: Final = re.compile(r" \(shell: [^()]*\)")


def at_shell(stated: str, user: str) -> str:
    """Return who asks for something at the shell: the name that was stated, and the system's user.

    >>> at_shell("ada", "root"), stated_name(at_shell("ada", "root"))
    ('ada (shell: root)', 'ada')
    """
    return f"{stated.strip()} (shell: {user})"


def stated_name(by: str) -> str:
    """Return the name alone."""
    return _SHELL.sub("", by)


def confirmers(decisions: Sequence[Decision]) -> list[str]:
    """Return who confirmed something about an account, seconds included; none of them hears its appeal alone."""
    names = [part for d in decisions if d.verb == "confirm" for part in stated_name(d.by).split(" and ")]
    return list(dict.fromkeys(names))


def propose(people: People, one: Proposal) -> int:
    """Keep a proposal and return its number.

    Raises:
        StillwatchError: it says no reason, or another one on the same subject is open.
    """
    check_text("reason", one.reason, at_most=1000, needed=True)
    there = next((p for p in people.proposals() if (p.kind, p.subject) == (one.kind, one.subject)), None)
    if there is not None:
        raise StillwatchError(
            f"{one.subject}: {there.by} proposed to {there.verb} it already (proposal {there.id}); agree to that "
            "one, or turn it down first."
        )
    return people.propose(one)
