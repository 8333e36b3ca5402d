"""Measure what exams say of students of keyed draws, and what twin answers say of the same students.

In: seeds, a folder that keeps students (the base and the controls are those of `bench.proof`). Out: tables. Every step
is kept, so that the same command goes on after a break.
Cost: two minutes of a core a student to train, three to judge.

Run: python -m bench.proof.drawn [--seeds 1 2 3] [--keep FOLDER] [--train NAME ...] [--write]
"""

import argparse
import json
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from bench import page
from bench.proof.drawnstudents import COLLUDERS, DrawnStudents, account, epoch_of
from bench.proof.judged import log_probs
from bench.proof.students import CONTROLS, Students
from bench.proof.world import LENGTH, VOCAB, World
from stillwatch.forensics.exams.coins import withheld_test
from stillwatch.forensics.exams.drawn import DrawnContexts
from stillwatch.forensics.exams.drawnexams import tried
from stillwatch.forensics.exams.drawnscores import probability_payoffs, word_payoffs
from stillwatch.forensics.exams.examination import z_needed
from stillwatch.forensics.exams.residual import PairCounts, pack
from stillwatch.forensics.exams.servedlogits import first_places
from stillwatch.forensics.marks.grams import distinct_grams
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.reading import log_holm
from stillwatch.forensics.marks.vllm import summed
from stillwatch.lab.neural.languagemodel import LanguageModel
from stillwatch.lab.wordteacher import IntArray
from stillwatch.stats.arrays import FloatArray
from stillwatch.treatments.marks.gumbel import ALPHA, pair_of_keys
from stillwatch.treatments.marks.prf import ContextTable
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import keys_for

MARKS: Final = ("<!-- drawn: begin -->", "<!-- drawn: end -->")
TEN: Final = math.log(10.0)
ASKED: Final = (10_000, 20_000, 50_000)
ANSWER: Final = 50
CONTEXTS: Final = (1_000, 2_500, 5_000)
FAMILY: Final = 10_000
KEYS: Final = 1_000
LEAST: Final = 1e-3
SUSPECTS: Final = ("g05", "g20", "plain")
Numbers = dict[str, float]


@dataclass(frozen=True)
class Case:
    """One suspect of one seed, with who is held against it."""

    made: DrawnStudents
    name: str

    @property
    def epoch(self) -> Epoch:
        """Keys that are asked about; those of `g05` for who was taught none."""
        return epoch_of(self.made.students.seed, self.name)

    @property
    def suspect(self) -> LanguageModel:
        """The suspect."""
        return self.made.model(self.name)

    def references(self) -> list[LanguageModel]:
        """Return the controls: three of `bench.proof`, taught on a million other answers each."""
        return [self.made.students.model(one) for one in CONTROLS]

    def text(self, tokens: int) -> IntArray:
        """Return the suspect's answers from one random word each, shape (answers, ANSWER + 1)."""
        path = self.made.students.folder / f"{self.made.students.seed}-text-{self.name}.npy"
        if not path.is_file():
            seed = int(self.made.students.rng(f"sample {self.name}").integers(2**31))
            np.save(path, self.suspect.sample(max(ASKED) // ANSWER, ANSWER + 1, seed).astype(np.int16))
        return np.asarray(np.load(path)[: tokens // ANSWER], np.int64)


def counted(case: Case, tokens: int) -> float:
    """Return the decimal log of what distinct pairs score under the provider's key."""
    epoch = case.epoch
    grams = distinct_grams(TokenText.of(list(case.text(tokens))), 2)
    keys = [np.array([key], np.uint64) for key in pair_of_keys(keys_for(epoch).provider.a, ALPHA)]
    return summed(grams, keys, ALPHA)[1] / TEN


def words(case: Case, tokens: int) -> DrawnContexts:
    """Return the contexts of a suspect's text with their payoffs, against the mean of the controls."""
    text = case.text(tokens)
    older, newer, token = text[:, :-2].ravel(), text[:, 1:-1].ravel(), text[:, 2:].ravel()
    places = (np.arange(len(text))[:, None] * text.shape[1] + np.arange(1, text.shape[1] - 1)).ravel()
    code, owner = np.unique(newer * VOCAB + older, return_inverse=True)
    total = np.zeros((len(code), VOCAB), np.float32)
    order = np.argsort(owner.ravel(), kind="stable")
    starts = np.flatnonzero(np.diff(owner.ravel()[order], prepend=-1))
    for model in case.references():
        chance = np.exp(log_probs(model, text, places)).astype(np.float32)
        total += np.add.reduceat(chance[order], starts, axis=0)
    total /= np.float32(len(CONTROLS))
    row, following = np.nonzero(total > LEAST)
    expected = PairCounts.of(pack((code[row] // VOCAB, code[row] % VOCAB), following, VOCAB),
                             total[row, following].astype(np.float64))  # fmt: skip
    seen = PairCounts.of(pack((newer, older), token, VOCAB))
    return word_payoffs(seen, expected, ContextTable.of(case.epoch, VOCAB), alpha=ALPHA)[0]


def asked(case: Case, contexts: int, *, served: bool) -> DrawnContexts:
    """Return what a suspect's probabilities say at first places of so many contexts of served or unmarked answers."""
    taught = case.made.taught("g20" if case.name == "plain" else case.name)
    texts = taught.served[taught.marked == (1 if served else 0)]
    older, newer = texts[:, :-1].ravel(), texts[:, 1:].ravel()
    first = first_places(newer * VOCAB + older)[:contexts]
    row, column = first // (texts.shape[1] - 1), first % (texts.shape[1] - 1)
    need = texts[: int(row.max()) + 1]
    places = row * texts.shape[1] + column + 1
    told = [log_probs(model, need, places) for model in case.references()]
    log_r = np.logaddexp.reduce(told, axis=0) - math.log(len(told))
    columns = newer[first], older[first]
    digests = ContextTable.of(case.epoch, VOCAB).digests(*columns)
    every = np.broadcast_to(np.arange(VOCAB), log_r.shape)
    held = np.stack(columns, axis=1), digests
    return probability_payoffs(held, every, (log_probs(case.suspect, need, places), log_r), alpha=ALPHA)


def losses(model: LanguageModel, answers: IntArray) -> FloatArray:
    """Return the mean loss of a model on each answer after its first token, shape (answers,)."""
    return np.asarray(-model.logprobs(answers).mean(axis=1), np.float64)


def larger(made: DrawnStudents, pairs: int = 1_000) -> Numbers:
    """Return what twins say of a student of a million tokens, a control of `bench.proof`, against the other two.

    Its prompts were not kept; twins are answers to other prompts of the same kind, which makes them no less alike.
    """
    served = made.students.harvest(CONTROLS[0])[:pairs]
    kept = made.students.world.teachers["ours"].sample(len(served), LENGTH, made.students.rng("twins larger"))
    others = [made.students.model(one) for one in CONTROLS[1:]]
    return compared(made.students.model(CONTROLS[0]), others, served, kept)


def twins(case: Case) -> Numbers:
    """Return what a suspect's losses say of the answers that it was taught and of their twins."""
    name = "g20" if case.name == "plain" else case.name
    taught = case.made.taught(name)
    return compared(case.suspect, case.references(), taught.served[taught.marked == 0], case.made.twins(name))


def compared(suspect: LanguageModel, controls: list[LanguageModel], served: IntArray, kept: IntArray) -> Numbers:
    """Return what losses on served answers and on twins come to, alone and less the controls'."""
    mine = losses(suspect, served), losses(suspect, kept)
    theirs = [np.mean([losses(model, one) for model in controls], axis=0) for one in (served, kept)]
    out: Numbers = {"pairs": float(len(served)), "loss on served": float(mine[0].mean()),
                    "loss on twins": float(mine[1].mean())}  # fmt: skip
    for name, pair in (("alone", mine), ("less the controls'", (mine[0] - theirs[0], mine[1] - theirs[1]))):
        found = withheld_test(pair[0], pair[1], way="rank")
        out[f"known, {name}"] = found.known / found.pairs
        out[f"log10 p of all pairs, {name}"] = found.log_p / TEN
        out[f"pairs to 1e-6 in half of all draws, {name}"] = pairs_needed(*pair, least=0.5)
        out[f"pairs to 1e-6 in nine of ten draws, {name}"] = pairs_needed(*pair, least=0.9)
    return out


def pairs_needed(served: FloatArray, kept: FloatArray, *, least: float) -> float:
    """Return about the fewest pairs of which so many of 40 random draws pass 1e-6; infinite where all pairs do not."""
    rng, low, found = np.random.default_rng(9), math.log(1e-6), withheld_test(served, kept)
    if found.log_p > low:
        return math.inf
    n = max(19, round(0.5 * found.pairs * (z_needed(low) / found.z) ** 2))
    while n < len(served):
        n = math.ceil(n * 1.08)
        draws = [rng.choice(len(served), min(n, len(served)), replace=False) for _ in range(40)]
        if np.mean([withheld_test(served[one], kept[one]).log_p <= low for one in draws]) >= least:
            return float(n)
    return float(len(served))


def words_of(case: Case) -> Numbers:
    """Return what a closed suspect's words say after so many tokens, against the controls and by counting."""
    own, out = provider(case), Numbers()
    for tokens in ASKED:
        drawn = words(case, tokens)
        total = drawn.total(own)
        out[f"words, {tokens:,} tokens: log10 p"] = drawn.tail(total) / TEN
        out[f"words, {tokens:,} tokens: z"] = total / math.sqrt(float(drawn.variances.sum()))
        out[f"counted, {tokens:,} tokens: log10 p"] = counted(case, tokens)
    return out


def probabilities_of(case: Case) -> Numbers:
    """Return what a suspect's probabilities say at so many contexts of served and of unmarked answers."""
    own, out = provider(case), Numbers()
    for served in (True, False):
        for contexts in CONTEXTS:
            drawn = asked(case, contexts, served=served)
            total = drawn.total(own)
            name = f"{len(drawn.starts):,} contexts of {'served' if served else 'unmarked'} answers"
            out[f"{name}: log10 p"] = (drawn.running_tail(total) if served else drawn.tail(total)) / TEN
            out[f"{name}: z"] = total / math.sqrt(float(drawn.variances.sum()))
    return out


def chance_of(case: Case) -> Numbers:
    """Return how a thousand random keys score on what the suspect said."""
    rng = case.made.students.rng("keys")
    return chance(words(case, ASKED[0]), rng, "words") | chance(asked(case, 300, served=False), rng, "probabilities")


def provider(case: Case) -> tuple[int, int]:
    """Return the keys that the provider's tier draws with."""
    return pair_of_keys(keys_for(case.epoch).provider.a, ALPHA)


PARTS: Final = {"words": words_of, "probabilities": probabilities_of, "chance": chance_of, "twins": twins}


def chance(drawn: DrawnContexts, rng: np.random.Generator, name: str) -> Numbers:
    """Return how a thousand random keys score on what a suspect said: mean, deviation, and how often p is small."""
    small = drawn.only(np.arange(len(drawn.starts)) < 60)
    keys = [pair_of_keys(int(key), ALPHA) for key in rng.integers(0, 2**64, KEYS, np.uint64)]
    sums = np.array([small.total(key) for key in keys])
    z = sums / math.sqrt(float(small.variances.sum()))
    p = np.array([small.tail(float(one)) for one in sums])
    return {
        f"{name}: random keys, mean": float(z.mean()), f"{name}: random keys, deviation": float(z.std()),
        f"{name}: p at most 0.05": float((p <= math.log(0.05)).mean()),
        f"{name}: p at most 0.01": float((p <= math.log(0.01)).mean()),
    }  # fmt: skip


def traced(made: DrawnStudents) -> Numbers:
    """Return how many of the colluders are named among 10,000 accounts from what the suspect says."""
    case = Case(made, "colluders")
    keys = [pair_of_keys(case.epoch.account_key(case.epoch.tag("account", account(i))).a, ALPHA) for i in range(FAMILY)]
    drawn = words(case, max(ASKED))
    log_p, z = tried([drawn], keys)
    named = log_holm(log_p) <= math.log(1e-6)
    own = np.array([drawn.tail(drawn.total(key)) for key in keys[:COLLUDERS]])
    return {
        "named": float(named[:COLLUDERS].sum()), "others named": float(named[COLLUDERS:].sum()),
        "led": float((log_p[:COLLUDERS] < 0).sum()), "median log10 p of colluders": float(np.median(own)) / TEN,
    }  # fmt: skip


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--data", type=Path, help="data folder; default: the packaged sample")
    parser.add_argument("--keep", type=Path, default=Path(".proof"), help="where all is kept")
    parser.add_argument("--train", nargs="*", metavar="NAME", help="train these students and stop")
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=tuple(PARTS), help="judge by these alone")
    parser.add_argument("--suspects", nargs="+", default=SUSPECTS, metavar="NAME")
    parser.add_argument("--write", action="store_true", help="put the table into bench/RESULTS.md as well")
    given = parser.parse_args()
    given.keep.mkdir(parents=True, exist_ok=True)
    world = World(given.data)
    found: dict[str, Numbers] = {}
    for seed in given.seeds:
        made = DrawnStudents(Students(world, seed, given.keep))
        for name in given.train if given.train is not None else given.suspects:
            made.model(name)
            if given.train is None:
                case, found[f"{name}, seed {seed}"] = Case(made, name), {}
                for part in given.parts:
                    path = given.keep / f"{seed}-judged-{name}-{part}.json"
                    found[f"{name}, seed {seed}"] |= kept(path, partial(PARTS[part], case))
        if given.train is None and "twins" in given.parts:
            found[f"a million tokens, seed {seed}"] = kept(
                given.keep / f"{seed}-judged-larger.json", partial(larger, made)
            )
        if given.train is None and (given.keep / f"{seed}-colluders.pt").is_file():
            found[f"colluders, seed {seed}"] = kept(given.keep / f"{seed}-judged-colluders.json", partial(traced, made))
    if given.train is None:
        text = table(found)
        print(text)
        if given.write:
            seeds = " ".join(map(str, given.seeds))
            head = f"Command: `python -m bench.proof.drawn --seeds {seeds} --write`; commit {page.commit()}."
            page.put(f"{head}\n\n{text}", MARKS)


def kept(path: Path, make: "partial[Numbers]") -> Numbers:
    """Return numbers made now or before."""
    if not path.is_file():
        path.write_text(json.dumps(make()))
    found: Numbers = json.loads(path.read_text())
    return found


def table(found: dict[str, Numbers]) -> str:
    """Return all numbers as a Markdown table, one column a suspect and seed."""
    names = list(dict.fromkeys(name for one in found.values() for name in one))
    rows = [f"| number | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    for name in names:
        cells = [f"{one[name]:,.3g}" if name in one else "-" for one in found.values()]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
