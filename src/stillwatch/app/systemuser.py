"""Who runs a command, as the system knows it, whatever the environment says.

In: the process. Out: the name of the user it runs as and, where the system keeps it, of who signed in to the machine
before `su` or `sudo`. Left to `terms.person`: the trail's actor.
Source: Linux keeps the sign-in's user in /proc/self/loginuid; a process without CAP_AUDIT_CONTROL cannot change it.
"""

import os
import pwd
from contextlib import suppress
from pathlib import Path
from typing import Final

_LOGIN: Final = Path("/proc/self/loginuid")
_UNSET: Final = 2**32 - 1


def system_user(login: Path = _LOGIN) -> str:
    """Return the user's name, and who signed in where that is somebody else.

    Args:
        login: File that holds the number of whoever signed in, 4294967295 for nobody.
    """
    own = os.getuid()
    with suppress(OSError, ValueError):
        first = int(login.read_text(encoding="ascii"))
        if first not in (own, _UNSET):
            return f"{_name(own)}, signed in as {_name(first)}"
    return _name(own)


def _name(number: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return f"number {number}"
