"""Privacy: noise as stated, a budget that adds up exactly, nothing beyond it."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from stillwatch.treatments import TREATMENTS, Occasion
from stillwatch.treatments.config import TreatmentConfig
from stillwatch.treatments.memory import Memory
from stillwatch.treatments.noise import normals
from stillwatch.treatments.privacy import CLIP
from stillwatch.treatments.privacybudget import Budget, epsilon_of, release_rho, rho_of
from stillwatch.treatments.treatment import Treatment

Json = dict[str, Any]
CONFIG = TreatmentConfig()
MOST = int(rho_of(CONFIG.privacy_epsilon, CONFIG.privacy_delta) / release_rho(CONFIG.privacy_noise))


def _begin(memory: Memory, key: bytes = b"k" * 32, now: float = 0.0, account: str = "a", **more: Any) -> Treatment:
    config = TreatmentConfig(**more)
    begun = TREATMENTS.get("privacy").begin(
        Occasion(key=key, account=account, now=now, memory=memory, config=config, endpoint="chat")
    )
    assert begun is not None
    return begun


def _place(i: int, tops: tuple[float, ...] = (-0.4, -1.9, -30.0)) -> Json:
    listed = [{"token": f"{i}.{j}", "logprob": x} for j, x in enumerate(tops)]
    return {"token": f"{i}.0", "logprob": tops[0], "top_logprobs": listed}


def _chat(places: list[Json]) -> Json:
    return {"choices": [{"index": 0, "message": {"content": "x"}, "logprobs": {"content": places}}]}


def _told(answer: Json) -> list[Json]:
    found: list[Json] = answer["choices"][0]["logprobs"]["content"]
    return found


def _ask(treatment: Treatment, prompt: str, places: list[Json]) -> list[Json]:
    treatment.edit_request({"model": "m", "messages": [{"role": "user", "content": prompt}]})
    return _told(treatment.edit_answer(_chat(places)))


@given(st.floats(0.01, 50.0), st.floats(1e-12, 0.1))
def test_a_budget_of_rho_is_the_epsilon_that_was_asked_for(epsilon: float, delta: float) -> None:
    assert math.isclose(epsilon_of(rho_of(epsilon, delta), delta), epsilon, rel_tol=1e-9)


@given(st.floats(0.1, 20.0), st.floats(1e-9, 1e-2), st.floats(0.5, 100.0))
def test_all_releases_of_a_day_together_are_within_the_promise_exactly(
    epsilon: float, delta: float, noise: float
) -> None:
    """Against the exact trade-off of the Gaussian mechanism (Balle and Wang 2018), with all that is granted."""
    budget, granted = Budget(0), 0
    while granted < 5_000 and budget.take(release_rho(noise), rho_of(epsilon, delta)):
        granted += 1
    mu = math.sqrt(granted) / noise
    if mu > 0.0:
        exact = norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu))
        assert exact <= delta * (1 + 1e-6)


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_workers_that_each_count_for_themselves_give_no_more_than_one_day_together(workers: int) -> None:
    config = TreatmentConfig(logprobs_a_day=700)
    each = config.for_one_of(workers)
    assert each.logprobs_a_day * workers == 700
    rho = rho_of(each.privacy_epsilon, each.privacy_delta) * workers
    assert math.isclose(epsilon_of(rho, config.privacy_delta), config.privacy_epsilon)


def test_noise_is_normal_of_the_stated_size_and_numbers_are_clipped_first() -> None:
    drawn, low = [], []
    for i in range(400):
        treatment = _begin(Memory(), key=i.to_bytes(32, "big"))
        tops = _ask(treatment, "p", [_place(0, (-6.0, -7.5, -30.0))])[0]["top_logprobs"]
        by_token = {one["token"]: one["logprob"] for one in tops}
        drawn += [by_token["0.0"] + 6.0, by_token["0.1"] + 7.5]
        low.append(by_token["0.2"] - CLIP)
        assert [one["logprob"] for one in tops] == sorted(by_token.values(), reverse=True)
    assert kstest(drawn, "norm").pvalue > 1e-3 and kstest(low, "norm").pvalue > 1e-3
    assert kstest(normals(b"k" * 32, b"x", 20_001), "norm").pvalue > 1e-3
    assert normals(b"k" * 32, b"x", 7) == normals(b"k" * 32, b"x", 20)[:7]


def test_equal_numbers_do_not_stay_equal_and_impossible_is_a_number_like_others() -> None:
    tops = _ask(_begin(Memory()), "p", [_place(0, (-3.0, -3.0, -9999.0))])[0]["top_logprobs"]
    assert len({one["logprob"] for one in tops}) == 3 and min(one["logprob"] for one in tops) > -20.0


def test_the_same_place_tells_the_same_again_and_other_places_other_errors() -> None:
    first = _ask(_begin(Memory()), "p", [_place(0), _place(1)])
    assert _ask(_begin(Memory()), "p", [_place(0), _place(1)]) == first
    other = _ask(_begin(Memory()), "q", [_place(0), _place(1)])
    assert all(a["logprob"] != b["logprob"] for a, b in zip(first, other, strict=True))


def test_a_day_has_so_many_positions_and_then_none_however_the_answer_is_cut() -> None:
    places = [_place(i) for i in range(MOST + 40)]
    memory = Memory()
    whole = _ask(_begin(memory), "p", places)
    assert len(whole) == MOST
    assert _ask(_begin(memory), "another", [_place(0)]) == []
    assert len(_ask(_begin(memory, account="b"), "p", places[:3])) == 3
    assert len(_ask(_begin(memory, now=86_400.0), "p", places[:3])) == 3
    treatment = _begin(Memory())
    treatment.edit_request({"model": "m", "messages": [{"role": "user", "content": "p"}]})
    streamed: list[Json] = []
    for i in range(0, len(places), 7):
        choice = {"index": 0, "delta": {"content": "x"}, "logprobs": {"content": places[i : i + 7]}}
        (event,) = treatment.edit_event({"choices": [choice]})
        streamed += _told(event)
    assert streamed == whole


def test_events_that_repeat_what_was_streamed_say_the_same_and_cost_nothing() -> None:
    memory = Memory()
    treatment = _begin(memory)
    places = [_place(i) for i in range(5)]
    one = treatment.edit_event({"type": "response.output_text.delta", "delta": "x", "logprobs": places})[0]
    two = treatment.edit_event({"type": "response.output_text.done", "text": "x", "logprobs": places})[0]
    assert one["logprobs"] == two["logprobs"] != places
    assert math.isclose(memory.of("privacy", "a", lambda: Budget(0)).spent, 5 * release_rho(CONFIG.privacy_noise))


def test_a_thief_who_asks_again_with_other_digits_is_stopped_by_the_budget() -> None:
    """Averaging over jittered values works as the budget allows, and no better: the bound is the promise itself."""
    memory, found = Memory(), []
    for i in range(2 * MOST):
        told = _ask(_begin(memory), "p", [_place(0, (-5.0 - 1e-7 * i, -6.0, -8.0))])
        found += [place["logprob"] for place in told]
    assert len(found) == MOST
    assert abs(np.mean(found) + 5.0) < 4.0 / math.sqrt(MOST)
    assert 1.0 / math.sqrt(MOST) > 0.07  # nats that stay uncertain after a whole day on one number


def test_the_older_shape_is_treated_and_ends_in_nulls() -> None:
    value = {"tokens": ["p", "a"], "token_logprobs": [None, -0.31], "top_logprobs": [None, {"a": -0.31, "x": -1.5}]}
    treatment = _begin(Memory())
    after = treatment.edit_answer({"choices": [{"index": 0, "text": "a", "logprobs": value}]})["choices"][0]["logprobs"]
    assert after["token_logprobs"][1] == after["top_logprobs"][1]["a"] != -0.31
    memory = Memory()
    memory.of("privacy", "a", lambda: Budget(0)).spent = 1e9
    gone = _begin(memory).edit_answer({"choices": [{"index": 0, "text": "a", "logprobs": value}]})
    assert gone["choices"][0]["logprobs"]["token_logprobs"] == [None, None]
    assert gone["choices"][0]["logprobs"]["top_logprobs"] == [None, None]


@pytest.mark.parametrize("kind", ["embedding", "probs"])
def test_vectors_get_noise_of_the_stated_size_and_are_taken_out_at_the_end(kind: str) -> None:
    memory, errors = Memory(), []
    vector = [0.5, 0.5, 0.5, 0.5] * 8
    clipped = np.array(vector) / max(1.0, math.hypot(*vector))
    for i in range(MOST + 3):
        treatment = _begin(memory)
        treatment.edit_request({"model": "e", "input": f"text {i}"})
        after = treatment.edit_answer({"data": [{"index": 0, kind: list(vector)}]})["data"][0][kind]
        if i >= MOST:
            assert after == []
        else:
            errors += list(np.array(after) - clipped)
    assert abs(np.std(errors) - CONFIG.privacy_noise * CONFIG.privacy_vector_reach) < 0.001
