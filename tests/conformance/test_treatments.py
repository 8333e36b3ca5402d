"""Every treatment: off unless ordered, whole answers left whole, no matter how a stream is cut, cost as stated."""

import copy
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.terms.action import ACTIONS, ALLOW, NEEDS_CONFIRMATION, Action
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.treated import TREATED, facts_of, treatments_for
from stillwatch.treatments import TREATMENTS, Occasion, Treatment, for_action
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.marks.signer import Marks
from tests.conformance import answers_with_probabilities as shapes
from tests.planted_canaries import canaries

KEY = b"k" * 32
CANARIES = canaries()
MARKS = Marks(Ring.new(b"r" * 32, 0.0, vocab=1024))
KINDS = list(TREATMENTS)
LOGPROB = st.floats(-20.0, 0.0)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from(
    ["type", "choices", "logprobs", "content", "delta", "message", "top_logprobs", "logprob", "token", "tokens", "item",
     "token_logprobs", "output", "part", "response", "thinking", "reasoning", "prompt_logprobs", "summary", "text", "n",
     "include", "extra_body", "content_block"]
)  # fmt: skip
TYPES = st.sampled_from(["message", "message_start", "content_block_delta", "response.output_text.delta", "thinking",
                         "response.reasoning_text.delta", "output_text", "reasoning"])  # fmt: skip
ANYTHING = st.recursive(
    SCALARS | TYPES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=25,
)
OBJECTS = st.dictionaries(NAMES, ANYTHING, max_size=5)


SENDS = {"watermark": "vllm_xargs", "experts": "vllm_xargs"}
"""Treatments that send something along with every request, and the one field in which they do."""


def _begin(name: str, request_id: str = "r", key: bytes = KEY) -> Treatment:
    occasion = Occasion(key=key, request_id=request_id, account="a1", endpoint="chat", marks=MARKS, canaries=CANARIES)
    begun = TREATMENTS.get(name).begin(occasion)
    assert begun is not None
    return begun


every_kind = pytest.mark.parametrize("name", TREATMENTS.names())


def _positions(obj: Any) -> list[dict[str, Any]]:
    """Every position of the chat shape, in order."""
    if isinstance(obj, dict):
        own = [obj] if "top_logprobs" in obj and "token" in obj else []
        return own + [p for value in obj.values() for p in _positions(value)]
    return [p for value in obj for p in _positions(value)] if isinstance(obj, list) else []


def _ordered(action: Action) -> Treatment | None:
    return for_action(action, Occasion(key=KEY, request_id="r", account="a1", endpoint="chat", marks=MARKS))


def test_nothing_is_on_unless_an_action_that_bites_orders_it() -> None:
    assert all(kind.on_by_default is False for kind in KINDS)
    assert _ordered(ALLOW) is None
    for action in ACTIONS:
        for name in treatments_for(action):
            assert _ordered(Action(kind=action, rule="x", shadow=True, treatments=(name,))) is None
        assert _ordered(Action(kind=action, rule="x")) is None


def test_rules_and_treatments_name_the_same_things() -> None:
    assert {(kind.name, kind.least) for kind in KINDS} == {(entry.name, entry.least) for entry in TREATED}
    for action in ACTIONS:
        for name in treatments_for(action):
            ordered = _ordered(Action(kind=action, rule="x", treatments=(name,)))
            assert ordered is None or ordered.name == name


def test_what_falsifies_is_never_done_under_an_action_that_needs_no_person() -> None:
    confirmed = {entry.name for entry in TREATED if entry.least in NEEDS_CONFIRMATION}
    assert "perturb" in confirmed
    for action in ACTIONS:
        for name in confirmed:
            if action not in NEEDS_CONFIRMATION:
                assert _ordered(Action(kind=action, rule="x", treatments=(name,))) is None
    with pytest.raises(StillwatchError, match="unknown"):
        _ordered(Action(kind="coarsen", rule="x", treatments=("invert",)))


def test_several_treatments_of_a_rule_are_applied_in_order() -> None:
    both = _ordered(Action(kind="perturb", rule="x", treatments=("round", "withhold")))
    assert both is not None and both.name == "round+withhold"
    assert both.edit_request({"logprobs": True, "n": 3}) == {"n": 1}
    assert not _positions(both.edit_answer(shapes.chat()))


@every_kind
def test_answers_with_nothing_to_treat_stay_the_very_object(name: str) -> None:
    for answer in shapes.plain():
        assert _begin(name).edit_answer(answer) is answer
        assert [id(event) for event in _begin(name).edit_event(answer)] == [id(answer)]
    plain = {"model": "m", "messages": [], "n": 1, "stream": True}
    sent = _begin(name).edit_request(plain)
    assert sent is None or (name in SENDS and {k: v for k, v in sent.items() if k != SENDS[name]} == plain)


@every_kind
def test_embeddings_are_left_the_very_object_by_all_that_do_not_say_they_treat_them(name: str) -> None:
    for answer in shapes.embeddings():
        after = _begin(name).edit_answer(answer)
        assert (after is answer) == (name != "privacy")


@every_kind
def test_what_came_in_is_never_altered(name: str) -> None:
    for answer in shapes.every_answer():
        before = copy.deepcopy(answer)
        _begin(name).edit_answer(answer)
        assert answer == before
    body = {
        "logprobs": True,
        "top_logprobs": 5,
        "n": 4,
        "include": ["message.output_text.logprobs"],
        "reasoning": {"summary": "a"},
    }
    before = copy.deepcopy(body)
    _begin(name).edit_request(body)
    assert body == before


@every_kind
@given(OBJECTS)
@settings(max_examples=150)
def test_no_shape_however_odd_makes_a_treatment_fail(name: str, obj: dict[str, Any]) -> None:
    treatment = _begin(name)
    assert isinstance(treatment.edit_answer(obj), dict)
    assert all(isinstance(event, dict) for event in (*treatment.edit_event(obj), *treatment.end_stream()))
    assert treatment.edit_request(obj) is None or isinstance(treatment.edit_request(obj), dict)


@every_kind
def test_text_tools_usage_and_sealed_reasoning_stay(name: str) -> None:
    for answer in shapes.every_answer():
        before, after = json.dumps(answer), json.dumps(_begin(name).edit_answer(answer))
        for kept in (f'"{shapes.TEXT}"', '"sealed"', "arguments", '"mine"', "usage", '{\\"'):
            assert before.count(kept) == after.count(kept), kept


@every_kind
def test_only_treatments_that_say_so_change_the_words_of_answers(name: str) -> None:
    changed = 0
    for answer in shapes.every_answer():
        spoken = json.loads(json.dumps(answer).replace(f'"{shapes.TEXT}"', json.dumps(shapes.PROSE)))
        whole, streamed = _begin(name).edit_answer(spoken), _begin(name)
        events = [*streamed.edit_event(spoken), *streamed.end_stream()]
        for after in (json.dumps(whole), json.dumps(events)):
            changed += after.count(json.dumps(shapes.PROSE)) != json.dumps(spoken).count(json.dumps(shapes.PROSE))
            for kept in ('"sealed"', "arguments", '"mine"', '{\\"'):
                assert after.count(kept) == json.dumps(spoken).count(kept), kept
    assert not changed or facts_of(name).alters_text


@every_kind
@pytest.mark.parametrize("cut", [1, 2, 3])
def test_what_becomes_of_a_token_does_not_depend_on_how_the_stream_was_cut(name: str, cut: int) -> None:
    one = _begin(name)
    whole = [one.edit_answer(chunk) for chunk in shapes.chat_chunks(shapes.entries(), 3)]
    other = _begin(name)
    chunks = [other.edit_answer(chunk) for chunk in shapes.chat_chunks(shapes.entries(), cut)]
    assert _positions(chunks) == _positions(whole)
    unstreamed = _begin(name).edit_answer(shapes.chat())
    assert _positions(unstreamed) == _positions(whole)


@every_kind
def test_treating_twice_is_stable_in_shape_and_asks_upstream_for_no_more(name: str) -> None:
    for answer in shapes.every_answer():
        once = _begin(name).edit_answer(answer)
        assert len(_positions(_begin(name).edit_answer(once))) == len(_positions(once))
    body = {"logprobs": True, "top_logprobs": 20, "n": 8, "prompt_logprobs": 5, "best_of": 9}
    sent = _begin(name).edit_request(body) or body
    assert _begin(name).edit_request(sent) is None
    assert all(sent.get(key, 0) <= value for key, value in body.items())


# ---- withhold ----


def test_withheld_answers_hold_no_probability_and_no_reasoning_text() -> None:
    for answer in shapes.every_answer():
        after = _begin("withhold").edit_answer(answer)
        said = json.dumps(after)
        assert shapes.SECRET not in said
        assert not _positions(after)
        assert "token_logprobs" not in said and "decoded_token" not in said


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"logprobs": True, "top_logprobs": 5, "n": 3, "model": "m"}, {"n": 1, "model": "m"}),
        ({"logprobs": 5, "best_of": 3, "prompt": "p"}, {"best_of": 1, "prompt": "p"}),
        ({"include": ["message.output_text.logprobs", "reasoning.encrypted_content"]},
         {"include": ["reasoning.encrypted_content"]}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning": {"effort": "low"}}),
        ({"include_reasoning": True}, {"include_reasoning": False}),
        ({"reasoning_format": "none"}, {}),
        ({"extra_body": {"prompt_logprobs": 1, "seed": 2}}, {"extra_body": {"seed": 2}}),
        ({"n_probs": 5, "post_sampling_probs": True, "return_hidden_states": True}, {}),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}, "model": "m"}, None),
    ],
)  # fmt: skip
def test_withheld_requests_do_not_ask_for_what_is_withheld(body: dict[str, Any], sent: dict[str, Any] | None) -> None:
    assert _begin("withhold").edit_request(body) == sent


# ---- round ----


@given(st.lists(LOGPROB, min_size=1, max_size=20))
def test_rounded_probabilities_have_seventeen_levels_and_one_alternative(tops: list[float]) -> None:
    tops = sorted(tops, reverse=True)
    answer = {"choices": [{"index": 0, "logprobs": {"content": [shapes.entry("a", tops[0], tuple(tops))]}}]}
    position = _positions(_begin("round").edit_answer(answer))[0]
    assert len(position["top_logprobs"]) == 1 and position["top_logprobs"][0]["token"] == "a"
    for after in (position["logprob"], position["top_logprobs"][0]["logprob"]):
        assert after in {-i / 2 for i in range(17)}
        assert after == -8.0 or abs(after - tops[0]) <= 0.25


def test_rounded_requests_ask_for_one_alternative() -> None:
    begin = _begin("round")
    assert begin.edit_request({"logprobs": True, "top_logprobs": 20}) == {"logprobs": True, "top_logprobs": 1}
    assert begin.edit_request({"logprobs": 5}) == {"logprobs": 1}
    assert begin.edit_request({"logprobs": True, "top_logprobs": 0}) is None


# ---- perturb ----


def _perturbed(tops: list[float], own: int, key: bytes = KEY, request_id: str = "r") -> tuple[float, list[float]]:
    listed = [{"token": f"t{i}", "logprob": x} for i, x in enumerate(tops)]
    answer = {
        "choices": [{"logprobs": {"content": [{"token": f"t{own}", "logprob": tops[own], "top_logprobs": listed}]}}]
    }
    position = _begin("perturb", request_id, key).edit_answer(answer)["choices"][0]["logprobs"]["content"][0]
    return position["logprob"], [one["logprob"] for one in position["top_logprobs"]]


@st.composite
def distributions(draw: st.DrawFn) -> list[float]:
    """Log-probabilities of the likeliest tokens of some distribution, in any order."""
    weights = np.array(draw(st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=20)))
    listed = np.log(weights / (weights.sum() * draw(st.floats(1.0, 1.5))))
    return [min(float(x), 0.0) for x in listed]


@given(distributions(), st.integers(0, 19))
def test_perturbing_keeps_order_first_choice_ties_and_a_sum_of_at_most_one(tops: list[float], own: int) -> None:
    own %= len(tops)
    number, after = _perturbed(tops, own)
    assert number == after[own]
    assert int(np.argmax(after)) == int(np.argmax(tops)) or math.isclose(max(after), after[int(np.argmax(tops))])
    for i in range(len(tops)):
        for j in range(len(tops)):
            if tops[i] > tops[j]:
                assert after[i] >= after[j]
            if tops[i] == tops[j]:
                assert after[i] == after[j]
    assert all(x <= 0.0 for x in after) and sum(map(math.exp, after)) <= 1.0


@given(distributions())
def test_perturbed_gaps_are_off_by_the_factor_that_is_stated(tops: list[float]) -> None:
    tops = sorted(set(tops), reverse=True)
    _, after = _perturbed(tops, 0)
    for i in range(1, len(tops)):
        gap, now = tops[i - 1] - tops[i], after[i - 1] - after[i]
        assert 0.5 * gap - 1e-9 <= now <= 1.5 * gap + 1e-9


def test_asking_again_or_for_more_alternatives_gives_nothing_to_average_over() -> None:
    tops = [-0.4, -1.9, -2.6, -4.0, -6.5]
    first = _perturbed(tops, 0)[1]
    for own in range(5):
        assert _perturbed(tops, own, request_id=f"r{own}")[1] == first
    for count in (2, 3, 4):
        gaps, fewer = np.diff(first), np.diff(_perturbed(tops[:count], 0)[1])
        assert np.allclose(gaps[: count - 1], fewer)  # but for one shift of all, the same errors
    jittered = [x + 1e-4 * (-1) ** i for i, x in enumerate(tops)]
    assert np.allclose(_perturbed(jittered, 0)[1], first, atol=1e-3)


def test_without_the_key_the_errors_can_not_be_told_and_with_another_they_are_others() -> None:
    tops = [-0.4, -1.9, -2.6, -4.0, -6.5]
    drawn = np.array([_perturbed(tops, 0, key=bytes([i]) * 32)[1] for i in range(200)])
    stretch = -np.diff(drawn, axis=1) / -np.diff(np.array(tops))
    assert np.all(np.abs(stretch.mean(axis=0) - 1.0) < 0.1) and np.all(stretch.std(axis=0) > 0.2)


def test_the_older_shape_is_perturbed_as_the_newer_one_is() -> None:
    after = _begin("perturb").edit_answer(shapes.completions())["choices"][0]["logprobs"]
    before = shapes.older()
    assert after["tokens"] == before["tokens"] and after["text_offset"] == before["text_offset"]
    assert after["token_logprobs"][0] is None and after["top_logprobs"][0] is None
    for i in (1, 2):
        assert after["top_logprobs"][i][before["tokens"][i]] == after["token_logprobs"][i]
        assert max(after["top_logprobs"][i], key=after["top_logprobs"][i].get) == max(
            before["top_logprobs"][i], key=before["top_logprobs"][i].get
        )
    assert after["token_logprobs"] != before["token_logprobs"]


def test_impossible_tokens_keep_the_number_that_servers_write_for_them() -> None:
    answer = {"choices": [{"logprobs": {"content": [shapes.entry("a", -0.2, (-0.2, -9999.0))]}}]}
    for name in ("round", "perturb"):
        found = _positions(_begin(name).edit_answer(answer))[0]["top_logprobs"]
        assert [one["logprob"] for one in found][1:] in ([], [-9999.0])


def test_the_stated_cost_is_what_a_user_sees_on_spread_and_on_sharp_distributions() -> None:
    """Mean error of the first choice's probability, over keys, as docs/reference/treatments.md states it."""
    rng, errors = np.random.default_rng(3), {}
    for name, spread in (("sharp", 4.0), ("spread", 1.0)):
        found = []
        for i in range(400):
            logits = np.sort(rng.normal(0.0, spread, 50))[::-1]
            tops = [float(x) for x in (logits - np.logaddexp.reduce(logits))[:5]]
            found.append(abs(math.exp(_perturbed(tops, 0, key=bytes([i % 251]) * 32)[1][0]) - math.exp(tops[0])))
        errors[name] = float(np.mean(found))
    assert all(0.03 < error < 0.09 for error in errors.values())
