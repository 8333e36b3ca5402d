"""Dose: exact until verdict and coverage both say otherwise; then errors that grow and do not average away."""

import base64
import math
from array import array
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.treatments import TREATMENTS, Occasion
from stillwatch.treatments.config import TreatmentConfig
from stillwatch.treatments.dose import TURN, step_of
from stillwatch.treatments.memory import Memory
from stillwatch.treatments.treatment import Treatment

Json = dict[str, Any]
CONFIG = TreatmentConfig(dose_nats=5.0, dose_prompts=20.0)
TOPS = (-0.4, -1.9, -2.6, -4.0, -6.5)
VECTOR = [float(x) for x in np.random.default_rng(2).normal(0.0, 1.0, 256)]
NATS = st.floats(0.0, 60.0)
PROMPTS = st.floats(0.0, 1e7)


def _begin(memory: Memory, log_e: float, endpoint: str = "chat", key: bytes = b"k" * 32, **more: Any) -> Treatment:
    occasion = Occasion(key=key, account="a", log_e=log_e, memory=memory, config=CONFIG, endpoint=endpoint, **more)
    begun = TREATMENTS.get("dose").begin(occasion)
    assert begun is not None
    return begun


def _covered(prompts: int, **more: Any) -> Memory:
    memory = Memory()
    for i in range(prompts):
        _begin(memory, 0.0, **more).edit_request({"model": "m", "messages": [{"content": str(i)}]})
    return memory


def _chat(tops: tuple[float, ...] = TOPS) -> Json:
    listed = [{"token": f"t{i}", "logprob": x} for i, x in enumerate(tops)]
    place = {"token": "t0", "logprob": tops[0], "top_logprobs": listed}
    return {"choices": [{"index": 0, "message": {"content": "x"}, "logprobs": {"content": [place]}}]}


def _numbers(answer: Json) -> list[float]:
    return [one["logprob"] for one in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]]


def _embedded(treatment: Treatment, texts: list[str], vectors: list[list[float]]) -> list[list[float]]:
    body: Json = {"model": "e", "input": texts if len(texts) > 1 else texts[0]}
    treatment.edit_request(body)
    data = [{"object": "embedding", "index": i, "embedding": list(v)} for i, v in enumerate(vectors)]
    return [one["embedding"] for one in treatment.edit_answer({"object": "list", "data": data})["data"]]


@given(NATS, NATS, PROMPTS, PROMPTS)
def test_the_dose_never_falls_when_verdict_or_coverage_rises(a: float, b: float, p: float, q: float) -> None:
    low, high = sorted((a, b)), sorted((p, q))
    assert step_of(low[0], high[0], CONFIG) <= step_of(low[1], high[1], CONFIG)
    assert 0 <= step_of(a, p, CONFIG) <= 4
    if a <= CONFIG.dose_nats or p <= CONFIG.dose_prompts:
        assert step_of(a, p, CONFIG) == 0


def test_below_either_threshold_answers_are_the_very_objects() -> None:
    answer, embedding = _chat(), {"data": [{"index": 0, "embedding": VECTOR}]}
    for memory, log_e in ((_covered(3), 50.0), (_covered(400), 4.9)):
        treatment = _begin(memory, log_e)
        assert treatment.edit_request({"model": "m", "messages": [], "prompt_logprobs": 3}) is None
        assert treatment.edit_answer(answer) is answer and treatment.edit_answer(embedding) is embedding


def test_errors_grow_with_verdict_and_with_coverage_and_keep_the_order() -> None:
    memory, errors = _covered(2_500), []
    for log_e in (4.0, 5.5, 7.0, 8.0, 10.0):
        drawn = []
        for i in range(200):
            logits = np.sort(np.random.default_rng(i).normal(0.0, 2.0, 50))[::-1]
            tops = tuple(float(x) for x in (logits - np.logaddexp.reduce(logits))[:5])
            after = _numbers(_begin(memory, log_e, key=bytes([i]) * 32).edit_answer(_chat(tops)))
            assert list(np.argsort(after)) == list(np.argsort(tops)) or len(set(after)) < 5
            drawn.append(np.abs(np.array(after) - tops).mean())
        errors.append(float(np.mean(drawn)))
    assert errors[0] == 0.0 and errors == sorted(errors) and errors[-1] > 3 * errors[1] > 0.0


def test_the_same_question_asked_a_hundred_times_and_of_any_account_has_one_answer() -> None:
    memory = _covered(2_500)
    once = _numbers(_begin(memory, 50.0).edit_answer(_chat()))
    for i in range(100):
        again = _begin(memory, 50.0, request_id=f"r{i}").edit_answer(_chat())
        assert _numbers(again) == once
    texts, vectors = ["how far is it", "what is it"], [VECTOR, VECTOR[::-1]]
    one = _embedded(_begin(memory, 50.0, "embeddings"), texts, vectors)
    assert _embedded(_begin(memory, 50.0, "embeddings", request_id="z"), texts[:1], vectors[:1]) == one[:1]
    assert not np.allclose(one[0], VECTOR)


def test_a_thief_who_asks_in_many_words_keeps_half_of_the_error_or_more() -> None:
    memory, once, left = _covered(2_500), [], []
    for k in range(40):
        asked = []
        for i in range(30):
            treatment = _begin(memory, 50.0, key=bytes([k]) * 32)
            treatment.edit_request({"model": "m", "messages": [{"content": f"wording {i}"}]})
            asked.append(np.diff(_numbers(treatment.edit_answer(_chat()))) - np.diff(TOPS))
        once.append(np.square(asked).mean())
        left.append(np.square(np.mean(asked, axis=0)).mean())
    assert math.sqrt(np.mean(left) / np.mean(once)) > 0.6


def test_errors_learnt_where_exact_numbers_are_known_do_not_undo_those_elsewhere() -> None:
    memory, learnt = _covered(2_500), []
    for prompt in ("first", "second"):
        treatment = _begin(memory, 50.0)
        treatment.edit_request({"model": "m", "messages": [{"content": prompt}]})
        after = _numbers(treatment.edit_answer(_chat()))
        learnt.append(np.diff(after) / np.diff(TOPS))
    assert np.abs(learnt[0] - learnt[1]).min() > 1e-3


def test_a_thief_who_averages_over_every_dose_keeps_most_of_the_smallest_error() -> None:
    steps: dict[int, np.ndarray] = {}
    memory = _covered(2_500)
    for log_e in np.linspace(5.1, 10.0, 40):
        error = np.array(_embedded(_begin(memory, float(log_e), "embeddings"), ["t"], [VECTOR])[0]) - VECTOR
        steps.setdefault(step_of(float(log_e), 2_500.0, CONFIG), error)
    assert sorted(steps) == [1, 2, 3, 4]
    weights = {step: TURN[step] ** -2 for step in steps}
    best = sum(weights[step] * steps[step] for step in steps) / sum(weights.values())
    assert np.linalg.norm(best) > 0.8 * np.linalg.norm(steps[1])
    assert abs(np.linalg.norm(steps[1]) / np.linalg.norm(VECTOR) - TURN[1]) < 0.2 * TURN[1]


def test_embeddings_keep_length_and_coding_and_shorter_ones_have_the_same_direction_of_error() -> None:
    memory = _covered(2_500)
    treatment = _begin(memory, 50.0, "embeddings")
    treatment.edit_request({"model": "e", "input": "t", "encoding_format": "base64"})
    packed = base64.b64encode(array("f", VECTOR).tobytes()).decode()
    coded = treatment.edit_answer({"data": [{"index": 0, "embedding": packed}]})["data"][0]["embedding"]
    plain = _embedded(_begin(memory, 50.0, "embeddings"), ["t"], [VECTOR])[0]
    assert np.allclose(array("f", base64.b64decode(coded)).tolist(), plain, atol=1e-5)
    assert math.isclose(math.hypot(*plain), math.hypot(*VECTOR))


def test_scores_stay_scores() -> None:
    memory = _covered(2_500)
    probs = [0.7, 0.2, 0.1]
    answer = {"data": [{"index": 0, "probs": probs}], "results": [{"index": 0, "relevance_score": 0.93}]}
    after = _begin(memory, 50.0).edit_answer(answer)
    found = after["data"][0]["probs"]
    assert found != probs and math.isclose(sum(found), 1.0) and all(0.0 <= x <= 1.0 for x in found)
    assert 0.0 <= after["results"][0]["relevance_score"] <= 1.0


def test_what_accounts_of_a_campaign_covered_counts_together() -> None:
    memory = Memory()
    for i in range(3_000):
        occasion = Occasion(
            key=b"k" * 32, account=f"a{i % 50}", campaign="c", log_e=50.0, memory=memory, config=CONFIG, endpoint="chat"
        )
        treatment = TREATMENTS.get("dose").begin(occasion)
        assert treatment is not None
        treatment.edit_request({"model": "m", "messages": [{"content": str(i)}]})
    assert treatment.edit_answer(_chat()) != _chat()
    assert len(memory) == 1
