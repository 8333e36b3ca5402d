"""Honest explanations of a block, each a null hypothesis that the other fold of time must refute.

In: what the members did on the time not used to link them, and what accounts outside every
candidate did on the same time. Out: one `Evidence` an explanation. A campaign's own evidence is
the least of them: whoever reads the receipt sees why it is not chance, not a class with one task,
not a popular tool, not one company. Within an explanation several contradictions are averaged as
e-values, so that none has to be independent of another.
Left to `campaign`: multiplicity over all blocks, and the rule of two families.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.habit import HabitTable
from stillwatch.stats.bets import bernoulli_bet, bernoulli_bet_below
from stillwatch.stats.evalues import mean_log_e
from stillwatch.stats.two_sample import two_sample_bet
from stillwatch.terms.verdict import Evidence

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

SAME_TASK: Final = 0.5
"""At least this share of people given one task send something that another of them also sent."""
MANY_VARIANTS: Final = 4
"""Different requests with the shared text, on one fold, beyond what one task asks of a person."""
MANY_VARIANTS_SHARE: Final = 0.2
"""At most this share of people given one task go beyond that."""
CAP: Final = 700.0
"""Nats above which a figure is cut: a float's range, and far beyond any decision."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """What a block did on the tested fold. One entry a member that was active then."""

    hits: IntArray
    """Requests with the block's keys."""
    variants: IntArray
    """Different contents among them."""
    repeated: IntArray
    """Of those contents, how many another holder also sent."""
    sizes: IntArray
    """Requests that the likeness ranks rest on, shape (n_ranked,)."""
    u: FloatArray
    """Likeness ranks, shape (n_ranked,)."""
    paying: IntArray
    """(members that pay with a token another member also uses, members whose token is known)."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What accounts outside every candidate did: the reference."""

    holders: int
    hit_holders: int
    shared_payment: float
    """Share of outside accounts whose token another account uses too; strictly between 0 and 1."""
    habits: HabitTable


def explain_content(conduct: Conduct, outside: Outside) -> list[Evidence]:
    """Weigh a block that shares content against chance, one task, and own work."""
    return [chance(conduct, outside), one_task(conduct, outside), own_work(conduct, outside)]


def chance(conduct: Conduct, outside: Outside) -> Evidence:
    """Members carry the block's keys no more often than anybody else active at the time."""
    hit, n = int((conduct.hits > 0).sum()), len(conduct.hits)
    log_e = float(two_sample_bet(hit, n, outside.hit_holders, outside.holders))
    return Evidence(
        scenario="chance",
        null="Members carry the shared text no more often than other accounts active at the same time.",
        log_e=min(log_e, CAP),
        n=n,
        unit="account",
        detail={"members_with_it": hit, "members": n, "others_with_it": outside.hit_holders, "others": outside.holders},
        clears="The shared text also turns up in accounts that have nothing to do with the block.",
    )


def one_task(conduct: Conduct, outside: Outside) -> Evidence:
    """Members were given the same task: a class, an examination, a public test set."""
    several = conduct.variants >= 1
    same = int((conduct.repeated[several] * 2 >= conduct.variants[several]).sum())
    public = float(bernoulli_bet_below(same, int(several.sum()), SAME_TASK))
    many = int((conduct.variants[several] >= MANY_VARIANTS).sum())
    volume = float(bernoulli_bet(many, int(several.sum()), MANY_VARIANTS_SHARE))
    against_class = float(mean_log_e(np.array([volume, _payment(conduct, outside)])))
    return Evidence(
        scenario="one_task",
        null="Members were given one task (a class, a public test set): they send what others of them also send, "
        "or vary it only a few times.",
        log_e=min(public, against_class, CAP),
        n=int(several.sum()),
        unit="account",
        detail={
            "sent_what_others_sent": same,
            "sent_many_variants": many,
            "nats_not_a_public_set": round(public, 3),
            "nats_not_a_class": round(against_class, 3),
        },
        clears="The assignment or the public set that the requests come from.",
    )


def own_work(conduct: Conduct, outside: Outside) -> Evidence:
    """Members are separate people or firms, each with own work, who share a tool or an address."""
    per_stratum = outside.habits.log_e(conduct.sizes, conduct.u)
    usable = per_stratum[~np.isnan(per_stratum)]
    log_e = float(usable.min()) if len(usable) else 0.0
    return Evidence(
        scenario="own_work",
        null="Members are separate customers who share a tool, an address or a payer: each keeps to own subjects.",
        log_e=float(np.clip(log_e, -CAP, CAP)),
        n=len(conduct.u),
        unit="account",
        detail={
            "no_own_subject": int((conduct.u > 0.5).sum()),
            "ranked": len(conduct.u),
            "expected_if_one_queue": round(len(conduct.u) / 2, 1),
        },
        clears="Each account's requests turn out to be about that account's own subjects.",
    )


def strangers(conduct: Conduct, outside: Outside, agreeing: tuple[int, int], other_share: float) -> Evidence:
    """Members of an infrastructure block also agree in a second respect no more than anybody does."""
    log_e = float(bernoulli_bet(agreeing[0], agreeing[1], min(max(other_share, 1e-3), 0.9)))
    return Evidence(
        scenario="strangers",
        null="Members share one piece of infrastructure only: in others they agree no more than any accounts do.",
        log_e=float(np.clip(log_e, -CAP, CAP)),
        n=agreeing[1],
        unit="account",
        detail={"agree": agreeing[0], "of": agreeing[1], "elsewhere": round(other_share, 4), "hit": len(conduct.hits)},
        clears="The shared address or payer turns out to be a school, a relay or a reseller.",
    )


def _payment(conduct: Conduct, outside: Outside) -> float:
    shared, known = int(conduct.paying[0]), int(conduct.paying[1])
    if known == 0:
        return -math.inf if len(conduct.hits) == 0 else 0.0
    return float(bernoulli_bet(shared, known, outside.shared_payment))
