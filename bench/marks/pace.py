"""How long marking and reading take, on one core.

In: documents. Out: seconds, as the least and the median of several runs (others use this machine too).
Left to every machine: the numbers; budgets are those of `BUDGETS`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.marks.documents import Documents
from stillwatch.forensics.marks.accounts import read_accounts
from stillwatch.forensics.marks.grams import distinct_grams
from stillwatch.forensics.marks.green import GreenText, read_owner
from stillwatch.forensics.marks.gumbel import GumbelText, read_draws
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.vllm import summed
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.gumbel import GumbelMark
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.prf import ContextTable
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import keys_for

STEPS, RUNS, ACCOUNTS = 2_000, 5, 10_000
VOCABULARIES = (49_152, 262_144)
CANDIDATES = 128
SPREADS = (1.0, 3.0, 6.0)
STEP, READ, SEARCH = "500 us, aim 200", "2, aim 5", "10, aim 3"


@dataclass(frozen=True)
class Time:
    """One figure."""

    what: str
    least: float
    median: float
    unit: str
    budget: str = ""


def timed(work: Callable[[], object], runs: int) -> tuple[float, float]:
    """Return least and median seconds of a run."""
    work()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times), float(np.median(times))


def an_epoch(width: int, seed: int, scheme: str = "green") -> Epoch:
    return Epoch(number=1, secret=np.random.default_rng([seed, width]).bytes(32), made=0.0, width=width, scheme=scheme)


def steps(seed: int) -> list[Time]:
    """Return what one decode step costs."""
    out = []
    rng = np.random.default_rng(seed)
    for width in (1, 2):
        epoch = an_epoch(width, seed)
        mark = GreenMark(epoch, MarkOrder(epoch=1, account=epoch.tag("account", "a"), until=1.0))
        for vocab in VOCABULARIES:
            contexts = rng.integers(0, vocab, (STEPS, 2)).tolist()
            turn = iter(contexts * 4)
            logits = rng.standard_normal(vocab).astype(np.float32)
            budget = STEP if vocab == VOCABULARIES[0] else ""
            least, median = timed(lambda: mark.apply(logits, next(turn)), STEPS)  # noqa: B023
            out.append(Time(f"bias all logits, V = {vocab:,}, width {width}", least * 1e6, median * 1e6, "us", budget))
        ids = rng.integers(0, VOCABULARIES[0], CANDIDATES)
        turn = iter(contexts * 2)
        least, median = timed(lambda: mark.bias_candidates(next(turn), ids), STEPS)  # noqa: B023
        out.append(Time(f"bias {CANDIDATES} candidates, width {width}", least * 1e6, median * 1e6, "us"))
    return [*out, *draws(seed)]


def draws(seed: int) -> list[Time]:
    """Return what one keyed draw costs, by how far logits lie apart: normal ones, of some standard deviations."""
    out = []
    rng = np.random.default_rng(seed)
    epoch = an_epoch(2, seed, "gumbel")
    mark = GumbelMark(epoch, MarkOrder(epoch=1, account=epoch.tag("account", "a"), until=1.0))
    for vocab in VOCABULARIES:
        for spread in SPREADS:
            logits = (rng.standard_normal(vocab) * spread).astype(np.float32)
            turn = iter(rng.integers(0, vocab, (STEPS + 1, 2)).tolist())
            least, median = timed(lambda: mark.answer().pick(logits, next(turn), rng), STEPS // 4)  # noqa: B023
            what = f"keyed draw, V = {vocab:,}, logits of deviation {spread:g}"
            out.append(Time(what, least * 1e6, median * 1e6, "us", STEP if vocab == VOCABULARIES[0] else ""))
    return out


def reading(found: Documents, seed: int) -> list[Time]:
    """Return how fast texts are read and accounts are searched."""
    out = []
    text = TokenText.of(found.tokens)
    million = len(text.tokens) / 1e6
    rng = np.random.default_rng(seed)
    for width in (1, 2):
        epoch = an_epoch(width, seed)
        least, median = timed(lambda: ContextTable.of(epoch, found.vocab), 3)  # noqa: B023
        out.append(Time(f"make an epoch's table, width {width}", least * 1e3, median * 1e3, "ms"))
        table = ContextTable.of(epoch, found.vocab)
        keys = keys_for(epoch)

        def prepared() -> GreenText:
            return GreenText.of(text, epoch, vocab=found.vocab, table=table)  # noqa: B023

        least, median = timed(lambda: prepared().hits(keys), RUNS)  # noqa: B023
        size = f"{million:.2f} M tokens, width {width}"
        out.append(Time(f"read one key, {size}", million / least, million / median, "M tokens/s", READ))
        least, median = timed(lambda: read_owner(prepared(), rng, account=bytes(range(16))), RUNS)
        out.append(Time(f"whole report on an owner, {size}", million / least, million / median, "M tokens/s"))
        out += searches(found, epoch, table, rng)
    return [*out, *drawn(found, text, rng, seed)]


def drawn(found: Documents, text: TokenText, rng: np.random.Generator, seed: int) -> list[Time]:
    """Return how fast keyed draws are read: ours under both keys of every tier, and vLLM's under its one."""
    million = len(text.tokens) / 1e6
    epoch = an_epoch(2, seed, "gumbel")
    key = np.array([42], np.uint64)

    def ours() -> object:
        ready = GumbelText.of(text, epoch, vocab=found.vocab)
        return summed(ready.grams, ready.keys(keys_for(epoch)), ready.alpha)

    work: dict[str, Callable[[], object]] = {
        "keyed draw, read one owner": ours,
        "vLLM gumbel, read one key": lambda: summed(
            distinct_grams(text, 4, once="context", padded=True), [key], 0.0
        ),
        "keyed draw, whole report on an owner": lambda: read_draws(
            GumbelText.of(text, epoch, vocab=found.vocab), rng, account=bytes(range(16))
        ),
    }  # fmt: skip
    out = []
    for what, run in work.items():
        least, median = timed(run, RUNS if "report" not in what else 2)
        budget = "" if "report" in what else READ
        out.append(Time(f"{what}, {million:.2f} M tokens", million / least, million / median, "M tokens/s", budget))
    return out


def searches(found: Documents, epoch: Epoch, table: ContextTable, rng: np.random.Generator) -> list[Time]:
    """Return how long the search over accounts takes for a single document, a corpus, and all there is."""
    out = []
    tags = [epoch.tag("account", str(number)) for number in range(ACCOUNTS)]
    for tokens in (300, 100_000, None):
        parts, left = [], tokens or 10**12
        for one in found.tokens:
            parts.append(one[:left])
            left -= len(parts[-1])
            if left <= 0:
                break
        text = GreenText.of(TokenText.of(parts), epoch, vocab=found.vocab, table=table)
        least, median = timed(lambda: read_accounts(text, tags, rng), 1 if tokens is None else 2)  # noqa: B023
        pairs = int(text.scored[1:].sum())
        what = f"{ACCOUNTS:,} accounts, {sum(map(len, parts)):,} tokens ({pairs:,} pairs), width {epoch.width}"
        out.append(Time(what, least, median, "s", SEARCH))
    return out
