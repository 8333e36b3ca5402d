"""Measure how fast exchanges become events, on one core.

In: `--n` requests of about 370 characters, seeded; or prompts from the folder that STILLWATCH_DATA names.
Out: requests/s in batches (median of 5 runs), microseconds for one request alone, bytes a row.
Gate: a row has at most 512 bytes of sketch. Recorded: the times.

`--system` sets what comes before each: a `short` line, one `long` text, or `slots`: that text with slots
filled anew in each request, so that nothing of it is remembered.

Run: python -m bench.bench_sketch [--n 20000] [--batch 2000] [--seed 7] [--system short] [--json]
"""

import argparse
import json
import os
import random
import statistics
import time
from pathlib import Path

from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.terms.event import EVENT_DTYPE, SKETCH_DTYPE
from stillwatch.terms.exchange import Exchange, Message

RUNS = 5
AGENTS = ("OpenAI/Python 3.1.0", "AsyncAnthropic/Python 2.12.0", "python-requests/2.32.0", "curl/8.5.0")
MODELS = ("large-1", "small-1")
LONG_SYSTEM = (
    "You are {}, who works for a firm of some forty people and answers letters from its customers. "
    "Read each letter twice, name what is asked for, and answer every question in the order it was put. "
    "Say so where you do not know. Keep to the tone of the letter and sign with your name and the day, {}.\n"
)


def synthetic_prompts(rng: random.Random, n: int) -> list[str]:
    """Return `n` prompts of words drawn by rank from a made-up vocabulary; a long tail of lengths."""
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(rng.choices(letters, k=rng.choice((2, 3, 3, 4, 5, 6, 7, 8, 10)))) for _ in range(8000)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    prompts = []
    for _ in range(n):
        size = max(3, min(900, int(rng.lognormvariate(3.6, 1.0))))
        drawn = rng.choices(words, weights, k=size)
        for place in range(12, size, 14):
            drawn[place] += rng.choice((".", ",", "?", ".\n", ":\n- "))
        prompts.append(" ".join(drawn))
    return prompts


def real_prompts(folder: Path, n: int) -> list[str]:
    """Return `n` opening turns of shared conversations from a data folder."""
    import zstandard

    file = folder / "benign" / "organic" / "sharegpt_user_turns.jsonl.zst"
    with zstandard.open(file, "rt", encoding="utf-8") as rows:
        prompts = [turn["text"] for row in rows for turn in json.loads(row)["turns"]]
    return (prompts * (1 + n // len(prompts)))[:n]


def system_texts(rng: random.Random, kind: str, n: int) -> list[str]:
    """Return the system text of each of `n` requests: `short`, `long` or `slots`."""
    if kind == "short":
        return ["You are a helpful assistant."] * n
    if kind == "long":
        return [5 * LONG_SYSTEM.format("Ann", "Monday")] * n
    names = ["".join(rng.choices("aeioulmnrst", k=8)) for _ in range(n)]
    return [5 * LONG_SYSTEM.format(name, f"day {number}") for number, name in enumerate(names)]


def exchanges(rng: random.Random, prompts: list[str], system: str) -> list[Exchange]:
    """Return one exchange for each prompt: an answer, an account, an address, a client and parameters."""
    systems = system_texts(rng, system, len(prompts))
    return [
        Exchange(
            time=1.76e9 + 10 * number,
            account=f"account-{rng.randrange(2000)}",
            organisation=f"org-{rng.randrange(500)}",
            plan="pro",
            key_id=f"key-{rng.randrange(3000)}",
            address=f"24.{rng.randrange(30)}.{rng.randrange(50)}.{rng.randrange(250)}",
            agent=rng.choice(AGENTS),
            tls="t13d1516h2_8daaf6152771_02713d6af862",
            payment=f"card-{rng.randrange(1500)}",
            session=f"session-{number // 3}",
            model=rng.choice(MODELS),
            endpoint="chat",
            parameters={"temperature": rng.choice((0.0, 0.7, 1.0)), "max_tokens": 1024},
            messages=(Message(role="system", text=systems[number]), Message(role="user", text=prompt)),
            answer=prompts[number - 1] + prompt,
            tokens_in=len(prompt) // 4,
            tokens_out=200,
            latency=1.5,
            finish="stop",
        )
        for number, prompt in enumerate(prompts)
    ]


def measure(traffic: list[Exchange], batch: int) -> dict[str, float]:
    """Return throughput in batches, the time of one request alone, and the size of a row."""
    addresses = AddressTable.from_ranges(kinds=[("24.7.0.0/16", "datacentre"), ("24.9.1.0/24", "vpn")])
    rates = []
    for run in range(RUNS + 1):
        reducer = Reducer(KeyRing(bytes(range(32))), addresses)
        begun = time.perf_counter()
        for low in range(0, len(traffic), batch):
            reducer.reduce(traffic[low : low + batch])
        if run:  # the first one warms the processor and the imports
            rates.append(len(traffic) / (time.perf_counter() - begun))
    alone = []
    for exchange in traffic[:500]:
        begun = time.perf_counter()
        reducer.reduce([exchange])
        alone.append(time.perf_counter() - begun)
    return {
        "requests": len(traffic),
        "mean_characters": round(statistics.mean(len(x.messages[-1].text) for x in traffic), 1),
        "requests_per_second": round(statistics.median(rates)),
        "slowest_run": round(min(rates)),
        "alone_microseconds_median": round(1e6 * statistics.median(alone), 1),
        "alone_microseconds_p99": round(1e6 * statistics.quantiles(alone, n=100)[98], 1),
        "event_bytes": EVENT_DTYPE.itemsize,
        "sketch_bytes": SKETCH_DTYPE.itemsize,
    }


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--system", choices=("short", "long", "slots"), default="short")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    folder = os.environ.get("STILLWATCH_DATA")
    prompts = real_prompts(Path(folder), given.n) if folder else synthetic_prompts(rng, given.n)
    figures = measure(exchanges(rng, prompts, given.system), given.batch)
    assert figures["sketch_bytes"] <= 512
    if given.json:
        source = "real" if folder else "synthetic"
        print(json.dumps({"source": source, "seed": given.seed, "system": given.system, **figures}))
        return
    for name, value in figures.items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
