"""The small language model: it learns, goes on where it was broken off, and samples what its logits say."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; run `make test-torch`")

from stillwatch.lab.neural.languagemodel import LanguageModel, Training  # noqa: E402
from stillwatch.lab.wordteacher import WordTeacher, corpus_texts, word_ids  # noqa: E402
from stillwatch.terms.errors import StillwatchError  # noqa: E402

VOCAB = 64


@pytest.fixture(scope="module")
def chain() -> np.ndarray:
    """A first-order chain: each token is followed by one of two."""
    rng = np.random.default_rng(1)
    out = np.empty((200, 60), np.int64)
    out[:, 0] = rng.integers(VOCAB, size=200)
    for place in range(1, 60):
        out[:, place] = (3 * out[:, place - 1] + rng.integers(2, size=200)) % VOCAB
    return out


@pytest.fixture(scope="module")
def trained(chain: np.ndarray) -> LanguageModel:
    model = LanguageModel.fresh(VOCAB, 1, width=48)
    model.train(chain[50:], Training(steps=150, seed=1, rate=1e-2, batch=16))
    return model


def test_it_learns_a_chain_of_one_bit_a_token(trained: LanguageModel, chain: np.ndarray) -> None:
    lost = -trained.logprobs(chain[:50])[:, 4:].mean()
    assert np.log(2.0) - 0.02 < lost < np.log(2.0) + 0.15


def test_what_it_writes_follows_the_chain(trained: LanguageModel) -> None:
    said = trained.sample(100, 40, seed=2)
    assert said.shape == (100, 40)
    steps = (said[:, 1:] - 3 * said[:, :-1]) % VOCAB
    assert (steps <= 1).mean() > 0.9
    assert np.array_equal(said, trained.sample(100, 40, seed=2))
    assert not np.array_equal(said, trained.sample(100, 40, seed=3))


def test_logprobs_are_those_of_the_logits_at_each_context(trained: LanguageModel, chain: np.ndarray) -> None:
    logits = trained.logits(chain[:8, :11])
    expected = torch.log_softmax(torch.from_numpy(logits), -1).numpy()[np.arange(8), chain[:8, 11]]
    assert np.allclose(trained.logprobs(chain[:8, :12])[:, -1], expected, atol=0.02)


def test_a_table_is_taken_from_all_that_the_model_says(
    trained: LanguageModel, chain: np.ndarray, tmp_path: Path
) -> None:
    table = np.random.default_rng(3).normal(0.0, 2.0, (VOCAB, VOCAB)).astype(np.float32)
    table[:, 7] = 1e4  # so that 7 is never said
    less, contexts = trained.less(table), chain[:8, :11]
    wanted = trained.logits(contexts) - table[contexts[:, -1]]
    assert np.allclose(less.logits(contexts), wanted)
    whole, plain = (np.concatenate(list(one.everywhere(contexts))) for one in (less, trained))
    assert np.allclose(whole, plain - table[contexts], atol=1e-3)
    told = torch.log_softmax(torch.from_numpy(wanted), -1).numpy()[np.arange(8), chain[:8, 11]]
    assert np.allclose(less.logprobs(chain[:8, :12])[:, -1], told, rtol=1e-3, atol=0.02)
    assert 7 not in less.sample(50, 20, seed=2) and 7 in trained.sample(50, 20, seed=2)
    less.save(tmp_path / "less.pt")
    assert np.array_equal(LanguageModel.load(tmp_path / "less.pt").logits(contexts), less.logits(contexts))
    assert np.array_equal(trained.less(None).logits(contexts), trained.logits(contexts))


def test_samples_have_the_frequencies_that_the_logits_promise(trained: LanguageModel) -> None:
    said = trained.sample(4_000, 1, seed=5, prompts=np.tile([[5, 15, 45]], (4_000, 1)))[:, 0]
    promised = torch.softmax(torch.from_numpy(trained.logits([[5, 15, 45]])[0]), -1).numpy()
    likeliest = int(promised.argmax())
    share = float(promised[likeliest])
    # Five standard deviations of a binomial share.
    assert abs((said == likeliest).mean() - share) < 5.0 * np.sqrt(share * (1 - share) / 4_000) + 1e-3


def test_a_run_that_was_broken_off_ends_as_one_that_was_not(chain: np.ndarray, tmp_path: Path) -> None:
    class Broken(Exception):
        pass

    def stop(done: int, _steps: int, _loss: float) -> None:
        if done >= 125:
            raise Broken

    how, file = Training(steps=150, seed=3, batch=4), tmp_path / "run.pt"
    whole, broken = (LanguageModel.fresh(VOCAB, 2, width=16) for _ in range(2))
    whole.train(chain, how)
    with pytest.raises(Broken):
        broken.train(chain, how, progress=stop, resume=file)
    again = LanguageModel.fresh(VOCAB, 9, width=16)
    again.train(chain, how, resume=file)
    assert np.array_equal(again.logits([[1, 2]]), whole.logits([[1, 2]]))
    assert not file.exists()


def test_a_model_file_gives_the_model_back(trained: LanguageModel, tmp_path: Path) -> None:
    trained.save(tmp_path / "model.pt")
    assert np.array_equal(LanguageModel.load(tmp_path / "model.pt").logits([[1, 2]]), trained.logits([[1, 2]]))
    with pytest.raises(StillwatchError, match=r"other\.pt: is not there"):
        LanguageModel.load(tmp_path / "other.pt")


def test_a_copy_learns_alone(trained: LanguageModel, chain: np.ndarray) -> None:
    before = trained.logits([[1, 2]])
    trained.copy().train(chain, Training(steps=2, seed=1))
    assert np.array_equal(trained.logits([[1, 2]]), before)


def test_ids_outside_the_vocabulary_are_refused() -> None:
    with pytest.raises(StillwatchError, match="must lie in 0 to 63"):
        LanguageModel.fresh(VOCAB, 1, width=16).train([1, 2, 64], Training(steps=1))


def test_it_comes_near_to_the_word_teacher() -> None:
    teacher = WordTeacher.of(word_ids(list(corpus_texts())[:3_000], 128), 128)
    text = teacher.sample(150, 100, np.random.default_rng(1))
    model = LanguageModel.fresh(128, 1, width=64)
    model.train(text, Training(steps=150, seed=1, rate=1e-2))
    held = teacher.sample(20, 100, np.random.default_rng(2))
    lost = -model.logprobs(held)[:, 2:].mean()
    contexts = np.stack((held[:, 1:-2], held[:, 2:-1]), -1).reshape(-1, 2)
    own = -teacher.logits(contexts)[np.arange(len(contexts)), held[:, 3:].ravel()].mean()
    single = np.bincount(text.ravel(), minlength=128) + 1.0
    rough = -np.log(single / single.sum())[held[:, 3:].ravel()].mean()
    assert own - 0.02 < lost < own + 0.5 * (rough - own)
