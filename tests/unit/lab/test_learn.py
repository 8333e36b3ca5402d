"""The models that the lab trains: rows of features, the loss, and what is read off pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from stillwatch.lab import picture
from stillwatch.lab.learn.features import hashed
from stillwatch.lab.learn.softmax import PRIOR, empty, fit, low_rank

TEXTS = ["open an account", "close my account", "play a song", "play music now", "what is my balance", "song please"]
LABELS = ("account", "music")
TARGETS = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8], [1.0, 0.0], [0.0, 1.0]])


def test_rows_have_length_one_and_do_not_depend_on_their_neighbours() -> None:
    rows = hashed(TEXTS)
    assert np.allclose(np.sqrt((rows.multiply(rows)).sum(axis=1)), 1.0, atol=1e-6)
    alone = hashed([TEXTS[3]])
    assert (rows[[3]] != alone).nnz == 0


def test_a_fit_stands_where_the_loss_is_flat() -> None:
    """Second route: at the optimum of the stated loss its gradient, worked out densely here, is nought."""
    rows = hashed(TEXTS)
    weight = np.array([1.0, 2.0, 1.0, 1.0, 3.0, 1.0])
    model = fit(rows, TARGETS, empty(LABELS), weight, rounds=2_000)
    dense = rows.toarray().astype(np.float64)
    logs = log_softmax(dense @ model.weights + model.bias, axis=1)
    pull = weight[:, None] * (np.exp(logs) - TARGETS)
    assert np.abs(dense.T @ pull + PRIOR * model.weights).max() < 1e-3
    assert np.abs(pull.sum(axis=0) + PRIOR * model.bias).max() < 1e-3


def test_soft_targets_are_learnt_as_probabilities_and_not_as_labels() -> None:
    rows = hashed(["one text"] * 2)
    model = fit(rows, np.array([[0.7, 0.3], [0.7, 0.3]]), empty(LABELS), np.full(2, 1_000.0), rounds=500)
    assert np.exp(model.log_probabilities(rows))[0, 0] == pytest.approx(0.7, abs=0.01)


def test_nothing_to_learn_gives_back_the_beginning() -> None:
    start = empty(LABELS)
    assert fit(hashed([]), np.zeros((0, 2)), start) is start


def test_a_wider_model_answers_as_before_until_it_is_taught_the_new_labels() -> None:
    model = fit(hashed(TEXTS), TARGETS, empty(LABELS))
    wide = model.widened(("account", "music", "new"))
    rows = hashed(TEXTS)
    assert (wide.log_probabilities(rows).argmax(axis=1) == model.log_probabilities(rows).argmax(axis=1)).all()


def test_logits_of_a_low_rank_model_have_that_rank() -> None:
    rng = np.random.default_rng(1)
    targets = np.eye(5)[rng.integers(5, size=len(TEXTS))]
    rows = hashed(TEXTS)
    model, head = low_rank(fit(rows, targets, empty("abcde")), 2, rows, targets)
    logits = rows.toarray() @ model.weights
    assert head.shape == (2, 5)
    assert np.linalg.matrix_rank(logits, tol=1e-6) <= 2


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8).flatmap(
    lambda word: st.lists(st.just(word), min_size=1, max_size=30)))  # fmt: skip
def test_a_picture_says_what_was_rendered(words: list[str]) -> None:
    text = " ".join(words)
    assert picture.read(picture.render(text)) == text


def test_specks_on_a_picture_do_not_change_what_it_says() -> None:
    import io

    from PIL import Image

    text = "why was my card declined at 9:15 yesterday"
    with Image.open(io.BytesIO(picture.render(text))) as image:
        ink = np.array(image)
    rng = np.random.default_rng(7)
    specks = rng.random(ink.shape) < 0.01
    ink[specks] = 255 - ink[specks]
    out = io.BytesIO()
    Image.fromarray(ink).save(out, "PNG")
    said = picture.read(out.getvalue())
    assert sum(a == b for a, b in zip(said, text, strict=False)) >= len(text) - 2


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.png", picture.PREFIX + "A" * (1 << 21), ""])
def test_only_small_inline_pictures_are_read(url: str) -> None:
    with pytest.raises(ValueError, match="inline"):
        picture.from_url(url)
