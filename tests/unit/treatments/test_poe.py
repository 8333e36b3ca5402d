"""Product of experts: nothing at share 0, the proxy at share 1, a mixture between, and the order that asks for it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.treatments import TREATMENTS, Occasion
from stillwatch.treatments.config import TreatmentConfig
from stillwatch.treatments.marks.order import read_order
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.marks.signer import Marks
from stillwatch.treatments.poe import NgramProxy, product, product_of_candidates

SHARES = st.floats(0.0, 1.0)
LOGITS = st.lists(st.floats(-30.0, 30.0), min_size=2, max_size=40).map(np.array)


def _soft(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits - np.logaddexp.reduce(logits))


@given(LOGITS, SHARES, st.integers(0, 2**32 - 1))
def test_the_product_is_each_distribution_to_its_power(teacher: np.ndarray, share: float, seed: int) -> None:
    proxy = np.random.default_rng(seed).normal(0.0, 3.0, len(teacher))
    expected = _soft(teacher) ** (1.0 - share) * _soft(proxy) ** share
    assert np.allclose(_soft(product(teacher, proxy, share)), expected / expected.sum(), atol=1e-9)


@given(LOGITS, SHARES)
def test_where_both_agree_nothing_changes_and_barred_tokens_stay_barred(teacher: np.ndarray, share: float) -> None:
    assert np.allclose(_soft(product(teacher, teacher, share)), _soft(teacher))
    barred = teacher.copy()
    barred[0] = -np.inf
    mixed = product(barred, np.zeros_like(teacher), share)
    assert np.isneginf(mixed[0]) and not np.isnan(mixed).any()


def test_share_nought_gives_the_teacher_s_own_numbers() -> None:
    teacher = np.array([1.0, 2.0])
    proxy = NgramProxy(np.array([0, 1, 0]), 2)
    assert product(teacher, np.zeros(2), 0.0) is teacher
    assert product_of_candidates(np.array([0, 1]), teacher, proxy, np.array([0]), 0.0) is teacher


def test_candidates_are_mixed_as_the_whole_vocabulary_is() -> None:
    rng = np.random.default_rng(4)
    proxy = NgramProxy(rng.integers(0, 50, 5_000), 50)
    context, teacher = np.array([3, 9, 4]), rng.normal(0.0, 2.0, 50)
    ids = np.argsort(-teacher)[:10]
    whole = product(teacher, proxy.logits(context), 0.4)
    assert np.allclose(product_of_candidates(ids, teacher[ids], proxy, context, 0.4), whole[ids])


@given(st.lists(st.integers(0, 9), max_size=40), st.lists(st.integers(0, 9), max_size=4))
def test_an_ngram_proxy_gives_a_distribution_after_any_context(corpus: list[int], context: list[int]) -> None:
    p = np.exp(NgramProxy(np.array(corpus, dtype=np.int64), 10).logits(np.array(context, dtype=np.int64)))
    assert np.isfinite(np.log(p)).all() and abs(p.sum() - 1.0) < 1e-9


def test_a_proxy_knows_what_its_corpus_says() -> None:
    proxy = NgramProxy(np.array([1, 2, 3] * 50), 10)
    assert int(np.argmax(proxy.logits(np.array([1, 2])))) == 3
    assert int(np.argmax(proxy.logits(np.array([7, 3])))) == 1


def test_the_engine_is_told_the_share_in_a_signed_order_and_clients_cannot_make_one() -> None:
    ring = Ring.new(b"r" * 32, 0.0, vocab=1024)
    occasion = Occasion(
        key=b"k" * 32, account="a", campaign="c", now=5.0, endpoint="chat", marks=Marks(ring),
        config=TreatmentConfig(experts_share=0.25),
    )  # fmt: skip
    treatment = TREATMENTS.get("experts").begin(occasion)
    assert treatment is not None
    sent = treatment.edit_request({"model": "m", "messages": []})
    assert sent is not None
    order = read_order(sent["vllm_xargs"]["stillwatch_mark"], ring, 5.0)
    assert order.proxy_share == 0.25 and order.campaign and order.account
    assert TREATMENTS.get("experts").begin(Occasion(key=b"k" * 32, account="a", endpoint="chat")) is None
