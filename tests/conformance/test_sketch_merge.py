"""What every sketch must prove: merging commutes and associates, and the size is bounded."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.sketch.anchors import merge_anchors
from stillwatch.terms.event import N_ANCHORS, SKETCH_DTYPE

SMALL = st.sets(st.one_of(st.integers(1, 40), st.integers(1, 2**64 - 2)), max_size=40)


def anchors(values: set[int]) -> np.ndarray:
    least = sorted(values)[:N_ANCHORS]
    return np.array(least + [0] * (N_ANCHORS - len(least)), np.uint64)


@given(SMALL, SMALL, SMALL)
def test_merging_anchors_commutes_associates_and_is_idempotent(a: set[int], b: set[int], c: set[int]) -> None:
    x, y, z = anchors(a), anchors(b), anchors(c)
    assert np.array_equal(merge_anchors(x, y), merge_anchors(y, x))
    assert np.array_equal(merge_anchors(merge_anchors(x, y), z), merge_anchors(x, merge_anchors(y, z)))
    assert np.array_equal(merge_anchors(x, x), x)
    assert np.array_equal(merge_anchors(x, anchors(set())), x)


@given(SMALL, SMALL)
def test_merged_anchors_are_those_of_the_union(a: set[int], b: set[int]) -> None:
    assert np.array_equal(merge_anchors(anchors(a), anchors(b)), anchors(a | b))


@given(st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=5))
def test_merging_many_rows_at_once_is_merging_each(pairs: list[tuple[set[int], set[int]]]) -> None:
    left, right = (np.stack([anchors(pair[side]) for pair in pairs]) for side in (0, 1))
    merged = merge_anchors(left, right)
    for row, (a, b) in zip(merged, pairs, strict=True):
        assert np.array_equal(row, anchors(a | b))


def test_a_sketch_is_bounded() -> None:
    assert SKETCH_DTYPE.itemsize <= 512
