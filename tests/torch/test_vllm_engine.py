"""The vLLM processor on batches as model runner V2 lays them out, against the NumPy marks."""

import dataclasses
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; run `make test-torch`")

from stillwatch.engines import vllm  # noqa: E402
from stillwatch.engines.draws import cut, keyed_noise  # noqa: E402
from stillwatch.engines.ringfile import RING_VARIABLE  # noqa: E402
from stillwatch.treatments.marks.green import GreenMark  # noqa: E402
from stillwatch.treatments.marks.gumbel import GumbelMark, keyed, noise  # noqa: E402
from stillwatch.treatments.marks.order import NAME, MarkOrder, sign  # noqa: E402
from stillwatch.treatments.marks.philox import vocabulary_words  # noqa: E402
from stillwatch.treatments.marks.ring import Ring  # noqa: E402
from stillwatch.treatments.marks.sampling import Sampling, truncated  # noqa: E402
from tests.golden_answers import golden  # noqa: E402

VOCAB = 300
PROMPT = [7, 8, 9]


@dataclasses.dataclass
class Params:
    """What the processor reads of vLLM's `SamplingParams`."""

    extra_args: dict[str, Any] | None
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int | None = 3


class Requests:
    """vLLM's request slots, on the CPU."""

    def __init__(self, slots: int = 6) -> None:
        self.device = torch.device("cpu")
        self.all_token_ids = SimpleNamespace(gpu=torch.zeros((slots, 64), dtype=torch.int32))
        self.prompt_len = SimpleNamespace(np=np.zeros(slots, np.int32), gpu=torch.zeros(slots, dtype=torch.int32))
        self.total_len = SimpleNamespace(gpu=torch.zeros(slots, dtype=torch.int32))

    def put(self, slot: int, said: list[int]) -> None:
        tokens = PROMPT + said
        self.all_token_ids.gpu[slot, : len(tokens)] = torch.tensor(tokens, dtype=torch.int32)
        self.prompt_len.np[slot] = len(PROMPT)
        self.total_len.gpu[slot] = len(tokens)


def context(slots: list[int], rows: list[int] | None = None, local: list[int] | None = None, fed: Any = None) -> Any:
    rows = slots if rows is None else rows
    return SimpleNamespace(
        idx_mapping_np=np.array(slots), expanded_idx_mapping=torch.tensor(rows),
        expanded_local_pos=torch.tensor(local or [0] * len(rows)), input_ids=torch.tensor(fed or [0] * len(rows)),
    )  # fmt: skip


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A processor, its requests, and orders under a ring of both schemes."""
    ring = Ring.new(bytes(range(32)), 0.0, delta=1.5).rotated(bytes(range(1, 33)), 1.0, scheme="gumbel", width=2)
    path = tmp_path / "ring.json"
    path.write_bytes(ring.to_json())
    monkeypatch.setenv(RING_VARIABLE, str(path))
    requests = Requests()
    orders = [MarkOrder(epoch=e.number, account=e.tag("account", "acme"), until=1e12) for e in ring.epochs]
    words = [{NAME: sign(order, ring)} for order in orders]
    green, gumbel = GreenMark(ring.epochs[0], orders[0]), GumbelMark(ring.epochs[1], orders[1])
    return SimpleNamespace(
        processor=vllm.MarkProcessor(None, requests), requests=requests, green=green, gumbel=gumbel,
        green_order=words[0], gumbel_order=words[1],
    )  # fmt: skip


def logits(rows: int) -> Any:
    return torch.randn((rows, VOCAB), generator=torch.Generator().manual_seed(5)) * 3


def test_green_rows_get_what_the_mark_adds_and_others_nothing(rig: Any) -> None:
    said = {0: [4, 5], 2: [], 3: [9, 1, 44]}
    for slot, tokens in said.items():
        rig.requests.put(slot, tokens)
    assert rig.processor.add_request(0, Params(rig.green_order))
    assert rig.processor.add_request(3, Params(rig.green_order, temperature=0.0))
    assert not rig.processor.add_request(2, Params(None))
    raw = logits(3)
    raw[0, 17] = -float("inf")
    out = rig.processor.apply(raw.clone(), context([3, 2, 0]))
    for row, slot in enumerate([3, 2, 0]):
        expected = raw[row].numpy().copy()
        if slot != 2:
            rig.green.apply(expected, said[slot])
        assert np.array_equal(out[row].numpy(), expected)
    assert out[0, 17] == -float("inf")


def test_drafts_are_marked_after_the_drafts_before_them(rig: Any) -> None:
    rig.requests.put(1, [4, 5])
    rig.processor.add_request(1, Params(rig.green_order))
    raw = logits(3)
    out = rig.processor.apply(raw.clone(), context([1], rows=[1, 1, 1], local=[0, 1, 2], fed=[5, 60, 61]))
    for row, said in enumerate(([4, 5], [4, 5, 60], [4, 5, 60, 61])):
        expected = raw[row].numpy().copy()
        rig.green.apply(expected, said)
        assert np.array_equal(out[row].numpy(), expected)


def test_keyed_draws_leave_the_token_that_the_mark_picks_step_by_step(rig: Any) -> None:
    how = Sampling(temperature=0.8, top_k=40, top_p=0.9)
    params = Params(rig.gumbel_order, temperature=0.8, top_k=40, top_p=0.9)
    rig.processor.add_request(4, params)
    answer, chance, said = rig.gumbel.answer(), np.random.default_rng(3), []
    keyed_steps = 0
    for step in range(40):
        rig.requests.put(4, said)
        raw = logits(1) + step % 3
        out = rig.processor.apply(raw.clone(), context([4]))
        token = int(out[0].argmax())
        assert int((out[0] > -float("inf")).sum()) == 1 and out[0, token] == raw[0, token]
        draw = answer.next_draw(said, chance)
        if draw is not None:
            keyed_steps += 1
            assert token == keyed(truncated(raw[0].numpy(), how), np.array(draw[0]), draw[1])
        else:
            chance.gumbel(size=VOCAB)
        said.append(token)
    assert 15 <= keyed_steps < 40


def test_slot_that_is_used_again_forgets_who_was_there(rig: Any) -> None:
    rig.requests.put(0, [4])
    rig.processor.add_request(0, Params(rig.green_order))
    assert not rig.processor.add_request(0, Params({NAME: "forged"}))
    raw = logits(1)
    assert torch.equal(rig.processor.apply(raw.clone(), context([0])), raw)


def test_greedy_requests_are_drawn_by_nobody(rig: Any) -> None:
    assert not rig.processor.add_request(0, Params(rig.gumbel_order, temperature=0.0))


def test_order_that_does_not_read_is_refused_where_it_is_asked_for(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.processor.validate_params(Params({NAME: "forged"}))
    monkeypatch.setenv(vllm.REFUSE_VARIABLE, "1")
    rig.processor.validate_params(Params(None))
    rig.processor.validate_params(Params(rig.green_order))
    with pytest.raises(ValueError, match="mark order: is none"):
        rig.processor.validate_params(Params({NAME: "forged"}))


@pytest.mark.parametrize("width", [1, 2, 4])
def test_noise_in_torch_is_the_noise_in_numpy(width: int) -> None:
    rng = np.random.default_rng(width)
    contexts = rng.integers(-1, 99, (3, width)).tolist()
    keys = [0, 2**64 - 1, 0x0123456789ABCDEF]
    found = keyed_noise(keys, contexts, 4099, torch.device("cpu")).numpy()
    for row in range(3):
        own = noise(vocabulary_words(keys[row], np.array(contexts[row]), 4099).T.ravel()[:4099])
        assert np.allclose(found[row], own, rtol=1e-5, atol=1e-6)


def test_truncation_in_torch_is_the_truncation_in_numpy() -> None:
    how = [
        Sampling(temperature=0.7), Sampling(top_k=20), Sampling(top_p=0.8), Sampling(min_p=0.05),
        Sampling(temperature=1.5, top_k=50, top_p=0.6, min_p=0.01),
    ]  # fmt: skip
    raw = logits(len(how))
    found = cut(raw, how).numpy()
    for row, one in enumerate(how):
        own = truncated(raw[row].numpy(), one)
        assert np.array_equal(found[row] > -np.inf, own > -np.inf)
        assert np.allclose(found[row][own > -np.inf], own[own > -np.inf])


def test_interface_on_record_is_that_of_the_wheel() -> None:
    path = os.environ.get("STILLWATCH_VLLM_WHEEL")
    if not path:
        pytest.skip("STILLWATCH_VLLM_WHEEL does not name a vLLM wheel; see tests/golden/make_vllm.py")
    from tests.golden.make_vllm import interface

    recorded = golden("vllm_interface.json")
    with zipfile.ZipFile(path) as wheel:
        found = interface(wheel)
    assert found == {name: recorded[name] for name in found}
