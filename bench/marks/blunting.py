"""What blunted answers cost who reads them, and what is left to a thief who asks again and averages.

In: a seed; for reasoning the worked solutions of a data folder. Out: four tables. Cost: half a minute.
The thief asks the same 100 times, or in 100 wordings; the server's numbers move by 1e-4 nats from one time to the next.

Run: python -m bench.marks.blunting [--seed 1] [--data FOLDER]
"""

import argparse
import io
import json
import math
import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from scipy.stats import spearmanr

from bench.layout import table
from bench.marks.blunted import mixtures, ranks
from stillwatch.treatments import TREATMENTS, Occasion, Treatment
from stillwatch.treatments.config import TreatmentConfig
from stillwatch.treatments.memory import Memory
from stillwatch.treatments.reasoningtext import conclusion_first, summary

Begin = Callable[[int], Treatment]
LISTED, VOCAB, ASKED, POSITIONS = 5, 50, 100, 100
WIDE, TEXTS = 768, 300
SEEN = TreatmentConfig(dose_nats=5.0, dose_prompts=1.0, privacy_epsilon=1e9)
"""Thresholds at which every step of the dose is in reach, and a budget that a benchmark does not use up."""
DOSES = {1: 6.0, 2: 7.4, 3: 8.6, 4: 30.0}


def _begin(name: str, log_e: float = 0.0, *, config: TreatmentConfig = SEEN, endpoint: str = "chat") -> Begin:
    memory = Memory()

    def begin(i: int) -> Treatment:
        occasion = Occasion(
            key=i.to_bytes(32, "big"), account="a", log_e=log_e, config=config, memory=memory, endpoint=endpoint
        )
        begun = TREATMENTS.get(name).begin(occasion)
        assert begun is not None
        return begun

    for prompt in range(200 if name == "dose" else 0):
        begin(0).edit_request({"model": "m", "messages": [{"content": str(prompt)}], "input": f"before {prompt}"})
    return begin


def kinds(endpoint: str = "chat") -> dict[str, Begin]:
    """Return what is measured, by the name of its row."""
    found = {} if endpoint == "embeddings" else {name: _begin(name) for name in ("logprobs", "round", "perturb")}
    found |= {f"dose {step}": _begin("dose", log_e, endpoint=endpoint) for step, log_e in DOSES.items()}
    return found | {"privacy": _begin("privacy", endpoint=endpoint)}


def _place(i: int, log_p: np.ndarray) -> dict[str, Any]:
    tops = [{"token": f"{i}.{j}", "logprob": float(x)} for j, x in enumerate(log_p)]
    return {"token": f"{i}.0", "logprob": float(log_p[0]), "top_logprobs": tops}


def _told(treatment: Treatment, places: list[dict[str, Any]], prompt: str = "p") -> list[dict[str, float]]:
    treatment.edit_request({"model": "m", "messages": [{"content": prompt}]})
    choice = {"index": 0, "message": {"content": "x"}, "logprobs": {"content": places}}
    after = treatment.edit_answer({"choices": [choice]})["choices"][0]["logprobs"]["content"]
    return [{one["token"]: one["logprob"] for one in place["top_logprobs"]} for place in after]


def numbers(seed: int) -> list[list[str]]:
    """Return rows on token probabilities: error, order, decisions, what averaging leaves, time."""
    rng, rows = np.random.default_rng(seed), []
    logits = np.sort(rng.normal(0.0, 2.5, (POSITIONS, VOCAB)), axis=1)[:, ::-1]
    true = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))[:, :LISTED]
    for name, begin in kinds().items():
        places = [_place(j, row) for j, row in enumerate(true)]
        spent = _seconds(partial(_first, begin, places))
        errors, order, first, decided, given = [], [], 0, 0, 0.0
        for i in range(5):
            for place, row in zip(_told(begin(i), [_place(j, r) for j, r in enumerate(true)]), true, strict=True):
                after = list(place.values())
                best = max(place, key=lambda token: place[token])
                errors.append(abs(math.exp(max(after)) - math.exp(row[0])))
                first += not best.endswith(".0")
                decided += (max(after) > math.log(0.5)) != (row[0] > math.log(0.5))
                given += len(after) / LISTED / (5 * POSITIONS)
                if len(after) > 2:
                    order.append(spearmanr(row, [place[token] for token in sorted(place)]).statistic)
        many = 5 * POSITIONS
        left = [_averaged(begin, true, rng, worded=worded) for worded in (False, True)]
        rows.append([name, f"{np.mean(errors):.3f}", f"{np.mean(order):.2f}" if order else "-", f"{first / many:.1%}",
                     f"{decided / many:.1%}", f"{given:.0%}", *left, f"{1e3 * spent:.1f}"])  # fmt: skip
    return rows


def _first(begin: Begin, places: list[dict[str, Any]]) -> list[dict[str, float]]:
    return _told(begin(0), places)


def _all(rewrite: Callable[[str], str], texts: list[str]) -> list[str]:
    return [rewrite(text) for text in texts]


def _seconds(work: Callable[[], Any]) -> float:
    """Return the processor's least time of five runs: other work on the machine only ever adds."""
    found = []
    for _ in range(5):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found)


def _averaged(begin: Begin, true: np.ndarray, rng: np.random.Generator, *, worded: bool) -> str:
    """Return what share of the error is left to one who asks many times and averages.

    With `worded` the same is asked in other words each time, and has the same true answer.
    """
    once: list[float] = []
    left: list[float] = []
    for at, row in enumerate(true[:20]):
        asked = []
        for i in range(ASKED):
            moved = np.minimum(row + rng.normal(0.0, 1e-4, LISTED), 0.0)
            (place,) = _told(begin(1), [_place(at, moved)], f"p{i}" if worded else "p")
            asked.append([place.get(f"{at}.{j}", math.nan) for j in range(LISTED)])
        kept = ~np.isnan(asked[0])
        error = np.array(asked)[:, kept] - row[kept]
        once.append(float(np.sqrt((error[0] ** 2).mean())))
        left.append(float(np.sqrt((error.mean(axis=0) ** 2).mean())))
    return f"{np.mean(left) / np.mean(once):.0%}" if np.mean(once) > 1e-3 else "-"


def vectors(seed: int) -> list[list[str]]:
    """Return rows on embeddings: likeness kept, nearest neighbours kept, what averaging leaves, time."""
    rng, rows = np.random.default_rng(seed), []
    centres = rng.normal(0.0, 1.0, (30, WIDE))
    true = centres[rng.integers(0, 30, TEXTS)] + rng.normal(0.0, 0.8, (TEXTS, WIDE))
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    for name, begin in kinds("embeddings").items():
        body = {"model": "e", "input": [str(i) for i in range(TEXTS)]}

        def asked(begin: Begin = begin, body: dict[str, Any] = body, jitter: float = 0.0) -> np.ndarray:
            treatment = begin(1)
            treatment.edit_request(body)
            moved = true + jitter * rng.normal(size=true.shape)
            data = [{"index": i, "embedding": row} for i, row in enumerate(moved.tolist())]
            return np.array([one["embedding"] for one in treatment.edit_answer({"data": data})["data"]])

        after = asked()
        spent = _seconds(asked) / TEXTS
        unit = after / np.linalg.norm(after, axis=1, keepdims=True)
        near = [np.argsort(-(m @ m.T) + 9 * np.eye(TEXTS), axis=1)[:, :10] for m in (true, unit)]
        kept = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*near, strict=True)])
        mean = np.mean([asked(jitter=1e-7) for _ in range(20)], axis=0)
        left = np.linalg.norm(mean - true) / np.linalg.norm(after - true)
        rows.append([name, f"{(unit * true).sum(axis=1).mean():.3f}", f"{np.mean(near[0][:, 0] != near[1][:, 0]):.0%}",
                     f"{kept:.0%}", f"{left:.0%}", f"{1e3 * spent:.2f}"])  # fmt: skip
    return rows


def worked_solutions(data: Path) -> list[str]:
    """Return the worked solutions of the data folder's task file that ends each with its result."""
    with (data / "tasks" / "gsm8k_train.jsonl.zst").open("rb") as file:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8")
        return [str(json.loads(line)["answer"]) for line in lines]


def reasoning(texts: list[str]) -> list[list[str]]:
    """Return rows on reasoning: words and equations kept, result kept and told first, time."""
    rows = []
    for name, rewrite in (("reasoning_strip", lambda _: ""), ("reasoning_summary", summary),
                          ("reasoning_conclusion", conclusion_first)):  # fmt: skip
        told = [rewrite(text) for text in texts]
        spent = _seconds(partial(_all, rewrite, texts[:500])) / 500
        words = sum(len(t.split()) for t in told) / sum(len(t.split()) for t in texts)
        sums = sum(len(re.findall("<<", t)) for t in told) / sum(len(re.findall("<<", t)) for t in texts)
        kept = np.mean([text.split()[-1] in after.split() for text, after in zip(texts, told, strict=True)])
        early = np.mean([text.split()[-1] in after.split("\n")[0] for text, after in zip(texts, told, strict=True)])
        rows.append([name, f"{words:.0%}", f"{sums:.0%}", f"{kept:.1%}", f"{early:.1%}", f"{1e6 * spent:.0f}"])
    return rows


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="data folder; default $STILLWATCH_DATA, and no reasoning without")
    given = parser.parse_args()
    named = os.environ.get("STILLWATCH_DATA")
    data = given.data or (Path(named) if named else None)
    head = ["treatment", "error of first probability", "order kept (Spearman)", "first choice changed",
            "decisions at 0.5 changed", "alternatives given", "error left after 100 asks", "after 100 wordings",
            "ms an answer"]  # fmt: skip
    print(f"Seed {given.seed}; {POSITIONS} positions an answer, {LISTED} alternatives; `privacy` without a budget.\n")
    print(table(head, numbers(given.seed)))
    head = ["treatment", "cosine", "nearest changed", "ten nearest kept", "error left after 20 asks", "ms each"]
    print(f"\nEmbeddings, {WIDE} numbers.\n\n" + table(head, vectors(given.seed)))
    head = ["numbers told", "fall behind the layer's width"]
    print("\nRank of a full vocabulary's log-probabilities (Finlayson et al.).\n\n" + table(head, ranks(given.seed)))
    head = ["proxy's share", "answers worse by (nats a token)", "student, passive", "student, adaptive",
            "first choices changed"]  # fmt: skip
    print("\nProduct of experts, toy chain of order 2.\n\n" + table(head, mixtures(given.seed)))
    if data is not None:
        head = ["treatment", "words kept", "sums kept", "result kept", "result in the first line", "microseconds"]
        texts = worked_solutions(data)
        print(f"\nReasoning, {len(texts):,} worked solutions.\n\n" + table(head, reasoning(texts)))


if __name__ == "__main__":
    main()
