"""The table on proof in words: one row a promise, the value of every seed, the median.

In: measures. Out: Markdown. Left to `measures` and `innocents`: numbers.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from bench.layout import table
from bench.proof.innocents import INNOCENT, innocent
from bench.proof.judged import MEAN, WARM, Judge
from bench.proof.measures import Numbers, closed, counted, logprobs, planted, price, traced

Judges = dict[int, Judge]
REFERENCES: Final = (MEAN, "control", "base")
CLOSED_ASKED: Final = 150_000
"""Tokens of the 5 % rows."""
TRACED = 600_000
"""Tokens that tracing asks for."""
ATTACKED: Final = ("m20", "retold", "targeted", "washed", "neutral-half", "neutral", "stepped")
"""A fifth of marked text, and what was done against it."""
ATTACKED_ASKED: Final = 50_000
PLANTED: Final = ("m05", "washed05", "neutral05", "stepped05")
PASSING_Z: Final = 4.99
"""Standard deviations that `sharp_tail` takes to pass 1e-6."""
HEAD = ["measure", "by seed", "median", "must", "aim"]


def main_table(judges: Judges, say: Callable[[str], None]) -> str:
    """Return the rows that have a goal."""
    rows = []

    def row(what: str, values: list[str], median: str, must: str, aim: str) -> None:
        rows.append([what, "; ".join(values), median, must, aim])
        say(f"{what}: {'; '.join(values)}; median {median}")

    for reference in REFERENCES:
        found = [judge.kept(closed, "m05", reference, CLOSED_ASKED, WARM) for judge in judges.values()]
        need = [one["tokens to 1e-6"] for one in found]
        z = ", ".join(f"{one['z']:.1f}" for one in found)
        row(f"5 % marked, closed, residual against {reference}, asked at {WARM:g}: tokens to p <= 1e-6 "
            f"(z at {CLOSED_ASKED:,}: {z})", [_tokens(one) for one in need], _tokens(float(np.median(need))), "report",
            "30,000")  # fmt: skip
    for reference in (MEAN, "control", "base"):
        found = [judge.kept(closed, "m20", reference, 50_000, WARM) for judge in judges.values()]
        p = [one["log10 p"] for one in found]
        need = [one["tokens to 1e-6"] for one in found]
        row(f"20 % marked, closed, residual against {reference}, asked at {WARM:g}: p at 50,000 tokens "
            f"(1e-6 from {_tokens(float(np.median(need)))})", _powers(p), _power(p), "1e-6", "1e-6")  # fmt: skip
    p = [judge.kept(counted, "m20", 50_000, WARM)["log10 p"] for judge in judges.values()]
    row("the same text by counting green pairs: p", _powers(p), _power(p), "-", "-")
    for reference in REFERENCES:
        said = [judge.kept(logprobs, "m05", reference) for judge in judges.values()]
        for places in (1_000, 2_500, 5_000):
            p = [one[f"log10 p, {places} places"] for one in said]
            row(f"5 % marked, probabilities after {places:,} places of unmarked text, against {reference}: p",
                _powers(p), _power(p), "1e-12 by 5,000", "1e-12 by 2,500")  # fmt: skip
        p = [one["log10 p, first places"] for one in said]
        row(f"5 % marked, first places of {said[0]['first places']:.0f} contexts in served text, against {reference}, "
            "martingale: p", _powers(p), _power(p), "-", "-")  # fmt: skip
    return table(HEAD, rows)


def tracing_table(judges: Judges, names: tuple[str, ...], say: Callable[[str], None]) -> str:
    """Return how many accounts are traced."""
    rows = []
    for name in names:
        for seed, judge in judges.items():
            if not judge.students.made(name):
                continue
            one = judge.kept(traced, name, TRACED, WARM, MEAN)
            provider = f"{one['provider z']:.1f}" if one["provider z"] else "-"
            rows.append(
                [f"{name}, seed {seed}", f"{TRACED:,} at {WARM:g}", f"{one['named']:.0f} of {one['of']:.0f}",
                 f"{one['others named']:.0f}", f"{one['median z']:.1f}", f"{one['highest z of others']:.1f}",
                 provider]
            )  # fmt: skip
            say(" | ".join(rows[-1]))
    head = ["student", "tokens", "colluders named", "others named", "median z", "highest z of others", "provider's z"]
    return table(head, rows)


def canary_table(judges: Judges, say: Callable[[str], None]) -> str:
    """Return what 32 canaries in 1 % of the tokens of `m05` give, and what they give after attacks on its mark."""
    rows = []
    for name, seed, judge in ((name, seed, judge) for name in PLANTED for seed, judge in judges.items()):
        if not judge.students.made(name):
            continue
        one = judge.kept(planted, name)
        rows.append(
            [f"{name}, seed {seed}", f"{one['hits']:.0f} of 32", f"1e{one['log10 p, hits']:.1f}",
             f"1e{one['log10 p, ranks']:.1f}", f"{one['hits by text']:.0f} of {one['trials by text']:.0f}",
             f"1e{one['log10 p, text']:.1f}"]
        )  # fmt: skip
        say(" | ".join(rows[-1]))
    head = ["student", "first by probability", "p", "p by ranks", "shown in nine answers each", "p"]
    return table(head, rows)


def innocent_table(judges: Judges, say: Callable[[str], None]) -> tuple[str, int]:
    """Return what the exams say of innocents, and how many were accused."""
    rows, accused = [], 0
    for seed, judge in judges.items():
        for name in INNOCENT:
            if not judge.students.made(name):
                continue
            one = judge.kept(innocent, name)
            accused += int(one["accused"])
            rows.append([f"{name}, seed {seed}", f"{one['z']:+.1f}", f"{one['z, probabilities']:+.1f}",
                         f"{one['random keys, mean']:+.2f} / {one['random keys, deviation']:.2f}",
                         f"{one['random keys, highest']:.1f}",
                         f"{one['prompted, mean z']:+.2f} / {one['prompted, deviation']:.2f}",
                         f"{one['prompted, KS p']:.2f}", f"{one['prompted, least p']:.1e}",
                         f"{one['accused']:.0f} of {one['tests']:,.0f}"])  # fmt: skip
            say(" | ".join(rows[-1]))
    head = [
        "student", "z, residual", "z, probabilities", "1,000 random keys, mean / deviation", "highest",
        "prompted with served text, 200 keys, mean / deviation", "KS p of the plain count", "least p", "accused",
    ]  # fmt: skip
    return table(head, rows), accused


def removal_table(judges: Judges, say: Callable[[str], None]) -> str:
    """Return what is left of a fifth of marked text after it was attacked, and what that cost the thief."""
    rows = []
    for seed, judge in judges.items():
        taught = judge.kept(price, "base")["nats"]
        full = taught - judge.kept(price, "m20")["nats"]
        for name in ATTACKED:
            if not judge.students.made(name):
                continue
            one = judge.kept(closed, name, MEAN, ATTACKED_ASKED, WARM)
            told: Numbers = judge.kept(logprobs, name, MEAN)
            cost = judge.kept(price, name)
            rows.append([f"{name}, seed {seed}", f"{one['z']:+.1f}", f"1e{one['log10 p']:.1f}",
                         _needed(one), f"1e{told['log10 p, 5000 places']:.1f}",
                         f"1e{told['log10 p, first places']:.1f}",
                         f"{(taught - cost['nats']) / full:.0%}", f"{cost['agrees']:.1%}"])  # fmt: skip
            say(" | ".join(rows[-1]))
    head = [
        "student", f"z at {ATTACKED_ASKED:,} tokens", "p", "tokens to 1e-6",
        "p by probabilities, 5,000 places", "first places in served text", "kept of what was learned",
        "says the teacher's likeliest",
    ]  # fmt: skip
    return table(head, rows)


def _needed(one: Numbers) -> str:
    """Return tokens to 1e-6: read off, or reckoned as if z went with the root of the tokens."""
    if not math.isinf(one["tokens to 1e-6"]):
        return f"{one['tokens to 1e-6']:,.0f}"
    if one["z"] < 1.0:
        return "no strength seen"
    reckoned = ATTACKED_ASKED * (PASSING_Z / one["z"]) ** 2
    return f"about {float(f'{reckoned:.2g}'):,.0f}"


def _tokens(value: float) -> str:
    return "not reached" if math.isinf(value) else f"{value:,.0f}"


def _powers(logs: list[float]) -> list[str]:
    return [f"1e{one:.1f}" for one in logs]


def _power(logs: list[float]) -> str:
    return f"1e{float(np.median(logs)):.1f}"
