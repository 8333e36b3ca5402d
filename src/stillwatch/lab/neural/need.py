"""Whether torch is there, and what to do where it is not.

In: nothing. Out: the module, on one thread unless more are asked for. Cost: importing torch, some 2 s.
Every module of this room that names torch at its top is imported only after `need_torch`.
"""

import importlib
import importlib.util
from typing import Any

from stillwatch.terms.errors import StillwatchError


def has_torch() -> bool:
    """Return whether torch can be imported, without importing it."""
    return importlib.util.find_spec("torch") is not None


def need_torch(threads: int = 1) -> Any:
    """Return the module torch, set to `threads` threads.

    Raises:
        StillwatchError: torch is not installed.
    """
    if not has_torch():
        raise StillwatchError(
            "torch: is not installed; the lab's neural students and teachers need it.\n"
            "Run `pip install 'stillwatch[lab]'`; the CPU build of torch is enough."
        )
    torch = importlib.import_module("torch")
    torch.set_num_threads(threads)
    return torch
