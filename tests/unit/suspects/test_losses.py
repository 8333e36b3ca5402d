"""A suspect's loss on a text that is given: alike by an endpoint that echoes and by weights, or said not to be told."""

import json
import math

import numpy as np
import numpy.typing as npt
import pytest

from stillwatch.suspects.endpoint import EndpointSuspect, _loss
from stillwatch.suspects.local import WINDOW, LocalSuspect
from stillwatch.suspects.suspect import Refusal, Scorer
from stillwatch.terms.errors import StillwatchError
from tests.twin_rig import WORDS, Student

TEXTS = ["ban dos kit lur", "ban dos kit lur mon", "kit kit kit"]


def test_an_endpoint_that_echoes_tells_the_loss_of_the_answer_alone() -> None:
    with Student(TEXTS) as student:
        suspect = EndpointSuspect(url=f"{student.url}/v1", model="m", wire="completions", logprobs=True)
        assert isinstance(suspect, Scorer) and suspect.scores
        found = suspect.loss("what : ", "ban dos kit lur")
        words = ["", "", "ban", "dos", "kit", "lur"]
        held = [-student.log_p((words[i], words[i + 1]), words[i + 2]) for i in range(4)]
        assert (found.tokens, found.nats) == (4, pytest.approx(math.fsum(held)))
        assert found.mean == pytest.approx(math.fsum(held) / 4) and found.spent == 6
        suspect.close()


@pytest.mark.parametrize(("wire", "logprobs"), [("chat", True), ("completions", False)])
def test_an_endpoint_that_does_not_echo_says_so(wire: str, logprobs: bool) -> None:
    suspect = EndpointSuspect(url="http://127.0.0.1:1/v1", model="m", wire=wire, logprobs=logprobs)
    assert not suspect.scores
    with pytest.raises(StillwatchError, match="tells no losses"):
        suspect.loss("a", "b")


@pytest.mark.parametrize(
    "held",
    [
        None, {}, {"text_offset": [0, 2], "token_logprobs": [None, None]}, {"text_offset": [0], "token_logprobs": []},
        {"text_offset": [0, 2], "token_logprobs": [None, float("-inf")]},
        {"text_offset": [0], "token_logprobs": [-1.0]},
        {"text_offset": "x", "token_logprobs": [1]},
    ],
)  # fmt: skip
def test_an_answer_without_the_probabilities_of_what_was_given_is_refused(held: object) -> None:
    raw = json.dumps({"choices": [{"logprobs": held}]}).encode()
    with pytest.raises(Refusal, match="log-probabilities"):
        _loss(raw, 2, 4)


def test_the_token_that_is_drawn_after_the_text_does_not_count() -> None:
    held = {"text_offset": [0, 2, 3, 4], "token_logprobs": [None, -1.0, -2.0, -40.0]}
    found = _loss(json.dumps({"choices": [{"logprobs": held}]}).encode(), 2, 4)
    assert (found.nats, found.tokens, found.spent) == (3.0, 2, 0)


class Chain:
    """A model whose next token depends on the last one alone."""

    def __init__(self) -> None:
        self.table = np.random.default_rng(3).normal(size=(len(WORDS), len(WORDS)))
        self.longest = 0

    def sample(self, n: int, length: int, seed: int, **more: object) -> npt.NDArray[np.int64]:
        raise NotImplementedError

    def logits(self, contexts: npt.ArrayLike) -> npt.NDArray[np.float64]:
        given = np.asarray(contexts)
        self.longest = max(self.longest, given.shape[1])
        return self.table[given[:, -1]]


def test_weights_tell_the_loss_of_each_token_after_those_before_it() -> None:
    model = Chain()
    suspect = LocalSuspect(
        model=model, name="m", where="w", tokenise=lambda text: [WORDS.index(w) for w in text.split()]
    )
    assert suspect.scores
    log_p = model.table - np.logaddexp.reduce(model.table, axis=1, keepdims=True)
    found = suspect.loss("ban dos ", "kit lur")
    b, c, d = (WORDS.index(one) for one in ("dos", "kit", "lur"))
    assert (found.tokens, found.nats) == (2, pytest.approx(-log_p[b, c] - log_p[c, d]))
    assert suspect.loss("ban " * 200, "dos " * 200).tokens == 200 and model.longest == WINDOW
    with pytest.raises(Refusal):
        suspect.loss("ban dos", "")
    blind = LocalSuspect(model=model, name="m", where="w")
    assert not blind.scores
    with pytest.raises(Refusal):
        blind.loss("a", "b")
