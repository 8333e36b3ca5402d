"""The audit trail's head in the ledger: what stood in the trail when, for whoever does not trust the file's owner.

In: the trail of a control file and the ledger of its state folder, if it has one. Out: one entry of the ledger when the
trail has grown or was put back from a backup; and, when asked, the first of these entries that the trail contradicts.
A restore takes the trail back to where it was, and says so in both: what the ledger told of the part that is gone is
no contradiction then, and everybody can see when the trail was taken back, and to where.
Cost: an append each minute at most, in the console. Left to `ledger`: proofs, checkpoints and timestamps.
"""

import json
from pathlib import Path
from typing import Final

from stillwatch.app.control import open_control
from stillwatch.app.ledger import Listed, find_ledger, list_entries, note
from stillwatch.store.control import FILE_NAME
from stillwatch.store.people import People
from stillwatch.store.trail import START

KIND: Final = "console.trail"
MARK: Final = "ledger"
RESTORED: Final = "console.trail.restored"
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


def say_restored(state: Path, made_at: float, now: float) -> None:
    """End the sessions of a control file that was put back, and say in trail and ledger where the trail goes on.

    Args:
        state: The state folder.
        made_at: When the backup was made, seconds since 1970.
        now: Seconds since 1970.

    Raises:
        StillwatchError: the control file or the ledger cannot be written.
    """
    if not (state / FILE_NAME).is_file():
        return
    with open_control(state, new=False) as book, book.changing():
        people = People(book)
        for person in people.everyone():
            people.end_sessions(person.name)
        number, digest = people.trail_head()
        note(state, RESTORED, {"entries": number, "head": digest})
        people.note("restored from a backup", "control records", json.dumps({"backup_made": made_at}), now)


def restores(state: Path) -> tuple[int, ...]:
    """Return the indices of the ledger's entries that say that the trail was put back from a backup."""
    return tuple(one.index for one in list_entries(state, RESTORED)) if find_ledger(state) is not None else ()


def contradicted(people: People, state: Path) -> int | None:
    """Return the index of the first ledger entry that the trail contradicts; None where there is none, or no ledger."""
    if find_ledger(state) is None:
        return None
    taken_back = [(one.index, _number(one)) for one in list_entries(state, RESTORED)]
    for listed in list_entries(state, KIND):  # of RESTORED too, which is a kind of it
        number = _number(listed)
        if listed.opening is None or any(index > listed.index and number > to for index, to in taken_back):
            continue
        found = people.trail(before=number + 1, limit=1)
        stands = (found[0].number, found[0].digest) if found else (0, START)
        if stands != (number, listed.opening.payload.get("head")):
            return listed.index
    return None


def _number(listed: Listed) -> int:
    return int(str(listed.opening.payload.get("entries"))) if listed.opening is not None else 2**62
