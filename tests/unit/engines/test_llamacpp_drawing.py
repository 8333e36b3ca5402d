"""Drawing a token and putting text together: exact where it can be, independent of how text was cut."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.engines.llamacpp.asked import Asked, unmarkable
from stillwatch.engines.llamacpp.favoured import Favoured
from stillwatch.engines.llamacpp.joined import Joined
from stillwatch.engines.llamacpp.pick import drawn, kept, weighed
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.ring import Epoch

WIDE = Asked(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)
SCORES = st.lists(st.floats(-20, 5), min_size=1, max_size=40).map(np.array)


@given(SCORES, st.floats(0.1, 5.0), st.integers(0, 10), st.floats(0.01, 1.0), st.floats(0.0, 1.0))
def test_what_may_be_drawn_is_what_the_samplers_leave(
    scores: np.ndarray[Any, Any], temperature: float, top_k: int, top_p: float, min_p: float
) -> None:
    places, logits = kept(scores, Asked(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p))
    by_rank = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    chances = np.exp(scores - scores.max())
    within = by_rank[: top_k or None]
    before = np.cumsum([0.0, *chances[within][:-1]]) / chances[within].sum()
    wanted = [i for i, mass in zip(within, before, strict=True) if mass < top_p - 1e-9]
    wanted = [i for i in wanted if chances[i] >= min_p * (1 + 1e-9)] or wanted[:1]
    loose = [
        i for i, mass in zip(within, before, strict=True) if mass < top_p + 1e-9 and chances[i] >= min_p * (1 - 1e-9)
    ]
    assert set(wanted) <= set(places.tolist()) <= set(loose) | set(wanted)
    assert np.allclose(logits, (scores[places] - scores.max()) / temperature)


def test_tokens_come_as_often_as_they_should() -> None:
    scores, rng, n = np.log([0.5, 0.3, 0.15, 0.05]), np.random.default_rng(3), 20_000
    found = np.bincount([drawn(*kept(scores, WIDE), rng) for _ in range(n)], minlength=4) / n
    assert np.abs(found - [0.5, 0.3, 0.15, 0.05]).max() < 5 * np.sqrt(0.25 / n)


def test_temperature_nought_takes_the_likeliest() -> None:
    places, logits = kept(np.array([1.0, 3.0, 2.0]), Asked(temperature=0.0))
    assert (places.tolist(), drawn(places, logits, np.random.default_rng(1))) == ([1], 1)


def test_the_mark_adds_its_strength_to_green_tokens_and_nothing_else() -> None:
    epoch = Epoch(number=1, secret=bytes(32), made=0.0, delta=2.0)
    mark, ids, rng = GreenMark(epoch), np.arange(100), np.random.default_rng(5)
    green = mark.bias_candidates([7], ids)
    chosen = [Favoured(mark).choose([7], ids, np.zeros(100), WIDE, rng) for _ in range(4_000)]
    share = np.exp(2.0) * green.sum() / (np.exp(2.0) * green.sum() + (~green).sum())
    assert abs(green[chosen].mean() - share) < 5 * np.sqrt(share * (1 - share) / 4_000)


def test_where_the_model_is_sure_a_spared_place_is_not_marked() -> None:
    marks = [GreenMark(Epoch(number=1, secret=bytes(32), made=0.0, delta=4.0, spare=spare)) for spare in (0.8, 1.0)]
    ids = np.arange(2)
    greedy, rng = Asked(temperature=0.0), np.random.default_rng(5)
    contexts = [context for context in range(60) if marks[0].bias_candidates([context], ids).tolist() == [False, True]]
    assert contexts
    for context in contexts:
        for chance, marked in ((0.9, 0), (0.6, 1)):
            scores = np.log([chance, 1.0 - chance])
            assert Favoured(marks[0]).choose([context], ids, scores, greedy, rng) == marked
            assert Favoured(marks[1]).choose([context], ids, scores, greedy, rng) == 1


def test_bias_and_penalties_are_those_of_the_request() -> None:
    asked = Asked(bias={5: 1.5}, presence=0.5, frequency=0.25)
    assert weighed(np.array([4, 5, 6]), np.zeros(3), asked, {6: 2}).tolist() == [0.0, 1.5, -1.0]
    scores = np.ones(3)
    assert weighed(np.array([4, 5, 6]), scores, Asked(), {6: 2}) is scores


@given(st.text("abé€😀", max_size=30), st.lists(st.text("abé€", min_size=1, max_size=4), max_size=3), st.data())
def test_text_does_not_depend_on_how_tokens_were_cut(text: str, stops: list[str], data: Any) -> None:
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    joined, out = Joined(tuple(stops)), ""
    for low, high in itertools.pairwise([0, *cuts, len(raw)]):
        if not joined.stopped:
            out += joined.add(raw[low:high])
    out += joined.end()
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    if not ends:
        assert (out, joined.stopped) == (text, False)
    else:
        assert joined.stopped and not any(stop in out for stop in stops) and text.startswith(out)
        first = min(ends)  # a shorter stop text may come later and be whole earlier
        assert len(out) >= first


PLAIN: list[dict[str, Any]] = [
    {"prompt": "x"}, {"prompt": [1, 2]}, {"messages": []}, {"messages": [{"content": [{"type": "text", "text": "x"}]}]},
    {"prompt": "x", "n": 1, "tools": [], "response_format": {"type": "text"}},
]  # fmt: skip


@pytest.mark.parametrize("body", PLAIN)
def test_plain_requests_can_be_marked(body: dict[str, Any]) -> None:
    assert unmarkable(body) == ""
