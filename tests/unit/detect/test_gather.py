"""Events fetched in chunks are those fetched at once, in the same order."""

import numpy as np
import pytest

from stillwatch.detect import gather as room
from stillwatch.detect.gather import chunks, gather, put_in_order
from stillwatch.detect.hits import KeyIndex, hit_mask
from stillwatch.detect.population import Population
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.ports import Window
from tests.detect_worlds import World


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    world = World(np.random.default_rng(2))
    world.crowd(60)
    world.campaign(20)
    return MemoryStore(world.events)


def test_chunks_of_whole_accounts_make_the_array_that_one_question_gives(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CHUNK_REQUESTS", 100)
    window = Window(epoch=store.span().epoch)
    people = Population.of(store.rollup(window))
    rows = np.arange(0, len(people.roll), 2)
    parts = list(chunks(store, people, rows, window))
    assert len(parts) > 3
    accounts = [set(part["account"].tolist()) for part in parts]
    assert sum(map(len, accounts)) == len(set.union(*accounts)) == len(rows)
    assert gather(store, people, rows, window).tobytes() == store.events(people.accounts[rows], window).tobytes()
    assert len(gather(store, people, rows[:0], window)) == 0


def test_putting_in_order_is_indexing_by_that_order(store: MemoryStore) -> None:
    events = store.events(store.rollup(Window(epoch=store.span().epoch))["account"], Window(epoch=store.span().epoch))
    for order in (np.arange(len(events)), np.random.default_rng(1).permutation(len(events))):
        wanted = events[order].tobytes()
        moved = events.copy()
        put_in_order(moved, order)
        assert moved.tobytes() == wanted


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_keys_are_found_where_a_search_through_all_events_finds_them(store: MemoryStore, size: int) -> None:
    window = Window(epoch=store.span().epoch)
    events = store.events(store.rollup(window)["account"], window)
    sketch = events["sketch"]
    blocks = [
        {"anchor": np.unique(sketch["anchors"][:3, :2]), "head": sketch["head"][5:6]},
        {"tail": sketch["tail"][:4]},
        {},
    ]
    index = KeyIndex.over((events[i : i + size] for i in range(0, len(events), size)), blocks)
    for keys in blocks:
        assert index.events(keys).tolist() == np.flatnonzero(hit_mask(events, keys)).tolist()
