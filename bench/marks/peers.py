"""Marking and reading beside peers: Transformers' KGW and SynthID, vLLM's own mark on the CPU, sbw.

In: a seed. Out: a Markdown table; one thread, batch 1, V = 49,152. Peers that are not installed are left out by name;
vLLM's code runs out of its wheel, where STILLWATCH_VLLM_WHEEL names one. Readers are timed on made-up tokens with
the frequencies of words, 500,000 for our fast ones, 20,000 and 400 for slower ones and peers,
and without what is made once (tables, compiled code); a report of ours also tries 1,024 random keys, timed apart.
Cost: two minutes.

Run: .venv-torch/bin/python -m bench.marks.peers [--seed 1] [--write]
"""

import argparse
import importlib.util
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench import page
from bench.layout import table
from stillwatch.engines.transformers import MarkProcessor
from stillwatch.forensics.marks import grams, kgw, mersenne
from stillwatch.forensics.marks.green import GreenText, read_owner
from stillwatch.forensics.marks.gumbel import GumbelText, read_draws
from stillwatch.forensics.marks.kgw import KgwMark, read_kgw
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.synthid import SynthIdMark, bits, hashes, read_synthid
from stillwatch.forensics.marks.vllm import VllmMark, read_vllm, summed
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.gumbel import GumbelMark
from stillwatch.treatments.marks.prf import ContextTable
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.sampling import Sampling
from stillwatch.treatments.marks.tiers import keys_for

VOCAB = 49_152
DEPTH = 30
HEAD = ("whose", "what", "value", "unit")
MARKS = ("<!-- marks-peers: begin -->", "<!-- marks-peers: end -->")
KEYS = tuple(range(101, 101 + DEPTH))


@dataclass(frozen=True)
class Figure:
    """One row."""

    whose: str
    what: str
    value: float
    unit: str


def timed(work: Callable[[], object], seconds: float = 2.0, most: int = 200) -> float:
    """Return the median processor seconds of a run, after one that does not count."""
    work()
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < most and (len(times) < 3 or time.perf_counter() - begun < seconds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times))


def epoch(scheme: str, width: int) -> Epoch:
    return Epoch(number=1, secret=bytes(range(32)), made=0.0, scheme=scheme, width=width, vocab=VOCAB)


def words(rng: np.random.Generator, count: int) -> list[int]:
    """Return tokens with the frequencies of text: the n-th most frequent once in n."""
    chance = 1.0 / np.arange(1, VOCAB + 1)
    return [int(token) for token in rng.choice(VOCAB, count, p=chance / chance.sum())]


def steps(torch: Any, rng: np.random.Generator) -> Iterator[Figure]:
    """Yield milliseconds a decode step."""
    scores = torch.tensor(rng.standard_normal((1, VOCAB)).astype(np.float32) * 3)
    turn = iter(rng.integers(0, VOCAB, (100_000, 1, 5)))

    def step(processor: Any) -> float:
        return 1e3 * timed(lambda: processor(torch.tensor(next(turn)), scores))

    def ours(mark: Any, sampling: Sampling | None = None) -> float:
        made = iter([MarkProcessor([mark], sampling=sampling, seed=1) for _ in range(1_000)])
        # A processor serves one answer; each is asked for its first token.
        return step(lambda ids, given: next(made)(ids, given))

    yield Figure(
        "torch", "softmax and draw, for comparison", 1e3 * timed(lambda: scores.softmax(-1).multinomial(1)), "ms"
    )
    for width in (1, 2):
        yield Figure("Stillwatch", f"green, width {width}", ours(GreenMark(epoch("green", width))), "ms")
    gumbel = GumbelMark(epoch("gumbel", 2))
    yield Figure("Stillwatch", "keyed draw from every token", ours(gumbel), "ms")
    yield Figure("Stillwatch", "keyed draw, top-k 50", ours(gumbel, Sampling(top_k=50)), "ms")
    yield Figure("Stillwatch", "keyed draw, top-p 0.95", ours(gumbel, Sampling(top_p=0.95)), "ms")
    transformers = importlib.import_module("transformers")
    for scheme, width in (("lefthash", 1), ("selfhash", 4)):
        made = transformers.WatermarkLogitsProcessor(VOCAB, "cpu", seeding_scheme=scheme, context_width=width)
        yield Figure("Transformers", f"KGW {scheme}", step(made), "ms")
    synthid = transformers.SynthIDTextWatermarkLogitsProcessor(
        ngram_len=5, keys=list(KEYS), sampling_table_size=65536, sampling_table_seed=0, context_history_size=1024,
        device="cpu",
    )  # fmt: skip
    yield Figure("Transformers", f"SynthID, depth {DEPTH}", step(synthid), "ms")
    if importlib.util.find_spec("sbw"):
        batch = importlib.import_module("sbw").WatermarkBatch(
            vocab=list(range(VOCAB)), seeding_scheme="gpu-simple_1", device=torch.device("cpu")
        )
        yield Figure(
            "sbw",
            "gpu-simple_1, on the CPU",
            step(lambda ids, s: batch.apply_watermark_fused(ids[:, -1:], s.clone())),
            "ms",
        )
    if vllm := vllm_code():
        marker = vllm.gumbel.GumbelWatermarker(42, 4)
        yield Figure(
            "vLLM", "gumbel, its CPU code", step(lambda ids, s: marker._sample_watermarked(s, ids[:, -4:])), "ms"
        )


def readers(torch: Any, rng: np.random.Generator) -> Iterator[Figure]:
    """Yield tokens read a second."""
    many, some, few = words(rng, 500_000), words(rng, 20_000), words(rng, 400)

    def pace(whose: str, what: str, tokens: list[int], work: Callable[[], object]) -> Figure:
        return Figure(whose, what, len(tokens) / timed(work, most=20), "tokens/s")

    text, green, gumbel = TokenText.of([many]), epoch("green", 1), epoch("gumbel", 2)
    prepared = ContextTable.of(green, VOCAB)
    yield pace(
        "Stillwatch",
        "green, one owner",
        many,
        lambda: GreenText.of(text, green, table=prepared).hits(keys_for(green, b"a" * 16)),
    )
    yield pace("Stillwatch", "keyed draw, provider", many, lambda: _read_gumbel(text, gumbel))
    yield pace("Stillwatch", "vLLM gumbel", many, lambda: _read_vllm(text))
    yield pace("Stillwatch", "KGW lefthash", some, lambda: _read_kgw(TokenText.of([some])))
    yield pace("Stillwatch", f"SynthID, depth {DEPTH}", some, lambda: _read_synthid(TokenText.of([some])))
    transformers = importlib.import_module("transformers")
    config = SimpleNamespace(is_encoder_decoder=False, bos_token_id=-1, vocab_size=VOCAB)
    asked = transformers.WatermarkingConfig()

    def detector() -> object:
        made = transformers.WatermarkDetector(config, "cpu", asked, ignore_repeated_ngrams=True)
        return made(torch.tensor([few]), return_dict=True)

    yield pace("Transformers", "KGW lefthash, its detector", few, detector)
    synthid = transformers.SynthIDTextWatermarkLogitsProcessor(
        ngram_len=5, keys=list(KEYS), sampling_table_size=65536, sampling_table_seed=0, context_history_size=1024,
        device="cpu",
    )  # fmt: skip
    ids = torch.tensor([few])
    yield pace(
        "Transformers", f"SynthID, depth {DEPTH}, g-values and masks", few,
        lambda: (synthid.compute_g_values(ids), synthid.compute_context_repetition_mask(ids)),
    )  # fmt: skip
    if importlib.util.find_spec("sbw"):
        made = importlib.import_module("sbw").WatermarkDetector(
            device=torch.device("cpu"), tokenizer=SimpleNamespace(bos_token_id=-1), vocab=list(range(VOCAB)),
            seeding_scheme="gpu-simple_1", normalizers=[],
        )  # fmt: skip
        row = torch.tensor(some)
        yield pace(
            "sbw", "gpu-simple_1, its detector", some, lambda: (made.clear_cache(), made.detect(tokenized_text=row))
        )
    if vllm := vllm_code():
        yield pace(
            "vLLM", "gumbel, its detector", some, lambda: vllm.gumbel.GumbelWatermarkDetector(42, 4).detect(some)
        )


def reports(rng: np.random.Generator) -> Iterator[Figure]:
    """Yield seconds of a whole report of ours on 2,000 tokens, random keys included."""
    text = TokenText.of([words(rng, 2_000)])
    green, gumbel = epoch("green", 1), epoch("gumbel", 2)
    work: dict[str, Callable[[], object]] = {
        "green": lambda: read_owner(GreenText.of(text, green), rng),
        "keyed draw": lambda: read_draws(GumbelText.of(text, gumbel), rng),
        "vLLM gumbel": lambda: read_vllm(text, VllmMark(key=42), rng),
        "KGW lefthash": lambda: read_kgw(text, KgwMark(vocab=VOCAB), rng),
        f"SynthID, depth {DEPTH}": lambda: read_synthid(text, SynthIdMark(keys=KEYS), rng),
    }
    for name, run in work.items():
        yield Figure("Stillwatch", f"{name}, whole report", timed(run, most=3), "s")


def _read_gumbel(text: TokenText, own: Epoch) -> object:
    ready = GumbelText.of(text, own)
    return summed(ready.grams, ready.keys(keys_for(own)), ready.alpha)


def _read_vllm(text: TokenText) -> object:
    return summed(grams.distinct_grams(text, 4, once="context", padded=True), [np.array([42], np.uint64)], 0.0)


def _read_kgw(text: TokenText) -> object:
    mark = KgwMark(vocab=VOCAB)
    seed, tokens = kgw._places(text, mark, None)
    return mersenne.leads(seed, tokens, VOCAB, mark.head).sum()


def _read_synthid(text: TokenText) -> object:
    found = grams.distinct_grams(text, 4)
    state = hashes(np.concatenate([found.contexts, found.tokens[:, None]], axis=1))
    return bits(state, np.array(KEYS, np.uint64), mersenne.coins(0, 65536)).sum()


def vllm_code() -> Any | None:
    """Return vLLM's sampler and detectors, where the wheel is at hand."""
    path = os.environ.get("STILLWATCH_VLLM_WHEEL")
    if not path or importlib.util.find_spec("pydantic") is None:
        return None
    maker = importlib.import_module("tests.golden.make_vllm")
    with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as folder:
        wheel.extractall(folder, list(maker.RUN.values()))
        return maker.Vllm(maker.vllm_modules(Path(folder)))


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into bench/RESULTS.md as well")
    given = parser.parse_args()
    seed = given.seed
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    found = [*steps(torch, rng), *readers(torch, rng), *reports(rng)]
    versions = " ".join(f"{m.__name__} {m.__version__}" for m in (torch, importlib.import_module("transformers")))
    if vllm_code() is None:
        versions += "; vLLM left out, whose wheel STILLWATCH_VLLM_WHEEL would name"
    rows = ([f.whose, f.what, f"{f.value:,.3g}" if f.value < 1e3 else f"{f.value:,.0f}", f.unit] for f in found)
    text = (
        f"Command: `python -m bench.marks.peers`; seed {seed}; commit {page.commit()}; V = {VOCAB:,}; one thread, "
        f"processor time, median, load average {os.getloadavg()[0]:.1f}; {versions}.\n\n{table(HEAD, rows)}"
    )
    print(text)
    if given.write:
        page.put(text, MARKS)


if __name__ == "__main__":
    main()
