"""The served-context index promises: nothing served is lost, whatever stops; a filter by it lies about nobody."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.store import servedindex
from stillwatch.store.servedindex import ServedIndex, ServedPart
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.green import green_bits
from stillwatch.treatments.marks.prf import ContextHash, ContextTable, seeds
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.served import WHOLE, ServedContexts, served_contexts

EPOCH = Epoch(number=1, secret=bytes(range(32)), made=0.0, width=2)
TAG, OTHER = b"a" * 16, b"b" * 16
u64 = st.integers(0, WHOLE - 1)


def digests(*numbers: int) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    return np.array(numbers, np.uint64)


@pytest.mark.parametrize("width", [1, 2])
def test_contexts_are_those_of_the_engine_and_none_reaches_into_the_prompt(width: int) -> None:
    epoch = Epoch(number=1, secret=bytes(32), made=0.0, width=width)
    tokens = np.array([5, 3, 5, 3, 9], np.int64)
    one = ContextHash.of(epoch)
    expected = {one.digest(tokens[:at].tolist()) for at in range(width, len(tokens))}
    table = ContextTable.of(epoch, 10)
    assert set(served_contexts(table, tokens).tolist()) == expected
    assert len(served_contexts(table, tokens[:width])) == 0
    assert len(served_contexts(table, np.array([1, 2, 99, 3], np.int64))) == (1 if width == 2 else 2), "99 is unknown"


@given(parts=st.lists(st.lists(u64, max_size=30), max_size=6), most=st.integers(1, 40), order=st.randoms())
def test_merging_is_the_same_in_any_order_and_never_passes_the_bound(
    parts: list[list[int]], most: int, order: object
) -> None:
    def merged(lists: list[list[int]]) -> ServedContexts:
        found = ServedContexts.none()
        for one in lists:
            found = found.merged(digests(*one), most)
        return found

    shuffled = list(parts)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = merged(parts), merged(shuffled)
    every = sorted({value for part in parts for value in part})
    assert one.digests.tolist() == other.digests.tolist() == every[:most]
    assert one.below == other.below == (every[most] if len(every) > most else WHOLE)
    assert one.knows(digests(*every)).tolist() == [value < one.below for value in every]


def test_the_sample_estimates_how_many_were_served() -> None:
    served = ServedContexts.none()
    values = np.random.default_rng(5).integers(0, WHOLE - 1, 200_000, dtype=np.uint64, endpoint=True)
    for part in np.split(values, 20):
        served = served.merged(part, 10_000)
    assert len(served) == 10_000
    assert abs(served.estimate / 200_000 - 1.0) < 4 / np.sqrt(10_000)


def test_what_was_added_is_there_after_a_stop_before_and_after_folding(tmp_path: Path) -> None:
    index = ServedIndex(tmp_path)
    index.add([ServedPart(1, TAG, digests(3, 1)), ServedPart(2, TAG, digests(7)), ServedPart(1, OTHER, digests(9))])
    assert ServedIndex(tmp_path).load(1, TAG).digests.tolist() == [1, 3]
    index.fold()
    index.add([ServedPart(1, TAG, digests(2, 3))])
    again = ServedIndex(tmp_path)
    assert again.load(1, TAG).digests.tolist() == [1, 2, 3]
    assert again.load(2, TAG).digests.tolist() == [7] and len(again.load(2, OTHER)) == 0
    again.forget(1, TAG)
    assert len(again.load(1, TAG)) == 0
    assert again.load(1, OTHER).digests.tolist() == [9]


@settings(max_examples=30)
@given(cut=st.integers(0, 400))
def test_a_log_cut_anywhere_gives_what_is_whole_and_goes_on(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("served")
    for n in range(8):
        ServedIndex(folder).add([ServedPart(1, TAG, digests(n, n + 100))])
    log = folder / "new.log"
    log.write_bytes(log.read_bytes()[:cut])
    whole = [n for n in range(8) if (n + 1) * 44 <= cut]
    assert ServedIndex(folder).load(1, TAG).digests.tolist() == sorted([*whole, *(n + 100 for n in whole)])
    again = ServedIndex(folder)
    again.add([ServedPart(1, TAG, digests(55))])
    again.fold()
    assert 55 in again.load(1, TAG).digests.tolist() and len(again.load(1, TAG)) == 2 * len(whole) + 1


def test_a_stop_in_the_middle_of_a_fold_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = ServedIndex(tmp_path)
    parts = [ServedPart(1, bytes([n]) * 16, digests(n, n + 50)) for n in range(6)]
    index.add(parts)
    real, calls = servedindex._replace, []

    def stopping(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) > 3:
            raise KeyboardInterrupt
        real(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(servedindex, "_replace", stopping)
        with pytest.raises(KeyboardInterrupt):
            index.fold()
    again = ServedIndex(tmp_path)
    for _ in range(2):
        assert [again.load(1, part.tag).digests.tolist() for part in parts] == [[n, n + 50] for n in range(6)]
        again.fold()
    assert os.path.getsize(tmp_path / "new.log") == 0


def test_a_full_index_says_so_and_a_damaged_file_is_told(tmp_path: Path) -> None:
    index = ServedIndex(tmp_path, max_bytes=100)
    assert index.add([ServedPart(1, TAG, np.arange(50, dtype=np.uint64))]) == 0
    index.fold()
    assert index.add([ServedPart(1, TAG, digests(7)), ServedPart(1, OTHER, digests(7))]) == 2
    (path,) = tmp_path.glob("1/*.ctx")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StillwatchError, match="damaged"):
        ServedIndex(tmp_path).load(1, TAG)


def test_choosing_by_context_leaves_an_innocent_student_innocent_and_by_pair_does_not() -> None:
    """An innocent student and the marked teacher share a base model; only the teacher's draws prefer green tokens."""
    rng = np.random.default_rng(20)
    epoch, vocab, n = Epoch(number=1, secret=bytes(range(32)), made=0.0, width=1), 400, 60_000
    table, key = ContextTable.of(epoch, vocab), epoch.provider_key()
    base = rng.dirichlet(np.full(vocab, 0.05), vocab)  # the next token, given the last
    every = np.arange(vocab)
    context = seeds(table.digests(every), np.uint64(key.a), np.uint64(key.b))
    green = green_bits(np.repeat(context, vocab), np.tile(every, vocab)).reshape(vocab, vocab)
    tilted = base * np.exp(2.0 * green)
    tilted /= tilted.sum(1, keepdims=True)

    def walk(
        model: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
    ) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        steps, at, out = model.cumsum(1), 0, []
        for chance in rng.random(n):
            at = min(int(np.searchsorted(steps[at], chance)), vocab - 1)
            out.append(at)
        return np.array(out, np.int64)

    teacher, innocent = walk(tilted)[:3_000], walk(base)
    served = ServedContexts.none().merged(served_contexts(table, teacher), 1_000_000)
    before, token = innocent[:-1], innocent[1:]
    pairs = np.unique(before * vocab + token)  # each (context, token) once
    contexts, tokens = pairs // vocab, pairs % vocab
    known = served.knows(table.digests(contexts))
    hits, scored = int(green[contexts, tokens][known].sum()), int(known.sum())
    assert scored > 1_000
    assert abs(hits / scored - 0.5) < 4 * 0.5 / np.sqrt(scored)
    taught = np.isin(pairs, teacher[:-1] * vocab + teacher[1:])
    assert green[contexts, tokens][taught].mean() > 0.6
