"""What the surface mark carries and costs on real English answers: `python -m bench.marks.surface`.

Wants `STILLWATCH_DATA`, the folder of shared data. In: answers of real models (ShareGPT, GPT-4, role play) and news.
Out: Markdown tables.
Recorded: sites per 1,000 words, words until the owner's p-value is below 1e-6 in nine of ten draws, length, time.
Seed 20261122. A minute on one core. Gate: none here; exactness of code and structures is a test.
"""

import io
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from bench.layout import table
from stillwatch.forensics.marks.surface import SurfaceText, search_surface
from stillwatch.stats.exact import binomial_tail
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.treatments.marks.ring import Epoch, Ring
from stillwatch.treatments.surfaces.choice import Choice, site_digest, site_key
from stillwatch.treatments.surfaces.sites import Sites, sites_of

SEED = 20261122
MOST = 1_500
DRAWS = 200
Texts = dict[str, list[str]]


def main() -> None:
    """Print every table."""
    folder = os.environ.get("STILLWATCH_DATA", "")
    if not folder:
        print("Set STILLWATCH_DATA to the folder of shared data.")
        return
    texts = answers(Path(folder))
    epoch = Ring.new(bytes(range(32)), 0.0).current
    print(table(HEAD, [carried(name, some, epoch) for name, some in texts.items()]))
    print()
    print(table(["nominal", "flagged of 10,000", "99 % interval of the share"], honest(texts)))
    print()
    print(table(["what", "figure"], costs([text for some in texts.values() for text in some], epoch)))


HEAD = ["answers", "texts", "words", "sites per 1,000 words", "texts without a site", "words to 1e-6, 90 % of draws",
        "the account named among 10,000", "length"]  # fmt: skip


def rows(path: Path) -> Iterator[Any]:
    """Yield the rows of one packed file."""
    with path.open("rb") as file:
        yield from map(json.loads, io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8"))


def answers(folder: Path) -> Texts:
    """Return texts by origin, in an order drawn by the seed."""
    chats = rows(folder / "benign/organic/sharegpt_full_sample.jsonl.zst")
    found = {
        "ShareGPT": [turn["value"] for chat in chats for turn in chat["conversations"] if turn["from"] == "gpt"],
        "GPT-4, Alpaca's questions": [row["output"] for row in rows(folder / "attack/alpaca_gpt4_en_demo.jsonl.zst")],
        "GPT-4, role play": [row["response"] for row in rows(folder / "attack/gpteacher_roleplay.jsonl.zst")],
        "news": [row["article"] for row in rows(folder / "tasks/cnn_dailymail_test_200.jsonl.zst")],
    }
    rng = random.Random(SEED)
    return {name: rng.sample(some, min(MOST, len(some))) for name, some in found.items()}


def marked(text: str, choice: Choice) -> str:
    """Return a text as it would be served."""
    sites = Sites(choice.wanted)
    return sites.feed(text) + sites.end()


def carried(name: str, texts: list[str], epoch: Epoch) -> list[str]:
    """Return one row of the first table."""
    words = [len(text.split()) for text in texts]
    per_text = [sites_of(text) for text in texts]
    tags = [epoch.tag("account", f"a{i}") for i in range(10_000)]
    served = [marked(text, Choice.of(epoch, tags[17])) for text in texts]
    longer = sum(map(len, served)) / sum(map(len, texts)) - 1.0
    count = sum(map(len, per_text))
    return [
        name, f"{len(texts):,}", f"{sum(words):,}", f"{1_000 * count / sum(words):.2f}",
        f"{100 * np.mean([not some for some in per_text]):.0f} %", owned(per_text, words, epoch),
        named(served, words, epoch, tags), f"{100 * longer:+.2f} %",
    ]  # fmt: skip


def owned(per_text: list[Any], words: list[int], epoch: Epoch) -> str:
    """Return after how many words every distinct site agreeing is rarer than 1e-6, at the 90th percentile."""
    key, needed = site_key(epoch), []
    digests = [[site_digest(key, site) for site in some if len(site.context) == 2] for some in per_text]
    least = next(n for n in range(1, 99) if float(np.exp(binomial_tail(n, n, 0.5))) <= 1e-6)
    for draw in range(DRAWS):
        order = random.Random(SEED + draw).sample(range(len(words)), len(words))
        seen, total = set[int](), 0
        for i in order:
            seen.update(digests[i])
            total += words[i]
            if len(seen) >= least:
                break
        needed.append(total if len(seen) >= least else 10**9)
    return f"{np.quantile(needed, 0.9):,.0f}"


def named(served: list[str], words: list[int], epoch: Epoch, tags: list[bytes]) -> str:
    """Return after how many words the account is named alone at family-wise 1e-6, in steps of a quarter more."""
    least = 4_000.0
    while least < sum(words):
        chosen, total = [], 0
        for text, count in zip(served, words, strict=True):
            if total >= least:
                break
            chosen.append(text)
            total += count
        _, adjusted = search_surface(SurfaceText.of(chosen, epoch), tags)
        if np.flatnonzero(adjusted <= np.log(1e-6)).tolist() == [17]:
            return f"{total:,}"
        least *= 1.25
    return f"more than {sum(words):,}"


def honest(texts: Texts) -> list[list[str]]:
    """Return how often unmarked bundles of some 5,000 words are flagged, each under a secret of its own."""
    bundles: list[list[Any]] = []
    for some in texts.values():
        bundle, total = list[Any](), 0
        for text in some:
            bundle += sites_of(text)
            total += len(text.split())
            if total >= 5_000:
                bundles.append(bundle)
                bundle, total = [], 0
    p = []
    for i in range(10_000):
        ring = Ring.new(SEED.to_bytes(16, "big") + i.to_bytes(16, "big"), 0.0)
        choice, sites = Choice.of(ring.current), dict[tuple[Any, ...], Any]()
        for site in bundles[i % len(bundles)]:
            sites.setdefault((site.row.name, site.context), site)
        hits = sum(choice.wanted(site) == site.said for site in sites.values())
        p.append(float(np.exp(binomial_tail(hits, len(sites), 0.5))))
    rows = []
    for alpha in (1e-2, 1e-3, 1e-4):
        flagged = int(np.count_nonzero(np.array(p) <= alpha))
        low, high = clopper_pearson(flagged, len(p), confidence=0.99)
        rows.append([f"{alpha:g}", str(flagged), f"{float(low):.2g} to {float(high):.2g}"])
    return rows


def costs(texts: list[str], epoch: Epoch) -> list[list[str]]:
    """Return the rows of the second table: processor time."""
    some = random.Random(SEED).sample(texts, 600)
    kib = sum(len(text.encode()) for text in some) / 1024
    choice = Choice.of(epoch, epoch.tag("account", "a"))
    begun = time.process_time()
    for text in some:
        marked(text, choice)
    whole = time.process_time() - begun
    pieces = [[text[i : i + 5] for i in range(0, len(text), 5)] for text in some]
    begun = time.process_time()
    for parts in pieces:
        sites = Sites(choice.wanted)
        for part in parts:
            sites.feed(part)
        sites.end()
    streamed = time.process_time() - begun
    begun = time.process_time()
    ready = SurfaceText.of(some, epoch)
    read = time.process_time() - begun
    tags = [epoch.tag("account", f"a{i}") for i in range(10_000)]
    begun = time.process_time()
    search_surface(ready, tags)
    searched = time.process_time() - begun
    return [
        ["mark a whole answer, ms per KiB", f"{1e3 * whole / kib:.2f}"],
        ["mark a stream in pieces of 5 characters, ms per KiB", f"{1e3 * streamed / kib:.2f}"],
        ["the same, microseconds a piece on average", f"{1e6 * streamed / sum(map(len, pieces)):.0f}"],
        ["find sites to read, ms per KiB", f"{1e3 * read / kib:.2f}"],
        [f"search 10,000 accounts on {int(ready.scored.sum()):,} distinct sites, s", f"{searched:.2f}"],
    ]


if __name__ == "__main__":
    main()
