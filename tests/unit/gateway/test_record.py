"""A request that is too large to be kept still says what was asked, whatever its sender pads it with."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.gateway.shortened import shortened

LIMIT = 4_096
QUESTION = "How heavy is stone number 1?"
TURN = {"role": "user", "content": QUESTION}


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def tree(depth: int, names: bool = False) -> Any:
    if not depth:
        return "leaf"
    inner = tree(depth - 1, names)
    return {f"k{n}": inner for n in range(8)} if names else [inner] * 8


@pytest.mark.parametrize(
    "pad",
    [
        {"pad": "x" * 100_000}, {"pad": [0] * 50_000}, {f"pad{n}": n for n in range(20_000)}, {"pad": nested(900)},
        {"pad": tree(6)}, {"pad": tree(5, names=True)}, {"model": "m" * 100_000}, {"tools": [{"x": "y" * 99}] * 2_000},
    ],
    ids=["text", "numbers", "names", "deep", "tree", "tree of names", "model", "tools"],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_padding_hides_nothing_of_what_was_asked(pad: dict[str, Any], first: bool) -> None:
    body = {**pad, "messages": [TURN]} if first else {"messages": [TURN], **pad}
    made = shortened(body, LIMIT)
    assert len(made) <= LIMIT
    assert json.loads(made)["messages"][-1] == TURN


@pytest.mark.parametrize(
    "turn",
    [
        {**{f"pad{n}": n for n in range(5_000)}, **TURN},
        {**TURN, "pad": nested(900)},
        {"pad": tree(5, names=True), **TURN},
        {**TURN, "pad": tree(6)},
    ],
    ids=["names", "deep", "tree of names", "tree"],
)
def test_padding_inside_a_turn_hides_nothing(turn: dict[str, Any]) -> None:
    made = shortened({"messages": [turn]}, LIMIT)
    said = json.loads(made)["messages"][-1]
    assert len(made) <= LIMIT and said["role"] == "user" and said["content"] and QUESTION.startswith(said["content"])


def test_of_many_turns_the_newest_stay() -> None:
    made = json.loads(shortened({"messages": [{"role": "user", "content": f"turn {n}"} for n in range(9_000)]}, LIMIT))
    assert made["messages"][-1] == {"role": "user", "content": "turn 8999"}
    assert made["messages"][0] == {"role": "user", "content": "turn 0"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=90), inner, max_size=6),
    max_leaves=60,
)


@settings(max_examples=60, deadline=None)
@given(
    body=st.dictionaries(st.sampled_from("model messages input prompt tools x y z".split()), JSON),
    times=st.integers(1, 99),
)
def test_what_is_kept_is_within_the_bound_and_json(body: dict[str, Any], times: int) -> None:
    made = shortened({name: [value] * times for name, value in body.items()}, 1_024)
    assert len(made) <= 1_024 and isinstance(json.loads(made), dict)
