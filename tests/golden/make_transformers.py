"""Make transformers_kgw.json and transformers_synthid.json: the answers of Transformers and torch themselves.

.venv-torch/bin/python tests/golden/make_transformers.py
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import SynthIDTextWatermarkLogitsProcessor, WatermarkLogitsProcessor

HERE = Path(__file__).parent
MADE = {"transformers": transformers.__version__, "torch": torch.__version__}
VOCAB = 1009
SETTINGS: tuple[dict[str, Any], ...] = (
    {"seeding_scheme": "lefthash"},
    {"seeding_scheme": "lefthash", "greenlist_ratio": 0.5, "hashing_key": 2**62 + 7},
    {"seeding_scheme": "selfhash", "context_width": 4},
    {"seeding_scheme": "selfhash", "context_width": 4, "hashing_key": 99991, "greenlist_ratio": 0.5},
)
DEPTH_30 = [
    654, 400, 836, 123, 340, 443, 597, 160, 57, 29, 590, 639, 13, 715, 468, 990, 966, 226, 324, 585, 118, 504, 421,
    521, 129, 669, 732, 225, 90, 960,
]  # fmt: skip


def marked(processor: Any, start: list[int], length: int, vocab: int) -> list[int]:
    """Return tokens sampled through a processor from logits that depend on the last token."""
    rng, said = np.random.default_rng(5), list(start)
    base = (rng.standard_normal((64, vocab)) * 2).astype(np.float32)
    while len(said) < len(start) + length:
        raw = torch.tensor(base[said[-1] % 64])[None]
        scores = processor(torch.tensor([said]), raw)[0].double().numpy()
        chance = np.exp(scores - scores.max())
        said.append(int(rng.choice(vocab, p=chance / chance.sum())))
    return said


def digest(values: torch.Tensor, kind: str) -> str:
    return hashlib.sha256(values.numpy().astype(kind).tobytes()).hexdigest()


def permutations() -> list[dict[str, Any]]:
    out = []
    for seed, size in ((0, 10), (15485863, 97), (2**63 + 12345, 1000), (7, 49152)):
        found = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
        out.append({"seed": str(seed), "size": size, "sha256": digest(found, "<i8")})
    return out


def kgw_case(settings: dict[str, Any], tokens: list[int], processor: Any) -> dict[str, Any]:
    selfhash = settings["seeding_scheme"] == "selfhash"
    width = settings.get("context_width", 1) + 1 - selfhash
    grams = sorted({tuple(tokens[i : i + width]) for i in range(len(tokens) - width + 1)})
    green = [int(g[-1] in processor._get_greenlist_ids(torch.tensor(g if selfhash else g[:-1]))) for g in grams]
    return {"settings": settings, "vocab": VOCAB, "tokens": tokens, "grams": [list(g) for g in grams], "green": green}


def kgw() -> list[dict[str, Any]]:
    out = []
    for settings in SETTINGS:
        length = 160 if settings["seeding_scheme"] == "lefthash" else 60
        processor = WatermarkLogitsProcessor(vocab_size=VOCAB, device="cpu", bias=4.0, **settings)
        plain = np.random.default_rng(6).integers(0, VOCAB, length).tolist()
        for tokens in (marked(processor, [1, 2, 3, 4], length, VOCAB), plain):
            out.append(kgw_case(settings, tokens, processor))
    return out


def tables() -> list[dict[str, Any]]:
    out = []
    for size, seed in ((65536, 0), (1000, 5)):
        found = torch.randint(0, 2, (size,), generator=torch.Generator().manual_seed(seed))
        out.append({"size": size, "seed": seed, "sha256": digest(found, "u1")})
    return out


def synthid() -> list[dict[str, Any]]:
    out = []
    for keys, length, size, seed in ((DEPTH_30, 5, 65536, 0), ([2**62 + 1, 5, 77], 3, 1000, 5)):
        how = {"ngram_len": length, "sampling_table_size": size, "sampling_table_seed": seed}
        processor = SynthIDTextWatermarkLogitsProcessor(keys=keys, context_history_size=1024, device="cpu", **how)
        plain = np.random.default_rng(4).integers(0, 49152, 80).tolist()
        for tokens in (marked(processor, [0], 120, 512)[1:], plain):
            values = processor.compute_g_values(torch.tensor([tokens]))[0].tolist()
            bits = ["".join(map(str, row)) for row in values]
            out.append({**how, "keys": [str(key) for key in keys], "tokens": tokens, "g_values": bits})
    return out


def main() -> None:
    """Write both files beside this one."""
    write = {
        "transformers_kgw.json": {"made_with": MADE, "randperm": permutations(), "cases": kgw()},
        "transformers_synthid.json": {"made_with": MADE, "tables": tables(), "cases": synthid()},
    }
    for name, content in write.items():
        (HERE / name).write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
