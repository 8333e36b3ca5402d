"""How a process treats answers: secrets and settings of treatments, put together.

In: the state folder and the settings. Out: a `Treater`. Left to `gateway.treater`: beginning treatments.
"""

from collections.abc import Callable
from pathlib import Path

from stillwatch.app.control import canary_secret
from stillwatch.app.markring import MarkKeys
from stillwatch.app.settings import Settings
from stillwatch.app.state import master_key
from stillwatch.gateway.canaryshelf import CanaryShelf
from stillwatch.gateway.treater import Marking, Treater
from stillwatch.sketch.keys import KeyRing
from stillwatch.terms.canary import CanaryRecord


def treater_of(
    state: Path, settings: Settings, name: str, canaries: Callable[[str], tuple[CanaryRecord, ...]]
) -> Treater:
    """Return who treats the answers of one process.

    Args:
        state: The state folder.
        settings: Of these `[treatments]` and `[mark]` count.
        name: Of the process, such as `w0`; no two at work on one state folder share it.
        canaries: Returns the canaries of an account as the process has read them; `MemoryDesk.canaries`.
    """
    return Treater(
        KeyRing(master_key(state)).lasting("treatment"),
        settings.treatments.for_one_of(settings.serve.workers),
        marking=Marking(MarkKeys(state, settings.mark.order_seconds, name), settings.mark.endpoints),
        canaries=CanaryShelf(canaries, canary_secret(state)).of,
    )
