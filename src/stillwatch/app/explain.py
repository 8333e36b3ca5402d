"""Explain one account or campaign: from the last report, and for a name that it leaves out from the scan's store.

In: a report folder, the state folder, a name. Out: text. An account that nothing speaks against stands in no
report; its name is hashed with the state's key and looked up, so that it is told from a name that nobody has.
Cost: one file; for a name that the report leaves out also opening the store, about a second.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stillwatch.app.accountkeys import held_as
from stillwatch.app.report import read_report, store_of
from stillwatch.app.state import has_key, master_key
from stillwatch.console.explain import render_explain, render_unheld
from stillwatch.console.report import Report
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.serve import connect
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.ports import Window


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the store holds of an account."""

    epoch: int
    requests: int
    first: float
    """Seconds since 1970, likewise below."""
    last: float


def explain(out: Path, state: Path, entity: str, width: int) -> str:
    """Return what the last scan says of `entity`: an account as the input names it, or a campaign's id.

    Raises:
        StillwatchError: there is no report, or nothing in the scan has that name.
    """
    report = read_report(out)
    try:
        return render_explain(report, entity, width)
    except StillwatchError:
        seen = look_up(out, state, entity, report)
        if seen is None:
            raise
    judged = seen.epoch == report.verdicts.figures.get("epoch")
    return render_unheld(entity, seen.requests, (seen.first, seen.last), judged=judged, width=width)


def look_up(out: Path, state: Path, name: str, report: Report) -> Sighting | None:
    """Return what the scan's store holds of an account by its name in the input; None where it is not there.

    Raises:
        StoreBusy: another process holds the store and does not answer.
    """
    folder = store_of(out, state)
    if folder is None or not name or not has_key(state):
        return None
    ring = KeyRing(master_key(state))
    main = report.verdicts.figures.get("epoch")
    store = connect(folder)
    try:
        for epoch in sorted(store.epochs(), key=lambda epoch: (epoch != main, -epoch)):
            for account in held_as(state, ring.for_epoch(epoch), name):
                if store.names([account]).get(account) != name:
                    continue
                times = store.events(np.array([account], np.uint64), Window(epoch=epoch))["time"]
                if len(times):
                    return Sighting(epoch, len(times), float(times[0]), float(times[-1]))
    finally:
        store.close()
    return None
