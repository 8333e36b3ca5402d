"""Every store gives the same answers as the in-memory fake, on random events."""

from collections.abc import Iterator

import numpy as np
import pytest

from stillwatch.store import answers
from stillwatch.store.clickhouse import Store
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.event import EVENT_DTYPE, SKETCH_DTYPE, EventArray, empty_events
from stillwatch.terms.ports import KEY_KINDS, SharedQuery, Window

Both = tuple[Store, MemoryStore]

SEEDS = range(3)
WINDOWS = (
    Window(epoch=1),
    Window(epoch=2, start=-3e5, end=9e5, block_seconds=3600.0, fold=0),
    Window(epoch=1, start=0.0, end=1e6, block_seconds=7000.5, fold=1),
    Window(epoch=7),
)


def random_events(seed: int, n: int = 400) -> EventArray:
    """Return events whose every field is drawn, from small pools so that all is shared by some."""
    rng = np.random.default_rng(seed)
    events = empty_events(n)
    for name in EVENT_DTYPE.names or ():
        if name != "sketch" and EVENT_DTYPE[name].kind == "u":
            events[name] = rng.integers(0, 12, n)
    for name in SKETCH_DTYPE.names or ():
        events["sketch"][name] = rng.integers(0, 9, events["sketch"][name].shape)
    # Words of 64 bits, so that a signed or a floating path through the engine would show.
    for name in ("account", "organisation", "network", "payment"):
        events[name] *= np.uint64(0x1FFF_FFFF_FFFF_FFF1)
    events["event_id"] = rng.integers(0, 3 * n, n)
    events["epoch"] = rng.integers(1, 3, n)
    events["time"] = rng.uniform(-1e6, 2e6, n)
    events["tokens_in"] = rng.integers(-1, 2**31 - 1, n)
    events["tokens_out"] = rng.integers(-1, 500, n)
    events["latency"] = rng.uniform(-1, 5, n)
    events["sketch"]["projection"] = rng.integers(-128, 128, (n, 64))
    events["sketch"]["style"] = rng.integers(0, 256, (n, 8))
    events["sketch"]["anchors"] = np.where(rng.random((n, 16)) < 0.3, 0, _distinct_rows(rng, n))
    events["sketch"]["system_anchors"] = np.where(rng.random((n, 8)) < 0.3, 0, _distinct_rows(rng, n)[:, 8:])
    return events


def _distinct_rows(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return anchors that are distinct within a row, as a sketch has them."""
    return np.argsort(rng.random((n, 60)), axis=1)[:, :16].astype(np.uint64) + 2**63


@pytest.fixture(scope="module", params=SEEDS)
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    events = random_events(request.param)
    folder = tmp_path_factory.mktemp("store")
    store = Store.open(folder)
    store.ingest("first", [events[:150], events[150:200]], "a")
    store.ingest("second", [events[200:]], "b")
    yield store, MemoryStore(events)
    store.close()


@pytest.mark.parametrize("window", WINDOWS)
def test_a_rollup_is_the_same(stores: Both, window: Window) -> None:
    store, fake = stores
    np.testing.assert_array_equal(store.rollup(window), fake.rollup(window))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("bounds", [(1, 100, 1), (2, 100, 1), (2, 5, 2), (3, 8, 3)])
def test_shared_keys_are_the_same(stores: Both, window: Window, bounds: tuple[int, int, int]) -> None:
    store, fake = stores
    least, most, requests = bounds
    query = SharedQuery(window=window, min_accounts=least, max_accounts=most, min_requests_per_account=requests)
    np.testing.assert_array_equal(store.shared_keys(query), fake.shared_keys(query))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kind", KEY_KINDS)
def test_carriers_and_popularity_are_the_same(stores: Both, window: Window, kind: str) -> None:
    store, fake = stores
    every = fake.shared_keys(SharedQuery(window=Window(epoch=window.epoch), kinds=(kind,), min_accounts=1))
    keys = np.concatenate([every["key"][::2], np.array([5, 0], np.uint64)])
    np.testing.assert_array_equal(store.carriers(kind, keys, window), fake.carriers(kind, keys, window))
    np.testing.assert_array_equal(store.popularity(kind, keys, window), fake.popularity(kind, keys, window))


@pytest.mark.parametrize("window", WINDOWS)
def test_events_come_back_bit_for_bit(stores: Both, window: Window) -> None:
    store, fake = stores
    accounts = fake.rollup(Window(epoch=window.epoch))["account"][::2]
    assert store.events(accounts, window).tobytes() == fake.events(accounts, window).tobytes()
    assert len(store.events(np.zeros(0, np.uint64), window)) == 0


def test_spans_are_the_same(stores: Both) -> None:
    store, fake = stores
    assert store.epochs() == fake.epochs() == (1, 2)
    assert [store.span(epoch) for epoch in (None, 1, 7)] == [fake.span(epoch) for epoch in (None, 1, 7)]


def test_answers_do_not_depend_on_the_number_of_passes(stores: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    store, fake = stores
    monkeypatch.setattr(answers, "_STATE_BYTES", 3 * store._engine.caps.memory_bytes // 400)
    assert store._passes(store._within(WINDOWS[0]), 1) > 1
    query = SharedQuery(window=WINDOWS[0], kinds=("anchor", "network", "system_anchor"))
    np.testing.assert_array_equal(store.shared_keys(query), fake.shared_keys(query))
    np.testing.assert_array_equal(store.rollup(WINDOWS[0]), fake.rollup(WINDOWS[0]))


def test_events_do_not_depend_on_the_number_of_pieces(stores: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    store, fake = stores
    accounts = fake.rollup(WINDOWS[0])["account"]
    monkeypatch.setattr(answers, "_SORT_COPIES", store._engine.caps.memory_bytes // 40_000)
    assert 2 < store._pieces(accounts, store._within(WINDOWS[0])) <= len(accounts)
    assert store.events(accounts, WINDOWS[0]).tobytes() == fake.events(accounts, WINDOWS[0]).tobytes()
