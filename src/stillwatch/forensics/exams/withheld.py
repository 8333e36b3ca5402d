"""The withheld-sample exam: opened coins, a suspect's losses on both answers of each pair, one exact p-value.

In: losses by pair, the opened secret of the coins. Out: one outcome. Which of two answers was served is a keyed hash of
the request's id, so that nothing but the secret has to be committed to and nothing can be chosen later.
Cost: a hash a pair. Left to `coins`: the test. Left to the vault: both answers, without which there are no losses.
"""

import hashlib
import hmac
import json
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from stillwatch.forensics.exams.coins import WAYS, withheld_test
from stillwatch.forensics.exams.examination import Examination, Need, Outcome, decimal, more
from stillwatch.forensics.exams.given import Given


def coin(secret: bytes, request_id: str) -> bool:
    """Return whether the second of two answers to a request is the one to serve; fair to all who lack the secret."""
    return bool(hmac.digest(secret, b"stillwatch withheld\0" + request_id.encode(), hashlib.sha256)[0] & 1)


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
        secret = bytes.fromhex(given.reveals("openings")[0].secret)
        served, kept = [], []
        seen: set[str] = set()
        for line in given.raw("losses").splitlines():
            try:
                row = json.loads(line)
                ident, first, second = str(row["id"]), float(row["first"]), float(row["second"])
            except (ValueError, TypeError, KeyError):
                raise given.bad("losses", f"line {len(seen) + 1} must have `id`, `first` and `second`") from None
            if ident in seen:
                raise given.bad("losses", f"line {len(seen) + 1} repeats a request; each counts once")
            seen.add(ident)
            swapped = coin(secret, ident)
            served.append(second if swapped else first)
            kept.append(first if swapped else second)
        found = withheld_test(np.array(served, np.float64), np.array(kept, np.float64), way=way)
        return [
            Outcome(
                n=found.pairs, log_p=found.log_p, least_log_p=found.least_log_p,
                observed={"known": found.known, "z": decimal(found.z)},
                power=more(found.pairs, found.z, given.log_alpha, "pairs"),
                skipped="" if found.pairs else "there is no pair whose losses differ.",
            )
        ]  # fmt: skip


def pairs_needed(known: float, log_alpha: float) -> int:
    """Return about how many pairs a share of known ones needs, by the sign test at half power.

    >>> pairs_needed(0.56, math.log(1e-6))
    1570
    """
    from scipy.special import ndtri_exp

    return math.ceil((float(-ndtri_exp(log_alpha)) / (2.0 * (known - 0.5))) ** 2)
