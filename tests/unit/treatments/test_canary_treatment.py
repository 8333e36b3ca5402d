"""The canary treatment: the line in the system prompt, the edit of the answer, and the same bytes everywhere else."""

import copy
from typing import Any

import pytest

from stillwatch.treatments import TREATMENTS, Occasion, Treatment
from stillwatch.treatments.canaries.carry import MOST_LINES
from stillwatch.treatments.config import TreatmentConfig
from tests.conformance import answers_with_probabilities as shapes
from tests.planted_canaries import canaries

EVERY = canaries()
ASK = "Write a short story about a girl in a garden."
EXAMPLE = "Suppose Sarah has a garden. Sarah's garden is big. Imagine Tom has none."


def begin(endpoint: str = "chat", planted: Any = EVERY, **config: Any) -> Treatment:
    occasion = Occasion(
        key=b"k" * 32, account="a1", endpoint=endpoint, canaries=planted, config=TreatmentConfig(**config)
    )
    begun = TREATMENTS.get("canary").begin(occasion)
    assert begun is not None
    return begun


def chat(text: str = ASK, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def value_of(name: str) -> str:
    return next(one.value for one in EVERY if one.template.name == name)


def said_in(text: str) -> list[str]:
    """Which of the canaries that fit `ASK` a text carries."""
    return [name for name in ("name-gardener", "name-hero", "constant-trees", "order-garden") if value_of(name) in text]


def answer(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def chunks(text: str, size: int) -> list[dict[str, Any]]:
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    events = [{"choices": [{"index": 0, "delta": {"content": part}, "finish_reason": None}]} for part in parts]
    return [*events, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]


def test_a_fitting_request_says_the_values_at_the_end_of_the_system_prompt_and_leaves_the_caller_alone() -> None:
    body = chat()
    before = copy.deepcopy(body)
    sent = begin().edit_request(body)
    assert sent is not None and body == before
    system, user = sent["messages"]
    assert user is body["messages"][0] and system["role"] == "system"
    assert len(said_in(system["content"])) == MOST_LINES == len(system["content"].splitlines()) - 1
    given = chat()
    given["messages"].insert(0, {"role": "system", "content": "You are kind."})
    sent = begin().edit_request(given)
    assert sent is not None and sent["messages"][0]["content"].startswith("You are kind.\n\nFor free choices only")


@pytest.mark.parametrize(
    ("endpoint", "body", "field"),
    [
        ("messages", {"messages": [{"role": "user", "content": ASK}], "max_tokens": 9}, "system"),
        ("messages", {"messages": [{"role": "user", "content": ASK}], "system": "Be kind."}, "system"),
        (
            "messages",
            {"messages": [{"role": "user", "content": ASK}], "system": [{"type": "text", "text": "x"}]},
            "system",
        ),
        ("responses", {"input": ASK}, "instructions"),
        ("responses", {"input": ASK, "instructions": "Be kind."}, "instructions"),
    ],
)
def test_every_protocol_has_its_place_for_them(endpoint: str, body: dict[str, Any], field: str) -> None:
    sent = begin(endpoint).edit_request(body)
    assert sent is not None and {k: v for k, v in sent.items() if k != field} == {
        k: v for k, v in body.items() if k != field
    }
    said = sent[field] if isinstance(sent[field], str) else sent[field][-1]["text"]
    assert len(said_in(said)) == MOST_LINES


def test_each_canary_gets_its_turn_and_the_same_request_always_the_same() -> None:
    carried = []
    for number in range(40):
        body = chat(f"{ASK} It has a cat{' and a cat' * number}.")
        first, again = begin().edit_request(body), begin().edit_request(body)
        assert first is not None and first == again
        carried += said_in(first["messages"][0]["content"])
    assert min(carried.count(name) for name in set(carried)) > 10 and len(set(carried)) == 4


def test_nothing_is_said_twice_nor_where_the_value_stands_already() -> None:
    named = chat()
    named["messages"] = [
        *named["messages"],
        {"role": "assistant", "content": value_of("name-hero")},
        *named["messages"],
    ]
    sent = begin().edit_request(named)
    assert sent is not None and "name-hero" not in said_in(sent["messages"][0]["content"])
    few = tuple(one for one in EVERY if one.template.name in ("name-hero", "order-garden"))
    once = begin(planted=few).edit_request(chat())
    assert once is not None and begin(planted=few).edit_request(once) is None


def test_a_request_without_occasion_and_an_account_without_canaries_keep_request_and_answer() -> None:
    for planted, body in ((EVERY, chat("hello")), (EVERY, chat("Write SQL for a garden.")), ((), chat())):
        one = begin(planted=planted)
        assert one.edit_request(body) is None
        for said in (answer(EXAMPLE), *shapes.every_answer()):
            assert one.edit_answer(said) is said
            assert [id(event) for event in one.edit_event(said)] == [id(said)]


@pytest.mark.parametrize("size", [1, 2, 5, 400])
def test_stand_in_names_of_an_answer_become_the_canaries_whole_and_streamed(size: int) -> None:
    she, he = value_of("name-teacher"), value_of("name-gardener")
    body = chat("Give me a simple example of a teacher in a garden.")
    expected = EXAMPLE.replace("Sarah", she).replace("Tom", he)
    one = begin()
    one.edit_request(body)
    assert one.edit_answer(answer(EXAMPLE))["choices"][0]["message"]["content"] == expected
    one = begin()
    one.edit_request(body)
    events = [after for event in chunks(EXAMPLE, size) for after in one.edit_event(event)]
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == expected
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


def test_text_beside_probabilities_and_conversations_that_the_upstream_keeps_are_not_edited() -> None:
    one = begin()
    one.edit_request(chat())
    said = answer("Suppose Tom has a garden.")
    said["choices"][0]["logprobs"] = {"content": shapes.entries()}
    assert one.edit_answer(said) is said
    kept = begin("responses")
    kept.edit_request({"input": ASK})
    item = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Suppose Tom has a garden."}],
    }
    whole = {"object": "response", "status": "completed", "output": [item]}
    assert kept.edit_answer(whole) is whole
    free = begin("responses")
    free.edit_request({"input": ASK, "store": False})
    assert free.edit_answer(whole) != whole


def test_models_that_take_no_system_prompt_are_left_alone_and_names_still_edited() -> None:
    one = begin(canary_by_prompt=False)
    assert one.edit_request(chat()) is None
    assert said_in(str(one.edit_answer(answer("Suppose Tom has a garden."))))
    bare = begin("completions")
    assert bare.edit_request({"prompt": ASK}) is None


def test_nothing_of_a_canary_shows_in_a_repr() -> None:
    one = begin()
    one.edit_request(chat())
    assert all(canary.value not in repr(one) for canary in EVERY)
