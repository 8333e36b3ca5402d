"""Likeness ranks are uniform where accounts are exchangeable, and the table's nats are an e-value."""

from math import ceil, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, kstwo

from stillwatch.detect.grid import STEPS, block_seconds, fold_of
from stillwatch.detect.habit import ROUNDS, HabitTable, likeness_ranks

LUCK = 1e-6
STRATA = ("chat", "batch", "agent")


@pytest.mark.parametrize("size", [2, 4, 9])
def test_likeness_is_uniform_when_all_draw_from_one_queue(size: int) -> None:
    # One account of each world, since accounts of one world are compared with the same requests.
    worlds, u = 700, []
    rng = np.random.default_rng(size)
    for _ in range(worlds):
        account = np.repeat(np.arange(6), size)
        u.append(likeness_ranks(rng.normal(size=(6 * size, 64)), account, rng)[2][0])
    steps = np.arange(1, ROUNDS + 2) / (ROUNDS + 1)
    below = np.searchsorted(np.sort(u), steps + 1e-9) / worlds
    assert np.abs(below - steps).max() <= kstwo.ppf(1 - LUCK, worlds)  # on a grid KS only gets stricter


def test_accounts_with_subjects_of_their_own_rank_low() -> None:
    rng = np.random.default_rng(3)
    account = np.repeat(np.arange(40), 8)
    projections = rng.normal(size=(40, 64))[account] + 0.7 * rng.normal(size=(320, 64))
    assert np.mean(likeness_ranks(projections, account, rng)[2] <= 0.2) > 0.9


@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 6))
def test_ranks_are_named_sized_and_within_bounds(seed: int, n: int, accounts: int) -> None:
    rng = np.random.default_rng(seed)
    account = rng.integers(0, accounts, n)
    names, sizes, u = likeness_ranks(rng.normal(size=(n, 64)) * (rng.random((n, 1)) > 0.3), account, rng)
    known, counts = np.unique(account, return_counts=True)
    assert names.tolist() == known[counts >= 2].tolist() and sizes.tolist() == counts[counts >= 2].tolist()
    assert ((u >= 1 / (ROUNDS + 1) - 1e-12) & (u <= 1)).all()


@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_the_table_gives_at_most_one_on_average_over_accounts_like_those_it_was_fitted_on(seed: int, size: int) -> None:
    """Exact: the mean e-value over every bin, under the very frequencies that the table holds."""
    rng = np.random.default_rng(seed)
    u = np.minimum(rng.beta(0.5, 1.5, 400) + 1e-3, 1.0)
    table = HabitTable.fit(np.zeros(400, np.int64), np.full(400, size), u, strata=STRATA)
    middles = (np.arange(5) + 0.5) / 5
    nats = np.array([table.log_e(np.array([size]), np.array([m]))[0] for m in middles])
    shares = np.bincount(np.minimum((u * 5).astype(int), 4), minlength=5) / 400
    assert (shares * np.exp(nats)).sum() <= 1.0 + 5 * 6 / 400  # a count of one and the hedge, five bins


def test_nats_against_own_work_rarely_exceed_their_level_among_accounts_like_the_reference() -> None:
    rng = np.random.default_rng(9)
    reference, blocks = rng.beta(0.4, 2.0, 3000), rng.beta(0.4, 2.0, (2000, 15))
    table = HabitTable.fit(np.zeros(3000, np.int64), np.full(3000, 6), reference.clip(1e-3), strata=STRATA)
    nats = np.array([table.log_e(np.full(15, 6), u.clip(1e-3))[0] for u in blocks])
    for alpha in (0.2, 0.05, 0.01):
        assert (nats >= log(1 / alpha)).sum() <= binom.ppf(1 - LUCK, 2000, alpha)


def test_a_stratum_with_too_few_accounts_says_nothing() -> None:
    table = HabitTable.fit(np.zeros(50, np.int64), np.full(50, 4), np.full(50, 0.1), strata=STRATA)
    nats = table.log_e(np.full(3, 4), np.full(3, 0.9))
    assert nats[0] > 0 and np.isnan(nats[1:]).all()


@given(st.floats(0, 2e9), st.floats(0, 3e8), st.floats(60, 1e6))
def test_a_block_is_a_step_of_the_grid_and_no_longer_than_wanted(first: float, length: float, longest: float) -> None:
    seconds = block_seconds(first, first + length, longest=longest)
    assert seconds in STEPS and (seconds <= longest or seconds == STEPS[0])
    assert seconds == STEPS[0] or ceil(length / seconds) >= 32


@given(st.lists(st.integers(0, 4 * 10**12), max_size=30), st.sampled_from(STEPS), st.sampled_from(STEPS))
def test_grids_nest_and_folds_take_turns(milliseconds: list[int], one: float, other: float) -> None:
    at = np.array(milliseconds, np.float64) / 1000
    short, long = sorted((one, other))
    assert long % short == 0 and 86_400.0 % long == 0
    assert (np.floor(at / long) == np.floor(np.floor(at / short) * short / long)).all()
    assert (fold_of(at, short) + fold_of(at + short, short) == 1).all()
    assert fold_of(at, short).tolist() == [ms // int(short * 1000) % 2 for ms in milliseconds]
