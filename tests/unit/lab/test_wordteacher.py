"""The word teacher: its logits are a distribution, its text follows it, and marks go in as an engine puts them in."""

from typing import Any

import numpy as np
import pytest

from stillwatch.lab.markedrows import GreenRows, GumbelRows
from stillwatch.lab.wordteacher import OTHER, WordTeacher, drawn, word_ids
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.gumbel import GumbelMark
from stillwatch.treatments.marks.order import MarkOrder
from tests.marked_text import an_epoch, order

VOCAB = 40


@pytest.fixture(scope="module")
def teacher() -> WordTeacher:
    rng = np.random.default_rng(1)
    return WordTeacher.of(np.minimum(rng.geometric(0.1, size=4_000), VOCAB) - 1, VOCAB)


def orders(epoch: Any) -> list[MarkOrder | None]:
    return [order(epoch, "acme", ""), None, order(epoch, "other", "ring"), order(epoch, "", "")]


def test_words_are_ranked_and_the_rest_is_one_token() -> None:
    ids = word_ids(["one two two", "two one three"], 4)
    assert ids.tolist() == [2, 1, 1, 3, 1, 2, OTHER, 3]


def test_every_context_has_a_whole_distribution_without_unknown_words(teacher: WordTeacher) -> None:
    contexts = np.stack(np.meshgrid(np.arange(VOCAB), np.arange(VOCAB)), -1).reshape(-1, 2)
    chances = np.exp(teacher.logits(contexts))
    assert np.allclose(chances.sum(1), 1.0, atol=1e-4)
    assert (chances[:, OTHER] == 0.0).all() and (chances[:, 1:] > 0.0).all()


def test_a_trigram_that_was_seen_weighs_as_witten_and_bell_say() -> None:
    teacher = WordTeacher.of(np.array([1, 2, 3, 1, 2, 3, 1, 2, 1]), 4)
    chances = np.exp(teacher.logits([[1, 2]]))[0]
    # After 1 2 came 3 twice and 1 once: two kinds in three places, so the bigram weighs 2 / 5.
    below = np.exp(teacher.logits([[3, 2]]))[0]
    assert chances == pytest.approx(0.4 * below + np.array([0.0, 0.2, 0.0, 0.4]), abs=1e-6)


def test_tokens_are_drawn_with_the_chances_of_the_logits() -> None:
    chances = np.array([0.0, 0.1, 0.2, 0.7])
    with np.errstate(divide="ignore"):
        logits = np.tile(np.log(chances).astype(np.float32), (20_000, 1))
    shares = np.bincount(drawn(logits, np.random.default_rng(1)), minlength=4) / 20_000
    assert shares[0] == 0.0
    # Five standard deviations of a binomial share.
    assert (np.abs(shares - chances) <= 5.0 * np.sqrt(chances * (1 - chances) / 20_000)).all()


@pytest.mark.parametrize("settings", [{"width": 1}, {"width": 2}, {"width": 1, "spare": 0.3}])
def test_green_rows_are_those_of_the_engine_mark(teacher: WordTeacher, settings: dict[str, Any]) -> None:
    epoch = an_epoch(4, **settings)
    rows, marked = GreenRows(epoch, orders(epoch), VOCAB), orders(epoch)
    text = teacher.sample(4, 12, np.random.default_rng(2), hook=rows)
    for place in range(12):
        logits = teacher.logits(np.concatenate((np.full((4, 2), 3), text), axis=1)[:, place : place + 2])
        ours = logits.copy()
        rows(ours, text[:, :place], np.arange(4))
        for row, asked in enumerate(marked):
            if asked is not None:
                GreenMark(epoch, asked).apply(logits[row], text[row, :place].tolist())
        assert np.array_equal(ours, logits)


def test_keyed_rows_are_those_of_the_engine_mark(teacher: WordTeacher) -> None:
    epoch = an_epoch(4, scheme="gumbel", width=2)
    rows = GumbelRows(epoch, orders(epoch), seed=1)
    logits = teacher.logits(np.full((4, 2), 3))
    said = np.array([[5, 6, 7]] * 4)
    drawn_now = rows(logits, said, np.arange(4))
    for row, asked in enumerate(orders(epoch)):
        if asked is not None:
            mark = GumbelMark(epoch, asked)
            keys = {mark.answer().pick(logits[row], [5, 6, 7], np.random.default_rng(seed)) for seed in range(40)}
            assert int(drawn_now[row]) in keys and len(keys) <= 2


def test_rows_of_another_scheme_are_refused() -> None:
    with pytest.raises(StillwatchError, match="needs `green`"):
        GreenRows(an_epoch(1, scheme="gumbel"), [None], VOCAB)


def test_rows_show_no_keys() -> None:
    epoch = an_epoch(4)
    assert repr(GreenRows(epoch, orders(epoch), VOCAB)) == "GreenRows(epoch=1, texts=4)"
