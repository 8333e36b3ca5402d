"""Make vllm_gumbel.json and vllm_interface.json: vLLM's own answers, from the files in its wheel.

    pip download vllm==0.33.0 --no-deps
    .venv-torch/bin/python tests/golden/make_vllm.py vllm-0.33.0-*.whl

vLLM itself is not installed: of its watermarking the torch CPU code runs, with empty modules in place of what only
accelerators need. Needs torch and pydantic.
"""

import ast
import hashlib
import importlib.util
import json
import sys
import tempfile
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import torch

HERE = Path(__file__).parent
KEYS = (0, 1, 42, 2**32, 0x0123456789ABCDEF, 2**64 - 1)
INTERFACE = "vllm/v1/worker/gpu/sample/logits_processor/interface.py"
BUFFERS = "vllm/v1/worker/gpu/buffer_utils.py"
PARAMS = "vllm/sampling_params.py"
READ = ("temperature", "top_k", "top_p", "min_p", "seed", "extra_args")
RUN = {
    "vllm.config.watermarking": "vllm/config/watermarking.py",
    "vllm.v1.watermarking.prfs.base": "vllm/v1/watermarking/prfs/base.py",
    "vllm.v1.watermarking.prfs.philox": "vllm/v1/watermarking/prfs/philox.py",
    "vllm.v1.watermarking.prfs": "vllm/v1/watermarking/prfs/__init__.py",
    "vllm.v1.worker.gpu.sample.watermark": "vllm/v1/worker/gpu/sample/watermark.py",
    "vllm.v1.watermarking.watermarker": "vllm/v1/watermarking/watermarker.py",
    "vllm.v1.watermarking.detector": "vllm/v1/watermarking/detector.py",
    "vllm.v1.watermarking.gumbel": "vllm/v1/watermarking/gumbel.py",
}


def signatures(source: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return, for each class of a file, its fields and the arguments of its methods."""
    found: dict[str, Any] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name in classes:
            functions = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            fields = [ast.unparse(i.target) for i in node.body if isinstance(i, ast.AnnAssign)]
            methods = {f.name: [a.arg for a in (*f.args.posonlyargs, *f.args.args)] for f in functions}
            abstract = [f.name for f in functions if any("abstract" in ast.unparse(d) for d in f.decorator_list)]
            found[node.name] = {"fields": fields, "methods": methods, "abstract": abstract}
    return found


def interface(wheel: zipfile.ZipFile) -> dict[str, Any]:
    """Return what our processor leans on in vLLM's files."""
    text = {name: wheel.read(name).decode() for name in (INTERFACE, BUFFERS, PARAMS)}
    out = signatures(text[INTERFACE], ("LogitsProcessor", "LogitsContext", "LogitsProcRequestState"))
    params = signatures(text[PARAMS], ("SamplingParams",))["SamplingParams"]["fields"]
    attributes = {
        name: sorted({a for a in ("gpu", "np") if f"self.{a} = " in part})
        for name in ("UvaBackedTensor", "StagedWriteTensor")
        for part in [text[BUFFERS].split(f"class {name}")[1].split("\nclass ")[0]]
    }
    return {
        "sha256": {name: hashlib.sha256(body.encode()).hexdigest() for name, body in text.items()},
        "classes": out, "sampling_params": [name for name in READ if name in params], "buffers": attributes,
    }  # fmt: skip


def vllm_modules(folder: Path) -> dict[str, Any]:
    """Run vLLM's watermarking files without vLLM."""

    def empty(name: str, **held: object) -> None:
        module = types.ModuleType(name)
        module.__dict__.update(held)
        module.__path__ = []
        sys.modules[name] = module

    def same(*given: Any, **_: object) -> Any:
        return given[0] if given and callable(given[0]) else lambda function: function

    names = "vllm vllm.v1 vllm.v1.worker vllm.v1.worker.gpu vllm.v1.worker.gpu.sample vllm.v1.watermarking"
    for name in [*names.split(), "vllm.v1.watermarking.prfs", "vllm.config"]:
        empty(name)
    quiet = types.SimpleNamespace(warning_once=lambda *a, **k: None)
    empty("vllm.logger", init_logger=lambda name: quiet)
    empty("vllm.config.utils", config=pydantic.dataclasses.dataclass)
    empty("vllm.v1.worker.gpu.sample.gumbel", gumbel_sample=None, gumbel_noised_argmax=None, spec_step_seed=None)
    triton = types.SimpleNamespace(jit=same)
    empty("vllm.triton_utils", HAS_TRITON=False, triton=triton, tl=types.SimpleNamespace(constexpr=int))
    for name, path in RUN.items():
        spec = importlib.util.spec_from_file_location(name, folder / path)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return {name: sys.modules[name] for name in RUN}


class Vllm:
    """vLLM's sampler and detectors on the CPU."""

    def __init__(self, modules: dict[str, Any]) -> None:
        self.prf = modules["vllm.v1.watermarking.prfs.philox"].PhiloxPRF
        self.derive = modules["vllm.config.watermarking"].derive_watermark_key
        self.gumbel = modules["vllm.v1.watermarking.gumbel"]
        self.repeated = modules["vllm.v1.worker.gpu.sample.watermark"].repeated_context_mask

    def uniforms(self) -> list[dict[str, Any]]:
        rng, out = np.random.default_rng(20261122), []
        tokens = [0, 1, 2, 3, 5, 49151, 128255, 262143]
        for key in KEYS:
            for width in (1, 2, 4):
                contexts = rng.integers(0, 49152, (3, width))
                contexts[0] = -1
                contexts[1, : width - 1] = -1
                found = self.prf(key).uniform(torch.tensor(contexts), torch.tensor(tokens)).tolist()
                out.append({"key": str(key), "contexts": contexts.tolist(), "tokens": tokens, "uniforms": found})
        return out

    def picks(self) -> list[dict[str, Any]]:
        out = []
        for key, width in ((42, 2), (KEYS[4], 4)):
            logits = (np.random.default_rng(7).standard_normal((64, 512)) * 3).astype(np.float32)
            contexts = np.random.default_rng(8).integers(0, 512, (64, width))
            marker = self.gumbel.GumbelWatermarker(key, width)
            picked = marker._sample_watermarked(torch.tensor(logits), torch.tensor(contexts)).token_ids.tolist()
            out.append({"key": str(key), "width": width, "picked": picked})
        return out

    def repeats(self) -> dict[str, Any]:
        tokens, prompt, mask = np.random.default_rng(9).integers(0, 4, 60).tolist(), [3, 1, 2], []
        whole = torch.tensor([prompt + tokens])
        for n in range(len(tokens)):
            lengths = torch.tensor([3]), torch.tensor([3 + n])
            context = torch.tensor([([-1, -1] + tokens[:n])[-2:]])
            mask.append(int(self.repeated(whole, torch.tensor([0]), *lengths, context, 8192)[0]))
        return {"tokens": tokens, "width": 2, "mask": mask}

    def answer(self, key: int, width: int, length: int, alpha: float | None) -> list[int]:
        rng, out, seen = np.random.default_rng(11), [], set()
        pair = [key, key] if alpha is None else [self.derive(key, domain) for domain in (b"key_a", b"key_b")]
        markers = [self.gumbel.GumbelWatermarker(one, width) for one in pair]
        for _ in range(length):
            logits = (rng.standard_normal(512) * 2).astype(np.float32)
            context = tuple(([-1] * width + out)[-width:])
            if context in seen:
                chance = np.exp(logits.astype(np.float64))
                out.append(int(rng.choice(512, p=chance / chance.sum())))
                continue
            seen.add(context)
            marker = markers[alpha is not None and rng.random() < alpha]
            picked = marker._sample_watermarked(torch.tensor(logits)[None], torch.tensor([context]))
            out.append(int(picked.token_ids[0]))
        return out

    def detections(self) -> list[dict[str, Any]]:
        plain, out = np.random.default_rng(10).integers(0, 300, 400).tolist(), []
        cases = (
            (42, 2, None, plain), (42, 2, None, self.answer(42, 2, 200, None)),
            (KEYS[4], 4, None, self.answer(KEYS[4], 4, 200, None)), (42, 2, 0.1, plain),
            (42, 2, 0.1, self.answer(42, 2, 200, 0.1)), (7, 4, 0.3, self.answer(7, 4, 120, 0.3)),
            (7, 4, 0.5, self.answer(7, 4, 120, 0.5)),
        )  # fmt: skip
        for key, width, alpha, tokens in cases:
            if alpha is None:
                detector = self.gumbel.GumbelWatermarkDetector(key=key, context_width=width)
            else:
                detector = self.gumbel.DualKeyGumbelWatermarkDetector(key=key, context_width=width, alpha=alpha)
            said = detector.detect(tokens)
            out.append({
                "key": str(key), "width": width, "alpha": alpha, "tokens": tokens, "score": said.score,
                "p_value": said.p_value, "scored": said.num_scored_tokens,
            })  # fmt: skip
        return out


def main(path: str) -> None:
    """Write both files beside this one."""
    made = {"wheel": Path(path).name, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}
    with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as folder:
        wheel.extractall(folder, list(RUN.values()))
        vllm = Vllm(vllm_modules(Path(folder)))
        pairs = [[str(k), *(str(vllm.derive(k, d)) for d in (b"key_a", b"key_b"))] for k in KEYS]
        answers = {
            "made_with": {**made, "torch": torch.__version__}, "uniforms": vllm.uniforms(), "derived": pairs,
            "picks": vllm.picks(), "repeated": vllm.repeats(), "detections": vllm.detections(),
        }  # fmt: skip
        _write("vllm_gumbel.json", answers)
        _write("vllm_interface.json", {"made_with": made, **interface(wheel)})


def _write(name: str, content: dict[str, Any]) -> None:
    (HERE / name).write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
