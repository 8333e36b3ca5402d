"""An ingest that is killed at any point is whole or absent, and the store opens again."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stillwatch.store.clickhouse import Store
from stillwatch.terms.event import EventArray, empty_events
from stillwatch.terms.ports import SharedQuery, Window

BATCHES, SIZE = 4, 3000
WEEK = 604_800


def batch(number: int) -> EventArray:
    """Return events of two key epochs over four weeks, so that each insert makes several parts."""
    events = empty_events(SIZE)
    index = np.arange(SIZE) + number * SIZE + 1
    events["event_id"], events["epoch"], events["account"] = index, 1 + index % 2, 1 + index % 50
    events["time"] = 1.7e9 + (index % 4) * WEEK
    events["sketch"]["anchors"] = 1 + index[:, None] % 97 + np.arange(16)
    return events


CHILD = """
import os, signal, sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from test_store_kill import BATCHES, batch
from stillwatch.store.clickhouse import Store
from stillwatch.store.engine import Engine

folder, point, nth = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
real, calls = Engine.insert, []

def insert(self, table, rows):
    if table in ("events", "ingests"):
        calls.append(table)
    mine = (table if point.endswith("commit") else len(calls)) == ("ingests" if point.endswith("commit") else nth)
    if mine and point.startswith("before"):
        die()
    real(self, table, rows)
    if mine and point.startswith("after"):
        die()

def batches():
    for number in range(BATCHES):
        if point == "random" and number == 1:
            threading.Timer(nth, die).start()
        yield batch(number)

store = Store.open(folder)
store.ingest("held", [batch(9)], "held")
if point != "never":
    Engine.insert = insert
store.ingest("killed", batches(), "killed")
time.sleep(5 if point == "random" else 0)
"""

POINTS = [("before", 1), ("after", 1), ("after", 3), ("before commit", 0), ("after commit", 0)]
POINTS += [("random", 0.0), ("random", 0.03), ("random", 0.07)]


@pytest.mark.parametrize(("point", "nth"), POINTS)
def test_a_killed_ingest_is_whole_or_absent(tmp_path: Path, point: str, nth: float) -> None:
    arguments = [str(tmp_path / "store"), point, str(nth), str(Path(__file__).parent)]
    child = subprocess.run([sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, timeout=120)
    assert child.returncode == -signal.SIGKILL, child.stderr

    store = Store.open(tmp_path / "store")
    try:
        whole = store.ingested("killed")
        assert whole == (point == "after commit") or point == "random"
        n_events = SIZE * (1 + BATCHES * whole)
        assert sum(store.span(epoch).n_events for epoch in store.epochs()) == n_events
        assert not list((tmp_path / "store" / "spool").iterdir())
        # What was absent can be ingested again, what was whole is not taken twice.
        again = store.ingest("killed", [batch(number) for number in range(BATCHES)], "killed")
        assert again == (0 if whole else BATCHES * SIZE)
        assert sum(store.span(epoch).n_events for epoch in store.epochs()) == SIZE * (1 + BATCHES)
        anchors = store.shared_keys(SharedQuery(window=Window(epoch=1), kinds=("anchor",)))
        assert anchors["requests"].sum() == SIZE * (1 + BATCHES) / 2 * 16
    finally:
        store.close()


def test_an_ingest_that_raises_leaves_nothing_and_the_store_goes_on(tmp_path: Path) -> None:
    def broken() -> object:
        yield batch(0)
        raise RuntimeError("source broke off")

    store = Store.open(tmp_path)
    try:
        with pytest.raises(RuntimeError):
            store.ingest("broken", broken(), "broken")  # type: ignore[arg-type]
        assert store.epochs() == () and not store.ingested("broken")
        assert store.ingest("broken", [batch(0)], "broken") == SIZE
    finally:
        store.close()
