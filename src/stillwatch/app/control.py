"""The control file of a state folder: opened, and its key secret derived.

In: a state folder. Out: `SqliteControl`, and the secret that API keys are hashed under. The secret comes
from the master key and is kept nowhere: who copies the control file alone cannot try keys against it.
Left to `keys`, `accounts`, `decide`, `appeals` in this room: what is done with it.
"""

from pathlib import Path
from typing import Final

from stillwatch.app.loggedcontrol import LoggedControl
from stillwatch.app.state import has_key, master_key
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.control import FILE_NAME, SqliteControl
from stillwatch.store.controlmemory import MemoryControl
from stillwatch.terms.errors import StillwatchError

Book = SqliteControl | MemoryControl
"""Control records that can also be changed several at a time."""

KEY_PURPOSE: Final = "api key"
"""Purpose under which the key secret is derived from the master key."""
CANARY_PURPOSE: Final = "canary"
"""Purpose under which the canary secret is."""
MARK_PURPOSE: Final = "control file"
"""Purpose under which the mark is by which a control file knows its master key again."""


def key_secret(state: Path) -> bytes:
    """Return the 32-byte secret for `terms.account.key_digest`; the same for one master key for ever.

    Raises:
        StillwatchError: the folder cannot be written, or its master key is damaged.
    """
    return KeyRing(master_key(state)).lasting(KEY_PURPOSE)


def canary_secret(state: Path) -> bytes:
    """Return the 32-byte secret that canaries are drawn and committed to under; the same for one master key for ever.

    Raises:
        StillwatchError: the folder cannot be written, or its master key is damaged.
    """
    return KeyRing(master_key(state)).lasting(CANARY_PURPOSE)


def open_control(state: Path, *, new: bool = True) -> SqliteControl:
    """Open the control file of a state folder; close it, or use it with `with`.

    Args:
        state: The state folder.
        new: Make the file where there is none; False refuses instead, for commands that only read.

    Raises:
        StillwatchError: there is none, it is damaged, or keys in it were hashed under a master key that is gone or
            another.
    """
    path = state / FILE_NAME
    if not path.exists() and not new:
        raise StillwatchError(
            f"state folder {state}: has no control file yet. `stillwatch keys create --account NAME` makes it; if it "
            "should be there, name its folder with --state."
        )
    if path.exists() and not has_key(state):
        raise StillwatchError(
            f"state folder {state}: has a control file but no master.key, so none of its API keys can be told. "
            "Put both back with `stillwatch restore`."
        )
    mark = KeyRing(master_key(state)).lasting(MARK_PURPOSE).hex()[:16]
    book = LoggedControl(path, state)
    if not book.belongs_to(mark):
        book.close()
        raise StillwatchError(
            f"state folder {state}: its control file was made under another master.key, so none of its API keys can be "
            "told, and no canary be drawn. Put both back with `stillwatch restore`."
        )
    return book
