"""vLLM's own mark, drawn and read as vLLM 0.33 draws and reads it, without vLLM."""

import math
from typing import Any

import numpy as np
import pytest

from stillwatch.forensics.marks.grams import distinct_grams
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.vllm import VllmMark, read_vllm, summed
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.gumbel import GumbelMark, keyed
from stillwatch.treatments.marks.philox import candidate_words, derive_key, uniforms, vocabulary_words
from tests.golden_answers import golden
from tests.marked_text import an_epoch, innocent

VLLM = golden("vllm_gumbel.json")


def mark_of(case: dict[str, Any]) -> VllmMark:
    if case["alpha"] is None:
        return VllmMark(key=int(case["key"]), context_width=case["width"])
    return VllmMark(key=int(case["key"]), context_width=case["width"], algorithm="dual_key_gumbel", alpha=case["alpha"])


@pytest.mark.parametrize("case", VLLM["uniforms"])
def test_uniforms_are_vllms_bit_for_bit(case: dict[str, Any]) -> None:
    for context, expected in zip(case["contexts"], case["uniforms"], strict=True):
        words = candidate_words(int(case["key"]), np.array(context), np.array(case["tokens"]))
        assert uniforms(words).tolist() == expected
        whole = vocabulary_words(int(case["key"]), np.array(context), 8).T.ravel()
        assert whole[[0, 1, 2, 3, 5]].tolist() == words[:5].tolist()


def test_second_key_is_derived_as_vllm_does() -> None:
    for key, first, second in VLLM["derived"]:
        assert (derive_key(int(key), b"key_a"), derive_key(int(key), b"key_b")) == (int(first), int(second))


@pytest.mark.parametrize("case", VLLM["picks"])
def test_provider_tier_alone_draws_the_tokens_that_vllm_draws(case: dict[str, Any]) -> None:
    logits = (np.random.default_rng(7).standard_normal((64, 512)) * 3).astype(np.float32)
    contexts = np.random.default_rng(8).integers(0, 512, (64, case["width"]))
    epoch = an_epoch(scheme="gumbel", width=case["width"], shares=(1.0, 0.0, 0.0), native_key=int(case["key"]))
    mark, chance = GumbelMark(epoch), np.random.default_rng(0)
    said = [contexts[i].tolist() for i in range(64)]
    assert [mark.answer().pick(logits[i], said[i], chance) for i in range(64)] == case["picked"]
    assert [keyed(logits[i], contexts[i], int(case["key"])) for i in range(64)] == case["picked"]


def test_contexts_that_vllm_calls_repeated_are_drawn_without_a_key() -> None:
    tokens, mask = VLLM["repeated"]["tokens"], VLLM["repeated"]["mask"]
    answer = GumbelMark(an_epoch(scheme="gumbel", width=2)).answer()
    chance = np.random.default_rng(0)
    assert [answer.next_draw(tokens[:n], chance) is None for n in range(len(tokens))] == [bool(m) for m in mask]


@pytest.mark.parametrize("case", VLLM["detections"])
def test_score_and_places_are_those_of_vllms_detector(case: dict[str, Any]) -> None:
    mark = mark_of(case)
    grams = distinct_grams(TokenText.of([case["tokens"]]), case["width"], once="context", padded=True)
    score, log_p = summed(grams, [np.array([key], np.uint64) for key in mark.keys], mark.weight)
    assert len(grams.tokens) == case["scored"] and math.isclose(score, case["score"], rel_tol=1e-12)
    if case["alpha"] in (None, 0.5):
        assert math.isclose(log_p, math.log(case["p_value"]), rel_tol=1e-5)
    elif case["p_value"] < 1e-9:
        # vLLM fits one gamma variable to a sum of two, which claims too much far out; ours does not.
        assert log_p > math.log(case["p_value"]) + 1.0


def test_reading_tells_the_key_from_a_wrong_one() -> None:
    case = VLLM["detections"][1]
    text = TokenText.of([case["tokens"]])
    right = read_vllm(text, mark_of(case), np.random.default_rng(1))
    wrong = read_vllm(text, VllmMark(key=43, context_width=2), np.random.default_rng(1))
    assert right.fits and right.log_p < -400.0 and right.dummy_p < 0.001
    assert wrong.fits and wrong.log_p > -7.0


def test_marked_prompt_that_was_copied_is_not_counted() -> None:
    case = VLLM["detections"][1]
    text = TokenText.of([case["tokens"]])
    copied = read_vllm(text, mark_of(case), np.random.default_rng(1), prompts=text)
    assert copied.scored <= 2 and copied.log_p > -7.0


def test_document_twice_over_claims_no_more_than_once() -> None:
    case, chance = VLLM["detections"][1], np.random.default_rng(1)
    once = read_vllm(TokenText.of([case["tokens"]]), mark_of(case), chance)
    twice = read_vllm(TokenText.of([case["tokens"], case["tokens"]]), mark_of(case), chance)
    assert (once.scored, once.log_p) == (twice.scored, twice.log_p)


def test_honest_text_passes_as_often_as_its_level_says() -> None:
    rng = np.random.default_rng(20)
    low = 0
    for _ in range(400):
        grams = distinct_grams(TokenText.of([innocent(rng, 120)]), 2)
        keys = list(rng.integers(0, 2**64, (2, 1), np.uint64))
        low += summed(grams, keys, 0.1)[1] < math.log(0.1)
    # 99.99 % of binomial counts of 400 at 0.1 lie within.
    assert 18 <= low <= 65


@pytest.mark.parametrize(
    "wrong", [{"key": 2**64}, {"key": 1, "context_width": 5}, {"key": 1, "alpha": 1.5}, {"key": 1, "algorithm": "sbw"}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(StillwatchError):
        VllmMark(**wrong)
