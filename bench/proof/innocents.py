"""Innocent students: what the exams say of models that never learned from a mark, tried in every way that may go wrong.

In: a `Judge`. Out: numbers a student. Suspects: the thief's base, a student of our teacher from
before the marks, a student of another teacher. Each is tried under the provider's key, under 10,000 accounts' keys, by
its probabilities on served text, and, asked to go on from text served to 200 accounts, under each of their keys.
Cost: half a minute of a core a student.
"""

import math
from typing import Final

import numpy as np
from scipy.stats import kstest

from bench.proof.judged import COOL, Judge
from bench.proof.measures import FAMILY, FAMILY_ALPHA, Numbers, z_of
from bench.proof.students import PROVIDER, SHARES, account
from bench.proof.world import epoch_of
from stillwatch.forensics.exams.keyed import KeyedPairs
from stillwatch.forensics.exams.residual import PairCounts, pack, residuals, unpack
from stillwatch.forensics.exams.servedlogits import first_places
from stillwatch.forensics.exams.signs import martingale_tail, sharp_tail
from stillwatch.forensics.exams.tracing import tried
from stillwatch.forensics.marks.calibrate import random_keys
from stillwatch.forensics.marks.reading import log_holm
from stillwatch.lab.markedrows import GreenRows
from stillwatch.lab.wordteacher import IntArray
from stillwatch.stats.arrays import FloatArray
from stillwatch.stats.exact import binomial_tail
from stillwatch.treatments.marks.green import green_bits
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.prf import ContextTable, seeds
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import keys_for

INNOCENT: Final = {"base": "control", "control": "base", "other": "control"}
"""Who is innocent, and what each is held against."""
ASKED: Final = 50_000
SERVED_TO: Final = 200
PROMPTS: Final = 4
"""Prompts from each account's text."""
PROMPT, GOES_ON = 40, 60
DUMMIES: Final = 1_000
LEAST: Final = 1e-3
"""Chances below are left out of what a reference expects; that changes power, never validity."""


def innocent(judge: Judge, name: str) -> Numbers:
    """Return what every exam of marks says of an innocent student, and what its p-values look like."""
    reference = INNOCENT[name]
    seed = judge.students.seed
    epoch, shared = epoch_of(seed, PROVIDER), epoch_of(seed, SHARES["shared"])
    pairs = judge.residual(name, reference, epoch, (ASKED, COOL))
    key = keys_for(epoch).provider
    rng = judge.students.rng(f"innocent {name}")
    dummies = pairs.totals(*random_keys(rng, DUMMIES)) / math.sqrt(pairs.variance)
    logs = [float(sharp_tail(z_of(pairs, key)))]
    traced = judge.residual(name, reference, shared, (ASKED, COOL))
    keys = [shared.account_key(shared.tag("account", account(i))) for i in range(FAMILY)]
    logs += tried([traced], keys)[1].tolist()
    served = judge.students.served()
    told = judge.logits(name, reference, served, first_places(served.ravel()), epoch)
    size = np.unique(told.digests, return_inverse=True)[1]
    unit = math.sqrt(np.bincount(size, weights=np.square(told.weights.astype(float))).max())
    logs.append(martingale_tail(told.total(key) / unit, told.variance / unit**2, float(len(served.ravel()))))
    counts, sums = prompted(judge, name)
    logs += [float(one) for one in sharp_tail(sums)]
    return {
        "z": z_of(pairs, key), "z, probabilities": z_of(told, key), "random keys, mean": float(dummies.mean()),
        "random keys, deviation": float(dummies.std()), "random keys, highest": float(dummies.max()),
        "prompted, mean z": float(sums.mean()), "prompted, deviation": float(sums.std()),
        "prompted, KS p": float(kstest(counts, "uniform").pvalue), "prompted, least p": float(counts.min()),
        "tests": float(len(logs)), "accused": float(np.sum(log_holm(logs) <= math.log(FAMILY_ALPHA))),
    }  # fmt: skip


def prompted(judge: Judge, name: str) -> tuple[FloatArray, FloatArray]:
    """Ask a student to go on from marked text, and read its answers under the key that marked the prompt.

    Returns:
        Randomised one-sided p-values of the plain count, and standardised sums of the residual test, one an account.
    """
    epoch, rng = epoch_of(judge.students.seed, SHARES["shared"]), judge.students.rng(f"prompted {name}")
    prompts = _prompts(judge, epoch)
    text = judge.students.model(name).sample(len(prompts), GOES_ON, int(rng.integers(2**31)), prompts=prompts)
    table, vocab = ContextTable.of(epoch, epoch.vocab), epoch.vocab
    keep = np.array([~np.isin(said[:-1], asked) for said, asked in zip(text, prompts, strict=True)])
    logits = np.concatenate(list(judge.students.model(INNOCENT[name]).everywhere(text[:, :-1])))
    p, z = np.empty(SERVED_TO), np.empty(SERVED_TO)
    for i in range(SERVED_TO):
        rows = slice(i * PROMPTS, (i + 1) * PROMPTS)
        context, following = text[rows, :-1][keep[rows]], text[rows, 1:][keep[rows]]
        key = epoch.account_key(epoch.tag("account", account(i)))
        code = np.unique(context * vocab + following)
        seed = seeds(table.digests(code // vocab), np.array([key.a], np.uint64), np.array([key.b], np.uint64))
        hits = int(green_bits(seed, code % vocab).sum())
        above, here = (float(np.exp(binomial_tail(hits + more, len(code), 0.5))) for more in (1, 0))
        p[i] = above + rng.random() * (here - above)
        z[i] = z_of(_paired(context, following, logits[rows][keep[rows]], epoch), key)
    return p, z


def _paired(context: IntArray, following: IntArray, logits: FloatArray, epoch: Epoch) -> KeyedPairs:
    """Return the residual test's pairs of places, given what the reference says after each."""
    chance = np.exp(logits - logits.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    place, token = np.nonzero(chance > LEAST)
    seen = PairCounts.of(pack((context,), following, epoch.vocab))
    expects = PairCounts.of(pack((context[place],), token, epoch.vocab), chance[place, token].astype(np.float64))
    made = residuals(seen, expects, vocab=epoch.vocab, delta=epoch.delta)
    (before,), after = unpack(made.code, 1, epoch.vocab)
    return KeyedPairs.of(ContextTable.of(epoch, epoch.vocab).digests(before), after, made.weight)


def _prompts(judge: Judge, epoch: Epoch) -> IntArray:
    """Return what 200 accounts were served, all marked, a few prompts of each."""
    rng = judge.students.rng("prompts")
    tags = [epoch.tag("account", account(i // PROMPTS)) for i in range(SERVED_TO * PROMPTS)]
    hook = GreenRows(epoch, [MarkOrder(epoch=1, account=tag, until=1e12) for tag in tags], epoch.vocab)
    return judge.students.world.teachers["ours"].sample(len(tags), PROMPT, rng, hook=hook)
