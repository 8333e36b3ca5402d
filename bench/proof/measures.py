"""The rows of the table on proof: each a function of one seed's judge, as plain numbers.

In: a `Judge`. Out: dictionaries of numbers. Cost: up to a minute of a core each, the first time.
Left to `innocents`: who must not be accused. Left to `tables`: words.
"""

import math
from typing import Final

import numpy as np

from bench.proof.canaries import ALTERNATIVES, CARRIER, canaries
from bench.proof.judged import STEP, WARM, Judge, held, weighed
from bench.proof.students import COLLUDERS, PROVIDER, SHARES, account
from bench.proof.world import epoch_of, harvest
from stillwatch.forensics.canaries import hits_tail, ranks_tail
from stillwatch.forensics.exams.keyed import KeyedPairs
from stillwatch.forensics.exams.servedlogits import first_places
from stillwatch.forensics.exams.signs import martingale_tail, sharp_tail
from stillwatch.forensics.exams.tracing import tried
from stillwatch.forensics.marks.reading import log_holm
from stillwatch.stats.exact import binomial_tail
from stillwatch.treatments.marks.ring import TierKey
from stillwatch.treatments.marks.tiers import ACCOUNT, CAMPAIGN, keys_for, tiers_of

Numbers = dict[str, float]
TEN: Final = math.log(10.0)
FAMILY: Final = 10_000
FAMILY_ALPHA: Final = 1e-6
ASKED: Final = 200_000
LOGPROBS: Final = (1_000, 2_500, 5_000)
NEUTRAL: Final = 20_000
"""Tokens of unmarked text; a suspect is asked after the first of them."""
PRICED: Final = 20_000
"""Tokens of the teacher on which students are held against it."""


def z_of(pairs: KeyedPairs, key: TierKey) -> float:
    """Return the standardised sum under one key."""
    return pairs.total(key) / math.sqrt(max(pairs.variance, 1))


def log10_p(z: float) -> float:
    """Return the decimal log of the p-value that findings use."""
    return float(sharp_tail(z)) / TEN


def closed(judge: Judge, name: str, reference: str, tokens: int, temperature: float) -> Numbers:
    """Return how many tokens a closed suspect takes to 1e-6 for good, and what all of them and 50,000 give."""
    epoch = epoch_of(judge.students.seed, PROVIDER)
    key = keys_for(epoch).provider
    steps = range(STEP * 50, tokens + 1, STEP * 50)
    z = np.array([z_of(judge.residual(name, reference, epoch, (tokens, temperature), n), key) for n in steps])
    low = np.array([log10_p(one) for one in z]) > -6.0
    needed = steps[int(np.flatnonzero(low).max()) + 1] if low.any() and not low[-1] else steps[0]
    at = min(len(z), 50_000 // (STEP * 50)) - 1
    return {
        "tokens to 1e-6": math.inf if low[-1] else float(needed), "z at 50,000": float(z[at]),
        "log10 p at 50,000": log10_p(z[at]), "z": float(z[-1]), "log10 p": log10_p(z[-1]),
    }  # fmt: skip


def price(judge: Judge, name: str) -> Numbers:
    """Return how far a student is from the teacher: nats a token of KL, and how often both say the same is likeliest.

    Measured on unmarked answers of the teacher that nobody was taught on; its own probabilities are known exactly.
    """
    teacher = judge.students.world.teachers["ours"]
    texts = harvest(teacher, PRICED, judge.students.rng("priced"))
    nats, same, places, done = 0.0, 0, 0, 0
    for logits in judge.students.model(name).everywhere(texts):
        rows = texts[done : done + len(logits)]
        done += len(logits)
        said = logits[:, 1:].reshape(-1, logits.shape[-1]).astype(np.float64)
        said -= np.logaddexp.reduce(said, axis=1, keepdims=True)
        true = teacher.logits(np.stack([rows[:, :-1].ravel(), rows[:, 1:].ravel()], axis=1)).astype(np.float64)
        chance = np.exp(true)
        nats += float(np.sum(chance * (np.where(chance > 0.0, true, 0.0) - said)))
        same += int(np.sum(true.argmax(axis=1) == said.argmax(axis=1)))
        places += len(true)
    return {"nats": nats / places, "agrees": same / places}


def counted(judge: Judge, name: str, tokens: int, temperature: float) -> Numbers:
    """Return what counting distinct green pairs says of the same text."""
    epoch = epoch_of(judge.students.seed, PROVIDER)
    pairs = judge.plain(name, epoch, (tokens, temperature))
    n = len(pairs.tokens)
    hits = (pairs.total(keys_for(epoch).provider) // int(pairs.weights[0]) + n) // 2
    return {"pairs": float(n), "log10 p": float(binomial_tail(hits, n, 0.5)) / TEN}


def logprobs(judge: Judge, name: str, reference: str) -> Numbers:
    """Return what a suspect's probabilities say after so many places of unmarked and of served text."""
    epoch = epoch_of(judge.students.seed, PROVIDER)
    key = keys_for(epoch).provider
    neutral = judge.text("base", NEUTRAL, WARM)
    log_p, *told = (judge.told(one, neutral, max(LOGPROBS)) for one in (name, *held(reference)))
    out: Numbers = {}
    for places in LOGPROBS:
        pairs = weighed(log_p[:places], [one[:places] for one in told], neutral.ravel()[:places], epoch)
        out[f"z, {places} places"] = z_of(pairs, key)
        out[f"log10 p, {places} places"] = log10_p(z_of(pairs, key))
    served = judge.students.served()
    first = first_places(served.ravel())
    pairs = judge.logits(name, reference, served, first, epoch)
    size = np.unique(pairs.digests, return_inverse=True)[1]
    unit = math.sqrt(np.bincount(size, weights=np.square(pairs.weights.astype(float))).max())
    tail = martingale_tail(pairs.total(key) / unit, pairs.variance / unit**2, float(len(first)))
    return out | {"first places": float(len(first)), "log10 p, first places": tail / TEN}


def traced(judge: Judge, name: str, tokens: int, temperature: float, reference: str = "control") -> Numbers:
    """Return how many of the colluders are named among 10,000 accounts, and how many others are."""
    epoch = epoch_of(judge.students.seed, SHARES[name])
    pairs = judge.residual(name, reference, epoch, (tokens, temperature))
    keys = [epoch.account_key(epoch.tag("account", account(i))) for i in range(FAMILY)]
    tier = tiers_of(pairs.digests, epoch)
    ways = [pairs.only(np.isin(tier, (ACCOUNT,)))] + ([pairs.only(np.isin(tier, (CAMPAIGN, ACCOUNT)))] if
                                                      epoch.shares[CAMPAIGN] else [])  # fmt: skip
    z, log_p = tried(ways, keys)
    named = log_holm(log_p) <= math.log(FAMILY_ALPHA)
    provider = z_of(pairs.only(tier == 0), keys_for(epoch).provider) if epoch.shares[0] else 0.0
    return {
        "named": float(named[:COLLUDERS].sum()), "of": float(COLLUDERS), "others named": float(named[COLLUDERS:].sum()),
        "median z": float(np.median(z[:COLLUDERS])), "highest z of others": float(z[COLLUDERS:].max()),
        "provider z": provider,
    }  # fmt: skip


def planted(judge: Judge, name: str) -> Numbers:
    """Return hits and ranks of the 32 canaries: one answer a question, and the suspect's probabilities."""
    all_of, model = canaries(judge.students.seed), judge.students.model(name)
    asked = np.stack([one.carrier for one in all_of])
    assert asked.shape[1] == CARRIER
    logits = model.logits(asked)
    values = np.stack([logits[i, one.alternatives] for i, one in enumerate(all_of)])
    own = values[np.arange(len(all_of)), [one.index for one in all_of]]
    ranks = (values >= own[:, None]).sum(axis=1)
    shown = values.argmax(axis=1)  # which alternative it would name; text alone shows as much
    hits = int(sum(int(at) == one.index for at, one in zip(shown, all_of, strict=True)))
    spread = [ALTERNATIVES] * len(all_of)
    said = np.concatenate([model.sample(len(all_of), 1, seed, prompts=asked) for seed in range(9)], axis=1)
    drawn = [_first(row, one.alternatives) for row, one in zip(said, all_of, strict=True)]
    trials = [at for at in drawn if at >= 0]
    text_hits = int(sum(at == one.index for at, one in zip(drawn, all_of, strict=True)))
    return {
        "hits": float(hits), "log10 p, hits": hits_tail(hits, spread) / TEN,
        "log10 p, ranks": ranks_tail(int(ranks.sum()), spread) / TEN, "trials by text": float(len(trials)),
        "hits by text": float(text_hits), "log10 p, text": hits_tail(text_hits, [ALTERNATIVES] * len(trials)) / TEN,
    }  # fmt: skip


def _first(said: np.ndarray, alternatives: np.ndarray) -> int:
    """Return which alternative is drawn most often in nine answers; -1 where none is."""
    counts = np.array([int(np.sum(said == one)) for one in alternatives])
    return int(counts.argmax()) if counts.max() else -1
