"""The withheld-sample exam: opened coins, a suspect's losses on both answers of each pair, one exact p-value.

In: losses by pair, the opened secret of the coins and the opened batches of pairs. Out: one outcome. Which of two
answers was served is a keyed hash of the request's id, so that nothing but the secret has to be committed to and
nothing can be chosen later; which pairs there are was committed to in batches, so that none is made up.
Cost: a few hashes a pair. Left to `coins`: the test. Left to the vault: both answers.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from stillwatch.forensics.exams.coins import WAYS, withheld_test
from stillwatch.forensics.exams.examination import Examination, Need, Outcome, decimal, more
from stillwatch.forensics.exams.given import Given
from stillwatch.forensics.exams.marked import SEED
from stillwatch.forensics.twins import PairDigests, coin
from stillwatch.terms.protocol import Value
from stillwatch.terms.reveal import Reveal

BATCH: Final = "pairs "
"""How ids of reveals begin that open a batch of pairs."""


class WithheldSample(Examination):
    """Does the suspect know which of two answers was served?"""

    name: ClassVar[str] = "withheld-sample"
    kind: ClassVar[str] = "withheld"
    null: ClassVar[str] = "The suspect's losses on two answers to one request do not depend on which was served."
    statistic: ClassVar[str] = (
        "signs of loss(withheld) - loss(served), counted (`sign`) or weighed by the rank of their size (`rank`)"
    )
    unit: ClassVar[str] = "pairs"
    access: ClassVar[str] = "logprobs"
    needs: ClassVar[tuple[Need, ...]] = (
        Need("losses", "transcript", "the suspect's losses on served and withheld answers", vault=True),
        Need("openings", "reveal", "the opened secret of the coins"),
        SEED,
    )
    power: ClassVar[str] = "2,000 pairs of which 56 % are known give p = 4e-8"
    limits: ClassVar[str] = (
        "Needs both answers kept, and the suspect's probabilities; shows that it learned, not from whom."
    )

    def outcomes(self, given: Given) -> Sequence[Outcome]:
        """Return one outcome, see `Examination`."""
        way = given.text("way", "rank")
        if way not in WAYS:
            raise given.bad("way", f"must be one of {', '.join(WAYS)}")
        opened = given.reveals("openings")
        coins = [one for one in opened if not one.item.id.startswith(BATCH)]
        if len(coins) != 1:
            raise given.bad("openings", f"opens {len(coins)} secrets of coins; must open one")
        secret, batches = bytes.fromhex(coins[0].secret), _pairs(opened)
        served, kept, seen, lost = list[float](), list[float](), set[str](), 0
        for number, line in enumerate(given.raw("losses").splitlines(), 1):
            row = _row(given, line, number)
            ident = str(row["id"])
            if ident in seen:
                raise given.bad("losses", f"line {number} repeats a request; each counts once")
            seen.add(ident)
            swapped, whole = coin(secret, ident), (True, True)
            if batches is not None:
                whole = _committed(given, row, batches, number)
            if not whole[swapped]:
                lost += 1
                continue
            first, second = (_loss(row, name) for name in ("first", "second"))
            served.append(second if swapped else first)
            kept.append(first if swapped else second)
        found = withheld_test(np.array(served, np.float64), np.array(kept, np.float64), way=way, lost=lost)
        observed: dict[str, Value] = {"known": found.known, "z": decimal(found.z), "lost": lost, "given": len(seen)}
        if batches is not None:
            observed["committed"] = len(batches)
        return [
            Outcome(
                n=found.pairs, log_p=found.log_p, least_log_p=found.least_log_p, observed=observed,
                power=more(found.pairs, found.z, given.log_alpha, "pairs"),
                skipped="" if found.pairs else "there is no pair whose losses differ.",
            )
        ]  # fmt: skip


def _row(given: Given, line: bytes, number: int) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
        for name in ("first", "second", "reference_first", "reference_second"):
            told = row[name] if name in ("first", "second") else row.get(name)
            if told is not None:
                float(told)
        if not isinstance(row["id"], str):
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise given.bad("losses", f"line {number} must have `id`, `first` and `second`") from None
    return dict(row)


def _loss(row: Mapping[str, Any], name: str) -> float:
    """Return the suspect's loss on an answer, less a reference's where there is one; NaN where it is not told."""
    held = row[name], row.get(f"reference_{name}", 0.0)
    return math.nan if None in held else float(held[0]) - float(held[1])


def _pairs(opened: Sequence[Reveal]) -> frozenset[str] | None:
    """Return the digests of every pair that was committed to; None where no batch is opened."""
    held = [one.facts.get("pairs", ()) for one in opened if one.item.id.startswith(BATCH)]
    return frozenset(str(pair) for batch in held if isinstance(batch, list | tuple) for pair in batch) if held else None


def _committed(given: Given, row: Mapping[str, Any], batches: frozenset[str], number: int) -> tuple[bool, bool]:
    """Return whether first and second answer of a pair came whole; the pair must have been committed to."""
    try:
        pair = PairDigests.read(row)
        digest, whole = pair.digest, pair.whole
    except (KeyError, ValueError):
        raise given.bad("losses", f"line {number} lacks the digests of its pair") from None
    if digest not in batches:
        raise given.bad("losses", f"line {number} is of a pair that was not committed to")
    return whole


def pairs_needed(known: float, log_alpha: float) -> int:
    """Return about how many pairs a share of known ones needs, by the sign test at half power.

    >>> pairs_needed(0.56, math.log(1e-6))
    1570
    """
    from scipy.special import ndtri_exp

    return math.ceil((float(-ndtri_exp(log_alpha)) / (2.0 * (known - 0.5))) ** 2)
