"""The inverse of a mark: what it finds by a good reference, what it leaves alone, what it does to a harvest."""

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lab.inverse import STRENGTH, Chances, graded, stepped, targeted
from stillwatch.lab.markedrows import GreenRows
from stillwatch.lab.wordteacher import FloatArray, IntArray, WordTeacher
from stillwatch.treatments.marks.green import green_bits
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.prf import ContextTable, seeds
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import keys_for

VOCAB = 64
EPOCH = Epoch(number=1, secret=bytes(range(32)), made=0.0, width=1, shares=(1.0, 0.0, 0.0), delta=2.0, vocab=VOCAB)


@cache
def teachers() -> tuple[WordTeacher, WordTeacher]:
    """Return a teacher and a stranger, of random texts with a rhythm of their own."""
    rng = np.random.default_rng(4)
    texts = [np.cumsum(rng.geometric(share, 20_000)) % (VOCAB - 1) + 1 for share in (0.1, 0.15)]
    return WordTeacher.of(texts[0], VOCAB), WordTeacher.of(texts[1], VOCAB)


def harvest(*, marked: bool, seed: int) -> IntArray:
    order = MarkOrder(epoch=1, account=b"", until=1e12)
    hook = GreenRows(EPOCH, [order] * 500, VOCAB) if marked else None
    return teachers()[0].sample(500, 100, np.random.default_rng(seed), hook=hook)


def signs() -> FloatArray:
    """Return +1 where a token is green after a token, -1 elsewhere, shape (VOCAB, VOCAB)."""
    key = keys_for(EPOCH).provider
    digests = ContextTable.of(EPOCH, VOCAB).digests(np.arange(VOCAB))
    seed = seeds(digests, np.array([key.a], np.uint64), np.array([key.b], np.uint64))
    green = green_bits(seed[:, None], np.arange(VOCAB)[None, :])
    return np.where(green, 1.0, -1.0).astype(np.float32)


def lean(texts: IntArray) -> float:
    """Return the mean sign of a text's pairs."""
    return float(signs()[texts[:, :-1], texts[:, 1:]].mean())


def table() -> FloatArray:
    reference = Chances.counted(harvest(marked=False, seed=1), VOCAB)
    return graded(reference, Chances.counted(harvest(marked=True, seed=2), VOCAB))


def test_with_the_teachers_own_unmarked_text_the_inverse_is_the_mark() -> None:
    often = Chances.counted(harvest(marked=True, seed=2), VOCAB).total > 30
    assert often.sum() > 300
    assert (np.sign(table()[often]) == signs()[often]).mean() > 0.95


def test_taken_from_the_teachers_logits_it_takes_the_mark_back() -> None:
    taken = table()

    def less(logits: FloatArray, said: IntArray, rows: IntArray) -> None:
        GreenRows(EPOCH, [MarkOrder(epoch=1, account=b"", until=1e12)] * 500, VOCAB)(logits, said, rows)
        if said.shape[1]:
            logits -= taken[said[:, -1]]

    marked = lean(harvest(marked=True, seed=3))
    back = lean(teachers()[0].sample(500, 100, np.random.default_rng(3), hook=less))
    assert marked > 0.3 and abs(back) < 0.3 * marked


@given(share=st.floats(0.0, 1.0), delta=st.floats(0.1, 4.0), seed=st.integers(0, 99))
def test_no_more_is_taken_than_a_mark_can_have_done(share: float, delta: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = (Chances(total, total.sum(axis=1)) for total in rng.gamma(0.5, 20.0, (2, 8, 8)))
    found = graded(before, after, share=share, delta=delta)
    middle = math.log((1.0 + math.exp(delta)) / 2.0)
    assert found.min() >= -share * middle - 1e-6 and found.max() <= share * (delta - middle) + 1e-6


@pytest.mark.parametrize("way", [graded, stepped])
def test_of_a_model_that_did_not_change_nothing_is_taken(way: object) -> None:
    same = Chances.counted(harvest(marked=False, seed=1), VOCAB)
    assert np.abs(way(same, same)).max() < 1e-6  # type: ignore[operator]


def test_the_published_table_takes_from_what_became_likelier_alone() -> None:
    before = Chances(np.array([[20.0, 20.0, 60.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]), np.array([100.0, 3.0, 0.0]))
    after = Chances(np.array([[60.0, 25.0, 15.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]), np.array([100.0, 3.0, 0.0]))
    found = stepped(before, after)
    assert found[0].tolist() == pytest.approx([STRENGTH, STRENGTH * 0.5 * 1.25, 0.0])
    assert not found[1:].any()


def test_a_third_is_told_anew_and_carries_less_of_the_mark() -> None:
    marked, taken = harvest(marked=True, seed=2), table()
    told = targeted(marked, taken, teachers()[1].logits, np.random.default_rng(5))
    again = targeted(marked, taken, teachers()[1].logits, np.random.default_rng(5))
    assert np.array_equal(told, again) and told.shape == marked.shape
    assert np.array_equal(told[:, :2], marked[:, :2])
    borne = taken[marked[:, 1:-1], marked[:, 2:]]
    changed = told[:, 2:] != marked[:, 2:]
    assert not changed[borne < np.quantile(borne, 2 / 3)].any()
    assert 0.1 * changed.size < changed.sum() <= round(changed.size / 3)
    assert lean(told) < 0.5 * lean(marked)
