"""However a list of exchanges is split over calls, every row keeps every bit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.sketch.keys import EPOCH_SECONDS
from stillwatch.terms.event import empty_events
from stillwatch.terms.exchange import Exchange, Message
from tests.unit.sketch.made import NOON, reducer

TEXT = st.one_of(
    st.text(max_size=80),
    st.text(st.characters(codec=None), max_size=40),
    st.lists(
        st.sampled_from("step by rubric <think> naïve 你好 12 - # . ? \n the rewrite".split(" ")), max_size=300
    ).map(" ".join),
)
SYSTEM = st.builds(Message, role=st.sampled_from(["system", "developer"]),
                   text=st.sampled_from(["Be brief.", "Be brief. " * 40, "Today is 1 May."]))  # fmt: skip
"""System texts repeat, so that rows are made from what is remembered too."""
EXCHANGES = st.builds(
    Exchange,
    time=st.sampled_from([NOON, NOON + EPOCH_SECONDS, NOON + 0.6 * EPOCH_SECONDS]),
    account=st.sampled_from(["a", "b"]),
    address=st.sampled_from(["", "8.8.8.8", "2606:4700::1", "10.1.1.1", "?"]),
    agent=st.sampled_from(["", "OpenAI/Python 3.1", "curl/8"]),
    parameters=st.dictionaries(st.sampled_from(["n", "seed", "logprobs"]), st.sampled_from([0, 1.0, True, "x"])),
    messages=st.lists(
        SYSTEM | st.builds(Message, role=st.sampled_from(["system", "user", "assistant", "tool"]), text=TEXT),
        max_size=5,
    ).map(tuple),
    answer=TEXT,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EXCHANGES, max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_any_split_gives_identical_rows(exchanges: list[Exchange], cuts: list[int]) -> None:
    whole = reducer().reduce(exchanges)
    bounds = [0, *sorted(min(cut, len(exchanges)) for cut in cuts), len(exchanges)]
    one = reducer()
    parts = [one.reduce(exchanges[low:high]) for low, high in zip(bounds[:-1], bounds[1:], strict=True)]
    assert np.concatenate([empty_events(), *parts]).tobytes() == whole.tobytes()
