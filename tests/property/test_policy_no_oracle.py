"""A thief that learns by trying: what the moment of an effect tells of its cause, at most.

The thief knows everything but the key: code, settings, grid. Keys are drawn at random, so each trial is a new
gateway. Tolerances are four standard errors of the number of trials.
"""

import math

import numpy as np
import pytest

from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decide import decide
from stillwatch.policy.hold import Judged, Round, hold
from stillwatch.policy.pace import later
from stillwatch.policy.rule import Rule
from stillwatch.terms.action import Subject

B = 100.0
TRIALS = 3_000
BITES = (Rule(name="slow", action="slow", rate_share=0.5, shadow=False, expires_days=14.0),)


def _config(batches: int) -> PolicyConfig:
    return PolicyConfig(batch_seconds=B, jitter_seconds=batches * B, rules=BITES)


def _most(chance: float) -> float:
    return chance + 4.0 * math.sqrt(chance * (1.0 - chance) / TRIALS)


def test_tries_within_one_batch_lead_to_the_same_moment() -> None:
    config = _config(4)
    for key in (b"a", b"b"):
        moments = {later(at, "c", "a", config, key) for at in np.linspace(700.0, 799.99, 50)}
        assert len(moments) == 1


@pytest.mark.parametrize("batches", [2, 4, 8, 12])
def test_one_effect_names_its_batch_no_better_than_promised(batches: int) -> None:
    config, rng = _config(batches), np.random.default_rng(batches)
    steps = batches // 2 + 1
    causes = rng.integers(0, 200, TRIALS)
    effects = [later(c * B + rng.uniform(0, B), None, "a", config, rng.bytes(16)) for c in causes]
    offsets = np.floor(np.array(effects) / B).astype(int) - causes
    # Whatever the thief makes of the phase within a batch, its best guess is one fixed number of batches back
    # for each phase; look at phases in tenths.
    phases = np.floor(np.mod(effects, B) / (B / 10)).astype(int)
    best = sum(np.bincount(offsets[phases == phase]).max() for phase in range(10))
    slack = 10 * 2.5 * math.sqrt(TRIALS / 10 / steps)  # the best of several is picked in each phase
    assert best <= TRIALS / steps + slack
    assert offsets.min() >= 1 and offsets.max() <= batches + 1


@pytest.mark.parametrize("batches", [2, 4, 8])
def test_watching_a_whole_campaign_names_the_batch_no_better_than_promised(batches: int) -> None:
    config, rng = _config(batches), np.random.default_rng(100 + batches)
    steps = batches // 2 + 1
    hits = 0
    for _ in range(TRIALS):
        key, cause = rng.bytes(16), int(rng.integers(0, 200))
        first = min(later(cause * B + 1.0, "c", f"a{i}", config, key) for i in range(40))
        hits += int(first // B) - 1 - steps // 2 == cause  # the earliest effect, less the middle of the shared delay
    assert hits / TRIALS <= _most(1.0 / steps)


def test_members_of_a_campaign_do_not_move_together() -> None:
    config = _config(4)
    for key in (b"a", b"b", b"c"):
        moments = sorted(later(750.0, "c", f"a{i}", config, key) for i in range(30))
        assert len({round(m, 3) for m in moments}) == 30
        assert moments[-1] - moments[0] > B


def test_a_thief_who_tries_one_habit_a_batch_rarely_names_the_one_that_was_seen() -> None:
    """End to end: twelve habits, one each batch; one of them is what detection sees. The thief polls all the time."""
    config, rng, hits, trials = _config(4), np.random.default_rng(7), 0, 400
    for _ in range(trials):
        key, seen = rng.bytes(16), int(rng.integers(0, 12))
        judged = [Judged(account="thief", log_e=20.0, accused=True, campaign="c", threshold=10.0)]
        held = hold({}, judged, config, Round(now=seen * B + 50.0, last=0.0, key=key))["thief"]
        polls = np.arange(0.0, 20 * B, 5.0)
        acted = [at for at in polls if decide(Subject(account="thief", held=held), config, float(at)).bites]
        hits += int(acted[0] // B) - 2 == seen
    assert hits / trials <= 1 / 3 + 4.0 * math.sqrt(2 / 9 / trials)


def test_what_an_account_is_told_does_not_move_with_new_evidence() -> None:
    config = _config(4)
    judged = [Judged(account="a", log_e=20.0, accused=True, campaign="c", threshold=10.0)]
    held = hold({}, judged, config, Round(now=1_000.0, last=0.0, key=b"k"))
    first = decide(Subject(account="a", held=held["a"]), config, 2_000.0)
    for i in range(1, 40):
        strength = 20.0 if i % 3 else 6.0
        again = [Judged(account="a", log_e=strength, accused=strength > 10, campaign="c", threshold=10.0)]
        held = hold(held, again, config, Round(now=1_000.0 + i * 50, last=950.0 + i * 50, key=b"k"))
    assert decide(Subject(account="a", held=held["a"]), config, 3_500.0) == first
