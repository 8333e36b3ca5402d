"""Who may have how many token probabilities; and two published thefts of a last layer against it."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stillwatch.treatments import TREATMENTS, Occasion
from stillwatch.treatments.config import TreatmentConfig
from stillwatch.treatments.distinct import Distinct
from stillwatch.treatments.memory import Memory
from stillwatch.treatments.noise import normals
from stillwatch.treatments.round import level
from stillwatch.treatments.treatment import Treatment

Json = dict[str, Any]
KEY = b"k" * 32
DAY = 86_400.0
VOCAB, WIDTH = 192, 12
_RNG = np.random.default_rng(11)
LAYER = _RNG.normal(0.0, 1.0, (VOCAB, WIDTH))
"""The layer that is stolen: logits are this times a hidden state."""


def _begin(memory: Memory, now: float = 0.0, account: str = "a", **settings: Any) -> Treatment:
    occasion = Occasion(key=KEY, account=account, now=now, memory=memory, config=TreatmentConfig(**settings))
    begun = TREATMENTS.get("logprobs").begin(occasion)
    assert begun is not None
    return begun


def _logits(prompt: int) -> np.ndarray:
    return LAYER @ np.random.default_rng(prompt).normal(0.0, 1.0, WIDTH)


def _model(body: Json) -> Json:
    """A model of one layer that answers with one token; logit_bias moves what it tells, as it once did everywhere."""
    z = _logits(int(body["messages"][0]["content"]))
    for token, bias in body.get("logit_bias", {}).items():
        z[int(token)] += bias
    log_p = z - np.logaddexp.reduce(z)
    first = np.argsort(-log_p)
    choice: Json = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "length"}
    if body.get("logprobs"):
        tops = [{"token": str(i), "logprob": float(log_p[i])} for i in first[: body.get("top_logprobs", 0)]]
        choice["logprobs"] = {
            "content": [{"token": str(first[0]), "logprob": float(log_p[first[0]]), "top_logprobs": tops}]
        }
    return {"object": "chat.completion", "choices": [choice]}


def _asked(prompt: int, top: int = 20, **more: Any) -> Json:
    body = {"model": "m", "messages": [{"role": "user", "content": str(prompt)}], "logprobs": True, "top_logprobs": top}
    return {**body, **more}


def _through(treatment: Treatment | None, body: Json) -> dict[int, float]:
    """What a thief reads: token -> log-probability."""
    if treatment is not None:
        body = treatment.edit_request(body) or body
    answer = _model(body)
    answer = treatment.edit_answer(answer) if treatment is not None else answer
    told = answer["choices"][0].get("logprobs") or {"content": []}
    return {int(one["token"]): one["logprob"] for place in told["content"] for one in place["top_logprobs"]}


def _biased_away(ask: Callable[[Json], dict[int, float]]) -> np.ndarray:
    """Carlini et al.: push each token up in turn and read its logit beside the likeliest one's."""
    found = np.full(VOCAB, np.nan)
    for token in range(VOCAB):
        told = ask(_asked(7, 20, logit_bias={str(token): 40.0}))
        others = [i for i in told if i != token]
        if token in told and others:
            reference = max(others)
            found[token] = told[token] - 40.0 - told[reference]
            found[token] += _logits(7)[reference] if reference is not None else 0.0
    return found


def test_pushing_tokens_up_one_by_one_reads_a_whole_layer_off_and_nothing_under_the_policy() -> None:
    open_ = _biased_away(lambda body: _through(None, body))
    assert np.allclose(open_, _logits(7), atol=1e-9)
    memory = Memory()
    assert np.isnan(_biased_away(lambda body: _through(_begin(memory), body))).all()
    nested = {**_asked(7), "extra_body": {"logit_bias": {"3": 5}}}
    for steering in (nested, _asked(7, allowed_token_ids=[3]), _asked(7, guided_choice=["a"])):
        sent = _begin(memory).edit_request(steering)
        assert sent is not None and "logprobs" not in sent and "top_logprobs" not in sent
    assert _begin(memory).edit_request({"model": "m", "messages": [], "logit_bias": {"3": 5}}) is None
    assert _begin(memory).edit_request({"model": "m", "messages": [], "logit_bias": {}, "top_logprobs": 3}) is None


def test_what_a_server_gives_beside_steering_all_the_same_is_taken_out() -> None:
    treatment = _begin(Memory())
    treatment.edit_request(_asked(7, logit_bias={"1": 1}))
    assert treatment.edit_answer(_model(_asked(7)))["choices"][0]["logprobs"] is None


def _gap(matrix: np.ndarray) -> float:
    """How far the singular values fall behind the layer's width: 1 where no width is to be seen."""
    s = np.linalg.svd(matrix, compute_uv=False)
    return float(s[WIDTH] / s[WIDTH + 1])


def test_rank_is_seen_through_rounding_and_noise_and_not_under_the_cap() -> None:
    """Finlayson et al.: full-vocabulary log-probabilities have the rank of the layer, plus one for the sum."""
    queries = 150
    exact = np.array([z - np.logaddexp.reduce(z) for z in (_logits(i) for i in range(queries))])
    rng = np.random.default_rng(5)
    assert _gap(exact) > 1e6
    assert _gap(np.round(exact * 10) / 10) > 10.0
    assert _gap(np.vectorize(lambda x: round(x * 2) / 2)(exact)) > 3.0
    assert _gap(exact + rng.normal(0.0, 0.5, exact.shape)) > 1.3
    assert level(-0.7) == -0.5  # what `round` gives of a number; it also gives one alternative only
    memory = Memory()
    told = [_through(_begin(memory), _asked(i, 20)) for i in range(queries)]
    assert {len(one) for one in told} == {5}
    filled = np.full_like(exact, exact.mean())
    for i, one in enumerate(told):
        filled[i, list(one)] = list(one.values())
    assert _gap(filled) < 1.2


def test_the_day_ends_the_account_s_probabilities_and_the_next_day_begins_anew() -> None:
    memory = Memory()
    given = [len(_through(_begin(memory, account="a", logprobs_a_day=200), _asked(i))) for i in range(80)]
    assert given[0] == 5 and given[-1] == 0 and 190 <= sum(given) <= 250
    assert given == sorted(given, reverse=True)
    assert _through(_begin(memory, account="b", logprobs_a_day=200), _asked(1))
    assert _through(_begin(memory, now=DAY, account="a", logprobs_a_day=200), _asked(1))


def test_asking_the_same_again_costs_nothing_of_the_day() -> None:
    memory = Memory()
    for _ in range(300):
        assert len(_through(_begin(memory, logprobs_a_day=50), _asked(1))) == 5


def test_no_probabilities_a_day_means_none_and_no_alternatives_means_the_drawn_token_s() -> None:
    assert not _through(_begin(Memory(), logprobs_a_day=0), _asked(1))
    treatment = _begin(Memory(), logprobs_top=0)
    treatment.edit_request(_asked(1))
    place = treatment.edit_answer(_model(_asked(1)))["choices"][0]["logprobs"]["content"][0]
    assert place["top_logprobs"] == [] and place["logprob"] < 0.0


def test_a_stream_counts_as_its_whole_does_and_its_repeats_do_not_count_again() -> None:
    entries = [
        {"token": f"t{i}", "logprob": -0.5, "top_logprobs": [{"token": f"t{i}", "logprob": -0.5}]} for i in range(64)
    ]
    counts = []
    for cut in (1, 7, 64):
        memory = Memory()
        treatment = _begin(memory)
        for i in range(0, 64, cut):
            treatment.edit_event({"type": "response.output_text.delta", "delta": "x", "logprobs": entries[i : i + cut]})
        treatment.edit_event({"type": "response.output_text.done", "text": "x", "logprobs": entries})
        counts.append(memory.of("logprobs", "a", Distinct).count())
    assert counts[0] == counts[1] == counts[2] and abs(counts[0] - 64) < 8


@pytest.mark.parametrize("true", [1, 30, 400, 2_500, 5_000, 40_000])
def test_different_things_are_counted_within_four_standard_deviations(true: int) -> None:
    seen = Distinct()
    for i in range(true):
        digest = int(normals(KEY, b"%d" % i, 1)[0] * 2**40).to_bytes(8, "little", signed=True)
        seen.add(_mixed(digest))
        seen.add(_mixed(digest))
    assert abs(seen.count() - true) <= max(1.0, 4 * 1.04 / math.sqrt(1024) * true)


def _mixed(digest: bytes) -> bytes:
    import hashlib

    return hashlib.blake2b(digest, digest_size=8).digest()
