"""Whatever stops the intake, wherever: nothing is lost, nothing is kept twice, and no name is missing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.app import livetake
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.livetake import LiveIntake, reduced
from stillwatch.gateway.segmentfiles import SpoolConfig
from stillwatch.gateway.segments import closed_segments
from stillwatch.gateway.spool import SpoolWriter
from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.clickhouse import Store
from stillwatch.terms.exchange import Exchange, Message
from stillwatch.terms.ports import Window
from tests.served_calls import served_of

KEY = bytes(range(32))
START = 1_767_571_200.0


class Stopped(BaseException):
    """Stands for SIGKILL: nothing in the program may catch it and go on."""


def call(number: int) -> Exchange:
    return Exchange(
        time=START + number, account=f"acct{number % 4}", model="m", endpoint="chat", answer="Ask it.",
        messages=(Message(role="user", text=f"How heavy is stone number {number}?"),),
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store.open(tmp_path_factory.mktemp("store"))
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> LiveFolder:
    return LiveFolder(tmp_path / "state").made()


def intake(store: Any, folder: LiveFolder) -> LiveIntake:
    return LiveIntake.open(store, Reducer(KeyRing(KEY), AddressTable.empty()), folder, KEY)


def fill(folder: LiveFolder, numbers: range, worker: str = "w0") -> None:
    """Leave these calls in the spool, a few to a segment."""
    config = SpoolConfig(write_seconds=0.0, segment_bytes=4096)
    writer = SpoolWriter(folder.spool, KEY, worker, config)
    for number in numbers:
        writer.record(served_of(call(number)))
    writer.close()


def take_all(store: Store, folder: LiveFolder) -> int:
    taking, new = intake(store, folder), 0
    while paths := closed_segments(folder.spool):
        new += taking.take(paths).events
    return new


def held(store: Store, numbers: range) -> list[float]:
    """Return the times of the events held, in the span of these calls."""
    span = (START + numbers[0], START + numbers[-1])
    ring = KeyRing(KEY)
    times: list[float] = []
    for epoch in store.epochs()[-1:]:
        accounts = np.array([ring.for_epoch(epoch).hash("account", f"acct{n}") for n in range(4)], np.uint64)
        times += store.events(accounts, Window(epoch=epoch, start=span[0], end=span[1] + 0.5))["time"].tolist()
    return times


STEPS: tuple[tuple[Any, str], ...] = (
    (livetake, "replace_whole"),
    (livetake, "read_all_served"),
    (Store, "put_names"),
    (Store, "ingest"),
    (Path, "unlink"),
)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS, ids=[name for _, name in STEPS])
def test_a_stop_before_or_after_any_step_loses_nothing_and_doubles_nothing(
    store: Store, folder: LiveFolder, monkeypatch: pytest.MonkeyPatch, step: tuple[Any, str], after: bool
) -> None:
    offset = 1000 * (1 + 2 * STEPS.index(step) + after)
    numbers = range(offset, offset + 60)
    fill(folder, numbers)
    assert len(closed_segments(folder.spool)) > 3
    target, name = step
    real = getattr(target, name)

    def stopping(*given: Any, **more: Any) -> Any:
        if after:
            real(*given, **more)
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(target, name, stopping)
        with pytest.raises(Stopped):
            intake(store, folder).take(closed_segments(folder.spool))
    fill(folder, range(offset + 60, offset + 70), "w1")  # traffic goes on meanwhile
    take_all(store, folder)
    assert held(store, range(offset, offset + 70)) == [START + n for n in range(offset, offset + 70)]
    assert not list(folder.spool.glob("*.seg"))
    assert not (folder.state / "live" / "taking.json").exists()
    epoch = store.epochs()[-1]
    hashes = [KeyRing(KEY).for_epoch(epoch).hash("account", f"acct{n}") for n in range(4)]
    assert sorted(store.names(hashes).values()) == [f"acct{n}" for n in range(4)]


def test_the_same_segment_again_adds_nothing(store: Store, folder: LiveFolder) -> None:
    numbers = range(50_000, 50_020)
    fill(folder, numbers)
    copies = {path.name: path.read_bytes() for path in closed_segments(folder.spool)}
    assert take_all(store, folder) == 2 * 20, "one row an epoch, in the overlap of two"
    for name, content in copies.items():
        (folder.spool / name).write_bytes(content)
    assert take_all(store, folder) == 0
    assert len(held(store, numbers)) == 20


def test_what_cannot_be_opened_is_counted_dropped_and_does_not_stop_the_rest(store: Store, folder: LiveFolder) -> None:
    fill(folder, range(60_000, 60_005))
    other = SpoolWriter(folder.spool, bytes(32), "w9", SpoolConfig())
    other.record(served_of(call(1)))
    other.record(served_of(call(2)))
    other.close()
    (folder.spool / "w8-1-000001.seg").write_bytes(b"garbage")
    took = intake(store, folder).take(closed_segments(folder.spool))
    assert (took.exchanges, took.unreadable, took.torn, took.events) == (5, 2, 1, 2 * 5)
    assert closed_segments(folder.spool) == []


def test_bad_exchanges_are_counted_by_reason(store: Store, folder: LiveFolder) -> None:
    writer = SpoolWriter(folder.spool, KEY, "w0", SpoolConfig())
    writer.record(served_of(call(70_000), time=5.0))
    writer.record(served_of(call(70_001)))
    writer.close()
    taking = intake(store, folder)
    took = taking.take(closed_segments(folder.spool))
    assert took.bad == {"time": 1}
    assert (taking.tally.rows, taking.tally.good, taking.tally.bad) == (2, 1, 1)
    again = intake(store, folder).tally
    assert (again.rows, again.good, again.reasons) == (2, 1, {"time": 1}), "a restart goes on counting"


def test_an_exchange_that_cannot_be_reduced_costs_itself_only(monkeypatch: pytest.MonkeyPatch) -> None:
    reducer = Reducer(KeyRing(KEY), AddressTable.empty())
    real = reducer.reduce_all

    def odd(exchanges: list[Exchange]) -> Any:
        if any(x.account == "acct3" for x in exchanges):
            raise OverflowError("canary")
        return real(exchanges)

    monkeypatch.setattr(reducer, "reduce_all", odd)
    events, kept, failed = reduced(reducer, [call(n) for n in range(8)])
    assert len(events) >= len(kept) == 6
    assert failed == ["exchange: cannot be reduced (OverflowError)"] * 2
