"""What a state folder keeps beside the control file, in a backup: a hub's file, a notary's members, pages, own words.

In: a state folder, the draft of a backup. Out: whole copies taken while the files are used, and counts of what is in
them. Left out, since a copy would outlive what must go: a notary's seeds, tokens of accounts, what other members told.
Left to `backup` and `restore`: the rest.
"""

from contextlib import closing
from pathlib import Path
from typing import Final

from stillwatch.app.coalitionmember import open_received
from stillwatch.app.state import has_key
from stillwatch.exchange.notary.keyroom import IDENTITY
from stillwatch.exchange.taxii.hubfile import FILE_NAME as HUB
from stillwatch.exchange.taxii.received import FILE_NAME as RECEIVED
from stillwatch.store.control import FILE_NAME as CONTROL
from stillwatch.store.databasecopy import copy_database, count_rows, is_open_elsewhere
from stillwatch.terms.errors import StillwatchError

MEMBERS: Final = "members.sqlite"
PAGES: Final = "live/pages.sqlite"
_COPIED: Final = (HUB, MEMBERS, PAGES)
_COUNTED: Final = ((HUB, "members", "members of the hub"), (HUB, "objects", "objects of the hub"),
                   (MEMBERS, "members", "members of the notary"))  # fmt: skip
SECRETS: Final = ("master.key", IDENTITY)
"""A state folder has one of these, or is none; put back last."""
DATABASES: Final = (CONTROL, HUB, MEMBERS, RECEIVED, PAGES)
"""SQLite files that a backup can hold."""


def has_secret(state: Path) -> bool:
    """Return whether there is anything to back up: the master key of a gateway or hub, or a notary's identity."""
    return has_key(state) or (state / IDENTITY).is_file()


def copy_others(state: Path, draft: Path) -> dict[str, int]:
    """Write the copies into a draft that has a folder `live`; return what is in them, by what it is called.

    Raises:
        StillwatchError: a file is damaged.
        OSError: the disk refuses.
    """
    for name in _COPIED:
        if (state / name).is_file():
            copy_database(state / name, draft / name)
    counts = {told: count_rows(draft / name, table) for name, table, told in _COUNTED if (draft / name).is_file()}
    if (state / RECEIVED).is_file():
        with closing(open_received(state)) as received:
            counts["objects told to a hub"] = received.copy_own_to(draft / RECEIVED)
    return counts


def check_unused(state: Path) -> None:
    """Refuse where a process has a file open that a backup would take the place of.

    Raises:
        StillwatchError: one has.
    """
    for name in DATABASES:
        if (state / name).is_file() and is_open_elsewhere(state / name):
            raise StillwatchError(
                f"state folder {state}: a process still uses {name}; stop it (`stillwatch serve`, `console serve`, "
                "`coalition serve`, `notary serve`), then restore again."
            )
