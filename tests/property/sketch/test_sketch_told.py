"""However conversations run and are cut, nothing that a caller writes stays out of the sketch."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.terms.exchange import Exchange, Message
from tests.unit.sketch.made import NOON, reducer

WORDS = st.sampled_from(["alpha", "beta", "gamma delta", "yes", ""])
MESSAGE = st.builds(Message, role=st.sampled_from(["user", "user", "assistant", "tool", "system"]), text=WORDS)
EXCHANGES = st.builds(
    Exchange,
    time=st.just(NOON),
    account=st.sampled_from(["a", "b"]),
    messages=st.lists(MESSAGE, max_size=6).map(tuple),
    answer=WORDS,
    tools=st.sampled_from(["", '["a description of some length"]', '["another one of the same length"]']),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EXCHANGES, max_size=10), st.integers(0, 10))
def test_the_same_requests_again_give_the_same_rows(exchanges: list[Exchange], cut: int) -> None:
    made = reducer()
    first = made.reduce(exchanges)
    again = [made.reduce(exchanges[:cut]), made.reduce(exchanges[cut:])]
    assert np.concatenate(again).tobytes() == first.tobytes()


@settings(max_examples=150, deadline=None)
@given(st.lists(EXCHANGES, min_size=1, max_size=8), st.lists(MESSAGE, max_size=3), st.sampled_from(["user", "tool"]))
def test_a_word_that_an_account_never_sent_is_in_the_sketch_of_the_request_that_brings_it(
    earlier: list[Exchange], after: list[Message], role: str
) -> None:
    """Wherever in the turns it stands."""
    made = reducer()
    made.reduce(earlier)
    hidden = Message(role=role, text="never sent before")
    for place in range(len(after) + 1):
        messages = (*after[:place], hidden, *after[place:])
        (row,) = made.reduce([Exchange(time=NOON, account="a", messages=messages)])
        bare = made.reduce([Exchange(time=NOON, account="a", messages=tuple(after))])
        assert row["sketch"]["content"] != bare[0]["sketch"]["content"]
        assert row["sketch"]["words"] >= 3
