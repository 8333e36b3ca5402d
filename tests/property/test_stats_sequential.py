"""Promises of `stats.sequential`: Ville's bound at any time, and the mean time between false alarms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.stats.bets import bernoulli_bet
from stillwatch.stats.sequential import EDetector, EProcess

KINDS = ["shiryaev-roberts", "cusum"]
steps = st.lists(st.floats(-50, 50) | st.just(-math.inf), min_size=1, max_size=15)


def gaussian_bets(rng: np.random.Generator, streams: int, drift: float, bet: float = 1.0) -> np.ndarray:
    """Nats of one block: likelihood ratio of mean `bet` against mean 0, data of mean `drift`."""
    return bet * (rng.normal(size=streams) + drift) - bet**2 / 2


@given(log_e=steps)
def test_process_is_the_product_and_its_peak_the_running_maximum(log_e: list[float]) -> None:
    process = EProcess.start(1)
    for bet in log_e:
        process = process.update([bet])
    sums = np.cumsum(log_e)
    assert float(process.log_e[0]) == pytest.approx(sums[-1], abs=1e-9)
    assert float(process.peak[0]) == pytest.approx(max(0.0, sums.max()), abs=1e-9)


@given(log_e=steps)
def test_detectors_are_the_sum_and_the_maximum_over_every_start(log_e: list[float]) -> None:
    # Second route: the products from each possible start, put together afterwards.
    starts = [math.fsum(log_e[i:]) for i in range(len(log_e))]
    expected = {"shiryaev-roberts": np.logaddexp.reduce(starts), "cusum": max(starts)}
    for kind in KINDS:
        detector = EDetector.start(1, kind=kind)
        for bet in log_e:
            detector = detector.update([bet])
        assert float(detector.log_m[0]) == pytest.approx(expected[kind], abs=1e-9)


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01])
@pytest.mark.parametrize("bet", [0.3, 1.0])
def test_honest_stream_ever_crosses_with_chance_at_most_alpha(alpha: float, bet: float) -> None:
    rng, streams = np.random.default_rng(23), 20_000
    process = EProcess.start(streams)
    for _ in range(200):
        process = process.update(gaussian_bets(rng, streams, 0.0, bet))
    realised = float(process.crossed(alpha).mean())
    assert realised <= alpha + 4 * math.sqrt(alpha * (1 - alpha) / streams)
    assert realised > alpha / 4  # and the bound is not kept by never crossing


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bets", ["gaussian", "coin"])
def test_honest_stream_runs_as_long_as_promised_between_false_alarms(kind: str, bets: str) -> None:
    rng, streams, promised, limit = np.random.default_rng(29), 1000, 50.0, 1500
    coin = bernoulli_bet([0, 1], 1, 0.1)
    detector, running, length = EDetector.start(streams, kind=kind), np.ones(streams, bool), np.zeros(streams)
    for _ in range(limit):
        nats = gaussian_bets(rng, streams, 0.0) if bets == "gaussian" else coin[(rng.random(streams) < 0.1).astype(int)]
        detector = detector.update(nats)
        length += running
        running &= ~detector.alarms(promised)
    # Runs still going are cut short, so the mean below is at most the true one.
    assert length.mean() >= promised - 4 * length.std() / math.sqrt(streams)


def test_detector_notices_a_turn_sooner_than_the_process_that_began_before_it() -> None:
    rng, streams = np.random.default_rng(31), 400
    process, detector = EProcess.start(streams), EDetector.start(streams)
    for _ in range(40):
        nats = gaussian_bets(rng, streams, 0.0)
        process, detector = process.update(nats), detector.update(nats)
    for _ in range(20):
        nats = gaussian_bets(rng, streams, 1.0)
        process, detector = process.update(nats), detector.update(nats)
    assert detector.alarms(1000.0).mean() > 0.8 > 0.3 > process.crossed(0.001).mean()


def test_ruin_is_final_for_the_process_and_not_for_the_detector() -> None:
    process, detector = EProcess.start(1), EDetector.start(1)
    for bet in (-math.inf, math.inf, 5.0):
        process, detector = process.update([bet]), detector.update([bet])
    assert process.log_e[0] == -math.inf and process.peak[0] == 0.0
    assert detector.log_m[0] == math.inf


def test_restart_forgets_only_the_streams_named() -> None:
    detector = EDetector.start(2).update([3.0, 3.0]).restart(np.array([True, False]))
    assert detector.log_m.tolist() == [-math.inf, 3.0]


def test_sequential_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="kind = 'page'"):
        EDetector.start(1, kind="page")
    with pytest.raises(ValueError, match="NaN"):
        EProcess.start(1).update([math.nan])
