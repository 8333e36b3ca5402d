"""Several references are one: their probabilities are averaged, and what each got wrong by itself matters less."""

from typing import Any

import numpy as np

from stillwatch.suspects.local import MeanModel


class Told:
    """A model that always says the same."""

    def __init__(self, logits: Any) -> None:
        self._logits = np.asarray(logits, float)

    def sample(self, n: int, length: int, seed: int, *, temperature: float = 1.0, prompts: Any = None) -> Any:
        return np.full((n, length), int(self._logits.argmax()))

    def logits(self, contexts: Any) -> Any:
        return np.tile(self._logits, (len(contexts), 1))


def test_the_mean_is_that_of_probabilities_whatever_constant_each_model_adds() -> None:
    one, other = Told(np.log([0.5, 0.25, 0.25]) + 7.0), Told(np.log([0.1, 0.8, 0.1]) - 3.0)
    mean = np.exp(MeanModel((one, other)).logits([[1], [2]]))
    np.testing.assert_allclose(mean, np.tile([0.3, 0.525, 0.175], (2, 1)))
    np.testing.assert_allclose(np.exp(MeanModel((one,)).logits([[1]])), [[0.5, 0.25, 0.25]])
    assert MeanModel((one, other)).sample(2, 3, 0).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_an_average_of_references_is_nearer_to_the_truth_than_each() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(size=200)
    models = tuple(Told(truth + 0.3 * rng.normal(size=200)) for _ in range(3))
    exact = np.exp(truth - np.logaddexp.reduce(truth))

    def off(logits: Any) -> float:
        return float(np.square(np.exp(logits - np.logaddexp.reduce(logits)) - exact).sum())

    assert off(MeanModel(models).logits([[0]])[0]) < min(off(one.logits([[0]])[0]) for one in models)
