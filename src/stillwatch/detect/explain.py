"""Honest explanations of a block, each a null hypothesis that the other fold of time must refute.

In: what the members did on the time not used to link them, and what accounts outside every
candidate did on the same time. Out: one `Evidence` an explanation. A campaign's own evidence is
the least of them: whoever reads the receipt sees why it is not chance, not a class with one task,
not a popular tool, not one company. Within an explanation several contradictions are averaged as
e-values, so that none has to be independent of another.
Left to `campaign`: multiplicity over all blocks, and the rule of two families.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.crowd import EVEN_BAND, Crowd
from stillwatch.detect.deal import dealt_nats
from stillwatch.detect.habit import HabitTable
from stillwatch.stats.bets import bernoulli_bet, bernoulli_bet_below
from stillwatch.stats.evalues import mean_log_e
from stillwatch.terms.verdict import Evidence

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

MARGIN: Final = 5.0
"""How many times as often as others honest accounts with a phrase of their own may repeat it."""
SAME_TASK: Final = 0.5
"""At least this share of people given one task send something that another of them also sent."""
MANY_VARIANTS: Final = 4
"""Different requests with the shared text, on one fold, beyond what one task asks of a person."""
MANY_VARIANTS_SHARE: Final = 0.2
"""At most this share of people given one task go beyond that."""
TRIM: Final = 0.025
"""Share of members, at either end, that the span of a block's life may leave out."""
ONE_PAYER: Final = 0.95
"""At least this share of one customer's accounts is paid for with one token."""
CAP: Final = 700.0
"""Nats above which a figure is cut: a float's range, and far beyond any decision."""


@dataclass(frozen=True, slots=True)
class Paying:
    """How members pay; tokens are compared across holders only."""

    known: int
    """Members whose token is known."""
    shared: int
    """Of those, how many use a token that another holder among them uses too."""
    commonest: int
    """Of those, how many use the token that most of them use."""

    def nats(self, rate: float) -> float:
        """Return nats against "at most a share `rate` of the members use a token that another uses too"."""
        return float(bernoulli_bet(self.shared, self.known, rate)) if self.known else 0.0


@dataclass(frozen=True, slots=True)
class Conduct:
    """What a block did on the tested fold. One entry a member that was active then."""

    hits: IntArray
    """Requests with the block's keys."""
    variants: IntArray
    """Different contents among them."""
    repeated: IntArray
    """Of those contents, how many another holder also sent."""
    deals: FloatArray
    """Ranks of how rarely a holder sends what several others sent already, shape (n_met,)."""
    sizes: IntArray
    """Requests that the likeness ranks rest on, shape (n_ranked,)."""
    u: FloatArray
    """Likeness ranks, shape (n_ranked,)."""
    volumes: IntArray
    """Requests of each member in the whole log, the block's content or not."""
    lives: FloatArray
    """First and last request of each member in the whole log, seconds since 1970, shape (n_members, 2)."""
    strata: tuple[int, ...]
    """Strata, as numbers, that at least a tenth of the members behave like."""
    paying: Paying
    """How the members pay."""
    paying_whole: Paying
    """How the members of the whole block pay; the same where it was not parted."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What accounts outside every candidate did: the reference."""

    holders: int
    hit_holders: int
    crowd: Crowd
    """Their volumes and lifetimes in the whole log."""
    shared_payment: float
    """Share of outside accounts whose token another account uses too; strictly between 0 and 1."""
    habits: HabitTable


def explain_content(conduct: Conduct, outside: Outside) -> list[Evidence]:
    """Weigh a block that shares content against every honest reason to."""
    known = (
        [one_customer(conduct, queue_nats(conduct, outside))] if conduct.paying.known >= len(conduct.hits) / 2 else []
    )
    return [chance(conduct, outside), one_task(conduct, outside), own_work(conduct, outside), *known]


def explain_infrastructure(conduct: Conduct, outside: Outside, agreeing: tuple[int, int]) -> list[Evidence]:
    """Weigh a block that shares payers or addresses against every honest reason to."""
    known = [one_customer(conduct, None)] if conduct.paying.known >= len(conduct.hits) / 2 else []
    return [strangers(outside, agreeing), neighbours(conduct, outside), *known]


def chance(conduct: Conduct, outside: Outside) -> Evidence:
    """Members carry the block's keys hardly more often than anybody else active at the time.

    People have phrases of their own, so a few times as often is not yet a tie: the null leaves room.
    """
    hit, n = int((conduct.hits > 0).sum()), len(conduct.hits)
    rate = MARGIN * (outside.hit_holders + 1) / (outside.holders + 2)
    log_e = float(bernoulli_bet(hit, n, min(rate, 0.95)))
    return Evidence(
        scenario="chance",
        null=f"Members carry the shared text at most {MARGIN:g} times as often as other accounts of the same time.",
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
    payment, dealt = _payment(conduct, outside), dealt_nats(conduct.deals)
    against_public = float(mean_log_e(np.array([public, payment, dealt])))
    against_class = float(mean_log_e(np.array([volume, payment])))
    return Evidence(
        scenario="one_task",
        null="Members were given one task (a class, a public test set): they send what others of them also send, "
        "or vary it only a few times.",
        log_e=min(against_public, against_class, CAP),
        n=int(several.sum()),
        unit="account",
        detail={
            "sent_what_others_sent": same,
            "sent_many_variants": many,
            "nats_not_a_public_set": round(against_public, 3),
            "nats_dealt": round(dealt, 3),
            "nats_not_a_class": round(against_class, 3),
        },
        clears="The assignment or the public set that the requests come from.",
    )


def own_work(conduct: Conduct, outside: Outside) -> Evidence:
    """Members are separate customers who happen to use the same tool.

    Such customers keep to own subjects, differ in volume, come and go at times of their own, and pay
    for themselves; but an honest group may lack one of these: batch jobs over mixed data have no
    subject, machines on a quota are even, a launch brings everybody at once, customers of a reseller
    share a payer. So two have to be refuted: whichever is excused, the mean of the others must tell.
    """
    against = {
        "one_queue": queue_nats(conduct, outside),
        "even_load": even_nats(conduct, outside),
        "one_lifetime": lifetime_nats(conduct, outside),
    }
    if conduct.paying.known:
        against["shared_payers"] = _payment(conduct, outside)
    rest = sorted(against.values())[:-1]
    return Evidence(
        scenario="own_work",
        null="Members are separate customers who use the same tool: each has own subjects, volume, lifetime and payer, "
        "or all but one of these.",
        log_e=float(np.clip(mean_log_e(np.array(rest)), -CAP, CAP)),
        n=len(conduct.volumes),
        unit="account",
        detail=_tallied(conduct, against),
        clears="Each account turns out to have its own subjects and its own payer.",
    )


def neighbours(conduct: Conduct, outside: Outside) -> Evidence:
    """Members are separate people behind one address: a campus, a relay, a home.

    A class there may be even in volume and a crowd may have no subject in common, so neither alone
    refutes it: the least of the two counts.
    """
    queue, even = queue_nats(conduct, outside), even_nats(conduct, outside)
    return Evidence(
        scenario="neighbours",
        null="Members are separate people behind one address or client (a campus, a relay): each has own subjects "
        "or an own volume.",
        log_e=float(np.clip(min(queue, even), -CAP, CAP)),
        n=len(conduct.volumes),
        unit="account",
        detail=_tallied(conduct, {"one_queue": queue, "even_load": even}),
        clears="The shared address turns out to be a school, a relay or a reseller.",
    )


def one_customer(conduct: Conduct, queue: float | None) -> Evidence:
    """Members are staff or machines of one customer, who pays for all of them.

    Args:
        conduct: What the members did.
        queue: Nats of one queue, which staff with own work contradict; None where nothing but payers
            may count, since one customer's machines may well share a queue.
    """
    payers = float(bernoulli_bet_below(conduct.paying.commonest, conduct.paying.known, ONE_PAYER))
    against = {"several_payers": payers} if queue is None else {"one_queue": queue, "several_payers": payers}
    return Evidence(
        scenario="one_customer",
        null="Members are staff or machines of one customer: nearly all are paid for with one token.",
        log_e=float(np.clip(mean_log_e(np.array(list(against.values()))), -CAP, CAP)),
        n=conduct.paying.known,
        unit="account",
        detail=_tallied(conduct, against),
        clears="The payers turn out to belong to one customer.",
    )


def strangers(outside: Outside, agreeing: tuple[int, int]) -> Evidence:
    """Members of an infrastructure block agree in a second respect no more than anybody does."""
    log_e = float(bernoulli_bet(agreeing[0], agreeing[1], min(max(outside.shared_payment, 1e-3), 0.9)))
    return Evidence(
        scenario="strangers",
        null="Members share one piece of infrastructure only: in others they agree no more than any accounts do.",
        log_e=float(np.clip(log_e, -CAP, CAP)),
        n=agreeing[1],
        unit="account",
        detail={"agree_in_a_second_respect": agreeing[0], "of": agreeing[1]},
        clears="The shared address or payer turns out to be a school, a relay or a reseller.",
    )


def queue_nats(conduct: Conduct, outside: Outside) -> float:
    """Return nats of "all draw from one queue" against "each has own subjects".

    The least over the strata that members behave like; over all where those have too few accounts.
    """
    per_stratum = outside.habits.log_e(conduct.sizes, conduct.u)
    like = per_stratum[list(conduct.strata)]
    usable = like[~np.isnan(like)] if not np.isnan(like).all() else per_stratum[~np.isnan(per_stratum)]
    return float(np.clip(usable.min(), -CAP, CAP)) if len(usable) and len(conduct.u) else 0.0


def lifetime_nats(conduct: Conduct, outside: Outside) -> float:
    """Return nats of "all live in one span of time" against "each comes and goes by itself".

    The null rate is the greatest share of outside accounts of like volume that any span of that
    length holds, so a block that lives as long as the log says nothing.
    """
    if len(conduct.volumes) == 0:
        return 0.0
    low, high = np.quantile(conduct.lives[:, 0], TRIM), np.quantile(conduct.lives[:, 1], 1.0 - TRIM)
    inside = int(((conduct.lives[:, 0] >= low) & (conduct.lives[:, 1] <= high)).sum())
    held, others = outside.crowd.in_span(float(np.median(conduct.volumes)), float(high - low))
    rate = (held + 1) / (others + 2)
    return float(np.clip(bernoulli_bet(inside, len(conduct.volumes), min(rate, 0.95)), -CAP, CAP))


def even_nats(conduct: Conduct, outside: Outside) -> float:
    """Return nats of "load is shared out evenly" against "volumes differ as other accounts' do".

    The null rate is the greatest share of outside accounts that any band of this width holds, so
    that a block of a usual size is not thought even for being usual.
    """
    if len(conduct.volumes) == 0:
        return 0.0
    middle = float(np.median(conduct.volumes))
    inside = int((np.abs(np.log(conduct.volumes / middle)) <= EVEN_BAND).sum())
    held, others = outside.crowd.in_band(int(conduct.volumes.min()))
    rate = (held + 1) / (others + 2)
    return float(np.clip(bernoulli_bet(inside, len(conduct.volumes), min(rate, 0.95)), -CAP, CAP))


def _payment(conduct: Conduct, outside: Outside) -> float:
    """Return nats against "members pay for themselves"; the least over the part and the block it is part of.

    Sharing a payer is what parts a block, so in the part alone it would prove itself.
    """
    return min(paying.nats(outside.shared_payment) for paying in (conduct.paying, conduct.paying_whole))


def _tallied(conduct: Conduct, against: dict[str, float]) -> dict[str, float | int | str]:
    """Return the figures behind an explanation: nats of each contradiction, and the likeness ranks."""
    nats: dict[str, float | int | str] = {f"nats_{name}": round(value, 2) for name, value in against.items()}
    return nats | {"no_own_subject": int((conduct.u > 0.5).sum()), "ranked": len(conduct.u)}
