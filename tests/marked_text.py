"""Text with and without a mark, drawn from a small made-up language, for tests of marks."""

import numpy as np
import numpy.typing as npt

from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.ring import Epoch

VOCAB = 2_000


def an_epoch(seed: int = 0, **settings: object) -> Epoch:
    """Return an epoch with a secret drawn under a seed."""
    secret = np.random.default_rng(seed).bytes(32)
    return Epoch(number=1, secret=secret, made=0.0, **settings)  # type: ignore[arg-type]


def language(vocab: int = VOCAB) -> npt.NDArray[np.float64]:
    """Return log-probabilities of tokens: a few are frequent, most are rare."""
    weights = 1.0 / (np.arange(vocab) + 5.0)
    return np.log(weights / weights.sum())


def innocent(rng: np.random.Generator, tokens: int, vocab: int = VOCAB) -> npt.NDArray[np.int64]:
    """Return unmarked text, shape (tokens,)."""
    return rng.choice(vocab, tokens, p=np.exp(language(vocab)))


def marked(rng: np.random.Generator, tokens: int, epoch: Epoch, account: str = "", campaign: str = "") -> list[int]:
    """Return text that the green mark was put into, for an account in a campaign."""
    mark = GreenMark(epoch, order(epoch, account, campaign))
    logits = language()
    text = [int(rng.integers(VOCAB))]
    for _ in range(tokens - 1):
        biased = logits.copy()
        mark.apply(biased, text)
        text.append(int(np.argmax(biased + rng.gumbel(size=VOCAB))))
    return text


def order(epoch: Epoch, account: str, campaign: str) -> MarkOrder:
    """Return an order for names; empty: nobody."""
    return MarkOrder(
        epoch=epoch.number, account=epoch.tag("account", account) if account else b"",
        campaign=epoch.tag("campaign", campaign) if campaign else b"", until=1e9,
    )  # fmt: skip
