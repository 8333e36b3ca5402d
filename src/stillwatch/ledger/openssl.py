"""The second route: the same signatures and timestamps checked by the `openssl` program, and the commands that do it.

In: files of a dossier or a ledger. Out: whether OpenSSL agrees; and the command lines that a stranger types, which
are the ones run here. Without the program everything else still works and says that it was checked once.
Left to `signing`, `stamps`: checking with this package's own libraries.
Source: OpenSSL 3 manual pages `openssl-pkeyutl` and `openssl-ts`.
"""

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

SECONDS: Final = 30.0


def present() -> bool:
    """Return whether there is an `openssl` to ask."""
    return shutil.which("openssl") is not None


def signature_command(key: str, message: str, signature: str) -> tuple[str, ...]:
    """Return the command that checks an Ed25519 signature over a file."""
    return ("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", message, "-sigfile", signature)


def stamp_command(message: str, response: str, roots: str) -> tuple[str, ...]:
    """Return the command that checks a timestamp of a file."""
    return ("openssl", "ts", "-verify", "-data", message, "-in", response, "-CAfile", roots)


def spelt(command: tuple[str, ...]) -> str:
    """Return a command as it is typed."""
    return shlex.join(command)


def holds(command: tuple[str, ...], folder: Path) -> bool:
    """Run a command in a folder and return whether it agrees.

    The environment is emptied, so that no configuration of this machine has a say.
    """
    program = shutil.which(command[0])
    if program is None:
        return False
    try:
        done = subprocess.run(
            (program, *command[1:]), cwd=folder, capture_output=True, timeout=SECONDS, env={"OPENSSL_CONF": "/dev/null"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
