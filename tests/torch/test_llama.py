"""The net of llama architecture: weights out of GGUF blocks, completions that do not depend on padding or on steps."""

import struct
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; run `make test-torch`")
transformers = pytest.importorskip("transformers", reason="transformers is not installed; run `make test-torch`")

from stillwatch.lab.neural import llama  # noqa: E402
from stillwatch.lab.neural.ggufweights import Weights, read_weights  # noqa: E402
from stillwatch.lab.neural.llama import LlamaNet, rotated  # noqa: E402
from stillwatch.terms.errors import StillwatchError  # noqa: E402

WIDTH, HEADS, SHARED, INNER, VOCAB, LAYERS = 32, 4, 2, 48, 50, 2
FACTS = {
    "llama.attention.head_count": HEADS, "llama.attention.head_count_kv": SHARED, "llama.rope.freq_base": 10_000.0,
    "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.dimension_count": WIDTH // HEADS,
}  # fmt: skip


@pytest.fixture(scope="module")
def weights() -> Weights:
    rng = np.random.default_rng(1)
    shapes = {"attn_q": (WIDTH, WIDTH), "attn_k": (WIDTH // 2, WIDTH), "attn_v": (WIDTH // 2, WIDTH),
              "attn_output": (WIDTH, WIDTH), "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH),
              "ffn_down": (WIDTH, INNER), "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,)}  # fmt: skip
    tensors = {f"blk.{i}.{name}.weight": rng.normal(size=shape, scale=0.3).astype(np.float32)
               for i in range(LAYERS) for name, shape in shapes.items()}  # fmt: skip
    tensors["token_embd.weight"] = rng.normal(size=(VOCAB, WIDTH)).astype(np.float32)
    tensors["output_norm.weight"] = np.ones(WIDTH, np.float32)
    return Weights(dict(FACTS), tensors)


def halves(matrix: np.ndarray, heads: int) -> torch.Tensor:
    """Return a projection in Transformers' order, where a head's first half turns with its second."""
    rows = matrix.reshape(heads, -1, 2, matrix.shape[1])
    return torch.from_numpy(np.ascontiguousarray(rows.transpose(0, 2, 1, 3).reshape(matrix.shape)))


def test_its_logits_are_those_of_transformers(weights: Weights) -> None:
    config = transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=SHARED, rms_norm_eps=1e-5, tie_word_embeddings=True,
    )  # fmt: skip
    theirs = transformers.LlamaForCausalLM(config).eval()
    state, t = {}, {name: torch.from_numpy(array) for name, array in weights.tensors.items()}
    names = {"attn_output": "self_attn.o_proj", "attn_v": "self_attn.v_proj", "ffn_gate": "mlp.gate_proj",
             "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
             "ffn_norm": "post_attention_layernorm"}  # fmt: skip
    for i in range(LAYERS):
        state |= {f"model.layers.{i}.{to}.weight": t[f"blk.{i}.{name}.weight"] for name, to in names.items()}
        for name, to, heads in (("attn_q", "q_proj", HEADS), ("attn_k", "k_proj", SHARED)):
            state[f"model.layers.{i}.self_attn.{to}.weight"] = halves(weights.tensors[f"blk.{i}.{name}.weight"], heads)
    state |= {"model.embed_tokens.weight": t["token_embd.weight"], "model.norm.weight": t["output_norm.weight"],
              "lm_head.weight": t["token_embd.weight"]}  # fmt: skip
    theirs.load_state_dict(state)
    tokens = torch.from_numpy(np.random.default_rng(2).integers(VOCAB, size=(2, 9)))
    ours = LlamaNet(weights, [0, 1])
    with torch.no_grad():
        hidden = ours(tokens, torch.zeros(2, dtype=torch.long))
        assert torch.allclose(ours.logits(hidden), theirs(tokens).logits, atol=2e-3)


def test_padding_in_front_and_steps_change_nothing(weights: Weights) -> None:
    net = LlamaNet(weights, [0, 1])
    asked = [5, 7, 9, 11]
    alone = net.completed(torch.tensor([asked]), torch.tensor([0]), 8, [])
    padded = net.completed(torch.tensor([[0, 0, 0, *asked], [1, 2, 3, *asked]]), torch.tensor([3, 0]), 8, [])
    assert padded[0] == alone[0]
    whole = torch.tensor([[*asked, *alone[0]]])
    with torch.no_grad():
        again = net.logits(net(whole[:, :-1], torch.tensor([0]))[0, len(asked) - 1 :]).argmax(-1).tolist()
    assert again == alone[0]


def test_only_open_layers_are_trained_and_what_lies_below_does_not_move(weights: Weights) -> None:
    net = LlamaNet(weights, [0, 1], 1)
    tokens, empty = torch.tensor([[1, 2, 3, 4]]), torch.tensor([0])
    below, frozen = net.lower(tokens, empty), {name: one.clone() for name, one in net.named_buffers()}
    optimiser = torch.optim.AdamW(net.trained(), 1e-2)
    losses = []
    for _ in range(20):
        lost = net.loss(net.upper(below, empty)[0, :-1], tokens[0, 1:])
        optimiser.zero_grad()
        lost.backward()
        optimiser.step()
        losses.append(float(lost.detach()))
    assert losses[-1] < losses[0] - 0.5
    assert torch.equal(net.lower(tokens, empty), below)
    assert all(torch.equal(one, frozen[name]) for name, one in net.named_buffers())
    assert {name.split(".")[1] for name, _ in net.named_parameters() if name.startswith("layers")} == {"1"}


def test_the_loss_in_blocks_is_the_cross_entropy_with_its_gradient(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama, "ROWS", 3)
    net = LlamaNet(weights, [0], 1)
    hidden, wanted = torch.randn(8, WIDTH, requires_grad=True), torch.arange(8)
    plain = torch.nn.functional.cross_entropy(net.logits(hidden), wanted)
    (known,) = torch.autograd.grad(plain, hidden)
    blocks = net.loss(hidden, wanted)
    (found,) = torch.autograd.grad(blocks, hidden)
    assert torch.allclose(blocks, plain, atol=1e-5) and torch.allclose(found, known, atol=1e-6)


def test_halves_differ_from_wholes_by_rounding_alone(weights: Weights) -> None:
    tokens, empty = torch.tensor([[1, 2, 3, 4, 5]]), torch.tensor([0])
    with torch.no_grad():
        whole = LlamaNet(weights, [0, 1])(tokens, empty)
        half = LlamaNet(weights, [0, 1], half=True)(tokens, empty)
    assert 0.0 < float((whole - half).abs().mean()) < 0.05 * float(whole.abs().mean())


def test_turning_keeps_lengths_and_differences_of_places() -> None:
    x = torch.randn(1, 1, 1, 4)
    pace = torch.tensor([1.0, 0.1])
    turned = [rotated(x, ((place * pace).cos(), (place * pace).sin())) for place in (2.0, 5.0, 7.0, 10.0)]
    assert torch.allclose(turned[0].norm(), x.norm())
    assert torch.allclose((turned[0] * turned[1]).sum(), (turned[2] * turned[3]).sum(), atol=1e-5)


def gguf(tensors: list[tuple[str, tuple[int, ...], int, bytes]]) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 3)
    out += (
        text("llama.block_count") + struct.pack("<II", 4, 2) + text("general.name") + struct.pack("<I", 8) + text("x")
    )
    out += text("tokenizer.list") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    place, body = 0, b""
    for name, shape, kind, raw in tensors:
        out += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape[::-1])
        out += struct.pack("<IQ", kind, place)
        body += raw + bytes(-len(raw) % 32)
        place = len(body)
    return out + bytes(-len(out) % 32) + body


def test_blocks_are_read_as_ggml_lays_them_out(tmp_path: Path) -> None:
    plain = np.arange(6, dtype="<f4")
    eight = struct.pack("<e", 0.5) + bytes(np.arange(-16, 16, dtype=np.int8).tobytes())
    nibbles = bytes((i & 15) | ((15 - (i & 15)) << 4) for i in range(16))
    four = struct.pack("<ee", 2.0, -1.0) + nibbles
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf([("a", (2, 3), 0, plain.tobytes()), ("b", (1, 32), 8, eight), ("c", (32,), 3, four)]))
    read = read_weights(path)
    assert read.facts["llama.block_count"] == 2.0
    assert np.array_equal(read.tensors["a"], plain.reshape(2, 3))
    assert np.array_equal(read.tensors["b"], 0.5 * np.arange(-16, 16, dtype=np.float32)[None])
    assert read.tensors["c"].tolist() == [2.0 * i - 1.0 for i in range(16)] + [2.0 * (15 - i) - 1.0 for i in range(16)]


def test_damaged_and_unknown_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGML")
    with pytest.raises(StillwatchError, match="is no GGUF file"):
        read_weights(path)
    path.write_bytes(gguf([("a", (32,), 2, bytes(18))]))
    with pytest.raises(StillwatchError, match="tensors of kind 2"):
        read_weights(path)
    path.write_bytes(gguf([("a", (64,), 0, bytes(256))])[:-100])
    with pytest.raises(StillwatchError, match="damaged"):
        read_weights(path)
