"""Orders for `experts`: the proxy is mixed in before the mark, as much as is ordered, or is said to be missing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.engines.llamacpp import __main__ as engine
from stillwatch.engines.llamacpp import proxy as making
from stillwatch.engines.llamacpp.model import Model
from stillwatch.engines.llamacpp.orders import Orders
from stillwatch.engines.llamacpp.proxy import Mixture, load_proxy, save_proxy
from stillwatch.engines.llamacpp.server import MarkingServer
from stillwatch.engines.ringfile import RingFile
from stillwatch.forensics.marks.green import GreenText, read_owner
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.order import FIELD, NAME, MarkOrder, sign
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.poe import NgramProxy
from tests.fake_llamacpp import END, KEY, fake_llama

CORPUS = np.frombuffer(b"the cat sat on the mat and the hen sat on the hat " * 4, np.uint8).astype(np.int64)
PROXY = NgramProxy(CORPUS, 256)
RING = Ring.new(bytes(range(32)), 0.0, delta=4.0, vocab=256)
FAINT = Ring.new(bytes(range(32)), 0.0, delta=1e-6, vocab=256)
OWNER = RING.current.tag("account", "acme")
IDS = np.array([ord("a"), ord("h"), ord("e"), ord("z"), END])
LOG_P = np.log([0.2, 0.1, 0.05, 0.4, 0.25])
CONTEXT = np.array([ord(" "), ord("t")])


def order(share: float, ring: Ring) -> dict[str, Any]:
    made = MarkOrder(epoch=1, account=OWNER, until=1e12, proxy_share=share)
    return {FIELD: {NAME: sign(made, ring)}}


def texts(folder: Path, share: float, *, ring: Ring = RING, proxy: Any = PROXY, **more: Any) -> tuple[list[str], Any]:
    """Return eight answers by a server with a proxy, and what was counted."""
    (folder / "ring.json").write_bytes(ring.to_json())

    async def asked() -> tuple[list[str], Any]:
        with fake_llama() as fake:
            async with aiohttp.ClientSession(headers={"authorization": f"Bearer {KEY}"}) as session:
                orders = Orders(RingFile(folder / "ring.json"), proxy)
                async with MarkingServer(Model(session, fake.url), orders).listening("127.0.0.1", 0) as url:
                    found = []
                    for seed in range(8):
                        body = {"prompt": "x", "max_tokens": 60, "temperature": 1, "min_p": 0, "seed": seed, **more}
                        path = url + "/v1/completions"
                        async with session.post(path, json={**body, **order(share, ring)}) as answer:
                            found.append(str((await answer.json())["choices"][0]["text"]))
                    return found, orders.counts

    return asyncio.run(_within(asked))


async def _within(asked: Callable[[], Awaitable[tuple[list[str], Any]]]) -> tuple[list[str], Any]:
    return await asyncio.wait_for(asked(), 60)


def proxy_nats(found: list[str]) -> float:
    """Return how surprising texts are to the proxy, nats a token."""
    rows = [np.frombuffer(text.encode(), np.uint8).astype(np.int64) for text in found]
    return -float(np.mean([PROXY.logits(row[:i])[row[i]] for row in rows for i in range(2, len(row))]))


def test_a_share_of_nought_changes_nothing(tmp_path: Path) -> None:
    assert Mixture(PROXY, 0.0).scores(IDS, LOG_P, CONTEXT, [END]) is LOG_P
    with_proxy, counts = texts(tmp_path, 0.0)
    assert with_proxy == texts(tmp_path, 0.0, proxy=None)[0] and counts == {"marked": 8}


def test_a_share_of_one_is_the_proxys_order_among_what_the_model_lists() -> None:
    mixed = Mixture(PROXY, 1.0).scores(IDS, LOG_P, CONTEXT, [END])
    theirs = PROXY.logits(CONTEXT)[IDS[:-1]]
    assert np.allclose(np.diff(mixed[:-1]), np.diff(theirs))
    assert mixed[:-1].argmax() == 1  # after " t" the corpus has "h" alone, which the model ranks third


@given(st.floats(0.0, 1.0), st.integers(0, 4))
def test_ends_and_tokens_that_the_proxy_does_not_know_stay_as_likely_as_they_are(share: float, unknown: int) -> None:
    ids = IDS.copy()
    ids[:unknown] += 1_000
    mixed = Mixture(PROXY, share).scores(ids, LOG_P, CONTEXT, [END])
    assert np.array_equal(mixed[:unknown], LOG_P[:unknown]) and mixed[-1] == LOG_P[-1]
    assert np.isclose(np.exp(mixed).sum(), np.exp(LOG_P).sum())


def test_the_larger_the_share_the_more_an_answer_is_what_the_proxy_would_say(tmp_path: Path) -> None:
    found = [proxy_nats(texts(tmp_path, share, ring=FAINT)[0]) for share in (0.0, 0.3, 0.9)]
    assert found[0] > found[1] + 0.1 > found[2] + 0.2


def test_what_the_request_adds_and_its_samplers_come_after_the_proxy(tmp_path: Path) -> None:
    found, _ = texts(tmp_path, 1.0, ring=FAINT, temperature=0, logit_bias={str(ord("q")): 1_000})
    assert set("".join(found)) == {"q"}
    found, _ = texts(tmp_path, 1.0, ring=FAINT, temperature=0)
    assert "the " in found[0] and len(set(found)) == 1


def test_a_mixed_answer_carries_the_accounts_mark(tmp_path: Path) -> None:
    found, counts = texts(tmp_path, 0.3)
    text = TokenText.of([np.frombuffer(one.encode(), np.uint8).astype(np.int64) for one in found])
    readings = read_owner(GreenText.of(text, RING.current), np.random.default_rng(1), account=OWNER)
    assert {one.key_name: one for one in readings}["all tiers, no campaign"].log10_p < -8
    assert counts == {"marked": 8}


def test_without_a_proxy_the_answer_is_only_marked_and_that_is_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found, counts = texts(tmp_path, 0.3, proxy=None)
    assert found == texts(tmp_path, 0.0, proxy=None)[0]
    assert counts == {"marked": 8, "no proxy": 8}
    assert [one.levelno for one in caplog.records if "only marked" in one.message] == [logging.WARNING]


def test_engines_that_have_no_proxy_count_such_orders_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "ring.json").write_bytes(RING.to_json())
    ring = RingFile(tmp_path / "ring.json")
    assert ring.mark(order(0.0, RING)[FIELD][NAME]) is not None and not ring.missed
    marks = [ring.mark(order(0.5, RING)[FIELD][NAME]) for _ in range(3)]
    assert None not in marks and ring.missed == {"no proxy": 3}
    assert len(caplog.records) == 1 and "only marked" in caplog.text


class _Words:
    """A tokeniser of bytes."""

    vocabulary = 256

    def all_ids(self, texts: list[str]) -> list[Any]:
        return [np.frombuffer(text.encode(), np.uint8).astype(np.int64) for text in texts]


def test_a_proxy_made_of_texts_is_the_same_again_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "load_tokens", lambda path: _Words())
    (tmp_path / "one.txt").write_bytes(CORPUS[:100].astype(np.uint8).tobytes())
    (tmp_path / "two.txt").write_bytes(CORPUS[100:].astype(np.uint8).tobytes())
    out = tmp_path / "proxy.file"  # the name is taken as it is
    words = [str(tmp_path / "one.txt"), str(tmp_path / "two.txt"), "--tokenizer", "t.json", "--out", str(out)]
    assert making.main(words) == 0
    found = load_proxy(out)
    assert found.vocab == 256 and np.array_equal(found.logits(CONTEXT), PROXY.logits(CONTEXT))


def test_a_text_that_cannot_be_read_is_named_without_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(making, "load_tokens", lambda path: _Words())
    (tmp_path / "odd.txt").write_bytes(b"zebra\xff")
    (tmp_path / "short.txt").write_text("ab")
    rest = ["--tokenizer", "t.json", "--out", str(tmp_path / "proxy.npz")]
    for name, said in (("odd.txt", "is not UTF-8"), ("away.txt", "No such file"), ("short.txt", "fewer than 3")):
        assert making.main([str(tmp_path / name), *rest]) == 2
        shown = capsys.readouterr().err
        assert said in shown and "zebra" not in shown
    assert not (tmp_path / "proxy.npz").exists()


def test_a_file_that_is_no_proxy_is_refused_before_anything_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "proxy.npz"
    for damage in (b"", b"PK\x03\x04 cut", b"text"):
        path.write_bytes(damage)
        with pytest.raises(StillwatchError, match="proxy"):
            load_proxy(path)
    np.savez(path, other=CORPUS)
    with pytest.raises(StillwatchError, match="has no `tokens`"):
        load_proxy(path)
    save_proxy(path, CORPUS, 100)
    with pytest.raises(StillwatchError, match="below `vocab`"):
        load_proxy(path)
    assert engine.main(["--upstream", "http://127.0.0.1:1", "--ring", "r", "--proxy", str(tmp_path / "away")]) == 2
    assert "No such file" in capsys.readouterr().err
