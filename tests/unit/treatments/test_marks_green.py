"""The green mark leaves alone what the model is sure of, and nothing else."""

import numpy as np
import pytest

from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.ring import Epoch, Ring

VOCAB = 500


def an_epoch(spare: float) -> Epoch:
    return Epoch(number=1, secret=b"s" * 32, made=0.0, delta=2.0, spare=spare, vocab=VOCAB)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("chance", "marked"), [(0.79, True), (0.81, False), (0.999, False), (0.002, True)])
def test_a_place_is_spared_exactly_where_the_likeliest_token_has_that_chance(
    dtype: type, chance: float, marked: bool
) -> None:
    mark = GreenMark(an_epoch(0.8))
    plain = np.log(np.full(VOCAB, (1.0 - chance) / (VOCAB - 1)))
    plain[7] = np.log(chance)
    for shift in (0.0, 31.5, -40.0):  # logits are known but for a constant
        logits = (plain + shift).astype(dtype)
        before = logits.copy()
        mark.apply(logits, [3])
        added = logits - before
        assert np.allclose(added, 2.0 * mark.bias([3], VOCAB) if marked else 0.0, atol=1e-4)


def test_without_sparing_every_place_is_marked_and_every_epoch_keeps_its_own() -> None:
    logits = np.zeros(VOCAB)
    logits[1] = 60.0
    before = logits.copy()
    GreenMark(an_epoch(1.0)).apply(logits, [3])
    assert np.count_nonzero(logits - before) == np.count_nonzero(GreenMark(an_epoch(1.0)).bias([3], VOCAB))
    ring = Ring.new(b"s" * 32, 0.0, spare=0.9).rotated(b"t" * 32, 1.0, spare=0.7)
    assert [epoch.spare for epoch in Ring.from_json(ring.to_json()).epochs] == [0.9, 0.7]


@pytest.mark.parametrize("spare", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(spare: float) -> None:
    with pytest.raises(StillwatchError, match="spare"):
        an_epoch(spare)
