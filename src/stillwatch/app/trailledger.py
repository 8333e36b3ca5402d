"""The audit trail's head in the ledger: what stood in the trail when, for whoever does not trust the file's owner.

In: the trail of a control file and the ledger of its state folder, if it has one. Out: one entry of the ledger when the
trail has grown; and, when asked, the first of these entries that the trail contradicts.
Cost: an append each minute at most, in the console. Left to `ledger`: proofs, checkpoints and timestamps.
"""

from pathlib import Path
from typing import Final

from stillwatch.app.ledger import find_ledger, list_entries, note
from stillwatch.store.people import People

KIND: Final = "console.trail"
MARK: Final = "ledger"
_UP_TO: Final = "ledger up to"


def commit_trail(people: People, state: Path) -> int | None:
    """Append the trail's head to the ledger where it has grown; return the ledger's index, None for nothing to do.

    Raises:
        StillwatchError: the ledger cannot be written, or was altered.
    """
    if find_ledger(state) is None:
        return None
    number, digest = people.trail_head()
    if number == 0 or number <= int(people.mark(_UP_TO) or 0):
        return None
    index = note(state, KIND, {"entries": number, "head": digest})
    people.put_mark(_UP_TO, str(number))
    people.put_mark(MARK, f"entry {index}, up to change {number}")
    return index


def contradicted(people: People, state: Path) -> int | None:
    """Return the index of the first ledger entry that the trail contradicts; None where there is none, or no ledger."""
    if find_ledger(state) is None:
        return None
    for listed in list_entries(state, KIND):
        if listed.opening is None:
            continue
        said = listed.opening.payload
        number, digest = said.get("entries"), said.get("head")
        found = people.trail(before=int(str(number)) + 1, limit=1)
        if not found or (found[0].number, found[0].digest) != (number, digest):
            return listed.index
    return None
